"""What any place for files can do for the store, and how its faults are told."""

import errno
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
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

    async def claim(self, path: str, identity: str) -> bool:
        """Whether nobody with another identity is about to take this path; to be called in a turn."""
        ...

    async def unclaim(self, path: str, identity: str) -> None:
        """Give the claim back, once the path is taken or left alone."""
        ...

    async def put(self, source: Path, path: str) -> None:
        """Publish a local file in one step; `source` may be gone afterwards."""
        ...

    async def read(self, path: str) -> bytes:
        """A small file's content."""
        ...

    async def copy(self, path: str) -> Path:
        """A local file with the content, to be read only."""
        ...

    async def digest(self, path: str) -> str | None:
        """SHA-256 of a file's content; None when there is none."""
        ...

    async def has(self, path: str) -> bool:
        """Whether there is such a file."""
        ...

    def walk(self) -> AsyncIterator[str]:
        """Every file, in order of path."""
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


def explain(what: str, error: OSError) -> errors.StoreError:
    """The error by its cause.

    Args:
        what: What was tried, such as "media/a.png could not be stored".
        error: What the operating system said.
    """
    return _BY_NUMBER.get(error.errno, errors.StoreError)(f"{what}: {error.strerror or error}")
