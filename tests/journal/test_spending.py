"""Caps, holds and the ledger: what is reserved is spent by nobody else, on either database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genmedia.errors import BudgetError, HeldError, InDoubtError, SettingsError, SupersededError
from genmedia.jobs.job import NOBODY, Account
from genmedia.journal import Attempt, AttemptState, Entry, Journal, Line, Purpose, Scope, add_up, time_zone
from genmedia.journal.order import Order
from genmedia.purchasing.buy import buy
from genmedia.store import Place
from genmedia.transport.session import Gate
from tests.example_assets import stored_asset
from tests.processes import Program

PAYER = Account("genova", "https://example.org")
ACCOUNT = str(PAYER)
ORDER = Order(PAYER, "image nano_banana2", {}, 1, "credits", purpose=Purpose("tea", run="run-1"))


@pytest.fixture
async def local(tmp_path: Path) -> AsyncGenerator[Journal]:
    """A journal in a file, for what is the same on both databases."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        yield journal


def numbered(number: int, order: Order = ORDER) -> Order:
    return replace(order, request={"number": number})


async def reserve(journal: Journal, number: int, order: Order = ORDER) -> Attempt:
    attempt = await journal.intend(numbered(number, order), datetime.now(UTC))
    assert attempt is not None
    return attempt


async def fail(journal: Journal, number: int, charged: float | None = None) -> None:
    attempt = await reserve(journal, number)
    await journal.bind(attempt, f"job-{number}")
    await journal.charge(attempt.id, f"job-{number}", charged)
    assert await journal.fail(attempt.id, f"job-{number}", "it burst")


async def succeed(journal: Journal, number: int) -> None:
    attempt = await reserve(journal, number)
    await journal.bind(attempt, f"job-{number}")
    async with journal.claimed(attempt.id, f"job-{number}") as mine:
        await journal.store(mine, [stored_asset(f"mugs/cup/{number}.png")])


_SPENDS = """
import asyncio, sys
from datetime import UTC, datetime
from genmedia.errors import BudgetError
from genmedia.jobs.job import Account
from genmedia.journal import Journal
from genmedia.journal.order import Order

async def main():
    url, name = sys.argv[1:]
    account = Account("genova", "https://example.org")
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(8):
            try:
                order = Order(account, "image", {"name": f"{name}-{number}"}, 1, "credits")
                attempt = await journal.intend(order, datetime.now(UTC))
                await journal.bind(attempt, order.request["name"])
                await journal.charge(attempt.id, order.request["name"], 1)
            except BudgetError:
                pass

asyncio.run(main())
"""


async def test_eight_processes_spend_all_of_a_cap_and_never_more(url: str, journal: Journal) -> None:
    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 20})
    with ExitStack() as running:
        spenders = [running.enter_context(Program(_SPENDS, url, number)) for number in range(8)]
        for spender in spenders:
            assert await asyncio.to_thread(spender.line) == "ready\n"
        for spender in spenders:
            spender.tell("\n")

        async def most() -> float:
            spent = 0.0
            while any(spender.process.is_alive() for spender in spenders):
                spent = max(spent, sum(line.counted for line in add_up(await journal.entries(), "", UTC)))
                await asyncio.sleep(0.01)
            return spent

        assert await most() <= 20
        assert [spender.rest() for spender in spenders] == [""] * 8
        assert [spender.process.exitcode for spender in spenders] == [0] * 8
    (whole,) = add_up(await journal.entries(), "account", UTC)
    assert (whole.jobs, whole.spent, whole.reserved) == (20, 20, 0)


@pytest.mark.parametrize("scope", [Scope.DAY, Scope.MONTH, Scope.CAMPAIGN, Scope.TOTAL])
async def test_a_cap_may_be_reached_and_not_passed(journal: Journal, scope: Scope) -> None:
    await journal.money.set_caps(ACCOUNT, {scope: 2})
    await reserve(journal, 1)
    await reserve(journal, 2)

    with pytest.raises(
        BudgetError, match=r"1 more would go beyond the cap of 2 credits for .*: 2 are spent or reserved by genova"
    ):
        await reserve(journal, 3)

    assert await journal.live_attempt(numbered(3).key) is None
    other = replace(ORDER, account=replace(PAYER, name="studio"))
    assert await reserve(journal, 4, other), "another account has its own"


