"""The journal's database: SQLite for one machine, PostgreSQL for several. It is migrated by itself, and waited for while unreachable.

On SQLite every change is on disk before the next step is taken (`synchronous=FULL`), and every transaction that changes something takes
the write lock first (`BEGIN IMMEDIATE`), so that two processes never both win. On PostgreSQL unique indexes and locks for the transaction
enforce the rules.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime
from functools import wraps
from pathlib import Path
from random import getrandbits
from time import monotonic
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
import stamina
from sqlalchemy import event
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from genmedia.concurrency import Signal, end_task, set_within, to_the_end
from genmedia.errors import JournalError, JournalUnreachableError, SettingsError
from genmedia.journal.sqlite import LOCK_SECONDS, Connection
from genmedia.store.private import make_file, make_folder

FIRST, NEWEST = "0005", "0009"
"""First and newest migration in `migrations/versions`; a journal with a lower number is from before the first release."""

PATIENCE_SECONDS = 300.0
"""Longest wait for an unreachable database, in seconds: enough for a restart or a failover, not for a move."""

MIGRATION_LOCK = 0x67656E6D
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
CHANNEL = "genmedia"
"""Channel of PostgreSQL on which processes tell each other that something has changed for which others may wait."""

LISTEN_SECONDS, LISTEN_ALONE_SECONDS = 0.02, 0.1
"""Pause between two looks at SQLite's counter of changes, in seconds, while other processes change the file, and while none does.

A look takes some 10 µs, and 300 µs where the processor is woken for it (measured).
"""

CLOSELY_SECONDS = 5.0
"""Time for which the counter is looked at more often after a change by another process, in seconds."""

RECONNECT_SECONDS = 1.0
"""Pause before a broken connection on which a process listens is made anew, in seconds."""

HUSH_SECONDS = 5.0
"""Longest wait for a connection that is just being made for listening, when the database is closed, in seconds."""

_READING = "genmedia_reading"
_migrating = threading.Lock()
_GONE = ("08", "57P", "55P03")
"""Beginnings of PostgreSQL's error codes for connections that broke, servers that stop or start, and locks waited for too long."""


class Clock(FunctionElement[str]):
    """Time by the database's own clock, in UTC and in the journal's format, so that a process whose clock is wrong writes no wrong times."""

    type = sa.String()
    inherit_cache = True


@compiles(Clock, "sqlite")
def _sqlite_clock(*_: Any, **__: Any) -> str:  # pyright: ignore[reportUnusedFunction] # SQLAlchemy calls it
    return "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"


