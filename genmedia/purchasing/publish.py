"""A verified file is given its name in the store, and its sidecar; with its provenance inside, where the store wants that."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from genmedia.journal import Journal, StoredAsset
from genmedia.media.facts import SUFFIXES
from genmedia.media.hashing import hash_file
from genmedia.provenance import labels as xmp
from genmedia.store import Incoming, Store
from genmedia.store.sidecar import Sidecar


async def publish(store: Store, incoming: Incoming, sidecar: Sidecar, *, embed: bool) -> StoredAsset:
    """Publish a verified file.

    Args:
        store: The store.
        incoming: The file.
        sidecar: Its sidecar, still without the path.
        embed: True to write the provenance into a picture, with the label that a machine has made it.

    Raises:
        StoreError: The store refused.
    """
    names = {
        "campaign": sidecar.campaign,
        "step": sidecar.step,
        "provider": sidecar.provider,
        "account": sidecar.account_name,
        "operation": sidecar.operation,
        "output": sidecar.output.id,
        "take": str(sidecar.take),
        "key": sidecar.submission_key[:8],
        "sha256": sidecar.file.sha256[:8],
        "date": sidecar.times.stored.date().isoformat(),
        "ext": SUFFIXES[sidecar.file.media_type],
    }
    if embed and sidecar.file.media_type in xmp.TYPES:
        sidecar = await asyncio.to_thread(_embed, incoming.path, sidecar)
    sidecar = await store.publish(incoming, names, sidecar)
    return StoredAsset(sidecar.file.path, sidecar.output.id, sidecar.file.sha256, sidecar)


def _embed(picture: Path, sidecar: Sidecar) -> Sidecar:
    """Write the provenance into the picture; return the sidecar with its new hash and size, or with a warning where it was not written."""
    if not xmp.embed(picture, xmp.make_packet(sidecar)):
        kept = "the provenance is not in the picture: it has XMP or a signature of its own, which is kept"
        return sidecar.model_copy(update={"warnings": (*sidecar.warnings, kept)})
    file = {"sha256": hash_file(picture), "original_sha256": sidecar.file.sha256, "bytes": picture.stat().st_size}
    return sidecar.model_copy(update={"file": sidecar.file.model_copy(update=file)})


async def traced(journal: Journal, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return an input for the sidecar, with the path of the file of the store that has its content, if there is one."""
    if given.get("asset") or not given.get("sha256"):
        return given
    paths = await journal.paths_of(given["sha256"])
    # Of several equal files, the one that was named; else the first that was stored.
    named = [path for path in paths if given.get("from", "").endswith(path)]
    return {**given, "asset": (named or paths)[0]} if paths else given
