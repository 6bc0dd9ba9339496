"""Handing on: how an input gets to a provider, decided for each edge of a plan, and told before anything is bought.

| to | how |
| --- | --- |
| FLORA | the address it has while FLORA can read it; else a signed link to the store, where FLORA reads from its host; else put up |
| Genova | in the request: a JPEG of at most 512 px |
| Generio | in the request, whole; as PNG where the template does not take the type |
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from genmedia.campaign.operations import Operation
from genmedia.campaign.plan import PlannedRun
from genmedia.campaign.sources import Fed, Given
from genmedia.errors import Fault, InputError, MediaError
from genmedia.inspection.media import Candidate, SmallCopy, inspect_files
from genmedia.keys import hash_file
from genmedia.origins import Origins
from genmedia.providers import flora, generio, genova
from genmedia.providers.flora import check_media_url
from genmedia.references import PREPARATION
from genmedia.store import Store
from genmedia.templates import Material

LINK_SECONDS = 24 * 3600.0
"""How long a signed link lives: longer than a run may wait and take."""

LARGEST_SIDE = 8192
HANDED_ON = ".genmedia/handed-on/"
FRAME_TYPE = "image/png"


def preparation(given: Given, operation: Operation) -> str:
    """The name of what is done to a file before it is sent, as it stands in submission keys."""
    frame = "" if given.at is None else f"frame-{given.at}"
    return "+".join(filter(None, (frame, _conversion(given, operation)))) or "none"


def _conversion(given: Given, operation: Operation) -> str:
    if operation.provider == genova.PROVIDER:
        return PREPARATION
    taken = {"image/jpeg" if one == "image/jpg" else one for one in operation.media_types}
    media_type = given.media_type if given.at is None else FRAME_TYPE
    return "png" if taken and media_type.startswith("image/") and media_type not in taken else ""


def material_of(given: Given, operation: Operation) -> Material:
    """What goes into a flow of Generio, without its file."""
    if given.type == "text":
        return Material("text/plain", text=given.text)
    done = preparation(given, operation)
    return Material(
        given.media_type if done == "none" else FRAME_TYPE,
        file=given.file or Path(given.asset),
        sha256=given.sha256,
        origin=given.source,
        preparation=done,
    )


@asynccontextmanager
async def file_of(given: Given, store: Store, *, as_png: bool = False) -> AsyncGenerator[Path]:
    """The file of an input on this machine: as it is, or the picture that is taken from it.

    Args:
        given: The input.
        store: Where it is, where it is an asset.
        as_png: Turn a picture into a PNG.

    Raises:
        InputError: No picture can be taken from it.
    """
    path = given.file or await store.files.copy(given.asset)
    if given.at is None and not as_png:
        yield path
        return
    with TemporaryDirectory(prefix="genmedia-") as folder:
        picture = Path(folder) / f"{path.stem}.png"
        at = None if given.at == "poster" else given.at
        wish = Candidate(
            path, "image" if given.at is None else "video", SmallCopy(picture, LARGEST_SIDE, "PNG", store.max_bytes, at)
        )
        (verdict,) = await inspect_files([wish])
        if isinstance(verdict, MediaError):
            raise InputError([Fault(given.source, f"gives no picture: {verdict.what}")])
        yield picture


async def link_for_flora(given: Given, store: Store, origins: Origins) -> str:
    """A signed link to an input that FLORA can read; empty where the store signs none, or FLORA does not read from its host.

    What is not in the store as it is to be sent is put there first, under its hash.
    """
    if not await flora_reads(store, origins):
        return ""
    if given.asset and given.at is None:
        return await store.files.link(given.asset, LINK_SECONDS)
    async with file_of(given, store) as file:
        path = f"{HANDED_ON}{await asyncio.to_thread(hash_file, file)}{file.suffix}"
        if not await store.files.has(path):
            with store.incoming() as incoming:
                await asyncio.to_thread(shutil.copyfile, file, incoming.path)
                await store.files.put(incoming.path, path)
    return await store.files.link(path, LINK_SECONDS)


async def flora_reads(store: Store, origins: Origins) -> bool:
    """Whether FLORA reads from where the store's signed links lead."""
    link = await store.files.link("any", LINK_SECONDS)
    return bool(link) and not check_media_url(link, origins)


async def explain(plan: Sequence[PlannedRun], store: Store, origins: Origins) -> list[str]:
    """A sentence for each input of a plan: how it will get to the provider.

    Args:
        plan: What is to be bought.
        store: Where assets are.
        origins: Which addresses FLORA reads from besides the documented ones.
    """
    stored = "by a signed link to the store" if await flora_reads(store, origins) else "put up to FLORA"
    by_name = {run.name: run for run in plan}
    told: list[str] = []
    for run in plan:
        for source in run.inputs:
            feeder = by_name[source.run].operation.provider if isinstance(source, Fed) else ""
            told.append(f"{run.name}, {source.id}: {_how(source, run.operation, feeder, stored)}")
    return told


def _how(source: Given | Fed, operation: Operation, feeder: str, stored: str) -> str:
    if source.type == "text":
        return "as text"
    if source.at is not None:
        frame = (
            "the picture in the middle of the video, " if source.at == "poster" else f"the video's picture at {source.at:g} s, "
        )
    else:
        frame = ""
    if operation.provider == genova.PROVIDER:
        return f"{frame}in the request, as a JPEG of at most 512 px"
    if operation.provider == generio.PROVIDER:
        png = isinstance(source, Given) and _conversion(source, operation)
        return f"{frame}in the request, {'turned into a PNG' if png else 'whole'}"
    if isinstance(source, Given) and source.url:
        return "by its own address"
    if frame or (isinstance(source, Given) and source.file):
        return f"{frame}{stored}"
    return f"by FLORA's own link while it lives, else {stored}" if feeder == flora.PROVIDER else stored
