"""A journal that the code of before the house was rebuilt has made, kept as a file: it opens, and nothing that it knows is lost."""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from genmedia.jobs.job import Account
from genmedia.journal import AttemptState, Journal, Purpose, Scope
from genmedia.journal.order import Order
from genmedia.journal.tables import tables

ACCOUNT = "flora|https://app.flora.ai|studio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(Path(__file__).with_name("journal_of_old.db"), tmp_path / "journal.db"))


def _rows(file: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
    with closing(sqlite3.connect(file)) as journal:
        journal.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in journal.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY rowid")]
            for table, names in columns.items()
        }


def _columns(file: Path) -> dict[str, list[str]]:
    with closing(sqlite3.connect(file)) as journal:
        named = [name for (name,) in journal.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        of = {table: [name for _, name, *_ in journal.execute(f"PRAGMA table_info({table})")] for table in named}
    return {table: names for table, names in of.items() if table != "alembic_version"}


async def test_an_old_journal_opens_in_the_form_of_today_and_every_row_of_it_stays(file: Path) -> None:
    columns = _columns(file)
    before = _rows(file, columns)

    async with Journal.lease(f"sqlite:///{file}") as journal:
        assert len(await journal.purchases()) == 7

    assert {table: len(rows) for table, rows in before.items() if not rows} == {"owners": 0}
    assert _rows(file, columns) == before
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}")
    async with engine.connect() as connection:
        differences = await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), tables))
    await engine.dispose()
    assert differences == []


async def test_an_old_journal_is_gone_on_with(file: Path) -> None:
    async with Journal.lease(f"sqlite:///{file}") as journal:
        states = [(one.purpose.step, one.number, one.state, one.remote_id) for one in await journal.purchases()]
        assert states == [
            ("stored", 1, AttemptState.STORED, "run_1"),
            ("running", 1, AttemptState.BOUND, "run_2"),
            ("in doubt", 1, AttemptState.IN_DOUBT, None),
            ("failed", 1, AttemptState.FAILED, "run_4"),
            ("failed", 2, AttemptState.BOUND, "run_5"),
            ("refused", 1, AttemptState.CONTENT_REFUSED, None),
            ("unpriced", 1, AttemptState.BOUND, "run_7"),
        ]
        for digest in ("cd" * 32, "ab" * 32):
            assert await journal.paths_of(digest) == ["launch/stored/output_image.png"], "by what it is, and by what it came as"
        assert [(use.campaign, use.step, use.labels) for use in await journal.uses("01" * 32)] == [
            ("launch", "stored", {"client": "acme"}),
            ("relaunch", "again", {"client": "zenith"}),
        ]
        assert await journal.money.caps() == {ACCOUNT: {Scope.DAY: 100, Scope.CAMPAIGN: 50}}
        assert [(hold.account, hold.reason) for hold in await journal.money.holds()] == [(ACCOUNT, "a person held it")]
        before, _ = await journal.money.see_balance(ACCOUNT, 90)
        assert before is not None
        assert (before.balance, before.charged) == (97, 3)

        assert await journal.money.release(ACCOUNT)
        other = Order(Account("flora", "https://app.flora.ai", "other"), "technique studio-blur", {}, 3, "credits")
        attempt = await journal.intend(other, datetime.now(UTC))
        assert attempt is not None
        await journal.bind(attempt, "run_8")
        known = await journal.live_attempt("02" * 32)
        assert known is not None
        await journal.want(known.id, "run-3")
        await journal.use(known.key, Purpose("relaunch", "again"))
        assert (attempt.id, [one.run for one in await journal.waiters(known.id)]) == (8, ["run-1", "run-3"])
