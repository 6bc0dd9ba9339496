"""The store: where paid files end up, whole or not at all, each with a sidecar that says where it came from.

The commit protocol: bytes to a temporary name on the same file system, hashed while they stream in, verified, then one rename, then the
sidecar `<file>.json`. A reader never sees half a file; a crash leaves at most an orphan that `sweep` removes.
"""

import asyncio
import fcntl
import json
import os
import re
import string
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath
from time import time
from typing import Any, cast
from uuid import uuid4

import fsspec
from fsspec.implementations.local import LocalFileSystem

from genmedia.errors import SettingsError, StoreError
from genmedia.http import DOWNLOAD_BYTES
from genmedia.keys import hash_file

DEFAULT_TEMPLATE = "{campaign}/{step}/{output}-{key}.{ext}"
FIELDS = ("campaign", "step", "provider", "account", "operation", "output", "take", "key", "sha256", "date", "ext")
"""What a path template may name. `key` and `sha256` are the first 8 hex digits; every value is cut down to letters, digits, `.`, `-`, `_`."""

SIDECAR_VERSION = 1
ORPHAN_SECONDS = 24 * 3600.0

_RESERVED = {".genmedia", "quarantine"}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Incoming:
    """A file on its way in: bytes at `path`, a thumbnail at `thumbnail` once somebody made one."""

    path: Path
    thumbnail: Path


