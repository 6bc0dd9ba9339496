"""A folder as the store's place: a file is written under a temporary name on the same file system, and renamed once."""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
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
        root: The folder; it is made when the first file comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)
        self.scratch = root / ".genmedia" / "incoming"

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Let in one writer at a time, across all processes."""
        file = self.root / ".genmedia" / "publishing.lock"
        try:
            lock = open(file, "w", opener=opener)  # noqa: SIM115 # Path.open takes no opener; it is closed below
        except OSError as error:
            raise explain(f"{self.label} cannot be written", error) from None
        with lock:
            # Asked for repeatedly: threads that wait for the lock would use up those that its holder needs.
            while not _is_mine(lock):  # noqa: ASYNC110 # the kernel has no event for it
                await asyncio.sleep(TURN_SECONDS)
            yield

    async def passable(self, path: str) -> str:
        """Return the path, with another name for each part that something else in the folder blocks."""

        async def stands_there(path: str) -> str:
            place = self.root / path
            try:
                kind = "directory" if place.is_dir() else "file" if place.is_file() else "other"
            except OSError as error:
                raise explain(f"{path} could not be looked for", error) from None
            return kind if os.path.lexists(place) else ""

        return await go_around(path, stands_there)

    async def claim(self, path: str, identity: str) -> bool:
        """Return True: the turn keeps other writers out."""
        del path, identity
        return True

    async def unclaim(self, path: str, identity: str) -> None:
        """Do nothing: a folder has no claims."""

    async def put(self, source: Path, path: str) -> None:
        """Rename a file, after its bytes are written to the disk."""
        try:
            await asyncio.to_thread(_move, source, self.root / path)
        except OSError as error:
            raise explain(f"{path} could not be stored", error) from None

    async def read(self, path: str, most: int | None = None) -> bytes:
        """Read a small file, or the first bytes of a file."""
        try:
            return await asyncio.to_thread(_read, self.root / path, most)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise explain(f"{path} could not be read", error) from None

    async def copy(self, path: str) -> Path:
        """Return the path of the file itself."""
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
        """Size of a file in bytes; None when there is none."""
        try:
            return _size(self.root / path)
        except OSError as error:  # such as a name longer than the file system takes
            raise explain(f"{path} could not be read", error) from None

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Sizes of those of the files that are there: a folder tells each of them at once."""
        found = {path: await self.size(path) for path in paths}
        return {path: size for path, size in found.items() if size is not None}

    async def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        """Yield every file, in order of path: its path, its size in bytes, and a text of its time of writing and its inode number."""
        for found in sorted(await asyncio.to_thread(lambda: list(_files_below(self.root)))):
            yield found

    async def sweep(self, seconds: float) -> int:
        """Remove incoming files of crashed processes that are older than `seconds`; return the number of files removed."""
        return await asyncio.to_thread(sweep_folder, self.scratch, seconds)

    def address(self, path: str) -> str:
        """Address of a file: `file://` and its path."""
        return (self.root / path).absolute().as_uri()

    async def link(self, path: str, seconds: float) -> str:
        """Return an empty text: a folder has no links for others."""
        del path, seconds
        return ""

    async def aclose(self) -> None:
        """Do nothing: a folder has nothing open."""


def sweep_folder(folder: Path, seconds: float) -> int:
    """Remove the files of a folder that are older than `seconds`; return the number of files removed.

    Raises:
        StoreError: A file cannot be removed.
    """
    removed = 0
    try:
        for file in folder.glob("*"):
            with suppress(FileNotFoundError):  # other processes add and remove files here at the same time
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
    """Yield every file below a folder. Links are followed, as in publishing; a name that is not valid UTF-8 is none of the store's."""
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
                with suppress(OSError):  # such as a link that leads to itself
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
