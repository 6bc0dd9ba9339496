"""A real PostgreSQL server for the tests that need one."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from uuid import uuid4

from sqlalchemy.engine.url import URL, make_url

from genmedia.journal import Journal, database
from tests.ports import free_port

USER = "postgres"
TEMPLATE = "migrated"
"""A database with the journal's tables, of which each new journal is a copy."""

migrate = database._migrate_alone  # pyright: ignore[reportPrivateUsage] # as it is before a test replaces it
"""Makes the tables of a journal by the steps."""


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
    """

    def __init__(self, folder: Path) -> None:
        bin_folder = programs()
        assert bin_folder is not None
        self._programs, self._data, self._log = bin_folder, folder / "data", folder / "log"
        self._folder = folder
        self._user = USER if os.geteuid() == 0 else None
        running = self._data / "postmaster.pid"
        if running.exists():
            self._port = int(running.read_text().splitlines()[3])
            return
        self._port = free_port()
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", USER, "--no-sync")
        self.start()
        self._run("createdb", *self._server, TEMPLATE)
        asyncio.run(_migrate(self._address(TEMPLATE)))

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "max_connections": 400,
            "fsync": "off",  # what a test keeps need not outlive the machine
        }
        options = f"-p {self._port} " + " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-D", self._data, "-w", "-l", self._log, "-o", options, "start")

    def stop(self) -> None:
        """Break all connections, and take none until it is started again."""
        self._run("pg_ctl", "-D", self._data, "-m", "fast", "-w", "stop")

    def new(self) -> str:
        """The address of a new, empty database."""
        return self._create()

    def journal(self) -> str:
        """The address of a new journal, whose tables are made."""
        return self._create("-T", TEMPLATE)

    def dump(self, address: str) -> bytes:
        """All that a database holds."""
        return self._run("pg_dump", address)

    def load(self, address: str, dump: Path) -> None:
        """Fill an empty database with what `dump` gave."""
        shutil.copy(dump, copied := self._folder / dump.name)  # the server's user may not look into the project
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", copied, address)

    @property
    def _server(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self._port), "-U", USER)

    def _create(self, *options: str) -> str:
        name = f"journal_{uuid4().hex[:12]}"
        self._run("createdb", *self._server, *options, name)
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"

    def _run(self, program: str, *arguments: str | Path) -> bytes:
        # A pipe would stay open in the server that pg_ctl leaves behind.
        with (self._folder / f"said-{os.getpid()}").open("w+b") as said:
            command = [self._programs / program, *arguments]
            done = subprocess.run(command, check=False, user=self._user, cwd=self._folder, stdout=said, stderr=said, timeout=120)
            said.seek(0)
            printed = said.read()
            assert done.returncode == 0, printed.decode()
            return printed


async def _migrate(address: str) -> None:
    async with Journal.lease(address) as journal:
        await journal.open_attempts()


def copy_tables(url: URL) -> None:
    """Make the tables of a journal: in a new SQLite file those that the steps made before, else by the steps."""
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), isolation_level=None)) as new:
            new.execute("BEGIN EXCLUSIVE")
            if not new.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _migrated_tables():
                    new.execute(statement)
                new.execute("COMMIT")
                return
    migrate(url)


@cache
def _migrated_tables() -> list[str]:
    """What a SQLite file with the tables and nothing in them is made by."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.db"
        migrate(make_url(f"sqlite+aiosqlite:///{file}"))
        with closing(sqlite3.connect(file)) as migrated:
            return [statement for statement in migrated.iterdump() if statement not in ("BEGIN TRANSACTION;", "COMMIT;")]


@contextmanager
def shared_postgres(run_folder: Path) -> Generator[Postgres]:
    """One server for all processes of a run: the first that comes starts it, and the last that goes ends it, however the others ended."""
    told = run_folder / "postgres.folder"
    with (run_folder / "postgres.users").open("w") as users:
        with _alone(run_folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not told.exists():
                told.write_text(mkdtemp(prefix="genmedia-postgres-"))  # pytest's own are closed to the server's user
            server = Postgres(Path(told.read_text()))
        try:
            yield server
        finally:
            with _alone(run_folder):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # somebody uses it
                else:
                    server.stop()
                    shutil.rmtree(told.read_text())
                    told.unlink()


@contextmanager
def _alone(run_folder: Path) -> Generator[None]:
    """One process at a time starts or stops it."""
    with (run_folder / "postgres.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield
