"""What a plan may cost: checked whole, at every account, before anything of it is bought."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import BudgetError
from genmedia.jobs.job import Account, account_name
from genmedia.journal import Journal, Purpose, Scope
from genmedia.providers.base import ProviderClient
from genmedia.providers.flora.client import FloraClient
from genmedia.providers.genova.client import GenovaClient
from genmedia.purchasing.budget import Plan, check_plans, run_cap
from genmedia.store import Place
from tests.sandboxes import Sandbox


def planned(prices: dict[str, float | None], cap: float | None = None, provider: str = "flora", unit: str = "credits") -> Plan:
    return Plan(f"{provider}|https://example.org|default", unit, prices, Purpose("tea", cap=cap))


def test_a_plan_over_its_cap_is_refused_with_the_share_of_each_purchase() -> None:
    with pytest.raises(
        BudgetError,
        match=r"flora: what .* would cost 5 credits, more than the 4 allowed\. Nothing was bought\. The dearest: blur 3, frame 2",
    ):
        planned({"frame": 2, "blur": 3}, 4).check_cap()


def test_a_plan_may_cost_all_of_its_cap() -> None:
    plan = planned({"frame": 2, "blur": 3}, 6)
    plan.check_cap()
    assert (plan.cost, plan.spare) == (5, 1)


@pytest.mark.parametrize(("prices", "cap"), [([0.1] * 3, 0.3), ([1.1, 2.2], 3.3), ([0.06] * 11, 0.66)])
def test_prices_that_add_up_to_the_cap_are_within_it_however_floats_are_added(prices: list[float], cap: float) -> None:
    plan = planned({f"{number}": price for number, price in enumerate(prices)}, cap, unit="USD")
    assert plan.cost > cap
    plan.check_cap()


def test_of_many_shares_the_highest_are_told() -> None:
    with pytest.raises(
        BudgetError, match=r"The dearest: p19 19, p18 18, .* p12 12, 12 more\. Raise the budget, or ask for less\."
    ):
        planned({f"p{number}": number for number in range(20)}, 1).check_cap()


def test_what_nobody_has_priced_is_not_bought_under_a_cap() -> None:
    with pytest.raises(BudgetError, match="nobody knows whether 100 credits are enough"):
        planned({"chair": None}, 100).check_cap()
    unpriced = planned({"chair": None})
    unpriced.check_cap()
    assert (unpriced.cost, unpriced.known, unpriced.spare) == (0, False, None)


def test_what_is_bought_already_fits_under_any_cap() -> None:
    planned({}, 0).check_cap()


@pytest.mark.parametrize(
    ("units", "caps", "cap"),
    [
        (["credits"], (4, None), 4),
        (["credits"], (4, 0.1), 4),
        (["USD"], (4, 0.1), 0.1),
        (["USD"], (None, 0.1), 0.1),
        (["USD"], (None, None), None),
        ([], (4, 0.1), 4),
    ],
)
def test_a_runs_cap_is_the_one_in_the_unit_of_the_prices(
    units: list[str], caps: tuple[float | None, float | None], cap: float | None
) -> None:
    assert run_cap("flora", units, *caps, to_buy=True) == cap


def test_a_cap_in_another_unit_than_the_prices_is_refused_while_there_is_something_to_buy() -> None:
    with pytest.raises(
        BudgetError, match=r"in USD, of which the cap of 4 credits says nothing\. Nothing was bought\. Say in max_usd"
    ):
        run_cap("flora", ["USD"], 4, None, to_buy=True)
    with pytest.raises(
        BudgetError, match=r"in credits, of which the cap of 4 USD says nothing\. Nothing was bought\. Say in max_credits"
    ):
        run_cap("flora", ["credits"], None, 4, to_buy=True)
    with pytest.raises(BudgetError, match="in USD and in credits, which cannot be added up"):
        run_cap("flora", ["credits", "USD"], None, None, to_buy=True)
    assert run_cap("flora", ["USD"], 4, None, to_buy=False) is None


class Two:
    """An account at Genova and one at FLORA, with one journal."""

    def __init__(self, journal: Journal, genova: GenovaClient, flora: FloraClient) -> None:
        self.journal, self.genova, self.flora = journal, genova, flora

    async def check(self, pictures: int, runs: int, cap: float | None = None) -> None:
        plans: list[tuple[Plan, ProviderClient]] = [
            (Plan(str(client.account), "credits", {f"{n}": 1 for n in range(count)}, Purpose("tea", cap=cap)), client)
            for client, count in ((self.genova, pictures), (self.flora, runs))
        ]
        await check_plans(self.journal, plans)


@pytest.fixture
async def two(sandbox: Sandbox, tmp_path: Path) -> AsyncGenerator[Two]:
    accounts = [sandbox.new_account(name, credits=2) for name in ("genova", "flora")]
    payers = [Account(one["provider"], one["base_url"], one["account"]) for one in accounts]
    async with AsyncExitStack() as held:
        yield Two(
            await held.enter_async_context(Journal.lease(Place(str(tmp_path)).journal_url())),
            await held.enter_async_context(GenovaClient.lease(payers[0], accounts[0]["api_key"], push=False)),
            await held.enter_async_context(FloraClient.lease(payers[1], accounts[1]["api_key"])),
        )


async def test_a_plan_that_its_account_cannot_pay_for_is_refused_where_the_provider_tells_what_is_left(two: Two) -> None:
    await two.check(2, 0)
    with pytest.raises(BudgetError, match=r"^genova has 2 credits left, and the plan needs 4\. Nothing was bought\. Buy credits"):
        await two.check(4, 0)
    await two.check(0, 4)  # FLORA does not tell


async def test_prices_that_add_up_to_what_is_left_can_be_paid(two: Two, sandbox: Sandbox) -> None:
    name = two.genova.account.name
    sandbox.control("POST", "/accounts", {"provider": "genova", "account": name, "credits": 3.3})
    plan = Plan(str(two.genova.account), "credits", {"a": 1.1, "b": 2.2}, Purpose("tea"))
    await check_plans(two.journal, [(plan, two.genova)])


async def test_all_that_cannot_be_paid_for_is_told_at_once_whoever_is_paid(two: Two) -> None:
    await two.journal.money.set_caps(str(two.genova.account), {Scope.DAY: 1, Scope.TOTAL: 3})
    await two.journal.money.hold(str(two.flora.account), "wait")

    with pytest.raises(BudgetError) as refused:
        await two.check(4, 1)

    told = str(refused.value)
    for words in (
        "the plan needs 4 credits of genova/",
        "the cap of 1 credit for the day leaves 1, the cap of 3 credits for all time leaves 3",
        "genova has 2 credits left, and the plan needs 4",
        "is held since",
        f"`genmedia hold --release {account_name(str(two.flora.account))}`",
    ):
        assert words in told


async def test_an_account_whose_provider_cannot_be_asked_or_tells_no_amount_is_not_held_back(
    two: Two, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 1)
    account: dict[str, Any] = {"provider": "genova", "account": two.genova.account.name}
    sandbox.fault(account, "no_amount", says="text")
    await two.check(4, 0)
    sandbox.fault(account, "server_error")
    await two.check(4, 0)
