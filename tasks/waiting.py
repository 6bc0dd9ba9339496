"""Waiting for a job in a task: with its progress in the Prefect UI, and with its cancellation when a person cancels the run."""

import asyncio
from contextlib import suppress

from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from blocks import AssetStore
from genmedia.concurrency import to_the_end
from genmedia.errors import JobVanishedError
from genmedia.jobs.job import Job, JobStatus
from genmedia.jobs.watcher import Seen, Trouble
from genmedia.journal import Journal
from genmedia.providers.base import ProviderClient
from genmedia.purchasing import calls
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.patience import Patience
from tasks.bars import Bar

ASK_SECONDS = 10.0
"""Longest wait, in seconds, for Prefect to say who cancelled a run. A worker gives a run 30 s to end; with no answer no job is cancelled."""


async def wait_for_job(client: ProviderClient, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded, with its progress in the Prefect UI and on the terminal; see `genmedia.purchasing.calls`.

    When a person has cancelled the flow run, the job is cancelled at the provider, if the provider can do that.
    """
    bar: Bar | None = None

    async def watch() -> Seen:
        nonlocal bar
        bar = Bar(step, purchase, client.http.clock_scale)
        return _showing(step, bar)

    async with store.get_journal() as journal:
        try:
            return await calls.wait_for_job(client, journal, purchase, step, patience, watch)
        except JobVanishedError:
            if bar:
                await bar.end("not to be found")
            raise
        except asyncio.CancelledError:
            await to_the_end(_cancel_if_wished(journal, client, purchase.attempt, bar))  # a second cancellation waits for it
            raise
        finally:
            if bar:
                bar.leave()


def _showing(step: str, bar: Bar) -> Seen:
    async def seen(news: Job | Trouble) -> None:
        if isinstance(news, Trouble):
            get_run_logger().warning("%s: %s. The job goes on at the provider and is waited for.", step, news.what)
        elif news.status.terminal:
            await bar.end(news.status.value)
        else:
            await bar.show(news.progress)

    return seen


async def _cancel_if_wished(journal: Journal, client: ProviderClient, attempt_id: int, bar: Bar | None) -> None:
    """If a person has cancelled the run, cancel the job at the provider and end its bar."""
    if await _was_cancelled_by_a_person() and await cancel(journal, client, attempt_id, {str(flow_run.id)}) and bar:
        await bar.end(JobStatus.CANCELLED.value)


async def _was_cancelled_by_a_person() -> bool:
    """Ask Prefect whether a person cancelled the run: a stopped worker, a failing sibling and a timeout cancel a task too."""
    with suppress(Exception):  # without an answer the job stays: it is paid for and can be taken up again
        async with asyncio.timeout(ASK_SECONDS), get_client() as client:
            state = (await client.read_flow_run(flow_run.id)).state
            return state is not None and state.type in ("CANCELLING", "CANCELLED")
    return False
