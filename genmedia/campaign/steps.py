"""A campaign as a person writes it down: steps in order, of any provider, and their inputs."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import BeforeValidator, Discriminator, Tag, WrapValidator

from genmedia.forms.fields import field
from genmedia.forms.names import Name
from genmedia.providers.registry import kinds
from genmedia.providers.sources import Kinds, StepForm, Written, kept_for_the_plan

_STEPS = Kinds(tuple(kind.tag for kind in kinds()))

if TYPE_CHECKING:
    AnyStep = StepForm
else:
    AnyStep = Annotated[
        Union[tuple(Annotated[kind.form, Tag(kind.tag)] for kind in kinds())],  # noqa: UP007 # how many there are is known when it runs
        Discriminator(_STEPS.of),
        BeforeValidator(_STEPS.check),
        WrapValidator(kept_for_the_plan),
    ]
"""A step of any kind that there is."""


class Campaign(Written):
    """Steps at any of the providers, each fed by files, texts and the outputs of steps before it."""

    name: Name = field("Name", "What the whole is called in the gallery, in tags and in the names of folders.", example="launch")
    steps: list[AnyStep] = field("Steps", "In order: a step may use what those above it give.", min_length=1)
