"""Connections to SQLite that call their thread only for what has to wait: for a lock of another process, or for the disk.

aiosqlite calls it four times for each statement: for the cursor, the statement, its rows, and the end of the cursor. Each call wakes the
thread and then the event loop, which takes ten times as long as most of the journal's statements.
"""

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager
from typing_extensions import override

# It tells of every statement, with prompts, wherever a program shows what is only for debugging.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

LOCK_SECONDS = 30
"""Longest wait of a statement for a lock, in seconds."""


class _Cursor:
    """What SQLAlchemy asks of a cursor; all rows are read with the statement."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Do a statement."""
        await self._do("execute", statement, parameters)

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Do a statement once for each of several lists of parameters."""
        await self._do("executemany", statement, parameters)

    async def fetchall(self) -> list[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: SQLite's own cursor is closed already."""

    async def _do(self, how: str, statement: str, parameters: Any) -> None:
        self.description, self.rowcount, self.lastrowid, self._rows = await self._connection.do(how, statement, parameters)


class Connection(aiosqlite.Connection):
    """A connection to SQLite; see the module.

    Attributes:
        beginning: Statement that begins a transaction, done with the first statement in it; empty for none.
        mark: New `user_version` of the file, which other processes compare, if they may wait for what the transaction changes; else None.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(*args, **{**options, "timeout": 0}), iter_chunk_size=64)
        self._thread.daemon = True  # as SQLAlchemy has it: a connection that nobody closed does not keep the process
        self.beginning = ""
        self.mark: int | None = None
        self._changes = 0  # of those that are on disk

    @override
    @contextmanager
    async def cursor(self) -> Any:
        return _Cursor(self)

    @override
    async def commit(self) -> None:
        self.beginning = ""
        if self._conn.total_changes == self._changes:
            self._conn.commit()
        else:
            if self.mark is not None:
                self._conn.execute(f"PRAGMA user_version={self.mark}")
            await super().commit()
            self._changes = self._conn.total_changes

    @override
    async def rollback(self) -> None:
        self.beginning = ""
        if self._conn.in_transaction:  # SQLAlchemy asks for one after each commit as well
            await super().rollback()

    async def do(self, how: str, statement: str, parameters: Any) -> tuple[Any, int, int | None, list[Any]]:
        """Do a statement; return the description of its rows, how many it changed, the last row's id, and the rows."""

        def done() -> tuple[Any, int, int | None, list[Any]]:
            cursor = self._conn.cursor()
            try:
                if self.beginning:
                    cursor.execute(self.beginning)
                    self.beginning = ""
                getattr(cursor, how)(statement, parameters)
                return cursor.description, cursor.rowcount, cursor.lastrowid, cursor.fetchall() if cursor.description else []
            finally:
                cursor.close()

        def wait() -> tuple[Any, int, int | None, list[Any]]:
            self._conn.execute(f"PRAGMA busy_timeout={LOCK_SECONDS * 1000}")
            try:
                return done()
            finally:
                self._conn.execute("PRAGMA busy_timeout=0")

        try:
            return done()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return await self._execute(wait)
