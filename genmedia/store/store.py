"""Names, sidecars and the order of things.

The commit protocol: bytes to a temporary name, hashed while they stream in, verified, then one publish, then the sidecar `<file>.json`. A
reader never sees half a file; a crash leaves at most an orphan that `sweep` removes.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from genmedia.http import DOWNLOAD_BYTES
from genmedia.leasing import leased
from genmedia.store.files import Files, explain
from genmedia.store.place import Place
from genmedia.store.template import DEFAULT_TEMPLATE, RESERVED, check_template, fill_in, safe

ORPHAN_SECONDS = 24 * 3600.0
READ_AT_ONCE = 32
THUMBNAILS = ".genmedia/thumbnails/"


@dataclass(frozen=True)
class Incoming:
    """A file on its way in: bytes at `path`, a thumbnail at `thumbnail` once somebody made one."""

    path: Path
    thumbnail: Path


class Store:
    """Assets in one place; get it with `Store.lease`.

    Args:
        files: The place.
        template: Where an asset goes below the root; see `FIELDS`.
        max_bytes: The largest file taken in.
        embed_provenance: Whether pictures get their provenance written into them (XMP).

    Raises:
        SettingsError: The template names something unknown or leaves the root.
    """

    def __init__(
        self,
        files: Files,
        *,
        template: str = DEFAULT_TEMPLATE,
        max_bytes: int = DOWNLOAD_BYTES,
        embed_provenance: bool = False,
    ) -> None:
        self.files = files
        self.max_bytes = max_bytes
        self.embed_provenance = embed_provenance
        self._template = check_template(template)

    @classmethod
    def lease(
        cls,
        place: Place | str,
        *,
        template: str = DEFAULT_TEMPLATE,
        max_bytes: int = DOWNLOAD_BYTES,
        embed_provenance: bool = False,
    ) -> AbstractAsyncContextManager["Store"]:
        """The store at a place on this event loop: shared while anybody holds it, closed with the last.

        Args:
            place: Where it is; a bare address stands for a place that needs nothing more.
            template: Where an asset goes below the root; see `FIELDS`.
            max_bytes: The largest file taken in.
            embed_provenance: Whether pictures get their provenance written into them (XMP).

        Raises:
            SettingsError: The place or the template cannot be used.
        """
        place = Place(place) if isinstance(place, str) else place
        return leased(
            ("store", place, template, max_bytes, embed_provenance),
            lambda: cls(place.open(), template=template, max_bytes=max_bytes, embed_provenance=embed_provenance),
        )

    async def aclose(self) -> None:
        """Close its connections."""
        await self.files.aclose()

    @property
    def label(self) -> str:
        """What people call the place."""
        return self.files.label

    @contextmanager
    def incoming(self) -> Generator[Incoming]:
        """A place on this machine for one file on its way in; whatever is still there at the end is removed.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder, name = self.files.scratch, uuid4().hex
        incoming = Incoming(folder / name, folder / f"{name}.webp")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            incoming.path.touch(mode=0o644)
        except OSError as error:
            raise explain(f"{self.label if folder.is_relative_to(self.label) else folder} cannot be written", error) from None
        try:
            yield incoming
        finally:
            incoming.path.unlink(missing_ok=True)
            incoming.thumbnail.unlink(missing_ok=True)

    async def publish(self, incoming: Incoming, names: Mapping[str, str], sidecar: dict[str, Any]) -> str:
        """Give a verified file its name and write its sidecar; returns its path below the root.

        Args:
            incoming: The file.
            names: A value for each of `FIELDS`.
            sidecar: What is known about it; `file.path` is filled in here.

        Raises:
            StoreError: The place refused.
        """
        async with self.files.turn():
            identity = hashlib.sha256(json.dumps([_identity(sidecar), sidecar["file"]["sha256"]]).encode()).hexdigest()
            path = await self._free_path(fill_in(self._template, names), sidecar, identity)
            try:
                sidecar = {**sidecar, "file": {**sidecar["file"], "path": path}}
                if incoming.thumbnail.exists():
                    await self.files.put(incoming.thumbnail, thumbnail_path(sidecar["file"]["sha256"]))
                await self.files.put(incoming.path, path)
                await self.write(f"{path}.json", [json.dumps(sidecar, indent=2, ensure_ascii=False), "\n"])
            finally:
                await self.files.unclaim(path, identity)
        return path

    async def write(self, path: str, parts: Iterable[str]) -> None:
        """Publish a text of the store's own, such as a sidecar or a page.

        Args:
            path: Where it goes; what stands there is replaced.
            parts: The text, one piece after the other.

        Raises:
            StoreError: The place refused.
        """
        with self.incoming() as note:
            try:
                with note.path.open("w", encoding="utf-8") as file:
                    file.writelines(parts)
            except OSError as error:
                raise explain(f"{path} could not be written", error) from None
            await self.files.put(note.path, path)

    async def _free_path(self, wanted: str, sidecar: dict[str, Any], identity: str) -> str:
        """`wanted`; with the hash added, and a number, where another asset has it, so that nothing paid for is written over."""
        path = PurePosixPath(wanted)
        marked = f"{path.stem}-{sidecar['file']['sha256'][:8]}"
        others = (str(path.with_name(f"{marked}{number}{path.suffix}")) for number in chain([""], (f"-{n}" for n in count(2))))
        for candidate in chain([wanted], others):
            free = False
            try:
                free = await self.files.claim(candidate, identity) and not await self._holds_other(candidate, sidecar)
                if free:
                    return candidate
            finally:
                if not free:
                    await self.files.unclaim(candidate, identity)
        raise AssertionError("the numbers never end")

    async def _holds_other(self, path: str, sidecar: dict[str, Any]) -> bool:
        """Whether another asset stands there. The same output of the same submission may be stored again, over itself."""
        digest = await self.files.digest(path)
        if digest is not None and digest != sidecar["file"]["sha256"]:
            return True
        # Without a sidecar, its process died on the way; a sidecar without its file keeps the place for it, should it come again.
        there = await self._read_json(f"{path}.json")
        return there is not None and _identity(there) != _identity(sidecar)

    async def quarantine(self, incoming: Incoming, evidence: dict[str, Any]) -> str:
        """Keep a file that was refused, with what was wrong with it; returns its path below the root."""
        name = f"quarantine/{evidence['submission_key'][:8]}-{safe(evidence['output'])}-{uuid4().hex[:8]}"
        await self.files.put(incoming.path, name)
        await self.write(f"{name}.json", [json.dumps(evidence, indent=2), "\n"])
        return name

    async def check(self) -> None:
        """Put a small file there as an asset is put, and read it back.

        Raises:
            StoreError: The place refuses.
        """
        path, identity = ".genmedia/check.txt", uuid4().hex
        try:
            await self.files.claim(path, identity)
            await self.write(path, ["Written to see that it can be.\n"])
            await self.files.read(path)
        finally:
            await self.files.unclaim(path, identity)

    async def has(self, path: str) -> bool:
        """Whether the asset and its sidecar are there."""
        return await self.files.has(path) and await self.files.has(f"{path}.json")

    async def asset(self, path: str) -> Path:
        """A local file with the content of an asset, to be read only.

        Raises:
            FileNotFoundError: There is none under this path, or it leads out of the store or into what is the store's own.
        """
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or not parts or parts[0] in RESERVED:
            raise FileNotFoundError(path)
        return await self.files.copy(path)

    async def thumbnail(self, digest: str) -> Path | None:
        """A local file with the thumbnail of the content with this SHA-256, if it has one."""
        try:
            return await self.files.copy(thumbnail_path(digest))
        except FileNotFoundError:
            return None

    async def read_all(self, paths: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
        """The content of many small files, in the order asked for; those that are gone meanwhile are passed over."""
        asked = iter(paths)
        while some := list(islice(asked, READ_AT_ONCE)):
            for path, content in zip(some, await asyncio.gather(*map(self._read, some)), strict=True):
                if content is not None:
                    yield path, content

    async def _read(self, path: str) -> bytes | None:
        try:
            return await self.files.read(path)
        except FileNotFoundError:
            return None

    async def sweep(self) -> int:
        """Remove what crashed processes left on its way in, once it is a day old; returns how many."""
        return await self.files.sweep(ORPHAN_SECONDS)

    async def _read_json(self, path: str) -> Any:
        """None for what is not JSON or is gone: other people's files are no concern of the store."""
        content = await self._read(path)
        try:
            return None if content is None else json.loads(content)
        except ValueError:
            return None


def thumbnail_path(digest: str) -> str:
    """Where the thumbnail of the content with this SHA-256 stands, if it has one."""
    return f"{THUMBNAILS}{digest}.webp"


def _identity(sidecar: Any) -> tuple[Any, ...]:
    try:
        return sidecar["submission_key"], sidecar["output"]["id"]
    except (LookupError, TypeError):
        return ()
