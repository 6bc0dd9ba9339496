"""Fields of a step in a campaign's file that say what is done about its purchases; no provider's form has them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genmedia.campaign.brief import OnFailure
from genmedia.forms.fields import field, show_plainly
from genmedia.forms.validation import faults_in
from genmedia.journal.order import Doubt
from genmedia.providers.drafts import Policy
from genmedia.providers.registry import kinds

FALLBACK, CHEAPER = "fallback", "cheaper"
_OTHER_STEP: dict[str, Any] = {"type": "object", "minProperties": 1}


class StepPolicy(BaseModel):
    """The fields that are the same for all items of a step."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=show_plainly)

    attempts: int | None = field(
        "Attempts", "How often each is tried in all when its job fails at the provider.", example=2, default=None, ge=1, le=5
    )
    deadline: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = field(
        "Deadline",
        "How long a job may wait for its start, and how long it may then run, in minutes. It stays bought: a later run takes it up.",
        example=20,
        default=None,
    )
    on_failure: OnFailure | None = field(
        "When one fails", "stop: nothing more is begun, of any step. continue: what does not depend on it is.", default=None
    )
    if_in_doubt: Doubt | None = field(
        "When in doubt",
        "hold, resubmit or abandon, as in the credentials block, where it is not known whether it was bought.",
        default=None,
    )
    if_refused: Literal["fail", "buy again", "go on"] | None = field(
        "When a file is refused",
        "fail, buy again or go on, as in the store's block, where a file is not what it should be and is kept in quarantine.",
        default=None,
    )


POLICY = (*StepPolicy.model_fields, FALLBACK, CHEAPER)
"""All fields of a step that are its policy."""


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema of these fields, by their names."""
    told = "Fields that take the place of this step's, or a whole step of another kind."
    fallback = {
        "title": "Fallback",
        "description": f"What is bought in its place once it failed for good, one after the other. {told}",
        "anyOf": [_OTHER_STEP, {"type": "array", "items": _OTHER_STEP, "minItems": 1, "maxItems": 5}],
    }
    cheaper = {
        "title": "Cheaper",
        "description": f"What is bought in its place where the budget is short, and when_short says cheaper model. {told}",
        **_OTHER_STEP,
    }
    own = StepPolicy.model_json_schema()
    in_doubt = {"type": "string", "enum": own["$defs"]["Doubt"]["enum"]}
    del own["properties"]["if_in_doubt"]["$ref"]
    return {**own["properties"], "if_in_doubt": own["properties"]["if_in_doubt"] | in_doubt, FALLBACK: fallback, CHEAPER: cheaper}


def read_policy(written: Mapping[str, Any]) -> tuple[Policy | None, list[tuple[str, str]]]:
    """Return what a step says about its purchases, without its other steps; None where it says nothing. And each fault, with its field."""
    given = {name: value for name, value in written.items() if name in StepPolicy.model_fields}
    faults: list[tuple[str, str]] = []
    read = StepPolicy()
    try:
        read = StepPolicy.model_validate(given)
    except ValidationError as error:
        faults += [(one.place, one.what) for one in faults_in(error, given)]
    if FALLBACK in written and not _are_steps(_listed(written[FALLBACK])):
        faults.append((FALLBACK, "should be fields of another step, such as {model: imagen4}, or a list of at most 5"))
    if CHEAPER in written and not _are_steps([written[CHEAPER]]):
        faults.append((CHEAPER, "should be fields of another step, such as {model: imagen4}"))
    return Policy(**dict(read)) if written.keys() & {*POLICY} else None, faults


def other_steps(written: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields of each other step that may be bought in the place of one, with the name of the field that it stands in.

    Those of one at the same kind of step take the place of its own fields; one of another kind stands for itself.
    """
    tags = {kind.tag for kind in kinds()}
    own = {name: value for name, value in written.items() if name not in POLICY}
    for name in (FALLBACK, CHEAPER):
        for other in _listed(written.get(name, [])):
            yield name, other if (tags & other.keys()) - own.keys() else {**own, **other}


def _listed(written: Any) -> list[Any]:
    return cast("list[Any]", written) if isinstance(written, list) else [written]


def _are_steps(some: list[Any]) -> bool:
    fields = [cast("dict[str, Any]", one) for one in some if isinstance(one, dict)]
    return 0 < len(some) == len(fields) <= 5 and all(one and not one.keys() & {"name", "if", "takes", *POLICY} for one in fields)
