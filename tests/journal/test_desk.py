"""What all processes share that use an account: the slots of its open jobs, and the requests that it may send in a minute."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic
from typing import Any

import pytest
import sqlalchemy as sa

from genmedia.concurrency import end_task, set_within
from genmedia.jobs.job import NOBODY, Account
from genmedia.journal import Attempt, Journal
from genmedia.journal.database import RECONNECT_SECONDS
from genmedia.journal.desk import ORDERS, SETTLED_SECONDS, Entrance, SharedWindow, Slots
from genmedia.journal.looks import Watching
from genmedia.journal.order import Order
from genmedia.journal.tables import attempts, line, requests
from genmedia.transport.pace import WINDOW_SECONDS, Pace, ranked
from tests.processes import Program

PAYER = Account("genova", "https://example.org")
SCALE = 300.0
WINDOW = WINDOW_SECONDS / SCALE


def order(name: str) -> Order:
    return Order(PAYER, "image", {"prompt": name}, 1, "credits")


@pytest.fixture
async def another(url: str) -> AsyncGenerator[Journal]:
    """The same journal in what stands for another process."""
    async with AsyncExitStack() as closed:
        journal = Journal(url)
        closed.push_async_callback(journal.aclose)
        yield journal


def job_of(attempt: Attempt) -> str:
    return f"job-{attempt.request['prompt']}"


def slots_of(journal: Journal, open_jobs: int | None) -> Slots:
    return Slots(journal._database, str(PAYER), open_jobs)  # pyright: ignore[reportPrivateUsage] # as its desk has them


def window_of(journal: Journal, per_minute: int | None, scale: float = SCALE) -> SharedWindow:
    return SharedWindow(journal._database, str(PAYER), per_minute, lambda: scale)  # pyright: ignore[reportPrivateUsage] # as its desk has it


async def requests_in(journal: Journal) -> list[int]:
    """The numbers of requests that are taken."""
    async with journal._database.transaction(reading=True) as connection:  # pyright: ignore[reportPrivateUsage] # what stands there is what is tested
        return [row.number for row in await connection.execute(sa.select(requests.c.number))]


async def in_line(journal: Journal) -> int:
    """The number of processes that wait."""
    async with journal._database.transaction(reading=True) as connection:  # pyright: ignore[reportPrivateUsage] # as above
        return (await connection.execute(sa.select(sa.func.count()).select_from(line))).scalar_one()


async def buy(journal: Journal, name: str, slots: Slots) -> Attempt:
    """Buy as soon as there is a slot, and another process does not take it in between."""
    attempt = None
    while attempt is None:
        async with slots.claimed(name):
            attempt = await journal.intend(order(name), datetime.now(UTC), open_jobs=slots.limit)
    await journal.bind(attempt, job_of(attempt))
    return attempt


async def test_a_slot_is_free_when_its_job_is_seen_ended_by_whomever(journal: Journal, another: Journal) -> None:
    slots, others = slots_of(journal, 2), slots_of(another, 2)
    first = await buy(journal, "first", slots)
    await buy(another, "second", others)
    waiting = [asyncio.create_task(buy(journal, "third", slots)), asyncio.create_task(buy(another, "fourth", others))]
    done, _ = await asyncio.wait(waiting, timeout=0.5)
    assert not done

    await another.end(first.id, job_of(first))
    done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert len(done) == 1
    ended = next(iter(done)).result()
    await journal.fail(ended.id, job_of(ended), "it failed")
    await asyncio.gather(*left)


async def test_an_intent_takes_a_slot_even_where_nobody_has_claimed_one(journal: Journal) -> None:
    assert await journal.intend(order("first"), datetime.now(UTC), open_jobs=1)

    assert await journal.intend(order("second"), datetime.now(UTC), open_jobs=1) is None
    assert await journal.intend(order("second"), datetime.now(UTC), open_jobs=2)


async def test_a_slot_is_not_freed_by_the_death_of_the_process_that_holds_it(url: str, journal: Journal) -> None:
    buyer = f"""
import asyncio
from datetime import UTC, datetime
from genmedia.journal import Journal
from tests.journal.test_desk import order

async def main():
    async with Journal.lease({url!r}) as journal:
        await journal.bind(await journal.intend(order("first"), datetime.now(UTC), open_jobs=1), "job-1")
        print("bought", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
    with Program(buyer) as other:
        assert other.line() == "bought\n"
        other.kill()

    assert await journal.intend(order("second"), datetime.now(UTC), open_jobs=1) is None


async def test_doubts_hold_slots_but_never_all_of_them(journal: Journal) -> None:
    slots = slots_of(journal, 2)
    for name in ("first", "second"):
        attempt = await journal.intend(order(name), datetime.now(UTC), open_jobs=2)
        assert attempt is not None
        await journal.doubt(attempt, "no answer came")

    third = await buy(journal, "third", slots)
    waiting = asyncio.create_task(buy(journal, "fourth", slots))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)

    assert not done, "one doubt and one job"
    await journal.end(third.id, job_of(third))
    await waiting


async def test_an_intent_of_long_ago_counts_as_a_doubt(journal: Journal, url: str) -> None:
    slots = slots_of(journal, 1)
    assert await journal.intend(order("first"), datetime.now(UTC), open_jobs=1)
    long_ago = (datetime.now(UTC) - timedelta(seconds=SETTLED_SECONDS + 60)).isoformat()
    async with journal._database.transaction() as connection:  # pyright: ignore[reportPrivateUsage] # nobody waits that long here
        await connection.execute(sa.text("UPDATE attempts SET intended_at = :then"), {"then": long_ago})

    await buy(journal, "second", slots)


async def test_a_job_that_was_never_started_takes_a_slot_again_when_it_is_started(journal: Journal) -> None:
    slots = slots_of(journal, 1)
    attempt = await buy(journal, "first", slots)
    await journal.end(attempt.id, job_of(attempt))
    assert await journal.unbind(attempt.id, job_of(attempt))

    assert await journal.intend(order("second"), datetime.now(UTC), open_jobs=1) is None


@pytest.mark.parametrize("limit", [None, 3])
async def test_no_more_jobs_are_open_than_allowed(journal: Journal, another: Journal, limit: int | None) -> None:
    under_way = most = 0
    many = asyncio.Event()
    processes = [(one, slots_of(one, limit)) for one in (journal, another)]

    async def job(number: int) -> None:
        nonlocal under_way, most
        mine, slots = processes[number % 2]
        attempt = await buy(mine, str(number), slots)
        under_way += 1
        most = max(most, under_way)
        if most >= (limit or 4):
            many.set()
        await many.wait()
        await asyncio.sleep(0.3)  # in which one too many would begin
        under_way -= 1
        await mine.end(attempt.id, job_of(attempt))

    await asyncio.gather(*(job(number) for number in range(12)))

    assert most == 3 if limit else most > 3


async def spend(journal: Journal, per_minute: int, number: int, seen: list[float]) -> None:
    """Send so many requests at once; the provider sees each between its start and its answer."""
    pace, window = Pace(None, lambda: SCALE), window_of(journal, per_minute)

    async def request() -> None:
        async with pace.turn():
            await asyncio.sleep(0.01)
            seen.append(monotonic())

    with pace.within(window):
        await asyncio.gather(*(request() for _ in range(number)))


@pytest.mark.parametrize("per_minute", [5, 100])
async def test_two_processes_together_send_no_more_than_the_plan_allows_and_nearly_as_much(
    journal: Journal, another: Journal, per_minute: int
) -> None:
    seen: list[float] = []

    await asyncio.gather(*(spend(one, per_minute, 2 * per_minute, seen) for one in (journal, another)))

    assert len(seen) == 4 * per_minute
    seen.sort()
    for first, beyond in zip(seen, seen[per_minute:], strict=False):
        assert beyond - first >= WINDOW


