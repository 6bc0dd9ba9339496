"""What every task that waits for a job does: tell of progress, settle a failure, and abort when a person cancelled the run."""

import asyncio
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass

from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from genmedia.concurrency import to_the_end
from genmedia.errors import JobCancelledError, JobFailedError, JobVanishedError, SupersededError
from genmedia.jobs.job import Job, JobStatus, priced
from genmedia.jobs.watcher import Seen, Trouble
from genmedia.journal import Attempt, Journal
from genmedia.progress import tell
from genmedia.providers.base import ProviderClient, looking_for
from genmedia.purchasing.buy import Purchase, end_without_result, refused, say_excess
from genmedia.purchasing.cancel import take_back
from tasks.bars import Bar

ASK_SECONDS = 10.0
"""How long Prefect may take to say who cancelled a run. A worker leaves it 30 s to end; an answer that is missed loses a person's wish."""


@dataclass(frozen=True)
class Patience:
    """How long a job may wait before it starts, and how long it may run, in minutes."""

    queue_minutes: float
    run_minutes: float


async def wait_for_job(
    client: ProviderClient,
    ref: Hashable,
    *,
    journal: Journal,
    purchase: Purchase,
    step: str,
    patience: Patience,
    not_charged: str,
    first_after: float = 0,
) -> Job:
    """Wait until a job has succeeded, with its progress in the Prefect UI and on the terminal.

    Args:
        client: The account's; it ends the job, where it can, when a person has cancelled the flow run.
        ref: The job, as the watcher knows it.
        journal: Where a failure is written down.
        purchase: What the job was bought for.
        step: Its name for people.
        patience: How long to wait.
        not_charged: What is said of the money when the provider names no charge for a failed job.
        first_after: Seconds before which a look would be wasted.

    Raises:
        ContentRefusedError: It failed because the provider will not make what was asked for.
        JobFailedError: The provider says that it failed or was cancelled.
        JobVanishedError: The provider no longer knows it.
        OtherKeyError: It was bought with another key than this account's, which does not see it.
        SupersededError: It was never started, and so is still to buy.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    await journal.want(purchase.attempt, flow_run.id or "")
    bar: Bar | None = None
    try:
        bar = await Bar.of(step, purchase)  # a cancel while it is made must not be missed
        async with looking_for(journal, client, purchase.attempt):
            job = await client.watcher.wait(
                ref,
                about=purchase.about,
                queue_seconds=patience.queue_minutes * 60,
                run_seconds=patience.run_minutes * 60,
                seen=_showing(step, bar),
                first_after=first_after,
            )
        await bar.end(job.status.value)
    except JobVanishedError as error:
        if bar:
            await bar.end("not to be found")
        error.charged = await journal.report(purchase.attempt, purchase.order.purpose.run)
        raise
    except asyncio.CancelledError:
        await to_the_end(_take_back_if_wished(journal, client, purchase.attempt, bar))  # who cancels may do so again meanwhile
        raise
    if job.status is JobStatus.UNSTARTED:
        await journal.unbind(purchase.attempt)
        raise SupersededError("it was made and never started: nothing was paid", job=purchase.about)
    if job.status is not JobStatus.SUCCEEDED:
        charged = await end_without_result(journal, purchase.attempt, job, purchase.order.purpose.run)
        money = _cost(await journal.attempt(purchase.attempt), not_charged)
        failed = (
            refused(purchase.order, f"the job {_ended(job)}", money=money, job_id=purchase.job_id)
            if job.content_refused
            else _FAILED.get(job.status, JobFailedError)(f"the job {_ended(job)}", job=purchase.about, money=money)
        )
        failed.charged = charged
        raise failed
    return job


def _cost(attempt: Attempt, not_charged: str) -> str:
    """What is said of the money when a job gave nothing."""
    if attempt.excess:
        return say_excess(attempt)
    told = priced(attempt.at_stake, attempt.unit)
    if attempt.charged is None:
        return f"{not_charged} {told} counts as spent." if attempt.at_stake else not_charged
    return f"{told} {'was' if attempt.charged == 1 else 'were'} charged." if attempt.charged else not_charged


_FAILED = {JobStatus.CANCELLED: JobCancelledError}


def _ended(job: Job) -> str:
    if job.status is JobStatus.CANCELLED:
        return "was cancelled"
    return f"failed: {job.error or 'no reason given'}"


def _showing(step: str, bar: Bar) -> Seen:
    async def seen(job: Job | Trouble) -> None:
        if isinstance(job, Trouble):
            tell(step, job.what)
            get_run_logger().warning("%s: %s. The job goes on at the provider and is waited for.", step, job.what)
            return
        tell(step, job.status.value, job.progress)
        if not job.status.terminal:
            await bar.show(job.progress)

    return seen


async def _take_back_if_wished(journal: Journal, client: ProviderClient, attempt_id: int, bar: Bar | None) -> None:
    """Where a person has cancelled the run: end the job at the provider, and its bar with it."""
    if await _was_cancelled_by_a_person() and await take_back(journal, client, attempt_id, {str(flow_run.id)}) and bar:
        await bar.end(JobStatus.CANCELLED.value)


async def _was_cancelled_by_a_person() -> bool:
    """A cancelled task is not a person's wish: a stopped worker, a failing sibling and a timeout cancel it too. Prefect knows which."""
    with suppress(Exception):  # whatever hinders the question, the job stays: it is paid for and can be taken up again
        async with asyncio.timeout(ASK_SECONDS), get_client() as client:
            state = (await client.read_flow_run(flow_run.id)).state
            return state is not None and state.type in ("CANCELLING", "CANCELLED")
    return False
