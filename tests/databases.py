"""A real PostgreSQL server for the tests that need one."""

import os
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

from genmedia.cli.services import free_port

USER = "postgres"


def programs() -> Path | None:
    """The folder of the server's programs; None where it is not installed."""
    found = shutil.which("initdb")
    places = [Path(found).resolve()] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


class Postgres:
    """A server on a port of its own, with its data in `folder`; it can be stopped and started again.

    It does not run as root: there it runs as the user that its package makes.
    """

    def __init__(self, folder: Path) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._programs, self._data, self._log, self._port = bin_folder, folder / "data", folder / "log", free_port()
        self._folder = folder
        self._user = USER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", USER, "--no-sync")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "fsync": "off",  # what a test keeps need not outlive the machine
        }
        options = f"-p {self._port} " + " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._log, "-o", options, "start")

    def stop(self) -> None:
        """Break all connections, and take none until it is started again."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def new(self) -> str:
        """The address of a new, empty database."""
        name = f"journal_{uuid4().hex[:12]}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", USER, name)
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{name}"

    def dump(self, address: str) -> bytes:
        """All that a database holds."""
        return self._run("pg_dump", address)

    def _run(self, program: str, *arguments: str | Path) -> bytes:
        # A pipe would stay open in the server that pg_ctl leaves behind.
        with (self._folder / "said").open("w+b") as said:
            command = [self._programs / program, *arguments]
            done = subprocess.run(command, check=False, user=self._user, cwd=self._folder, stdout=said, stderr=said, timeout=120)
            said.seek(0)
            printed = said.read()
            assert done.returncode == 0, printed.decode()
            return printed