async def test_requests_that_were_taken_and_not_sent_are_free_for_others_at_once(journal: Journal, another: Journal) -> None:
    one, other = window_of(journal, 200, scale=1), window_of(another, 200, scale=1)
    assert await one.take(0) == 0  # with three more in its chunk
    await one.answered(idle=True)

    assert [await other.take(0) for _ in range(199)] == [0] * 199

    assert await other.take(0) > 0


async def test_requests_that_were_taken_for_a_task_that_is_cancelled_meanwhile_are_given_back(journal: Journal) -> None:
    window = window_of(journal, 200, scale=1)
    taking = asyncio.create_task(window.take(0))
    await asyncio.sleep(0)
    taking.cancel()
    await asyncio.wait([taking])

    await window.aclose()

    assert taking.cancelled()
    assert await requests_in(journal) == [0]


async def test_requests_count_until_the_desk_is_closed(journal: Journal) -> None:
    pace, sent = Pace(200, lambda: 1.0), 0

    async def send() -> None:
        nonlocal sent
        async with pace.turn():
            sent += 1

    def nothing(*_: object) -> None:
        pass

    watching = Watching[str](lambda attempt: attempt.key, nothing, nothing, nothing, nothing, send, hinted=False, buyer=NOBODY)
    desk = journal.desk(str(PAYER), pace=pace, open_jobs=None, clock_scale=lambda: 1.0, watching=watching)
    while not desk.looks._listens:  # pyright: ignore[reportPrivateUsage] # nothing else tells it
        await asyncio.sleep(0.01)

    await desk.aclose()

    assert sent == 1
    assert await requests_in(journal) == [1]