async def test_a_cap_in_one_unit_says_nothing_of_purchases_in_another(journal: Journal) -> None:
    in_usd = replace(ORDER, unit="USD")
    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 50, Scope.FAILURES: 3})

    told = r"names its prices in USD now, of which its cap of 50 credits \(day\) says nothing"
    with pytest.raises(BudgetError, match=told):
        await reserve(journal, 1, in_usd)
    with pytest.raises(BudgetError, match=told):
        await journal.money.check_plan(ACCOUNT, 1, "USD", ORDER.purpose)
    with pytest.raises(SettingsError, match=r"other caps .* are in credits"):
        await journal.money.set_caps(ACCOUNT, {Scope.MONTH: 5}, "USD")
    assert await journal.money.caps() == {ACCOUNT: {Scope.DAY: 50, Scope.FAILURES: 3}}

    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 1.5}, "USD")
    await reserve(journal, 1, in_usd)
    with pytest.raises(BudgetError, match=r"beyond the cap of 1.5 USD for the day: 1 are spent"):
        await reserve(journal, 2, in_usd)
    with pytest.raises(BudgetError, match=r"names its prices in credits now"):
        await reserve(journal, 3)
    await journal.money.set_caps(ACCOUNT, {Scope.FAILURES: 4})
    assert await journal.money.caps() == {ACCOUNT: {Scope.DAY: 1.5, Scope.FAILURES: 4}}, "failures are in no unit"
    assert await journal.money.cap_units() == {ACCOUNT: "USD"}


async def test_a_cap_of_campaigns_is_for_each_of_them_and_that_of_a_run_for_each_run(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.CAMPAIGN: 2})
    one, other = (replace(ORDER, purpose=Purpose("tea", run=run, cap=1)) for run in ("run-1", "run-2"))
    await reserve(local, 1, one)
    with pytest.raises(BudgetError, match="1 credit for this run"):
        await reserve(local, 2, one)
    await reserve(local, 2, other)
    with pytest.raises(BudgetError, match="for the campaign tea"):
        await reserve(local, 3, replace(ORDER, purpose=Purpose("tea", run="run-3", cap=1)))
    assert await reserve(local, 3, replace(ORDER, purpose=Purpose("coffee", run="run-3", cap=1)))


async def test_what_was_charged_counts_in_place_of_the_price_and_a_refusal_counts_nothing(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 2})
    refused = await reserve(local, 1)
    await local.refuse(refused, "no")
    await fail(local, 2, charged=0)
    dear = await reserve(local, 3)
    await local.bind(dear, "job")
    await local.charge(dear.id, "job", 1.5)
    await local.money.release(ACCOUNT)

    with pytest.raises(BudgetError, match=r"1\.5 are spent"):
        await reserve(local, 4)
    assert await reserve(local, 4, replace(ORDER, price=0.5))


@pytest.mark.parametrize("ends", ["in doubt", "failed"])
async def test_what_may_have_been_charged_counts_its_price(local: Journal, ends: str) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 1})
    if ends == "failed":
        await fail(local, 1)
    else:
        await local.doubt(await reserve(local, 1), "the answer was lost")

    with pytest.raises(BudgetError, match="1 are spent"):
        await reserve(local, 2)


async def test_an_unknown_price_counts_as_what_is_assumed_and_without_that_is_not_bought_under_a_cap(local: Journal) -> None:
    unpriced = replace(ORDER, price=None)
    await reserve(local, 1, unpriced)
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 5})
    with pytest.raises(BudgetError, match="nobody knows what this may cost"):
        await reserve(local, 2, unpriced)
    with pytest.raises(BudgetError, match="nobody knows what 1 earlier purchases may cost"):
        await reserve(local, 2)

    await reserve(local, 2, replace(unpriced, assumed=2.5))
    with pytest.raises(BudgetError, match="5 are spent or reserved"):
        await reserve(local, 3, replace(ORDER, assumed=2.5))


