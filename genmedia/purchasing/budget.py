"""What a plan may cost, checked whole before anything of it is bought."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from genmedia.errors import ApiError, BudgetError
from genmedia.jobs.job import priced
from genmedia.journal import TOLERANCE, Attempt, AttemptState, Journal, Purpose
from genmedia.providers.base import ProviderClient

TOLD = 8
"""How many prices an error tells, the highest first."""

LESS = "Raise the budget, or ask for less."
"""What to do where a plan costs more than its budget."""


def run_cap(
    provider: str, units: Collection[str], max_credits: float | None, max_usd: float | None, *, to_buy: bool
) -> float | None:
    """What a run may spend at a provider, in the unit in which that names its prices; None for no limit.

    Args:
        provider: Who is paid.
        units: In which it names the prices of what is planned.
        max_credits: What the run may spend in credits.
        max_usd: What it may spend in USD; None for a provider that never names prices in that.
        to_buy: Whether anything is still to be bought there.

    Raises:
        BudgetError: There is something to buy, and the only cap is in another unit, or no unit is that of all prices.
    """
    if len(units) > 1 and to_buy:
        raise BudgetError(
            f"{provider} names prices in {' and in '.join(sorted(units))}, which cannot be added up", advice="Run them apart."
        )
    caps = {"credits": max_credits, "USD": max_usd}
    unit, other = ("USD", "credits") if "USD" in units else ("credits", "USD")
    if caps[unit] is None and caps[other] is not None and to_buy:
        raise BudgetError(
            f"{provider} names its prices in {unit}, of which the cap of {priced(caps[other], other)} says nothing",
            advice=f"Say in max_{unit.lower()} what the run may cost there.",
        )
    return caps[unit]


def shares(budget: float, prices: Mapping[str, Sequence[float | None]], spent: Mapping[str, float]) -> dict[str, float]:
    """What a run may pay each provider, so that all together are paid no more than one budget.

    That is what it has paid already, its part of the plan, and a part of what is left.

    Args:
        budget: In credits, whoever is paid.
        prices: By provider, what each purchase that is still to be made would cost; None where nobody knows.
        spent: By provider, what the run has spent there: it may be run again, as Prefect's Retry does.

    Raises:
        BudgetError: All of it would cost more, or nobody knows what it would cost.
    """
    unknown = sorted(provider for provider, each in prices.items() if None in each)
    if unknown:
        raise BudgetError(
            f"{' and '.join(unknown)} names no price, so that nobody knows whether {priced(budget, 'credits')} are enough",
            advice="Say in the credentials block what a job counts as while nobody says its price.",
        )
    costs = {provider: sum(price or 0 for price in each) for provider, each in prices.items()}
    before = sum(spent.values())
    left = budget - before - sum(costs.values())
    if left < -TOLERANCE and any(prices.values()):
        already = f", of which this run has spent {before:g} already" if before else ""
        raise BudgetError(
            f"what is not bought yet would cost {priced(sum(costs.values()), 'credits')}, more than the {budget:g} allowed{already}",
            advice=f"Of it {', '.join(f'{provider} {cost:g}' for provider, cost in sorted(costs.items()) if cost)}. {LESS}",
        )
    buying = [provider for provider, each in prices.items() if each]
    return {
        provider: spent.get(provider, 0) + (cost + max(left, 0) / len(buying) if provider in buying else 0)
        for provider, cost in costs.items()
    }


class Outlook(StrEnum):
    """What is to become of one part of a plan, before anything of it is bought."""

    TO_BUY = "to buy"
    UNDER_WAY = "under way"
    REUSED = "reused"
    IN_DOUBT = "in doubt"
    REFUSED = "refused before"
    NOT_BOUGHT = "not bought"


LOST = (Outlook.REFUSED, Outlook.NOT_BOUGHT)
"""What is fed with one of these is not made either."""

_ANSWERED = {
    AttemptState.BOUND: Outlook.UNDER_WAY,
    AttemptState.STORED: Outlook.REUSED,
    AttemptState.IN_DOUBT: Outlook.IN_DOUBT,
    AttemptState.CONTENT_REFUSED: Outlook.REFUSED,
}


def outlook_of(attempt: Attempt | None, withheld: str) -> Outlook:
    """What is to become of a wish.

    Args:
        attempt: What the journal has of it; None where it answers for nothing.
        withheld: Why nothing may be bought for it, or nothing.
    """
    if attempt is not None:
        return _ANSWERED.get(attempt.state, Outlook.TO_BUY)
    return Outlook.NOT_BOUGHT if withheld else Outlook.TO_BUY


@dataclass(frozen=True)
class Foreseen:
    """One part of a plan, before anything of it is bought.

    Attributes:
        name: The step or item.
        provider: Who is paid.
        operation: What is bought: a technique, a model.
        price: What it would cost in `unit`; None where nobody knows.
        key: Its submission; empty while its inputs are not known.
    """

    name: str
    provider: str
    operation: str
    price: float | None
    unit: str
    key: str = ""
    outlook: Outlook = Outlook.TO_BUY


@dataclass(frozen=True)
class Plan:
    """What is still to be bought at one account.

    Attributes:
        prices: What each purchase would cost in `unit`, by its name; None where nobody knows.
        purpose: For what; its cap is the run's own.
        keys: The submissions of those whose inputs are known already.
    """

    account: str
    unit: str
    prices: Mapping[str, float | None]
    purpose: Purpose
    keys: Collection[str] = ()

    @property
    def provider(self) -> str:
        """Who is paid."""
        return self.account.partition("|")[0]

    @property
    def cost(self) -> float:
        """What the purchases cost together, as far as anybody knows."""
        return sum(price or 0 for price in self.prices.values())

    @property
    def known(self) -> bool:
        """Whether somebody knows the price of each."""
        return None not in self.prices.values()

    @property
    def told(self) -> str:
        """What it costs, for people."""
        if self.known:
            return f"at most {priced(self.cost, self.unit)}" if self.cost else priced(0, self.unit)
        unknown = sum(price is None for price in self.prices.values())
        return f"a price that nobody names for {unknown} of them" + (
            f", {priced(self.cost, self.unit)} for the others" if self.cost else ""
        )

    @property
    def spare(self) -> float | None:
        """What the run may spend beyond it; None where it has no cap."""
        return None if self.purpose.cap is None else self.purpose.cap - self.cost

    def check_cap(self) -> None:
        """See that it costs no more than the run's cap.

        Raises:
            BudgetError: It does, or there is a cap and nobody knows.
        """
        cap = self.purpose.cap
        if cap is None or not self.prices:
            return
        if not self.known:
            raise BudgetError(
                f"{self.provider} names no price, so that nobody knows whether {priced(cap, self.unit)} are enough",
                advice="Say in the credentials block what a job counts as while nobody says its price.",
            )
        if self.cost > cap + TOLERANCE:
            shares = sorted(((price or 0, name) for name, price in self.prices.items()), key=lambda share: -share[0])
            told = ", ".join(f"{name} {price:g}" for price, name in shares[:TOLD])
            more = f", {len(shares) - TOLD} more" if len(shares) > TOLD else ""
            raise BudgetError(
                f"{self.provider}: what is not bought yet would cost {priced(self.cost, self.unit)}, more than the {cap:g} allowed",
                advice=f"The dearest: {told}{more}. {LESS}",
            )

    async def check_caps(self, journal: Journal) -> None:
        """See that the caps of its account leave as much as it needs; see `Money.check_plan`."""
        cost = self.cost if self.known else None
        await journal.money.check_plan(self.account, cost, self.unit, self.purpose, self.keys)

    async def check_balance(self, client: ProviderClient) -> None:
        """See that the account has as much as it needs, where its provider tells that for nothing.

        Raises:
            BudgetError: It has not.
        """
        try:
            left = await client.balance()
        except ApiError:
            return  # whoever buys is told why
        if left is not None and left + TOLERANCE < self.cost:
            raise BudgetError(
                f"{self.provider} has {priced(left, self.unit)} left, and the plan needs {self.cost:.10g}",
                advice="Buy credits, or plan less; then run again.",
            )


async def check_plans(journal: Journal, plans: Sequence[tuple[Plan, ProviderClient]]) -> None:
    """See that everything that is still to be bought can be paid for, at every account, before the first of it is bought.

    Raises:
        BudgetError: Everything that is not so.
    """
    faults: list[BudgetError] = []
    for plan, client in plans:
        if not plan.prices:
            continue
        try:
            plan.check_cap()
            await plan.check_caps(journal)
        except BudgetError as error:
            faults.append(error)
        try:
            await plan.check_balance(client)
        except BudgetError as error:
            faults.append(error)
    if faults:
        _refuse(faults)


def _refuse(faults: Sequence[BudgetError]) -> NoReturn:
    if len(faults) == 1:
        raise faults[0]
    advice = " ".join(dict.fromkeys(fault.advice for fault in faults))
    raise BudgetError("; ".join(fault.what for fault in faults), advice=advice)
