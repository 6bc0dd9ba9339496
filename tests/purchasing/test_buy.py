"""Every purchase passes through `buy`: never twice, never lost, whoever dies in between."""

import asyncio
import os
import shutil
import signal
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from genmedia.errors import (
    AbandonedError,
    BudgetError,
    CredentialsError,
    CreditsError,
    DuplicateError,
    InDoubtError,
    JournalError,
    NoAnswerError,
    RateLimitError,
    ServerError,
    SettingsError,
    UnlistedError,
)
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.journal import Attempt, AttemptState, Journal, Purpose, StoredAsset
from genmedia.journal.database import NEWEST
from genmedia.journal.order import Doubt, Order
from genmedia.purchasing.buy import REPEATS, Outcome, Prepare, Purchase, Submit, buy, end_without_result
from genmedia.store import Place
from genmedia.transport.session import Gate
from tests.example_assets import stored_asset
from tests.processes import Program

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

    async def submit(self, idempotency_key: str, gate: Gate) -> str:
        async with gate():
            self.calls += 1
            await asyncio.sleep(0)
            answer = self._answers.pop(0) if self._answers else None
            if isinstance(answer, CreditsError):
                raise answer
            job = self.jobs.setdefault(idempotency_key, f"job-{len(self.jobs) + 1}")
            if answer is not None:
                raise answer
            return job

    async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
        raise InDoubtError("there is nothing to ask by")


async def there(_: str, _size: int | None) -> bool:
    return True


@asynccontextmanager
async def opened() -> AsyncGenerator[None]:
    """A gate that lets everything through."""
    yield


async def gone(_: str, _size: int | None) -> bool:
    return False


async def purchase(journal: Journal, shop: Shop, order: Order = ORDER, *, has: bool = True) -> Purchase:
    return await buy(journal, order, shop.prepare, has=there if has else gone, recover=shop.recover, repeat_pause=0)


async def store(journal: Journal, bought: Purchase, asset: StoredAsset) -> None:
    async with journal.claimed(bought.attempt, bought.job_id) as attempt:
        await journal.store(attempt, [asset])


async def test_what_is_withheld_is_not_bought_and_what_is_there_answers_for_it(journal: Journal) -> None:
    shop, withheld = Shop(), replace(ORDER, withheld="nobody marked it")

    left = await purchase(journal, shop, withheld)
    bought = await purchase(journal, shop)
    there = await purchase(journal, shop, withheld)

    assert (left.outcome, left.why_not, left.job_id) == (Outcome.NOT_BOUGHT, "nobody marked it", "")
    assert (there.outcome, there.job_id, there.why_not, shop.calls) == (Outcome.REATTACHED, bought.job_id, "", 1)


async def test_a_wish_is_bought_once_and_taken_up_by_every_later_call(journal: Journal) -> None:
    shop = Shop()

    first, second = await purchase(journal, shop), await purchase(journal, shop)

    assert (first.outcome, second.outcome) == (Outcome.BOUGHT, Outcome.REATTACHED)
    assert first.job_id == second.job_id
    assert shop.calls == 1


async def test_what_no_provider_recognises_is_not_sent_again_even_where_no_time_has_passed(journal: Journal) -> None:
    shop, now = Shop(ServerError("it broke")), datetime.now(UTC)

    with pytest.raises(InDoubtError):
        await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, repeat_pause=0, clock=lambda: now)

    assert shop.calls == 1


async def test_what_is_stored_is_reused(journal: Journal) -> None:
    shop = Shop()
    bought = await purchase(journal, shop)
    asset = stored_asset()
    await store(journal, bought, asset)

    again = await purchase(journal, shop)

    assert again.outcome is Outcome.REUSED
    assert again.assets == (asset,)
    assert shop.calls == 1


async def test_of_all_that_see_what_a_job_cost_one_reports_it(journal: Journal) -> None:
    bought = await purchase(journal, Shop())

    async def told(cost: float | None) -> float | None:
        await journal.charge(bought.attempt, bought.job_id, cost)
        return await journal.report(bought.attempt)

    reported = [await told(cost) for cost in (None, 3, 3, None)]

    assert reported == [0, 3, 0, 0]


