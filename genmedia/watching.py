"""Waiting for a remote job to end, through network faults and outages, with separate deadlines for queue and run."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic

from genmedia import errors
from genmedia.jobs import Job, JobStatus

ABSENCES = 4
"""How many looks in a row must miss a job before it counts as vanished."""

LONGEST_PAUSE = 30.0

_PASSING = (
    errors.NoAnswerError,
    errors.ServerError,
    errors.UnreachableError,
    errors.RateLimitError,
    errors.UnreadableAnswerError,
)


async def watch(
    look: Callable[[], Awaitable[Job]],
    *,
    about: str,
    every: tuple[float, float],
    queue_seconds: float,
    run_seconds: float,
    clock_scale: Callable[[], float],
    seen: Callable[[Job], Awaitable[None]],
) -> Job:
    """Look at a job until it ends, and return the last look.

    A look that fails in passing (no answer, 5xx, 429, an unreadable answer) is repeated with growing pauses for as long as the
    deadlines allow: an outage of the provider does not lose a job that is paid for.

    Args:
        look: One look.
        about: The job's names, for errors.
        every: Shortest and longest pause between two looks, in seconds; drawn anew each time, so that watchers spread.
        queue_seconds: How long it may wait before it starts.
        run_seconds: How long it may run.
        clock_scale: By how much a sandbox's clock runs faster; every time here is divided by it.
        seen: Called with each look, for progress.

    Raises:
        QueueTimeoutError: It did not start in time; it is still paid for.
        RunTimeoutError: It did not end in time; it is still paid for.
        JobVanishedError: Several looks in a row did not find it.
        ApiError: The provider refused to show it, for another reason than the above.
    """
    since, running, absences, failures = monotonic(), False, 0, 0
    while True:
        asked_to_wait = 0.0
        try:
            job = await look()
        except errors.NotFoundError:
            absences += 1
            if absences == ABSENCES:
                raise errors.JobVanishedError(f"{ABSENCES} looks in a row did not find it", job=about) from None
        except _PASSING as error:
            failures += 1
            asked_to_wait = getattr(error, "retry_after", None) or 0.0
        else:
            absences = failures = 0
            await seen(job)
            if job.status.terminal:
                return job
            if job.status is JobStatus.RUNNING and not running:
                running, since = True, monotonic()
        scale = clock_scale()
        if (monotonic() - since) * scale > (run_seconds if running else queue_seconds):
            if running:
                raise errors.RunTimeoutError(f"it was not done after running for {run_seconds:g} s", job=about)
            raise errors.QueueTimeoutError(f"it had not started after {queue_seconds:g} s", job=about)
        # Jitter keeps many watchers from asking in step; no secret hangs on it.
        pause = min(random.uniform(*every) * 2 ** min(failures, 10), LONGEST_PAUSE)  # noqa: S311
        await asyncio.sleep(max(pause, asked_to_wait) / scale)
