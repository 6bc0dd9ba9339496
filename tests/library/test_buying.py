"""Every purchase passes through `buy`: never twice, never lost, whoever dies in between."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from genmedia.buying import Order, Outcome, Prepare, Purchase, Submit, buy
from genmedia.errors import CreditsError, InDoubtError, NoAnswerError, SettingsError
from genmedia.jobs import Account
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset, journal_url

ORDER = Order(Account("flora", "https://app.flora.ai"), "technique studio-blur", {"technique": "studio-blur"}, 3, "credits")
REMEMBERED = replace(ORDER, repeat_window=7200)


class Shop:
    """A provider that counts what it is asked for; equal idempotency keys get the job that exists."""

    def __init__(self, *answers: Exception | None) -> None:
        self.jobs: dict[str, str] = {}
        self.calls = 0
        self._answers = list(answers)

    @property
    def prepare(self) -> Prepare:
        async def prepare() -> Submit:
            return self.submit

        return prepare

    async def submit(self, idempotency_key: str) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, CreditsError):
            raise answer
        job = self.jobs.setdefault(idempotency_key, f"job-{len(self.jobs) + 1}")
        if answer is not None:
            raise answer
        return job


@pytest.fixture
def url(tmp_path: Path) -> str:
    return journal_url(tmp_path)


@pytest.fixture
async def journal(url: str) -> AsyncGenerator[Journal]:
    async with Journal.lease(url) as journal:
        yield journal


async def purchase(journal: Journal, shop: Shop, order: Order = ORDER, *, has: bool = True) -> Purchase:
    return await buy(journal, order, shop.prepare, has=lambda _: has, repeat_pause=0)


async def test_a_wish_is_bought_once_and_taken_up_by_every_later_call(journal: Journal) -> None:
    shop = Shop()

    first, second = await purchase(journal, shop), await purchase(journal, shop)

    assert (first.outcome, second.outcome) == (Outcome.BOUGHT, Outcome.REATTACHED)
    assert first.job_id == second.job_id
    assert shop.calls == 1


async def test_what_is_stored_is_reused(journal: Journal) -> None:
    shop = Shop()
    bought = await purchase(journal, shop)
    asset = StoredAsset("a/b.png", "output_image", "cd" * 32, {"output": {"kind": "image"}})
    await journal.store(bought.attempt, [asset], 3)

    again = await purchase(journal, shop)

    assert again.outcome is Outcome.REUSED
    assert again.assets == (asset,)
    assert shop.calls == 1


async def test_what_the_store_has_lost_is_fetched_again_from_its_job_and_not_bought(journal: Journal) -> None:
    shop = Shop()
    bought = await purchase(journal, shop)
    await journal.store(bought.attempt, [StoredAsset("a/b.png", "output_image", "cd" * 32, {})], 3)

    again = await purchase(journal, shop, has=False)

    assert again.outcome is Outcome.REATTACHED
    assert again.job_id == bought.job_id
    assert shop.calls == 1


async def test_many_at_once_in_one_process_buy_one(journal: Journal) -> None:
    shop = Shop()

    purchases = await asyncio.gather(*(purchase(journal, shop) for _ in range(20)))

    assert shop.calls == 1
    assert sorted(one.outcome for one in purchases) == [Outcome.BOUGHT] + [Outcome.REATTACHED] * 19


async def test_a_failed_attempt_is_followed_by_another_under_a_key_of_its_own(journal: Journal) -> None:
    shop = Shop()
    first = await purchase(journal, shop)
    await journal.fail(first.attempt, "model_timeout", 0)

    second = await purchase(journal, shop)

    assert second.outcome is Outcome.BOUGHT
    assert second.number == 2
    assert sorted(shop.jobs) == [f"{first.key}:1", f"{first.key}:2"]


async def test_a_refused_purchase_leaves_nothing_behind_and_can_be_made_later(journal: Journal) -> None:
    shop = Shop(CreditsError("out of credits"))

    with pytest.raises(CreditsError, match=r"out of credits \(flora technique studio-blur, submission [0-9a-f]{12}\)"):
        await purchase(journal, shop)
    later = await purchase(journal, shop)

    assert later.outcome is Outcome.BOUGHT
    assert len(shop.jobs) == 1


async def test_a_lost_answer_is_asked_for_again_where_the_provider_recognises_the_key(journal: Journal) -> None:
    shop = Shop(NoAnswerError("reset"), NoAnswerError("reset"))

    bought = await purchase(journal, shop, REMEMBERED)

    assert bought.outcome is Outcome.BOUGHT
    assert list(shop.jobs) == [f"{bought.key}:1"]
    assert shop.calls == 3


async def test_a_lost_answer_is_in_doubt_where_the_provider_does_not_recognise_a_key(journal: Journal) -> None:
    shop = Shop(NoAnswerError("reset"))

    with pytest.raises(InDoubtError, match="Its possible cost counts as spent"):
        await purchase(journal, shop)
    with pytest.raises(InDoubtError, match="an earlier submission is in doubt"):
        await purchase(journal, shop)

    assert shop.calls == 1


async def test_a_repeat_that_is_refused_says_nothing_of_the_submission_before_it(journal: Journal) -> None:
    shop = Shop(NoAnswerError("reset"), CreditsError("out of credits"))

    with pytest.raises(NoAnswerError, match=r"may have been accepted.*out of credits"):
        await purchase(journal, shop, REMEMBERED)
    later = await purchase(journal, shop, REMEMBERED)

    assert list(shop.jobs) == [f"{later.key}:1"]


async def test_a_job_whose_id_cannot_be_written_down_is_named_as_paid(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: Attempt, __: str) -> None:
        raise SettingsError("the journal is full")

    monkeypatch.setattr(journal, "bind", full)

    with pytest.raises(SettingsError, match=r"job job-1.*accepted and paid for.*run again soon"):
        await purchase(journal, Shop())


async def test_a_new_sandbox_is_known_to_have_no_job_of_the_one_before_it(journal: Journal) -> None:
    order = replace(ORDER, account=Account("flora", "http://127.0.0.1:4280/flora"))
    shop, elsewhere = Shop(), Shop()
    await purchase(journal, shop, order)
    await purchase(journal, elsewhere, ORDER)

    written_off = await journal.write_off("http://127.0.0.1:4280", lambda _: True)

    assert written_off == 1
    assert (await purchase(journal, shop, order)).outcome is Outcome.BOUGHT
    assert (await purchase(journal, elsewhere, ORDER)).outcome is Outcome.REATTACHED


async def test_a_submission_that_is_cancelled_is_settled_by_the_next_call(journal: Journal) -> None:
    reached = asyncio.Event()

    async def prepare() -> Submit:
        async def submit(_: str) -> str:
            reached.set()
            return await asyncio.Future()

        return submit

    interrupted = asyncio.create_task(buy(journal, REMEMBERED, prepare, has=lambda _: True, repeat_pause=0))
    await reached.wait()
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted
    shop = Shop()

    bought = await purchase(journal, shop, REMEMBERED)

    assert bought.outcome is Outcome.BOUGHT
    assert bought.number == 1


_DIES_AFTER_THE_POST = """
import asyncio, sys
from genmedia.buying import buy
from genmedia.journal import Journal
from tests.library.test_buying import ORDER, REMEMBERED