async def test_a_run_joins_a_job_that_another_is_at_which_tells_its_cost_until_it_leaves(journal: Journal) -> None:
    first, second = (replace(ORDER, purpose=Purpose("mugs", "cup", run=run)) for run in ("first", "second"))
    shop = Shop()

    bought, joined = await purchase(journal, shop, first), await purchase(journal, shop, second)
    await journal.charge(bought.attempt, bought.job_id, 3)
    told = [await journal.report(joined.attempt, "second"), await journal.report(bought.attempt, "first")]

    assert (bought.outcome, joined.outcome) == (Outcome.BOUGHT, Outcome.JOINED)
    assert told == [0, 3]

    left = await purchase(journal, shop, replace(first, take=2))
    await journal.charge(left.attempt, left.job_id, 3)
    await journal.leave(left.attempt, "first")
    taken_up = await purchase(journal, shop, replace(second, take=2))

    assert taken_up.outcome is Outcome.REATTACHED
    assert await journal.report(taken_up.attempt, "second") == 3
    assert shop.calls == 2


async def test_what_is_told_of_a_job_that_its_attempt_no_longer_has_is_not_told_of_the_one_it_has_now(journal: Journal) -> None:
    bought = await purchase(journal, Shop())
    stale = replace(bought, job_id="job-0")
    failed = Job("job-0", JobStatus.FAILED, charged=400, error="the brush broke")

    charged = await end_without_result(journal, stale, failed)

    now = await journal.attempt(bought.attempt)
    assert (charged, now.charged, now.last_answer, now.state) == (0, None, None, AttemptState.BOUND)
    assert await journal.money.holds() == []


async def test_what_the_store_has_lost_is_fetched_again_from_its_job_and_not_bought(journal: Journal) -> None:
    shop = Shop()
    bought = await purchase(journal, shop)
    await store(journal, bought, stored_asset())

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
    await journal.fail(first.attempt, first.job_id, "model_timeout")

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
    with pytest.raises(InDoubtError, match="it is not known whether it was accepted"):
        await purchase(journal, shop)

    assert shop.calls == 1


CAPPED = Purpose("tea", run="run", cap=6)


async def test_where_doubts_are_resubmitted_the_lost_one_counts_as_spent_and_one_more_is_bought(journal: Journal) -> None:
    shop, order = Shop(NoAnswerError("reset")), replace(ORDER, if_in_doubt=Doubt.RESUBMIT, purpose=CAPPED)

    bought = await purchase(journal, shop, order)

    assert (bought.outcome, bought.number) == (Outcome.BOUGHT, 2)
    assert shop.calls == 2
    assert await journal.money.spent(str(order.account), "credits") == 6
    assert await journal.money.spent(str(order.account), "credits", "run") == 6
    assert await journal.money.spent(str(order.account), "credits", "another") == 0


@pytest.mark.parametrize(
    ("purpose", "answers", "calls"),
    [
        (replace(CAPPED, cap=5), 1, 1),  # the cap does not allow it
        (replace(CAPPED, cap=None), 1, 1),  # nothing bounds it
        (replace(CAPPED, cap=50), 9, 2),  # it is in doubt again
    ],
)
async def test_a_doubt_is_resubmitted_once_and_only_under_a_cap_that_allows_it(
    journal: Journal, purpose: Purpose, answers: int, calls: int
) -> None:
    shop = Shop(*[NoAnswerError("reset")] * answers)
    order = replace(ORDER, if_in_doubt=Doubt.RESUBMIT, purpose=purpose)

    with pytest.raises((InDoubtError, BudgetError)):
        await purchase(journal, shop, order)

    left = await journal.live_attempt(order.key)
    assert shop.calls == calls
    assert left is not None
    assert left.state is AttemptState.IN_DOUBT


async def test_an_abandoned_doubt_counts_as_spent_and_the_next_run_buys_anew(journal: Journal) -> None:
    shop, order = Shop(NoAnswerError("reset")), replace(ORDER, if_in_doubt=Doubt.ABANDON)

    with pytest.raises(AbandonedError, match="Run again to buy it anew"):
        await purchase(journal, shop, order)
    bought = await purchase(journal, shop, order)

    assert (bought.outcome, bought.number, shop.calls) == (Outcome.BOUGHT, 2, 2)
    assert await journal.money.spent(str(order.account), "credits") == 6


async def test_a_repeat_that_is_refused_says_nothing_of_the_submission_before_it(journal: Journal) -> None:
    shop = Shop(NoAnswerError("reset"), CreditsError("out of credits"))

    with pytest.raises(NoAnswerError, match=r"may have been accepted.*out of credits"):
        await purchase(journal, shop, REMEMBERED)
    later = await purchase(journal, shop, REMEMBERED)

    assert list(shop.jobs) == [f"{later.key}:1"]


