"""A PostgreSQL server on this machine, on 127.0.0.1 only (Debian: apt-get install postgresql)."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from deployments.engines.ports import free_port

USER = "postgres"
COMMAND_SECONDS = 120.0


def programs() -> Path | None:
    """The folder of the server's programs; None where it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve()] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


class Postgres:
    """A server on a port of its own, with its data in `folder`; it can be stopped and started again.

    It does not run as root: there it runs as the user that its package makes.

    Args:
        folder: Where it runs already, or, while it is empty, where it is made and started. Its user must be able to reach it.
        password: Of its user; empty to let in everybody on this machine.
        settings: Settings of the server, by name.
    """

    def __init__(self, folder: Path, *, password: str = "", settings: Mapping[str, str | int] | None = None) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._programs, self._data, self._log = bin_folder, folder / "data", folder / "log"
        self._folder = folder
        self._password = password
        self._settings = settings or {}
        self._user = USER if os.geteuid() == 0 else None
        running = self._data / "postmaster.pid"
        self.is_new = not running.exists()
        if not self.is_new:
            self._port = int(running.read_text().splitlines()[3])
            return
        self._port = free_port()
        if self._user:
            shutil.chown(folder, self._user)
        self._make()
        self.start()

    def _make(self) -> None:
        with NamedTemporaryFile("w", dir=self._folder) as told:
            told.write(self._password)
            told.flush()
            if self._user:
                shutil.chown(told.name, self._user)
            asks = ("-A", "scram-sha-256", f"--pwfile={told.name}") if self._password else ("-A", "trust")
            self.run("initdb", "-D", self._data, *asks, "-U", USER, "--no-sync")

    @property
    def pid(self) -> int:
        """Number of its first process, while it runs."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder, **self._settings}
        options = f"-p {self._port} " + " ".join(f"-c {name}={value}" for name, value in settings.items())
        self.run("pg_ctl", "-D", self._data, "-w", "-l", self._log, "-o", options, "start")

    def stop(self) -> None:
        """Break all connections, and take none until it is started again."""
        self.run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def create(self, name: str, *options: str) -> str:
        """Make a database; returns its address, in which its password stands. `options` are those of `createdb`."""
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", USER, *options, name)
        return self.address(name)

    def address(self, database: str) -> str:
        """The address of a database."""
        user = f"{USER}:{self._password}" if self._password else USER
        return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"

    def run(self, program: str, *arguments: str | Path) -> bytes:
        """Run one of the server's programs; returns what it printed.

        Raises:
            RuntimeError: It failed; with what it printed.
        """
        # A pipe would stay open in the server that pg_ctl leaves behind.
        with (self._folder / f"said-{os.getpid()}").open("w+b") as said:
            done = subprocess.run(  # noqa: S603 # the server's own programs
                [self._programs / program, *arguments],
                check=False,
                user=self._user,
                cwd=self._folder,
                env={**os.environ, "PGPASSWORD": self._password},
                stdout=said,
                stderr=said,
                timeout=COMMAND_SECONDS,
            )
            said.seek(0)
            printed = said.read()
        if done.returncode:
            raise RuntimeError(f"{program} failed: {printed.decode(errors='replace').strip()}")
        return printed
