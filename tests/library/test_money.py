"""Caps, holds and the ledger: what is reserved is spent by nobody else, on either database."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from genmedia.buying import Order, buy
from genmedia.errors import BudgetError, HeldError, InDoubtError, SettingsError
from genmedia.http import Gate
from genmedia.jobs import Account
from genmedia.journal import Attempt, AttemptState, Entry, Journal, Line, Purpose, Scope, StoredAsset, Wish, add_up, time_zone
from genmedia.store import Place

ACCOUNT = "genova|https://example.org|default"
WISH = Wish("", ACCOUNT, "image nano_banana2", {}, 1, 1, "credits", purpose=Purpose("tea", run="run-1"))


@pytest.fixture
async def local(tmp_path: Path) -> AsyncGenerator[Journal]:
    """A journal in a file, for what is the same on both databases."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        yield journal


def wish(number: int, wanted: Wish = WISH) -> Wish:
    return replace(wanted, key=sha256(f"{number}".encode()).hexdigest())


async def reserve(journal: Journal, number: int, wanted: Wish = WISH) -> Attempt:
    attempt = await journal.intend(wish(number, wanted), datetime.now(UTC))
    assert attempt is not None
    return attempt


async def fail(journal: Journal, number: int, charged: float | None = None) -> None:
    attempt = await reserve(journal, number)
    await journal.bind(attempt, f"job-{number}")
    await journal.charge(attempt.id, charged)
    assert await journal.fail(attempt.id, "it burst")


async def succeed(journal: Journal, number: int) -> None:
    attempt = await reserve(journal, number)
    await journal.bind(attempt, f"job-{number}")
    async with journal.claimed(attempt.id) as mine:
        await journal.store(mine, [StoredAsset(f"{number}.png", "image", "ab" * 32, {"file": {}})])


_SPENDS = """
import asyncio, sys
from datetime import UTC, datetime
from genmedia.errors import BudgetError
from genmedia.journal import Journal, Wish

async def main():
    url, account, name = sys.argv[1:]
    async with Journal.lease(url) as journal:
        await journal.live_attempt("x")
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(8):
            try:
                key = f"{name}-{number}"
                attempt = await journal.intend(Wish(key, account, "image", {}, 1, 1, "credits"), datetime.now(UTC))
                await journal.bind(attempt, key)
                await journal.charge(attempt.id, 1)
            except BudgetError:
                pass

asyncio.run(main())
"""


async def test_eight_processes_spend_all_of_a_cap_and_never_more(url: str, journal: Journal) -> None:
    await journal.money.set_caps(ACCOUNT, {Scope.DAY: 20})
    spenders = [
        subprocess.Popen([sys.executable, "-c", _SPENDS, url, ACCOUNT, f"{n}"], stdin=-1, stdout=-1, stderr=-1, text=True)
        for n in range(8)
    ]
    for spender in spenders:
        assert spender.stdout
        assert await asyncio.to_thread(spender.stdout.readline) == "ready\n"
    for spender in spenders:
        assert spender.stdin
        spender.stdin.write("\n")
        spender.stdin.flush()

    async def most() -> float:
        spent = 0.0
        while any(spender.poll() is None for spender in spenders):
            spent = max(spent, sum(line.counted for line in add_up(await journal.entries(), "", UTC)))
            await asyncio.sleep(0.01)
        return spent

    assert await most() <= 20
    assert [(await asyncio.to_thread(spender.communicate))[1] for spender in spenders] == [""] * 8
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

    assert await journal.live_attempt(wish(3).key) is None
    other = replace(WISH, account="genova|https://example.org|studio")
    assert await reserve(journal, 4, other), "another account has its own"


async def test_a_cap_of_campaigns_is_for_each_of_them_and_that_of_a_run_for_each_run(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.CAMPAIGN: 2})
    one, other = (replace(WISH, purpose=Purpose("tea", run=run, cap=1)) for run in ("run-1", "run-2"))
    await reserve(local, 1, one)
    with pytest.raises(BudgetError, match="1 credits for this run"):
        await reserve(local, 2, one)
    await reserve(local, 2, other)
    with pytest.raises(BudgetError, match="for the campaign tea"):
        await reserve(local, 3, replace(WISH, purpose=Purpose("tea", run="run-3", cap=1)))
    assert await reserve(local, 3, replace(WISH, purpose=Purpose("coffee", run="run-3", cap=1)))