async def test_a_job_whose_id_cannot_be_written_down_is_named_as_paid(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_: Attempt, __: str, **___: object) -> None:
        raise JournalError("the journal is full")

    monkeypatch.setattr(journal, "bind", full)

    with pytest.raises(JournalError, match=r"job job-1.*accepted and paid for.*run again soon"):
        await purchase(journal, Shop())


@pytest.mark.parametrize("step", ["assure", "bind"])
async def test_once_a_full_journal_has_room_again_the_same_process_goes_on_with_the_job(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise JournalError("the journal is full")

    shop = Shop()
    with monkeypatch.context() as patch:
        for write in (step, "_update"):
            patch.setattr(journal, write, full)
        with pytest.raises(JournalError):
            await purchase(journal, shop, REMEMBERED)
    later = await purchase(journal, shop, REMEMBERED)

    assert list(shop.jobs) == [f"{later.key}:1"]


async def test_a_new_sandbox_is_known_to_have_no_job_of_the_one_before_it(journal: Journal) -> None:
    order = replace(ORDER, account=Account("flora", "http://127.0.0.1:4280/flora"))
    shop, elsewhere = Shop(), Shop()
    await purchase(journal, shop, order)
    await purchase(journal, elsewhere, ORDER)

    written_off = await journal.write_off("http://127.0.0.1:4280", there)

    assert written_off == 1
    assert (await purchase(journal, shop, order)).outcome is Outcome.BOUGHT
    assert (await purchase(journal, elsewhere, ORDER)).outcome is Outcome.REATTACHED


async def cancel_once(reached: asyncio.Event, journal: Journal, order: Order, submit: Submit) -> None:
    """Buy, and be cancelled as soon as that is reached."""

    async def prepare() -> Submit:
        return submit

    interrupted = asyncio.create_task(buy(journal, order, prepare, has=there, recover=Shop().recover, repeat_pause=0))
    await reached.wait()
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted


async def test_a_submission_that_is_cancelled_is_settled_by_the_next_call(journal: Journal) -> None:
    reached = asyncio.Event()

    async def submit(_: str, gate: Gate) -> str:
        async with gate():
            reached.set()
            return await asyncio.Future()

    await cancel_once(reached, journal, REMEMBERED, submit)
    shop = Shop()

    bought = await purchase(journal, shop, REMEMBERED)

    assert bought.outcome is Outcome.BOUGHT
    assert bought.number == 1


async def test_a_submission_that_is_cancelled_before_it_was_sent_is_in_no_doubt(journal: Journal) -> None:
    in_line = asyncio.Event()

    async def submit(_: str, __: Gate) -> str:
        in_line.set()
        return await asyncio.Future()

    await cancel_once(in_line, journal, ORDER, submit)

    first = await journal.attempt(1)
    assert (first.state, first.reason) == (AttemptState.REFUSED, "it was interrupted before it was sent")
    assert (await purchase(journal, Shop(), ORDER)).outcome is Outcome.BOUGHT


async def test_a_submission_that_is_cancelled_after_it_was_surely_not_accepted_is_in_no_doubt(journal: Journal) -> None:
    told_to_wait = asyncio.Event()

    async def submit(_: str, gate: Gate) -> str:
        with suppress(RateLimitError):
            async with gate():
                raise RateLimitError("too many requests")
        told_to_wait.set()
        return await asyncio.Future()

    await cancel_once(told_to_wait, journal, ORDER, submit)

    assert (await journal.attempt(1)).state is AttemptState.REFUSED


async def test_a_job_whose_id_could_not_be_written_down_before_a_cancel_is_asked_for_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    shop = Shop()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "bind", interrupted)
        with pytest.raises(asyncio.CancelledError):
            await purchase(journal, shop, REMEMBERED)
    later = await purchase(journal, shop, REMEMBERED)

    assert list(shop.jobs) == [f"{later.key}:1"]


async def test_a_repeat_that_is_held_back_until_its_key_may_be_forgotten_asks_for_the_job_first(journal: Journal) -> None:
    now = datetime.now(UTC)

    class Forgetful(Shop):
        async def submit(self, idempotency_key: str, gate: Gate) -> str:
            nonlocal now
            if self.calls:
                now += timedelta(seconds=REMEMBERED.repeat_window + 1)  # in line, or told to wait
            return await super().submit(idempotency_key, gate)

        async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
            return "job-1"

    shop = Forgetful(NoAnswerError("reset"))
    bought = await buy(journal, REMEMBERED, shop.prepare, has=there, recover=shop.recover, repeat_pause=0, clock=lambda: now)

    assert (bought.job_id, shop.calls) == ("job-1", 1)