class Store:
    """A folder of assets.

    Args:
        root: A local folder, as a path or a `file://` address.
        template: Where an asset goes below the root; see `FIELDS`.
        max_bytes: The largest file taken in.

    Raises:
        SettingsError: The root is not local, or the template names something unknown or leaves the root.
    """

    def __init__(self, root: str, *, template: str = DEFAULT_TEMPLATE, max_bytes: int = DOWNLOAD_BYTES) -> None:
        try:
            found = cast("tuple[Any, str]", fsspec.url_to_fs(root))
        except (ValueError, ImportError) as error:
            raise SettingsError(f"{root!r} cannot be a store: {error}", advice="Use a local folder.") from None
        if not isinstance(found[0], LocalFileSystem):
            raise SettingsError(f"{root!r} cannot be a store", advice="Use a local folder; other storage is not supported yet.")
        self.root = Path(found[1])
        self.max_bytes = max_bytes
        self._template = _check_template(template)
        self._inside = self.root / ".genmedia"

    @contextmanager
    def incoming(self) -> Generator[Incoming]:
        """A place for one file on its way in; whatever is still there at the end is removed.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder = self._inside / "incoming"
        name = uuid4().hex
        incoming = Incoming(folder / name, folder / f"{name}.webp")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            incoming.path.touch(mode=0o644)
        except OSError as error:
            raise StoreError(f"{self.root} cannot be written: {error.strerror}") from None
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
            StoreError: The disk refused.
        """
        return await asyncio.to_thread(self._publish, incoming, names, sidecar)

    def _publish(self, incoming: Incoming, names: Mapping[str, str], sidecar: dict[str, Any]) -> str:
        path = wanted = self._template.format(**{name: _safe(names[name]) for name in FIELDS})
        try:
            with self._turn():
                path = self._free_path(wanted, sidecar)
                sidecar = {**sidecar, "file": {**sidecar["file"], "path": path}}
                if incoming.thumbnail.exists():
                    _move(incoming.thumbnail, self.thumbnail(sidecar["file"]["sha256"]))
                _move(incoming.path, self.root / path)
                with self.incoming() as note:
                    note.path.write_text(json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
                    _move(note.path, self.root / f"{path}.json")
        except OSError as error:
            raise StoreError(f"{path} could not be stored: {error.strerror}") from None
        return path

    @contextmanager
    def _turn(self) -> Generator[None]:
        """One at a time, in all processes: between finding a free path and taking it nobody else may take it."""
        with (self._inside / "publishing.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _free_path(self, wanted: str, sidecar: dict[str, Any]) -> str:
        """`wanted`; with the hash added, and a number, where another asset has it, so that nothing paid for is written over."""
        path = PurePosixPath(wanted)
        marked = f"{path.stem}-{sidecar['file']['sha256'][:8]}"
        others = (path.with_name(f"{marked}{number}{path.suffix}") for number in chain([""], (f"-{n}" for n in count(2))))
        return next(str(one) for one in chain([path], others) if not self._holds_other(self.root / one, sidecar))

    def _holds_other(self, target: Path, sidecar: dict[str, Any]) -> bool:
        """Whether another asset stands there. The same output of the same submission may be stored again, over itself."""
        if not target.exists():
            return False
        if hash_file(target) != sidecar["file"]["sha256"]:
            return True
        there = _read_json(target.with_name(f"{target.name}.json"))
        return there is not None and _identity(there) != _identity(sidecar)  # without one, its process died on the way

    async def quarantine(self, incoming: Incoming, evidence: dict[str, Any]) -> str:
        """Keep a file that was refused, with what was wrong with it; returns its path below the root."""
        name = f"quarantine/{evidence['submission_key'][:8]}-{_safe(evidence['output'])}-{uuid4().hex[:8]}"

        def move() -> None:
            (self.root / "quarantine").mkdir(parents=True, exist_ok=True)
            _move(incoming.path, self.root / name)
            (self.root / f"{name}.json").write_text(json.dumps(evidence, indent=2) + "\n", encoding="utf-8")

        try:
            await asyncio.to_thread(move)
        except OSError as error:
            raise StoreError(f"{name} could not be kept: {error.strerror}") from None
        return name

    def has(self, path: str) -> bool:
        """Whether the asset and its sidecar are there."""
        return (self.root / path).is_file() and (self.root / f"{path}.json").is_file()

    def thumbnail(self, digest: str) -> Path:
        """Where the thumbnail of the content with this SHA-256 stands, if it has one."""
        return self._inside / "thumbnails" / f"{digest}.webp"

    def sidecar_files(self) -> Iterator[Path]:
        """Every file that may be a sidecar, in order of path."""
        for file in sorted(self.root.rglob("*.json")):
            if file.relative_to(self.root).parts[0] not in _RESERVED:
                yield file

    def sidecars(self) -> Iterator[dict[str, Any]]:
        """The content of every sidecar, in order of path; what is damaged or not ours is passed over."""
        for file in self.sidecar_files():
            content = _read_json(file)
            if isinstance(content, dict) and "genmedia" in content:
                yield cast("dict[str, Any]", content)

    def sweep(self) -> int:
        """Remove what crashed processes left on its way in, once it is a day old; returns how many files."""
        removed = 0
        for file in (self._inside / "incoming").glob("*"):
            with suppress(FileNotFoundError):  # files come and go here while others work
                if time() - file.stat().st_mtime > ORPHAN_SECONDS:
                    file.unlink()
                    removed += 1
        return removed


def _read_json(file: Path) -> Any:
    """None for what is not JSON or is gone: other people's files are no concern of the store."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _check_template(template: str) -> str:
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        example = template.format(**dict.fromkeys(FIELDS, "x"))
    except (ValueError, LookupError, AttributeError):
        named, example = {"?"}, ""
    unknown = named - set(FIELDS)
    if unknown or not example or example.startswith("/") or ({".."} | _RESERVED) & set(example.split("/")):
        raise SettingsError(
            f"{template!r} cannot be a path template",
            advice=f"Use a path below the store's root made of {', '.join(f'{{{name}}}' for name in FIELDS)}.",
        )
    return template


def _safe(value: str) -> str:
    """Names from a provider never become paths: what is not a plain character goes, and so do leading dots."""
    name = _UNSAFE.sub("-", value).lstrip(".-")[:80] or "x"
    return f"{name}-" if name in _RESERVED else name


def _identity(sidecar: Any) -> tuple[Any, ...]:
    try:
        return sidecar["submission_key"], sidecar["output"]["id"]
    except (LookupError, TypeError):
        return ()


def _move(source: Path, target: Path) -> None:
    """Publish in one step, and only bytes that are on the disk already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
