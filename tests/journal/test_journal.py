"""The journal's database: brought to its newest form whatever it was, waited for when it is gone, and held by one at a time."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from typing_extensions import override

from genmedia.errors import JournalUnreachableError, SettingsError, SupersededError
from genmedia.jobs.job import NOBODY, Account
from genmedia.journal import Attempt, AttemptState, Journal, Purpose
from genmedia.journal.database import Database, below
from genmedia.journal.order import FREE, Order
from genmedia.store import Place
from tests.databases import Postgres
from tests.example_assets import stored_asset
from tests.processes import Program

PAYER = Account("flora", "https://app.flora.ai")
ACCOUNT = str(PAYER)
ORDER = Order(PAYER, "technique studio-blur", {"technique": "studio-blur"}, 3, "credits")
OTHER = Order(Account("genova", "https://example.org"), "x", {}, None, "credits")
ASSET = stored_asset("a/b/c.png")


async def intend(journal: Journal, order: Order = ORDER) -> Attempt:
    attempt = await journal.intend(order, datetime.now(UTC))
    assert attempt is not None
    return attempt


async def bought(journal: Journal) -> Attempt:
    attempt = await intend(journal)
    await journal.bind(attempt, "job-1")
    return attempt


def driven(url: str) -> str:
    """The address as SQLAlchemy's async engines take it."""
    return url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")


