"""Running a plan: what a run's inputs are once its feeders are done, what is bought already, and in which order things happen."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from genmedia.batch import COPIES, job_order
from genmedia.buying import Order
from genmedia.campaign.handoff import material_of, preparation
from genmedia.campaign.plan import PlannedRun
from genmedia.campaign.sources import Fed, Given
from genmedia.errors import Fault, GenmediaError, InputError, MissingOutputError
from genmedia.jobs import Account, Job
from genmedia.journal import AttemptState, Journal, StoredAsset
from genmedia.keys import media_reference
from genmedia.progress import tell
from genmedia.providers.algovera import Txt2Img
from genmedia.providers.flora import IDEMPOTENCY_SECONDS, UNIT
from genmedia.providers.genova import JobRequest
from genmedia.results import FAILED, NOT_STARTED, Result
from genmedia.store import Store
from genmedia.templates import TemplateItem, TemplateStep
from genmedia.variations import Variation

Outputs = Mapping[str, Given]
"""What a run gave, by output id."""


async def outputs_of(run: str, assets: Iterable[StoredAsset], store: Store, job: Job | None = None) -> Outputs:
    """What a run gave, at hand for the runs after it: in the store, and by the provider's own links, which `job` tells best."""
    links = {output.id: output.url for output in job.outputs} if job else {}
    return {
        asset.output: await _at_hand(run, asset, store, links.get(asset.output) or asset.sidecar["output"].get("source") or "")
        for asset in assets
    }


async def _at_hand(run: str, asset: StoredAsset, store: Store, url: str) -> Given:
    kind, source = asset.sidecar["output"]["kind"], f"step {run}, {asset.output}"
    if kind == "text":
        return Given(asset.output, "text", text=(await store.files.read(asset.path)).decode(), asset=asset.path, source=source)
    type_ = "model" if kind == "model" else f"{kind}Url"
    file = asset.sidecar["file"]
    return Given(
        asset.output,
        type_,
        sha256=asset.came_as,
        url=url,
        asset=asset.path,
        media_type=file["media_type"],
        duration=file.get("duration"),
        source=source,
    )


def feed(run: PlannedRun, outputs: Mapping[str, Outputs]) -> PlannedRun:
    """The run with what those that feed it have given so far.

    Raises:
        InputError: A video ends before the picture that is asked for.
    """
    fed = replace(run, inputs=tuple(_feed(source, outputs) if isinstance(source, Fed) else source for source in run.inputs))
    faults = [Fault(f"step {run.name}, input {one.id}", one.lack) for one in fed.inputs if isinstance(one, Given) and one.lack]
    if faults:
        error = InputError(faults)
        error.money = "Nothing was bought for this step."
        raise error
    return fed


def _feed(source: Fed, outputs: Mapping[str, Outputs]) -> Given | Fed:
    given = outputs.get(source.run, {}).get(source.output)
    if given is None:
        return source
    return replace(given, id=source.id, type=source.type, at=source.at, url=given.url if source.at is None else "")


def inputs_of(run: PlannedRun, outputs: Mapping[str, Outputs]) -> list[Given]:
    """The run's inputs, once every run that feeds it has given something.

    Raises:
        InputError: A video ends before the picture that is asked for.
        MissingOutputError: A run that feeds it has not given that output.
    """
    inputs: list[Given] = []
    for source in feed(run, outputs).inputs:
        if isinstance(source, Fed):
            raise MissingOutputError(f"step {source.run} has not given {source.output}")
        inputs.append(source)
    return inputs


def order_for(run: PlannedRun, inputs: Sequence[Given], account: Account, take: int) -> Order:
    """The wish for this run: texts as they are, files by hash and preparation."""
    operation = run.operation
    files = [media_reference(one.sha256, preparation(one, operation)) for one in inputs]
    match operation.wish:
        case JobRequest() as request:
            # An image of a batch and the same of a campaign are one wish: in both, takes leave room for copies.
            number = (take - 1) * COPIES + 1 if request.type == "image" else take
            return job_order(request, files, account, number)
        case Txt2Img() as request:
            return Variation(run.name, request, take).order(account)
        case TemplateStep() as step:
            return TemplateItem(run.name, [step], 1, material_of(inputs[0], operation), operation.price, take).order(account)
        case None:
            named: list[dict[str, Any]] = [
                {"id": one.id, "type": one.type, **({"text": one.text} if one.type == "text" else {"file": file})}
                for one, file in sorted(zip(inputs, files, strict=True), key=lambda pair: pair[0].id)
            ]
            request = {"technique": operation.name, "inputs": named}
            name = f"technique {operation.name}"
            return Order(account, name, request, operation.price, UNIT, take, repeat_window=IDEMPOTENCY_SECONDS)


