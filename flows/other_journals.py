"""Warning of purchases that a run is about to make and that the journal of another saved store has already: they would be made twice."""

import asyncio
from collections.abc import Collection

from prefect.logging import get_run_logger

from blocks import AssetStore
from blocks.loading import load_stores
from genmedia.errors import GenmediaError
from genmedia.journal import Journal, is_made

ASK_SECONDS = 5.0
"""Longest wait for the answers of all other journals together, in seconds."""

TOLD = 5
"""Most submissions that a warning names."""


async def warn_of_purchases_elsewhere(assets: AssetStore, keys: Collection[str]) -> None:
    """Warn in the run's log of submissions that are in the journal of another saved store, before they are bought through this one.

    Each journal prevents a second purchase only among its own submissions. If a journal does not answer within `ASK_SECONDS`, the log names
    it and the run goes on.

    Args:
        assets: The store that the run buys for.
        keys: The submissions it is about to buy.
    """
    if not keys:
        return
    log = get_run_logger()
    others: dict[str, str] = {}
    for name, store in (await load_stores()).items():
        try:
            if isinstance(store, AssetStore) and store.journal_url != assets.journal_url:
                others.setdefault(store.journal_url, name)
        except GenmediaError:
            continue  # it has no journal: nothing was ever bought for it

    asked = {asyncio.create_task(_known(url, keys), name=name) for url, name in others.items()}
    done, pending = await asyncio.wait(asked, timeout=ASK_SECONDS) if asked else (asked, asked)
    for task in done:
        if error := task.exception():
            log.warning("whether this was bought for the store %s is not known: %s", task.get_name(), error)
        elif known := sorted(task.result()):
            told = ", ".join(key[:12] for key in known[:TOLD]) + (f" and {len(known) - TOLD} more" if len(known) > TOLD else "")
            log.warning(
                "%d of the submissions that are about to be bought were bought for the store %s before, by its own journal: %s. "
                "Cancel this run if that one's files would do.",
                len(known),
                task.get_name(),
                told,
            )
    for task in pending:
        log.warning(
            "whether this was bought for the store %s is not known: its journal did not answer in %g s",
            task.get_name(),
            ASK_SECONDS,
        )
        task.cancel()  # it ends after its transaction, which is not interruptible


async def _known(url: str, keys: Collection[str]) -> set[str]:
    if not is_made(url):
        return set()
    async with Journal.lease(url) as journal:
        return await journal.answered(keys)
