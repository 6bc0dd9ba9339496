"""The journal's database: brought to its newest form whatever it was, waited for when it is gone, and held by one at a time."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from genmedia.errors import JournalUnreachableError, SupersededError
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset, Wish, migrations
from genmedia.journal.database import NEWEST, Database
from genmedia.journal.tables import tables
from genmedia.store import Place
from tests.databases import Postgres

WISH = Wish(
    "ab" * 32, "flora|https://app.flora.ai|default", "technique studio-blur", {"technique": "studio-blur"}, 1, 3, "credits"
)
ASSET = StoredAsset("a/b.png", "output_image", "cd" * 32, {"file": {}})

FIRST_FORM = """
CREATE TABLE submissions (key VARCHAR(64) NOT NULL PRIMARY KEY, account VARCHAR NOT NULL, operation VARCHAR NOT NULL,
    request VARCHAR NOT NULL, take INTEGER NOT NULL, created_at VARCHAR NOT NULL);
CREATE TABLE attempts (id INTEGER NOT NULL PRIMARY KEY, "key" VARCHAR(64) NOT NULL REFERENCES submissions (key),
    number INTEGER NOT NULL, state VARCHAR NOT NULL, owner VARCHAR, remote_id VARCHAR, price FLOAT, charged FLOAT,
    unit VARCHAR NOT NULL, reason VARCHAR NOT NULL, intended_at VARCHAR NOT NULL, bound_at VARCHAR, ended_at VARCHAR,
    UNIQUE ("key", number));
CREATE UNIQUE INDEX one_live_attempt ON attempts ("key") WHERE state IN ('intended', 'bound', 'in_doubt', 'stored');
CREATE TABLE assets (path VARCHAR NOT NULL PRIMARY KEY, attempt INTEGER NOT NULL REFERENCES attempts (id),
    output VARCHAR NOT NULL, sha256 VARCHAR(64) NOT NULL, sidecar VARCHAR NOT NULL);
CREATE INDEX ix_assets_attempt ON assets (attempt);
CREATE INDEX ix_assets_sha256 ON assets (sha256);
CREATE INDEX assets_came_as ON assets (iif(json_valid(sidecar), json_extract(sidecar, '$.file.original_sha256'), NULL));
CREATE TABLE about (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO about VALUES (1);
"""


async def intend(journal: Journal, wish: Wish = WISH) -> Attempt:
    attempt = await journal.intend(wish, datetime.now(UTC))
    assert attempt is not None
    return attempt


async def bought(journal: Journal) -> Attempt:
    attempt = await intend(journal)
    await journal.bind(attempt, "job-1")
    return attempt


def driven(url: str) -> str:
    """The address as SQLAlchemy's async engines take it."""
    return url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")


async def test_a_journal_of_the_first_form_keeps_everything_it_knows(tmp_path: Path) -> None:
    url = Place(str(tmp_path)).journal_url()
    (tmp_path / ".genmedia").mkdir()
    now, key = datetime.now(UTC).isoformat(), WISH.key
    with closing(sqlite3.connect(tmp_path / ".genmedia" / "journal.db")) as old, old:
        old.executescript(FIRST_FORM)
        old.execute("INSERT INTO submissions VALUES (?, ?, ?, ?, 2, ?)", (key, WISH.account, WISH.operation, "{}", now))
        row = (7, key, 1, "stored", None, "job-1", 3, 3, "credits", "", now, now, now)
        old.execute(f"INSERT INTO attempts VALUES ({', '.join('?' * 13)})", row)
        for path, file in (("z.png", {"original_sha256": "ef" * 32}), ("a.png", {})):
            old.execute("INSERT INTO assets VALUES (?, 7, 'x', ?, ?)", (path, "cd" * 32, json.dumps({"file": file})))

    async with Journal.lease(url) as journal:
        attempt = await journal.live_attempt(key)
        assert attempt is not None
        assert (attempt.id, attempt.state, attempt.remote_id, attempt.take) == (7, AttemptState.STORED, "job-1", 2)
        assert [asset.path for asset in await journal.assets(7)] == ["z.png", "a.png"]
        assert await journal.paths_of("ef" * 32) == ["z.png"]
        assert (await intend(journal, Wish("ee" * 32, "a", "x", {}, 1, None, "credits"))).id == 8


async def test_the_tables_are_what_the_steps_make_of_them(url: str, journal: Journal) -> None:
    await journal.live_attempt("x")
    engine = create_async_engine(driven(url))

    def differences(connection: sa.Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), tables)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_the_newest_step_is_the_last() -> None:
    assert migrations.__file__ is not None
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == NEWEST


_OPENS = """
import asyncio, sys
from genmedia.journal import Journal

async def main():
    async with Journal.lease(sys.argv[1]) as journal:
        print(await journal.live_attempt("x"))

asyncio.run(main())
"""


def test_processes_that_open_a_new_journal_at_once_make_it_once(url: str) -> None:
    command = [sys.executable, "-c", _OPENS, url]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(4)]

    assert [opener.communicate()[0] for opener in openers] == ["None\n"] * 4


async def test_a_database_that_is_gone_for_a_while_is_waited_for_and_nothing_is_done_twice(
    postgres: Postgres, shared_url: str
) -> None:
    async with Journal.lease(shared_url) as journal:
        attempt = await intend(journal)
        await asyncio.to_thread(postgres.stop)
        try:
            bound = asyncio.create_task(journal.bind(attempt, "job-1"))
            other = asyncio.create_task(journal.intend(Wish("ee" * 32, "a", "x", {}, 1, None, "credits"), datetime.now(UTC)))
            done, _ = await asyncio.wait({bound, other}, timeout=1)
            assert not done
        finally:
            await asyncio.to_thread(postgres.start)
        await bound
        assert await other is not None
        now = await journal.live_attempt(WISH.key)
        assert now is not None
        assert now.remote_id == "job-1"


