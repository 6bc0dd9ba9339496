"""A job that is paid for is waited for through outages, and given up only by its deadlines or when it is gone."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest

from genmedia import errors
from genmedia.jobs.durations import GROWING, TELLING, Durations, Schedule
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.jobs.watcher import ABSENCES, Look, Other, Trouble, Watcher, look_at_each
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.transport.pace import ANSWER_SECONDS
from tests.sandboxes import Sandbox

FOR_EVER = 10.0**6
LEARNED = Schedule(Durations((30.0,) * TELLING))
"""Schedule of jobs of which each ran for 30 s."""

SLUG = "studio-blur"


async def watch(
    look: Callable[[], Awaitable[Job]],
    *,
    about: str,
    every: tuple[float, float],
    queue_seconds: float,
    run_seconds: float,
    clock_scale: Callable[[], float],
    seen: Callable[[Job | Trouble], Awaitable[None]],
) -> Job:
    """Wait for one job by looks of the test's own."""

    async def look_at_all(refs: frozenset[str]) -> Look[str]:
        try:
            return Look({ref: await look() for ref in refs})
        except errors.NotFoundError:
            return Look({}, refs)

    watcher = Watcher(look_at_all, every=lambda: every, clock_scale=clock_scale)
    try:
        return await watcher.wait("j57", about=about, queue_seconds=queue_seconds, run_seconds=run_seconds, seen=seen)
    finally:
        await watcher.aclose()


@dataclass
class Watched:
    """One run at the sandbox, and what its watcher saw."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: FloraClient
    looks: int = 0
    seen: list[str] = field(default_factory=list[str])
    run_id: str = ""

    async def buy(self) -> None:
        photo = RunInput(id="input_image", type="imageUrl", value=self.sandbox.sample)
        self.run_id = (await self.client.create_run(SLUG, [photo], idempotency_key="k")).run_id

    async def watch(self, *, every: float = 0.3, queue_seconds: float = FOR_EVER, run_seconds: float = FOR_EVER) -> Job:
        async def look() -> Job:
            self.looks += 1
            return (await self.client.get_run(SLUG, self.run_id)).as_job()

        async def seen(news: Job | Trouble) -> None:
            if isinstance(news, Job):
                self.seen.append(news.status.value)

        return await watch(
            look,
            about=f"flora, job {self.run_id}",
            every=(every, every),
            queue_seconds=queue_seconds,
            run_seconds=run_seconds,
            clock_scale=lambda: self.client.http.clock_scale,
            seen=seen,
        )


@pytest.fixture
def settings() -> dict[str, Any]:
    """How the account's jobs move, beside moving by looks."""
    return {}


@pytest.fixture
async def watched(sandbox: Sandbox, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Watched]:
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 1)  # every failed look is the watcher's own
    account = sandbox.new_account(settings={"advance": "looks", **settings})
    async with FloraClient.lease(Account("flora", account["base_url"], account["account"]), account["api_key"]) as client:
        watched = Watched(sandbox, account, client)
        await watched.buy()
        yield watched


def scripted(*answers: Exception | JobStatus) -> Callable[[], Awaitable[Job]]:
    left = list(answers)

    async def look() -> Job:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Job("j57", answer)

    return look


async def say_nothing(_: Job | Trouble) -> None:
    """To nobody's terminal."""


async def waited(watcher: Watcher[str], seconds: float = FOR_EVER) -> Job:
    """What a watcher that watches nothing else sees of one job."""
    try:
        return await watcher.wait("j57", about="j57", queue_seconds=seconds, run_seconds=seconds, seen=say_nothing)
    finally:
        await watcher.aclose()


async def watch_script(
    *answers: Exception | JobStatus,
    every: tuple[float, float] = (0, 0),
    queue_seconds: float = 10.0**12,
    clock_scale: float = 10.0**7,
) -> Job:
    return await watch(
        scripted(*answers),
        about="j57",
        every=every,
        queue_seconds=queue_seconds,
        run_seconds=10.0**12,
        clock_scale=lambda: clock_scale,
        seen=say_nothing,
    )


@pytest.mark.parametrize("settings", [{"looks": [2, 2]}])
async def test_each_look_is_passed_on_until_the_job_ends(watched: Watched) -> None:
    job = await watched.watch()

    assert job.status is JobStatus.SUCCEEDED
    assert (job.charged, len(job.outputs)) == (3, 1)
    assert watched.seen == ["queued", "queued", "running", "running", "succeeded"]


