"""Steps that may be bought in the place of another: which of them it is, and when the next one's turn has come."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from genmedia.campaign.reasons import made_without
from genmedia.errors import ApiError, Fault, GenmediaError, InDoubtError, InputError, JobCancelledError, JobError
from genmedia.journal import Attempt, AttemptState
from genmedia.journal.order import Order
from genmedia.providers.drafts import Policy
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.sources import Unreadable
from genmedia.providers.steps import PlannedStep

FALLBACK, CHEAPER = "fallback", "cheaper"

_NAMED = re.compile(rf"(?P<step>[^ ]+) \((?P<instead>{FALLBACK}|{CHEAPER}) \d+\)(?P<number>.*)")
"""Name of such a step while it is planned beside the one in whose place it is bought; no name that a person gives has a space."""


def beside(policies: Mapping[str, Policy]) -> Iterator[tuple[str, str, Any]]:
    """Yield each step that may be bought in the place of another, under a name of its own, with the name of that one and its `instead`."""
    for name, policy in policies.items():
        for instead, some in ((FALLBACK, policy.fallbacks), (CHEAPER, [policy.cheaper] if policy.cheaper else [])):
            for number, step in enumerate(some, 1):
                own = f"{name} ({instead} {number})"
                named = replace(step, name=own) if isinstance(step, Unreadable) else step.model_copy(update={"name": own})
                yield name, instead, named


def joined(plan: Sequence[PlannedStep], where: Mapping[str, str]) -> list[PlannedStep]:
    """Return the plan with each such step in the one in whose place it may be bought, under its name.

    Args:
        plan: The plan, with those steps beside the others.
        where: Place of a step for faults, by its name.

    Raises:
        InputError: One does not give what is made of the step; with all such faults.
    """
    used = {(source.run, source.output) for run in plan for source in run.inputs if isinstance(source, PendingInput)}
    others = defaultdict[str, list[tuple[PlannedStep, str]]](list)
    for run in plan:
        if told := _NAMED.fullmatch(run.name):
            others[told["step"] + told["number"]].append((run, told["instead"]))
    faults: list[Fault] = []
    found: list[PlannedStep] = []
    for run in plan:
        if _NAMED.fullmatch(run.name):
            continue
        mine: list[PlannedStep] = []
        for other, instead in others.get(run.name, ()):
            aliases: dict[str, str] = {}
            for output, medium in run.operation.gives.items():
                same = [one for one, its in other.operation.gives.items() if its == medium]
                if output not in same and len(same) == 1:
                    aliases[output] = same[0]
                elif output not in same and (run.name, output) in used:
                    offer = ", ".join(f"{one} ({its})" for one, its in other.operation.gives.items()) or "nothing"
                    place = where.get(other.name, other.name)
                    faults.append(
                        Fault(place, f"does not give {output} ({medium}), of which other steps are made; it gives {offer}")
                    )
            gives = {**other.operation.gives, **{output: run.operation.gives[output] for output in aliases}}
            operation = replace(other.operation, gives=gives)
            mine.append(replace(other, name=run.name, operation=operation, instead=instead, aliases=aliases))
        found.append(replace(run, others=tuple(mine)) if mine else run)
    if faults:
        raise InputError(faults)
    return found


def swapped(run: PlannedStep, other: PlannedStep) -> PlannedStep:
    """Return the step that is bought in the place of another one, with all others of its name as its own others."""
    return replace(other, others=tuple(one for one in (run, *run.others) if one is not other))


def called(run: PlannedStep) -> str:
    """Return what people call a step's operation: `genova image imagen4`."""
    return f"{run.operation.provider} {run.operation.name}"


def stands_in(run: PlannedStep) -> str:
    """Return what a step stands in for, for people; empty where it is the step itself."""
    if not run.instead:
        return ""
    first = next((one for one in run.others if not one.instead), None)
    return called(first) if first else "what could not be asked for"


def said_of(run: PlannedStep) -> str:
    """Return the words about a step that is bought in the place of another, or is made without some; empty for any other."""
    what = "a fallback" if run.instead == FALLBACK else "a cheaper step"
    return "; ".join(filter(None, (f"{what} in place of {stands_in(run)}" if run.instead else "", made_without(run.left_out))))


class Option(NamedTuple):
    """A step that may be bought, with its order: as it is asked for, and as the marks change it."""

    run: PlannedStep
    order: Order
    wish: Order

    @property
    def keys(self) -> set[str]:
        """Keys of both orders."""
        return {self.order.key, self.wish.key}

    def answer(self, answers: Mapping[str, Attempt]) -> Attempt | None:
        """Return the attempt that answers for it; None if none does."""
        return answers.get(self.wish.key) or answers.get(self.order.key)


def in_turn(options: Sequence[Option], answers: Mapping[str, Attempt]) -> list[Option]:
    """Return those of a step's options that are to be carried out, one after the other while they fail for good.

    What is there already comes first, whichever it is; then what is under way, or may be. Else it is the first that its provider does not
    refuse to make.

    Args:
        options: The step, and those that may be bought in its place.
        answers: The attempts that answer for their orders, by key.
    """
    states = [answer.state if (answer := one.answer(answers)) else None for one in options]
    ended = None, AttemptState.CONTENT_REFUSED
    there = [number for number, state in enumerate(states) if state is AttemptState.STORED]
    open_ones = [number for number, state in enumerate(states) if state not in (*ended, AttemptState.STORED)]
    new = [
        number
        for number, one in enumerate(options)
        if (number == 0 or one.run.instead == FALLBACK) and states[number] is not AttemptState.CONTENT_REFUSED
    ]
    first = next(iter([*there, *open_ones, *new, 0]))
    return [options[first], *(options[number] for number in new if number > first)]


def may_follow(error: GenmediaError, attempt: Attempt | None) -> bool:
    """True if a step failed for good, so that its fallback may be bought: nothing that was asked for may still be paid for.

    Args:
        error: The error with which it ended.
        attempt: The attempt that answers for its order now; None if none does.
    """
    for_good = isinstance(error, ApiError | JobError) and not isinstance(error, InDoubtError | JobCancelledError)
    return for_good and (attempt is None or attempt.state is AttemptState.CONTENT_REFUSED)


def aliased(run: PlannedStep, outputs: Mapping[str, ResolvedInput]) -> Mapping[str, ResolvedInput]:
    """Return outputs of a step under the names that the step has for them in whose place it was bought, as well as under its own."""
    return {**outputs, **{theirs: outputs[own] for theirs, own in run.aliases.items() if own in outputs}}
