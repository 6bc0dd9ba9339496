"""The progress of a long job in the Prefect UI: each run that waits for it has a bar, and all of them end with the job, however that ends."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, ArtifactFilterType
from prefect.exceptions import PrefectException

from genmedia.concurrency import set_within
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.text.plain import for_markdown

STEP = 20
"""Least growth of the progress, in percent, before the Prefect UI gets an update: each one is work for the server."""

WHOLE = 100.0

LONG_SECONDS = 30.0
"""Longest wait for a job without a bar, in seconds by the provider's clock."""


class Bar:
    """The current run's progress bar of a job; errors of Prefect in it are ignored, so that they harm no job.

    A job has one once it is waited for longer than `LONG_SECONDS`: to make a bar and to end it are more than a quarter of what a job costs
    Prefect's server, and nobody looks at that of a picture. Call `leave` when the wait has ended, however it ended.

    Args:
        step: Name of the step for people.
        purchase: The purchase of the job.
        clock_scale: Factor by which a sandbox's clock runs faster.

    Attributes:
        making: Ends when there is a bar, or will be none.
    """

    def __init__(self, step: str, purchase: Purchase, clock_scale: float) -> None:
        self._purchase = purchase
        self._about = for_markdown(f"{step}: job {purchase.job_id}")
        self._over = asyncio.Event()
        self._artifact: UUID | None = None
        self._now = self._shown = 0.0
        self.making = asyncio.create_task(self._make(LONG_SECONDS / clock_scale))

    async def _make(self, seconds: float) -> None:
        await set_within(self._over, seconds)
        if self._over.is_set():
            return
        self._shown, key = self._now, _key(self._purchase.order.operation, self._purchase.key)
        with suppress(PrefectException, httpx.HTTPError):
            made: Any = await acreate_progress_artifact(progress=self._shown, key=key, description=self._about)
            self._artifact = made if isinstance(made, UUID) else None

    async def show(self, progress: float | None) -> None:
        """Update the bar, if the progress has grown by `STEP` or is complete."""
        self._now = self._now if progress is None else progress
        if self._artifact and self._now > self._shown and self._now >= min(self._shown + STEP, WHOLE):
            self._shown = self._now
            with suppress(PrefectException, httpx.HTTPError):
                await aupdate_progress_artifact(self._artifact, progress=self._now)

    def leave(self) -> None:
        """Make no bar any more."""
        self._over.set()

    async def end(self, how: str) -> None:
        """End the bar with a word on the job's end; if other runs may have waited for the job before, end their bars too."""
        self.leave()
        await self.making
        if self._purchase.outcome is not Outcome.BOUGHT:
            await end_bars(self._purchase.order.operation, self._purchase.key, how)
        elif self._artifact:
            with suppress(PrefectException, httpx.HTTPError):
                await _end(self._artifact, self._about, how)


async def end_bars(operation: str, key: str, how: str) -> None:
    """End the bars of a job in all runs, for a run that waited may be gone.

    Args:
        operation: Operation that was bought.
        key: Key of the submission.
        how: Word for the end of the job, such as `succeeded`.
    """
    of_it = ArtifactFilter(key=ArtifactFilterKey(any_=[_key(operation, key)]), type=ArtifactFilterType(any_=["progress"]))
    with suppress(PrefectException, httpx.HTTPError):
        async with get_client() as client:
            found = await client.read_artifacts(artifact_filter=of_it)
        for one in found:
            if one.data != WHOLE:
                await _end(one.id, one.description or "", how)


async def _end(artifact: UUID, about: str, how: str) -> None:
    await aupdate_progress_artifact(artifact, progress=WHOLE, description=f"{about}, {how}")


def _key(operation: str, key: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in f"{operation}-{key[:8]}".lower())