@compiles(Clock, "postgresql")
def _postgresql_clock(*_: Any, **__: Any) -> str:  # pyright: ignore[reportUnusedFunction] # SQLAlchemy calls it
    return """to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


class Now(FunctionElement[float]):
    """Time by the database's own clock, in seconds since 1970."""

    type = sa.Float()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:  # pyright: ignore[reportUnusedFunction] # SQLAlchemy calls it
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(Now, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:  # pyright: ignore[reportUnusedFunction] # SQLAlchemy calls it
    return "extract(epoch FROM clock_timestamp())::float8"


_CLOCK = sa.select(Clock())


async def read_clock(connection: AsyncConnection) -> datetime:
    """Return the time by the database's own clock."""
    return datetime.fromisoformat((await connection.execute(_CLOCK)).scalar_one())


P = ParamSpec("P")
T = TypeVar("T")


def uncancellable(transact: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine function not interruptible: a cancellation is raised only after it has ended.

    A cancellation in a transaction can leave a connection to SQLite open that holds the write lock; one between two tries to write down a
    job's id would lose the job.
    """

    @wraps(transact)
    async def transact_to_the_end(*args: P.args, **named: P.kwargs) -> T:
        return await to_the_end(transact(*args, **named))

    return transact_to_the_end


def retry_while_unreachable(transact: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Repeat one transaction while the database is unreachable, for `PATIENCE_SECONDS`. It must be one that may be done twice."""
    once = uncancellable(transact)
    again = stamina.retry(on=JournalUnreachableError, attempts=None, timeout=PATIENCE_SECONDS, wait_initial=0.2, wait_max=5.0)
    patiently = again(once)

    @wraps(once)
    async def transact_at_last(*args: P.args, **named: P.kwargs) -> T:
        try:
            return await once(*args, **named)  # what counts the tries takes as long as a transaction
        except JournalUnreachableError:
            return await patiently(*args, **named)

    return transact_at_last


def below(url: str, folder: Path) -> str:
    """Return the address, with a relative SQLite file taken as one below a folder."""
    try:
        named = make_url(url)
    except (ArgumentError, ValueError):
        return url  # opening it raises the error
    if named.get_backend_name() != "sqlite" or not named.database or Path(named.database).is_absolute():
        return url
    return named.set(database=str(folder / named.database)).render_as_string(hide_password=False)


def is_made(url: str) -> bool:
    """True if there may be a journal at this address; False for a SQLite file that is not there, which opening would make.

    Raises:
        SettingsError: The address is of no database that can hold a journal.
    """
    parsed = _check_url(url)
    return parsed.get_backend_name() != "sqlite" or Path(str(parsed.database)).exists()


class Database:
    """Connections to the database on one event loop.

    Args:
        url: A SQLAlchemy address of a SQLite file or of a PostgreSQL database.

    Raises:
        SettingsError: The address is of neither.
        JournalError: The SQLite file cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = _check_url(url)
        self.label = _label(self._url)
        self.file = Path(str(self._url.database)) if self._url.get_backend_name() == "sqlite" else None
        if self.file:
            _try_file(self.file)
        self._changes = Signal()
        self._mark = 0  # of the last transaction of this process for which others may wait
        self._listening: asyncio.Task[None] | None = None
        self._hushed = asyncio.Event()  # to listen no more, or no more on a connection that broke
        self._open = True
        self._engine = _engine(self._url)
        self._reading = self._engine.execution_options(**{_READING: True})
        self._ready = False

    async def aclose(self) -> None:
        """Close the connections."""
        self._open = False
        self._hushed.set()
        if self._listening:
            # A cancellation while it connects would leave the connection behind.
            await asyncio.wait([self._listening], timeout=HUSH_SECONDS)
            await end_task(self._listening)
        await self._engine.dispose()

    @property
    def changes(self) -> Signal:
        """Fired when a process has changed what another may wait for; it is listened to from now on.

        A change may be missed while the database is unreachable: those who wait ask again from time to time.
        """
        if self._listening is None:
            listen = self._listen_to_file if self.file else self._listen_to_server
            self._listening = asyncio.create_task(listen(), name="changes of the journal")
        return self._changes

    @asynccontextmanager
    async def transaction(self, *, reading: bool = False, waking: bool = False) -> AsyncGenerator[AsyncConnection]:
        """Open a transaction; its changes are made completely or not at all.

        Args:
            reading: True for a transaction that changes nothing: with SQLite it waits for no other, and none waits for it.
            waking: True for a transaction that changes what others may wait for: they are told, in all processes.

        Raises:
            IntegrityError: A change breaks a rule of the tables.
            JournalUnreachableError: There is no connection, or it broke; it is not known if the transaction was done.
            JournalError: The database cannot be used.
        """
        try:
            if not self._ready:
                await self._make_ready()
            connection = await (self._reading if reading else self._engine).connect()
            try:
                async with connection.begin():
                    yield connection
                    if waking:
                        await self._wake(connection)
            finally:
                await connection.close()
            if waking:
                self._changes.fire()
        except IntegrityError:
            raise
        except NoConnectionError as error:
            raise JournalUnreachableError(f"the journal {self.label} does not answer on any connection: {error}") from None
        except (DBAPIError, OSError) as error:
            raise self._fault(error) from None

    async def _wake(self, connection: AsyncConnection) -> None:
        """Have other processes told of this transaction when it is done."""
        if self.file:
            self._mark = getrandbits(31)
            _driver(connection.sync_connection).mark = self._mark
        else:
            await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))

    async def _listen_to_file(self) -> None:
        """Fire `changes` whenever a transaction of another process was a waking one."""
        closely_until = 0.0
        while self._open:
            # Such as when the file is locked whole, or this process has too many open.
            with suppress(sqlite3.Error), closing(sqlite3.connect(str(self.file), timeout=0)) as watching:
                seen: tuple[int, int] | None = None
                while self._open:
                    ((version,),) = watching.execute("PRAGMA data_version")
                    if seen is None or seen[0] != version:
                        ((mark,),) = watching.execute("PRAGMA user_version")
                        if seen is None or mark not in (seen[1], self._mark):
                            closely_until = monotonic() + CLOSELY_SECONDS
                            self._changes.fire()
                        seen = version, mark
                    await asyncio.sleep(LISTEN_SECONDS if monotonic() < closely_until else LISTEN_ALONE_SECONDS)
            await asyncio.sleep(LISTEN_ALONE_SECONDS)

    async def _listen_to_server(self) -> None:
        """Fire `changes` whenever a transaction was a waking one."""
        import asyncpg  # noqa: PLC0415 # a journal in a file needs none

        def hear(*_: object) -> None:
            self._changes.fire()

        def end(*_: object) -> None:
            self._hushed.set()

        while self._open:
            with suppress(DBAPIError, NoConnectionError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                async with self._engine.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    driver.add_termination_listener(end)
                    await driver.add_listener(CHANNEL, hear)
                    try:
                        await self._hushed.wait()
                    finally:
                        driver.remove_termination_listener(end)
                        await connection.invalidate()  # else it would be used again, and listen on
            self._changes.fire()
            if self._open:
                self._hushed.clear()
                await set_within(self._hushed, RECONNECT_SECONDS)

    async def copy_to(self, target: Path) -> None:
        """Copy a SQLite file as it is at this moment to another, while other processes use it.

        Raises:
            SettingsError: The journal is no SQLite file, or the target is there already.
            JournalError: The journal cannot be read, or the target cannot be written.
        """
        if not self.file:
            raise SettingsError(f"{self.label} is no file", money="", advice="Use PostgreSQL's own pg_dump.")
        if target.exists():
            raise SettingsError(f"{target} is there already", money="", advice="Name a file that is not there yet.")
        source = self.file

        def copy() -> None:
            make_file(target)
            with closing(sqlite3.connect(source)) as connection, closing(sqlite3.connect(target)) as other:
                connection.backup(other)

        try:
            await asyncio.to_thread(copy)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{target} could not be written: {error}", money="") from None

    async def scrub(self) -> None:
        """Remove cleared data from the log of a SQLite file, unless another process reads the file at this moment."""
        if self.file:
            source = self.file

            def scrub() -> None:
                with closing(sqlite3.connect(source)) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

            with suppress(sqlite3.Error):  # the next process that closes the file does the same
                await asyncio.to_thread(scrub)

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Lock a name until the transaction ends; with SQLite a transaction excludes all others anyway."""
        if not self.file:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

    async def _make_ready(self) -> None:
        try:
            async with self._engine.begin() as connection:
                version = await connection.run_sync(_version)
        except (TypeError, ValueError) as error:  # of the driver, whose message says more than may be shown
            raise SettingsError(
                f"the address of the journal {self.label} has an option that its driver does not take ({type(error).__name__})",
                advice="Leave it out of what comes after the `?`.",
            ) from None
        if version > NEWEST:
            raise JournalError(
                f"the journal {self.label} is of version {version}, this genmedia writes version {NEWEST}",
                advice="Use the genmedia that wrote it, or a newer one.",
            )
        if version and version < FIRST:
            raise JournalError(
                f"the journal {self.label} is of version {version}, from before the first release; this genmedia reads {FIRST} and later",
                advice="See to its open jobs with the genmedia that wrote it; then put it aside, and fill a new one from the store with"
                " `genmedia journal rebuild`.",
            )
        if version != NEWEST:
            # Alembic keeps what it works on in module globals: it gets a thread and a loop to itself, one at a time.
            await asyncio.to_thread(_migrate_alone, self._url)
        self._ready = True

    def _fault(self, error: DBAPIError | OSError) -> JournalError:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = str(getattr(cause, "sqlstate", None) or "")
        if self.file:
            gone = getattr(cause, "sqlite_errorname", "") == "SQLITE_BUSY"  # for longer than SQLite itself waits
        else:
            gone = isinstance(error, OSError) or error.connection_invalidated or not code or code.startswith(_GONE)
        kind = JournalUnreachableError if gone else JournalError
        return kind(f"the journal {self.file or self.label} cannot be used: {cause}")


def _check_url(url: str) -> URL:
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):  # such as for a port that is no number
        parsed = None
    shown, kind = (_label(parsed), parsed.get_backend_name()) if parsed else ("what is given", "")
    if parsed and not 0 < (parsed.port or 1) < 2**16:
        kind = ""
    if parsed and kind == "sqlite" and parsed.database not in (None, "", ":memory:") and parsed.host is parsed.username is None:
        return parsed.set(drivername="sqlite+aiosqlite")
    if parsed and kind != "sqlite" and "@" in f"{parsed.host}{parsed.database}{parsed.query.get('host')}":
        shown = "what is given has an @ too many, which in a password is written as %40, and"  # some of it may be the password
    elif parsed and kind == "postgresql" and parsed.database:
        return parsed.set(drivername="postgresql+asyncpg")
    raise SettingsError(
        f"{shown} cannot hold the journal",
        advice="Set GENMEDIA_JOURNAL_URL to a file, such as sqlite:////var/lib/genmedia.db, or to postgresql://USER:PASSWORD@HOST/NAME.",
    )


def _label(url: URL) -> str:
    """Return a database's address for people, without the password; of the query, which may contain passwords too, only host and port."""
    place = {name: value for name, value in url.query.items() if name in ("host", "port")}
    return url.set(query=place).render_as_string(hide_password=True)


def _try_file(file: Path) -> None:
    """Refuse a file that cannot be used: aiosqlite would leave a thread behind that outlives the loop."""
    try:
        make_folder(file.parent)
        make_file(file)  # the files that SQLite adds get the same mode
        with closing(sqlite3.connect(file)) as probe:
            probe.execute("PRAGMA schema_version")
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"the journal {file} cannot be used: {error}") from None


