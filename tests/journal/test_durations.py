"""How long jobs run is learned from those that ended, by the kind of job, for all processes."""

from datetime import UTC, datetime

import pytest

from genmedia.jobs.job import Account
from genmedia.journal import Journal
from genmedia.journal import durations as learned
from genmedia.journal.order import Order

PAYER = Account("genova", "https://example.org")


async def run(journal: Journal, number: int, seconds: float | None, size: str = "", account: Account = PAYER) -> Order:
    """A job that ended after so many seconds."""
    order = Order(account, "image", {"name": number}, 1, "credits", size=size)
    attempt = await journal.intend(order, datetime.now(UTC))
    assert attempt is not None
    job = f"job-{account.name}-{size}-{number}"
    await journal.bind(attempt, job)
    await journal.end(attempt.id, job, seconds)
    return order


async def test_running_times_are_those_of_the_same_kind_of_job(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "SAMPLES", 3)
    async with Journal.lease(url) as journal:
        order = await run(journal, 1, 1000)
        await run(journal, 2, 30)
        await run(journal, 3, 20, account=Account("genova", "https://example.org", "another"))
        await run(journal, 4, 10)
        await run(journal, 5, None)
        await run(journal, 6, 500, size="4 at once")
        await run(journal, 7, 500, account=Account("genova", "http://127.0.0.1:4280"))

        assert (await journal.running_times.of(order.work)).seconds == (10, 20, 30)
        assert (await journal.running_times.of("of no job")).count == 0


async def test_a_job_counts_once_with_the_time_that_was_told_first(url: str) -> None:
    async with Journal.lease(url) as journal:
        order = await run(journal, 1, 30)
        attempt = await journal.live_attempt(order.key)
        assert attempt is not None
        assert attempt.remote_id is not None
        await journal.end(attempt.id, attempt.remote_id, 40)

        assert (await journal.running_times.of(order.work)).seconds == (30,)
