"""What every test has: no way out of this machine, and one sandbox for the whole run."""

import asyncio
import gc
import ipaddress
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

import certifi
import pytest

from deployments.engines.object_store import missing_programs
from deployments.engines.postgres import programs
from genmedia.journal import Journal
from genmedia.media.fonts import NoFontError, fonts_for
from genmedia.store import Place
from tests.buckets import Buckets, shared_buckets
from tests.databases import Postgres, copy_tables, migrate, shared_postgres
from tests.prefects import PrefectServer, shared_prefect
from tests.sandboxes import Sandbox, running_sandbox

pytest.register_assert_rewrite("tests.contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first, so that at the end of a run no process of it waits for another."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


def pytest_collection_finish() -> None:
    """What is imported and collected stays until the end: it is looked through for garbage no more."""
    gc.collect()
    gc.freeze()


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
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """One certificate is trusted, here and in processes that tests start: nothing speaks TLS, and each client takes 25 ms to read all."""
    every = Path(certifi.where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----\n"
    file = tmp_path_factory.mktemp("trusted") / "one.pem"
    file.write_text(every[every.index("-----BEGIN") : every.index(end) + len(end)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


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


@pytest.fixture
def slower_clock(sandbox: Sandbox) -> Generator[None]:
    """The sandbox six times as fast as the world: Genova fails a job that no worker took within 1800 s, which are five minutes then."""
    before = sandbox.control("GET", "")["clock"]["scale"]
    sandbox.control("POST", "/clock", {"scale": 6})
    yield
    sandbox.control("POST", "/clock", {"scale": before})


@pytest.fixture(scope="session")
def prefect(prefect_server: PrefectServer) -> Generator[str]:
    """The address of a Prefect server's API, which flows that run here use as well."""
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 # takes two seconds that most tests need not wait
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_SSL_CERT_FILE,
        PREFECT_API_URL,
        PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
        temporary_settings,
    )

    settings: dict[Any, Any] = {PREFECT_API_URL: prefect_server.api, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}
    # Prefect has read the environment before `one_certificate` changed it.
    with temporary_settings({**settings, PREFECT_API_SSL_CERT_FILE: os.environ["SSL_CERT_FILE"]}):
        yield prefect_server.api
        APILogWorker.drain_all()
        EventsWorker.drain_all()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of the tests have together."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def prefect_server(run_folder: Path) -> Generator[PrefectServer]:
    """A Prefect server that was empty when the tests began; all processes of the run use it at the same time."""
    with shared_prefect(run_folder) as server:
        yield server


def do_without(reason: str) -> NoReturn:
    """A missing service skips its tests on a laptop, and fails them in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def noto() -> None:
    """The fonts of Noto, with all scripts of the tests."""
    try:
        fonts_for("Aאبกअ中")
    except NoFontError as error:
        do_without(f"a text {error}")


@pytest.fixture(scope="session")
def postgres(run_folder: Path) -> Generator[Postgres]:
    """A real PostgreSQL server, which all processes of the run use."""
    if not programs():
        do_without("no PostgreSQL server is installed (Debian: postgresql)")
    with shared_postgres(run_folder) as server:
        yield server


@pytest.fixture(scope="session")
def buckets(run_folder: Path) -> Generator[Buckets]:
    """A real S3 server, which all processes of the run use."""
    if missing := missing_programs():
        do_without(f"no S3 server: {', '.join(missing)} not installed (Debian: ceph-mon ceph-osd radosgw ceph-common)")
    with shared_buckets(run_folder) as buckets:
        yield buckets


@pytest.fixture(autouse=True)
def copied_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new journal in SQLite gets the tables that the steps made once in this process; `empty_url` is for tests of the steps."""
    monkeypatch.setattr("genmedia.journal.database._migrate_alone", copy_tables)


@pytest.fixture
def shared_url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a journal on PostgreSQL."""
    # The lease of a process that dies is waited for, here and in processes that tests start.
    monkeypatch.setenv("GENMEDIA_ANSWER_SECONDS", "4")
    monkeypatch.setattr("genmedia.journal.ownership.LEASE_SECONDS", 6.0)
    monkeypatch.setattr("genmedia.journal.transitions.ANSWER_SECONDS", 4.0)
    return postgres.journal()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a journal, once of each kind."""
    return Place(str(tmp_path)).journal_url() if request.param == "sqlite" else request.getfixturevalue("shared_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database without tables, once of each kind; the steps make them."""
    monkeypatch.setattr("genmedia.journal.database._migrate_alone", migrate)
    if request.param == "sqlite":
        return Place(str(tmp_path)).journal_url()
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new()


@pytest.fixture
async def journal(url: str) -> AsyncGenerator[Journal]:
    """A journal, once of each kind."""
    async with Journal.lease(url) as journal:
        yield journal
