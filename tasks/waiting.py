"""What every task that waits for a job does: tell of progress, settle a failure, and abort when a person cancelled the run."""

import asyncio
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from genmedia.buying import Purchase
from genmedia.cancelling import take_back
from genmedia.errors import JobFailedError, JobVanishedError
from genmedia.jobs import Job, JobStatus
from genmedia.journal import Journal
from genmedia.progress import tell
from genmedia.providers.client import ProviderClient
from genmedia.watching import Seen, Trouble

PROGRESS_STEP = 20
"""By how much progress grows before the Prefect UI is told: few updates, the server pays for each."""

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
        JobFailedError: The provider says that it failed or was cancelled.
        JobVanishedError: The provider no longer knows it.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    await journal.want(purchase.attempt, flow_run.id or "")
    try:
        seen = await _reporter(step, purchase)  # a cancel while the progress bar is made must not be missed
        job = await client.watcher.wait(
            ref,
            about=purchase.about,
            queue_seconds=patience.queue_minutes * 60,
            run_seconds=patience.run_minutes * 60,
            seen=seen,
            first_after=first_after,
        )
    except JobVanishedError as error:
        await journal.vanish(purchase.attempt, error.what)
        raise
    except asyncio.CancelledError:
        if await asyncio.shield(_was_cancelled_by_a_person()):
            await asyncio.shield(take_back(journal, client, purchase.attempt, {str(flow_run.id)}))
        raise
    if job.status is not JobStatus.SUCCEEDED:
        money = f"{job.charged:g} credits were charged." if job.charged else not_charged
        failed = JobFailedError(f"the job {_ended(job)}", job=purchase.about, money=money)
        failed.charged = await journal.charge(purchase.attempt, job.charged)
        await journal.fail(purchase.attempt, job.error or job.status)
        raise failed
    return job


def _ended(job: Job) -> str:
    if job.status is JobStatus.CANCELLED:
        return "was cancelled"
    return f"failed: {job.error or 'no reason given'}"


async def _reporter(step: str, purchase: Purchase) -> Seen:
    key = "".join(c if c.isalnum() else "-" for c in f"{purchase.order.operation}-{purchase.key[:8]}".lower())
    artifact: Any = await acreate_progress_artifact(progress=0.0, key=key, description=f"{step}: job {purchase.job_id}")
    shown = 0.0

    async def seen(job: Job | Trouble) -> None:
        nonlocal shown
        if isinstance(job, Trouble):
            tell(step, job.what)
            get_run_logger().warning("%s: %s. The job goes on at the provider and is waited for.", step, job.what)
            return
        tell(step, job.status.value, job.progress)
        if isinstance(artifact, UUID) and (job.progress or 0) >= min(shown + PROGRESS_STEP, 100):
            shown = job.progress or 0
            await aupdate_progress_artifact(artifact, progress=shown)

    return seen


async def _was_cancelled_by_a_person() -> bool:
    """A cancelled task is not a person's wish: a stopped worker, a failing sibling and a timeout cancel it too. Prefect knows which."""
    with suppress(Exception):  # whatever hinders the question, the job stays: it is paid for and can be taken up again
        async with asyncio.timeout(ASK_SECONDS), get_client() as client:
            state = (await client.read_flow_run(flow_run.id)).state
            return state is not None and state.type in ("CANCELLING", "CANCELLED")
    return False
