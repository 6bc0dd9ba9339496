"""The store: names, sidecars, and the order of the steps in which a file is stored.

The commit protocol: the bytes are written under a temporary name and hashed meanwhile, verified, published in one step, and followed by the
sidecar `<file>.json`. A reader never sees half a file; a crash leaves at most an orphan that `sweep` removes.
"""

import asyncio
import hashlib
import json
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from pydantic_core import from_json

from genmedia.concurrency import leased
from genmedia.store.files import Files, explain
from genmedia.store.location import Place
from genmedia.store.naming import DEFAULT_TEMPLATE, check_template, fill_in, is_own, safe
from genmedia.store.private import make_folder
from genmedia.store.sidecar import Bought, Evidence, Sidecar
from genmedia.transport.pace import DOWNLOAD_BYTES

ORPHAN_SECONDS = 24 * 3600.0
READ_AT_ONCE = 32
CLAIM_SECONDS = (0.02, 0.2)
"""Shortest and longest pause between two tries to claim a path that another writer claims, in seconds."""

SIDECAR_BYTES = 4 * 2**20
"""Longest sidecar, in bytes; a longer file is not read as one."""

THUMBNAILS = ".genmedia/thumbnails/"
FORGOTTEN = ".genmedia/forgotten/"


@dataclass(frozen=True)
class Incoming:
    """An incoming file: its bytes at `path`, and at `thumbnail` a thumbnail, once it was made."""

    path: Path
    thumbnail: Path


