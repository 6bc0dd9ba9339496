"""Handing on: turns the file of an input into the file that is sent to a provider.

A picture of a type that the provider does not take is turned into PNG or JPEG first; see `genmedia.media.conversion`.
"""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from genmedia.errors import Fault, InputError
from genmedia.media.conversion import conversion, converted
from genmedia.providers.inputs import ResolvedInput
from genmedia.store import Store

HANDED_ON = ".genmedia/handed-on/"
FRAME_TYPE = "image/png"


def sent_as(given: ResolvedInput, taken: Collection[str]) -> str:
    """Name of the conversion of an input whose type is not among those that are taken; empty for none. See `conversion`."""
    return conversion(given.media_type, given.mode, taken) if given.at is None else conversion(FRAME_TYPE, "RGB", taken)


def handed_on(digest: str) -> str:
    """Beginning of the store paths of files that were made from a file with this SHA-256 for a provider to read."""
    return f"{HANDED_ON}{digest[:16]}-"


async def check_unchanged(given: ResolvedInput, store: Store) -> None:
    """Check that an asset that is an input is still there, as it was stored: submission keys hold the hash of the stored file.

    Raises:
        InputError: It is gone, or was changed.
    """
    if why := given.gone or (given.asset and await store.why_changed(given.asset, given.stored_as)):
        error = InputError([Fault(given.source, why)])
        error.money = "Nothing was bought for this step."
        raise error


@asynccontextmanager
async def file_of(given: ResolvedInput, store: Store, how: str = "") -> AsyncGenerator[Path]:
    """Hold the file of an input on this machine during the block: as it is, converted, or the picture that is taken from it.

    Args:
        given: The input.
        store: Store that holds the input, if it is an asset.
        how: Name of the conversion, as `conversion` gives it; empty for none.

    Raises:
        InputError: No picture can be taken from it, or it was changed since it was stored.
    """
    await check_unchanged(given, store)
    path = given.file or await store.files.copy(given.asset)
    if given.at is None and not how:
        yield path
        return
    at = None if given.at == "poster" else given.at
    async with converted(path, how, store.max_bytes, given.source, at, film=given.at is not None) as picture:
        yield picture
