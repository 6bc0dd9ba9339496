"""A folder as the store's place: bytes to a temporary name on the same file system, then one rename."""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import IO

from genmedia.media.hashing import hash_file
from genmedia.store.files import explain, go_around
from genmedia.store.private import file_mode, make_folder, opener

TURN_SECONDS = 0.005


class LocalFiles:
    """A folder; see `Files`.

    Args:
        root: The folder; it is made when something comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)
        self.scratch = root / ".genmedia" / "incoming"

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """One at a time, in all processes."""
        file = self.root / ".genmedia" / "publishing.lock"
        try:
            lock = open(file, "w", opener=opener)  # noqa: SIM115 # a path's own takes no opener; it is closed below
        except OSError as error:
            raise explain(f"{self.label} cannot be written", error) from None
        with lock:
            # Asked for again and again: threads that wait for it would take those that its holder needs.
            while not _is_mine(lock):  # noqa: ASYNC110 # the kernel has no event for it
                await asyncio.sleep(TURN_SECONDS)
            yield

    async def passable(self, path: str) -> str:
        """The path, around what stands in the folder."""

        async def stands_there(path: str) -> str:
            place = self.root / path
            try:
                kind = "directory" if place.is_dir() else "file" if place.is_file() else "other"
            except OSError as error:
                raise explain(f"{path} could not be looked for", error) from None
            return kind if os.path.lexists(place) else ""

        return await go_around(path, stands_there)

    async def claim(self, path: str, identity: str) -> bool:
        """The turn is enough."""
        del path, identity
        return True

    async def unclaim(self, path: str, identity: str) -> None:
        """There is nothing to give back."""

    async def put(self, source: Path, path: str) -> None:
        """Rename, and only bytes that are on the disk already."""
        try:
            await asyncio.to_thread(_move, source, self.root / path)
        except OSError as error:
            raise explain(f"{path} could not be stored", error) from None

    async def read(self, path: str, most: int | None = None) -> bytes:
        """A small file's content, or its beginning."""
        try:
            return await asyncio.to_thread(_read, self.root / path, most)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise explain(f"{path} could not be read", error) from None

    async def copy(self, path: str) -> Path:
        """The file itself."""
        if await self.size(path) is None:
            raise FileNotFoundError(path)
        return self.root / path

    async def remove(self, path: str) -> None:
        """Remove a file."""
        try:
            await asyncio.to_thread((self.root / path).unlink, missing_ok=True)
        except OSError as error:
            raise explain(f"{path} could not be removed", error) from None

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        try:
            return await asyncio.to_thread(hash_file, self.root / path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(f"{path} could not be read", error) from None

    async def size(self, path: str) -> int | None:
        """How many bytes a file has; None when there is none."""
        try:
            return _size(self.root / path)
        except OSError as error:  # such as a name longer than the file system takes
            raise explain(f"{path} could not be read", error) from None

    async def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        """Every file and its bytes, in order of path, with the time it was written and its number."""
        for found in sorted(await asyncio.to_thread(lambda: list(_files_below(self.root)))):
            yield found

    async def sweep(self, seconds: float) -> int:
        """Remove what crashed processes left on its way in, once it is that old; how many."""
        return await asyncio.to_thread(sweep_folder, self.scratch, seconds)

    def address(self, path: str) -> str:
        """Its `file://` address."""
        return (self.root / path).absolute().as_uri()

    async def link(self, path: str, seconds: float) -> str:
        """A folder is read by nobody else."""
        del path, seconds
        return ""

    async def aclose(self) -> None:
        """A folder holds nothing open."""


def sweep_folder(folder: Path, seconds: float) -> int:
    """Remove the files of a folder that are so old; how many.

    Raises:
        StoreError: One cannot be removed.
    """
    removed = 0
    try:
        for file in folder.glob("*"):
            with suppress(FileNotFoundError):  # files come and go here while others work
                if time() - file.stat().st_mtime > seconds:
                    file.unlink()
                    removed += 1
    except OSError as error:
        raise explain(f"{folder} could not be swept", error) from None
    return removed


def _read(file: Path, most: int | None) -> bytes:
    with file.open("rb") as content:
        return content.read(most)


def _size(file: Path) -> int | None:
    found = _look_at(file)
    return None if found is None else found.st_size


def _look_at(file: Path) -> os.stat_result | None:
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _files_below(root: Path) -> Iterator[tuple[str, int, str]]:
    """Links are followed, as they are when something is published behind them; a name that is no text was given by somebody else."""
    seen = set[str]()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for path in (Path(folder, name) for name in names):
            with suppress(UnicodeEncodeError):
                below = path.relative_to(root).as_posix()
                below.encode()
                with suppress(OSError):  # a link that leads round in a circle
                    if found := _look_at(path):
                        yield below, found.st_size, f"{found.st_mtime_ns} {found.st_ino}"


def _is_mine(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _move(source: Path, target: Path) -> None:
    make_folder(target.parent)
    with suppress(OSError):  # not every file system has modes
        source.chmod(file_mode(target.parent))
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