async def test_a_repeat_that_is_refused_after_the_provider_denied_the_first_is_simply_refused(journal: Journal) -> None:
    class Denying(Shop):
        async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
            return None

    with pytest.raises(CreditsError):
        await purchase(journal, Denying(NoAnswerError("reset"), CreditsError("out of credits")))

    assert await journal.live_attempt(ORDER.key) is None


async def test_a_job_that_exists_but_cannot_be_asked_about_is_not_taken_for_refused(journal: Journal) -> None:
    class Closed(Shop):
        async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
            raise CredentialsError("the key was revoked")

    with pytest.raises(NoAnswerError, match=r"may have been accepted.*revoked"):
        await purchase(journal, Closed(DuplicateError("there is such a run")))

    assert await journal.live_attempt(ORDER.key) is not None


@pytest.mark.parametrize(
    ("told", "looks"), [(None, REPEATS + 1), (UnlistedError("no list"), 1), (InDoubtError("two may be it"), 1)]
)
async def test_what_the_provider_has_already_is_looked_for_and_never_submitted_again(
    journal: Journal, told: Exception | None, looks: int
) -> None:
    class Repeating(Shop):
        looks = 0

        async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
            self.looks += 1
            if told:
                raise told
            return None

    shop = Repeating(DuplicateError("there is such a run"))
    with pytest.raises(InDoubtError, match="there is such a run" if looks > 1 or isinstance(told, UnlistedError) else "two may"):
        await purchase(journal, shop, REMEMBERED)

    assert (shop.calls, shop.looks) == (1, looks)


async def test_what_the_provider_has_already_may_come_into_its_list_late(journal: Journal) -> None:
    class Late(Shop):
        looks = 0

        async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
            self.looks += 1
            return "job-1" if self.looks == 3 else None

    shop = Late(DuplicateError("there is such a run"))

    assert (await purchase(journal, shop, REMEMBERED)).job_id == "job-1"
    assert shop.calls == 1


_DIES_AFTER_THE_POST = """
import asyncio, sys
from genmedia.purchasing.buy import buy
from genmedia.journal import Journal
from tests.purchasing.test_buy import ORDER, REMEMBERED, Shop, there

async def main():
    async def prepare():
        async def submit(key, gate):
            print(key, flush=True)
            await asyncio.Future()
        return submit
    async with Journal.lease(sys.argv[1]) as journal:
        await buy(journal, REMEMBERED if sys.argv[2] == "remembered" else ORDER, prepare, has=there, recover=Shop().recover)

asyncio.run(main())
"""


def killed_after_the_post(url: str, order: str, program: str = _DIES_AFTER_THE_POST) -> str:
    """Start a purchase in another process, kill it -9 in the window between POST and id, and return its idempotency key."""
    with Program(program, url, order) as buyer:
        return buyer.line().strip()


async def test_a_process_killed_between_post_and_id_is_continued_under_the_same_idempotency_key(
    url: str, journal: Journal
) -> None:
    key = killed_after_the_post(url, "remembered")
    shop = Shop()
    await shop.submit(key, opened)  # what the provider accepted from the dead process

    bought = await purchase(journal, shop, REMEMBERED)

    assert bought.job_id == shop.jobs[key]
    assert len(shop.jobs) == 1


async def test_a_process_killed_between_post_and_id_is_in_doubt_where_nobody_can_be_asked(url: str, journal: Journal) -> None:
    killed_after_the_post(url, "forgotten")
    shop = Shop()

    with pytest.raises(InDoubtError, match="there is nothing to ask by"):
        await purchase(journal, shop)

    assert shop.calls == 0


async def test_a_clock_that_was_set_back_buys_nothing_again(url: str, journal: Journal) -> None:
    killed_after_the_post(url, "remembered")
    shop = Shop()

    def set_back() -> datetime:
        return datetime.now(UTC) - timedelta(hours=3)

    with pytest.raises(InDoubtError, match="there is nothing to ask by"):
        await buy(journal, REMEMBERED, shop.prepare, has=there, recover=shop.recover, repeat_pause=0, clock=set_back)

    assert shop.calls == 0


