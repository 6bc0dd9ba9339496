"""The steps that make the journal's tables, and the journals that were made by other ones."""

import asyncio
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from genmedia.errors import JournalError
from genmedia.jobs.job import Account
from genmedia.journal import AttemptState, Journal, Scope, migrations
from genmedia.journal.database import NEWEST
from genmedia.journal.order import Order
from genmedia.journal.tables import tables
from tests.databases import Postgres
from tests.processes import Program

OLD = Path(__file__).parent / "journal_of_old.db"
"""Made by the code of commit 3994b06, in four steps; beside it are the same rows as PostgreSQL keeps them."""

STUDIO = "flora|https://app.flora.ai|studio"


async def inspect(url: str, asked: Callable[[sa.Connection], Any]) -> Any:
    """What a database tells."""
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:"))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(asked)
    finally:
        await engine.dispose()


def schema(connection: sa.Connection) -> dict[str, set[str]]:
    """Columns, rules and indexes of each table, in no order, and without the names that a database gives by itself."""
    found = sa.inspect(connection)

    def of(table: str) -> set[str]:
        columns = [(one["name"], str(one["type"]), one["nullable"], one["default"]) for one in found.get_columns(table)]
        keys: list[Any] = ["key", found.get_pk_constraint(table)["constrained_columns"]]
        keys += [("foreign key", one["constrained_columns"], one["referred_table"]) for one in found.get_foreign_keys(table)]
        unique = [("unique", one["column_names"]) for one in found.get_unique_constraints(table)]
        checks = [(one["name"], one["sqltext"]) for one in found.get_check_constraints(table)]
        indexes = [
            (
                one["name"],
                one["column_names"],
                one["unique"],
                sorted((k, str(v)) for k, v in one.get("dialect_options", {}).items()),
            )
            for one in found.get_indexes(table)
            if not one.get("duplicates_constraint")
        ]
        told = (repr(one) for one in (*columns, *keys, *unique, *checks, *indexes))
        return {re.sub(r"::[a-z ]+(\[\])?|[()]|(?<=_seq)\d", "", one) for one in told}  # a dump writes casts in another place

    return {table: of(table) for table in found.get_table_names() if table != "alembic_version"}


def differences(connection: sa.Connection) -> object:
    return compare_metadata(MigrationContext.configure(connection), tables)


async def opened(url: str) -> None:
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")


def fill(url: str, request: pytest.FixtureRequest) -> None:
    """Put the journal of before the first schema at an address where none is."""
    if url.startswith("sqlite"):
        file = Path(str(sa.make_url(url).database))
        file.parent.mkdir()
        shutil.copy(OLD, file)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        server.load(url, OLD.with_suffix(".sql"))


def another(request: pytest.FixtureRequest, url: str, folder: Path) -> str:
    """The address of another, empty database of the same kind."""
    if url.startswith("sqlite"):
        return f"sqlite:///{folder}/another.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new()


@pytest.fixture
def url(empty_url: str) -> str:
    """An empty database, once of each kind: here the steps themselves make the tables."""
    return empty_url


@pytest.fixture
def old_url(url: str, request: pytest.FixtureRequest) -> str:
    """A journal of before the first schema, once of each kind."""
    fill(url, request)
    return url


async def test_the_first_step_makes_all_tables(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    await opened(url)
    other = another(request, url, tmp_path)

    await inspect(other, tables.create_all)

    assert await inspect(url, schema) == await inspect(other, schema)
    assert await inspect(url, differences) == []


def test_the_newest_step_is_the_last() -> None:
    assert migrations.__file__ is not None
    assert ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head() == NEWEST


async def test_a_journal_of_before_the_first_schema_is_read_as_it_was_written(old_url: str) -> None:
    async with Journal.lease(old_url) as journal:
        states = [(await journal.attempt(number)).state for number in range(1, 8)]
        held, caps = await journal.money.holds(), await journal.money.caps()
        stored = await journal.paths_of("ab" * 32)
        again = await journal.live_attempt("01" * 32)
        new = await journal.intend(Order(Account("flora", "https://x.example"), "x", {}, 1, "credits"), datetime.now(UTC))

    assert states == [
        AttemptState(state) for state in ["stored", "bound", "in_doubt", "failed", "bound", "content_refused", "bound"]
    ]
    assert [(one.account, one.reason) for one in held] == [(STUDIO, "a person held it")]
    assert caps == {STUDIO: {Scope.DAY: 100, Scope.CAMPAIGN: 50}}
    assert stored == ["launch/stored/output_image.png"]
    assert again is not None
    assert (again.id, again.remote_id, again.charged) == (1, "run_1", 3)
    assert new is not None
    assert new.id == 8


async def test_a_journal_of_before_gets_the_tables_of_a_new_one_when_it_is_opened(
    old_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    new = another(request, old_url, tmp_path)

    await opened(old_url)
    await opened(new)

    assert await inspect(old_url, schema) == await inspect(new, schema)


async def test_a_journal_of_the_step_before_is_brought_up_and_keeps_its_rows(url: str) -> None:
    def make(connection: sa.Connection) -> None:
        assert migrations.__file__ is not None
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        connection.execute(sa.text("INSERT INTO caps (account, scope, amount) VALUES (:account, 'day', 50)"), {"account": STUDIO})

    if url.startswith("sqlite"):
        Path(str(sa.make_url(url).database)).parent.mkdir()
    await asyncio.to_thread(asyncio.run, inspect(url, make))
    assert "verdicts" not in await inspect(url, schema)

    async with Journal.lease(url) as journal:
        assert await journal.reviews.history() == []
        assert await journal.money.caps() == {STUDIO: {Scope.DAY: 50}}
    assert await inspect(url, differences) == []


@pytest.mark.parametrize(("number", "told"), [("0004", "0004"), (None, "0000")])
async def test_a_journal_of_an_earlier_step_is_left_alone_with_what_to_do(old_url: str, number: str | None, told: str) -> None:
    change = f"UPDATE alembic_version SET version_num = '{number}'" if number else "DROP TABLE alembic_version"
    await inspect(old_url, lambda connection: connection.execute(sa.text(change)).close())

    with pytest.raises(JournalError, match=f"version {told}, from before the first release") as refused:
        await opened(old_url)

    assert "genmedia journal rebuild" in refused.value.advice
    assert await inspect(old_url, lambda connection: sa.inspect(connection).has_table("alembic_version")) == bool(number)


_OPENS = """
import asyncio, sys
from genmedia.journal import Journal

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    async with Journal.lease(sys.argv[1]) as journal:
        print(await journal.live_attempt("x"))

asyncio.run(main())
"""


@pytest.mark.parametrize("made", [False, True])
def test_processes_that_open_a_journal_at_once_make_it_once(url: str, made: bool, request: pytest.FixtureRequest) -> None:
    if made:
        fill(url, request)
    with ExitStack() as running:
        openers = [running.enter_context(Program(_OPENS, url)) for _ in range(4)]
        for opener in openers:
            assert opener.line() == "ready\n"
        for opener in openers:
            opener.tell("\n")

        assert [opener.rest() for opener in openers] == ["None\n"] * 4
    assert asyncio.run(inspect(url, differences)) == []
