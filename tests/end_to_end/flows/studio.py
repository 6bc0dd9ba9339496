"""A person's set-up: saved blocks, an account of the sandbox, a folder."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from tests.sandboxes import Sandbox


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

    async def save_blocks(self, api_key: str = "") -> None:
        """Save the blocks, with the account's key or another."""
        credentials = self.credentials
        if api_key:
            credentials = credentials.model_copy(update={"api_key": SecretStr(api_key)})
        await credentials.asave(self.name, overwrite=True)
        await AssetStore(root=str(self.root), max_asset_mb=20).asave(self.name, overwrite=True)

    def change(self, **options: Any) -> None:
        """Change the account's credits, settings or switches."""
        self.sandbox.control("POST", "/accounts", {"provider": self.account["provider"], "account": self.name, **options})