class Lister(Shop):
    """A provider that shows its jobs, but not which submission they came of."""

    def __init__(self, *answers: Exception | None) -> None:
        super().__init__(*answers)
        self.under_way = 0
        self.most_at_once = 0

    async def submit(self, idempotency_key: str, gate: Gate) -> str:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return await super().submit(idempotency_key, gate)
        finally:
            self.under_way -= 1

    async def recover(self, _attempt: Attempt, _journal: Journal) -> str | None:
        owned = await _journal.owned_jobs(_attempt.account)
        return next((job for job in self.jobs.values() if job not in owned), None)


CUPS = [replace(ORDER, request={"prompt": "a cup", "reference": number}, fingerprint="a cup") for number in range(5)]


async def test_equal_jobs_are_submitted_one_after_the_other_and_each_has_its_own(journal: Journal) -> None:
    shop = Lister(None, NoAnswerError("gone"), None, NoAnswerError("gone"))

    bought = await asyncio.gather(*(purchase(journal, shop, order) for order in CUPS))

    assert len({one.job_id for one in bought}) == len(shop.jobs) == 5
    assert shop.most_at_once == 1


_DIES_WITH_A_CUP = _DIES_AFTER_THE_POST.replace("ORDER, REMEMBERED, Shop", "CUPS, Shop").replace(
    'REMEMBERED if sys.argv[2] == "remembered" else ORDER', "CUPS[0]"
)


@pytest.mark.parametrize("accepted", [True, False])
async def test_an_equal_job_of_a_dead_process_is_settled_before_the_next_is_bought(
    url: str, journal: Journal, accepted: bool
) -> None:
    key = killed_after_the_post(url, "", _DIES_WITH_A_CUP)
    shop = Lister()
    if accepted:
        shop.jobs[key] = "job-of-the-dead"

    bought = await purchase(journal, shop, CUPS[1])
    first = await purchase(journal, shop, CUPS[0])

    assert bought.job_id != first.job_id
    assert (first.job_id == "job-of-the-dead") is accepted
    assert len(shop.jobs) == 2


_STANDS_STILL = """
import asyncio, os, signal, sys
from genmedia.purchasing.buy import buy
from genmedia.journal import Journal
from tests.purchasing.test_buy import ORDER, Shop, there

class Stopped(Shop):
    async def submit(self, key, gate):
        print("intended", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        return await super().submit(key, gate)

async def main():
    shop = Stopped()
    async with Journal.lease(sys.argv[1]) as journal:
        bought = await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, repeat_pause=0)
    print(bought.outcome, bought.job_id, shop.calls, flush=True)

asyncio.run(main())
"""


async def test_a_process_that_was_stopped_and_taken_over_sends_nothing_when_it_goes_on(
    shared_url: str,
) -> None:
    shop = Lister()
    with Program(_STANDS_STILL, shared_url) as stopped:
        assert stopped.line() == "intended\n"
        async with Journal.lease(shared_url) as journal:
            taken_over = await purchase(journal, shop)
            assert stopped.process.pid
            os.kill(stopped.process.pid, signal.SIGCONT)
            said = await asyncio.to_thread(stopped.rest)

    assert taken_over.outcome is Outcome.BOUGHT
    assert said == f"Resumed {taken_over.job_id} 0\n"
    assert len(shop.jobs) == 1


_WAITS_AT_ITS_GATE = """
import asyncio, sys
from genmedia.purchasing.buy import buy
from genmedia.journal import Journal
from tests.purchasing.test_buy import ORDER, Shop, there

class Waiting(Shop):
    async def submit(self, key, gate):
        print("at the gate", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        return await super().submit(key, gate)

async def main():
    shop = Waiting()
    async with Journal.lease(sys.argv[1]) as journal:
        bought = await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, repeat_pause=0)
    print(bought.outcome, bought.job_id, shop.calls, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("taken_over", [True, False])
async def test_a_process_whose_lock_is_removed_while_it_waits_at_its_gate_sends_nothing_for_that_attempt(
    tmp_path: Path, taken_over: bool
) -> None:
    url = Place(str(tmp_path)).journal_url()
    shop = Lister()
    with Program(_WAITS_AT_ITS_GATE, url) as waiting:
        assert await asyncio.to_thread(waiting.line) == "at the gate\n"
        shutil.rmtree(tmp_path / ".genmedia" / "owners")

        async with Journal.lease(url) as journal:
            if taken_over:
                assert (await purchase(journal, shop)).outcome is Outcome.BOUGHT
            waiting.tell("\n\n")
            said = await asyncio.to_thread(waiting.rest)
            left = await journal.attempt(1)

    if taken_over:
        assert said == "Resumed job-1 0\n"
        assert left.state is AttemptState.BOUND
    else:  # it gets itself another lock, and sends the purchase as another attempt
        assert said == "at the gate\nBought job-1 1\n"
        assert (left.state, left.reason.partition(":")[0]) == (AttemptState.REFUSED, "it was not sent")


_BUYS = """
import asyncio, sys
from pathlib import Path
from genmedia.purchasing.buy import buy
from genmedia.journal import Journal
from tests.purchasing.test_buy import ORDER, Shop, there

