"""The zip of a delivery: the same files make the same zip, byte by byte."""

import asyncio
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from genmedia.campaign.delivery.manifest import Manifest, Package
from genmedia.campaign.delivery.naming import MANIFEST, PAGE, SHEET
from genmedia.errors import StoreError
from genmedia.store import Store
from genmedia.store.files import explain

_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The time of each file in a zip, which is the first that the format knows: the time of a delivery would change the zip."""


async def pack(place: Store, manifest: Manifest, name: str) -> Package:
    """Write a zip of all files of a delivery, as they are at their place, with its manifest, list and page.

    Raises:
        StoreError: The place refused, or a file is not there any more.
    """
    with place.incoming() as incoming:
        try:
            with ZipFile(incoming.path, "w", ZIP_STORED) as packed:
                for one in [*(entry.name for entry in manifest.files), SHEET, PAGE]:
                    await asyncio.to_thread(_add, packed, await place.files.copy(one), one)
                packed.writestr(_named(MANIFEST), manifest.bare().write().encode(errors="replace"))
        except FileNotFoundError as error:
            raise StoreError(f"{error} is gone from {place.label} meanwhile", advice="Run again: it is put there anew.") from None
        except OSError as error:
            raise explain(f"{name} could not be written", error) from None
        size = incoming.path.stat().st_size
        await place.files.put(incoming.path, name)
    return Package(name=name, bytes=size, of=manifest.digest)


def _add(packed: ZipFile, file: Path, name: str) -> None:
    with file.open("rb") as content, packed.open(_named(name), "w", force_zip64=True) as entry:
        while piece := content.read(2**20):
            entry.write(piece)


def _named(name: str) -> ZipInfo:
    entry = ZipInfo(name, _BEGINNING)
    entry.external_attr = 0o644 << 16
    return entry
