"""Recall: what a run has bought before, or other runs have for it, by the journal."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import reduce

from genmedia.campaign.executor import Perform, RunResult, feed, outputs_of, run_plan, waves, whose, without_rejected
from genmedia.campaign.instead import aliased, in_turn, said_of
from genmedia.campaign.marks import REJECTED
from genmedia.campaign.planning import Planned
from genmedia.errors import GenmediaError
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.journal.order import FREE, Order
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
        runs: Ids of the runs that bought for this one, and its own: what they paid is reported, and what others paid is reused.
        journal: The journal.
    """
    results, before = dict[str, RunResult](), await bought_before(planned, runs, journal)
    for wave in waves(planned.steps):
        outputs = {name: one.outputs for name, one in results.items() if one.done}
        rejected = {name for name, one in results.items() if one.rejected}
        keys: set[str] = set()
        for run in wave:
            with suppress(GenmediaError):  # its result tells why it has no order
                keys |= {key for one in planned.options(feed(without_rejected(run, rejected), outputs)) for key in one.keys}
        tries = await journal.tried(keys)
        stored = [some[-1].id for some in tries.values() if some[-1].state is AttemptState.STORED]
        recalled = _recalled(planned, tries, await journal.assets_of(stored), runs, before)
        told = await run_plan(wave, recalled, at_once=AT_ONCE, before=results)
        results |= {one.name: one for one in told}
    return [results[run.name] for run in planned.steps]


async def bought_before(planned: Planned, runs: Collection[str], journal: Journal) -> Mapping[str, Sequence[Attempt]]:
    """Return what runs have bought and made until now, by the name of the step."""
    at, found = planned.at, defaultdict[str, list[Attempt]](list)
    units = {one.operation.unit for run in planned.steps for one in (run, *run.others)}
    for one in await journal.ended_of(runs, {str(account) for account in at.accounts.values()}, units):
        found[one.purpose.step].append(one)
    return found


def of_the_whole_run(result: RunResult, before: Sequence[Attempt]) -> RunResult:
    """Return the result of a step in this start of a run as that of the whole run.

    Args:
        result: The result.
        before: What the run had bought for the step until this start; see `bought_before`.
    """
    stored = (one for one in before if one.state is AttemptState.STORED and one.remote_id == result.job_id)
    if own := next(stored, None):
        reused, made = result.status == Outcome.REUSED, Outcome.MADE if own.unit == FREE else Outcome.BOUGHT
        result = replace(result, status=made if reused else result.status, charged=own.at_stake)
    return replace(result, before=(*_paid(one for one in before if one is not own), *result.before))


def _paid(attempts: Iterable[Attempt]) -> tuple[tuple[str, float | None, str], ...]:
    return tuple((one.provider, one.at_stake, one.unit) for one in attempts if one.at_stake != 0)


def _recalled(
    planned: Planned,
    tries: Mapping[str, Sequence[Attempt]],
    stored: Mapping[int, Sequence[StoredAsset]],
    runs: Collection[str],
    before: Mapping[str, Sequence[Attempt]],
) -> Perform:
    """Return what tells the result of a step, by all attempts at its order and the files of those that are stored."""
    last_of = {key: some[-1] for key, some in tries.items() if some[-1].state.live}

    async def recalled(run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
        del inputs  # the orders of its options have them
        run, _, order = in_turn(planned.options(run), last_of)[0]
        mine = tries.get(order.key, ())
        own = [one for one in mine if one.run in runs and one.purpose.step == run.name]  # of equal orders, one step has bought it
        paid = [one.at_stake for one in own if one.state is not AttemptState.REFUSED]
        last = mine[-1] if mine else None
        is_stored = last is not None and last.state is AttemptState.STORED
        assets = tuple(stored[last.id]) if last and is_stored else ()
        return RunResult(
            **whose(run),
            status=_status_of(last, order, bought=last in own),
            job_id=(last and last.remote_id) or "",
            charged=reduce(together, paid, 0.0),
            assets=assets,
            error="" if is_stored else _why_missing(last, order.withheld),
            outputs=aliased(run, await outputs_of(run.name, assets, planned.at.store)),
            rejected=order.withheld == REJECTED,
            undecided=bool(assets) and planned.selection.awaits(run.name, order),
            note=said_of(run),
            before=_paid(one for one in before.get(run.name, ()) if one.key != order.key),
        )

    return recalled


def _status_of(last: Attempt | None, order: Order, *, bought: bool) -> str:
    """Return the status of a step by its last attempt."""
    if last is None:
        return Outcome.NOT_BOUGHT if order.withheld else FAILED
    if last.state is AttemptState.STORED:
        return Outcome.REUSED if not bought else Outcome.MADE if order.free else Outcome.BOUGHT
    return REFUSED if last.state is AttemptState.CONTENT_REFUSED else FAILED


def _why_missing(last: Attempt | None, withheld: str) -> str:
    if last is None:
        return withheld or "it was not bought; the run of its part says why"
    return last.reason or f"it is {last.state.in_words}"
