"""Bringing to an end what nobody works on any more, as Prefect tasks; and the flow runs that have no process left."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from logging import Logger
from typing import Any, NamedTuple
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_run_logger
from prefect.logging.loggers import LoggingAdapter, flow_run_logger
from prefect.states import Cancelled, Crashed

from blocks import CREDENTIALS, AssetStore, load_block
from blocks.credentials import ProviderCredentials
from blocks.loading import load_all
from genmedia.cancelling import take_back
from genmedia.errors import GenmediaError
from genmedia.harvesting import Harvested, harvest
from genmedia.journal import Interest

PAGE = 200
"""So many flow runs Prefect gives at once."""


class Runs(NamedTuple):
    """Flow runs that a person has `cancelled`, and all that are `over`, though the process they were in may live on."""

    cancelled: set[str]
    over: set[str]


async def all_credentials(log: Logger | LoggingAdapter) -> list[ProviderCredentials]:
    """Whoever may have paid: every credentials block that is saved and can be used; the others are named in the log."""
    usable: list[ProviderCredentials] = []
    for kind, name, found in await load_all(CREDENTIALS):
        if isinstance(found, GenmediaError):
            log.warning("the block %s of %s cannot be used; save it anew", name, kind.provider)
        else:
            usable.append(found)
    return usable


async def take_back_jobs(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """A hook: end the jobs of a run that a person has cancelled, as far as its own process did not; see `genmedia.cancelling`."""
    del state
    log = flow_run_logger(flow_run, flow)  # a hook runs outside of the run
    run, store = str(flow_run.id), (flow_run.parameters or {}).get("store", "default")
    assets = await load_block(AssetStore, store)
    async with AsyncExitStack() as held:
        journal = await held.enter_async_context(assets.get_journal())
        waited_for = [one for one in await journal.open_attempts() if run in {who.run for who in await journal.interests(one.id)}]
        accounts = {one.account for one in waited_for}
        payers = [one for one in await all_credentials(log) if str(one.payer) in accounts]
        clients = {str(one.payer): await held.enter_async_context(one.get_client()) for one in payers}
        ends = (take_back(journal, clients[one.account], one.id, {run}) for one in waited_for if one.account in clients)
        ended = sum(await asyncio.gather(*ends))
    log.info("%d of %d open jobs ended at the providers", ended, len(waited_for))


@task(task_run_name="harvest-jobs", cache_policy=NO_CACHE)
async def harvest_jobs(store: AssetStore, credentials: Sequence[ProviderCredentials], runs: Runs) -> list[Harvested]:
    """Bring every open job that nobody works on as far as it goes now; see `genmedia.harvesting`.

    Args:
        store: Where files go, and whose journal tells what is open.
        credentials: Who pays.
        runs: What Prefect says of the flow runs that have waited.
    """
    async with AsyncExitStack() as held:
        files = await held.enter_async_context(store.get_store())
        journal = await held.enter_async_context(store.get_journal())
        clients = {str(one.payer): await held.enter_async_context(one.get_client()) for one in credentials}
        return await harvest(journal, files, clients, runs.cancelled, runs.over)


@task(task_run_name="end-lost-runs", cache_policy=NO_CACHE)
async def end_lost_runs(store: AssetStore) -> Runs:
    """End the flow runs that wait for open jobs in no process that lives; what Prefect says of all that have waited for such.

    Prefect leaves a run that was killed running for ever.
    """
    async with store.get_journal() as journal:
        attempts = await journal.open_attempts()
        interests = [one for found in await asyncio.gather(*(journal.interests(one.id) for one in attempts)) for one in found]
    async with get_client() as client:
        runs = await _runs(client, {one.run for one in interests})
        for run in runs.values():
            if _is_lost(run, [one for one in interests if one.run == str(run.id)]):
                assert run.state is not None
                ended = Cancelled if run.state.is_cancelling() else Crashed
                get_run_logger().warning("%s was %s, and its process is gone", run.name, run.state.name)
                await client.set_flow_run_state(run.id, ended(message="Its process is gone."), force=True)
    states = {name: run.state for name, run in runs.items() if run.state}
    cancelled = {name for name, state in states.items() if state.is_cancelled() or state.is_cancelling()}
    return Runs(cancelled, cancelled | {name for name, state in states.items() if state.is_final()})


async def _runs(client: PrefectClient, ids: Collection[str]) -> Mapping[str, FlowRun]:
    """By id; those that Prefect still knows."""
    known = [UUID(one) for one in sorted(ids) if one]  # a task may wait outside of any run
    found: list[FlowRun] = []
    for first in range(0, len(known), PAGE):
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=known[first : first + PAGE]))
        found += await client.read_flow_runs(flow_run_filter=chosen)
    return {str(run.id): run for run in found}


def _is_lost(run: FlowRun, interests: Sequence[Interest]) -> bool:
    """Whether a run should be at work, and no process that it has been in since it was last started lives."""
    state = run.state
    if state is None or not (state.is_running() or state.is_cancelling()):
        return False
    began: datetime = run.start_time or state.timestamp
    return all(not one.lives and one.since >= began for one in interests)