class Store:
    """Assets in one place; get it with `Store.lease`.

    Args:
        files: The place.
        template: Template of an asset's path below the root; see `FIELDS`.
        max_bytes: Size of the largest file that is accepted, in bytes.
        embed_provenance: True to write the provenance into pictures (XMP).

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
        """Lease the store at a place, on this event loop; leases share it, and the end of the last one closes it.

        Args:
            place: The place; an address alone, where the place needs nothing more.
            template: Template of an asset's path below the root; see `FIELDS`.
            max_bytes: Size of the largest file that is accepted, in bytes.
            embed_provenance: True to write the provenance into pictures (XMP).

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
        """Name of the place for people."""
        return self.files.label

    @contextmanager
    def incoming(self) -> Generator[Incoming]:
        """Make a place on this machine for one incoming file; files that are still there at the end are removed.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder, name = self.files.scratch, uuid4().hex
        incoming = Incoming(folder / name, folder / f"{name}.webp")
        try:
            make_folder(folder)
            incoming.path.touch(mode=0o600)
        except OSError as error:
            raise explain(f"{self.label if folder.is_relative_to(self.label) else folder} cannot be written", error) from None
        try:
            yield incoming
        finally:
            incoming.path.unlink(missing_ok=True)
            incoming.thumbnail.unlink(missing_ok=True)

    async def publish(self, incoming: Incoming, names: Mapping[str, str], sidecar: Sidecar, template: str = "") -> Sidecar:
        """Give a verified file its name and write its sidecar; return the sidecar as it was written, with `file.path`.

        A file of the same output that somebody has changed since it was stored is kept in quarantine, and a warning says so.

        Args:
            incoming: The file.
            names: A value for each of `FIELDS`.
            sidecar: The sidecar, still without the path.
            template: Template of its path; by default the one that the store has for assets.

        Raises:
            StoreError: The place refused.
        """
        async with self.files.turn():
            digest = sidecar.file.sha256
            identity = hashlib.sha256(json.dumps([sidecar.identity, digest], allow_nan=False).encode()).hexdigest()
            path = await self._free_path(fill_in(template or self._template, names), sidecar, identity)
            try:
                sidecar = sidecar.at(path)
                if changed := await self._put_aside(path, sidecar):
                    sidecar = sidecar.model_copy(update={"warnings": (*sidecar.warnings, changed)})
                if incoming.thumbnail.exists():
                    await self.files.put(incoming.thumbnail, thumbnail_path(digest))
                await self.files.put(incoming.path, path)
                await self.write_json(f"{path}.json", sidecar.write())
            finally:
                await self.files.unclaim(path, identity)
        return sidecar

    async def retell(self, path: str, fields: Mapping[str, Any]) -> None:
        """Change fields of an asset's sidecar; one that cannot be read is left as it is.

        Raises:
            StoreError: The place refused.
        """
        note = f"{path}.json"
        async with self.files.turn():
            identity = uuid4().hex
            try:
                while not await self.files.claim(note, identity):
                    await self.files.unclaim(note, identity)
                    await asyncio.sleep(random.uniform(*CLAIM_SECONDS))  # noqa: S311 # at random, so that two writers do not meet again
                told = await self._read_json(note)
                if _identity(told)[0] is not None and told != {**told, **fields}:
                    with suppress(ValueError):  # it has a number that JSON does not allow: no other program reads it either
                        await self.write_json(note, {**told, **fields})
            finally:
                await self.files.unclaim(note, identity)

    async def write(self, path: str, parts: Iterable[str]) -> None:
        """Publish a text of the store's own, such as a sidecar or a page.

        Args:
            path: Its path; a file that is there is replaced.
            parts: The text, one piece after the other.

        Raises:
            StoreError: The place refused.
        """
        with self.incoming() as note:
            try:
                # A name that is not UTF-8, such as an input's, must not keep a file out of the store.
                with note.path.open("w", encoding="utf-8", errors="replace") as file:
                    file.writelines(parts)
            except OSError as error:
                raise explain(f"{path} could not be written", error) from None
            await self.files.put(note.path, path)

    async def write_json(self, path: str, told: Mapping[str, Any]) -> None:
        """Publish JSON of the store's own, such as a sidecar, with a line for each field; see `write`.

        Raises:
            StoreError: The place refused.
            ValueError: It contains an infinite number or NaN.
        """
        await self.write(path, [json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False), "\n"])

    async def _free_path(self, wanted: str, sidecar: Sidecar, identity: str) -> str:
        """Return `wanted`; where another asset has that path, with the hash and then a number added, so that no paid file is written over.

        The numbers begin with the output's own: each of a job's many equal outputs finds a free path at once.
        """
        path = PurePosixPath(wanted)
        marked = f"{path.stem}-{sidecar.file.sha256[:8]}"
        numbers = (f"-{number}" for number in count(max(2, sidecar.output.number or 0)))
        others = (str(path.with_name(f"{marked}{number}{path.suffix}")) for number in chain([""], numbers))
        for one in chain([wanted], others):
            candidate, free = await self.files.passable(one), False
            try:
                free = await self.files.claim(candidate, identity) and not await self._holds_other(candidate, sidecar)
                if free:
                    return candidate
            finally:
                if not free:
                    await self.files.unclaim(candidate, identity)
        raise AssertionError("the numbers never end")

    async def _holds_other(self, path: str, sidecar: Sidecar) -> bool:
        """True if another asset has the path. The same output of the same submission may be stored again, over itself."""
        # A sidecar without its file keeps the path for that file, in case it is fetched again.
        there = await self._read_json(f"{path}.json")
        if there is not None and not _is_same_output(there, sidecar):
            return True
        digest = await self.files.digest(path)
        # A file without a sidecar is another asset, whose process died meanwhile; one that its sidecar does not match will be put aside.
        return digest not in (None, sidecar.file.sha256) and (there is None or digest == _digest_in(there))

    async def _put_aside(self, path: str, sidecar: Sidecar) -> str:
        """Copy the file at a path into quarantine, if its content is not the asset's; return a warning, or an empty text."""
        is_now = await self.files.digest(path)
        if is_now is None or is_now == sidecar.file.sha256:
            return ""
        was = _digest_in(await self._read_json(f"{path}.json"))
        what = f"{path} was changed after it was stored (was SHA-256 {was}, is {is_now})"
        file = await self.files.copy(path)
        with self.incoming() as incoming:
            await asyncio.to_thread(shutil.copyfile, file, incoming.path)
            size = incoming.path.stat().st_size
            bought = sidecar.model_dump(include=set(Bought.model_fields))
            output = sidecar.output.id
            kept = await self.quarantine(
                incoming, Evidence(**bought, output=output, sha256=is_now, bytes=size, error="changed", what=what)
            )
        return f"{what}: what stood there is kept as {kept}, and the job's own file is there again"

    async def why_changed(self, path: str, stored_as: str = "") -> str:
        """Return a message about an asset that is gone or was changed since it was stored; empty if it is as it was, or its hash is unknown.

        Args:
            path: The path of the asset.
            stored_as: SHA-256 that it was stored with; empty for the one in its sidecar, which somebody may have changed too.

        Raises:
            StoreError: The asset cannot be read.
        """
        was, is_now = stored_as or _digest_in(await self._read_json(f"{path}.json")), await self.files.digest(path)
        if is_now is None:
            return f"{path} is not there"
        if was in ("", is_now):
            return ""
        return (
            f"{path} was changed after it was stored (was SHA-256 {was}, is {is_now}): use it as a new input (`file: "
            f"{self.files.address(path)}`), or put the old one back, or remove it, and run again: it is fetched again, not bought again"
        )

    async def quarantine(self, incoming: Incoming, evidence: Evidence) -> str:
        """Keep a file that was refused, with the evidence of its fault; return its path below the root.

        Raises:
            StoreError: The place refused.
        """
        name = f"quarantine/{evidence.submission_key[:8]}-{safe(evidence.output)}-{uuid4().hex[:8]}"
        await self.files.put(incoming.path, name)
        await self.write_json(f"{name}.json", evidence.model_dump(mode="json", exclude_unset=True))
        return name

    async def check(self) -> None:
        """Write a small file as an asset is written, and read it back.

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

    async def has(self, path: str, size: int | None = None) -> bool:
        """True if the asset and its sidecar are there.

        Args:
            path: The path of the asset.
            size: Size that the asset must have, in bytes; None for any size.
        """
        found = await self.files.size(path)
        return found is not None and size in (None, found) and await self.files.size(f"{path}.json") is not None

    async def those_there(self, paths: Iterable[str]) -> Callable[[str, int | None], Awaitable[bool]]:
        """Look for many assets and their sidecars at once; return a function that tells of each what `has` would have told now."""
        found = await self.files.sizes([one for path in dict.fromkeys(paths) for one in (path, f"{path}.json")])

        async def has(path: str, size: int | None = None) -> bool:
            return path in found and size in (None, found[path]) and f"{path}.json" in found

        return has

    async def asset(self, path: str) -> Path:
        """Return the path of a local file with the content of an asset, only for reading.

        Raises:
            FileNotFoundError: There is no asset at this path, or the path leads out of the store or to a name of the store's own.
        """
        parts = PurePosixPath(path).parts
        if path.startswith("/") or ".." in parts or not parts or is_own(path):
            raise FileNotFoundError(path)
        return await self.files.copy(path)

    async def thumbnail(self, digest: str) -> Path | None:
        """Return the path of a local file with the thumbnail of the content with this SHA-256; None if there is none."""
        try:
            return await self.files.copy(thumbnail_path(digest))
        except FileNotFoundError:
            return None

    async def read_all(self, paths: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the path and the content of many small files, in the order asked for; files that are gone are left out."""
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
        """Remove incoming files of crashed processes that are more than a day old; return the number of files removed."""
        return await self.files.sweep(ORPHAN_SECONDS)

    async def _read_json(self, path: str) -> Any:
        """Read JSON; return None for a file that is gone, and an empty object for one that is no JSON or too long: it is not the store's."""
        size = await self.files.size(path)
        content = b"" if size is None or size > SIDECAR_BYTES else await self._read(path)
        try:
            return None if size is None or content is None else from_json(content)
        except ValueError:
            return {}


