"""A store's place in memory; what a process claimed is free when it is killed, as with the locks of a folder."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from tests.simulation.loop import Lane, current_lane


class Shelf:
    """The files; see `genmedia.store.files.Files`.

    Args:
        scratch: Folder for incoming files.
        comes: Awaited before each change.
    """

    def __init__(self, scratch: Path, comes: Callable[[str], Awaitable[None]]) -> None:
        self.label = "shelf"
        self.scratch = scratch
        self.files: dict[str, bytes] = {}
        self._comes = comes
        self._claims: dict[str, tuple[str, Lane | None]] = {}

    def turn(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def passable(self, path: str) -> str:
        return path

    async def claim(self, path: str, identity: str) -> bool:
        await self._comes("claim")
        claimed = self._claims.get(path)
        if claimed and claimed[0] != identity and not (claimed[1] and claimed[1].killed):
            return False
        self._claims[path] = identity, current_lane()
        return True

    async def unclaim(self, path: str, identity: str) -> None:
        if self._claims.get(path, ("", None))[0] == identity:
            del self._claims[path]

    async def put(self, source: Path, path: str) -> None:
        await self._comes(f"{path} is put into the store")
        self.files[path] = source.read_bytes()

    async def read(self, path: str, most: int | None = None) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path][:most]

    async def copy(self, path: str) -> Path:
        raise NotImplementedError(path)

    async def remove(self, path: str) -> None:
        self.files.pop(path, None)

    async def digest(self, path: str) -> str | None:
        return hashlib.sha256(self.files[path]).hexdigest() if path in self.files else None

    async def size(self, path: str) -> int | None:
        return len(self.files[path]) if path in self.files else None

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        return {path: len(self.files[path]) for path in paths if path in self.files}

    async def walk(self) -> AsyncIterator[tuple[str, int, str]]:
        for path, content in sorted(self.files.items()):
            yield path, len(content), ""

    async def sweep(self, seconds: float) -> int:
        del seconds
        return 0

    def address(self, path: str) -> str:
        return path

    async def link(self, path: str, seconds: float) -> str:
        del path, seconds
        return ""

    async def aclose(self) -> None:
        pass
