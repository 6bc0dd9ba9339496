"""The workplace of one run of a campaign: its brief, its host, and what it has open until it ends, such as the accounts that pay."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from genmedia.campaign.brief import Brief
from genmedia.campaign.host import Host
from genmedia.jobs.job import Account
from genmedia.journal import Journal
from genmedia.progress import Log
from genmedia.providers.base import ProviderClient, at_desk
from genmedia.providers.offers import Credentials
from genmedia.providers.steps import HERE
from genmedia.purchasing.calls import Assets
from genmedia.store import Store
from genmedia.store.named_files import Files, files_at_hand, look_at


class NotingLog(logging.LoggerAdapter[Any]):
    """A log that keeps its warnings as well, for the plan."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.noted: list[str] = []

    @override
    def log(self, level: int, msg: object, *args: Any, **more: Any) -> None:
        if level == logging.WARNING:
            self.noted.append(str(msg) % args)
        super().log(level, msg, *args, **more)


@dataclass(frozen=True)
class Workplace:
    """Where one run of a campaign is carried out.

    Attributes:
        brief: What it is asked to do.
        host: Its environment.
        assets: Its store and journal, as the host gives them.
        store: The store, opened.
        held: What is open until it ends.
        log: Log of the run.
        payers: Credentials of the accounts that pay, by provider: each is loaded when something is asked of its provider first.
        clients: Clients of these accounts.
    """

    brief: Brief
    host: Host[Any]
    assets: Assets
    store: Store
    held: AsyncExitStack
    log: NotingLog
    payers: dict[str, Credentials] = field(default_factory=dict[str, Credentials])
    clients: dict[str, ProviderClient] = field(default_factory=dict[str, ProviderClient])

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts that stand in orders, by provider."""
        return {HERE.provider: HERE, **{provider: payer.payer for provider, payer in self.payers.items()}}

    async def load_payer(self, provider: str) -> None:
        """Load the account that pays at a provider, and open its client.

        Raises:
            SettingsError: There is no such account.
        """
        if provider not in self.payers:
            payer = await self.host.load_payer(provider, self.brief.accounts[provider])
            self.clients[provider] = await self.held.enter_async_context(payer.get_client())
            self.payers[provider] = payer

    def client(self, provider: str) -> Any:
        """Return the client of an account, with its calls made by the host's runner."""
        return self.host.runner.client(self.payers[provider], self.clients[provider])

    async def share_accounts(self, journal: Journal) -> None:
        """Share the accounts with other processes until the run ends; see `at_desk`."""
        for client in self.clients.values():
            await self.held.enter_async_context(at_desk(client, journal))

    async def look_at(self, names: Iterable[str], fetcher: ProviderClient | None, kind: str = "") -> Files:
        """Return the files that names stand for, fetched by the rules of a client, and kept on this machine until the run ends."""
        http = fetcher.http if fetcher else None
        return await look_at(await self.held.enter_async_context(files_at_hand(names, self.store, http)), kind)
