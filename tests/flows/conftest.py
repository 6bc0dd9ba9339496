"""One Prefect server for all flow tests; each test pays with an account of its own and stores in a folder of its own."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness
from pydantic import SecretStr

from blocks import AssetStore, FloraCredentials
from tests.sandboxes import Sandbox

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def prefect() -> Generator[None]:
    """A Prefect server with an empty database."""
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in quiet.items():
            patch.setenv(name, value)
        with prefect_test_harness(server_startup_timeout=90):
            yield


@dataclass
class Studio:
    """A person's set-up: saved blocks, an account of the sandbox, a folder."""

    sandbox: Sandbox
    account: dict[str, Any]
    name: str
    root: Path

    @property
    def parameters(self) -> dict[str, Any]:
        """Which blocks a flow uses."""
        return {"account": self.name, "store": self.name}

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """What the sandbox sold to this account."""
        return self.sandbox.jobs(self.account)

    @property
    def stored(self) -> list[str]:
        """Every file in the store that a person sees, without the gallery."""
        files = (file.relative_to(self.root) for file in self.root.rglob("*") if file.is_file())
        return sorted(str(file) for file in files if file.parts[0] not in (".genmedia", "index.html"))


@pytest.fixture
async def studio(prefect: None, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up with 1000 credits and the assets API, in the project's folder."""
    account = sandbox.new_account(credits=1000, settings={"advance": "looks"}, switches={"assets": True})
    return await open_studio(sandbox, account, tmp_path, monkeypatch)


async def open_studio(sandbox: Sandbox, account: dict[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Save blocks for an account and a folder."""
    monkeypatch.chdir(PROJECT)
    name = account["account"]
    credentials = FloraCredentials(api_key=SecretStr(account["api_key"]), base_url=account["base_url"], account=name)
    await credentials.asave(name, overwrite=True)
    await AssetStore(root=str(root), max_asset_mb=20).asave(name, overwrite=True)
    return Studio(sandbox, account, name, root)


async def newest_flow_run(name: str) -> Any:
    """The flow run of this name, as the server knows it."""
    async with get_client() as client:
        runs = await client.read_flow_runs()
    return next(run for run in runs if run.name == name)
