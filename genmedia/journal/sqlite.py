"""Connections to SQLite that do a statement in one call of their thread.

aiosqlite alone makes four: for the cursor, the statement, its rows, and the end of the cursor. Each wakes the thread and then the event loop,
which takes longer than most of the journal's statements.
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
    """A connection to SQLite; see the module."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(lambda: sqlite3.connect(*args, **options), iter_chunk_size=64)
        self._thread.daemon = True  # as SQLAlchemy has it: a connection that nobody closed does not keep the process

    @override
    @contextmanager
    async def cursor(self) -> Any:
        return _Cursor(self)

    @override
    async def rollback(self) -> None:
        if self._conn.in_transaction:  # SQLAlchemy asks for one after each commit as well
            await super().rollback()

    async def do(self, how: str, statement: str, parameters: Any) -> tuple[Any, int, int | None, list[Any]]:
        """Do a statement; return the description of its rows, how many it changed, the last row's id, and the rows."""

        def done() -> tuple[Any, int, int | None, list[Any]]:
            cursor = self._conn.cursor()
            try:
                getattr(cursor, how)(statement, parameters)
                return cursor.description, cursor.rowcount, cursor.lastrowid, cursor.fetchall() if cursor.description else []
            finally:
                cursor.close()

        return await self._execute(done)
