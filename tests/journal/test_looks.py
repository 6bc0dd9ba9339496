"""One process looks at an account's jobs and writes down what it sees; the others read it, and take its place when it is gone."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from genmedia.errors import CredentialsError, JournalError, ServerError
from genmedia.jobs.job import NOBODY, Account, Buyer, Job, JobStatus
from genmedia.jobs.watcher import ABSENCES, Look, Other
from genmedia.journal import Attempt, Journal
from genmedia.journal.looks import LEASE_SECONDS, Looks, Watching
from genmedia.journal.order import Order
from genmedia.journal.spending import written
from genmedia.journal.tables import attempts, watchers

PAYER = Account("genova", "https://example.org")
TAKES_ITS_PLACE = pytest.mark.parametrize("lease", [LEASE_SECONDS])
"""For tests in which another process looks in the end; in the others the first one does, however busy this machine is."""


@dataclass
class Process:
    """A process that waits for jobs: how it looks, and what it is told."""

    journal: Journal
    present: dict[str, Job | Exception | None] = field(default_factory=dict[str, Job | Exception | None])
    asked: list[frozenset[str]] = field(default_factory=list[frozenset[str]])
    for_others: set[str] = field(default_factory=set[str])
    soon: list[str] = field(default_factory=list[str])
    told: dict[str, Job] = field(default_factory=dict[str, Job])
    heard: Look[str] = field(default_factory=lambda: Look[str]({}))
    sockets: int = 0
    hinted: bool = True
    buyer: Buyer = NOBODY

    def __post_init__(self) -> None:
        watching = Watching[str](
            self.reference, self.look_at, self.soon.append, self.deliver, self.listen, self.hush, self.hinted, self.buyer
        )
        database, running_times = self.journal._database, self.journal.running_times  # pyright: ignore[reportPrivateUsage] # as its desk
        self.looks = Looks(database, str(PAYER), watching, running_times)

    def reference(self, attempt: Attempt) -> str:
        return attempt.request["name"] if "name" in attempt.request else attempt.request["broken"]["name"]

    def look_at(self, looks: Looks[str], jobs: Mapping[str, Other]) -> None:
        del looks
        self.for_others = set(jobs)

    def deliver(self, look: Look[str], asked: float) -> None:
        del asked
        self.heard |= look

    def listen(self) -> None:
        self.sockets += 1

    async def hush(self) -> None:
        self.sockets = 0

    async def ask(self, refs: frozenset[str]) -> Look[str]:
        self.asked.append(refs)
        seen = {ref: self.present[ref] for ref in refs}
        jobs = {ref: one for ref, one in seen.items() if isinstance(one, Job)}
        failed = {ref: one for ref, one in seen.items() if isinstance(one, ServerError)}
        return Look(jobs, frozenset(ref for ref, one in seen.items() if one is None), failed)

    async def look(self, *refs: str) -> Look[str]:
        return await self.looks.look(frozenset(refs), self.ask)

    async def read(self, ref: str, looking: "Process | None" = None) -> Look[str]:
        """The next news of a job, which comes with a look or by itself; `looking`: the process that looks at it until then."""
        async with asyncio.timeout(60):
            while True:
                if looking:
                    await looking.look(ref)
                look = await self.look(ref)
                look, self.heard = self.heard | look, Look({})
                if look.jobs or look.missing or look.failed:
                    return look
                await asyncio.sleep(0.05)


@pytest.fixture
def lease() -> float:
    """Seconds for which a process looks without renewing it: as many as no test lasts for, however long this machine stands still."""
    return 3600.0


@pytest.fixture
async def processes(url: str, lease: float, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[Process, Process]]:
    """Two processes; the first looks."""
    monkeypatch.setattr("genmedia.journal.looks.LEASE_SECONDS", lease)
    async with AsyncExitStack() as closed:
        found: list[Process] = []
        for _ in range(2):
            journal = Journal(url)
            closed.push_async_callback(journal.aclose)
            found.append(Process(journal))
            closed.push_async_callback(found[-1].looks.aclose)
            await found[-1].look()  # before there is a second, which might be faster
        yield found[0], found[1]


async def bought(journal: Journal, name: str = "job-1", buyer: Buyer = NOBODY) -> Attempt:
    """An attempt that is bound to the job of that name."""
    attempt = await journal.intend(Order(PAYER, "image", {"name": name}, 1, "credits"), datetime.now(UTC), buyer=buyer)
    assert attempt is not None
    await journal.bind(attempt, name)
    await asyncio.sleep(0.5)  # a look that may have begun before is not believed, and clocks differ by what it takes to read them
    return await journal.attempt(attempt.id)


def running(name: str = "job-1", progress: float | None = None) -> Job:
    return Job(name, JobStatus.RUNNING, progress)


def done(name: str = "job-1") -> Job:
    return Job(name, JobStatus.SUCCEEDED, charged=1)


async def rows(url: str) -> dict[int, Any]:
    """The attempts as they stand in the database, by id."""
    async with Journal.lease(url) as journal:
        database = journal._database  # pyright: ignore[reportPrivateUsage] # what stands there is what is tested
        async with database.transaction(reading=True) as connection:
            return {row.id: row for row in await connection.execute(sa.select(attempts))}


async def holds_a_slot(journal: Journal) -> bool:
    """True if the one job that was bought counts as open."""
    order = Order(PAYER, "image", {"name": "another"}, 1, "credits")
    attempt = await journal.intend(order, datetime.now(UTC), open_jobs=1)
    if attempt:
        await journal.refuse(attempt, "only asked")
    return attempt is None


async def test_what_one_process_sees_the_others_read_once_and_ask_nobody(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    first.present = {"job-1": running(progress=40)}
    with second.looks.awaiting(attempt), first.looks.awaiting(attempt):
        read, again = await second.read("job-1", first), await second.look("job-1")

    assert (read.jobs, again.jobs, second.heard.jobs) == ({"job-1": running(progress=40)}, {}, {})
    assert second.asked == []
    assert (first.sockets, second.sockets) == (1, 0)


async def test_what_was_seen_of_a_job_is_read_though_it_begins_to_be_waited_for_while_others_are_read(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = processes
    monkeypatch.setattr("genmedia.journal.looks.OVERLAP_SECONDS", 0.0)
    attempt = await bought(first.journal)
    first.present = {"job-1": running()}
    with first.looks.awaiting(attempt):
        await first.look("job-1")
    await second.look()
    waits: list[Any] = []

    def wait_meanwhile(time: datetime) -> str:
        if not waits:
            waits.append(held.enter_context(second.looks.awaiting(attempt)))
        return written(time)

    with ExitStack() as held:
        monkeypatch.setattr("genmedia.journal.looks.written", wait_meanwhile)
        await second.look()
        assert waits

        assert (await second.read("job-1")).jobs == {"job-1": running()}


async def test_an_end_frees_the_slot_whoever_waits_for_the_job(processes: tuple[Process, Process]) -> None:
    first, _ = processes
    await bought(first.journal)
    assert await holds_a_slot(first.journal)
    while not first.for_others:
        await asyncio.sleep(0.05)

    first.present = {"job-1": done()}
    await first.look(*first.for_others)

    assert not await holds_a_slot(first.journal)


async def test_a_process_that_cannot_ask_about_one_job_hears_of_the_others_all_the_same(
    processes: tuple[Process, Process],
) -> None:
    first, second = processes
    runs, ended = await bought(first.journal), await bought(first.journal, "job-2")
    first.present = {"job-1": running()}

    async def ask(refs: frozenset[str]) -> Look[str]:
        raise ServerError(f"it answered 503 for {len(refs)}")

    with first.looks.awaiting(runs), second.looks.awaiting(runs), second.looks.awaiting(ended):
        await first.look("job-1")
        async with first.journal.claimed(ended.id, "job-2") as claimed:
            await first.journal.store(claimed, [])

        look = await second.looks.look(frozenset({"job-1", "job-2"}), ask)

    assert (second.heard | look).jobs == {"job-1": running()}
    assert {ref: str(error) for ref, error in look.failed.items()} == {"job-2": str(ServerError("it answered 503 for 1"))}


@pytest.mark.parametrize("seen", [None, ServerError("it answered 503")])
async def test_that_a_job_is_missing_or_cannot_be_seen_is_news_each_time(
    processes: tuple[Process, Process], seen: Exception | None
) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    first.present = {"job-1": seen}
    with second.looks.awaiting(attempt), first.looks.awaiting(attempt):
        for _ in range(2):
            read = await second.read("job-1", first)

            assert (set(read.missing), [str(one) for one in read.failed.values()]) == (
                ({"job-1"}, []) if seen is None else (set(), [str(seen)])
            )


async def test_a_job_that_is_not_to_be_found_holds_no_slot_for_ever(processes: tuple[Process, Process]) -> None:
    first, _ = processes
    attempt = await bought(first.journal)
    first.present = {"job-1": None}
    with first.looks.awaiting(attempt):
        for _ in range(ABSENCES):
            assert await holds_a_slot(first.journal)
            await first.look("job-1")

    assert not await holds_a_slot(first.journal)


@TAKES_ITS_PLACE
async def test_a_process_whose_lease_has_ended_writes_nothing_down(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    standing_still, begun = asyncio.Event(), asyncio.Event()

    async def ask(refs: frozenset[str]) -> Look[str]:
        del refs
        begun.set()
        await standing_still.wait()
        return Look({"job-1": running()})

    with second.looks.awaiting(attempt), first.looks.awaiting(attempt):
        looking = asyncio.create_task(first.looks.look(frozenset(["job-1"]), ask))
        await begun.wait()
        monkeypatch.setattr(
            first.looks, "_lead", lambda: asyncio.sleep(0, result=True)
        )  # it does not renew, and believes that it looks
        second.present = {"job-1": done()}
        while not second.asked:
            await second.look("job-1")
            await asyncio.sleep(0.1)
        monkeypatch.setattr(first.looks, "_leads_until", float("inf"))
        standing_still.set()
        await looking

    assert not await holds_a_slot(second.journal), "what was seen first is not written over what was seen last"
    assert (first.sockets, second.sockets) == (1, 1)


@TAKES_ITS_PLACE
async def test_a_process_that_stood_still_until_another_looked_listens_no_more(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = processes
    with monkeypatch.context() as still:
        still.setattr(first.looks, "_lead", lambda: asyncio.sleep(0, result=True))
        async with asyncio.timeout(60):
            while not second.sockets:
                await asyncio.sleep(0.05)
        assert first.sockets == 1

    async with asyncio.timeout(60):
        while first.sockets:
            await asyncio.sleep(0.05)


async def test_a_look_that_began_before_its_job_was_bound_is_not_believed(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)

    async def ask(refs: frozenset[str]) -> Look[str]:
        del refs
        assert await first.journal.unbind(attempt.id, "job-1")
        await first.journal.bind(attempt, "job-1")
        return Look({"job-1": Job("job-1", JobStatus.UNSTARTED)})

    with second.looks.awaiting(attempt), first.looks.awaiting(attempt):
        await first.looks.look(frozenset(["job-1"]), ask)

        assert (await second.look("job-1")).jobs == {}


async def test_news_that_is_pushed_before_the_journal_knows_the_job_is_not_lost(processes: tuple[Process, Process]) -> None:
    first, second = processes
    first.looks.hint("job-1", done())
    attempt = await bought(second.journal)
    with second.looks.awaiting(attempt):
        while not second.heard.jobs:
            await asyncio.sleep(0.05)

    assert second.heard.jobs == {"job-1": done()}


async def test_where_another_run_has_brought_a_job_to_its_end_it_is_asked_for_once(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    second.present = {"job-1": done()}
    with second.looks.awaiting(attempt):
        async with first.journal.claimed(attempt.id, "job-1") as claimed:
            await first.journal.store(claimed, [])

        assert (await second.read("job-1")).jobs == {"job-1": done()}

    assert second.asked == [frozenset(["job-1"])]


@pytest.mark.parametrize("seen", [running(), None])
async def test_a_job_whose_end_only_a_dead_run_has_seen_is_asked_for(
    processes: tuple[Process, Process], seen: Job | None
) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    with second.looks.awaiting(attempt), first.looks.awaiting(attempt):
        if seen:
            first.present = {"job-1": seen}
            assert (await second.read("job-1", first)).jobs == {"job-1": seen}
        await first.journal.end(attempt.id, "job-1")  # and the run dies before it has the files
        second.present = {"job-1": done()}

        assert (await second.read("job-1")).jobs == {"job-1": done()}

    assert second.asked == [frozenset(["job-1"])]


async def test_a_look_is_broken_off_where_its_board_is_closed_and_nobody_is_asked_after_that(
    processes: tuple[Process, Process],
) -> None:
    first, _ = processes
    attempt = await bought(first.journal)
    under_way, broken_off = asyncio.Event(), asyncio.Event()

    async def ask(refs: frozenset[str]) -> Look[str]:
        under_way.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken_off.set()
        raise AssertionError(refs)

    with first.looks.awaiting(attempt):
        look = asyncio.create_task(first.looks.look(frozenset(["job-1"]), ask))
        await under_way.wait()
        await first.looks.aclose()

        assert broken_off.is_set()
        assert await look == Look({})
        assert await first.look("job-1") == Look({})
    assert first.asked == [frozenset()], "as it began"


async def test_that_another_run_has_brought_a_job_to_its_end_is_found_at_once(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    with second.looks.awaiting(attempt):
        async with first.journal.claimed(attempt.id, "job-1") as claimed:
            await first.journal.store(claimed, [])
        async with asyncio.timeout(60):
            while not second.soon:
                await asyncio.sleep(0.05)

    assert second.soon == ["job-1"]


async def hint(journal: Journal, *jobs: str) -> None:
    """Give hints that these jobs have ended."""
    for job in jobs:
        await journal.hint({str(PAYER), "genova|https://example.org|another"}, job)


async def test_a_hint_has_a_job_looked_at_once_by_the_process_that_looks(processes: tuple[Process, Process]) -> None:
    first, second = processes
    waited, last = await bought(first.journal), await bought(first.journal, "job-2")
    with second.looks.awaiting(waited), first.looks.awaiting(waited), first.looks.awaiting(last):
        await hint(second.journal, "job-1", "job-1")
        while not first.soon:
            await asyncio.sleep(0.05)
        await hint(second.journal, "job-1", "job-2")
        while "job-2" not in first.soon:
            await asyncio.sleep(0.05)

    assert (first.soon, second.soon) == (["job-1", "job-2"], [])


async def test_a_hint_has_a_job_looked_at_that_only_another_process_waits_for(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    with second.looks.awaiting(attempt):
        await hint(second.journal, "job-1", "job-1")
        while not first.soon:
            await asyncio.sleep(0.05)

    assert (first.soon, second.soon) == (["job-1"], [])
    assert "job-1" in first.for_others


async def test_a_hint_is_taken_up_in_the_next_round_where_the_journal_fails_after_it_was_read(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = processes
    attempt = await bought(first.journal)
    read, failed = first.looks._read_hints, set[int]()  # pyright: ignore[reportPrivateUsage] # a journal cannot be told to fail between two readings

    async def fail_once() -> dict[int, str]:
        if failed or not (hinted := await read()):
            return {}
        failed.update(hinted)
        raise JournalError("the disk is full")

    monkeypatch.setattr(first.looks, "_open_jobs", fail_once)
    with first.looks.awaiting(attempt):
        await hint(first.journal, "job-1")
        async with asyncio.timeout(60):
            while not first.soon:
                await asyncio.sleep(0.05)

    assert (failed, first.soon) == ({attempt.id}, ["job-1"])


async def test_a_hint_for_a_job_that_is_foreign_unknown_or_over_changes_nothing(
    processes: tuple[Process, Process], url: str
) -> None:
    first, _ = processes
    foreign, over, last = [await bought(first.journal, name) for name in ("job-1", "job-2", "job-3")]
    with first.looks.awaiting(foreign), first.looks.awaiting(over), first.looks.awaiting(last):
        first.present = {"job-2": done()}
        while (await rows(url))[over.id].over_at is None:
            await first.look("job-2")
            await asyncio.sleep(0.1)
        before = await rows(url)
        await first.journal.hint({"genova|https://example.org|another"}, "job-1")
        await hint(first.journal, "job-2", "job-0")
        assert await rows(url) == before
        await hint(first.journal, "job-3")
        while "job-3" not in first.soon:
            await asyncio.sleep(0.05)

    assert first.soon == ["job-3"]


async def test_of_a_provider_that_sends_no_webhooks_no_hints_are_read(journal: Journal) -> None:
    process = Process(journal, hinted=False)
    await process.look()
    try:
        await bought(journal)
        await hint(journal, "job-1")
        await bought(journal, "job-2")
        async with asyncio.timeout(60):
            while "job-2" not in process.for_others:
                await asyncio.sleep(0.05)

        assert process.soon == []
    finally:
        await process.looks.aclose()


@TAKES_ITS_PLACE
async def test_the_next_process_that_looks_takes_up_hints_that_nobody_took(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    with second.looks.awaiting(attempt):
        await first.looks.aclose()
        await hint(first.journal, "job-1")
        while not second.soon:
            await asyncio.sleep(0.05)

    assert second.soon == ["job-1"]


async def test_a_job_that_a_run_here_has_just_waited_for_is_not_looked_at_for_others(
    processes: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.journal.looks.LEFT_SECONDS", 3600.0)
    first, second = processes
    with first.looks.awaiting(await bought(first.journal)):
        pass  # the run has heard of the end, and is about to write it down

    await bought(second.journal, "job-2")
    while "job-2" not in first.for_others:
        await asyncio.sleep(0.05)

    assert first.for_others == {"job-2"}


async def test_what_was_seen_of_a_job_is_not_kept_once_its_run_waits_no_more(processes: tuple[Process, Process]) -> None:
    first, _ = processes
    attempt = await first.journal.intend(Order(PAYER, "image", {"name": "job-1"}, 1, "credits"), datetime.now(UTC))
    assert attempt is not None
    with first.looks.awaiting(replace(attempt, remote_id="job-1")):  # before it could be looked at for others
        await first.journal.bind(attempt, "job-1")
        await asyncio.sleep(0.5)  # as in `bought`
        first.looks.hint("job-1", done())
    while (await first.journal.attempt(attempt.id)).seen is None:
        await asyncio.sleep(0.05)
    await first.look()  # which writes as well, after the other is done

    assert first.looks._written == {}  # pyright: ignore[reportPrivateUsage] # what is kept is what is tested


async def test_a_process_that_does_not_look_keeps_nothing_to_write_down_later(processes: tuple[Process, Process]) -> None:
    _, second = processes
    with second.looks.awaiting(await bought(second.journal)):
        second.looks.hint("job-1", running())

    async with asyncio.timeout(60):
        while second.looks._unwritten or second.looks._left:  # pyright: ignore[reportPrivateUsage] # as above
            await asyncio.sleep(0.05)


@pytest.fixture
async def customers(url: str, lease: float, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[tuple[Process, Process]]:
    """Two processes that use one account's name, each with the key of another customer; each looks."""
    monkeypatch.setattr("genmedia.journal.looks.LEASE_SECONDS", lease)
    async with AsyncExitStack() as closed:
        found: list[Process] = []
        for name in ("one", "other"):
            journal = Journal(url)
            closed.push_async_callback(journal.aclose)
            found.append(Process(journal, buyer=Buyer(f"key of {name}", name)))
            closed.push_async_callback(found[-1].looks.aclose)
            await found[-1].look()
        yield found[0], found[1]