async def test_a_failed_job_is_an_end_too(watched: Watched) -> None:
    watched.sandbox.fault(watched.account, "fail", error_code="safety_blocked", message="Not this.")
    watched.run_id = (
        await watched.client.create_run(
            SLUG, [RunInput(id="input_image", type="imageUrl", value=watched.sandbox.sample)], idempotency_key="another"
        )
    ).run_id

    job = await watched.watch()

    assert (job.status, job.error, job.charged) == (JobStatus.FAILED, "safety_blocked - Not this.", 0)


async def test_an_outage_of_every_kind_is_outlived(watched: Watched) -> None:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("server_error", {"status": 503}),
        ("reset", {}),
        ("lose_answer", {}),
        ("rate_limit", {"retry_after": 1}),
        ("rate_limit", {}),
        ("html_error", {}),
        ("broken_json", {}),
    ]
    for kind, arguments in kinds:
        watched.sandbox.fault(watched.account, kind, route="get_run", **arguments)

    job = await watched.watch()

    assert job.status is JobStatus.SUCCEEDED
    assert watched.looks >= len(kinds) + len(watched.seen)  # each fault cost a look; on a busy machine another may be too late
    assert len(watched.sandbox.jobs(watched.account)) == 1


async def test_an_unknown_status_keeps_it_waiting(watched: Watched) -> None:
    watched.sandbox.fault(watched.account, "unknown_status", route="get_run")

    assert (await watched.watch()).status is JobStatus.SUCCEEDED
    assert watched.seen[0] == "running"


@pytest.mark.parametrize("settings", [{"looks": [1000, 1]}])
async def test_a_job_that_does_not_start_in_time_is_left_to_wait(watched: Watched) -> None:
    with pytest.raises(errors.QueueTimeoutError, match=r"not started after 30 s \(flora, job j57.* still paid for"):
        await watched.watch(queue_seconds=30)
    assert set(watched.seen) == {"queued"}


@pytest.mark.parametrize("settings", [{"looks": [0, 1000]}])
async def test_a_job_that_does_not_end_in_time_is_left_to_run(watched: Watched) -> None:
    with pytest.raises(errors.RunTimeoutError, match=r"after running for 30 s \(flora, job j57.* still paid for"):
        await watched.watch(run_seconds=30)
    assert set(watched.seen) == {"running"}


@pytest.mark.parametrize("settings", [{"looks": [22, 2]}])
async def test_the_time_in_the_queue_is_not_counted_as_running(watched: Watched) -> None:
    """Twenty-two pauses of five seconds in the queue, and two of them running."""
    assert (await watched.watch(every=5, run_seconds=100)).status is JobStatus.SUCCEEDED


async def test_an_outage_ends_with_the_deadline(watched: Watched) -> None:
    watched.sandbox.fault(watched.account, "server_error", times=None)

    with pytest.raises(errors.QueueTimeoutError):
        await watched.watch(queue_seconds=100)
    assert watched.looks > 1


async def test_a_job_has_vanished_after_several_looks_that_miss_it(watched: Watched) -> None:
    watched.run_id = "j57gone"

    with pytest.raises(errors.JobVanishedError, match=r"\(flora, job j57gone\)"):
        await watched.watch()
    assert watched.looks == ABSENCES


async def test_a_job_that_turns_up_again_has_not_vanished() -> None:
    missing = [errors.NotFoundError("no such run")] * (ABSENCES - 1)

    assert (await watch_script(*missing, JobStatus.RUNNING, *missing, JobStatus.SUCCEEDED)).status is JobStatus.SUCCEEDED


async def test_an_outage_among_the_looks_that_miss_a_job_neither_counts_nor_starts_them_anew() -> None:
    missing, outage = errors.NotFoundError("no such run"), errors.ServerError("down")
    looks: list[Exception] = [missing, outage] * (ABSENCES - 1)

    with pytest.raises(errors.JobVanishedError):
        await watch_script(*looks, missing)


async def test_a_key_that_is_revoked_meanwhile_is_told_at_once(watched: Watched) -> None:
    watched.sandbox.new_account(account=watched.account["account"], api_key=f"{watched.account['api_key']}-new")

    with pytest.raises(errors.CredentialsError, match="invalid_api_key"):
        await watched.watch()
    assert watched.looks == 1


