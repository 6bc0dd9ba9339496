"""Servers on this machine that a command needs: found when they run already, else started, and stopped by whoever started them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx

from genmedia.errors import SettingsError

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
PREFECT_PORT = 4200
SANDBOX_PORT = 4280


@dataclass
class Service:
    """One server as a child process, with its state beside it so that a later command finds it again.

    A command that was killed leaves its servers running; the next one takes them over, and stops them at its end.

    Args:
        name: What it is called in messages and file names.
        folder: Where its state and its log are kept.
        command: How it is started; `{port}` stands for its port.
        port: The port it should have; any free one when that is taken.
        health: The path that answers 200 once it is ready.
        environment: Added to this process's environment.
    """

    name: str
    folder: Path
    command: Sequence[str]
    port: int
    health: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    _pid: int = 0
    _mine: bool = False
    _child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Find it running, or start it; does not wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._find():
            return
        self.port = self.port if _is_free(self.port) else _free_port()
        command = [part.format(port=self.port) for part in self.command]
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 # our own servers
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for the command; it stops its servers in its own order
            )
        self._pid, self._mine = self._child.pid, True
        self._state.write_text(json.dumps({"pid": self._pid, "port": self.port, "owner": os.getpid()}))

    def wait_until_ready(self) -> None:
        """Wait for its health path.

        Raises:
            SettingsError: It ended, or did not become ready; the message ends with what it printed.
        """
        end = monotonic() + READY_SECONDS
        while monotonic() < end and self._is_alive():
            if self._answers():
                return
            sleep(0.1)
        lines = self.log.read_text(errors="replace").strip().splitlines()[-5:] if self.log.exists() else []
        raise SettingsError(f"{self.name} did not start: {' / '.join(lines) or 'it printed nothing'}", advice=f"See {self.log}.")

    def stop(self) -> None:
        """End it, if this process started it or took it over."""
        if not self._mine:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._is_alive():
                os.killpg(self._pid, sign)
            end = monotonic() + STOP_SECONDS
            while self._is_alive() and monotonic() < end:
                sleep(0.05)
        self._state.unlink(missing_ok=True)

    def _is_alive(self) -> bool:
        return self._child.poll() is None if self._child else _exists(self._pid)

    @property
    def _state(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _find(self) -> bool:
        try:
            state = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return False
        wanted, self.port = self.port, state["port"]
        if _exists(state["pid"]) and self._answers():
            self._pid, self._mine = state["pid"], not _exists(state["owner"])
            if self._mine:
                self._state.write_text(json.dumps({**state, "owner": os.getpid()}))
            return True
        self.port = wanted
        return False

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + self.health, timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(services: Sequence[Service]) -> Generator[None]:
    """Start all, wait for all, and stop at the end those that are ours."""
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_until_ready()
        yield
    finally:
        for service in reversed(services):
            service.stop()


def sandbox_service(folder: Path) -> Service:
    """A sandbox of all providers."""
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "{port}"]
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


def open_accounts(sandbox: Service, name: str) -> dict[str, str]:
    """Open an account of this name at every provider of a sandbox; its keys and addresses, as environment variables."""
    environment: dict[str, str] = {}
    for known in httpx.get(f"{sandbox.url}/sandbox/accounts").raise_for_status().json():
        if known["account"] != "default":
            continue
        provider = known["provider"]
        # FLORA's assets API is newer than its document; without it no local photo could be an input.
        wish = {"provider": provider, "account": name, "switches": {"assets": True} if provider == "flora" else {}}
        account = httpx.post(f"{sandbox.url}/sandbox/accounts", json=wish).raise_for_status().json()
        for name_of_value in ("api_key", "base_url", "plan"):
            if account.get(name_of_value):
                environment[f"{provider}_{name_of_value}".upper()] = account[name_of_value]
    return environment


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
