"""The host of a campaign's run: a flow run of Prefect, or this process alone."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from genmedia.campaign.parts import Part
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.review import Waiting
from genmedia.progress import Log
from genmedia.providers.offers import Credentials
from genmedia.purchasing.calls import Assets, Runner
from genmedia.purchasing.result import Result
from genmedia.store import Store

A = TypeVar("A", bound=Assets)


class Apart(Protocol):
    """Further runs of the same campaign, each of which carries out a part of it."""

    @property
    def parts(self) -> Sequence[Part]:
        """The parts for which this run has begun further runs before; none if it has not."""
        ...

    @property
    def complete(self) -> bool:
        """True if all of them were carried out, and miss nothing."""
        ...

    async def runs(self) -> Collection[str]:
        """Return the ids of all further runs that were begun for this one, also for parts that are forgotten."""
        ...

    async def carry_out(self, parts: Sequence[Part]) -> Collection[str]:
        """Have each part carried out by a run of its own, which is begun unless it was begun before.

        Returns:
            The ids of those runs, once all have ended. Until then it does not return: this run is ended, and begun again afterwards.
        """
        ...

    async def renew(self) -> None:
        """Forget the parts, which have ended: what is to be bought now is cut anew."""
        ...


class Host(Protocol[A]):
    """Environment of a campaign's run: it gives the store, the credentials and the runner, and shows the plan and the results."""

    @property
    def run(self) -> str:
        """The run's id, as the journal knows it."""
        ...

    @property
    def by_person(self) -> bool:
        """True if a person started the run, False if its schedule did."""
        ...

    @property
    def begun(self) -> datetime:
        """Time for which the run is: that of its schedule, or of its start."""
        ...

    @property
    def log(self) -> Log:
        """Log of the run, for the person who started it."""
        ...

    @property
    def runner(self) -> Runner:
        """Runner that carries out the purchases."""
        ...

    @property
    def part(self) -> Part | None:
        """Part of the campaign that this run carries out; None for all of it."""
        ...

    @property
    def apart(self) -> Apart | None:
        """Further runs for parts of the campaign; None where there can be none."""
        ...

    async def load_store(self, name: str) -> A:
        """Load the store of this name.

        Raises:
            SettingsError: There is none, or it cannot be used.
        """
        ...

    async def load_payer(self, provider: str, name: str) -> Credentials:
        """Load the credentials that pay at a provider, by the account's name.

        Raises:
            SettingsError: There is no account of this name.
        """
        ...

    async def begin(self, name: str, payers: Sequence[Credentials]) -> None:
        """Take note that a campaign is planned and will be priced next; `payers` pay for it."""
        ...

    async def show_plan(self, name: str, prospect: Prospect, marked: str, assets: A) -> None:
        """Show what the run of a campaign would do, and a sentence about the marks."""
        ...

    async def warn(self, assets: A, keys: Collection[str]) -> None:
        """Warn a person of what to know before those submissions are bought."""
        ...

    async def show_results(self, name: str, results: Sequence[Result], assets: A, store: Store) -> None:
        """Show how the steps of a campaign ended."""
        ...

    async def wait_for_review(self, waiting: Waiting, assets: A) -> None:
        """Tell people that the run waits for them.

        Where it can be begun again, it does not return: the run is ended here, and begun again when they have decided.
        """
        ...