async def test_an_outage_may_last_for_days() -> None:
    assert (
        await watch_script(*[errors.NoAnswerError("down")] * 1100, JobStatus.SUCCEEDED, every=(2, 5))
    ).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize(("asked", "seconds"), [(500, 400), (100_000, 500)])
async def test_the_next_look_waits_as_long_as_the_provider_asked(asked: float, seconds: float) -> None:
    limited = errors.RateLimitError("too many requests")
    limited.retry_after = asked

    with pytest.raises(errors.QueueTimeoutError):  # after the one pause; a third look would find the script at its end
        await watch_script(limited, limited, queue_seconds=seconds)


async def test_a_provider_that_asks_for_days_is_looked_at_after_ten_minutes() -> None:
    limited = errors.RateLimitError("too many requests")
    limited.retry_after = 10.0**6

    job = await watch_script(limited, JobStatus.SUCCEEDED, queue_seconds=500_000, clock_scale=10.0**4)  # 60 ms, 50 s, 100 s

    assert job.status is JobStatus.SUCCEEDED


async def test_news_that_come_while_a_look_is_under_way_are_looked_at_too() -> None:
    looks: list[JobStatus] = []

    async def look(refs: frozenset[str]) -> Look[str]:
        if not looks:
            watcher.look_soon("j57")  # the job has just ended; this look was answered before
        looks.append(JobStatus.SUCCEEDED if looks else JobStatus.RUNNING)
        return Look({ref: Job(ref, looks[-1]) for ref in refs})

    watcher = Watcher(look, every=lambda: (FOR_EVER, FOR_EVER), clock_scale=lambda: 1)
    job = await waited(watcher)

    assert job.status is JobStatus.SUCCEEDED
    assert looks == [JobStatus.RUNNING, JobStatus.SUCCEEDED]


async def test_looks_that_come_early_bring_no_job_nearer_to_being_given_up() -> None:
    """Sockets that come and go ask for a look each time, and so does each that waits for the same job."""
    looks = 0

    async def look(refs: frozenset[str]) -> Look[str]:
        nonlocal looks
        looks += 1
        if looks <= 3 * ABSENCES:
            watcher.look_soon()
            return Look({}, refs)
        return Look({ref: Job(ref, JobStatus.SUCCEEDED) for ref in refs})

    watcher = Watcher(look, every=lambda: (FOR_EVER, FOR_EVER), clock_scale=lambda: 1)
    job = await waited(watcher)

    assert job.status is JobStatus.SUCCEEDED


async def test_a_deadline_that_passed_while_this_machine_stood_still_is_judged_after_one_more_look() -> None:
    answers = [JobStatus.QUEUED, JobStatus.SUCCEEDED]

    async def look(refs: frozenset[str]) -> Look[str]:
        return Look({ref: Job(ref, answers.pop(0)) for ref in refs})

    watcher = Watcher(look, every=lambda: (FOR_EVER, FOR_EVER), clock_scale=lambda: 1000)

    assert (await waited(watcher, seconds=1)).status is JobStatus.SUCCEEDED


async def test_a_job_that_was_made_just_now_is_looked_at_when_others_like_it_have_ended() -> None:
    looked_at: list[float] = []
    begun = monotonic()

    async def look(refs: frozenset[str]) -> Look[str]:
        looked_at.append((monotonic() - begun) * 100)
        return Look({ref: Job(ref, JobStatus.RUNNING if len(looked_at) < 2 else JobStatus.SUCCEEDED) for ref in refs})

    watcher = Watcher(look, every=lambda: (0.1, 0.2), clock_scale=lambda: 100)
    try:
        job = await watcher.wait(
            "j57", about="", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=say_nothing, schedule=LEARNED, fresh=True
        )
    finally:
        await watcher.aclose()

    assert looked_at[0] >= LEARNED.pause(0)
    assert looked_at[1] - looked_at[0] >= LEARNED.pause(looked_at[0]) * 0.9
    assert job.ran is not None
    assert looked_at[0] * 0.9 <= job.ran <= looked_at[1] * 1.1


