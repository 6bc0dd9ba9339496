"""Parts of a campaign: a plan of thousands of steps is cut into parts, each of which is carried out by a run of its own."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from genmedia.errors import Fault, InputError
from genmedia.providers.steps import PlannedStep
from genmedia.purchasing.budget import Plan


class Part(BaseModel):
    """One part of a plan.

    Attributes:
        number: Its number, from 1.
        of: Number of parts of the whole plan.
        size: Number of steps that a part was cut for.
        begun: Time for which the whole is; see `genmedia.campaign.host.Host`.
        digest: SHA-256 of its orders: whoever carries it out has planned the same.
        caps: The most that its run may spend at each provider, in the unit of the prices there; None for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    of: int
    size: int
    begun: datetime
    digest: str
    caps: dict[str, float | None]

    def __str__(self) -> str:
        return f"part {self.number} of {self.of}"


def cut(plan: Sequence[PlannedStep], size: int, keys: Mapping[str, str] = MappingProxyType({})) -> list[list[PlannedStep]]:
    """Cut a plan into parts of at most `size` steps, evenly where that can be. Steps that belong together stay so, however many.

    Those do that feed each other, or ask for the same, which is bought once: by `keys`, see `digest`.
    """
    share = -(-len(plan) // -(-len(plan) // size)) if plan else size
    parts: list[list[PlannedStep]] = []
    for group in _together(plan, keys):
        if not parts or len(parts[-1]) + len(group) > share:
            parts.append([])
        parts[-1] += group
    return parts


def _together(plan: Sequence[PlannedStep], keys: Mapping[str, str]) -> Collection[list[PlannedStep]]:
    """Return the steps in groups that have nothing to do with each other; both in the order of the plan, where feeders come first."""
    first: dict[str, str] = {}  # a step of the same group that comes before it; of the first one, itself
    asked: dict[str, str] = {}  # the first step with a key

    def first_of(name: str) -> str:
        while first[name] != name:
            first[name] = name = first[first[name]]
        return name

    for step in plan:
        first[step.name] = step.name
        same = asked.setdefault(keys[step.name], step.name) if keys else step.name
        for other in (*step.feeds, same):
            first[first_of(step.name)] = first_of(other)
    groups = defaultdict[str, list[PlannedStep]](list)
    for step in plan:
        groups[first_of(step.name)].append(step)
    return groups.values()


def digest(steps: Sequence[PlannedStep], keys: Mapping[str, str]) -> str:
    """Return the digest of a part.

    Args:
        steps: Its steps.
        keys: Submission key of each step of the plan, by name; see `genmedia.campaign.executor.first_orders`.
    """
    return hashlib.sha256("\n".join(f"{step.name} {keys[step.name]}" for step in steps).encode()).hexdigest()


def parts_to_buy(
    plan: Sequence[PlannedStep],
    size: int,
    begun: datetime,
    keys: Mapping[str, str],
    to_buy: Collection[str],
    plans: Mapping[str, Plan],
) -> list[Part]:
    """Return the parts in which there is something to buy; none where one run buys all of it.

    Each gets what its purchases cost and its share of what the run may spend beyond its plan, so that all together keep to the cap of the
    whole.

    Args:
        plan: Steps of the whole.
        size: Most steps of a part.
        begun: Time for which the whole is.
        keys: See `digest`.
        to_buy: Names of the steps that are not bought yet.
        plans: What is to be bought, by provider.
    """
    if len(to_buy) <= size:
        return []
    parts = cut(plan, size, keys)
    found: list[Part] = []
    for number, steps in enumerate(parts, 1):
        if mine := [step.name for step in steps if step.name in to_buy]:
            caps = {provider: _share(one, mine, len(mine) / len(to_buy)) for provider, one in plans.items()}
            of = digest(steps, keys)
            found.append(Part(number=number, of=len(parts), size=size, begun=begun, digest=of, caps=caps))
    return found if len(found) > 1 else []


def _share(plan: Plan, names: Collection[str], share: float) -> float | None:
    """Return the cap of a part: the price of what it buys and this share of what the cap of the whole leaves."""
    if plan.purpose.cap is None:
        return None
    costs = {name: price or 0 for name, price in plan.prices.items()}
    left = plan.purpose.cap - plan.own - sum(costs.values())
    return sum(costs.get(name, 0) for name in names) + max(left, 0) * share


def steps_of(part: Part, plan: Sequence[PlannedStep], keys: Mapping[str, str]) -> list[PlannedStep]:
    """Return the steps of a part of a plan.

    Raises:
        InputError: The plan is not the one that was cut: a file, a template or a technique is another one now.
    """
    parts = cut(plan, part.size, keys)
    if len(parts) == part.of and digest(steps := parts[part.number - 1], keys) == part.digest:
        return steps
    raise InputError([Fault(str(part), "what it was cut from has changed since; run the whole again")])
