"""A campaign as a person writes it down: steps in order, of any kind, and their inputs."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import BeforeValidator, Discriminator, Tag, WrapValidator

from genmedia.forms.fields import field
from genmedia.forms.names import Name
from genmedia.providers.registry import kinds
from genmedia.providers.sources import Kinds, StepForm, Written, kept_for_the_plan

_STEPS = Kinds(tuple(kind.tag for kind in kinds()))
_FORMS = {word: form for kind in kinds() for word, form in kind.forms.items()}


def _form_of(value: Any) -> str | None:
    """Return the word that tells the form of a step apart from all others; None for a step of no kind."""
    tag = _STEPS.of(value)
    if tag is None or tag in _FORMS:
        return tag
    return f"{tag}: {value[tag] if isinstance(value, dict) else getattr(value, tag)}"


def _check(value: Any) -> Any:
    """Return the value, if it is a step of one of the kinds; else raise ValueError."""
    word = _form_of(_STEPS.check(value))
    if word not in _FORMS:
        tag, _, given = str(word).partition(": ")
        offer = [one.partition(": ")[2] for one in _FORMS if one.startswith(f"{tag}: ")]
        near = get_close_matches(given, offer, n=1)
        mend = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"asks for {tag} {given!r}, and can ask for {', '.join(offer)}{mend}")
    return value


if TYPE_CHECKING:
    AnyStep = StepForm
else:
    AnyStep = Annotated[
        Union[tuple(Annotated[form, Tag(word)] for word, form in _FORMS.items())],  # noqa: UP007 # how many there are is known when it runs
        Discriminator(_form_of),
        BeforeValidator(_check),
        WrapValidator(kept_for_the_plan),
    ]
"""A step of any kind that there is."""


class Campaign(Written):
    """Steps at any of the providers, each fed by files, texts and the outputs of steps before it."""

    name: Name = field("Name", "What the whole is called in the gallery, in tags and in the names of folders.", example="launch")
    steps: list[AnyStep] = field("Steps", "In order: a step may use what those above it give.", min_length=1)
