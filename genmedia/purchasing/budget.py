"""Checks that a whole plan can be paid for, before anything of it is bought."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import NoReturn

from genmedia.errors import ApiError, BudgetError
from genmedia.jobs.job import priced
from genmedia.journal import TOLERANCE, Attempt, AttemptState, Journal, Label, Purpose, Share
from genmedia.providers.base import ProviderClient

TOLD = 8
"""Number of prices that an error names, the highest first."""

LESS = "Raise the budget, or ask for less."
"""Advice where a plan costs more than its budget."""


def run_cap(
    provider: str, units: Collection[str], max_credits: float | None, max_usd: float | None, *, to_buy: bool, label: str = ""
) -> float | None:
    """Return the most that may be spent at a provider, in the unit in which that names its prices; None for no limit.

    Args:
        provider: Provider that is paid.
        units: Units in which it names the prices of what is planned.
        max_credits: Most that the run may spend in credits; None for no limit.
        max_usd: Most that it may spend in USD; None for no limit, or for a provider that never names prices in USD.
        to_buy: True if anything is still to be bought there.
        label: Name of the label that the caps are for; empty for those of a run.

    Raises:
        BudgetError: There is something to buy, and the only cap is in another unit, or the prices are in several units.
    """
    if len(units) > 1 and to_buy:
        raise BudgetError(
            f"{provider} names prices in {' and in '.join(sorted(units))}, which cannot be added up", advice="Run them apart."
        )
    caps = {"credits": max_credits, "USD": max_usd}
    unit, other = ("USD", "credits") if "USD" in units else ("credits", "USD")
    if caps[unit] is None and caps[other] is not None and to_buy:
        told, where = (f" for {label}", f"the budget per {label}") if label else ("", f"max_{unit.lower()} or a file's budget")
        raise BudgetError(
            f"{provider} names its prices in {unit}, of which the cap of {priced(caps[other], other)}{told} says nothing",
            advice=f"Say in {where} what may be spent there in {unit}.",
        )
    return caps[unit]


def shares(budget: float, prices: Mapping[str, Sequence[float | None]], spent: Mapping[str, float]) -> dict[str, float]:
    """Return the share of each provider: the most that a run may pay it, so that all together are paid no more than one budget.

    A share is the amount that the run has paid already, the provider's part of the plan, and an equal part of what is left.

    Args:
        budget: The budget in credits, for all providers together.
        prices: By provider, the price of each purchase that is still to be made; None if it is unknown.
        spent: By provider, the amount that the run has spent there already: it may be run again, as Prefect's Retry does.

    Raises:
        BudgetError: All purchases would cost more than the budget, or a price is unknown.
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
    """Outlook for one part of a plan, before anything of it is bought."""

    TO_BUY = "to buy"
    TO_MAKE = "to make"
    UNDER_WAY = "under way"
    REUSED = "reused"
    TO_FETCH = "to fetch again"
    REJECTED = "rejected"
    IN_DOUBT = "in doubt"
    REFUSED = "refused before"
    LEFT_OUT = "left out"
    TO_REVIEW = "to review"
    AFTER_REVIEW = "after review"
    OVER_BUDGET = "over the budget"


_ANSWERED = {
    AttemptState.BOUND: Outlook.UNDER_WAY,
    AttemptState.STORED: Outlook.REUSED,
    AttemptState.IN_DOUBT: Outlook.IN_DOUBT,
    AttemptState.CONTENT_REFUSED: Outlook.REFUSED,
}


def outlook_of(attempt: Attempt | None, withheld: str) -> Outlook:
    """Return the outlook for an order.

    Args:
        attempt: The attempt that answers for it in the journal; None if there is none.
        withheld: Reason why nothing may be bought for it; empty where it may be bought.
    """
    if attempt is not None:
        return _ANSWERED.get(attempt.state, Outlook.TO_BUY)
    return Outlook.LEFT_OUT if withheld else Outlook.TO_BUY


@dataclass(frozen=True)
class Foreseen:
    """One part of a plan, before anything of it is bought.

    Attributes:
        name: Name of the step or item.
        provider: Provider that is paid.
        operation: Operation that is bought: a technique, a model.
        price: Price in `unit`; None if it is unknown.
        key: Its submission key; empty while its inputs are not known.
    """

    name: str
    provider: str
    operation: str
    price: float | None
    unit: str
    key: str = ""
    outlook: Outlook = Outlook.TO_BUY


@dataclass(frozen=True)
class Limit:
    """Amount that is left for what is planned at a provider.

    Attributes:
        left: The amount, in the unit of the provider's prices.
        label: The label whose purchases it is for; None for all.
        cap: The whole budget; None for a balance.
    """

    provider: str
    left: float
    label: Label | None = None
    cap: float | None = None

    def at(self, part: float) -> "Limit":
        """Return the same for a part of the budget."""
        return self if self.cap is None else replace(self, left=self.left - self.cap * (1 - part))