async def test_a_job_is_looked_at_for_others_with_a_key_that_may_tell_of_it(customers: tuple[Process, Process]) -> None:
    for number, process in enumerate(customers):
        await bought(process.journal, f"job-{number}", process.buyer)

    async with asyncio.timeout(60):
        while [process.for_others for process in customers] != [{"job-0"}, {"job-1"}]:
            await asyncio.sleep(0.05)


async def test_that_another_customer_does_not_find_a_job_is_told_to_nobody_and_frees_no_slot(
    customers: tuple[Process, Process],
) -> None:
    own, other = customers
    attempt = await bought(own.journal, buyer=own.buyer)
    other.present = {"job-1": None}
    with own.looks.awaiting(attempt), other.looks.awaiting(attempt):
        for _ in range(ABSENCES):
            assert (await other.look("job-1")).missing == {"job-1"}

    assert (await own.journal.attempt(attempt.id)).seen is None
    assert await holds_a_slot(own.journal)


async def test_a_job_that_was_bought_with_another_key_is_asked_about_by_each_process_that_waits_for_it(
    customers: tuple[Process, Process], url: str
) -> None:
    own, other = customers
    attempt = await bought(own.journal, buyer=own.buyer)
    async with Journal.lease(url) as journal:
        third = Process(journal, buyer=other.buyer, present={"job-1": None})
        try:
            with third.looks.awaiting(attempt):
                look = await third.look("job-1")
        finally:
            await third.looks.aclose()

    assert look.missing == {"job-1"}


