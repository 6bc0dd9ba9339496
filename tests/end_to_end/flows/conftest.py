"""Each flow test pays with an account of its own and stores in a folder of its own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from genmedia.cli.services import running
from tests.end_to_end.flows.workers import POOL, PROJECT, shared_worker
from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture
async def studio(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up with 1000 credits and the assets API; the working directory is the project's folder."""
    monkeypatch.chdir(PROJECT)
    account = sandbox.new_account(credits=1000, settings={"advance": "looks"}, switches={"assets": True})
    studio = Studio(sandbox, account, tmp_path)
    await studio.save_blocks()
    return studio


@pytest.fixture
def plan() -> str:
    """Genova's, for `genova`."""
    return "Pro"


@pytest.fixture
async def genova(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str) -> Studio:
    """A set-up at Genova; the working directory is the project's folder."""
    monkeypatch.chdir(PROJECT)
    studio = Studio(sandbox, sandbox.new_account("genova", plan=plan), tmp_path)
    await studio.save_blocks()
    return studio


@pytest.fixture(scope="module")
def pool(prefect: str, run_folder: Path) -> Generator[str]:
    """A pool that one worker serves, for all processes of the run: it asks Prefect each second, so it ends when no module needs it."""
    with running([shared_worker(prefect, run_folder / "worker")]):
        yield POOL
