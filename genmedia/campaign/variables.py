"""Values of a run that replace `{photo}` and `{prompt}` in its steps, so that a person need not fill in a whole chain in the form."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from genmedia.campaign.steps import AnyStep
from genmedia.errors import Fault
from genmedia.forms.validation import faults_in
from genmedia.providers.sources import Unreadable

PHOTO, PROMPT = "{photo}", "{prompt}"


def stand_in(steps: Sequence[AnyStep | Unreadable], *, photo: str, prompt: str) -> tuple[list[AnyStep | Unreadable], list[str]]:
    """Return the steps with their values filled in, and a sentence for each given value that no step asks for.

    A step that asks for a value that is not given, or is invalid with it, is returned as `Unreadable` with its faults.

    Args:
        steps: Steps as they are written: a file may be `{photo}`, and a text or a prompt may have `{prompt}` in it. A reference that is
            `{photo}` is left out if no photo is given.
        photo: Value of `{photo}`; empty for none.
        prompt: Value of `{prompt}`; empty for none.
    """
    given = {PHOTO: photo.strip(), PROMPT: prompt.strip()}
    used: set[str] = set()
    meant = [step if isinstance(step, Unreadable) else _meant(step, given, used) for step in steps]
    return meant, [
        f"the {mark[1:-1]} is not used: no step asks for {mark}" for mark, value in given.items() if value and mark not in used
    ]


def _meant(step: AnyStep, given: Mapping[str, str], used: set[str]) -> AnyStep | Unreadable:
    lacking = set[str]()
    written = step.model_dump(exclude_unset=True)
    if "references" in written and not given[PHOTO]:
        written["references"] = [one for one in written["references"] if one.get("file") != PHOTO]
    filled = _filled(written, given, used, lacking)
    if lacking:
        return Unreadable(
            step.name, tuple(Fault("", f"asks for {mark}, and no {mark[1:-1]} is given") for mark in sorted(lacking))
        )
    try:
        return type(step).model_validate(filled)
    except ValidationError as error:
        return Unreadable(step.name, tuple(faults_in(error, filled)))


def _filled(value: Any, given: Mapping[str, str], used: set[str], lacking: set[str]) -> Any:
    """Replace `{photo}` and `{prompt}` in a written value; adds those replaced to `used`, and those without a value to `lacking`."""
    if isinstance(value, dict):
        return {
            name: _told(name, one, given, used, lacking) if isinstance(one, str) else _filled(one, given, used, lacking)
            for name, one in cast("dict[str, Any]", value).items()
        }
    if isinstance(value, list):
        return [_filled(one, given, used, lacking) for one in cast("list[Any]", value)]
    return value


def _told(name: str, text: str, given: Mapping[str, str], used: set[str], lacking: set[str]) -> str:
    mark = PHOTO if name == "file" and text == PHOTO else PROMPT if name in ("text", "prompt") and PROMPT in text else ""
    if not mark:
        return text
    (used if given[mark] else lacking).add(mark)
    return text.replace(mark, given[mark])