async def test_a_job_that_a_look_at_others_shows_running_is_not_taken_for_one_that_begins_then() -> None:
    looked_at: dict[str, float] = {}

    async def look(refs: frozenset[str]) -> Look[str]:
        for ref in refs:
            looked_at[ref] = monotonic() * 10
        if "listed" not in refs:
            watcher.hint("listed", Job("listed", JobStatus.RUNNING))  # it stands in the same list
        return Look({ref: Job(ref, JobStatus.SUCCEEDED) for ref in refs})

    watcher = Watcher(look, every=lambda: (0.1, 0.2), clock_scale=lambda: 10)

    async def wait(ref: str, schedule: Schedule, *, fresh: bool) -> Job:
        return await watcher.wait(
            ref, about="", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=say_nothing, schedule=schedule, fresh=fresh
        )

    listed = asyncio.create_task(wait("listed", LEARNED, fresh=True))
    try:
        await asyncio.sleep(LEARNED.pause(0) / 2 / 10)
        await wait("other", GROWING, fresh=False)
        await listed
    finally:
        await watcher.aclose()

    assert looked_at["listed"] - looked_at["other"] < LEARNED.pause(0)


async def test_news_of_a_job_puts_off_the_next_look_at_it() -> None:
    looks = 0

    async def look(refs: frozenset[str]) -> Look[str]:
        nonlocal looks
        looks += 1
        return Look({ref: Job(ref, JobStatus.RUNNING) for ref in refs})

    watcher = Watcher(look, every=lambda: (20, 20), clock_scale=lambda: 100)
    waiting = asyncio.create_task(
        watcher.wait("j57", about="", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=say_nothing, fresh=True)
    )
    for number in range(20):  # twice as long as the pause
        await asyncio.sleep(0.02)
        watcher.hint("j57", Job("j57", JobStatus.RUNNING, progress=number))
    watcher.hint("j57", Job("j57", JobStatus.SUCCEEDED))
    await waiting
    await watcher.aclose()

    assert looks == 0


async def watch_overdue(status: JobStatus) -> list[str]:
    """The trouble that is told of a job that is seen in this status for long."""
    told: list[str] = []
    looks = 0

    async def look(refs: frozenset[str]) -> Look[str]:
        nonlocal looks
        looks += 1
        return Look({ref: Job(ref, status if looks < 12 else JobStatus.SUCCEEDED) for ref in refs})

    async def seen(news: Job | Trouble) -> None:
        if isinstance(news, Trouble):
            told.append(news.what)

    watcher = Watcher(look, every=lambda: (1, 1), clock_scale=lambda: 1000)
    try:
        await watcher.wait("j57", about="", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=seen, schedule=LEARNED)
    finally:
        await watcher.aclose()
    return told


async def test_a_provider_is_not_believed_that_a_job_ran_longer_than_it_is_there() -> None:
    async def look(refs: frozenset[str]) -> Look[str]:
        times = {"started": "1970-01-21T00:00:00+00:00", "completed": "2026-11-30T00:00:00+00:00"}  # one of them in another unit
        return Look({ref: Job(ref, JobStatus.SUCCEEDED, times=times) for ref in refs})

    job = await waited(Watcher(look, every=lambda: (1, 1), clock_scale=lambda: 1))

    assert job.ran is not None
    assert job.ran < 2 * ANSWER_SECONDS


async def test_that_a_job_runs_far_longer_than_others_is_told_once() -> None:
    (told,) = await watch_overdue(JobStatus.RUNNING)

    assert "3 times as long as 95 % of such jobs: 30 s" in told


async def test_a_job_that_waits_long_is_not_called_one_that_runs_long() -> None:
    assert await watch_overdue(JobStatus.QUEUED) == []


async def test_a_deadline_that_passes_during_a_long_look_is_told() -> None:
    async def look(_: frozenset[str]) -> Look[str]:
        return await asyncio.Future()

    watcher = Watcher(look, every=lambda: (FOR_EVER, FOR_EVER), clock_scale=lambda: 1000)
    with pytest.raises(errors.QueueTimeoutError):
        await waited(watcher, seconds=1)