async def test_what_was_charged_counts_in_place_of_the_price_and_a_refusal_counts_nothing(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 2})
    refused = await reserve(local, 1)
    await local.refuse(refused, "no")
    await fail(local, 2, charged=0)
    dear = await reserve(local, 3)
    await local.bind(dear, "job")
    await local.charge(dear.id, 1.5)

    with pytest.raises(BudgetError, match=r"1\.5 are spent"):
        await reserve(local, 4)
    assert await reserve(local, 4, replace(WISH, price=0.5))


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
    unpriced = replace(WISH, price=None)
    await reserve(local, 1, unpriced)
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 5})
    with pytest.raises(BudgetError, match="nobody knows what this may cost"):
        await reserve(local, 2, unpriced)
    with pytest.raises(BudgetError, match="nobody knows what 1 earlier purchases may cost"):
        await reserve(local, 2)

    await reserve(local, 2, replace(unpriced, assumed=2.5))
    with pytest.raises(BudgetError, match="5 are spent or reserved"):
        await reserve(local, 3, replace(WISH, assumed=2.5))


async def test_a_wish_that_is_met_already_needs_no_room_under_a_cap(local: Journal) -> None:
    await reserve(local, 1)
    await local.money.set_caps(ACCOUNT, {Scope.TOTAL: 0})

    assert await local.intend(wish(1), datetime.now(UTC)) is None


async def test_days_and_months_begin_at_midnight_in_the_named_zone(local: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            assert tz is not None
            return moment.astimezone(tz)  # type: ignore[arg-type]

    monkeypatch.setattr("genmedia.journal.money.datetime", Clock)
    monkeypatch.setattr("genmedia.journal.journal.datetime", Clock)
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
        await journal.assure(running)
    await journal.bind(running, "job-1")

    assert [one.reason for one in await journal.money.holds()] == ["the key leaked"]
    assert await journal.money.release(ACCOUNT)
    assert not await journal.money.release(ACCOUNT)
    assert await reserve(journal, 2)


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

    async def has(_: str) -> bool:
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
        assert await local.cancel(attempt.id)
    assert await local.money.holds() == []
    assert await local.money.spent(ACCOUNT, "credits", datetime.now(UTC) - timedelta(days=1)) == 3


async def test_a_cap_of_no_failures_holds_never(local: Journal) -> None:
    await local.money.set_caps(ACCOUNT, {Scope.FAILURES: 0})
    for number in range(6):
        await fail(local, number)
    assert await local.money.holds() == []


async def test_a_run_gives_up_and_buys_again_only_what_its_plan_left(local: Journal) -> None:
    attempts = [await reserve(local, number) for number in range(2)]
    for attempt in attempts:
        await local.bind(attempt, f"job-{attempt.id}")

    assert await local.fail(attempts[0].id, "refused", spare=1)
    with pytest.raises(BudgetError):
        await local.fail(attempts[1].id, "refused", spare=1)
    kept = await local.live_attempt(wish(1).key)
    assert kept is not None
    assert kept.state is AttemptState.BOUND


# The ledger


async def test_the_ledger_tells_what_is_spent_reserved_in_doubt_and_above_the_reserve(journal: Journal) -> None:
    labelled = replace(WISH, purpose=Purpose("tea", labels={"client": "acme"}, run="run-1"))
    await reserve(journal, 1, labelled)
    dear = await reserve(journal, 2, labelled)
    await journal.bind(dear, "job-2")
    await journal.charge(dear.id, 3)
    await journal.doubt(await reserve(journal, 3), "lost")
    await journal.refuse(await reserve(journal, 4), "no")
    await reserve(journal, 5, replace(WISH, price=None))

    entries = await journal.entries()

    assert add_up(entries, "client", UTC) == [
        Line("", "genova credits", jobs=2, in_doubt=1, unknown=1),
        Line("acme", "genova credits", jobs=2, spent=3, reserved=1, above=2),
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
    await journal.charge(attempt.id, 1)

    before, later = await journal.money.see_balance(ACCOUNT, 95)

    assert before == now
    assert (later.balance, later.charged, later.open) == (95, 1, 0)
