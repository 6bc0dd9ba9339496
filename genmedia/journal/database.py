"""The journal's database: SQLite for one machine, PostgreSQL for several; brought to the newest form by itself, waited for when it is gone.

On SQLite every change is on disk before the next step is taken (`synchronous=FULL`), and every transaction takes the write lock first
(`BEGIN IMMEDIATE`), so that two processes never both win. On PostgreSQL the rules stand in unique indexes and in locks for the transaction.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
import stamina
from sqlalchemy import event
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from genmedia.errors import JournalError, JournalUnreachableError, SettingsError
from genmedia.leasing import to_the_end

NEWEST = "0004"
"""The last step in `migrations/versions`."""

PATIENCE_SECONDS = 300.0
"""How long a database that is gone is waited for: a restart or a failover, not a move."""

MIGRATION_LOCK = 0x67656E6D
LOCK_SECONDS = 30
"""How long a statement waits for what somebody else has locked."""

PRAGMAS = (f"busy_timeout={LOCK_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_migrating = threading.Lock()
_GONE = ("08", "57P", "55P03")
"""Of PostgreSQL's error codes: connections that broke, servers that stop or start, locks that were waited for too long."""

P = ParamSpec("P")
T = TypeVar("T")


def whole(transact: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """For what must not be left half done: whoever is cancelled in it goes when it is over.

    A cancellation in a transaction can leave a connection to SQLite behind that holds the write lock, with nobody to close it; one
    between two tries to write down a job's id would lose the job.
    """

    @wraps(transact)
    async def transact_to_the_end(*args: P.args, **named: P.kwargs) -> T:
        return await to_the_end(transact(*args, **named))

    return transact_to_the_end


def outlasting(transact: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """For what is one transaction and may be done again: waits while the database is gone."""
    again = stamina.retry(on=JournalUnreachableError, attempts=None, timeout=PATIENCE_SECONDS, wait_initial=0.2, wait_max=5.0)
    return again(whole(transact))


class Database:
    """Connections to it on one event loop.

    Args:
        url: A SQLAlchemy address of a SQLite file or of a PostgreSQL database.

    Raises:
        SettingsError: The address is of neither.
        JournalError: The file cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._url = _check_url(url)
        self.label = self._url.render_as_string(hide_password=True)
        self.file = Path(str(self._url.database)) if self._url.get_backend_name() == "sqlite" else None
        if self.file:
            _try_file(self.file)
        self._engine = _engine(self._url)
        self._ready = False

    async def aclose(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncConnection]:
        """One transaction; what stands in it is done wholly or not at all.

        Raises:
            IntegrityError: It goes against a rule of the tables.
            JournalUnreachableError: There is no connection, or it broke; whether the transaction was done is not known.
            JournalError: The database cannot be used.
        """
        try:
            if not self._ready:
                await self._make_ready()
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except NoConnectionError as error:
            raise JournalUnreachableError(f"the journal {self.label} does not answer on any connection: {error}") from None
        except (DBAPIError, OSError) as error:
            raise self._fault(error) from None

    async def copy_to(self, target: Path) -> None:
        """Write what is in a SQLite file at this moment into another, while others go on with it.

        Raises:
            SettingsError: It is no SQLite file, or the other is there already.
            JournalError: It cannot be read, or the other not written.
        """
        if not self.file:
            raise SettingsError(f"{self.label} is no file", money="", advice="Use PostgreSQL's own pg_dump.")
        if target.exists():
            raise SettingsError(f"{target} is there already", money="", advice="Name a file that is not there yet.")
        source = self.file

        def copy() -> None:
            with closing(sqlite3.connect(source)) as connection, closing(sqlite3.connect(target)) as other:
                connection.backup(other)

        try:
            await asyncio.to_thread(copy)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{target} could not be written: {error}", money="") from None

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Hold off whoever wants the same name until the transaction ends; SQLite holds off everybody anyway."""
        if not self.file:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

    async def _make_ready(self) -> None:
        async with self._engine.begin() as connection:
            version = await connection.run_sync(_version)
        if version != NEWEST:
            if version > NEWEST:
                raise JournalError(
                    f"the journal {self.label} is of version {version}, this genmedia writes version {NEWEST}",
                    advice="Use the genmedia that wrote it, or a newer one.",
                )
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
    except ArgumentError:
        parsed = None
    if parsed and parsed.get_backend_name() == "postgresql" and parsed.database:
        return parsed.set(drivername="postgresql+asyncpg")
    if parsed and parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite+aiosqlite")
    shown = parsed.render_as_string(hide_password=True) if parsed else "what is given"
    raise SettingsError(
        f"{shown} cannot hold the journal",
        advice="Set GENMEDIA_JOURNAL_URL to a file, such as sqlite:////var/lib/genmedia.db, or to postgresql://USER:PASSWORD@HOST/NAME.",
    )


def _try_file(file: Path) -> None:
    """Refuse a file that cannot be used: aiosqlite would leave a thread behind that outlives the loop."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as probe:
            probe.execute("PRAGMA schema_version")
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"the journal {file} cannot be used: {error}") from None


def _engine(url: URL, *, migrating: bool = False) -> AsyncEngine:
    if url.get_backend_name() == "postgresql":
        # A limit for locks alone: a COMMIT that waits for a standby must not be taken for done.
        limit = {} if migrating else {"server_settings": {"lock_timeout": f"{LOCK_SECONDS}s"}}
        return create_async_engine(
            url, pool_size=5, max_overflow=0, pool_timeout=PATIENCE_SECONDS, pool_pre_ping=True, connect_args=limit
        )
    # One connection: several of one process would fight each other for the write lock, a busy pause of up to 100 ms at a time.
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE_SECONDS)

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # else the driver opens transactions of its own, without the write lock
        cursor = connection.cursor()
        for pragma in PRAGMAS[:-1] if migrating else PRAGMAS:  # tables are copied and dropped while others refer to them
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", _take_write_lock)
    return engine


def _take_write_lock(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


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
    """The last migration that was done; empty before the first, and for tables from before there were any."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or "")