@pytest.mark.parametrize("cap", [float("nan"), float("inf"), -1, 1e13])
async def test_a_cap_that_is_no_amount_is_refused(local: Journal, cap: float) -> None:
    with pytest.raises(SettingsError, match="a cap cannot be below 0, nor without end"):
        await local.money.set_caps(ACCOUNT, {Scope.DAY: cap})
    assert await local.money.caps() == {}


async def test_a_wish_that_is_met_already_needs_no_room_under_a_cap(local: Journal) -> None:
    await reserve(local, 1)
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 0})

    assert await local.intend(numbered(1), datetime.now(UTC)) is None


async def test_days_and_months_begin_at_midnight_in_the_named_zone(local: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def clock(_: object) -> datetime:
        return moment

    monkeypatch.setattr("genmedia.journal.spending.read_clock", clock)
    monkeypatch.setenv("GENMEDIA_TIME_ZONE", "Europe/Berlin")
    await local.money.set_caps(ACCOUNT, {Scope.DAY: 1, Scope.MONTH: 2})
    moment = datetime(2026, 3, 30, 21, 59, tzinfo=UTC)
    await reserve(local, 1)
    with pytest.raises(BudgetError, match="for the day"):
        await reserve(local, 2)
    moment = datetime(2026, 3, 30, 22, 0, tzinfo=UTC)
    await reserve(local, 2)
    moment = datetime(2026, 3, 31, 21, 59, tzinfo=UTC)
    with pytest.raises(BudgetError, match="for the"):
        await reserve(local, 3)
    moment = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
    assert await reserve(local, 3), "it is April in Berlin"


_BUYS_LATE = """
import asyncio, datetime as module, sys, time

class Late(module.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) - module.timedelta(days=1)

from genmedia.jobs.job import Account
from genmedia.journal import Journal
from genmedia.journal.order import Order

right = time.time
time.time = lambda: right() - 86400
for name, loaded in list(sys.modules.items()):
    if name.startswith("genmedia.") and getattr(loaded, "datetime", None) is module.datetime:
        loaded.datetime = Late

async def main():
    async with Journal.lease(sys.argv[1]) as journal:
        order = Order(Account("genova", "https://example.org"), "image", {}, 1, "credits")
        attempt = await journal.intend(order, Late.now(module.UTC))
        await journal.bind(attempt, "job-late")

asyncio.run(main())
"""


async def test_a_process_whose_clock_is_a_day_behind_spends_from_the_same_days_cap(url: str, journal: Journal) -> None:
    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 1})
    with Program(_BUYS_LATE, url) as late:
        assert await asyncio.to_thread(late.rest) == ""

    with pytest.raises(BudgetError, match="for the day"):
        await reserve(journal, 1)


async def test_a_database_whose_clock_is_set_back_goes_on_from_its_newest_purchase_unless_that_is_dated_absurdly(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = datetime.now(UTC)
    moment = right + timedelta(days=30)

    async def clock(_: object) -> datetime:
        return moment

    monkeypatch.setattr("genmedia.journal.spending.read_clock", clock)
    await reserve(journal, 1)
    moment = right
    first = await reserve(journal, 2)
    moment = right - timedelta(days=1)
    second = await reserve(journal, 3)

    assert abs(first.intended_at - right) < timedelta(milliseconds=1), "what is dated a month ahead says nothing"
    assert second.intended_at == first.intended_at
    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 3})
    with pytest.raises(BudgetError, match=r"for the day: 3 are"):
        await reserve(journal, 4)


def test_a_zone_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENMEDIA_TIME_ZONE", "Mars/Olympus")
    with pytest.raises(SettingsError, match="no time zone"):
        time_zone()


