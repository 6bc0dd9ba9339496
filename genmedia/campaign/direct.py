"""A run of a campaign in this process alone, by plain calls: see `genmedia.campaign.host.Host`."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import uuid4

from genmedia.campaign.host import Apart
from genmedia.campaign.parts import Part
from genmedia.campaign.prospect import Prospect
from genmedia.campaign.review import Waiting
from genmedia.progress import Log
from genmedia.providers.base import client_for
from genmedia.providers.offers import Credentials
from genmedia.purchasing.calls import Assets, Calls
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.result import Result
from genmedia.store import Store


class Direct:
    """One run of a campaign by plain calls.

    Args:
        assets: Store for everything, whatever name the brief gives.
        payer: Finds the credentials that pay, by provider and account name.
        log: Log of the run; the logger of this module by default.
    """

    part: Part | None = None
    apart: Apart | None = None

    def __init__(self, assets: Assets, payer: Callable[[str, str], Credentials], log: Log | None = None) -> None:
        self.run = str(uuid4())
        self.begun = datetime.now(UTC)
        self.by_person = True
        self.runner = Calls()
        self.log: Log = log or logging.getLogger(__name__)
        self._assets = assets
        self._payer = payer
        self._paying: list[Credentials] = []

    async def load_store(self, name: str) -> Assets:
        """Return the store of this run."""
        del name
        return self._assets

    async def load_payer(self, provider: str, name: str) -> Credentials:
        """Find the credentials that pay at a provider."""
        self._paying.append(payer := self._payer(provider, name))
        return payer

    async def cancel(self) -> None:
        """Cancel the run's open jobs where their providers can do that; call it when a person has cancelled the run and it has ended here."""
        async with AsyncExitStack() as held:
            journal = await held.enter_async_context(self._assets.get_journal())
            clients = [await held.enter_async_context(payer.get_client()) for payer in self._paying]
            for attempt in await journal.open_attempts():
                waits = self.run in {one.run for one in await journal.waiters(attempt.id)}
                if waits and (client := client_for(attempt, clients)):
                    await cancel(journal, client, attempt.id, {self.run})

    async def begin(self, name: str, payers: Sequence[Credentials]) -> None:
        """Do nothing: there is nothing to tag here."""

    async def show_plan(self, name: str, prospect: Prospect, marked: str, assets: Assets) -> None:
        """Do nothing: the progress shows the plan step by step."""

    async def warn(self, assets: Assets, keys: Collection[str]) -> None:
        """Do nothing: no other journal is known here."""

    async def show_results(self, name: str, results: Sequence[Result], assets: Assets, store: Store) -> None:
        """Do nothing: the results are returned to the caller."""

    async def wait_for_review(self, waiting: Waiting, assets: Assets) -> None:
        """Do nothing: the caller is told, and runs it again."""
