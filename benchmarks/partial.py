"""A campaign of which some items cannot be made, while a worker dies: `python -m benchmarks.partial [ITEMS]`.

Of the items 5 % fail at the provider and three are refused for their content; one of three workers is killed in the middle. What is made
has to be delivered, the run and the delivery's list have to say what is missing and why, and a second run has to buy only what failed. The
exit code is 1 if one of that is not so.
"""

import asyncio
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from benchmarks.scale_out import ScaleOut, of_account, read_run, scaled_out
from blocks import load_store
from deployments.bootstrap import CREDENTIALS, PROJECT, WORK_POOL
from flows.buying import buying_flow
from genmedia.campaign.brief import Brief
from genmedia.campaign.delivery.manifest import Manifest
from genmedia.campaign.forms.campaign import campaign
from genmedia.journal import AttemptState

ITEMS = 400
PARTS = 4
FAILING = 0.05
"""Part of the items whose job fails in the first run."""
REFUSED = 3
"""Items that the provider does not want to make."""
KILLED_AT = 0.3
"""Part of the items that are made when a worker is killed."""
ACCOUNT = "partial"

FILE = """\
campaign: partial
accounts: {{genova: {account}}}
rows:
{rows}
steps:
  - {{name: hero, model: nano_banana2, prompt: "A {{{{ row.name }}}} on a table"}}
deliver:
  to: "{folder}"
  names: "{{row.name}}.{{ext}}"
"""


@partial(buying_flow, module=__name__, name="campaign-in-parts")
def campaign_in_parts(*, file: str, items_per_run: int) -> Brief:
    """Carry out a campaign's file in runs of a few items, fewer than the form of `campaign` allows."""
    return replace(campaign(campaign=file), items_per_run=items_per_run)


@dataclass(frozen=True)
class Ended:
    """One run and what there is after it.

    Attributes:
        state: Name of its state.
        message: Message of its state.
        paid: Jobs that the provider has accepted so far.
        stored: Purchases that the journal has as stored.
        delivered: Names of the files that the delivery's list has.
        there: Names of the files at the place of the delivery.
    """

    state: str
    message: str
    paid: int
    stored: int
    delivered: frozenset[str]
    there: frozenset[str]


async def run_trial(one: ScaleOut, items: int, folder: Path) -> tuple[Ended, Ended]:
    """Carry out the campaign twice, and kill a worker in the middle of the first time; returns what there is after each.

    Args:
        one: The script, with three workers.
        items: Number of items.
        folder: Place of the delivery.
    """
    wish = {"provider": "genova", "account": ACCOUNT, "plan": "Business", "credits": items * 2}
    account = one.ask("POST", "/accounts", {**wish, "settings": {"queue": [0, 0], "run": [10, 10]}})
    values = {name: account[name] for name in ("api_key", "base_url", "plan")}
    await CREDENTIALS["GENOVA"].model_validate({**values, "account": ACCOUNT}).asave(ACCOUNT, overwrite=True)
    whose = {"provider": "genova", "account": ACCOUNT}
    one.ask("POST", "/faults", {**whose, "kind": "refused", "times": REFUSED, "after": items // 10})
    failing = int(items * FAILING)
    for number in range(failing):  # far apart: several in a row would hold the account
        one.ask("POST", "/faults", {**whose, "kind": "fail", "after": number * items // failing})
    rows = "\n".join(f"  - {{name: cup-{number}}}" for number in range(items))
    text = FILE.format(account=ACCOUNT, rows=rows, folder=folder)
    first = await _carry_out(one, text, items, folder, killing=True)
    return first, await _carry_out(one, text, items, folder, killing=False)


async def _carry_out(one: ScaleOut, text: str, items: int, folder: Path, *, killing: bool) -> Ended:
    run = await _begin(text, items)
    while not (run.state and run.state.is_final()):
        await asyncio.sleep(1)
        if killing and sum(job["status"] == "succeeded" for job in of_account(one, ACCOUNT)) >= KILLED_AT * items:
            one.end_worker(kill=True)
            killing = False
        run = await read_run(run.id)
    async with (await load_store("default")).get_journal() as journal:
        mine = [attempt for attempt in await journal.purchases() if attempt.campaign == "partial"]
    listed = Manifest.model_validate_json((folder / "manifest.json").read_bytes()).files
    return Ended(
        state=run.state.name or "",
        message=run.state.message or "",
        paid=len(of_account(one, ACCOUNT)),
        stored=sum(attempt.state is AttemptState.STORED for attempt in mine),
        delivered=frozenset(entry.name for entry in listed),
        there=frozenset(path.name for path in folder.glob("cup-*")),
    )


async def _begin(text: str, items: int) -> FlowRun:
    parameters: dict[str, Any] = {"file": text, "items_per_run": items // PARTS}
    async with get_client() as client:
        deployment = await client.create_deployment(
            await client.create_flow(campaign_in_parts),
            "partial",
            entrypoint="benchmarks/partial.py:campaign_in_parts",
            work_pool_name=WORK_POOL,
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(PROJECT)}}],
        )
        return await client.create_flow_run_from_deployment(deployment, parameters=parameters)


def faults(items: int, first: Ended, second: Ended) -> list[str]:
    """Return all that is wrong with the two runs.

    The run that is begun again for the killed worker's buys anew what had failed in it by then, so that less than all of that is missing.
    """
    failing, wished = int(items * FAILING), items - REFUSED
    failed = wished - first.stored
    wanted = {
        "the first run's state": (first.state, "Partial"),
        "failed at the first run's end": (0 < failed <= failing, True),
        "jobs paid by the first run": (first.paid, first.stored + failing),
        "delivered by the first run": (len(first.delivered), first.stored),
        "the second run's state": (second.state, "Partial"),
        "jobs paid by both": (second.paid, first.paid + failed),
        "stored by both": (second.stored, wished),
        "delivered by both": (len(second.delivered), wished),
        "what is there after the first": (first.there, first.delivered),
        "what is there after the second": (second.there, second.delivered),
    }
    told = {
        f"{failed} failed": first.message,
        f"{REFUSED} refused": second.message,
        f"{first.stored} reused": second.message,
        f"{failed} bought": second.message,
    }
    wrong = [f"{name}: {is_so}, not {should}" for name, (is_so, should) in wanted.items() if is_so != should]
    return wrong + [f"the run does not tell {what}: {message}" for what, message in told.items() if what not in message]


def main() -> int:
    """Run the trial and print what came of it; returns the exit code."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    with (
        TemporaryDirectory() as folder,
        scaled_out("--size", "128", "--clock-scale", "2", "--recovery", "15") as one,
        temporary_settings({PREFECT_API_URL: one.api, PREFECT_API_AUTH_STRING: one.told["Password"]}),
    ):
        first, second = asyncio.run(run_trial(one, items, Path(folder)))
    for ended in (first, second):
        print(f"{ended.state}: {ended.message}")
        print(f"{ended.paid} paid, {ended.stored} stored, {len(ended.delivered)} delivered")
    print(*(wrong := faults(items, first, second)), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
