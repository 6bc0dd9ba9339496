"""Recovery as Prefect tasks: purchases that no process works on any more are brought to their end."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from logging import Logger
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterId,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flows import Flow
from prefect.logging.loggers import LoggingAdapter, flow_run_logger

from blocks import CREDENTIALS, AssetStore, load_store
from blocks.credentials import ProviderCredentials, as_saved
from blocks.loading import load_all
from genmedia.concurrency import every
from genmedia.errors import GenmediaError
from genmedia.jobs.job import JobStatus
from genmedia.journal import Attempt, Waiter
from genmedia.providers.base import ProviderClient, client_for
from genmedia.providers.offers import with_two_keys
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.recover import Harvested, harvest
from tasks import lost_runs
from tasks.bars import end_bars
from tasks.lost_runs import PAGE
from tasks.telling import task

TURN_SECONDS = 2.0
"""Pause between two looks whether the recovery ahead has ended, in seconds."""

HELD_UP = timedelta(minutes=30)
"""Longest time for which a recovery holds up the next: of one whose machine is gone, nobody sees the end."""


class Runs(NamedTuple):
    """Flow runs that have waited for open jobs, as Prefect knows them.

    Attributes:
        cancelled: Ids of those that a person has cancelled.
        over: Ids of all that are cancelled or have ended, though their process may still live.
        ended: Those that were ended just now, because their process is gone.
    """

    cancelled: set[str]
    over: set[str]
    ended: list[FlowRun]


async def all_credentials(log: Logger | LoggingAdapter) -> list[ProviderCredentials]:
    """Load every saved credentials block that can be used; the others are named in the log and left out."""
    usable: list[ProviderCredentials] = []
    saved = await load_all(CREDENTIALS)
    for told in with_two_keys(as_saved(saved)).values():
        log.warning("%s", told)
    for kind, name, found in saved:
        try:
            if isinstance(found, GenmediaError):
                raise found
            async with found.get_client():  # it sends nothing, and refuses a key that cannot be sent
                usable.append(found)
        except GenmediaError as error:
            log.warning("the block %s of %s is left out: %s", name, kind.provider, error)
    return usable


async def take_turn(run: UUID) -> bool:
    """Wait until the recovery of the same that began before this one has ended; return False at once where another waits for that already.

    What this one would find, that one will: it has not looked yet. So however long a recovery takes, two are under way at most.

    Args:
        run: The id of the flow run of this one.
    """
    async with get_client() as client:
        mine = await client.read_flow_run(run)
        while ahead := [one for one in await _recoveries(client, mine) if _order(one) < _order(mine)]:
            if len(ahead) > 1:
                return False
            await asyncio.sleep(TURN_SECONDS)
    return True


async def _recoveries(client: PrefectClient, mine: FlowRun) -> list[FlowRun]:
    """Return the runs of recovery that are under way, and that look after what this one does."""
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING])))
    whose = FlowFilter(id=FlowFilterId(any_=[mine.flow_id]))
    found = await client.read_flow_runs(flow_filter=whose, flow_run_filter=running, limit=PAGE)
    began = datetime.now(UTC) - HELD_UP
    wanted = mine.parameters.get("store") or ""
    return [
        one
        for one in found
        if (one.parameters.get("store") or "") in ("", wanted)
        and one.state
        and one.state.timestamp > began
        and not lost_runs.is_lost(one)
    ]


def _order(run: FlowRun) -> tuple[datetime, UUID]:
    assert run.start_time is not None
    return run.start_time, run.id


async def cancel_jobs(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Cancel the jobs of a run that a person has cancelled, unless its own process did; a hook. See `genmedia.purchasing.cancel`."""
    del state
    log = flow_run_logger(flow_run, flow)  # a hook runs outside of the run
    run, store = str(flow_run.id), (flow_run.parameters or {}).get("store", "default")
    assets = await load_store(store, flow_run)
    async with AsyncExitStack() as held:
        journal = await held.enter_async_context(assets.get_journal())
        waited_for = [one for one in await journal.open_attempts() if run in {who.run for who in await journal.waiters(one.id)}]
        accounts = {one.account for one in waited_for}
        payers = [one for one in await all_credentials(log) if str(one.payer) in accounts]
        clients = [await held.enter_async_context(one.get_client()) for one in payers]
        found = [(one, client_for(one, clients)) for one in waited_for]

        async def end(attempt: Attempt, client: ProviderClient) -> bool:
            ended = await cancel(journal, client, attempt.id, {run})
            if ended:
                await end_bars(attempt.operation, attempt.key, JobStatus.CANCELLED.value)
            return ended

        ended = sum(await every(end(one, client) for one, client in found if client))
    log.info("%d of %d open jobs ended at the providers", ended, len(waited_for))


