"""Servers on this machine that commands need: found when they run already, else started, and stopped by the last command that uses them."""

import asyncio
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, sleep
from typing import Any, TextIO

import httpx

from genmedia.errors import SettingsError, UnreachableError
from genmedia.gallery.address import SERVED_AT
from genmedia.journal import Journal
from genmedia.store import Place, Store
from genmedia.store.private import opener

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
PREFECT_PORT = 4200
SANDBOX_PORT = 4280
WEBHOOKS_PORT = 4290
_KEY = "prefect.key"
_LOGGING = {"PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("prefect_logging.yml"))}
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass
class Service:
    """One server as a child process, shared by all commands that need it at the same time; the last of them stops it.

    Each command holds a shared lock on a file beside its state. The kernel frees it when the command ends, however it ends, so a
    command that was killed leaves its server to the next one.

    Args:
        name: Its name in messages and file names.
        folder: Folder for its state and its log.
        command: Command line that starts it. `{port}` stands for its port, here and in the environment, and `{fd}` for the descriptor of a
            socket that listens there already. A server that takes this has its port from the start: no other can come first, and what is
            asked at the port is asked of it. One that does not opens its port itself.
        port: The port it should have, unless it had another the last time; any free one when that is taken.
        health: The path that answers 200 once it is ready.
        environment: Variables that are added to this process's environment.
    """

    name: str
    folder: Path
    command: Sequence[str]
    port: int
    health: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    fresh: bool = False
    _pid: int = 0
    _began: str = ""
    _child: subprocess.Popen[bytes] | None = None
    _use: int = -1
    _reserved: socket.socket | None = None

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """File with the output of the server."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Find it running, or start it; from now on its port is known."""
        _make_own(self.folder)
        with self._alone():
            self._use = os.open(self.folder / f"{self.name}.users", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._use, fcntl.LOCK_SH)
            if not self.find():
                self._spawn()

    def hold_port(self) -> None:
        """Find the port that it has, or hold one for it, so that its address is known before it is started."""
        _make_own(self.folder)
        with self._alone():
            if not self.find():
                self._hold_port()

    def stop(self) -> None:
        """End it, if no other command uses it."""
        self._give_up_port()
        if self._use < 0:
            return
        with self._alone():
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._child:
                    self._child.returncode = 0  # it goes on for the others; Python would warn of a child that still runs
                return
            finally:
                os.close(self._use)
                self._use = -1
            self._end()
            self._remember(0, "")

    def find(self) -> bool:
        """True if a command has it running, or starting; sets its port to the one that it has, or had the last time."""
        try:
            state = json.loads(self._state.read_text())
            # The same port again: journals know a sandbox's purchases by its address.
            port, self._pid, self._began = int(state["port"]), int(state["pid"]), str(state["began"])
        except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
            return False
        if not 0 < port < 2**16:
            return False
        self.port = port
        return self._is_alive()  # it is not asked, for a busy server is slow to answer

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Hold the lock by which one command at a time starts or stops it."""
        with open(self.folder / f"{self.name}.lock", "w", opener=opener) as turn:  # a path's own takes no opener
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield

    def _remember(self, pid: int, began: str) -> None:
        self._pid, self._began = pid, began
        with open(self._state, "w", opener=opener) as file:  # as above
            json.dump({"pid": pid, "began": began, "port": self.port}, file, allow_nan=False)

    def _spawn(self) -> None:
        descriptor = self._hold_port().fileno()
        with open(self.log, "wb", opener=opener) as log, uninterrupted():  # as above
            self._child = subprocess.Popen(  # noqa: S603 # our own servers
                [_with_port(part, self.port).replace("{fd}", str(descriptor)) for part in self.command],
                pass_fds=[descriptor] if self._takes_socket else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **{name: _with_port(value, self.port) for name, value in self.environment.items()}},
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for the command; it stops its servers in its own order
            )
            self.fresh = True
            self._remember(self._child.pid, _began(self._child.pid))

    def _hold_port(self) -> socket.socket:
        self._reserved = self._reserved or _reserve(self.port, listening=self._takes_socket)
        self.port = int(self._reserved.getsockname()[1])
        return self._reserved

    def wait(self) -> None:
        """Wait until it is ready.

        Raises:
            SettingsError: It ended, or did not become ready; the message ends with what it printed.
        """
        end = monotonic() + READY_SECONDS
        while monotonic() < end and self._is_alive():
            if self._answers():
                self._give_up_port()
                return
            sleep(0.1)
        lines = self.log.read_text(errors="replace").strip().splitlines()[-5:] if self.log.exists() else []
        raise SettingsError(f"{self.name} did not start: {' / '.join(lines) or 'it printed nothing'}", advice=f"See {self.log}.")

    def _give_up_port(self) -> None:
        if self._reserved:
            self._reserved.close()
            self._reserved = None

    def _end(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if self._is_alive():
                signal_group(self._pid, sign)
            end = monotonic() + STOP_SECONDS
            while self._is_alive() and monotonic() < end:
                sleep(0.05)

    def _is_alive(self) -> bool:
        """True if its process runs. The start time is compared too, for the system gives the number of an ended process to another one."""
        return self._child.poll() is None if self._child else bool(self._began) and self._began == _began(self._pid)

    @property
    def _takes_socket(self) -> bool:
        return "{fd}" in self.command

    @property
    def _state(self) -> Path:
        return self.folder / f"{self.name}.json"

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + self.health, timeout=2).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running(services: Sequence[Service], meanwhile: Callable[[], object] = list) -> Generator[None]:
    """Keep services running while the block runs.

    Args:
        services: The services, which are started if they do not run.
        meanwhile: Function that is called while they get ready.
    """
    try:
        for service in services:
            service.start()
        with ThreadPoolExecutor() as together:
            waits = [together.submit(service.wait) for service in services]
            meanwhile()
            for wait in waits:
                wait.result()
        yield
    finally:
        for service in reversed(services):
            service.stop()


@contextmanager
def alone(file: Path) -> Generator[TextIO | str]:
    """Lock a file while the block runs, and yield it, empty, for a notice to the commands that come next.

    If another command holds the lock, yield the text of its notice. The kernel frees the lock when its command ends, however it ends.
    """
    _make_own(file.parent)
    with open(file, "a+", opener=opener) as notice:  # a path's own takes no opener
        try:
            fcntl.flock(notice, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notice.seek(0)
            yield notice.read()
            return
        notice.truncate(0)
        yield notice


def write_off(sandbox: Service, store_root: Path) -> None:
    """Write off the jobs of an earlier sandbox in the journal, if the sandbox was started anew: it does not have them."""
    if not (sandbox.fresh and store_root.is_dir()):
        return
    place = Place(str(store_root))

    async def write() -> None:
        async with Store.lease(place) as store, Journal.lease(place.journal_url()) as journal:
            await journal.write_off(sandbox.url, store.has)

    asyncio.run(write())


def sandbox_service(folder: Path, *options: str) -> Service:
    """A sandbox of all providers, with its state in a folder, and further options of `genmedia sandbox`."""
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "{port}", "--fd", "{fd}", *options]
    return Service("sandbox", folder / "services", command, SANDBOX_PORT, "/sandbox")


def prefect_service(folder: Path, project: Path) -> Service:
    """A Prefect server with its database in the project; it sends no telemetry, and serves this machine's user alone.

    Args:
        folder: Folder for its state and its key.
        project: The checkout, which has the server's application.
    """
    command = [sys.executable, "-m", "uvicorn", "--factory", "deployments.local_server:create", "--app-dir", str(project)]
    command += ["--fd", "{fd}", "--log-level", "warning"]
    pages = [f"http://{host}:{{port}}" for host in ("127.0.0.1", "localhost")]
    environment = {
        **prefect_environment(folder),
        "PREFECT_SERVER_API_AUTH_STRING": prefect_key(folder),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(pages),
        "PREFECT_UI_API_URL": f"{pages[0]}/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_API_URL": f"{pages[0]}/api",  # what serves the galleries asks the server itself for the stores
        # One transaction a second for the states of task runs, not one for each: that was a sixth of the server's work.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }
    return Service("prefect", folder / "services", command, PREFECT_PORT, "/api/health", environment)


def webhooks_service(folder: Path, project: Path, prefect: Service) -> Service:
    """A receiver of webhooks for the accounts that are saved in a Prefect server which was started here.

    Args:
        folder: Folder for its state.
        project: The checkout.
        prefect: The server.
    """
    command = [sys.executable, "-m", "genmedia", "webhooks", "--fd", "{fd}", "--project", str(project)]
    environment = {**prefect_environment(folder), **addresses_of(prefect)}
    return Service("webhooks", folder / "services", command, WEBHOOKS_PORT, "/", environment)


def told_to(receiver: Service, accounts: Mapping[str, str]) -> dict[str, str]:
    """Environment variables with the address of a receiver of webhooks for each account that has a secret for them.

    Args:
        receiver: The receiver.
        accounts: The accounts, as environment variables.
    """
    with_secret = [name.removesuffix("_WEBHOOK_SECRET") for name in accounts if name.endswith("_WEBHOOK_SECRET")]
    return {f"{provider}_WEBHOOK_URL": f"{receiver.url}/{provider.lower()}" for provider in with_secret}


def prefect_environment(folder: Path) -> dict[str, str]:
    """The settings of every Prefect process that is started here."""
    return {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_AUTH_STRING": prefect_key(folder),
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # the server asks for no token, and each client would ask whether it does
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        **_LOGGING,
        "PREFECT_WORKER_QUERY_SECONDS": "1",  # a person who presses Run waits for it
    }


def addresses_of(prefect: Service) -> dict[str, str]:
    """Environment variables with the addresses of a Prefect server that was started here, and of the galleries that it serves."""
    return {"PREFECT_API_URL": f"{prefect.url}/api", SERVED_AT: f"{prefect.url}/gallery"}


def prefect_key(folder: Path) -> str:
    """The password of the Prefect server that is started here, as `user:password`: made once, in a file that only this user can read.

    A person who can call Prefect's API can read every saved key and have a worker run any command.
    """
    _make_own(folder)
    file = folder / _KEY
    with suppress(FileNotFoundError):
        if not file.read_text().strip():  # Prefect takes an empty one for none, and lets everybody in
            file.unlink()
    if not file.exists():
        with NamedTemporaryFile("w", dir=folder) as new:  # only its owner can read it, and no process reads half of it
            new.write(f"genmedia:{secrets.token_urlsafe(24)}")  # as user and password, which every HTTP client can send
            new.flush()
            with suppress(FileExistsError):
                file.hardlink_to(new.name)
    return file.read_text()


def join_prefect(folder: Path) -> None:
    """Have this process use the Prefect server that `genmedia up` runs with its state in a folder, unless its settings name another.

    Call it before Prefect is imported, for Prefect reads its settings then.
    """
    if not os.access(folder / _KEY, os.R_OK):  # it is not there, or another user's
        return
    server, told = prefect_service(folder, folder.parent), _told_server()
    if server.find() and told in (None, f"{server.url}/api"):
        os.environ.update(addresses_of(server))
        for name, value in {"PREFECT_API_AUTH_STRING": prefect_key(folder), **_LOGGING}.items():
            os.environ.setdefault(name, value)


def _told_server() -> str | None:
    """Address of the server that the environment, or Prefect's profile, names; None if neither does."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url.rstrip("/").replace("//localhost:", "//127.0.0.1:")
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    try:
        told = tomllib.loads((home / "profiles.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    profile = told.get("profiles", {}).get(os.environ.get("PREFECT_PROFILE") or told.get("active", ""), {})
    return profile.get("PREFECT_API_URL")


def _make_own(folder: Path) -> None:
    """Make a folder that only this user can open, whatever the rights of the folders above it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def open_accounts(sandbox: str, name: str = "default") -> dict[str, str]:
    """Open an account of this name at every provider of the sandbox at this address; see `accounts_of`.

    The keys of a new account are the same in every sandbox, so that blocks which hold them work with the next sandbox too.
    """
    sandbox = sandbox.rstrip("/")
    there = {(one["provider"], one["account"]): one["api_key"] for one in ask_sandbox(sandbox, "/accounts")}
    overview = ask_sandbox(sandbox, "")
    for provider in overview["providers"]:
        wish: dict[str, Any] = {"provider": provider, "account": name}
        if (provider, name) not in there:
            wish["api_key"] = f"{there[provider, 'default']}_{name}"
        if switches := overview["switches_for_local_use"].get(provider):
            wish["switches"] = switches
        ask_sandbox(sandbox, "/accounts", wish)
    return accounts_of(sandbox, name)


def accounts_of(sandbox: str, name: str = "default") -> dict[str, str]:
    """The keys and addresses of the accounts of this name in a sandbox, as environment variables.

    Raises:
        UnreachableError: No sandbox answers there.
    """
    return {
        f"{account['provider']}_{value}".upper(): account[value]
        for account in ask_sandbox(sandbox, "/accounts")
        if account["account"] == name
        for value in ("api_key", "base_url", "plan", "webhook_secret")
        if account.get(value)
    }


def ask_sandbox(sandbox: str, path: str, wish: Any = None) -> Any:
    """Answer of the sandbox's control plane to a GET, or to a POST of the wish.

    Raises:
        UnreachableError: No sandbox answers there.
    """
    address = f"{sandbox.rstrip('/')}/sandbox{path}"
    try:
        answer = httpx.post(address, json=wish, timeout=10) if wish else httpx.get(address, timeout=10)
        return answer.raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        raise UnreachableError(
            f"no sandbox answers at {sandbox}",
            money="",
            advice="Start one with `genmedia sandbox`, and write the address that it prints, such as http://127.0.0.1:4280.",
        ) from None


def _reserve(port: int, *, listening: bool) -> socket.socket:
    """Bind a socket to this port, or to a free one if it is taken.

    While the socket is open, the system gives the port to no outgoing connection.

    Args:
        port: The port.
        listening: True if it is to listen: then nobody else can. If it does not, anybody can, a server of ours as well.
    """
    for wanted in (port, 0):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", wanted))
            if listening:
                bound.listen()
        except OSError:
            bound.close()
        else:
            return bound
    raise SettingsError("this machine has no free port", advice="End programs that hold many connections, and try again.")


@contextmanager
def uninterrupted() -> Generator[None]:
    """Delay Ctrl-C, SIGTERM and SIGHUP until the block has ended, so that a child that is started in it is known and can be stopped.

    Signals reach Python in its main thread only; in another there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        sign: signal.signal(sign, lambda number, _: came.append(number))
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def signal_group(pid: int, sign: signal.Signals) -> None:
    """Send a signal to a process of ours and its children; no error is raised if they have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.killpg(pid, sign)


def _began(pid: int) -> str:
    """Start time of a process, as the system gives it; empty if there is none, or if it has ended and its parent has not waited for it.

    With the number of the process it identifies one process for ever.
    """
    if not _BOOT.exists():  # no Linux
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 # a number and fixed words
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if told[0] in "ZX" else f"{_BOOT.read_text().strip()} {told[19]}"


def _with_port(text: str, port: int) -> str:
    return text.replace("{port}", str(port))
