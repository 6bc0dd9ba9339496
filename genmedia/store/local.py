"""A folder as the store's place: bytes to a temporary name on the same file system, then one rename."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import IO

from genmedia.keys import hash_file
from genmedia.store.files import explain

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
            lock = file.open("w")
        except OSError as error:
            raise explain(f"{self.label} cannot be written", error) from None
        with lock:
            # Asked for again and again: threads that wait for it would take those that its holder needs.
            while not _is_mine(lock):  # noqa: ASYNC110 # the kernel has no event for it
                await asyncio.sleep(TURN_SECONDS)
            yield

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

    async def read(self, path: str) -> bytes:
        """A small file's content."""
        try:
            return await asyncio.to_thread((self.root / path).read_bytes)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise explain(f"{path} could not be read", error) from None

    async def copy(self, path: str) -> Path:
        """The file itself."""
        if not await self.has(path):
            raise FileNotFoundError(path)
        return self.root / path

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        try:
            return await asyncio.to_thread(hash_file, self.root / path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(f"{path} could not be read", error) from None

    async def has(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            return (self.root / path).is_file()
        except OSError as error:  # such as a name longer than the file system takes
            raise explain(f"{path} could not be read", error) from None

    async def walk(self) -> AsyncIterator[str]:
        """Every file, in order of path."""
        for path in sorted(await asyncio.to_thread(lambda: list(_files_below(self.root)))):
            yield path

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


def _files_below(root: Path) -> Iterator[str]:
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
                if path.is_file():
                    yield below


def _is_mine(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
