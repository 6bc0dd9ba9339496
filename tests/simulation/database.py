"""The journal's database of a simulation: a SQLite file in memory, without threads, whose clock is the virtual one.

Each process has connections of its own to it, and SQLite itself keeps their transactions apart, in WAL mode as in a real journal. What the
journal asks of PostgreSQL (locks, the clock of leases) are functions here, so that processes are owners by leases, as on several machines.
What PostgreSQL lets happen at once and SQLite does not is not simulated: a transaction that writes excludes all others that do.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from genmedia.journal.tables import tables
from tests.simulation.loop import KilledError

BUSY_SECONDS = 30.0
"""Longest wait of a transaction for another, in seconds, as with a real journal."""


class Chance(Protocol):
    """Where the database lets chance interfere."""

    async def comes(self, what: str) -> None:
        """Wait before a step of a transaction; the process may be stopped or killed here."""
        ...

    async def committed(self) -> None:
        """Wait after a commit, which is there: the process may hear of it late, never, or as an error."""
        ...

    async def waits(self) -> float:
        """Wait a moment for another transaction; return the seconds."""
        ...


class _Time(sa.DateTime):
    """A time as a number of seconds since 1970: PostgreSQL's clock is a function that returns such a number here."""

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        del dialect

        def as_seconds(time: datetime) -> float:
            return time.replace(tzinfo=UTC).timestamp()

        return as_seconds


class Connection:
    """What the journal asks of SQLAlchemy's asynchronous connection; of one process.

    Args:
        plain: SQLAlchemy's connection to the file.
        chance: Where chance may interfere.
        channel: What all processes hear.
        writes: True if its transactions change something.
        give_back: Called when it is closed.
    """

    def __init__(
        self,
        plain: sa.Connection,
        chance: Chance,
        channel: "Channel",
        *,
        writes: bool,
        give_back: Callable[["Connection"], None],
    ) -> None:
        self._plain = plain
        self._give_back = give_back
        self._raw: Any = plain.connection.dbapi_connection
        self._chance = chance
        self._channel = channel
        self._hears: Callable[..., None] | None = None
        self._writes = writes
        self.killed = False

    def __await__(self) -> Generator[Any, None, "Connection"]:
        return self
        yield

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if not self.killed:
            self._give_back(self)

    @property
    def plain(self) -> sa.Connection:
        """SQLAlchemy's connection to the file."""
        return self._plain

    @property
    def driver_connection(self) -> "Connection":
        return self

    async def get_raw_connection(self) -> "Connection":
        return self

    def add_termination_listener(self, end: Callable[[object], None]) -> None:
        """Do nothing: no connection breaks here."""

    remove_termination_listener = add_termination_listener

    async def add_listener(self, channel: str, hear: Callable[..., None]) -> None:
        del channel
        self._hears = hear
        self._channel.heard_by.append(hear)

    async def invalidate(self) -> None:
        self._hear_no_more()

    def _hear_no_more(self) -> None:
        if self._hears:
            self._channel.heard_by.remove(self._hears)
            self._hears = None

    @property
    def dialect(self) -> sa.Dialect:
        return self._plain.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> sa.CursorResult[Any]:
        await asyncio.sleep(0)  # others go on meanwhile; a death here leaves the same as one before the commit
        self._check()
        return self._plain.execute(statement, parameters)

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[None]:
        # SQLAlchemy is not told: its own bookkeeping of transactions takes a quarter of a schedule's time.
        await self._chance.comes("before a transaction")
        await self._begin_alone()
        try:
            yield
            if self._writes:
                await self._chance.comes("before a commit")
            self._check()
            self._raw.execute("COMMIT")
            self._channel.tell()
        except BaseException:
            self._channel.told = False
            if self._raw.in_transaction and not self.killed:
                self._raw.execute("ROLLBACK")
            raise
        if self._writes:
            await self._chance.committed()

    async def _begin_alone(self) -> None:
        waited = 0.0
        while True:
            self._check()
            try:
                self._raw.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
            except sqlite3.OperationalError as error:
                if waited > BUSY_SECONDS:
                    raise OperationalError("BEGIN", None, error) from None
            else:
                return
            waited += await self._chance.waits()

    def kill(self) -> None:
        """Roll back what is open: the process is dead, and touches the file no more."""
        self.killed = True
        self._hear_no_more()
        self._raw.close()
        self._plain.invalidate()

    def _check(self) -> None:
        if self.killed:
            raise KilledError


