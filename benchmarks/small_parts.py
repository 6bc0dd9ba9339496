"""The flow `image_batch` with parts of a few items: the smallest that its form allows is too large for a trial of a minute."""

import inspect
from dataclasses import replace
from typing import Annotated, Any

from flows.buying import buying_flow
from flows.forms import StoreName, payer
from flows.image_batch import image_batch as whole
from genmedia.campaign.brief import Brief
from genmedia.providers.genova.client import PROVIDER

ITEMS = 25


@buying_flow(name="small-parts")
def small_parts(
    *,
    name: str,
    prompts: list[str],
    items_per_run: int = ITEMS,
    account: Annotated[str, payer(PROVIDER)] = "default",
    store: StoreName = "default",
) -> Brief:
    """Make a picture from each prompt, in runs of a few."""
    asked_for: Any = inspect.unwrap(whole.fn)
    return replace(asked_for(name=name, prompts=prompts, account=account, store=store), items_per_run=items_per_run)
