"""The flow `image_batch` with parts of a few items: the smallest that its form allows is too large for a trial of a minute."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from flows.buying import buying_flow
from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.image_batch import image_batch
from genmedia.campaign.forms.parameters import StoreName, payer
from genmedia.providers.genova.client import PROVIDER

ITEMS = 25


@partial(buying_flow, module=__name__, name="small-parts")
def small_parts(
    *,
    name: str,
    prompts: list[str],
    items_per_run: int = ITEMS,
    account: Annotated[str, payer(PROVIDER)] = "default",
    store: StoreName = "default",
) -> Brief:
    """Make a picture from each prompt, in runs of a few."""
    return replace(image_batch(name=name, prompts=prompts, account=account, store=store), items_per_run=items_per_run)
