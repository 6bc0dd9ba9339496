"""Budgets of a campaign's file: for the run, by provider; for a month, by label; and what is done where they are short."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from genmedia.campaign.brief import Measure
from genmedia.campaign.file.source import Source
from genmedia.campaign.forms.accounts import Caps
from genmedia.errors import Fault
from genmedia.forms.fields import field
from genmedia.forms.names import LabelName
from genmedia.forms.validation import faults_in

BUDGET = "budget"
"""The field of a file that has its budgets."""

_IN_PARAMETERS = ("max_credits", "max_usd")


class Early(BaseModel):
    """A measure that is taken before a budget is spent."""

    model_config = ConfigDict(extra="forbid")

    at: Annotated[
        str, Field(pattern=r"^[1-9][0-9]? ?%$", title="At", description="Part of the budget from which on it is taken.")
    ]
    do: Measure = field("Do", "The measure.")


_AMOUNT = Annotated[float, Field(ge=0, allow_inf_nan=False)]

if TYPE_CHECKING:

    class Amounts(Caps):
        """Most that may be paid: by provider, in its own credits, and in USD where a provider names its prices in that."""

        usd: float | None

    class Budget(Amounts):
        """Budgets of a campaign's file."""

        per: dict[str, float | Amounts]
        when_short: list[Measure | Early]
else:
    Amounts = create_model(
        "Amounts",
        __doc__="Most that may be paid: by provider, in its own credits, and in USD where a provider names its prices in that.",
        __base__=Caps,
        usd=(
            float | None,
            field("USD", "Where a provider names its prices in USD.", example=3, default=None, ge=0, allow_inf_nan=False),
        ),
    )
    _PER = field(
        "For a month, by label",
        "Most that all runs of all campaigns may spend in a calendar month for the value that a label has here: a number of credits at each "
        "provider, or amounts by provider and in USD.",
        example="{client: 500}",
        default_factory=dict,
    )
    _WHEN_SHORT = field(
        "When it is short",
        "In the order in which it is done: fewer takes, cheaper model (of steps that name one as cheaper), pause (what fits is bought, and "
        "the rest is left to a later run); {at: 80%, do: fewer takes} from that part of the budget on. Without it nothing is bought where "
        "not everything can be.",
        example="[fewer takes, pause]",
        default_factory=list,
    )
    Budget = create_model(
        "Budget",
        __doc__="Most that a run may pay: by provider, in its own credits, and in USD where a provider names its prices in that.",
        __base__=Amounts,
        per=(dict[LabelName, _AMOUNT | Amounts], _PER),
        when_short=(list[Measure | Early], _WHEN_SHORT),
    )


def read_budget(source: Source, labels: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return the parameters of a run that a file's budget stands for, of those of a brief; and everything that is wrong with it.

    Args:
        source: The file.
        labels: The labels of its purchases.
    """
    written = source.value.get(BUDGET)
    if written is None:
        return {}, []
    place = source.place((BUDGET,))
    try:
        budget = Budget.model_validate(written)
    except ValidationError as error:
        return {}, [
            Fault(source.place((BUDGET, *one.place.split(", ")), one.place), one.what) for one in faults_in(error, written)
        ]
    faults = [
        Fault(source.place((one,)), f"says again what {BUDGET} says; leave it out, as {BUDGET} is the newer word")
        for one in _IN_PARAMETERS
        if one in source.value
    ]
    for name in budget.per:
        if name not in labels:
            known = ", ".join(labels) or "none"
            what = f"names the label {name}, which its labels do not have; there are {known}: write labels: {{{name}: …}}"
            faults.append(Fault(source.place((BUDGET, "per", name), f"per, {name}"), what))
    measures = [(one.do, int(one.at.rstrip(" %")) / 100) if isinstance(one, Early) else (one, 1.0) for one in budget.when_short]
    faults += [Fault(place, f"when_short names {one} twice") for one in sorted(_twice([do for do, _ in measures]))]
    providers = list(Caps.model_fields)
    run = budget.model_dump(include=set(providers))
    monthly = {
        name: one.model_dump() if isinstance(one, Amounts) else dict.fromkeys(providers, one) for name, one in budget.per.items()
    }
    return {"max_credits": Caps(**run), "max_usd": budget.usd, "monthly": monthly, "when_short": measures}, faults


def _twice(some: Collection[str]) -> set[str]:
    return {one for one in some if list(some).count(one) > 1}
