"""The prospect of a campaign's run: what it would do, why, at what cost and in what time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from genmedia.campaign.brief import Measure
from genmedia.purchasing.budget import Foreseen, Plan


@dataclass(frozen=True)
class Prospect:
    """What a run of a campaign would do.

    Attributes:
        foreseen: Outlook of each of its steps, in their order.
        plans: What it would buy, by provider.
        why: Why each step that is bought is, or gives no file, by its name.
        edition: Edition of the campaign; empty for none.
        seconds: How long it would take; None if nothing is to buy, or if it is not known how long one of the jobs runs.
        untimed: Names of the steps of which that is not known.
        refused: Why it cannot be paid for; empty if it can.
        place: Address of the place that it would deliver to; empty where it delivers nothing.
        steps: The step of the campaign that each item is of, by the item's name; none of those whose form has no steps.
        decided: Sentences about what is done because a budget is short, or a provider cannot be reached.
        asks: What each item asks for, by its name, as a hash; an input that is not there yet counts by the item that gives it.
        warnings: Sentences about what a person should look at before it is bought.
        less: What is done without, because a budget is short: by the measure, the names of the items.
        fingerprint: Hash of all that a person agrees to; see `genmedia.campaign.planning.Planned`.
        retakes: Names of the items that are bought anew, as a person asked for a retake.
    """

    foreseen: Sequence[Foreseen]
    plans: Mapping[str, Plan]
    why: Mapping[str, str]
    edition: str
    seconds: float | None
    untimed: Sequence[str]
    refused: str
    place: str
    steps: Mapping[str, str]
    decided: Sequence[str]
    asks: Mapping[str, str]
    warnings: Sequence[str]
    less: Mapping[Measure, Collection[str]] = field(default_factory=dict[Measure, "Collection[str]"])
    fingerprint: str = ""
    retakes: Collection[str] = ()