async def test_a_chunk_that_became_void_changes_no_other(
    journal: Journal, another: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.journal.desk.ANSWER_SECONDS", 0.0)
    one, other = window_of(journal, 200), window_of(another, 200, scale=1)
    assert await one.take(0) == 0
    await asyncio.sleep(WINDOW)
    monkeypatch.setattr("genmedia.journal.desk.WINDOW_SECONDS", WINDOW)  # that of a process that begins; see the next test
    await asyncio.sleep(WINDOW)
    assert await other.take(0) == 0  # in a chunk of four, in a row that has the same id with SQLite
    monkeypatch.undo()

    await one.answered(idle=True)

    assert await requests_in(journal) == [4]


async def test_a_request_counts_for_others_while_its_process_does_not_know_yet_how_fast_a_sandboxs_clock_is(
    journal: Journal, another: Journal
) -> None:
    begins, knows = window_of(journal, 2, scale=1), window_of(another, 2)
    assert await begins.take(0) == 0

    assert await knows.take(0) == 0

    assert await knows.take(0) > 0


class Provider:
    """Takes so many requests in a minute, which it does not publish, and refuses the others."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.taken: list[float] = []
        self.refused = 0

    def takes(self) -> bool:
        now = monotonic()
        if sum(one > now - WINDOW for one in self.taken) >= self.per_minute:
            self.refused += 1
            return False
        self.taken.append(now)
        return True


async def ask_for(provider: Provider, journal: Journal, number: int) -> None:
    """Send requests until so many are taken, as a client does that finds out the limit."""
    pace, window = Pace(None, lambda: SCALE), window_of(journal, None)

    async def request() -> None:
        taken = False
        while not taken:
            async with pace.turn():
                await asyncio.sleep(0.001)
                if not (taken := provider.takes()):
                    await pace.refused(0)

    with pace.within(window):
        await asyncio.gather(*(request() for _ in range(number)))


async def test_a_limit_that_nobody_publishes_is_learned_and_kept_for_all_processes(journal: Journal, another: Journal) -> None:
    provider = Provider(60)
    await ask_for(provider, journal, 120)
    learning, provider.refused = provider.refused, 0

    await ask_for(provider, another, 120)

    assert 0 < learning < 120
    assert provider.refused < learning, "another process begins with what the first one learned"


async def test_a_limit_that_is_learned_grows_again(journal: Journal) -> None:
    window = window_of(journal, 100, scale=1)
    for _ in range(80):
        assert await window.take(0) == 0
        await window.answered(idle=True)
    await window.refused(0)

    async def sent_after(seconds: float) -> int:
        """How many requests are sent at once, after a time that nobody waits for here."""
        async with journal._database.transaction() as connection:  # pyright: ignore[reportPrivateUsage] # see above
            await connection.execute(sa.text("DELETE FROM requests"))
            await connection.execute(sa.text("UPDATE limits SET learned_at = learned_at - :passed"), {"passed": seconds})
        while seconds := await window.take(0):
            await asyncio.sleep(seconds)  # it asks again after a moment
        sent = 0
        while not seconds:
            await window.answered(idle=True)
            sent += 1
            seconds = await window.take(0)
        return sent

    cut, grown, whole = await sent_after(60), await sent_after(120), await sent_after(3600)

    assert 60 <= cut < grown < whole == 100


async def test_where_the_provider_wants_no_requests_for_a_time_no_process_sends_any(journal: Journal, another: Journal) -> None:
    one, other = window_of(journal, 100), window_of(another, 100)
    assert await one.take(0) == 0
    begun = monotonic()

    await one.refused(60)
    while seconds := await other.take(0):
        await asyncio.sleep(seconds)

    assert monotonic() - begun >= WINDOW


async def test_a_run_of_a_higher_rank_gets_the_next_slot_in_whatever_process(journal: Journal, another: Journal) -> None:
    usual, first = slots_of(journal, 1), slots_of(another, 1)
    held = await buy(journal, "held", usual)
    bought: list[str] = []

    async def want(process: Journal, slots: Slots, name: str, rank: float) -> None:
        with ranked(rank):
            attempt = await buy(process, name, slots)
        bought.append(name)
        await process.end(attempt.id, job_of(attempt))

    wanted = [asyncio.create_task(want(journal, usual, f"usual {one}", 0)) for one in range(3)]
    await asyncio.sleep(0.3)
    wanted.append(asyncio.create_task(want(another, first, "a person's", 1)))
    await asyncio.sleep(0.3)
    await journal.end(held.id, job_of(held))
    await asyncio.gather(*wanted)

    assert bought == ["a person's", "usual 0", "usual 1", "usual 2"]


async def test_requests_of_a_run_of_a_higher_rank_go_first_in_whatever_process(journal: Journal, another: Journal) -> None:
    usual, first = window_of(journal, 2), window_of(another, 2)
    for _ in range(2):
        assert await usual.take(0) == 0
    order: list[str] = []

    async def want(window: SharedWindow, name: str, rank: float) -> None:
        while seconds := await window.take(rank):
            await asyncio.sleep(seconds)
        order.append(name)
        await window.answered(idle=True)

    wanted = [asyncio.create_task(want(first, "a person's", 1)), asyncio.create_task(want(usual, "usual", 0))]
    while await in_line(journal) < len(wanted):
        await asyncio.sleep(0.02)
    for _ in range(2):
        await usual.answered(idle=False)
    await asyncio.gather(*wanted)

    assert order == ["a person's", "usual"]


async def test_an_order_of_a_higher_rank_waits_for_none_of_a_lower_one_at_the_entrance() -> None:
    entrance, leave = Entrance(), asyncio.Event()
    entered: list[str] = []

    async def order(name: str, rank: float) -> None:
        with ranked(rank):
            async with entrance.entered():
                entered.append(name)
                await leave.wait()

    usual = [asyncio.create_task(order("usual", 0)) for _ in range(ORDERS + 1)]
    await asyncio.sleep(0)
    first = [asyncio.create_task(order("first", 1)) for _ in range(ORDERS + 1)]
    async with asyncio.timeout(10):
        while entered.count("first") < ORDERS:
            await asyncio.sleep(0)
    assert Counter(entered) == {"usual": ORDERS, "first": ORDERS}, "and no more of each"

    leave.set()
    await asyncio.gather(*usual, *first)
    assert entered[2 * ORDERS :] == ["first", "usual"]


async def test_a_process_that_waited_and_is_gone_holds_up_nobody(
    journal: Journal, another: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.journal.desk.TURN_SECONDS", 0.5)
    slots, gone = slots_of(journal, 1), slots_of(another, 1)
    held = await buy(journal, "held", slots)
    with ranked(1):
        waiting = asyncio.create_task(buy(another, "gone", gone))
    await asyncio.sleep(0.3)
    await end_task(waiting)  # without a word to the journal, as a process that is killed

    await journal.end(held.id, job_of(held))

    await buy(journal, "next", slots)


async def test_who_waits_is_woken_by_a_change_in_another_process(
    journal: Journal, another: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.journal.desk.ASK_SECONDS", 3600.0)  # so that it never asks by itself
    held = await buy(journal, "held", slots_of(journal, 1))
    waiting = asyncio.create_task(buy(another, "next", slots_of(another, 1)))
    await asyncio.sleep(0.5)
    assert not waiting.done()

    await journal.end(held.id, job_of(held))

    await waiting


async def test_only_changes_that_another_process_may_wait_for_wake_it(journal: Journal, another: Journal) -> None:
    own, other = journal._database, another._database  # pyright: ignore[reportPrivateUsage] # what wakes is what is tested
    await buy(journal, "held", slots_of(journal, 1))

    async def change(*, waking: bool) -> None:
        async with own.transaction(waking=waking) as connection:
            await connection.execute(attempts.update().values(last_answer=str(monotonic())))

    async def is_woken(*, waking: bool) -> bool:
        woken = other.changes.ahead
        await change(waking=waking)
        await set_within(woken, 0.5)
        return woken.is_set()

    while not await is_woken(waking=True):  # until it listens
        pass
    await set_within(other.changes.ahead, 0.5)  # the first one may wake it twice

    assert not await is_woken(waking=False)
    assert await is_woken(waking=True)


async def test_who_waits_is_woken_though_the_file_could_not_be_opened_at_first(
    journal: Journal, another: Journal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not url.startswith("sqlite"):
        pytest.skip("a server is connected to")
    held = await buy(journal, "held", slots_of(journal, None))
    await another.open_attempts()
    connect, tries = sqlite3.connect, count()

    def connect_at_last(*args: Any, **options: Any) -> sqlite3.Connection:
        if not next(tries):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(*args, **options)

    monkeypatch.setattr("genmedia.journal.database.sqlite3.connect", connect_at_last)
    changes = another._database.changes  # pyright: ignore[reportPrivateUsage] # it listens from now on
    async with asyncio.timeout(60):
        await changes.ahead.wait()  # it may have missed some until now
        woken = changes.ahead

        await journal.end(held.id, job_of(held))

        await woken.wait()


async def test_who_waits_is_woken_again_after_the_connection_broke(
    journal: Journal, another: Journal, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("a file is not connected to")
    held = await buy(journal, "held", slots_of(journal, 1))
    changes = another._database.changes  # pyright: ignore[reportPrivateUsage] # its connections are to break
    await asyncio.sleep(0.5)
    broke = changes.ahead
    async with journal._database.transaction() as connection:  # pyright: ignore[reportPrivateUsage] # see above
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        await connection.execute(sa.text(others))
    await broke.wait()
    monkeypatch.setattr("genmedia.journal.desk.ASK_SECONDS", 3600.0)
    waiting = asyncio.create_task(buy(another, "next", slots_of(another, 1)))
    await asyncio.sleep(2 * RECONNECT_SECONDS)

    await journal.end(held.id, job_of(held))

    await waiting


async def test_the_requests_of_a_process_that_died_come_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.journal.desk.ANSWER_SECONDS", WINDOW)
    dead, window = window_of(journal, 1), window_of(journal, 1)
    begun = monotonic()
    assert await dead.take(0) == 0

    while seconds := await window.take(0):
        await asyncio.sleep(seconds)

    assert monotonic() - begun >= 2 * WINDOW, "as long as an answer may take, and a minute"
