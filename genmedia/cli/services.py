"""Servers on this machine that a command needs: found when they run already, else started, and stopped by whoever started them."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from genmedia.errors import SettingsError, UnreachableError
from genmedia.journal import Journal
from genmedia.store import Place, Store

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
PREFECT_PORT = 4200
SANDBOX_PORT = 4280
OBJECT_STORE_PORT = 4290


@dataclass
class Service:
    """One server as a child process, shared by all commands that need it at the same time; the last of them stops it.

    Each command holds a shared lock on a file beside its state. The kernel frees it when the command ends, however it ends, so a
    command that was killed leaves its server to the next one.

    Args:
        name: What it is called in messages and file names.
        folder: Where its state and its log are kept.
        command: How it is started; `{port}` stands for its port.
        port: The port it should have, unless it had another the last time; any free one when that is taken.
        health: The path that answers 200 once it is ready.
        environment: Added to this process's environment.
    """

    name: str
    folder: Path
    command: Sequence[str]
    port: int
    health: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    fresh: bool = False
    _pid: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _use: int = -1

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Find it running, or start it, and wait until it is ready.

        Raises:
            SettingsError: It ended, or did not become ready; the message ends with what it printed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._use = os.open(self.folder / f"{self.name}.users", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._use, fcntl.LOCK_SH)
            if not self._find():
                self._spawn()
            self._wait_until_ready()

    def stop(self) -> None:
        """End it, if nobody else uses it."""
        if self._use < 0:
            return
        with self._alone():
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                os.close(self._use)
                self._use = -1
            self._end()
            self._state.write_text(json.dumps({"pid": 0, "port": self.port}))

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One command at a time starts or stops it."""
        with (self.folder / f"{self.name}.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def _find(self) -> bool:
        try:
            state = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return False
        # The same port again: what a sandbox sold is remembered under its address.
        self.port, self._pid = state["port"], state["pid"]
        return self._pid > 0 and _exists(self._pid) and self._answers()

    def _spawn(self) -> None:
        self.port = self.port if _is_free(self.port) else free_port()
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 # our own servers
                [part.format(port=self.port) for part in self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for the command; it stops its servers in its own order
            )
        self._pid, self.fresh = self._child.pid, True
        self._state.write_text(json.dumps({"pid": self._pid, "port": self.port}))

    def _wait_until_ready(self) -> None:
        end = monotonic() + READY_SECONDS
        while monotonic() < end and self._is_alive():
            if self._answers():
                return
            sleep(0.1)
        lines = self.log.read_text(errors="replace").strip().splitlines()[-5:] if self.log.exists() else []
        raise SettingsError(f"{self.name} did not start: {' / '.join(lines) or 'it printed nothing'}", advice=f"See {self.log}.")

    def _end(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._is_alive():
                os.killpg(self._pid, sign)
            end = monotonic() + STOP_SECONDS
            while self._is_alive() and monotonic() < end:
                sleep(0.05)

    def _is_alive(self) -> bool:
        return self._child.poll() is None if self._child else _exists(self._pid)

    @property
    def _state(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + self.health, timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(services: Sequence[Service]) -> Generator[None]:
    """Have all of them running while the block runs."""
    try:
        with ThreadPoolExecutor() as together:
            list(together.map(Service.start, services))
        yield
    finally:
        for service in reversed(services):
            service.stop()


def write_off(sandbox: Service, store_root: Path) -> None:
    """Let the journal know that a sandbox which was started anew has no job of the one before it."""
    if not sandbox.fresh:
        return
    place = Place(str(store_root))

    async def write() -> None:
        async with Store.lease(place) as store, Journal.lease(place.journal_url()) as journal:
            await journal.write_off(sandbox.url, store.has)

    asyncio.run(write())


def object_store_service(folder: Path) -> Service:
    """A real S3 server, with everything in memory."""
    command = [sys.executable, "-m", "genmedia.cli.object_store", "--port", "{port}", "--monitor", str(free_port())]
    return Service("S3", folder, command, OBJECT_STORE_PORT, "/")


def sandbox_service(folder: Path, input_origin: str = "") -> Service:
    """A sandbox of all providers.

    Args:
        folder: Where its state is kept.
        input_origin: A further origin that inputs may be at.
    """
    origin = ["--input-origin", input_origin] if input_origin else []
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "{port}", *origin]
    return Service("sandbox", folder / "services", command, SANDBOX_PORT, "/sandbox")


def prefect_service(folder: Path) -> Service:
    """A Prefect server with its database in the project; it sends no telemetry."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", "{port}"]
    return Service("prefect", folder / "services", command, PREFECT_PORT, "/api/health", prefect_environment(folder))


def prefect_environment(folder: Path) -> dict[str, str]:
    """The settings of every Prefect process that is started here."""
    return {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",  # a person who presses Run waits for it
    }


def open_accounts(sandbox: str, name: str) -> dict[str, str]:
    """Open an account of this name at every provider of the sandbox at this address; see `accounts_of`."""
    sandbox = sandbox.rstrip("/")
    for provider in _ask(sandbox, "")["providers"]:
        # FLORA's assets API is newer than its document; without it no local photo could be an input.
        wish = {"provider": provider, "account": name, "switches": {"assets": True} if provider == "flora" else {}}
        httpx.post(f"{sandbox}/sandbox/accounts", json=wish).raise_for_status()
    return accounts_of(sandbox, name)


def accounts_of(sandbox: str, name: str = "default") -> dict[str, str]:
    """The keys and addresses of the accounts of this name in a sandbox, as environment variables.

    Raises:
        UnreachableError: No sandbox answers there.
    """
    return {
        f"{account['provider']}_{value}".upper(): account[value]
        for account in _ask(sandbox, "/accounts")
        if account["account"] == name
        for value in ("api_key", "base_url", "plan")
        if account.get(value)
    }


def _ask(sandbox: str, path: str) -> Any:
    try:
        return httpx.get(f"{sandbox.rstrip('/')}/sandbox{path}", timeout=10).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UnreachableError(
            f"no sandbox answers at {sandbox} ({type(error).__name__})", money="", advice="Start one with `genmedia sandbox`."
        ) from None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