@task(task_run_name="harvest-jobs")
async def harvest_jobs(
    store: AssetStore, credentials: Sequence[ProviderCredentials], cancelled: Collection[str], over: Collection[str]
) -> list[Harvested]:
    """Bring every open job that no process works on as far as it goes now; see `genmedia.purchasing.recover`.

    Args:
        store: Store for the files; its journal has the open jobs.
        credentials: The accounts that may have paid.
        cancelled: Ids of the flow runs that have waited and that a person has cancelled.
        over: Ids of those that are cancelled or have ended. Not `Runs`: Prefect lets no task be given a flow run.
    """
    async with AsyncExitStack() as held:
        files = await held.enter_async_context(store.get_store())
        journal = await held.enter_async_context(store.get_journal())
        clients = [await held.enter_async_context(one.get_client()) for one in credentials]
        harvested = await harvest(journal, files, clients, cancelled, over)
    await every(end_bars(one.attempt.operation, one.attempt.key, one.fate.value) for one in harvested if one.fate.ended)
    return harvested


@task(task_run_name="end-lost-runs")
async def end_lost_runs() -> list[FlowRun]:
    """End the flow runs whose process is gone; see `tasks.lost_runs`."""
    return await lost_runs.end_lost_runs()


@task(task_run_name="ask-about-runs")
async def ask_about_runs(store: AssetStore) -> Runs:
    """Ask Prefect about the runs that have waited for open jobs; end those that wait in no living process.

    A journal that several machines share knows which processes live on each of them.
    """
    async with store.get_journal() as journal:
        attempts = await journal.open_attempts()
        waiters = [one for found in await every(journal.waiters(one.id) for one in attempts) for one in found]
    async with get_client() as client:
        runs = await _runs(client, {one.run for one in waiters})
    lost = {name for name, run in runs.items() if _is_lost(run, [one for one in waiters if one.run == name])}
    states = {name: run.state for name, run in runs.items() if run.state}
    cancelled = {name for name, state in states.items() if state.is_cancelled() or state.is_cancelling()}
    over = cancelled | {name for name, state in states.items() if state.is_final()}
    return Runs(cancelled, over, await lost_runs.end_lost_runs(lost) if lost else [])


async def _runs(client: PrefectClient, ids: Collection[str]) -> Mapping[str, FlowRun]:
    """Read the flow runs that Prefect still knows, by id."""
    known = [UUID(one) for one in sorted(ids) if one]  # a task may wait outside of any run
    found: list[FlowRun] = []
    for first in range(0, len(known), PAGE):
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=known[first : first + PAGE]))
        found += await client.read_flow_runs(flow_run_filter=chosen)
    return {str(run.id): run for run in found}


def _is_lost(run: FlowRun, waiters: Sequence[Waiter]) -> bool:
    """True if a run waits, and all its waiters have begun since its last start and have no living process."""
    began = run.start_time or (run.state and run.state.timestamp)
    waits = [one for one in waiters if not one.left]
    return began is not None and bool(waits) and all(not one.lives and one.since >= began for one in waits)