@dataclass(frozen=True)
class Plan:
    """The purchases that are still to be made at one account.

    Attributes:
        prices: Price of each purchase in `unit`, by its name; None if it is unknown.
        purpose: Purpose of the purchases; its cap is the run's own.
        keys: Submission keys of the purchases whose inputs are known already.
        fallbacks: Price of each fallback at the account, which may be bought beside that; None if it is unknown.
        further: Price of each further purchase of what fails, or whose file is refused or lost, as far as that may be bought again.
        shares: The part of it under the budget for a month of each label.
        gone: Amount that the parts of the run have spent already of its cap; that of `purpose` is what they have left.
        own: Amount that the run itself has spent already, of the cap of `purpose`.
    """

    account: str
    unit: str
    prices: Mapping[str, float | None]
    purpose: Purpose
    keys: Collection[str] = ()
    fallbacks: Sequence[float | None] = ()
    further: Sequence[float | None] = ()
    shares: Mapping[Label, Share] = field(default_factory=dict[Label, Share])
    gone: float = 0.0
    own: float = 0.0

    @property
    def provider(self) -> str:
        """Provider that is paid."""
        return self.account.partition("|")[0]

    @cached_property
    def cost(self) -> float:
        """Sum of the prices that are known."""
        return sum(price or 0 for price in self.prices.values())

    @property
    def known(self) -> bool:
        """True if the price of each purchase is known."""
        return None not in self.prices.values()

    @property
    def most(self) -> float | None:
        """The same with every fallback and further purchase, the upper end of the cost within the run's cap; None if it is unknown.

        Only what is planned itself is held to budgets before the first purchase, and what is bought beside it when that is bought.
        """
        prices, cap = [*self.prices.values(), *self.fallbacks, *self.further], self.purpose.cap
        if None in prices:
            return cap
        whole = sum(price or 0 for price in prices)
        return whole if cap is None else min(whole, max(cap, self.cost))

    @property
    def may_cost(self) -> bool:
        """True if anything may be bought."""
        return bool(self.prices or self.fallbacks or self.further)

    @property
    def told(self) -> str:
        """Cost of the plan, for people."""
        if self.known and self.most != self.cost:
            most = "what nobody names" if self.most is None else f"at most {priced(self.most, self.unit)}"
            beside = [word for word, some in (("fallback", self.fallbacks), ("further attempt", self.further)) if some]
            return f"{priced(self.cost, self.unit)}, and {most} with every {' and '.join(beside)}"
        if self.known:
            return f"at most {priced(self.cost, self.unit)}" if self.cost else priced(0, self.unit)
        unknown = sum(price is None for price in self.prices.values())
        return f"a price that nobody names for {unknown} of them" + (
            f", {priced(self.cost, self.unit)} for the others" if self.cost else ""
        )

    @property
    def spare(self) -> float | None:
        """Amount that the run may spend beyond the plan; None where it has no cap."""
        return None if self.purpose.cap is None else self.purpose.cap - self.cost

    def check_cap(self) -> None:
        """Check that the plan costs no more than the run's cap.

        Raises:
            BudgetError: It costs more, or there is a cap, and a price is unknown.
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
            allowed = f"that are left of {cap + self.gone:g} for this run" if self.gone else "allowed"
            raise BudgetError(
                f"{self.provider}: what is not bought yet would cost {priced(self.cost, self.unit)}, more than the {cap:g} {allowed}",
                advice=f"The dearest: {told}{more}. {LESS}",
            )

    async def check_caps(self, journal: Journal) -> None:
        """Check that the caps of the account leave as much as the plan needs; see `Money.check_plan`."""
        cost = self.cost if self.known else None
        await journal.money.check_plan(self.account, cost, self.unit, self.purpose, self.keys, self.shares)

    async def limits(self, journal: Journal, client: ProviderClient) -> list[Limit]:
        """Return everything that limits the plan: the run's cap, the caps and budgets in the journal, and the balance.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: A cap of the account is in another unit.
        """
        months = {label: share.most for label, share in self.shares.items()}
        rooms = await journal.money.rooms(self.account, self.unit, self.purpose, self.keys, months)
        found = [Limit(self.provider, 0.0 if room.unknown else room.left, room.label, room.cap) for room in rooms]
        with suppress(ApiError):  # the purchase itself raises the error
            if (left := await client.balance()) is not None:
                found.append(Limit(self.provider, left))
        return found

    async def check_balance(self, client: ProviderClient) -> None:
        """Check that the account has as much as the plan needs, where its provider tells the balance at no cost.

        Raises:
            BudgetError: The account has less.
        """
        try:
            left = await client.balance()
        except ApiError:
            return  # the purchase itself raises the error
        if left is not None and left + TOLERANCE < self.cost:
            raise BudgetError(
                f"{self.provider} has {priced(left, self.unit)} left, and the plan needs {self.cost:.10g}",
                advice="Buy credits, or plan less; then run again.",
            )


async def check_plans(journal: Journal, plans: Sequence[tuple[Plan, ProviderClient]]) -> None:
    """Check that everything that is still to be bought can be paid for, at every account, before the first purchase.

    Raises:
        BudgetError: Something cannot be paid for; the error names all such faults.
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
