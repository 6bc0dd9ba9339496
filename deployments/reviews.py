"""Runs that wait for review go on soon after people have decided, where they do it beside a Prefect server."""

import asyncio
import logging
from datetime import timedelta

from httpx import HTTPError
from prefect.exceptions import PrefectException

from blocks import AssetStore, load_block
from deployments.bootstrap import PROJECT
from genmedia.concurrency import end_task
from tasks.review import QUIET, look_after_reviews

_LOG = logging.getLogger(__name__)


async def saved_store(name: str) -> AssetStore:
    """Return the saved store of this name; relative addresses in it are taken as below the project.

    Raises:
        SettingsError: There is no such block.
    """
    return (await load_block(AssetStore, name)).below(PROJECT)


async def resume_decided(quiet: timedelta = timedelta(0)) -> None:
    """Resume the runs of which enough is decided; where Prefect does not answer, recovery does it later.

    Args:
        quiet: Time without a further verdict after which a part of what waits is enough.
    """
    try:
        await look_after_reviews(saved_store, _LOG, quiet)
    except (PrefectException, HTTPError) as error:
        _LOG.warning("runs that wait for review are not looked after now: %s", error)


class Resuming:
    """Resumes runs while people decide in a gallery: at once where all is decided, else after a pause without a further verdict."""

    def __init__(self) -> None:
        self._looking: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        """Take note that somebody has decided."""
        if self._looking:
            self._looking.cancel()
        self._looking = asyncio.create_task(self._look())

    async def aclose(self) -> None:
        """End what is under way."""
        if self._looking:
            await end_task(self._looking)

    async def _look(self) -> None:
        await resume_decided(QUIET)
        await asyncio.sleep(QUIET.total_seconds())
        await resume_decided(QUIET)