class Channel:
    """What a commit tells to all processes.

    Attributes:
        heard_by: Called when a transaction is committed that has told something.
        told: True while a transaction is open that has; of those that write there is one at a time.
    """

    def __init__(self) -> None:
        self.heard_by: list[Callable[..., None]] = []
        self.told = False

    def notify(self, *_: object) -> str:
        """PostgreSQL's `pg_notify`."""
        self.told = True
        return ""

    def tell(self) -> None:
        """Tell it, after a commit."""
        if self.told:
            self.told = False
            for hear in list(self.heard_by):
                hear()


class Engine:
    """What the journal asks of SQLAlchemy's asynchronous engine; of one process.

    Args:
        free: Connections that no process uses.
        connect: Makes another one.
        chance: Where chance may interfere.
        channel: What all processes hear.
    """

    def __init__(self, free: list[sa.Connection], connect: Callable[[], sa.Connection], chance: Chance, channel: Channel) -> None:
        self._free = free
        self._connect = connect
        self._chance = chance
        self._channel = channel
        self._used: list[Connection] = []
        self._writes = True

    def execution_options(self, *, genmedia_reading: bool) -> "Engine":
        """Return the same engine, for transactions of that kind."""
        other = copy(self)
        other._writes = not genmedia_reading
        return other

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Connection]:
        async with self.connect() as connection, connection.begin():
            yield connection

    def connect(self) -> Connection:
        plain = self._free.pop() if self._free else self._connect()
        connection = Connection(plain, self._chance, self._channel, writes=self._writes, give_back=self._give_back)
        self._used.append(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        self._used.remove(connection)
        self._free.append(connection.plain)

    async def dispose(self) -> None:
        pass

    def kill(self) -> None:
        """End the process's connections."""
        for connection in self._used:
            connection.kill()


class File:
    """A journal's file, emptied for each schedule.

    Args:
        folder: Folder of the file; in memory, for speed.

    Attributes:
        now: Returns the time by the database's clock, in seconds since 1970.
        own: A connection for looks from outside of all processes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.db"
        self._free: list[sa.Connection] = []
        self._channel = Channel()
        self.now: Callable[[], float] = float
        self._engine = sa.create_engine("sqlite://", creator=self._open, poolclass=sa.NullPool)
        self._engine.dialect.colspecs = {**self._engine.dialect.colspecs, sa.DateTime: _Time}
        tables.create_all(self._engine)
        self.own = self._open()

    def _open(self) -> sqlite3.Connection:
        plain = sqlite3.connect(self._path, timeout=0, isolation_level=None, cached_statements=512)
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=OFF"):  # the machine does not fail here, processes do
            plain.execute(f"PRAGMA {pragma}")
        # SQLite asks the system for the time; the first two are all by which the journal asks for it.
        plain.create_function("strftime", 2, self._strftime)
        plain.create_function("julianday", 1, self._julianday)
        plain.create_function("clock_timestamp", 0, self._now)
        plain.create_function("hashtextextended", 2, _first)
        plain.create_function("pg_advisory_xact_lock", 1, _first)
        plain.create_function("pg_notify", 2, self._channel.notify)
        return plain

    def _now(self) -> float:
        return self.now()

    def _julianday(self, _: str) -> float:
        return self.now() / 86400.0 + 2440587.5

    def _strftime(self, form: str, _: str) -> str:
        assert form == "%Y-%m-%dT%H:%M:%f+00:00", form
        return as_time(self.now())

    def empty(self) -> None:
        """Empty the file."""
        self.own.execute("BEGIN IMMEDIATE")
        for table in reversed(tables.sorted_tables):
            self.own.execute(f"DELETE FROM {table.name}")
        self.own.execute("COMMIT")

    def engine(self, chance: Chance) -> Engine:
        """Return the engine of one process."""
        return Engine(self._free, self._engine.connect, chance, self._channel)

    def close(self) -> None:
        """Close all connections."""
        for plain in self._free:
            plain.close()
        self.own.close()


def _first(name: str, *_: object) -> str:
    """Do nothing: a transaction excludes all others here."""
    return name


def as_time(seconds: float) -> str:
    """Return a time, in seconds since 1970, in the journal's format."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
