"""Running a plan: what a run's inputs are once its feeders are done, what is bought already, and in which order things happen."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from genmedia.buying import Order
from genmedia.chain import Fed, Given, PlannedRun
from genmedia.errors import GenmediaError, MissingOutputError
from genmedia.jobs import Account, Job
from genmedia.journal import AttemptState, Journal, StoredAsset
from genmedia.keys import media_reference
from genmedia.progress import tell
from genmedia.providers.flora import IDEMPOTENCY_SECONDS, UNIT
from genmedia.results import FAILED, NOT_STARTED, Result
from genmedia.store import Store

Outputs = Mapping[str, Given]
"""What a run gave, by output id."""


def outputs_of(run: str, assets: Iterable[StoredAsset], store: Store, job: Job | None = None) -> Outputs:
    """What a run gave, at hand for the runs after it; with `job`, also by the provider's own links."""
    links = {output.id: output.url or "" for output in job.outputs} if job else {}
    return {asset.output: _at_hand(run, asset, store, links.get(asset.output, "")) for asset in assets}


def _at_hand(run: str, asset: StoredAsset, store: Store, url: str) -> Given:
    path, source = store.root / asset.path, f"step {run}, {asset.output}"
    if asset.sidecar["output"]["kind"] == "text":
        return Given(asset.output, "text", text=path.read_text(encoding="utf-8"), source=source)
    return Given(asset.output, f"{asset.sidecar['output']['kind']}Url", sha256=asset.sha256, url=url, file=path, source=source)


def inputs_of(run: PlannedRun, outputs: Mapping[str, Outputs]) -> list[Given]:
    """The run's inputs, once every run that feeds it has given something.

    Raises:
        MissingOutputError: A run that feeds it has not given that output.
    """
    return [_feed(source, outputs) if isinstance(source, Fed) else source for source in run.inputs]


def _feed(source: Fed, outputs: Mapping[str, Outputs]) -> Given:
    given = outputs.get(source.run, {}).get(source.output)
    if given is None:
        raise MissingOutputError(f"step {source.run} has not given {source.output}")
    return replace(given, id=source.id, type=source.type)


def order_for(run: PlannedRun, inputs: Iterable[Given], account: Account, take: int) -> Order:
    """The wish for this run: texts as they are, files by hash, in an order that does not matter."""
    named: list[dict[str, Any]] = [
        {"id": one.id, "type": one.type, **({"text": one.text} if one.type == "text" else {"file": media_reference(one.sha256)})}
        for one in sorted(inputs, key=lambda one: one.id)
    ]
    request = {"technique": run.slug, "inputs": named}
    return Order(account, f"technique {run.slug}", request, run.price, UNIT, take, repeat_window=IDEMPOTENCY_SECONDS)


async def runs_to_buy(
    runs: Sequence[PlannedRun], account: Account, take: int, journal: Journal, store: Store
) -> list[PlannedRun]:
    """The runs that the journal does not answer for, as far as can be told before the first one is bought."""
    outputs: dict[str, Outputs] = {}
    to_buy: list[PlannedRun] = []
    for run in runs:
        try:
            order = order_for(run, inputs_of(run, outputs), account, take)
        except MissingOutputError:
            to_buy.append(run)
            continue
        attempt = await journal.live_attempt(order.key)
        if attempt is None:
            to_buy.append(run)
        elif attempt.state is AttemptState.STORED:
            assets = await journal.assets(attempt.id)
            if all(store.has(asset.path) for asset in assets):
                outputs[run.name] = outputs_of(run.name, assets, store)
    return to_buy


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
                return RunResult(name=run.name, operation=run.slug, status=NOT_STARTED)
            try:
                inputs = inputs_of(run, {name: result.outputs for name, result in fed_by.items()})
                return await perform(run, inputs)
            except GenmediaError as error:
                failed.set()
                tell(run.name, str(error))
                return RunResult(name=run.name, operation=run.slug, status=FAILED, charged=error.charged, error=str(error))
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
