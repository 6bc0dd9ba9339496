"""Rehearsing a campaign's file: all of it in a sandbox of its own, whose clock runs fast; nothing is bought, and no key is used."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blocks import credentials_of, load_block
from deployments.direct_run import carry_out, payer_of, payers, store_of
from deployments.local_run import Ended
from deployments.server import reach_server
from genmedia.campaign.brief import Brief
from genmedia.campaign.direct import Direct
from genmedia.campaign.file.delivery import Handover
from genmedia.campaign.forms import campaign as form
from genmedia.campaign.run import Prospect, plan_campaign
from genmedia.cli.services import ask_sandbox, open_accounts, running, sandbox_service
from genmedia.errors import GenmediaError, SettingsError
from genmedia.progress import Log
from genmedia.providers.drafts import Draft, Drafting
from genmedia.store import Place

SLOWEST = 20.0
"""Scale of the clock for a small campaign: a film of ten minutes is there after half a minute."""

ITEMS_A_SCALE = 4.0
"""Items for which the clock runs once more as fast, so that what is made one after the other does not take longer."""

CREDITS = 10_000_000
ANEW = 1_000_000
"""Number of takes above those of any campaign: a plan of them has everything still to be made."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal showed.

    Attributes:
        prospect: What there was to do, and what it costs.
        ended: End of its run; None if it cannot be paid for as its file says.
        seconds: Time that all of it takes by the clock of the providers, under the limits of the accounts; None if a part was not made.
        plans: Plan of each account that counted, by provider.
        store: Place of the stand-ins.
    """

    prospect: Prospect
    ended: Ended | None
    seconds: float | None
    plans: Mapping[str, str]
    store: Place


def rehearse(
    file: str, variables: Mapping[str, Any], rows: Sequence[str], folder: Path, log: Log, *, without_prefect: bool
) -> Rehearsed:
    """Carry out a campaign's file in a sandbox that is started for it.

    Args:
        file: Path of the file.
        variables: Values of its variables, by name.
        rows: Names of the rows that are asked for; empty for all.
        folder: Folder for the stand-ins, and for what is delivered of them.
        log: Log of the run, for the person who started it.
        without_prefect: True to know the plans of the accounts from the environment, and not from saved blocks.

    Raises:
        GenmediaError: It cannot be carried out, or the folder is a store; the class says the cause.
    """
    if (folder / ".genmedia").exists():
        raise SettingsError(f"{folder} is a store", money="", advice="Rehearse into a folder of its own: --folder NAME.")
    brief = form.campaign(campaign=file, variables=dict(variables), only_rows=list(rows))
    sandbox = sandbox_service(folder / ".sandbox", "--clock-scale", str(SLOWEST), "--size", "512")
    with running([sandbox]):
        open_accounts(sandbox.url)
        known = asyncio.run(_plans_of(brief, without_prefect=without_prefect))
        for account in ask_sandbox(sandbox.url, "/accounts"):
            provider = account["provider"]
            wish = {"provider": provider, "account": "default", "credits": CREDITS, "settings": {"documented": True}}
            ask_sandbox(sandbox.url, "/accounts", {**wish, **({"plan": known[provider]} if provider in known else {})})
        return asyncio.run(_rehearse(_apart(brief, folder), sandbox.url, folder, log))


def _apart(brief: Brief, folder: Path) -> Brief:
    """Return a brief that delivers below a folder, whatever its place, and for which everything is kept, with no verdict of anybody."""
    written = brief.draft
    assert written  # that of a file always has one

    async def draft(drafting: Drafting) -> Draft:
        return replace(await written(drafting), approvals={})

    def handover() -> Handover | None:
        real = brief.handover()
        return real and replace(real, place=Place(str(folder / "delivery")))

    return replace(brief, draft=draft, handover=handover, marks="", buy_unmarked=False)


async def _rehearse(brief: Brief, sandbox: str, folder: Path, log: Log) -> Rehearsed:
    assets = store_of(str(folder / "store"))

    def host() -> Direct:
        return Direct(assets, lambda provider, _: payer_of(provider, "default", sandbox), log)

    prospect = await plan_campaign(brief, host())
    plans = {one["provider"]: one["plan"] for one in ask_sandbox(sandbox, "/accounts") if one["plan"]}
    mine = {name: plan for name, plan in plans.items() if name in prospect.plans}
    if prospect.refused:
        return Rehearsed(prospect, None, None, mine, assets.place)
    ask_sandbox(sandbox, "/clock", {"scale": max(SLOWEST, len(prospect.why) / ITEMS_A_SCALE)})
    ended = await carry_out(brief, host(), assets, log, asyncio.Event())
    ask_sandbox(sandbox, "/clock", {"scale": 1})
    anew = await plan_campaign(replace(brief, take=brief.take + ANEW), host())
    return Rehearsed(prospect, ended, anew.seconds, mine, assets.place)


async def _plans_of(brief: Brief, *, without_prefect: bool) -> dict[str, str]:
    """Return the plans of the accounts that would pay, by provider, as far as they are known; their providers are not asked."""
    found = {one.provider: one for one in payers(os.environ, "default")} if without_prefect else {}
    if not without_prefect:
        with suppress(GenmediaError):  # no server answers
            await reach_server()
            for provider, name in brief.accounts.items():
                with suppress(GenmediaError):  # nobody saved it
                    found[provider] = await load_block(credentials_of(provider), name)
    return {provider: plan for provider, one in found.items() if (plan := getattr(one, "plan", ""))}
