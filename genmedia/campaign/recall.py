"""Recall: what became of the steps of a plan that other runs have bought, by the journal."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import reduce

from genmedia.campaign.executor import Perform, RunResult, feed, outputs_of, run_plan, waves, whose, without_rejected
from genmedia.campaign.instead import aliased, in_turn, said_of
from genmedia.campaign.marks import REJECTED
from genmedia.campaign.planning import Planned
from genmedia.errors import GenmediaError
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.journal.order import Order
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.steps import PlannedStep
from genmedia.purchasing.buy import Outcome
from genmedia.purchasing.result import FAILED, REFUSED, together

AT_ONCE = 16
"""Most steps whose outputs are read in the store at once, after the journal has told what became of them."""


async def recall(planned: Planned, runs: Collection[str], journal: Journal) -> list[RunResult]:
    """Return what became of each step by the journal, and buy nothing.

    The journal is asked about all steps at once that have the same number of feeders above them.

    Args:
        planned: The plan.
        runs: Ids of the runs that bought for this one: what they paid is reported, and what others paid is reused.
        journal: The journal.
    """
    results: dict[str, RunResult] = {}
    for wave in waves(planned.steps):
        outputs = {name: one.outputs for name, one in results.items() if one.done}
        rejected = {name for name, one in results.items() if one.rejected}
        keys: set[str] = set()
        for run in wave:
            with suppress(GenmediaError):  # its result tells why it has no order
                keys |= {key for one in planned.options(feed(without_rejected(run, rejected), outputs)) for key in one.keys}
        tries = await journal.tried(keys)
        stored = [some[-1].id for some in tries.values() if some[-1].state is AttemptState.STORED]
        recalled = _recalled(planned, tries, await journal.assets_of(stored), runs)
        told = await run_plan(wave, recalled, at_once=AT_ONCE, before=results)
        results |= {one.name: one for one in told}
    return [results[run.name] for run in planned.steps]


def _recalled(
    planned: Planned, tries: Mapping[str, Sequence[Attempt]], stored: Mapping[int, Sequence[StoredAsset]], runs: Collection[str]
) -> Perform:
    """Return what tells the result of a step, by all attempts at its order and the files of those that are stored."""

    async def recalled(run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
        del inputs  # the orders of its options have them
        last_of = {key: some[-1] for key, some in tries.items() if some[-1].state.live}
        run, _, order = in_turn(planned.options(run), last_of)[0]
        mine = tries.get(order.key, ())
        paid = [one.at_stake for one in mine if one.run in runs and one.state is not AttemptState.REFUSED]
        last = mine[-1] if mine else None
        is_stored = last is not None and last.state is AttemptState.STORED
        assets = tuple(stored[last.id]) if last and is_stored else ()
        return RunResult(
            **whose(run),
            status=_status_of(last, order, runs),
            job_id=(last and last.remote_id) or "",
            charged=reduce(together, paid, 0.0),
            assets=assets,
            error="" if is_stored else _why_missing(last, order.withheld),
            outputs=aliased(run, await outputs_of(run.name, assets, planned.at.store)),
            rejected=order.withheld == REJECTED,
            undecided=bool(assets) and planned.selection.awaits(run.name, order),
            note=said_of(run),
        )

    return recalled


def _status_of(last: Attempt | None, order: Order, runs: Collection[str]) -> str:
    """Return the status of a step by its last attempt."""
    if last is None:
        return Outcome.NOT_BOUGHT if order.withheld else FAILED
    if last.state is AttemptState.STORED:
        return Outcome.REUSED if last.run not in runs else Outcome.MADE if order.free else Outcome.BOUGHT
    return REFUSED if last.state is AttemptState.CONTENT_REFUSED else FAILED


def _why_missing(last: Attempt | None, withheld: str) -> str:
    if last is None:
        return withheld or "it was not bought; the run of its part says why"
    return last.reason or f"it is {last.state.in_words}"
