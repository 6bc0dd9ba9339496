"""SQLite's statements, and when they call the connection's thread."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from genmedia.journal.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'journal.db'}")
    async with made.transaction() as connection:
        await connection.execute(sa.text("CREATE TABLE tried (number INTEGER PRIMARY KEY, word TEXT UNIQUE)"))
    yield made
    await made.aclose()


async def test_only_a_commit_that_waits_for_the_disk_wakes_the_connections_thread(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    execute: Any = getattr(aiosqlite.Connection, "_execute")  # noqa: B009 # every call of the thread goes through it

    async def counted(self: aiosqlite.Connection, function: Callable[..., Any], *args: Any) -> Any:
        nonlocal calls
        calls += 1
        return await execute(self, function, *args)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    async with database.transaction(reading=True) as connection:
        rows = (await connection.execute(sa.text("SELECT 1 UNION SELECT 2"))).all()
    async with database.transaction() as connection:
        await connection.execute(sa.text("UPDATE tried SET word = word"))  # there is no row
    assert [tuple(row) for row in rows] == [(1,), (2,)]
    assert calls == 0

    async with database.transaction() as connection:
        await connection.execute(sa.text("INSERT INTO tried (word) VALUES ('one')"))
        await connection.execute(sa.text("INSERT INTO tried (word) VALUES ('two')"))
    assert calls == len(("COMMIT",))


async def test_the_loop_goes_on_while_a_transaction_waits_for_the_lock_of_another_process(database: Database) -> None:
    async def write() -> None:
        async with database.transaction() as connection:
            await connection.execute(sa.text("INSERT INTO tried (word) VALUES ('ours')"))

    with closing(sqlite3.connect(str(database.file), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO tried (word) VALUES ('theirs')")
        writing = asyncio.create_task(write())
        for _ in range(20):  # turns of the loop, which a wait in it would not let come
            await asyncio.sleep(0.01)
        assert not writing.done()
        other.execute("COMMIT")
        await writing
        assert other.execute("SELECT word FROM tried ORDER BY number").fetchall() == [("theirs",), ("ours",)]


async def test_what_a_statement_changed_and_returned_is_told(database: Database) -> None:
    insert = sa.text("INSERT INTO tried (word) VALUES (:word) RETURNING number")
    async with database.transaction() as connection:
        first = (await connection.execute(insert, {"word": "one"})).scalar_one()
        await connection.execute(sa.text("INSERT INTO tried (word) VALUES (:word)"), [{"word": "two"}, {"word": "three"}])
        changed = await connection.execute(sa.text("UPDATE tried SET word = word || '!'"))
        words = (await connection.execute(sa.text("SELECT word FROM tried ORDER BY number"))).scalars().all()

    assert (first, changed.rowcount, words) == (1, 3, ["one!", "two!", "three!"])


async def test_after_a_statement_that_fails_nothing_of_its_transaction_is_left(database: Database) -> None:
    insert = sa.text("INSERT INTO tried (word) VALUES ('one')")

    async def insert_twice() -> None:
        async with database.transaction() as connection:
            await connection.execute(insert)
            await connection.execute(insert)

    with pytest.raises(IntegrityError):
        await insert_twice()

    async with database.transaction(reading=True) as connection:
        assert (await connection.execute(sa.text("SELECT count(*) FROM tried"))).scalar_one() == 0