def thumbnail_path(digest: str) -> str:
    """Return the path of the thumbnail of the content with this SHA-256."""
    return f"{THUMBNAILS}{digest}.webp"


def forgotten_path(key: str, attempt: int, output: str, number: int) -> str:
    """Return the path of the sidecar, without prompts and texts, that is kept of an asset that a person removed for good."""
    name = hashlib.sha256(json.dumps([key, attempt, output, number], allow_nan=False).encode()).hexdigest()
    return f"{FORGOTTEN}{name}.json"


def _identity(sidecar: Any) -> tuple[Any, ...]:
    """Return the same as `Sidecar.identity` for JSON; each part is None where the JSON is no sidecar."""
    try:
        return sidecar["submission_key"], sidecar["output"]["id"], sidecar["output"].get("number")
    except (LookupError, TypeError, AttributeError):
        return None, None, None


def _is_same_output(there: Any, sidecar: Sidecar) -> bool:
    """True if two sidecars are of one output; where one of them tells no number, the names decide."""
    (*theirs, number), (*mine, my_number) = _identity(there), sidecar.identity
    return theirs == mine and (None in (number, my_number) or number == my_number)


def _digest_in(sidecar: Any) -> str:
    """Return the SHA-256 of the file that a sidecar tells; empty where it tells none."""
    try:
        return str(sidecar["file"]["sha256"])
    except (LookupError, TypeError):
        return ""