async def runs_to_buy(
    runs: Sequence[PlannedRun],
    payers: Mapping[str, Account],
    take: int,
    retakes: Collection[str],
    journal: Journal,
    store: Store,
) -> list[PlannedRun]:
    """The runs that the journal does not answer for, as far as can be told before the first one is bought, fed with what is there.

    Raises:
        InputError: A video that is there ends before the picture that is asked for.
    """
    outputs: dict[str, Outputs] = {}
    to_buy: list[PlannedRun] = []
    wished: set[str] = set()
    faults: list[Fault] = []
    for run in runs:
        try:
            fed = feed(run, outputs)
        except InputError as error:
            faults += error.faults
            continue
        if fed.feeds:
            to_buy.append(fed)
            continue
        order = order_for(fed, inputs_of(fed, {}), payers[run.operation.provider], take).besides(retakes)
        attempt = await journal.live_attempt(order.key)
        if attempt is None and order.key not in wished:
            wished.add(order.key)
            to_buy.append(fed)
        elif attempt and attempt.state is AttemptState.STORED:
            assets = await journal.assets(attempt.id)
            if all([await store.has(asset.path) for asset in assets]):
                outputs[run.name] = await outputs_of(run.name, assets, store)
    if faults:
        raise InputError(faults)
    return to_buy


def check_apart(plan: Sequence[PlannedRun], payers: Mapping[str, Account]) -> None:
    """Refuse runs that ask for the very same: it would be bought once.

    Raises:
        InputError: Each of them, and which one is the same.
    """
    first: dict[str, str] = {}
    faults: list[Fault] = []
    for run in plan:
        inputs = [_named(source) if isinstance(source, Fed) else source for source in run.inputs]
        same = first.setdefault(order_for(run, inputs, payers[run.operation.provider], 1).key, run.name)
        if same != run.name:
            mend = "remove one, or let them differ, as by a seed; another take of the whole buys it again"
            faults.append(Fault(f"step {run.name}", f"asks for the very same as step {same}, which would be bought once; {mend}"))
    if faults:
        raise InputError(faults)


def _named(source: Fed) -> Given:
    """What is not there yet, told from everything else by where it will come from."""
    name = f"{source.output} of step {source.run}"
    return Given(source.id, source.type, text=name, sha256=name, at=source.at)


@dataclass(frozen=True, kw_only=True)
class RunResult(Result):
    """How one planned run ended, with what it gave for the runs after it."""

    outputs: Outputs = field(default_factory=dict[str, Given])


Perform = Callable[[PlannedRun, list[Given]], Awaitable[RunResult]]


async def run_plan(runs: Sequence[PlannedRun], perform: Perform, *, at_once: int) -> list[RunResult]:
    """Perform each run as soon as those that feed it are done, and start nothing more once one has failed.

    Runs under way are waited for: they are paid for.

    Args:
        runs: In an order in which each comes after those that feed it.
        perform: Buys one run and waits for it; raises `GenmediaError` when it fails.
        at_once: How many may be under way.
    """
    slots, failed = asyncio.Semaphore(at_once), asyncio.Event()
    started: dict[str, asyncio.Task[RunResult]] = {}

    async def follow(run: PlannedRun) -> RunResult:
        fed_by = {name: await started[name] for name in run.feeds}
        async with slots:
            if failed.is_set() or not all(result.done for result in fed_by.values()):
                return RunResult(name=run.name, operation=run.operation.name, status=NOT_STARTED)
            try:
                inputs = inputs_of(run, {name: result.outputs for name, result in fed_by.items()})
                return await perform(run, inputs)
            except GenmediaError as error:
                failed.set()
                tell(run.name, str(error))
                return RunResult(
                    name=run.name, operation=run.operation.name, status=FAILED, charged=error.charged, error=str(error)
                )
            except BaseException:
                failed.set()
                raise

    for run in runs:
        started[run.name] = asyncio.create_task(follow(run), name=run.name)
    try:
        await asyncio.wait(started.values())
    except asyncio.CancelledError:
        for task in started.values():
            task.cancel()
        await asyncio.wait(started.values())
        raise
    return [task.result() for task in started.values()]