async def main():
    async def prepare():
        async def submit(key):
            print(key, flush=True)
            await asyncio.Future()
        return submit
    async with Journal.lease(sys.argv[1]) as journal:
        await buy(journal, REMEMBERED if sys.argv[2] == "remembered" else ORDER, prepare, has=lambda _: True)

asyncio.run(main())
"""


def killed_after_the_post(url: str, order: str) -> str:
    """Start a purchase in another process, kill it -9 in the window between POST and id, and return its idempotency key."""
    child = subprocess.Popen([sys.executable, "-c", _DIES_AFTER_THE_POST, url, order], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    key = child.stdout.readline().strip()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    return key


async def test_a_process_killed_between_post_and_id_is_continued_under_the_same_idempotency_key(
    url: str, journal: Journal
) -> None:
    key = killed_after_the_post(url, "remembered")
    shop = Shop()
    await shop.submit(key)  # what the provider accepted from the dead process

    bought = await purchase(journal, shop, REMEMBERED)

    assert bought.job_id == shop.jobs[key]
    assert len(shop.jobs) == 1


async def test_a_process_killed_between_post_and_id_is_in_doubt_where_nobody_can_be_asked(url: str, journal: Journal) -> None:
    killed_after_the_post(url, "forgotten")
    shop = Shop()

    with pytest.raises(InDoubtError, match="died before it learned the job's id"):
        await purchase(journal, shop)

    assert shop.calls == 0


_BUYS = """
import asyncio, sys
from pathlib import Path
from genmedia.buying import buy
from genmedia.journal import Journal
from tests.library.test_buying import ORDER

async def main():
    async def prepare():
        async def submit(key):
            with Path(sys.argv[2]).open("a") as file:
                file.write(key + "\\n")
            return "job-1"
        return submit
    async with Journal.lease(sys.argv[1]) as journal:
        print((await buy(journal, ORDER, prepare, has=lambda _: True)).outcome)

asyncio.run(main())
"""


def test_processes_that_race_for_one_wish_buy_one(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BUYS, url, str(tmp_path / "submitted")]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    outcomes = sorted(racer.communicate()[0].strip() for racer in racers)

    assert outcomes == ["Bought", "Reattached", "Reattached", "Reattached"]
    assert len((tmp_path / "submitted").read_text().splitlines()) == 1


async def test_the_job_id_is_on_disk_as_soon_as_a_purchase_returns(journal: Journal, tmp_path: Path) -> None:
    await purchase(journal, Shop())

    with closing(sqlite3.connect(tmp_path / ".genmedia" / "journal.db")) as another:
        rows = another.execute("SELECT state, remote_id FROM attempts").fetchall()

    assert rows == [(AttemptState.BOUND, "job-1")]


@pytest.mark.parametrize("address", ["postgresql://someone:hunter2@db/genmedia", "sqlite://", "nonsense"])
async def test_a_journal_address_that_cannot_be_used_says_what_to_set(address: str) -> None:
    with pytest.raises(SettingsError, match="GENMEDIA_JOURNAL_URL") as refused:
        async with Journal.lease(address):
            pass

    assert "hunter2" not in str(refused.value)


async def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()

    with pytest.raises(SettingsError, match=r"journal\.db cannot be used: unable to open"):
        async with Journal.lease(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
            await journal.live_attempt("x")


async def test_a_journal_of_another_version_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = journal_url(tmp_path)
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")
    monkeypatch.setattr("genmedia.journal.VERSION", 2)

    with pytest.raises(SettingsError, match="version 1, this genmedia writes version 2"):
        async with Journal.lease(url) as journal:
            await journal.live_attempt("x")