async def test_a_held_account_spends_nothing_until_it_is_released(journal: Journal) -> None:
    running = await reserve(journal, 1)
    await journal.money.hold(ACCOUNT, "the key leaked")

    with pytest.raises(HeldError, match="the key leaked"):
        await reserve(journal, 2)
    with pytest.raises(HeldError):
        await journal.assure(running, numbered(1))
    await journal.bind(running, "job-1")

    assert [one.reason for one in await journal.money.holds()] == ["the key leaked"]
    assert await journal.money.release(ACCOUNT)
    assert not await journal.money.release(ACCOUNT)
    assert await reserve(journal, 2)


async def test_a_cap_that_was_lowered_since_is_kept_to_by_what_was_not_sent_yet(journal: Journal) -> None:
    first, second = await reserve(journal, 1), await reserve(journal, 2)

    await journal.money.set_caps(ACCOUNT, {Scope.TOTAL: 2})
    await journal.assure(first, numbered(1))
    await journal.money.set_caps(ACCOUNT, {Scope.TOTAL: 1})
    with pytest.raises(BudgetError, match="1 more would go beyond the cap of 1 credit for all time: 1 are spent or reserved"):
        await journal.assure(first, numbered(1))

    await journal.refuse(second, "the cap")
    await journal.assure(first, numbered(1))


async def test_what_is_not_this_processs_own_any_more_is_not_sent(journal: Journal) -> None:
    attempt = await reserve(journal, 1)
    await journal.release(attempt)
    taken = await journal.take_over(await journal.attempt(attempt.id))
    assert taken

    with pytest.raises(SupersededError, match="another process has taken the purchase over"):
        await journal.assure(attempt, numbered(1))
    await journal.assure(taken, numbered(1))
    await journal.bind(taken, "job-1")
    with pytest.raises(SupersededError):
        await journal.assure(taken, numbered(1))


async def test_a_purchase_that_a_run_takes_up_is_spent_by_that_run_on_that_day(
    local: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def clock(_: object) -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    with monkeypatch.context() as patch:
        patch.setattr("genmedia.journal.spending.read_clock", clock)
        left = [await reserve(local, number) for number in (1, 2)]
    for attempt in left:
        await local.release(attempt)
    mine = Purpose("mugs", "handle", [{"id": "input", "text": "a mug"}], {"client": "tea"}, "run-2", cap=1)
    wanted = replace(ORDER, price=0.5, purpose=mine)
    await local.money.set_caps(ACCOUNT, {Scope.DAY: 0.5})

    taken = await local.take_over(await local.attempt(left[0].id), numbered(1, wanted))
    assert taken
    await local.assure(taken, numbered(1, wanted))
    other = await local.take_over(await local.attempt(left[1].id), numbered(2, wanted))
    assert other
    with pytest.raises(BudgetError, match="for the day"):
        await local.assure(other, numbered(2, wanted))

    now = await local.attempt(taken.id)
    assert (now.campaign, now.run, now.labels, now.reserved) == ("mugs", "run-2", {"client": "tea"}, 0.5)
    assert now.purpose.step == "handle"
    assert now.asked_at == left[0].asked_at, "its job is looked for since it was first asked for"
    assert {one.run for one in await local.waiters(taken.id)} == {"run-1", "run-2"}


async def test_what_is_held_before_it_is_sent_is_refused_and_bought_later(local: Journal) -> None:
    order = Order(Account("genova", "https://example.org"), "image", {"prompt": "tea"}, 1, "credits")
    sent: list[str] = []

    async def submit(key: str, gate: Gate) -> str:
        if not sent:
            await local.money.hold(str(order.account), "wait")
        async with gate():
            sent.append(key)
            return "job-1"

    async def prepare() -> object:
        return submit

    async def recover(_attempt: Attempt, _journal: Journal) -> str | None:
        raise InDoubtError("there is nothing to ask by")

    async def has(_: str, _size: int | None) -> bool:
        return True

    async def purchase() -> str:
        return (await buy(local, order, prepare, has=has, recover=recover, repeat_pause=0)).job_id  # type: ignore[arg-type]

    with pytest.raises(HeldError, match="submission"):
        await purchase()
    assert await local.live_attempt(order.key) is None
    await local.money.release(str(order.account))
    sent.append("first")
    assert await purchase() == "job-1"


async def test_failures_in_a_row_that_cost_something_hold_the_account(journal: Journal) -> None:
    await journal.money.set_caps(ACCOUNT, {Scope.FAILURES: 3})
    await fail(journal, 1)
    await fail(journal, 2)
    await succeed(journal, 3)
    await fail(journal, 4)
    await fail(journal, 5, charged=0)
    await fail(journal, 6)
    assert await journal.money.holds() == []
    await fail(journal, 7)
    (hold,) = await journal.money.holds()
    assert hold.reason == "3 jobs in a row failed, and count as spent"
    with pytest.raises(HeldError):
        await reserve(journal, 8)

    await journal.money.release(ACCOUNT)
    await fail(journal, 8)
    assert await journal.money.holds() == [], "what was before is forgiven"


async def test_jobs_that_a_person_cancelled_count_their_price_and_hold_nothing(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.FAILURES: 2})
    for number in range(3):
        attempt = await reserve(local, number)
        await local.bind(attempt, f"job-{number}")
        assert await local.cancel(attempt.id, f"job-{number}")
    assert await local.money.holds() == []
    assert await local.money.spent(ACCOUNT, "credits") == 3


