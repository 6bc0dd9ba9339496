"""Running a plan: the inputs of each run once its feeders are done, the purchases that exist already, and the order of the runs."""

import asyncio
import textwrap
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple

from genmedia.campaign.brief import OnFailure
from genmedia.campaign.instead import Option, aliased, in_turn, swapped
from genmedia.campaign.marks import (
    DOUBTFUL_FEED,
    NONE_LEFT,
    REFUSED_FEED,
    REJECTED,
    UNDECIDED_FEED,
    UNMARKED_FEED,
    UNWANTED_FEED,
    Selection,
)
from genmedia.concurrency import every
from genmedia.errors import Fault, GenmediaError, InputError, MissingOutputError, contained
from genmedia.jobs.job import Account, Job
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.journal.order import Order
from genmedia.progress import tell
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.steps import PlannedStep
from genmedia.purchasing.budget import Outlook, outlook_of
from genmedia.purchasing.buy import Outcome
from genmedia.purchasing.result import FAILED, NOT_STARTED, WAITING, Result, missing
from genmedia.purchasing.reuse import Stored, all_there
from genmedia.store import Store

SAID = 160
"""Most characters that are told of what was said about a purchase that gives no file."""

Outputs = Mapping[str, ResolvedInput]
"""Outputs of a run, by output id."""


async def outputs_of(run: str, assets: Iterable[StoredAsset], store: Store, job: Job | None = None) -> Outputs:
    """Return a run's outputs for the runs after it: from the store, and with the provider's own links, those of `job` first."""
    links = {output.id: output.url for output in reversed(job.outputs)} if job else {}
    at_hand: dict[str, ResolvedInput] = {}
    for asset in assets:
        if asset.output not in at_hand:  # of two that have one name, the first
            url = links.get(asset.output) or asset.sidecar.output.source or ""
            at_hand[asset.output] = await _at_hand(run, asset, store, url)
    return at_hand


async def _at_hand(run: str, asset: StoredAsset, store: Store, url: str) -> ResolvedInput:
    kind, source = asset.sidecar.output.kind, f"step {run}, {asset.output}"
    gone = f"{source} {asset.gone}" if asset.gone else ""
    if kind == "text" and gone:
        return ResolvedInput(asset.output, "text", source=source, gone=gone)
    if kind == "text":
        return ResolvedInput(
            asset.output,
            "text",
            text=(await store.files.read(asset.path)).decode(errors="replace"),
            asset=asset.path,
            stored_as=asset.sha256,
            source=source,
        )
    file = asset.sidecar.file
    return ResolvedInput(
        asset.output,
        kind,
        sha256=asset.came_as,
        url="" if gone else url,
        asset=asset.path,
        stored_as=asset.sha256,
        media_type=file.media_type,
        mode=file.mode or "",
        duration=file.duration,
        source=source,
        gone=gone,
    )


def feed(run: PlannedStep, outputs: Mapping[str, Outputs]) -> PlannedStep:
    """Return the run with the inputs that its feeders have given so far, and so those that may be bought in its place.

    Raises:
        InputError: A video ends before the picture that is asked for.
    """
    fed = replace(
        run,
        inputs=tuple(_feed(source, outputs) if isinstance(source, PendingInput) else source for source in run.inputs),
        others=tuple(feed(other, outputs) for other in run.others),
    )
    faults = [
        Fault(f"step {run.name}, input {one.id}", one.lack) for one in fed.inputs if isinstance(one, ResolvedInput) and one.lack
    ]
    if faults:
        error = InputError(faults)
        error.money = "Nothing was bought for this step."
        raise error
    return fed


def without_rejected(run: PlannedStep, rejected: Collection[str]) -> PlannedStep:
    """Return the run without those of its inputs that a person rejected and that it takes as one of many, unless none of these is left.

    Args:
        run: The run.
        rejected: Names of the runs that are rejected, or are not made, as what they are made of is.
    """
    many = [one for one in run.inputs if isinstance(one, PendingInput) and one.one_of]
    left = {one.one_of for one in many if one.run not in rejected}
    out = {id(one): one.run for one in many if one.run in rejected and one.one_of in left}
    if not (out or run.others):
        return run
    return replace(
        run,
        inputs=tuple(one for one in run.inputs if id(one) not in out),
        others=tuple(without_rejected(other, rejected) for other in run.others),
        left_out=tuple(dict.fromkeys([*run.left_out, *out.values()])),
    )