async def main():
    async def prepare():
        async def submit(key, gate):
            with Path(sys.argv[2]).open("a") as file:
                file.write(key + "\\n")
            return "job-1"
        return submit
    print("ready", flush=True)
    sys.stdin.readline()
    async with Journal.lease(sys.argv[1]) as journal:
        print((await buy(journal, ORDER, prepare, has=there, recover=Shop().recover)).outcome)

asyncio.run(main())
"""


def test_processes_that_race_for_one_wish_buy_one(url: str, tmp_path: Path) -> None:
    with ExitStack() as running:
        racers = [running.enter_context(Program(_BUYS, url, tmp_path / "submitted")) for _ in range(4)]
        for racer in racers:
            assert racer.line() == "ready\n"
        for racer in racers:
            racer.tell("\n")
        outcomes = sorted(racer.rest().strip() for racer in racers)

    assert outcomes == ["Bought", "Resumed", "Resumed", "Resumed"]
    assert len((tmp_path / "submitted").read_text().splitlines()) == 1


async def test_the_job_id_is_on_disk_as_soon_as_a_purchase_returns(tmp_path: Path) -> None:
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        await purchase(journal, Shop())

    with closing(sqlite3.connect(tmp_path / ".genmedia" / "journal.db")) as another:
        rows = another.execute("SELECT state, remote_id FROM attempts").fetchall()

    assert rows == [(AttemptState.BOUND, "job-1")]


@pytest.mark.parametrize("address", ["mysql://someone:hunter2@db/genmedia", "sqlite://", "nonsense"])
async def test_a_journal_address_that_cannot_be_used_says_what_to_set(address: str) -> None:
    with pytest.raises(SettingsError, match="GENMEDIA_JOURNAL_URL") as refused:
        async with Journal.lease(address):
            pass

    assert "hunter2" not in str(refused.value)


async def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()

    with pytest.raises(JournalError, match=r"journal\.db cannot be used: unable to open"):
        async with Journal.lease(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
            await journal.live_attempt("x")


async def test_a_journal_of_another_version_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = Place(str(tmp_path)).journal_url()
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")
    monkeypatch.setattr("genmedia.journal.database.NEWEST", "0001")

    with pytest.raises(JournalError, match=f"version {NEWEST}, this genmedia writes version 0001"):
        async with Journal.lease(url) as journal:
            await journal.live_attempt("x")


# What it costs now


async def test_the_price_is_asked_for_just_before_it_is_bought_and_that_is_reserved(journal: Journal) -> None:
    shop, asked = Shop(), list[str]()

    async def cheaper() -> float | None:
        asked.append("price")
        return 2

    bought = await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, reprice=cheaper)
    again = await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, reprice=cheaper)

    attempt = await journal.attempt(bought.attempt)
    assert (attempt.price, attempt.reserved, shop.calls, asked) == (2, 2, 1, ["price"])
    assert again.outcome is Outcome.REATTACHED


@pytest.mark.parametrize(("now", "told"), [(1500, "1500 credits"), (None, "unknown")])
async def test_what_is_dearer_than_planned_is_not_bought_and_says_what_it_costs_now(
    journal: Journal, now: float | None, told: str
) -> None:
    shop = Shop()

    async def dearer() -> float | None:
        return now

    with pytest.raises(
        BudgetError, match=rf"planned at 3 credits, and its price now is {told}; .*\(flora technique studio-blur, sub"
    ):
        await buy(journal, ORDER, shop.prepare, has=there, recover=shop.recover, reprice=dearer)

    assert shop.calls == 0
    assert await journal.live_attempt(ORDER.key) is None