async def test_a_database_that_does_not_come_back_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal("postgresql://someone:hunter2@127.0.0.1:9/genmedia")
    plain = Journal.assets.__wrapped__  # pyright: ignore[reportFunctionMemberAccess] # without the waiting
    with pytest.raises(JournalUnreachableError, match="the journal postgresql") as told:
        await plain(journal, 1)
    assert "hunter2" not in str(told.value)
    await journal.aclose()


async def test_a_database_with_no_connection_to_spare_counts_as_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.journal.database.PATIENCE_SECONDS", 0.1)
    database = Database(Place(str(tmp_path)).journal_url())
    async with database.transaction():
        with pytest.raises(JournalUnreachableError, match="does not answer on any connection"):
            async with database.transaction():
                pass
    await database.aclose()


@asynccontextmanager
async def locked(url: str) -> AsyncGenerator[None]:
    """While this lasts, nobody else writes to the journal."""
    engine = create_async_engine(driven(url))
    sqlite = engine.dialect.name == "sqlite"
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await engine.dispose()


async def cancelled_at_the_lock(url: str, change: Coroutine[Any, Any, object]) -> None:
    """Begin a change while another writes, cancel it, and see it go only when it is over."""
    async with locked(url):
        task = asyncio.ensure_future(change)
        done, _ = await asyncio.wait({task}, timeout=0.3)
        assert not done
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.3)
        task.cancel()
        assert not done
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_job_whose_buyer_is_cancelled_while_its_id_is_written_down_is_bound(url: str, journal: Journal) -> None:
    attempt = await intend(journal)
    await cancelled_at_the_lock(url, journal.bind(attempt, "job-1"))

    assert (await journal.attempt(attempt.id)).remote_id == "job-1"


async def test_a_wish_that_is_cancelled_while_it_is_written_down_can_be_had_at_once(url: str, journal: Journal) -> None:
    await journal.live_attempt(WISH.key)
    await cancelled_at_the_lock(url, journal.intend(WISH, datetime.now(UTC)))

    assert await journal.live_attempt(WISH.key) is None
    assert (await intend(journal)).number <= 2


async def test_an_attempt_is_free_for_all_whose_next_owner_is_cancelled_while_it_takes_it(url: str, journal: Journal) -> None:
    attempt = await intend(journal)
    await journal.release(attempt)
    free = await journal.attempt(attempt.id)
    await cancelled_at_the_lock(url, journal.take_over(free))

    assert not await journal.is_worked_on(await journal.attempt(attempt.id))
    assert await journal.take_over(free)


async def test_work_that_is_cancelled_while_it_claims_an_attempt_leaves_it_to_the_next(url: str, journal: Journal) -> None:
    attempt = await bought(journal)

    async def work() -> None:
        async with journal.claimed(attempt.id):
            pass

    await cancelled_at_the_lock(url, work())
    async with journal.claimed(attempt.id) as mine:
        assert mine.id == attempt.id


async def test_one_piece_of_work_at_a_time_holds_what_was_bought(journal: Journal) -> None:
    attempt = await bought(journal)
    held: list[int] = []

    async def work() -> None:
        async with journal.claimed(attempt.id) as mine:
            assert mine.owner
            held.append(1)
            await asyncio.sleep(0)
            assert len(held) == 1
            held.pop()

    await asyncio.gather(*(work() for _ in range(4)))


_CLAIMS = """
import asyncio, sys
from genmedia.journal import Journal

async def main():
    async with Journal.lease(sys.argv[1]) as journal, journal.claimed(int(sys.argv[2])):
        print("mine", flush=True)
        await asyncio.Future()

asyncio.run(main())
"""


async def test_what_a_dead_process_held_is_held_by_the_next(url: str, journal: Journal) -> None:
    attempt = await bought(journal)
    child = subprocess.Popen([sys.executable, "-c", _CLAIMS, url, str(attempt.id)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "mine\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()

    async with journal.claimed(attempt.id) as mine:
        await journal.store(mine, [ASSET])

    assert [asset.path for asset in await journal.assets(attempt.id)] == ["a/b.png"]


async def test_files_of_a_job_that_was_given_up_are_not_written_down(journal: Journal) -> None:
    attempt = await bought(journal)
    async with journal.claimed(attempt.id) as mine:
        assert not await journal.fail(attempt.id, "refused"), "somebody fetches its files"
        await journal.release(mine)
        assert await journal.fail(attempt.id, "refused")
        with pytest.raises(SupersededError):
            await journal.store(mine, [ASSET])

    with pytest.raises(SupersededError, match="given up meanwhile: refused"):
        async with journal.claimed(attempt.id):
            pass
    assert await journal.assets(attempt.id) == []


async def test_a_late_answer_settles_a_doubt_but_not_what_another_has_bought(journal: Journal) -> None:
    attempt = await intend(journal)
    await journal.doubt(attempt, "nobody knows")

    await journal.bind(attempt, "job-1")
    await journal.bind(attempt, "job-1")

    with pytest.raises(SupersededError, match="job-2"):
        await journal.bind(attempt, "job-2")
    now = await journal.live_attempt(WISH.key)
    assert now is not None
    assert (now.state, now.remote_id) == (AttemptState.BOUND, "job-1")
