"""The journal's database of a simulation: a SQLite file in memory, without threads, whose clock is the virtual one.

Each process has connections of its own to it; SQLite itself keeps their transactions apart, in WAL mode as in a real journal. The names that
the journal uses of PostgreSQL (locks, the clock of leases) are functions here, so that processes are owners by leases, as on several
machines. What PostgreSQL lets happen at once within one account and SQLite does not is not simulated: each transaction that writes
excludes all others.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import event, pool
from sqlalchemy.dialects.sqlite import aiosqlite
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

from genmedia.journal import database
from genmedia.journal.tables import tables
from tests.simulation.loop import KilledError

CONNECTIONS = 3
"""Most connections of one process."""

BUSY_SECONDS = 30.0
"""Longest wait of a transaction for another, in seconds, as with a real journal."""


class _Time(sa.DateTime):
    """A time as a number of seconds since 1970: PostgreSQL's clock is a function that returns such a number here."""

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime], float]:
        del dialect
        return lambda time: time.replace(tzinfo=UTC).timestamp()


class Cursor:
    """What SQLAlchemy's adapter asks of a cursor of aiosqlite."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._plain = connection.plain.cursor()

    async def __aenter__(self) -> "Cursor":
        return self

    @property
    def description(self) -> Any:
        return self._plain.description

    @property
    def rowcount(self) -> int:
        return self._plain.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._plain.lastrowid

    async def execute(self, operation: str, parameters: Any = ()) -> None:
        await self._connection.execute(lambda: self._plain.execute(operation, parameters), operation)

    async def executemany(self, operation: str, parameters: Any) -> None:
        await self._connection.execute(lambda: self._plain.executemany(operation, parameters), operation)

    async def fetchall(self) -> list[Any]:
        return self._plain.fetchall()

    async def close(self) -> None:
        self._plain.close()


class Connection:
    """What SQLAlchemy's adapter asks of a connection of aiosqlite; of one process.

    Args:
        plain: The connection to the file.
        chance: Where chance may interfere.
    """

    def __init__(self, plain: sqlite3.Connection, chance: "Chance") -> None:
        self.plain = plain
        self._connection = plain  # the adapter asks whether it is open
        self._chance = chance
        self._open = True
        self._writes = False

    def __await__(self) -> Generator[Any, None, "Connection"]:
        yield from ()
        return self

    def cursor(self) -> Cursor:
        return Cursor(self)

    async def execute(self, run: Callable[[], object], statement: str) -> None:
        begins = statement.startswith("BEGIN")
        if begins:
            self._writes = statement == "BEGIN IMMEDIATE"
            await self._chance.comes("before a transaction")
        waited = 0.0
        while True:
            self._check()
            try:
                run()
                break
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY" or waited > BUSY_SECONDS:
                    raise
            waited += await self._chance.pauses()
        if not begins:
            await asyncio.sleep(0)  # where another process may go on

    async def commit(self) -> None:
        self._check()
        if self.plain.in_transaction:
            if not self._writes:
                self.plain.commit()
                return
            await self._chance.comes("before a commit")
            self._check()
            self.plain.commit()
            await self._chance.committed()

    async def rollback(self) -> None:
        if self._open:
            self.plain.rollback()

    async def close(self) -> None:
        await self.rollback()

    def stop(self) -> None:
        self.plain.rollback()

    def die(self) -> None:
        """Roll back what is open: the process is dead. Nothing of it touches the file any more."""
        self._open = False
        self.plain.rollback()

    def _check(self) -> None:
        if not self._open:
            raise KilledError


class Chance(Protocol):
    """Where the database lets chance interfere."""

    async def comes(self, what: str) -> None:
        """Wait before a step of a transaction; the process may be stopped or killed here."""
        ...

    async def committed(self) -> None:
        """Wait after a commit, which is there: the process may hear of it late, never, or as an error."""
        ...

    async def pauses(self) -> float:
        """Wait a moment for another transaction; return the seconds."""
        ...


class File:
    """A journal's file, emptied for each schedule.

    Args:
        folder: Folder of the file; in memory, for speed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.db"
        self._free: list[sqlite3.Connection] = []
        self._used: list[sqlite3.Connection] = []
        self._dialect, self._compiled = _dialect()
        self.now: Callable[[], float] = float
        self.own = self._connect()
        self.own.execute("PRAGMA journal_mode=WAL")
        for statement in tables_as_sql():
            self.own.execute(statement)

    def _connect(self) -> sqlite3.Connection:
        plain = sqlite3.connect(self._path, timeout=0, isolation_level=None, cached_statements=512)
        plain.execute("PRAGMA synchronous=OFF")  # the machine does not die here, only processes
        plain.execute("PRAGMA foreign_keys=ON")
        # SQLite asks the system for the time; these two are all by which the journal asks for it.
        plain.create_function("strftime", 2, self._strftime)
        plain.create_function("julianday", 1, lambda _: self.now() / 86400.0 + 2440587.5)
        plain.create_function("clock_timestamp", 0, lambda: self.now())
        plain.create_function("hashtextextended", 2, lambda name, _: name)
        plain.create_function("pg_advisory_xact_lock", 1, lambda _: None)
        return plain

    def _strftime(self, form: str, _: str) -> str:
        assert form == "%Y-%m-%dT%H:%M:%f+00:00", form
        return self.as_time(self.now())

    def as_time(self, seconds: float) -> str:
        """Return a time, in seconds since 1970, in the journal's format."""
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

    def empty(self) -> None:
        """Empty the file, and take back all connections."""
        self._free += self._used
        self._used = []
        for plain in self._free:
            plain.rollback()
        self.own.execute("BEGIN IMMEDIATE")
        for table in reversed(tables.sorted_tables):
            self.own.execute(f"DELETE FROM {table.name}")
        self.own.execute("COMMIT")

    def close(self) -> None:
        """Close all connections."""
        for plain in (*self._free, *self._used, self.own):
            plain.close()

    def engine(self, chance: Chance, opened: Callable[[Connection], None]) -> AsyncEngine:
        """Return an engine for one process; `opened` is called with each of its connections."""

        def connect(_: Any = None) -> Any:
            plain = self._free.pop() if self._free else self._connect()
            self._used.append(plain)
            connection = Connection(plain, chance)
            opened(connection)
            return aiosqlite.AsyncAdapt_aiosqlite_connection(self._dialect.dbapi, connection)

        connections = pool.AsyncAdaptedQueuePool(connect, pool_size=CONNECTIONS, max_overflow=0, dialect=self._dialect, timeout=300)
        engine = Engine(connections, self._dialect, make_url("sqlite+aiosqlite:///simulated"))
        engine._compiled_cache = self._compiled  # pyright: ignore[reportPrivateUsage] # each statement is compiled once for all schedules
        event.listen(engine, "begin", database._begin)  # pyright: ignore[reportPrivateUsage] # as a real journal begins its transactions
        return AsyncEngine(engine)


def tables_as_sql() -> list[str]:
    """Return the statements that make the journal's tables."""
    made = list[str]()
    engine = sa.create_mock_engine("sqlite://", lambda statement, *_, **__: made.append(str(statement.compile(dialect=engine.dialect))))
    tables.create_all(engine, checkfirst=False)
    return made


def _dialect() -> tuple[Any, Any]:
    """Return the dialect of all engines of the simulation, as an engine makes it, and a cache for compiled statements."""
    engine = create_async_engine("sqlite+aiosqlite://").sync_engine
    dialect = engine.dialect
    dialect.colspecs = {**dialect.colspecs, sa.DateTime: _Time}
    dialect.server_version_info = sqlite3.sqlite_version_info
    return dialect, LRUCache(2000)