async def test_a_cap_of_no_failures_holds_never(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.FAILURES: 0})
    for number in range(6):
        await fail(local, number)
    assert await local.money.holds() == []


async def test_a_run_gives_up_and_buys_again_only_what_its_plan_left(local: Journal) -> None:
    attempts = [await reserve(local, number) for number in range(2)]
    for number, attempt in enumerate(attempts):
        await local.bind(attempt, f"job-{number}")

    assert await local.fail(attempts[0].id, "job-0", "refused", spare=1)
    with pytest.raises(BudgetError):
        await local.fail(attempts[1].id, "job-1", "refused", spare=1)
    kept = await local.live_attempt(numbered(1).key)
    assert kept is not None
    assert kept.state is AttemptState.BOUND


async def test_a_charge_above_the_reserve_holds_the_account_and_says_of_which_job(journal: Journal) -> None:
    fair, dear = await reserve(journal, 1), await reserve(journal, 2)
    await journal.bind(fair, "job-1")
    await journal.charge(fair.id, "job-1", 1 + 1e-12)
    assert await journal.money.holds() == []
    await journal.bind(dear, "job-2")
    await journal.charge(dear.id, "job-2", 400)

    (hold,) = await journal.money.holds()
    assert hold.reason == (await journal.attempt(dear.id)).excess
    assert hold.reason == "job job-2 was charged 400 credits, and its price was 1 credit"
    with pytest.raises(HeldError, match="job-2 was charged 400 credits"):
        await reserve(journal, 3)

    await journal.money.release(ACCOUNT)
    await journal.charge(dear.id, "job-2", 400)
    assert await reserve(journal, 3), "what a person has looked at holds nothing any more"


async def test_what_turns_out_dearer_than_planned_is_bought_only_within_what_the_plan_left(journal: Journal) -> None:
    def dearer(price: float | None, **purpose: Any) -> Order:
        return replace(ORDER, price=price, planned=5, purpose=replace(ORDER.purpose, **purpose))

    assert (await reserve(journal, 1, dearer(4))).reserved == 4
    with pytest.raises(
        BudgetError, match=r"planned at 5 credits, and its price now is 6 credits; the run has no cap .* Run again"
    ):
        await reserve(journal, 2, dearer(6))
    with pytest.raises(BudgetError, match=r"its price now is unknown; the run's cap leaves 3 credits beyond its plan"):
        await reserve(journal, 2, dearer(None, cap=100, spare=3))
    assert (await reserve(journal, 2, dearer(7, cap=100, spare=3))).reserved == 7
    with pytest.raises(BudgetError, match=r"leaves 1 credit beyond its plan"):
        await reserve(journal, 3, dearer(7, cap=100, spare=3))
    assert await journal.live_attempt(numbered(3).key) is None
    assert await reserve(journal, 3, dearer(7, cap=100, spare=3, run="run-2")), "another run has its own"