def _engine(url: URL, *, migrating: bool = False) -> AsyncEngine:
    if url.get_backend_name() == "postgresql":
        # Only waits for locks are limited: a COMMIT that waits for a standby must not be cut off and taken for done.
        limit = {} if migrating else {"server_settings": {"lock_timeout": f"{LOCK_SECONDS}s"}}
        return create_async_engine(
            url, pool_size=6, max_overflow=0, pool_timeout=PATIENCE_SECONDS, pool_pre_ping=True, connect_args=limit
        )
    # One connection: several of one process would fight each other for the write lock, a busy pause of up to 100 ms at a time.
    engine = create_async_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE_SECONDS, connect_args={"async_creator_fn": Connection}
    )

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver opens transactions of its own, without the write lock
        cursor = connection.cursor()
        for pragma in PRAGMAS[:-1] if migrating else PRAGMAS:  # a step may copy and drop tables that others refer to
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    driver = _driver(connection)
    driver.beginning = "BEGIN" if _READING in connection.get_execution_options() else "BEGIN IMMEDIATE"
    driver.mark = None


def _driver(connection: Any) -> Connection:
    """Return SQLite's own connection."""
    return connection.connection.driver_connection


def _migrate_alone(url: URL) -> None:
    with _migrating:
        asyncio.run(_migrate(url))


async def _migrate(url: URL) -> None:
    from genmedia.journal.migrations import upgrade  # noqa: PLC0415 # Alembic is needed once in a journal's life

    engine = _engine(url, migrating=True)
    try:
        async with engine.begin() as connection:
            if url.get_backend_name() == "postgresql":
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            await connection.run_sync(upgrade)
    finally:
        await engine.dispose()


def _version(connection: sa.Connection) -> str:
    """Return the last migration that was done: empty where there are no tables, 0000 for tables from before there were migrations."""
    found = sa.inspect(connection)
    if not found.has_table("alembic_version"):
        return "0000" if found.has_table("submissions") else ""
    return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or "")
