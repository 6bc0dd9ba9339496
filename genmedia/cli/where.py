"""The store, and the journals, that a command is about."""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from genmedia.cli.printing import complain
from genmedia.cli.project import find_project
from genmedia.errors import GenmediaError, JournalUnreachableError, SettingsError
from genmedia.journal import Journal
from genmedia.store import Place, Store

if TYPE_CHECKING:  # whoever reads a journal should not wait for the providers' clients
    from genmedia.providers.offers import Saved
    from genmedia.providers.webhooks import Webhook

PATIENCE = 20.0
"""Longest wait for a journal, in seconds; after it the journal counts as unreachable."""

OWN = ("default", "sandbox")
"""The Asset Store blocks that mean the project's own `media` until a person says otherwise."""

T = TypeVar("T")


class _Keeper(Protocol):
    @property
    def place(self) -> Place: ...
    @property
    def journal_url(self) -> str: ...
    def get_store(self) -> AbstractAsyncContextManager[Store]: ...
    def get_journal(self) -> AbstractAsyncContextManager[Journal]: ...


@dataclass(frozen=True)
class _Folder:
    """A store in a folder, without a block."""

    place: Place

    def get_store(self) -> AbstractAsyncContextManager[Store]:
        return Store.lease(self.place)

    @property
    def journal_url(self) -> str:
        return self.place.journal_url()

    def get_journal(self) -> AbstractAsyncContextManager[Journal]:
        return Journal.lease(self.journal_url)


@dataclass(frozen=True)
class Where:
    """The store that a person means.

    Attributes:
        store: Name of a saved Asset Store block; empty if a command is about the journals of all of them.
        folder: A folder on this machine in place of the block; then neither Prefect nor a project is needed. See `local`.
        project: The project's folder; found upwards from here by default.
    """

    store: str
    folder: Path | None
    project: Path | None

    @cached_property
    def local(self) -> Path | None:
        """The folder that is used in place of blocks; None if Prefect is to be asked.

        If no Prefect server is named that would know the blocks, it is the project's `media`, in which `genmedia up` and `genmedia demo`
        keep everything by default. A line on standard error says so.

        Raises:
            SettingsError: There is no such project.
        """
        if self.folder or self.store not in ("", *OWN):
            return self.folder
        project = find_project(self.project)
        own = project.folder / "media"
        if not own.is_dir() or project.module("deployments.server").is_named():
            return None
        complain(f"genmedia: no Prefect server is named or runs here; this is about {own} alone.")
        return own

    async def keeper(self) -> _Keeper:
        """Find the object that opens the store and its journal.

        Raises:
            SettingsError: There is no such folder or block.
            UnreachableError: No Prefect server answers.
        """
        if self.local:
            if not self.local.is_dir():
                raise SettingsError(f"{self.local} is no folder", money="", advice="Name a store's folder with --folder.")
            return _Folder(Place(str(self.local.resolve())))
        project = find_project(self.project)
        await project.module("deployments.server").reach_server()
        blocks = project.module("blocks")
        block = await blocks.load_block(blocks.AssetStore, self.store)
        return cast("_Keeper", block.below(project.folder))

    @property
    def reviews(self) -> Any:
        """The module that has runs go on which wait for verdicts; None where Prefect is not asked."""
        return None if self.local else find_project(self.project).module("deployments.reviews")

    async def each(self, do: Callable[[Journal], Awaitable[T]]) -> dict[str, T | GenmediaError]:
        """Call `do` with every journal that is meant, each on its own.

        Returns:
            The result, or the error, by the names of the stores whose journal it is.

        Raises:
            SettingsError: There is no such store, or none at all.
            UnreachableError: No Prefect server answers.
        """
        stores, done = ({"": await self.keeper()}, {}) if self.local or self.store else await self._all()
        by_journal: defaultdict[str, list[str]] = defaultdict(list)
        for name, store in stores.items():
            try:
                by_journal[store.journal_url].append(name)
            except GenmediaError as error:
                done[name] = error

        async def one(names: Sequence[str]) -> tuple[str, T | GenmediaError]:
            told = ", ".join(names)
            try:
                async with asyncio.timeout(PATIENCE), stores[names[0]].get_journal() as journal:
                    return told, await do(journal)
            except TimeoutError:
                return told, JournalUnreachableError(f"the journal gave no answer in {PATIENCE:g} s", money="")
            except GenmediaError as error:
                return told, error

        return {**done, **dict(await asyncio.gather(*map(one, by_journal.values())))}

    async def _all(self) -> "tuple[dict[str, _Keeper], dict[str, GenmediaError]]":
        """Return the saved stores that can be used, and the errors of the others, by name."""
        project = find_project(self.project)
        saved = await project.module("deployments.server").saved_stores()
        if not saved:
            raise SettingsError("no Asset Store block is saved", money="", advice="Run `genmedia setup`, or name a --folder.")
        faults = {name: block for name, block in saved.items() if isinstance(block, GenmediaError)}
        return {name: cast("_Keeper", saved[name].below(project.folder)) for name in saved if name not in faults}, faults

    async def accounts(self) -> "list[Saved]":
        """The accounts that are saved in Prefect.

        Raises:
            SettingsError: There is no such project.
            UnreachableError: No Prefect server answers.
        """
        return await find_project(self.project).module("deployments.server").saved_credentials()

    async def webhooks(self) -> "list[Webhook]":
        """Return the webhooks of the saved accounts that have a secret; with a folder, of the accounts whose keys the environment has.

        Raises:
            SettingsError: There is no such project, or a value in the environment cannot be used.
            UnreachableError: No Prefect server answers.
        """
        if self.local:
            direct, name = find_project(self.project).module("deployments.direct_run"), os.environ.get("GENMEDIA_BLOCKS")
            found = direct.payers(os.environ, name or "default")
        else:
            found = [one.credentials for one in await self.accounts() if not isinstance(one.credentials, GenmediaError)]
        return [one.webhook for one in found if one.webhook]

    @asynccontextmanager
    async def journals(self) -> AsyncGenerator[list[Journal]]:
        """Open every journal that is meant, each once; a store that cannot be used is complained of, and hinders no other.

        Raises:
            SettingsError: There is no such store, or none at all.
            UnreachableError: No Prefect server answers.
        """
        stores, faults = ({"": await self.keeper()}, {}) if self.local or self.store else await self._all()
        opened: dict[str, Journal] = {}
        async with AsyncExitStack() as held:
            for name, store in stores.items():
                try:
                    if store.journal_url not in opened:
                        opened[store.journal_url] = await held.enter_async_context(store.get_journal())
                except GenmediaError as error:
                    faults[name] = error
            for name, error in faults.items():
                complain(f"genmedia: the store {name or self.store}: {error}")
            yield list(opened.values())

    def work(self, do: Callable[[Journal], Awaitable[T]]) -> T:
        """Call `do` with the journal, and return its result.

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
        """Open the store."""
        async with (await self.keeper()).get_store() as store:
            yield store