async def test_an_attempt_that_has_ended_keeps_no_hint(journal: Journal, url: str) -> None:
    attempt = await bought(journal)
    await hint(journal, "job-1")
    assert (await rows(url))[attempt.id].hinted_at
    async with journal.claimed(attempt.id, "job-1") as claimed:
        await journal.store(claimed, [])
    await hint(journal, "job-1")

    assert (await rows(url))[attempt.id].hinted_at is None


async def test_an_attempt_that_cannot_be_read_hides_no_other(processes: tuple[Process, Process]) -> None:
    first, _ = processes
    broken = await first.journal.intend(Order(PAYER, "image", {"broken": []}, 1, "credits"), datetime.now(UTC))
    assert broken is not None
    await first.journal.bind(broken, "job-0")
    await bought(first.journal)

    async with asyncio.timeout(60):
        while first.for_others != {"job-1"}:
            await asyncio.sleep(0.05)


async def test_two_jobs_to_which_the_provider_gave_one_id_hide_no_other(processes: tuple[Process, Process]) -> None:
    first, second = processes
    ended = await bought(first.journal)
    await first.journal.end(ended.id, "job-1")
    equal = await first.journal.intend(Order(PAYER, "image", {"name": "job-1"}, 1, "credits", take=2), datetime.now(UTC))
    assert equal is not None
    await first.journal.bind(equal, "job-1")
    async with asyncio.timeout(60):
        while "job-1" not in first.for_others:
            await asyncio.sleep(0.05)
    with first.looks.awaiting(ended):
        pass

    await bought(second.journal, "job-2")

    async with asyncio.timeout(60):
        while first.for_others != {"job-1", "job-2"}:
            await asyncio.sleep(0.05)


