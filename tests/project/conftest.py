"""A Prefect server without any blocks, for commands that look at all of them."""

from collections.abc import Generator

import httpx
import pytest

from tests.databases import Postgres
from tests.prefects import running_prefect


@pytest.fixture(scope="session")
def own_prefect(tmp_path_factory: pytest.TempPathFactory, prefect_databases: Postgres | None) -> Generator[str]:
    """A server beside the one in which other tests save their blocks; the address of its API."""
    with running_prefect(tmp_path_factory.mktemp("prefect"), prefect_databases) as server:
        yield server.api


@pytest.fixture
def bare_prefect(own_prefect: str) -> str:
    """The server, without any blocks."""
    for block in httpx.post(f"{own_prefect}/block_documents/filter", json={}).raise_for_status().json():
        while httpx.delete(f"{own_prefect}/block_documents/{block['id']}").status_code == 503:
            pass  # its database, if SQLite, is locked for a moment
    return own_prefect
