"""Shortage: what of a plan comes under a budget, a cap or a balance that does not suffice, and what of it can be paid for."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from genmedia.campaign.brief import Measure
from genmedia.journal import TOLERANCE
from genmedia.purchasing.budget import Limit

OVER_BUDGET = "over the budget; a later run buys it"
"""Why something is left to a later run."""

Less = Mapping[Measure, frozenset[str]]
"""What a run does without because a budget is short: by measure, the names of the steps for which it was taken."""


@dataclass(frozen=True)
class Wanted:
    """A purchase that is planned.

    Attributes:
        price: Its price; None if it is unknown, which no limit leaves room for.
        labels: Its labels.
        feeds: Names of the purchases that it is made of.
    """

    name: str
    provider: str
    price: float | None
    labels: Mapping[str, str]
    feeds: Collection[str]

    def is_under(self, limit: Limit) -> bool:
        """True if a limit counts it."""
        name, value = limit.label or ("", None)
        return self.provider == limit.provider and self.labels.get(name) == value


def short(limits: Sequence[Limit], wanted: Sequence[Wanted]) -> set[str]:
    """Return the names of all purchases that come under a limit which does not suffice for what comes under it."""
    found: set[str] = set()
    for limit in limits:
        under = [one for one in wanted if one.is_under(limit)]
        if under and sum(_cost(one) for one in under) > limit.left + TOLERANCE:
            found |= {one.name for one in under}
    return found


def beyond(limits: Sequence[Limit], wanted: Sequence[Wanted]) -> set[str]:
    """Return the names of the purchases for which nothing is left, each being paid for in its turn, and of those made of them."""
    spent = defaultdict[Limit, float](float)
    found: set[str] = set()
    for one in wanted:
        mine = {limit for limit in limits if one.is_under(limit)}
        if not found.isdisjoint(one.feeds) or any(spent[limit] + _cost(one) > limit.left + TOLERANCE for limit in mine):
            found.add(one.name)
            continue
        for limit in mine:
            spent[limit] += _cost(one)
    return found


def _cost(one: Wanted) -> float:
    return inf if one.price is None else one.price
