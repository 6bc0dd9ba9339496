"""A run of a campaign in this process alone, by plain calls: see `genmedia.campaign.host.Host`."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

from genmedia.progress import Log
from genmedia.providers.base import client_for
from genmedia.providers.offers import Credentials
from genmedia.purchasing.budget import Foreseen, Plan
from genmedia.purchasing.calls import Assets, Calls
from genmedia.purchasing.cancel import cancel
from genmedia.purchasing.result import Result
from genmedia.store import Store


class Direct:
    """One run.

    Args:
        assets: Where everything goes, whatever the store is called.
        payer: Who pays at a provider, by the account's name.
        log: What a person may read of it.
    """

    def __init__(self, assets: Assets, payer: Callable[[str, str], Credentials], log: Log | None = None) -> None:
        self.run = str(uuid4())
        self.runner = Calls()
        self.log: Log = log or logging.getLogger(__name__)
        self._assets = assets
        self._payer = payer
        self._paying: list[Credentials] = []

    async def load_store(self, name: str) -> Assets:
        """The one there is."""
        del name
        return self._assets

    async def load_payer(self, provider: str, name: str) -> Credentials:
        """Whom the run was given."""
        self._paying.append(payer := self._payer(provider, name))
        return payer

    async def cancel(self) -> None:
        """End the run's jobs that have not ended, as far as their providers can: a person has cancelled it, and it is over here."""
        async with AsyncExitStack() as held:
            journal = await held.enter_async_context(self._assets.get_journal())
            clients = [await held.enter_async_context(payer.get_client()) for payer in self._paying]
            for attempt in await journal.open_attempts():
                waits = self.run in {one.run for one in await journal.waiters(attempt.id)}
                if waits and (client := client_for(attempt, clients)):
                    await cancel(journal, client, attempt.id, {self.run})

    async def begin(self, name: str, payers: Sequence[Credentials]) -> None:
        """Nothing is tagged here."""

    async def show_plan(self, name: str, foreseen: Sequence[Foreseen], plans: Mapping[str, Plan], marked: str) -> None:
        """The progress tells it step by step."""

    async def warn(self, assets: Assets, keys: Collection[str]) -> None:
        """No other journal is known here."""

    async def show_results(self, name: str, results: Sequence[Result], assets: Assets, store: Store) -> None:
        """They are returned."""