async def test_what_is_given_up_and_what_turned_out_dearer_share_what_the_plan_left(local: Journal) -> None:
    risen = replace(ORDER, price=3, planned=1, purpose=replace(ORDER.purpose, cap=100, spare=5))
    first, second = await reserve(local, 1, risen), await reserve(local, 2, risen)
    await local.bind(first, "job-1")
    await local.bind(second, "job-2")

    with pytest.raises(BudgetError):
        await local.fail(first.id, "job-1", "refused", spare=4)
    assert await local.fail(first.id, "job-1", "refused", spare=5)
    with pytest.raises(BudgetError, match="leaves 0 credits beyond its plan"):
        await reserve(local, 3, risen)


@pytest.mark.parametrize("scope", [Scope.DAY, Scope.MONTH, Scope.CAMPAIGN, Scope.TOTAL])
async def test_a_plan_that_a_cap_does_not_leave_room_for_is_refused_whole(journal: Journal, scope: Scope) -> None:
    await journal.money.set_caps(ACCOUNT, {scope: 5})
    await reserve(journal, 1)

    await journal.money.check_plan(ACCOUNT, 4, "credits", ORDER.purpose)
    with pytest.raises(BudgetError, match=r"the plan needs 5 credits of genova/default: the cap of 5 credits for .* leaves 4"):
        await journal.money.check_plan(ACCOUNT, 5, "credits", ORDER.purpose)


async def test_what_was_only_intended_for_a_plan_is_not_counted_twice(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 2})
    await reserve(local, 1)
    second = await reserve(local, 2)
    await local.bind(second, "job-2")

    await local.money.check_plan(ACCOUNT, 1, "credits", ORDER.purpose, [numbered(1).key, numbered(2).key])
    with pytest.raises(BudgetError, match="leaves 0"):
        await local.money.check_plan(ACCOUNT, 1, "credits", ORDER.purpose)
    with pytest.raises(BudgetError, match="leaves 1"):
        await local.money.check_plan(ACCOUNT, 2, "credits", ORDER.purpose, [numbered(1).key, numbered(2).key])


async def test_a_plan_is_told_every_cap_that_is_too_small_for_it(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.DAY: 3, Scope.MONTH: 100, Scope.TOTAL: 5})

    with pytest.raises(
        BudgetError, match=r"for the day leaves 3, the cap of 5 credits for all time leaves 5\. Nothing was bought"
    ):
        await local.money.check_plan(ACCOUNT, 7, "credits", ORDER.purpose)
    with pytest.raises(BudgetError, match="nobody knows what this may cost"):
        await local.money.check_plan(ACCOUNT, None, "credits", ORDER.purpose)
    await local.money.hold(ACCOUNT, "wait")
    with pytest.raises(HeldError):
        await local.money.check_plan(ACCOUNT, 1, "credits", ORDER.purpose)


@pytest.mark.parametrize(("charged", "reserved", "told"), [(2, 1, 2), (None, 1, 1), (None, None, None), (0, 1, 0)])
@pytest.mark.parametrize("ends", ["stored", "failed", "vanished"])
async def test_of_all_who_wait_for_a_job_one_tells_what_the_ledger_counts(
    journal: Journal, charged: float | None, reserved: float | None, told: float | None, ends: str
) -> None:
    attempt = await reserve(journal, 1, replace(ORDER, price=reserved))
    await journal.bind(attempt, "job-1")
    assert await journal.report(attempt.id, attempt.run) == 0, "it is not over, and may still be told"
    await journal.charge(attempt.id, "job-1", charged)
    match ends:
        case "stored":
            async with journal.claimed(attempt.id, "job-1") as mine:
                await journal.store(mine, [])
        case "failed":
            await journal.fail(attempt.id, "job-1", "it burst")
        case _:
            await journal.vanish(attempt.id, "job-1", "gone", NOBODY)

    tellers = await asyncio.gather(*(journal.report(attempt.id, attempt.run) for _ in range(4)))

    assert sorted(tellers, key=str) == sorted([told, 0, 0, 0], key=str)
    (line,) = add_up(await journal.entries(), "", UTC)
    assert (line.spent, line.unknown) == (told or 0, told is None)


