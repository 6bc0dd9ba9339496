"""Which store, and which journal, a command is about."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

from genmedia.cli.project import find_project
from genmedia.errors import SettingsError
from genmedia.journal import Journal
from genmedia.offers import Saved
from genmedia.store import Place, Store

T = TypeVar("T")


class _Keeper(Protocol):
    def get_store(self) -> AbstractAsyncContextManager[Store]: ...
    def get_journal(self) -> AbstractAsyncContextManager[Journal]: ...


@dataclass(frozen=True)
class _Folder:
    """A store in a folder, without a block."""

    place: Place

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        return Store.lease(self.place)

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        return Journal.lease(self.place.journal_url())


@dataclass(frozen=True)
class Where:
    """Which store a person means.

    Attributes:
        store: The name of a saved Asset Store block.
        folder: In its stead, a folder on this machine; then neither Prefect nor a project is needed.
        project: The project's folder; found upwards from here by default.
    """

    store: str
    folder: Path | None
    project: Path | None

    async def keeper(self) -> _Keeper:
        """What hands out the store and its journal.

        Raises:
            SettingsError: There is no such folder or block.
            UnreachableError: No Prefect server answers.
        """
        if self.folder:
            if not self.folder.is_dir():
                raise SettingsError(f"{self.folder} is no folder", money="", advice="Name a store's folder with --folder.")
            return _Folder(Place(str(self.folder.resolve())))
        project = find_project(self.project)
        await project.module("deployments.server").reach_server()
        blocks = project.module("blocks")
        block = await blocks.load_block(blocks.AssetStore, self.store)
        return cast("_Keeper", block.model_copy(update={"root": block.place.below(project.folder).root}))

    async def accounts(self) -> list[Saved]:
        """The accounts that are saved in Prefect.

        Raises:
            SettingsError: There is no such project.
            UnreachableError: No Prefect server answers.
        """
        return await find_project(self.project).module("deployments.server").saved_credentials()

    def work(self, do: Callable[[Journal], Awaitable[T]]) -> T:
        """Have something done with the journal.

        Raises:
            SettingsError: There is no such store.
            UnreachableError: No Prefect server answers.
        """

        async def done() -> T:
            async with (await self.keeper()).get_journal() as journal:
                return await do(journal)

        return asyncio.run(done())

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Store]:
        """The store."""
        async with (await self.keeper()).get_store() as store:
            yield store