async def test_a_lease_that_was_taken_for_a_task_that_is_cancelled_meanwhile_is_ended(journal: Journal) -> None:
    process = Process(journal)
    leading = asyncio.create_task(process.looks._lead())  # pyright: ignore[reportPrivateUsage] # as its round does
    await asyncio.sleep(0)
    leading.cancel()
    await asyncio.wait([leading])

    await process.looks.aclose()

    assert leading.cancelled()
    async with journal._database.transaction(reading=True) as connection:  # pyright: ignore[reportPrivateUsage] # what stands there is what is tested
        assert list(await connection.execute(sa.select(watchers))) == []


@TAKES_ITS_PLACE
async def test_the_next_process_looks_at_once_where_one_ends(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)
    second.present = {"job-1": running()}
    await first.looks.aclose()
    with second.looks.awaiting(attempt):
        async with asyncio.timeout(60):
            while not second.asked:
                await second.look("job-1")
                await asyncio.sleep(0.05)

    assert (first.sockets, second.sockets) == (0, 1)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_that_one_process_is_refused_ends_no_wait_of_another(processes: tuple[Process, Process]) -> None:
    first, second = processes
    attempt = await bought(first.journal)

    async def refused(_: frozenset[str]) -> Look[str]:
        raise CredentialsError("a firewall of this machine answered 403")

    with first.looks.awaiting(attempt), second.looks.awaiting(attempt):
        await first.looks.look(frozenset({"job-1"}), refused)
        look = await second.look("job-1")

    assert (look | second.heard).failed == {}
