"""A Prefect server for those that look at everything in it: a test has it for itself, and without any blocks."""

import fcntl
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.prefects import running_prefect
from tests.sandboxes import ACCOUNTS


@pytest.fixture(autouse=True)
def forgotten_blocks(request: pytest.FixtureRequest) -> Generator[None]:
    """What a test has saved on the server of all is removed after it: every run looks at all saved accounts and stores."""
    yield
    if "prefect" in request.fixturenames:
        api = request.getfixturevalue("prefect")
        for one in httpx.post(f"{api}/block_documents/filter", json={}).raise_for_status().json():
            if (one["name"] or "").startswith(ACCOUNTS):
                httpx.delete(f"{api}/block_documents/{one['id']}").raise_for_status()


@pytest.fixture(scope="session")
def own_prefect(run_folder: Path) -> Generator[str]:
    """A server beside the one that all tests use at the same time; the address of its API."""
    with running_prefect(run_folder / "own-prefect") as server:
        yield server.api


@pytest.fixture
def bare_prefect(own_prefect: str, run_folder: Path) -> Generator[str]:
    """The server without any blocks, deployments and automations, for one test at a time; flows that run here use it as well."""
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 # as `prefect`

    with (run_folder / "own-prefect.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for kind in ("block_documents", "deployments", "automations"):
            for one in httpx.post(f"{own_prefect}/{kind}/filter", json={}).raise_for_status().json():
                httpx.delete(f"{own_prefect}/{kind}/{one['id']}").raise_for_status()
        with temporary_settings({PREFECT_API_URL: own_prefect}):
            yield own_prefect
