"""What a plan may cost, checked before anything is bought."""

from collections.abc import Mapping

from genmedia.errors import BudgetError

TOLD = 8
"""How many prices an error tells, the highest first."""


def check_budget(provider: str, prices: Mapping[str, float | None], max_credits: float | None) -> float:
    """What the purchases cost together at most, in credits.

    Args:
        provider: Who is paid.
        prices: What each purchase that is still to be made would cost, by its name; None where nobody knows.
        max_credits: The cap; None for none.

    Raises:
        BudgetError: It is more than the cap, or there is a cap and nobody knows.
    """
    cost = sum(price or 0 for price in prices.values())
    if max_credits is None or not prices:
        return cost
    if None in prices.values():
        raise BudgetError(
            f"{provider} names no price, so that nobody knows whether {max_credits:g} credits are enough",
            advice="Say in the credentials block what a job counts as while nobody says its price.",
        )
    if cost > max_credits:
        shares = sorted(((price or 0, name) for name, price in prices.items()), key=lambda share: -share[0])
        told = ", ".join(f"{name} {price:g}" for price, name in shares[:TOLD])
        more = f", {len(shares) - TOLD} more" if len(shares) > TOLD else ""
        raise BudgetError(
            f"what is not bought yet would cost {cost:g} credits, more than the {max_credits:g} allowed", advice=f"{told}{more}."
        )
    return cost