async def test_how_old_a_job_is_does_not_depend_on_the_clock_of_this_machine(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(datetime):
        @classmethod
        @override
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(days=1)

    attempt = await bought(journal)
    monkeypatch.setattr("genmedia.journal.records.datetime", Ahead)

    assert (await journal.attempt(attempt.id)).age < timedelta(hours=23).total_seconds()


NO_AMOUNTS = {
    "sqlite": ("9e999", "-9e999", "-1", "'free'", "1e13"),
    "postgresql": ("'NaN'", "'Infinity'", "'-Infinity'", "-1", "1e13"),
}


@pytest.mark.parametrize("column", ["price", "reserved", "charged"])
async def test_the_tables_take_no_amount_that_is_none(url: str, journal: Journal, column: str) -> None:
    attempt = await intend(journal)
    engine = create_async_engine(driven(url))
    for value in NO_AMOUNTS[engine.dialect.name]:
        with pytest.raises(DBAPIError):
            async with engine.begin() as connection:
                await connection.execute(sa.text(f"UPDATE attempts SET {column} = {value} WHERE id = {attempt.id}"))
    await engine.dispose()
    now = await journal.attempt(attempt.id)
    assert (now.price, now.reserved, now.charged) == (3, 3, None)


@pytest.mark.parametrize("told", [float("nan"), float("inf"), -1, "free", True, 1e13])
async def test_a_price_or_charge_that_is_no_amount_is_unknown_to_the_journal(journal: Journal, told: Any) -> None:
    unpriced = await intend(journal, Order(PAYER, "x", {}, told, "credits", assumed=told))
    assert (unpriced.price, unpriced.reserved) == (None, None)

    attempt = await bought(journal)
    await journal.charge(attempt.id, "job-1", told)

    assert (await journal.attempt(attempt.id)).at_stake == 3, "the reserve stays"


@pytest.fixture
def own_postgres(postgres: Postgres) -> Generator[Postgres]:
    """A server to be stopped."""
    del postgres  # it has seen to it that there can be one
    with TemporaryDirectory(prefix="genmedia-postgres-") as folder:  # pytest's own are closed to the server's user
        server = Postgres(Path(folder))
        yield server
        server.stop()


async def test_a_database_that_is_gone_for_a_while_is_waited_for_and_nothing_is_done_twice(own_postgres: Postgres) -> None:
    async with Journal.lease(own_postgres.journal()) as journal:
        attempt = await intend(journal)
        await asyncio.to_thread(own_postgres.stop)
        try:
            bound = asyncio.create_task(journal.bind(attempt, "job-1"))
            other = asyncio.create_task(journal.intend(OTHER, datetime.now(UTC)))
            done, _ = await asyncio.wait({bound, other}, timeout=1)
            assert not done
        finally:
            await asyncio.to_thread(own_postgres.start)
        await bound
        assert await other is not None
        now = await journal.live_attempt(ORDER.key)
        assert now is not None
        assert now.remote_id == "job-1"


async def test_a_database_that_does_not_come_back_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal("postgresql://someone:hunter2@127.0.0.1:9/genmedia")
    plain = Journal.assets_of.__wrapped__  # pyright: ignore[reportFunctionMemberAccess] # without the waiting
    with pytest.raises(JournalUnreachableError, match="the journal postgresql") as told:
        await plain(journal, [1])
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
    await journal.live_attempt(ORDER.key)
    await cancelled_at_the_lock(url, journal.intend(ORDER, datetime.now(UTC)))

    assert await journal.live_attempt(ORDER.key) is None
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
        async with journal.claimed(attempt.id, "job-1"):
            pass

    await cancelled_at_the_lock(url, work())
    async with journal.claimed(attempt.id, "job-1") as mine:
        assert mine.id == attempt.id


async def test_one_piece_of_work_at_a_time_holds_what_was_bought(journal: Journal) -> None:
    attempt = await bought(journal)
    held: list[int] = []

    async def work() -> None:
        async with journal.claimed(attempt.id, "job-1") as mine:
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
    async with Journal.lease(sys.argv[1]) as journal, journal.claimed(int(sys.argv[2]), "job-1"):
        print("mine", flush=True)
        await asyncio.Future()

asyncio.run(main())
"""


async def test_what_a_dead_process_held_is_held_by_the_next(url: str, journal: Journal) -> None:
    attempt = await bought(journal)
    with Program(_CLAIMS, url, attempt.id) as holder:
        assert holder.line() == "mine\n"

    async with journal.claimed(attempt.id, "job-1") as mine:
        await journal.store(mine, [ASSET])

    assert [asset.path for asset in await journal.assets(attempt.id)] == ["a/b/c.png"]


async def test_what_is_seen_of_a_job_that_an_attempt_no_longer_has_changes_nothing(journal: Journal) -> None:
    attempt = await bought(journal)
    before = await journal.attempt(attempt.id)

    assert not await journal.unbind(attempt.id, "job-0")
    assert not await journal.fail(attempt.id, "job-0", "it burst")
    assert not await journal.cancel(attempt.id, "job-0")
    assert not await journal.vanish(attempt.id, "job-0", "gone", NOBODY)
    await journal.end_refused(attempt.id, "job-0", "not that")
    await journal.charge(attempt.id, "job-0", 400)
    await journal.note(attempt.id, "job-0", "it burst")
    await journal.end(attempt.id, "job-0", 30, 400)
    with pytest.raises(SupersededError, match="another job than job-0"):
        async with journal.claimed(attempt.id, "job-0"):
            pass

    assert await journal.attempt(attempt.id) == before
    assert await journal.money.holds() == []
    assert await journal.intend(replace(ORDER, take=2), datetime.now(UTC), open_jobs=1) is None, "its slot is not free"


async def test_files_of_a_job_that_was_given_up_are_not_written_down(journal: Journal) -> None:
    attempt = await bought(journal)
    async with journal.claimed(attempt.id, "job-1") as mine:
        assert not await journal.fail(attempt.id, "job-1", "refused"), "somebody fetches its files"
        await journal.release(mine)
        assert await journal.fail(attempt.id, "job-1", "refused")
        with pytest.raises(SupersededError):
            await journal.store(mine, [ASSET])

    with pytest.raises(SupersededError, match="given up meanwhile: refused"):
        async with journal.claimed(attempt.id, "job-1"):
            pass
    assert await journal.assets(attempt.id) == []


async def test_what_nobody_was_paid_for_is_found_by_its_order_and_is_in_no_sum(journal: Journal) -> None:
    made = Order(Account("local", "", ""), "resize", {"width": 10}, 0, FREE, purpose=Purpose("coffee", "hero", run="run-1"))

    await journal.keep(made, [stored_asset("coffee/hero/a.png")])
    await journal.keep(made, [stored_asset("coffee/hero/b.png")])

    (attempt,) = (await journal.answers({made.key})).values()
    assert (attempt.account, attempt.state, attempt.at_stake, attempt.run) == ("local||", AttemptState.STORED, 0, "run-1")
    assert [asset.path for asset in await journal.assets(attempt.id)] == ["coffee/hero/b.png"]
    assert [(use.campaign, use.step) for use in await journal.uses(made.key)] == [("coffee", "hero")]
    assert await journal.open_attempts() == []
    assert await journal.entries() == []
    assert await journal.purchases() == []
    assert await journal.money.accounts() == []


async def test_two_that_keep_the_same_at_once_keep_it_once(journal: Journal) -> None:
    made = Order(Account("local", "", ""), "resize", {"width": 10}, 0, FREE, purpose=Purpose("coffee", "hero"))

    await asyncio.gather(*(journal.keep(made, [stored_asset("coffee/hero/a.png")]) for _ in range(4)))

    ((attempt,),) = (await journal.tried({made.key})).values()
    assert [asset.path for asset in await journal.assets(attempt.id)] == ["coffee/hero/a.png"]


async def test_what_was_refused_for_its_content_was_not_bought_for_its_submission(journal: Journal) -> None:
    await journal.refuse_content(await intend(journal), "flagged")
    other = OTHER
    await intend(journal, other)

    assert await journal.answered([ORDER.key, other.key]) == {other.key}


async def test_what_uses_a_submission_is_written_down_once_in_the_order_in_which_it_came(journal: Journal) -> None:
    await intend(journal)
    for purpose in (
        Purpose("tea", "cover", labels={"client": "acme"}),
        Purpose("tea", "back"),
        Purpose("tea", "cover"),
        Purpose(),
    ):
        await journal.use(ORDER.key, purpose)
    await asyncio.gather(*(journal.use(ORDER.key, Purpose("soup", "hero")) for _ in range(5)))

    noted = await journal.uses(ORDER.key)

    assert [(use.campaign, use.step) for use in noted if use.campaign != ORDER.purpose.campaign] == [
        ("tea", "cover"),
        ("tea", "back"),
        ("soup", "hero"),
    ]
    assert [use.labels for use in noted if use.step == "cover"] == [{"client": "acme"}]


async def test_a_late_answer_settles_a_doubt_but_not_what_another_has_bought(journal: Journal) -> None:
    attempt = await intend(journal)
    await journal.doubt(attempt, "nobody knows")

    await journal.bind(attempt, "job-1")
    await journal.bind(attempt, "job-1")

    with pytest.raises(SupersededError, match="job-2"):
        await journal.bind(attempt, "job-2")
    now = await journal.live_attempt(ORDER.key)
    assert now is not None
    assert (now.state, now.remote_id) == (AttemptState.BOUND, "job-1")


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3cret-word@127.0.0.1:9/jobs",
        "postgresql://127.0.0.1:9/jobs?user=me&password=s3cret-word",
        "postgresql://me@127.0.0.1:9/jobs?sslpassword=s3cret-word&passfile=s3cret-word",
        "postgresql:///jobs?host=127.0.0.1&port=9&password=s3cret-word",
        "postgresql://me:s3cret%40word@127.0.0.1:9/jobs",
    ],
)
async def test_a_password_of_the_database_is_shown_nowhere(address: str) -> None:
    database = Database(address)
    await database.aclose()

    assert "127.0.0.1" in database.label
    assert "/jobs" in database.label
    assert "word" not in database.label.replace("password", "")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3cret@word@127.0.0.1/jobs",
        "postgresql://me:s3cret@wo/rd@127.0.0.1/jobs",
        "postgresql://me:s3cret@word:word@127.0.0.1/jobs",
        "postgresql://me:word@127.0.0.1:word/jobs",
        "postgresql://127.0.0.1/jobs?host=s3cret@word",
        "mysql://me:word@127.0.0.1/jobs?password=word",
        "sqlite://me:word@/jobs.db",
        "sqlite://machine/jobs.db",
        "postgresql://me:word@127.0.0.1:99999/jobs",
        "postgresql://me:word@127.0.0.1:9,127.0.0.2:9/jobs",
        "postgresql://me:s3cret@[::1/jobs",
        "word",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(SettingsError, match="cannot hold the journal") as refused:
        Database(below(address, Path("/srv")))
    assert "wo" not in str(refused.value).replace("password", "").replace("PASSWORD", "")
    assert "s3cret" not in str(refused.value)


async def test_an_option_that_the_driver_does_not_know_is_told_without_its_value() -> None:
    database = Database("postgresql://me@127.0.0.1:9/jobs?sslpassword=s3cret-word")
    with pytest.raises(SettingsError, match="has an option that its driver does not take") as refused:
        async with database.transaction():
            pass
    await database.aclose()
    assert "s3cret" not in str(refused.value)
