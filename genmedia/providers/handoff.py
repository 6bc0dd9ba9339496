"""Handing on: how the file of an input becomes what is sent to a provider.

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
    """The name of what is done to an input that is not among the media types that are taken; see `conversion`."""
    return conversion(given.media_type, given.mode, taken) if given.at is None else conversion(FRAME_TYPE, "RGB", taken)


def handed_on(digest: str) -> str:
    """How the paths begin of what was taken from a file with this SHA-256 and put where a provider reads it."""
    return f"{HANDED_ON}{digest[:16]}-"


async def check_unchanged(given: ResolvedInput, store: Store) -> None:
    """See that an input that is an asset is still there, and what was stored: only that stands in submission keys.

    Raises:
        InputError: It is not.
    """
    if why := given.gone or (given.asset and await store.why_changed(given.asset, given.stored_as)):
        error = InputError([Fault(given.source, why)])
        error.money = "Nothing was bought for this step."
        raise error


@asynccontextmanager
async def file_of(given: ResolvedInput, store: Store, how: str = "") -> AsyncGenerator[Path]:
    """The file of an input on this machine: as it is, converted, or the picture that is taken from it.

    Args:
        given: The input.
        store: Where it is, where it is an asset.
        how: As `conversion` names it.

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
