"""A real PostgreSQL server for the tests that need one."""

import asyncio
import fcntl
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from uuid import uuid4

from sqlalchemy.engine.url import URL, make_url

from deployments.engines import postgres
from genmedia.journal import Journal, database

TEMPLATE = "migrated"
"""A database with the journal's tables, of which each new journal is a copy."""

migrate = database._migrate_alone  # pyright: ignore[reportPrivateUsage] # as it is before a test replaces it
"""Makes the tables of a journal by the steps."""


class Postgres(postgres.Postgres):
    """A server with a database for each test; see `deployments.engines.postgres.Postgres`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, settings={"max_connections": 400, "fsync": "off"}
        )  # what a test keeps need not outlive the machine
        if self.is_new:
            asyncio.run(_migrate(self.create(TEMPLATE)))

    def new(self) -> str:
        """The address of a new, empty database."""
        return self.create(_name())

    def journal(self) -> str:
        """The address of a new journal, whose tables are made."""
        return self.create(_name(), "-T", TEMPLATE)

    def dump(self, address: str) -> bytes:
        """All that a database holds."""
        return self.run("pg_dump", address)

    def load(self, address: str, dump: Path) -> None:
        """Fill an empty database with what `dump` gave."""
        shutil.copy(dump, copied := self._folder / dump.name)  # the server's user may not look into the project
        self.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", copied, address)


def _name() -> str:
    return f"journal_{uuid4().hex[:12]}"


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
