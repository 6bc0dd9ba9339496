"""What any place for files can do for the store, and how its faults are told."""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path, PurePosixPath
from typing import Protocol

from genmedia import errors


class Files(Protocol):
    """Files by their paths below a root, with `/` between the parts.

    Every method raises a `StoreError` that says what the place refused, `FileNotFoundError` where one file is asked for that is not there.

    Attributes:
        label: What people call the place: a folder's path, a bucket's address. Holds no secret.
        scratch: A local folder for files on their way in.
    """

    label: str
    scratch: Path

    def turn(self) -> AbstractAsyncContextManager[None]:
        """What is found free inside is still free when it is taken, as far as this place can promise."""
        ...

    async def passable(self, path: str) -> str:
        """The path of a file and, with `.json` behind it, its sidecar, with another name for each part that something else is in the way of.

        Where folders are real, that is a file in a folder's place, and whatever is no file in a file's.
        """
        ...

    async def claim(self, path: str, identity: str) -> bool:
        """Whether nobody with another identity is about to take this path; to be called in a turn."""
        ...

    async def unclaim(self, path: str, identity: str) -> None:
        """Give the claim back, once the path is taken or left alone."""
        ...

    async def put(self, source: Path, path: str) -> None:
        """Publish a local file in one step; `source` may be gone afterwards."""
        ...

    async def read(self, path: str, most: int | None = None) -> bytes:
        """A small file's content; of one that is not empty and may be large, the first bytes: so many at most."""
        ...

    async def copy(self, path: str) -> Path:
        """A local file with the content, to be read only."""
        ...

    async def remove(self, path: str) -> None:
        """Remove a file, and what was copied of it to this machine; one that is not there is removed already."""
        ...

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        ...

    async def size(self, path: str) -> int | None:
        """How many bytes a file has; None when there is none."""
        ...

    def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        """Every file, in order of path: its bytes, and what is another text once it has another content."""
        ...

    async def sweep(self, seconds: float) -> int:
        """Remove what crashed processes left on its way in, once it is that old; how many."""
        ...

    def address(self, path: str) -> str:
        """Where a person or a program finds the file; needs the right to read it."""
        ...

    async def link(self, path: str, seconds: float) -> str:
        """An https address that anybody can read for so long; empty where there is none."""
        ...

    async def aclose(self) -> None:
        """Free what it holds."""
        ...


_BY_NUMBER: dict[int | None, type[errors.StoreError]] = {
    errno.ENOSPC: errors.StoreFullError,
    errno.EDQUOT: errors.StoreFullError,
    errno.EACCES: errors.StoreDeniedError,
    errno.EPERM: errors.StoreDeniedError,
    errno.EROFS: errors.StoreDeniedError,
}

_DENIED = "Check who owns the folder and who may write there, or name another folder in the store's block."
"""A folder has no key."""


def explain(what: str, error: OSError) -> errors.StoreError:
    """The error by its cause.

    Args:
        what: What was tried, such as "media/a.png could not be stored".
        error: What the operating system said.
    """
    kind = _BY_NUMBER.get(error.errno, errors.StoreError)
    return kind(f"{what}: {error.strerror or error}", advice=_DENIED if kind is errors.StoreDeniedError else None)


async def go_around(path: str, stands_there: Callable[[str], Awaitable[str]]) -> str:
    """The path of a file, with a dash added to each name in it that something else is in the way of.

    Args:
        path: Where the file, and its sidecar beside it, are to go.
        stands_there: What is at a path: `file`, `directory`, another word for what is neither, or nothing.
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
