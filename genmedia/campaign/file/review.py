"""The field `review` of a step: what it gives goes on only where a person keeps it."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, TypeAdapter

from genmedia.forms.fields import field
from genmedia.forms.validation import found_by_us
from genmedia.providers.drafts import Approval
from genmedia.providers.sources import Written

NO_REVIEW = "should be true, or a deadline with its default, such as {deadline: 48h, default: keep}"

_TIME = "[1-9][0-9]{0,3}[mhd]"
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _is_a_time(written: str) -> str:
    if not re.fullmatch(_TIME, written):
        raise found_by_us("should be such as 48h, 90m or 3d")
    return written


class Review(Written):
    """The end of the time in which people decide."""

    deadline: Annotated[str, AfterValidator(_is_a_time)] = field(
        "Deadline", "How long people have from when a run first waits for them.", example="48h", shown={"pattern": f"^{_TIME}$"}
    )
    default: Literal["keep", "reject"] = field("Default", "The verdict that counts where nobody has given one by then.")


_YES_OR_NO = TypeAdapter(bool)


def read_review(written: Any) -> Approval | None:
    """Return what a step's `review` says; None where nobody has to keep what the step gives.

    Raises:
        ValidationError: It is neither yes or no nor a deadline with its default.
    """
    if not isinstance(written, dict):
        return Approval() if _YES_OR_NO.validate_python(written, strict=True) else None
    told = Review.model_validate(written)
    return Approval(timedelta(**{_UNITS[told.deadline[-1]]: int(told.deadline[:-1])}), told.default)
