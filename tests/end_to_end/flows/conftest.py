"""Each flow test pays with an account of its own and stores in a folder of its own."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.end_to_end.flows.workers import PROJECT, working
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


@pytest.fixture(scope="session")
def pool(prefect: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A pool that a worker serves, for the tests of this process."""
    name = f"tests-{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    with working(prefect, name, tmp_path_factory.mktemp("worker")):
        yield name