async def test_a_charge_that_is_known_before_the_files_are_there_is_told_at_once(local: Journal) -> None:
    attempt = await reserve(local, 1)
    await local.bind(attempt, "job-1")
    await local.charge(attempt.id, "job-1", 1)

    assert [await local.report(attempt.id, attempt.run) for _ in range(2)] == [1, 0]


# The ledger


async def test_the_ledger_tells_what_is_spent_reserved_in_doubt_and_above_the_reserve(journal: Journal) -> None:
    labelled = replace(ORDER, purpose=Purpose("tea", labels={"client": "acme"}, run="run-1"))
    await reserve(journal, 1, labelled)
    dear = await reserve(journal, 2, labelled)
    await journal.bind(dear, "job-2")
    await journal.charge(dear.id, "job-2", 3)
    await journal.money.release(ACCOUNT)
    await journal.doubt(await reserve(journal, 3), "lost")
    await journal.refuse(await reserve(journal, 4), "no")
    await reserve(journal, 5, replace(ORDER, price=None))

    entries = await journal.entries()

    assert add_up(entries, "client", UTC) == [
        Line("", "genova credits", jobs=2, in_doubt=1, unknown=1),
        Line("acme", "genova credits", jobs=2, spent=3, reserved=1, overcharged=2),
    ]
    assert [line.counted for line in add_up(entries, "", UTC)] == [5]
    assert await journal.entries(since=datetime(2100, 1, 1, tzinfo=UTC)) == []
    assert await journal.entries(until=datetime(2000, 1, 1, tzinfo=UTC)) == []


def entry(account: str, hour: int, **changes: object) -> Entry:
    told = Entry(account, "image", "tea", {}, AttemptState.STORED, datetime(2026, 3, 1, hour, tzinfo=UTC), "credits", 0.1, None)
    return replace(told, **changes)  # type: ignore[arg-type]


def test_credits_of_two_providers_are_never_added_and_days_are_those_of_the_zone() -> None:
    flora = "flora|https://example.org|default"
    entries = [entry(ACCOUNT, 1), entry(ACCOUNT, 23), entry(flora, 23), entry(ACCOUNT, 23, charged=0.2)]

    lines = add_up(entries, "day", ZoneInfo("Europe/Berlin"))

    assert [(line.group, line.unit, line.jobs) for line in lines] == [
        ("2026-03-01", "genova credits", 1),
        ("2026-03-02", "flora credits", 1),
        ("2026-03-02", "genova credits", 2),
    ]
    assert lines[2].told()["spent"] == 0.3
    assert [line.group for line in add_up(entries, "operation", UTC)] == ["flora image", "genova image"]
    assert [line.group for line in add_up(entries, "provider", UTC)] == ["flora", "genova"]
    assert [line.group for line in add_up(entries, "account", UTC)] == [flora, ACCOUNT]


async def test_a_balance_is_remembered_with_what_the_journal_said_then(journal: Journal) -> None:
    attempt = await reserve(journal, 1)
    first, now = await journal.money.see_balance(ACCOUNT, 100)
    assert first is None
    assert (now.charged, now.open) == (0, 1)
    await journal.bind(attempt, "job")
    await journal.charge(attempt.id, "job", 1)

    before, later = await journal.money.see_balance(ACCOUNT, 95)

    assert before == now
    assert (later.balance, later.charged, later.open) == (95, 1, 0)