@pytest.mark.parametrize(
    "error", [errors.ServerError("down"), errors.UnreadableAnswerError("strange"), errors.RefusedError("gone")]
)
async def test_a_job_that_cannot_be_looked_at_hides_no_other(error: errors.ApiError) -> None:
    hindered = asyncio.Event()

    async def ask(ref: str) -> Job:
        if ref == "bad":
            raise error
        return Job(ref, JobStatus.SUCCEEDED if hindered.is_set() else JobStatus.RUNNING)

    async def hear(news: Job | Trouble) -> None:
        assert isinstance(news, Trouble)
        hindered.set()

    async def wait(ref: str, seen: Callable[[Job | Trouble], Awaitable[None]]) -> Job:
        return await watcher.wait(ref, about=ref, queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=seen)

    watcher = Watcher(lambda refs: look_at_each(refs, ask, watcher.hint), every=lambda: (1, 1), clock_scale=lambda: 1000)
    bad = asyncio.create_task(wait("bad", hear))
    try:
        if isinstance(error, errors.RefusedError):
            with pytest.raises(errors.RefusedError):
                await bad
            hindered.set()
        good = await wait("good", say_nothing)
    finally:
        bad.cancel()
        await asyncio.wait([bad])
        await watcher.aclose()

    assert good.status is JobStatus.SUCCEEDED


async def test_an_end_that_is_told_before_anybody_waits_is_looked_at_at_once() -> None:
    async def look(refs: frozenset[str]) -> Look[str]:
        return Look({ref: Job(ref, JobStatus.SUCCEEDED) for ref in refs})

    watcher = Watcher(look, every=lambda: (FOR_EVER, FOR_EVER), clock_scale=lambda: 1)
    watcher.hint("done", Job("done", JobStatus.SUCCEEDED))
    watcher.look_soon("failed")
    try:
        for ref in ("done", "failed"):
            await watcher.wait(ref, about=ref, queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=say_nothing, fresh=True)
    finally:
        await watcher.aclose()


async def test_a_job_whose_answer_does_not_come_keeps_no_other_waiting() -> None:
    async def ask(ref: str) -> Job:
        return await asyncio.Future() if ref == "bad" else Job(ref, JobStatus.SUCCEEDED)

    async def wait(ref: str) -> Job:
        return await watcher.wait(ref, about=ref, queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=say_nothing)

    watcher = Watcher(lambda refs: look_at_each(refs, ask, watcher.hint), every=lambda: (1, 1), clock_scale=lambda: 1)
    bad = asyncio.create_task(wait("bad"))
    try:
        assert (await wait("good")).status is JobStatus.SUCCEEDED
    finally:
        bad.cancel()
        await asyncio.wait([bad])
        await watcher.aclose()


class OnlyBoard:
    """A board of a process that looks for all: it notes what was looked at and what was seen."""

    pause = None

    def __init__(self) -> None:
        self.looked_at: list[frozenset[str]] = []
        self.seen: dict[str, Job] = {}

    async def look(self, refs: frozenset[str], ask: Callable[[frozenset[str]], Awaitable[Look[str]]]) -> Look[str]:
        self.looked_at.append(refs)
        look = await ask(refs)
        self.seen |= look.jobs
        return look

    def hint(self, ref: str, job: Job) -> None:
        self.seen[ref] = job


async def test_jobs_of_other_processes_are_looked_at_by_their_schedule_as_long_as_they_are_open() -> None:
    board, begun = OnlyBoard(), monotonic()

    async def look(refs: frozenset[str]) -> Look[str]:
        return Look({ref: Job(ref, JobStatus.RUNNING) for ref in refs})

    watcher = Watcher(look, every=lambda: (0.1, 0.2), clock_scale=lambda: 100)
    with watcher.telling(board):
        watcher.look_for_others(board, {"new": Other(LEARNED, 0), "old": Other(LEARNED, 3600)})
        while "new" not in board.seen:
            await asyncio.sleep(0.01)
        took = (monotonic() - begun) * 100
        watcher.look_for_others(board, {})
    await watcher.aclose()

    assert not watcher.refs
    assert board.looked_at[0] == {"old"}
    assert took >= LEARNED.pause(0)


async def test_a_job_of_another_process_is_looked_at_until_its_end_is_written_down_though_a_look_fails_meanwhile() -> None:
    board = OnlyBoard()

    async def look(refs: frozenset[str]) -> Look[str]:
        if len(board.looked_at) == 2:
            raise errors.ServerError("it answered 503")
        return Look({ref: Job(ref, JobStatus.SUCCEEDED) for ref in refs})

    watcher = Watcher(look, every=lambda: (0.1, 0.2), clock_scale=lambda: 100)
    with watcher.telling(board):
        watcher.look_for_others(board, {"old": Other(LEARNED, 3600)})
        async with asyncio.timeout(60):
            while len(board.looked_at) < 3:
                await asyncio.sleep(0.01)
    await watcher.aclose()
