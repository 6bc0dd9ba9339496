"""Where a run of a campaign takes place: a flow run of Prefect, or this process alone."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from genmedia.progress import Log
from genmedia.providers.offers import Credentials
from genmedia.purchasing.budget import Foreseen, Plan
from genmedia.purchasing.calls import Assets, Runner
from genmedia.purchasing.result import Result
from genmedia.store import Store

A = TypeVar("A", bound=Assets)


class Host(Protocol[A]):
    """What a run of a campaign is given where it takes place, and what is shown of it there."""

    @property
    def run(self) -> str:
        """The run's id, as the journal knows it."""
        ...

    @property
    def log(self) -> Log:
        """What a person may read of the run."""
        ...

    @property
    def runner(self) -> Runner:
        """Carries out the purchases."""
        ...

    async def load_store(self, name: str) -> A:
        """The store of this name.

        Raises:
            SettingsError: There is none, or it cannot be used.
        """
        ...

    async def load_payer(self, provider: str, name: str) -> Credentials:
        """Who pays at a provider, by the account's name.

        Raises:
            SettingsError: There is nobody of this name.
        """
        ...

    async def begin(self, name: str, payers: Sequence[Credentials]) -> None:
        """A campaign is planned, and about to be priced; those pay."""
        ...

    async def show_plan(self, name: str, foreseen: Sequence[Foreseen], plans: Mapping[str, Plan], marked: str) -> None:
        """What becomes of each step of a campaign, what is to be bought by provider, and what is to be said of the marks."""
        ...

    async def warn(self, assets: A, keys: Collection[str]) -> None:
        """Say what a person should know before those submissions are bought."""
        ...

    async def show_results(self, name: str, results: Sequence[Result], assets: A, store: Store) -> None:
        """How the steps of a campaign ended."""
        ...
