"""The progress of a job in the Prefect UI: each run that waits for it has a bar, and all of them end with the job, however that ends."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, ArtifactFilterType
from prefect.exceptions import PrefectException

from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.text.plain import for_markdown

STEP = 20
"""Least growth of the progress, in percent, before the Prefect UI gets an update: each one is work for the server."""

WHOLE = 100.0


class Bar:
    """The current run's progress bar of a job; make it with `Bar.of`. Errors of Prefect in it are ignored, so that they harm no job."""

    def __init__(self, purchase: Purchase, artifact: UUID | None, about: str) -> None:
        self._purchase = purchase
        self._artifact = artifact
        self._about = about
        self._shown = 0.0

    @classmethod
    async def of(cls, step: str, purchase: Purchase) -> "Bar":
        """Make a bar, at 0."""
        about = for_markdown(f"{step}: job {purchase.job_id}")
        key = _key(purchase.order.operation, purchase.key)
        artifact: Any = None
        with suppress(PrefectException, httpx.HTTPError):
            artifact = await acreate_progress_artifact(progress=0.0, key=key, description=about)
        return cls(purchase, artifact if isinstance(artifact, UUID) else None, about)

    async def show(self, progress: float | None) -> None:
        """Update the bar, if the progress has grown by `STEP` or is complete."""
        if self._artifact and progress is not None and progress >= min(self._shown + STEP, WHOLE):
            self._shown = progress
            with suppress(PrefectException, httpx.HTTPError):
                await aupdate_progress_artifact(self._artifact, progress=progress)

    async def end(self, how: str) -> None:
        """End the bar with a word on the job's end; if other runs may have waited for the job before, end their bars too."""
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