def _feed(source: PendingInput, outputs: Mapping[str, Outputs]) -> Input:
    given = outputs.get(source.run, {}).get(source.output)
    if given is None:
        return source
    return replace(given, id=source.id, type=source.type, at=source.at, url=given.url if source.at is None else "")


def inputs_of(run: PlannedStep, outputs: Mapping[str, Outputs]) -> list[ResolvedInput]:
    """Return the run's inputs, once every run that feeds it has given its output.

    Raises:
        InputError: A video ends before the picture that is asked for.
        MissingOutputError: A run that feeds it has not given that output.
    """
    inputs: list[ResolvedInput] = []
    for source in feed(run, outputs).inputs:
        if isinstance(source, PendingInput):
            raise MissingOutputError(f"step {source.run} has not given {source.output}")
        inputs.append(source)
    return inputs


def options_of(run: PlannedStep, payers: Mapping[str, Account], take: int, selection: Selection) -> list[Option]:
    """Return a run, all of whose inputs are there, and those that may be bought in its place, each with its order."""
    found: list[Option] = []
    for one in (run, *run.others):
        order = order_for(one, inputs_of(one, {}), payers[one.operation.provider], take)
        found.append(Option(one, order, selection.choose(order, one.operation.kind.reword, run.name if run.feeds else "")))
    return found


