"""A Prefect server for those that look at everything in it: a test has it for itself, and without any blocks."""

import threading
from collections.abc import Generator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.blocks.core import Block
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.prefects import PrefectServer, give_tables, running_prefect
from tests.sandboxes import ACCOUNTS


@pytest.fixture(autouse=True, scope="session")
def blocks_known_once() -> Generator[None]:
    """What Prefect finds out about a type of blocks with each block that is saved, this process finds out once: that is half of its work."""
    ids: dict[tuple[type[Block], str], tuple[UUID | None, UUID | None]] = {}
    schemas: dict[tuple[type[Block], str], dict[str, Any]] = {}
    register: Any = Block.aregister_type_and_schema
    schema: Any = Block.model_json_schema  # Prefect makes it for each field of each block

    async def register_once(kind: type[Block], client: Any = None) -> None:
        known = (kind, PREFECT_API_URL.value() or "")
        if known not in ids:
            await register.__func__(kind, client=client)
            ids[known] = (kind._block_type_id, kind._block_schema_id)  # pyright: ignore[reportPrivateUsage] # as Prefect keeps them
        kind._block_type_id, kind._block_schema_id = ids[known]  # pyright: ignore[reportPrivateUsage] # of the server that is asked now

    def schema_once(kind: type[Block], **how: Any) -> dict[str, Any]:
        known = (kind, repr(how))
        if known not in schemas:
            schemas[known] = schema.__func__(kind, **how)
        return deepcopy(schemas[known])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Block, "aregister_type_and_schema", classmethod(register_once))
        patch.setattr(Block, "model_json_schema", classmethod(schema_once))
        yield


@pytest.fixture(autouse=True)
def forgotten_blocks(request: pytest.FixtureRequest) -> Generator[None]:
    """What a test has saved on the server of all is removed after it: every run looks at all saved accounts and stores."""
    yield
    if "prefect" in request.fixturenames:
        api = request.getfixturevalue("prefect")
        saved = {"block_documents": {"name": {"like_": ACCOUNTS}}}
        for one in httpx.post(f"{api}/block_documents/filter", json=saved).raise_for_status().json():
            httpx.delete(f"{api}/block_documents/{one['id']}").raise_for_status()


@pytest.fixture(scope="module")  # an idle server takes more of the machine in the rest of a run than to start another
def own_prefect(prefect_server: PrefectServer, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server beside the one that all tests use at the same time; the address of its API."""
    folder = tmp_path_factory.mktemp("own-prefect")
    give_tables(run_folder, folder)
    with running_prefect(folder) as server:
        yield server.api


@pytest.fixture
def bare_prefect(own_prefect: str) -> Generator[str]:
    """The server without any blocks, deployments and automations; flows that run here use it as well."""
    for kind in ("block_documents", "deployments", "automations"):
        for one in httpx.post(f"{own_prefect}/{kind}/filter", json={}).raise_for_status().json():
            httpx.delete(f"{own_prefect}/{kind}/{one['id']}").raise_for_status()
    with temporary_settings({PREFECT_API_URL: own_prefect}):
        yield own_prefect


@pytest.fixture
def told() -> Generator[tuple[str, "Queue[str]"]]:
    """Where notifications go, and those that came."""
    heard: Queue[str] = Queue()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.put(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()
