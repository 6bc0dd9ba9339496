"""The interface of any place for files, and the errors for its faults."""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path, PurePosixPath
from typing import Protocol

from genmedia import errors


class Files(Protocol):
    """Files by their paths below a root, with `/` between the parts.

    Every method raises a `StoreError` where the place refuses; `read` and `copy` raise `FileNotFoundError` where there is no such file.

    Attributes:
        label: Name of the place for people: a folder's path, a bucket's address. It contains no secret.
        scratch: A local folder for incoming files.
    """

    label: str
    scratch: Path

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Keep other writers out inside the block, as far as this place can: a path found free is still free when it is taken."""
        ...

    async def passable(self, path: str) -> str:
        """Return the path of a file, with another name for each part that something else blocks, also for its sidecar, the path with `.json`.

        Where folders are real, a file blocks a folder, and anything that is not a file blocks a file.
        """
        ...

    async def claim(self, path: str, identity: str) -> bool:
        """Claim a path; return True if no other identity claims it. To be called in a turn, where others may want the path."""
        ...

    async def unclaim(self, path: str, identity: str) -> None:
        """Remove the claim, once the path is taken or not wanted."""
        ...

    async def put(self, source: Path, path: str) -> None:
        """Publish a local file in one step; `source` may be gone afterwards."""
        ...

    async def read(self, path: str, most: int | None = None) -> bytes:
        """Read a small file; with `most`, of a file that is not empty and may be large, at most that many of its first bytes."""
        ...

    async def copy(self, path: str) -> Path:
        """Return the path of a local file with the content, only for reading."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file and its copy on this machine; a file that is not there is no error."""
        ...

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        ...

    async def size(self, path: str) -> int | None:
        """Size of a file in bytes; None when there is none."""
        ...

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return the size in bytes of each of these files that is there, by path: the same as many calls of `size`, in fewer requests."""
        ...

    def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        """Yield every file, in order of path: its path, its size in bytes, and a text that changes when the content changes."""
        ...

    async def sweep(self, seconds: float) -> int:
        """Remove incoming files of crashed processes that are older than `seconds`; return the number of files removed."""
        ...

    def address(self, path: str) -> str:
        """Address of a file, for people and programs that have the right to read it."""
        ...

    async def link(self, path: str, seconds: float) -> str:
        """Return a web address that anybody can read for `seconds`; empty where the place makes none."""
        ...

    async def aclose(self) -> None:
        """Close the connections, if there are any."""
        ...


_BY_NUMBER: dict[int | None, type[errors.StoreError]] = {
    errno.ENOSPC: errors.StoreFullError,
    errno.EDQUOT: errors.StoreFullError,
    errno.EACCES: errors.StoreDeniedError,
    errno.EPERM: errors.StoreDeniedError,
    errno.EROFS: errors.StoreDeniedError,
}

_DENIED = "Check who owns the folder and who may write there, or name another folder in the store's block."
"""Advice for a folder: the general advice speaks of a key, and a folder has none."""


def explain(what: str, error: OSError) -> errors.StoreError:
    """Return the error for a fault of the operating system, by its cause.

    Args:
        what: The failure in words, such as "media/a.png could not be stored".
        error: The fault.
    """
    kind = _BY_NUMBER.get(error.errno, errors.StoreError)
    return kind(f"{what}: {error.strerror or error}", advice=_DENIED if kind is errors.StoreDeniedError else None)


async def go_around(path: str, stands_there: Callable[[str], Awaitable[str]]) -> str:
    """Return the path of a file, with a dash added to each name in it that something else blocks.

    Args:
        path: Path wanted for the file; its sidecar goes beside it.
        stands_there: Tells what is at a path: `file`, `directory`, another word for anything else, or an empty text for nothing.
    """
    *folders, name = PurePosixPath(path).parts
    way = PurePosixPath()
    for folder in folders:
        way /= folder
        while await stands_there(str(way)) not in ("", "directory"):
            way = way.with_name(f"{way.name}-")
    file = way / name
    while {await stands_there(str(file)), await stands_there(f"{file}.json")} - {"", "file"}:
        file = file.with_stem(f"{file.stem}-")
    return str(file)
