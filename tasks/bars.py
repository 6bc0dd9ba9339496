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
"""By how much progress grows before the Prefect UI is told: few updates, the server pays for each."""

WHOLE = 100.0


class Bar:
    """What the run that calls this shows of a job; get it with `Bar.of`. No fault of Prefect's in it harms the job."""

    def __init__(self, purchase: Purchase, artifact: UUID | None, about: str) -> None:
        self._purchase = purchase
        self._artifact = artifact
        self._about = about
        self._shown = 0.0

    @classmethod
    async def of(cls, step: str, purchase: Purchase) -> "Bar":
        """A new one, at 0."""
        about = for_markdown(f"{step}: job {purchase.job_id}")
        key = _key(purchase.order.operation, purchase.key)
        artifact: Any = None
        with suppress(PrefectException, httpx.HTTPError):
            artifact = await acreate_progress_artifact(progress=0.0, key=key, description=about)
        return cls(purchase, artifact if isinstance(artifact, UUID) else None, about)

    async def show(self, progress: float | None) -> None:
        """Let it grow, if it does so by enough."""
        if self._artifact and progress is not None and progress >= min(self._shown + STEP, WHOLE):
            self._shown = progress
            with suppress(PrefectException, httpx.HTTPError):
                await aupdate_progress_artifact(self._artifact, progress=progress)

    async def end(self, how: str) -> None:
        """The job has ended so; where others may have waited for it before, their bars end too."""
        if self._purchase.outcome is not Outcome.BOUGHT:
            await end_bars(self._purchase.order.operation, self._purchase.key, how)
        elif self._artifact:
            with suppress(PrefectException, httpx.HTTPError):
                await _end(self._artifact, self._about, how)


async def end_bars(operation: str, key: str, how: str) -> None:
    """End every bar of a job that has ended so, of whichever run: that one may be gone.

    Args:
        operation: What was bought.
        key: The submission.
        how: In a word, such as `succeeded`.
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
