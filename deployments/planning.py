"""Planning a campaign's file in this process, with the blocks that are saved in Prefect, or without a server."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from blocks import AssetStore, credentials_of, load_block, load_store
from blocks.credentials import ProviderCredentials
from deployments.direct_run import payer_of, store_of
from deployments.server import reach_server
from genmedia.campaign.brief import Brief, Measure
from genmedia.campaign.direct import Direct
from genmedia.campaign.forms import campaign as form
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.run import plan_campaign
from genmedia.errors import SettingsError


def plan(
    file: str,
    variables: Mapping[str, Any],
    rows: Sequence[str],
    directly: Mapping[str, str] | None,
    less: Mapping[Measure, list[str]],
) -> Prospect:
    """Return what applying a campaign's file would do; buys nothing.

    Args:
        file: Path of the file.
        variables: Values of its variables, by name.
        rows: Names of the rows that are asked for; empty for all.
        directly: `sandbox` and `folder` of a run without Prefect, as `run_directly` takes them; None for saved blocks.
        less: What is done without from the beginning; see `Brief`.

    Raises:
        GenmediaError: It cannot be planned; the class says the cause.
    """
    brief = form.campaign(campaign=file, variables=dict(variables), only_rows=list(rows), less=dict(less))
    log = logging.Logger("genmedia plan", logging.ERROR)  # noqa: LOG001 # its warnings stand in the plan
    if directly is None:
        return asyncio.run(_plan_with_blocks(brief, log))
    sandbox = directly["sandbox"]
    host = Direct(store_of(directly["folder"]), lambda provider, name: payer_of(provider, name, sandbox), log)
    return asyncio.run(plan_campaign(brief, host))


async def _plan_with_blocks(brief: Brief, log: logging.Logger) -> Prospect:
    await reach_server()
    assets: AssetStore = await load_store(brief.store)
    loaded: dict[str, ProviderCredentials | SettingsError] = {}
    for provider, name in brief.accounts.items():
        try:
            loaded[provider] = await load_block(credentials_of(provider), name)
        except SettingsError as error:
            loaded[provider] = error

    def payer(provider: str, _: str) -> ProviderCredentials:
        if isinstance(found := loaded[provider], SettingsError):
            raise found
        return found

    return await plan_campaign(brief, Direct(assets, payer, log))
