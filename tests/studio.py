"""A person's set-up: an account of the sandbox, a folder, and the blocks that name them to Prefect."""

import inspect
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Flow
from pydantic import SecretStr

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from deployments.local_run import Ended
from genmedia.campaign.direct import Direct
from genmedia.campaign.run import run_campaign
from genmedia.errors import GenmediaError, SettingsError
from genmedia.forms.validation import Reading, read_parameters
from genmedia.purchasing.result import FAILED, REFUSED
from tasks.states import campaign_state
from tests.sandboxes import Sandbox


async def run_directly(
    flow: Flow[..., Any], parameters: Mapping[str, Any], store: AssetStore, payer: Callable[[str, str], ProviderCredentials]
) -> Ended:
    """Run a flow that buys without Prefect, with blocks that nobody has saved; its form is read as it is there.

    Args:
        flow: The flow.
        parameters: All that it is given; what it calls its store is not looked up.
        store: Where it keeps what it buys.
        payer: Finds who pays, by provider and by the account's name in the parameters.
    """
    asked_for: Any = inspect.unwrap(flow.fn)
    try:
        brief = asked_for(**read_parameters(asked_for, parameters, Reading(plans=True)))
        ended = await run_campaign(brief, Direct(store, payer))
    except GenmediaError as error:
        return Ended(REFUSED if error.bought_nothing else FAILED, str(error), error, "")
    state = campaign_state(ended.results, ended.marked, decided=ended.decided)
    return Ended(state.name or "", state.message or "", ended.results, "")


@dataclass
class Studio:
    """What a flow run has to do with."""

    sandbox: Sandbox
    account: dict[str, Any]
    root: Path

    @property
    def name(self) -> str:
        """The account's name, and that of both blocks."""
        return self.account["account"]

    @property
    def parameters(self) -> dict[str, Any]:
        """Which blocks a flow uses."""
        return {"account": self.name, "store": self.name}

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """What the sandbox sold to this account."""
        return self.sandbox.jobs(self.account)

    @property
    def has_bound(self) -> bool:
        """Whether the journal knows the id of a job: from then on a killed run is taken up by it."""
        return self._count("attempts WHERE state = 'bound'") > 0

    @property
    def waited_for(self) -> int:
        """How many waits for bought jobs the journal knows: one for each run and job."""
        return self._count("interests JOIN attempts ON attempts.id = interests.attempt WHERE state = 'bound'")

    @property
    def watched(self) -> bool:
        """Whether a process looks at the account's jobs, or did so until it was killed a moment ago."""
        return self._count("watchers WHERE until > (julianday('now') - 2440587.5) * 86400") > 0

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """The state of every purchase in the journal, with its reason."""
        with closing(sqlite3.connect(self.root / ".genmedia" / "journal.db")) as connection:
            return connection.execute("SELECT state, reason FROM attempts ORDER BY id").fetchall()

    def _count(self, rows: str) -> int:
        """0 while the journal is being made."""
        journal = self.root / ".genmedia" / "journal.db"
        if not journal.exists():
            return 0
        with closing(sqlite3.connect(journal)) as connection, suppress(sqlite3.OperationalError):
            return connection.execute(f"SELECT count(*) FROM {rows}").fetchone()[0]
        return 0

    @property
    def stored(self) -> list[str]:
        """Every file in the store that a person sees, without the gallery and the list."""
        files = (file.relative_to(self.root) for file in self.root.rglob("*") if file.is_file())
        return sorted(str(file) for file in files if file.parts[0] not in (".genmedia", "index.html", "manifest.csv"))

    @property
    def credentials(self) -> ProviderCredentials:
        """The block that pays."""
        plan = {"plan": self.account["plan"]} if self.account.get("plan") else {}
        kind = CREDENTIALS[self.account["provider"].upper()]
        return kind.model_validate(
            {"api_key": self.account["api_key"], "base_url": self.account["base_url"], "account": self.name, **plan}
        )

    @property
    def store(self) -> AssetStore:
        """The block that keeps."""
        return AssetStore(root=str(self.root), max_asset_mb=20)

    async def run(
        self,
        flow: Flow[..., Any],
        parameters: Mapping[str, Any],
        payer: ProviderCredentials | None = None,
        store: AssetStore | None = None,
    ) -> Ended:
        """Run a flow that buys without Prefect; its form is read as it is there.

        Args:
            flow: The flow.
            parameters: What it is given beside the blocks.
            payer: Who pays instead of the account's credentials.
            store: What keeps instead of the account's store.
        """

        def find(provider: str, name: str) -> ProviderCredentials:
            if (provider, name) != (self.account["provider"], self.name):
                raise SettingsError(f"nobody is called {name} at {provider}")
            return payer or self.credentials

        return await run_directly(flow, {**self.parameters, **parameters}, store or self.store, find)

    async def save_blocks(self, api_key: str = "") -> None:
        """Save the blocks, with the account's key or another."""
        credentials = self.credentials
        if api_key:
            credentials = credentials.model_copy(update={"api_key": SecretStr(api_key)})
        await credentials.asave(self.name, overwrite=True)
        await self.store.asave(self.name, overwrite=True)

    def change(self, **options: Any) -> None:
        """Change the account's credits, settings or switches."""
        self.sandbox.control("POST", "/accounts", {"provider": self.account["provider"], "account": self.name, **options})