def order_for(run: PlannedStep, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
    """Return the order of this run: texts as they are, files by hash and preparation. A retake of it is none of the plan's own takes.

    Args:
        run: The run, which may be a later take of its own.
        inputs: Its inputs.
        account: Account that pays.
        take: Take of the whole campaign.
    """
    order = run.operation.kind.order(run.operation, inputs, account, run.take + take - 1)
    return replace(order, stride=order.stride * run.takes, edition=run.edition)


class Survey(NamedTuple):
    """What will become of the runs of a plan, as far as it is known before the first one is bought.

    Attributes:
        to_buy: The runs to buy that the journal does not answer for, in their order, with the inputs that exist.
        outlook: The outlook of the others, and of those that are bought only after a review, by their names.
        stored: The runs whose files are all in the store, by their names: the order of each, and what answers for it.
        instead: Place among the others of a run of the one that is bought, or is there, instead of it, from 1, by its name.
        same: Name of the first of several runs that ask for the very same, by the names of the others: it is bought once.
        left: Why each of those gives no file that is left out, was refused, or is in doubt until a person has spoken, by its name: what is
            made of it gives none either.
    """

    to_buy: list[PlannedStep]
    outlook: dict[str, Outlook]
    stored: dict[str, tuple[Order, Stored]]
    instead: dict[str, int]
    same: dict[str, str]
    left: dict[str, str]


async def survey(
    runs: Sequence[PlannedStep],
    payers: Mapping[str, Account],
    take: int,
    selection: Selection,
    journal: Journal,
    store: Store,
    *,
    held: Callable[[PlannedStep], bool],
) -> Survey:
    """Tell what will become of the runs. Journal and store are asked about all runs at once that have the same number of feeders above them.

    Args:
        runs: The runs, in an order in which each comes after those that feed it.
        payers: The accounts that pay, by provider.
        take: Take of the whole campaign.
        selection: The purchases that may be made.
        journal: The journal.
        store: The store.
        held: Returns True for a run whose purchase waits for a person while it is in doubt.

    Raises:
        InputError: A stored video ends before the picture that is asked for, or a file of the store was changed or removed for good.
        StoreError: The store cannot be read.
    """
    feeders = {name for run in runs for name in run.feeds}
    found, outputs, faults = Survey([], {}, {}, {}, {}, {}), dict[str, Outputs](), list[Fault]()
    first: dict[str, str] = {}  # the first run with an order, by its key
    lost: dict[str, Outputs] = {}  # of runs whose files are not in the store any more, and come back as they were
    rejected: set[str] = set()
    undecided: set[str] = set()  # with what is made of them
    for wave in waves(runs):
        asked: list[tuple[PlannedStep, list[Option]]] = []
        for run, present, fed in _fed([without_rejected(run, rejected) for run in wave], outputs, lost, faults):
            if fed.feeds:
                (order,) = first_orders([fed], payers, found.same).values()
                _note_same(fed.name, order, first, found)
                _foresee_fed(present, run.feeds, found, selection, rejected, undecided)
            else:
                asked.append((present, options_of(fed, payers, take, selection)))
        answers = await journal.answers({key for _, options in asked for one in options for key in one.keys})
        # One that is only intended counts as still to buy.
        bought = {key: one for key, one in answers.items() if one.state is not AttemptState.INTENDED}
        stored = await all_there(list(answers.values()), journal, store)
        gone = await _gone([one for one in bought.values() if one.key not in stored], journal, store)
        for present, options in asked:
            run, order = _chosen(present, options, answers, found)
            rejected |= {run.name} if order.withheld == REJECTED else set()
            undecided |= {run.name} if selection.awaits(run.name, order) else set()
            _note_same(run.name, order, first, found)
            feeds = run.name in feeders and run.name not in rejected and run.name not in undecided
            known = outlook_of(bought.get(order.key), order.withheld)
            if order.key in gone:
                known = Outlook.TO_BUY if order.free else Outlook.TO_FETCH
                lost |= {run.name: aliased(run, gone[order.key])} if feeds else {}
            if known is Outlook.TO_BUY:
                _to_buy(run, found)
                continue
            there, awaits = stored.get(order.key), run.name in undecided
            known = Outlook.REJECTED if there and run.name in rejected else known
            found.outlook[run.name] = Outlook.TO_REVIEW if there and awaits else known
            found.left.update(_why_lost(run, order.withheld, bought.get(order.key), held))
            if there:
                found.stored[run.name] = order, there
            if there and feeds:
                outputs[run.name] = aliased(run, await outputs_of(run.name, there.assets, store))
    places = {run.name: place for place, run in enumerate(runs)}
    found.to_buy.sort(key=lambda run: places[run.name])
    faults += await _unusable(found.to_buy, store)
    if faults:
        raise InputError(faults)
    return found


def _fed(
    wave: Sequence[PlannedStep], outputs: Mapping[str, Outputs], lost: Mapping[str, Outputs], faults: list[Fault]
) -> Iterator[tuple[PlannedStep, PlannedStep, PlannedStep]]:
    """Yield each run, the same with the inputs that are there, and with those as well that come back; faults of others are noted."""
    known = {**outputs, **lost}
    for run in wave:
        try:
            yield run, feed(run, outputs), feed(run, known)
        except InputError as error:
            faults += error.faults


async def _gone(attempts: Sequence[Attempt], journal: Journal, store: Store) -> dict[str, Outputs]:
    """Return the outputs of those of these attempts that are stored, by key: their files are not there any more, and come back as they were.

    A text is in its file alone, and is not known until then.
    """
    stored = {one.id: one for one in attempts if one.state is AttemptState.STORED}
    files = await journal.assets_of(list(stored))
    known = {of: [one for one in some if one.sidecar.output.kind != "text"] for of, some in files.items()}
    return {one.key: await outputs_of(one.purpose.step, known[one.id], store) for one in stored.values()}


def _chosen(
    run: PlannedStep, options: Sequence[Option], answers: Mapping[str, Attempt], found: Survey
) -> tuple[PlannedStep, Order]:
    """Return the run that is bought or there, of a run and its others, with its order.

    Args:
        run: The run, with the inputs that are there.
        options: It and its others, with all inputs, also those that come back.
        answers: The attempts that answer for their orders, by key.
        found: What is known; that it is one of the others is noted.
    """
    option, *_ = in_turn(options, answers)
    if instead := options.index(option):
        found.instead[run.name] = instead
        return swapped(run, run.others[instead - 1]), option.wish
    return run, option.wish


def _foresee_fed(
    run: PlannedStep, feeds: Collection[str], found: Survey, selection: Selection, rejected: set[str], undecided: set[str]
) -> None:
    """Tell what will become of a run whose inputs are still to be made, or are rejected or undecided; `feeds` are all that feed it."""
    if unwanted := run.feeds & rejected:
        found.outlook[run.name] = Outlook.LEFT_OUT
        found.left[run.name] = _why_unwanted(unwanted, feeds)
        rejected.add(run.name)
    elif lost := next((found.outlook[name] for name in run.feeds if name in found.left), None):
        found.outlook[run.name] = lost  # without its input it cannot be bought either
        found.left[run.name] = _MADE_OF[lost]
    elif run.operation.free or selection.may_buy(run.name):
        waits = not run.feeds.isdisjoint(undecided)
        if waits or run.name in selection.approvals:
            undecided.add(run.name)
        _to_buy(run, found, Outlook.AFTER_REVIEW if waits else None)
    else:
        found.outlook[run.name] = Outlook.LEFT_OUT
        found.left[run.name] = UNMARKED_FEED


_MADE_OF = {Outlook.LEFT_OUT: UNMARKED_FEED, Outlook.REFUSED: REFUSED_FEED, Outlook.IN_DOUBT: DOUBTFUL_FEED}


def _why_lost(run: PlannedStep, withheld: str, attempt: Attempt | None, held: Callable[[PlannedStep], bool]) -> dict[str, str]:
    """Return why a run that is not bought gives no file, with its name; nothing for a run that gives one, or may."""
    if attempt is None:
        return {run.name: withheld}
    said = textwrap.shorten(attempt.reason, SAID, placeholder="…")
    if attempt.state is AttemptState.IN_DOUBT and held(run):
        return {run.name: f"{said}; say what became of it: genmedia journal resolve {attempt.key[:12]}"}
    return {run.name: said} if attempt.state is AttemptState.CONTENT_REFUSED else {}


def _why_unwanted(rejected: Collection[str], feeds: Collection[str]) -> str:
    """Return why nothing is made of what was rejected of a run's feeds."""
    return NONE_LEFT if len(rejected) == len(feeds) > 1 else UNWANTED_FEED


def _note_same(name: str, order: Order, first: dict[str, str], found: Survey) -> None:
    """Note that a run has an order, and whether it is the first that has it."""
    if (same := first.setdefault(order.key, name)) != name:
        found.same[name] = same


def _to_buy(run: PlannedStep, found: Survey, outlook: Outlook | None = None) -> None:
    """Note that a run is to be bought; of several with the same order the first is, and the others reuse its outputs."""
    if run.name in found.same and found.same[run.name] not in found.left:
        found.outlook[run.name] = Outlook.REUSED
        return
    found.to_buy.append(run)
    if outlook:
        found.outlook[run.name] = outlook


def waves(runs: Sequence[PlannedStep]) -> list[list[PlannedStep]]:
    """Return the runs in groups: those that no run feeds, those that only runs of the first group feed, and so on."""
    waves: list[list[PlannedStep]] = []
    wave_of: dict[str, int] = {}
    for run in runs:
        wave_of[run.name] = number = max((wave_of[name] + 1 for name in run.feeds), default=0)
        waves.extend([] for _ in range(number + 1 - len(waves)))
        waves[number].append(run)
    return waves


async def _unusable(runs: Iterable[PlannedStep], store: Store) -> list[Fault]:
    """Faults of inputs that were removed for good, or whose file was changed since it was stored; each file is checked once."""
    given = [(run.name, one) for run in runs for one in run.inputs if isinstance(one, ResolvedInput)]
    stored = {(one.asset, one.stored_as) for _, one in given if one.asset and not one.gone}
    changed = {one: await store.why_changed(*one) for one in stored}
    told = [(f"step {name}, input {one.id}", one.gone or changed.get((one.asset, one.stored_as))) for name, one in given]
    return [Fault(place, why) for place, why in told if why]


def check_apart(wishes: Mapping[str, Order]) -> None:
    """Refuse runs with the same order, where it is paid for: it would be bought only once.

    Args:
        wishes: The order of each run; see `first_orders`.

    Raises:
        InputError: Each such run, with the run whose order it repeats.
    """
    first: dict[str, str] = {}
    faults: list[Fault] = []
    for name, wish in wishes.items():
        same = first.setdefault(wish.key, name)
        if same != name and not wish.free:
            mend = "remove one, or let them differ, as by a seed; another take of the whole buys it again"
            faults.append(Fault(f"step {name}", f"asks for the very same as step {same}, which would be bought once; {mend}"))
    if faults:
        raise InputError(faults)


def first_orders(
    plan: Sequence[PlannedStep], payers: Mapping[str, Account], same: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Order]:
    """Return the order of each run before anything is bought; an input that does not exist yet is named by its source.

    Args:
        plan: The runs.
        payers: The accounts that pay, by provider.
        same: Runs that give the very same as another one, with the name of that: it counts as their source.
    """
    found: dict[str, Order] = {}
    for run in plan:
        inputs = [_named(source, same) if isinstance(source, PendingInput) else source for source in run.inputs]
        found[run.name] = order_for(run, inputs, payers[run.operation.provider], 1)
    return found


def _named(source: PendingInput, same: Mapping[str, str]) -> ResolvedInput:
    """Stand-in for an input that does not exist yet; its source distinguishes it from all other inputs."""
    name = f"{source.output} of step {same.get(source.run, source.run)}"
    return ResolvedInput(source.id, source.type, text=name, sha256=name, at=source.at)


@dataclass(frozen=True, kw_only=True)
class RunResult(Result):
    """Result of one planned run, with its outputs for the runs after it.

    Attributes:
        rejected: True if it is marked reject, or not made as what it would be made of is: nothing is made from it.
        left_out: Names of the steps of which it is not made, as a person rejected what they gave.
    """

    outputs: Outputs = field(default_factory=dict[str, ResolvedInput])
    rejected: bool = False
    left_out: Sequence[str] = ()


def whose(run: PlannedStep) -> dict[str, Any]:
    """Return the fields of a run's result that tell what it is."""
    operation = run.operation
    told = {"name": run.name, "operation": operation.name, "provider": operation.provider, "unit": operation.unit}
    return {**told, "left_out": run.left_out}


Perform = Callable[[PlannedStep, list[ResolvedInput]], Awaitable[RunResult]]


async def run_plan(
    runs: Sequence[PlannedStep],
    perform: Perform,
    *,
    at_once: int | None,
    on_failure: OnFailure = "continue",
    on_failure_of: Mapping[str, OnFailure] = MappingProxyType({}),
    slotless: Collection[str] = (),
    before: Mapping[str, RunResult] = MappingProxyType({}),
) -> list[RunResult]:
    """Perform each run as soon as those that feed it are done. The runs that a failed one feeds are not started.

    Args:
        runs: Runs in an order in which each comes after those that feed it.
        perform: Buys one run and waits for it; raises `GenmediaError` when it fails, or returns a result that says so.
        at_once: Most runs under way at once; None for no limit.
        on_failure: `continue` to go on with the others when one has failed, `stop` to start nothing more. Runs under way are waited for in
            any case: they are paid for. Refused content stops only the runs that it feeds.
        on_failure_of: The same for the runs that have it otherwise, by their names.
        slotless: Names of the runs that wait for no slot: their files are stored, or no provider makes them.
        before: Results of runs that were performed before, and feed some of these.
    """
    slots, stopped = asyncio.Semaphore(at_once) if at_once else nullcontext(), False
    started: dict[str, asyncio.Task[RunResult]] = {}

    async def follow(run: PlannedStep) -> RunResult:
        nonlocal stopped
        fed_by = {name: before[name] if name in before else await started[name] for name in run.feeds}
        run = without_rejected(run, {name for name, result in fed_by.items() if result.rejected})
        fed_by = {name: result for name, result in fed_by.items() if name in run.feeds}
        async with nullcontext() if run.name in slotless else slots:
            if unwanted := [name for name, result in fed_by.items() if result.rejected]:
                why = _why_unwanted(unwanted, fed_by)
                return RunResult(**whose(run), status=Outcome.NOT_BOUGHT, error=why, rejected=True)
            if any(result.undecided or result.status == WAITING for result in fed_by.values()):
                return RunResult(**whose(run), status=WAITING, error=UNDECIDED_FEED)
            if any(result.left for result in fed_by.values()):
                return RunResult(**whose(run), status=Outcome.NOT_BOUGHT, error=UNMARKED_FEED)
            if stopped or not all(result.done for result in fed_by.values()):
                return RunResult(**whose(run), status=NOT_STARTED)
            begun = monotonic()
            try:
                with contained(f"step {run.name}"):
                    fed = feed(run, {name: result.outputs for name, result in fed_by.items()})
                    result = await perform(fed, inputs_of(fed, {}))
            except GenmediaError as error:
                tell(run.name, str(error), over=True)
                result = RunResult(
                    **whose(run), status=missing(error), charged=error.charged, error=str(error), seconds=monotonic() - begun
                )
            stopped = stopped or (result.status == FAILED and on_failure_of.get(run.name, on_failure) == "stop")
            return result

    for run in runs:
        started[run.name] = asyncio.create_task(follow(run), name=run.name)
    return await every(started.values())
