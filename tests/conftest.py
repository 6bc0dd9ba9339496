"""What every test has: no way out of this machine, and one sandbox for the whole run."""

import asyncio
import ipaddress
import os
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest

from genmedia.cli.object_store import ObjectStore, missing_programs
from genmedia.cli.services import free_port
from tests.buckets import Buckets
from tests.databases import Postgres, programs
from tests.prefects import PrefectServer, running_prefect
from tests.sandboxes import Sandbox, running_sandbox

pytest.register_assert_rewrite("tests.contract")


class NetworkRefusedError(RuntimeError):
    """A test tried to reach another machine."""


def _check(family: int, address: Any) -> None:
    if family == socket.AF_UNIX:
        return
    host = address[0]
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        message = f"a test tried to connect to {host}:{address[1]}; tests stay on loopback"
        raise NetworkRefusedError(message)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Generator[None]:
    """Refuse every connection that leaves this machine."""

    def guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            _check(self.family, address)
            return connect(self, address)

        return checked

    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> None:
        _check(sock.family, address)
        await plain_sock_connect(self, sock, address)

    plain_sock_connect: Any = asyncio.SelectorEventLoop.sock_connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        patch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
        yield


@pytest.fixture(scope="session")
def sandbox() -> Generator[Sandbox]:
    """One sandbox, fifty times as fast as the world; each test takes an account of its own from it."""
    with running_sandbox('{"clock_scale": 50, "size": 256}') as running:
        yield running


@pytest.fixture(scope="session")
def prefect(prefect_server: PrefectServer) -> Generator[str]:
    """The address of a Prefect server's API, which flows that run here use as well."""
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 # takes two seconds that most tests need not wait
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415

    with temporary_settings({PREFECT_API_URL: prefect_server.api}):
        yield prefect_server.api
        APILogWorker.drain_all()
        EventsWorker.drain_all()


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, prefect_databases: Postgres | None) -> Generator[PrefectServer]:
    """A Prefect server that was empty when the tests began."""
    with running_prefect(tmp_path_factory.mktemp("prefect"), prefect_databases) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_databases(request: pytest.FixtureRequest) -> Postgres | None:
    """PostgreSQL where it is installed: SQLite gets locked by as many runs as some tests start."""
    return request.getfixturevalue("postgres") if programs() else None


def do_without(reason: str) -> NoReturn:
    """A missing service skips its tests on a laptop, and fails them in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    """A real PostgreSQL server."""
    if not programs():
        do_without("no PostgreSQL server is installed (Debian: postgresql)")
    with TemporaryDirectory(prefix="genmedia-postgres-") as folder:  # pytest's own are closed to the server's user
        server = Postgres(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def buckets() -> Generator[Buckets]:
    """A real S3 server."""
    if missing := missing_programs():
        do_without(f"no S3 server: {', '.join(missing)} not installed (Debian: ceph-mon ceph-osd radosgw ceph-common)")
    with ObjectStore(free_port(), free_port()) as server:
        yield Buckets(server)