_BUYS_FOR_A_CLIENT = """
import asyncio, sys
from datetime import UTC, datetime
from genmedia.errors import BudgetError
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order

async def main():
    url, name = sys.argv[1:]
    account = Account("genova", "https://example.org", name)
    purpose = Purpose(f"campaign-{name}", labels={"client": "acme"}, run=name, monthly={"client": 20})
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(8):
            try:
                order = Order(account, "image", {"name": f"{name}-{number}"}, 1, "credits", purpose=purpose)
                attempt = await journal.intend(order, datetime.now(UTC))
                await journal.bind(attempt, order.request["name"])
            except BudgetError:
                pass

asyncio.run(main())
"""


async def test_campaigns_of_several_accounts_and_processes_spend_all_of_a_clients_month_and_never_more(
    url: str, journal: Journal
) -> None:
    with ExitStack() as running:
        buyers = [running.enter_context(Program(_BUYS_FOR_A_CLIENT, url, number)) for number in range(4)]
        for buyer in buyers:
            assert await asyncio.to_thread(buyer.line) == "ready\n"
        for buyer in buyers:
            buyer.tell("\n")
        assert [await asyncio.to_thread(buyer.rest) for buyer in buyers] == [""] * 4

    lines = add_up(await journal.entries(), "client", UTC)
    assert [(line.group, line.jobs, line.reserved) for line in lines] == [("acme", 20, 20)]
    assert len(add_up(await journal.entries(), "account", UTC)) > 1


LABELLED = replace(ORDER, purpose=Purpose("tea", labels={"client": "acme", "b": "x"}, run="run-1", monthly={"client": 2}))


def of_client(client: str, order: Order = LABELLED) -> Order:
    return replace(order, purpose=replace(order.purpose, labels={"client": client}))


async def test_a_budget_of_a_client_counts_what_all_campaigns_and_accounts_of_the_provider_buy_for_it(journal: Journal) -> None:
    await reserve(journal, 1, of_client("acme"))
    studio = replace(LABELLED, account=replace(PAYER, name="studio"))
    await reserve(journal, 2, replace(studio, purpose=replace(studio.purpose, campaign="coffee", run="run-2")))

    with pytest.raises(
        BudgetError, match=r"the cap of 2 credits for client acme until \d{4}-\d\d-\d\d: 2 are spent or reserved at genova"
    ):
        await reserve(journal, 3, LABELLED)

    for number, other in enumerate(("Acme", "acme ", '"client": "acme"', "ac"), 10):
        assert await reserve(journal, number, of_client(other)), "another client has a budget of its own"
    assert await reserve(journal, 20, replace(LABELLED, unit="USD")), "amounts in another unit are never added"
    assert await reserve(journal, 21, replace(LABELLED, account=Account("genova", "http://127.0.0.1:4280"))), (
        "a sandbox counts apart"
    )
    assert await reserve(journal, 22, replace(LABELLED, account=Account("flora", "https://example.org"))), "so do other providers"


async def test_a_budget_of_a_client_begins_anew_with_the_month(local: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENMEDIA_TIME_ZONE", "Europe/Berlin")
    now = datetime(2026, 11, 30, 22, 59, tzinfo=UTC)

    async def clock(_: object) -> datetime:
        return now

    async def room() -> tuple[float, str]:
        (one,) = await local.money.rooms(ACCOUNT, "credits", LABELLED.purpose)
        return one.left, one.name

    monkeypatch.setattr("genmedia.journal.spending.read_clock", clock)
    await reserve(local, 1, LABELLED)
    await reserve(local, 2, LABELLED)
    assert await room() == (0, "client acme until 2026-11-30")

    now = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    await reserve(local, 3, LABELLED)
    assert await room() == (1, "client acme until 2026-12-31")

    now = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    assert await room() == (2, "client acme until 2027-01-31")


async def test_what_is_refused_gives_a_client_its_credit_back_and_what_is_charged_counts(journal: Journal) -> None:
    await journal.refuse(await reserve(journal, 1, LABELLED), "no")
    attempt = await reserve(journal, 2, LABELLED)
    await journal.bind(attempt, "job-2")
    await journal.charge(attempt.id, "job-2", 0.25)

    (room,) = await journal.money.rooms(ACCOUNT, "credits", LABELLED.purpose)
    assert room.left == 1.75
