"""Parts that the forms of all steps share, and the sources of their inputs. A misspelt field is a fault, never ignored."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from genmedia.errors import Fault
from genmedia.forms.fields import field, show_plainly
from genmedia.forms.names import HOW_NAMED, FileName, Name
from genmedia.forms.prompts import Prompt
from genmedia.forms.validation import Reading, faults_in, found_by_us, told_again

EVERY = "*"
"""Stands for every output of a step: the step that names it is run once for each."""


def _told_once(value: Any, check: Callable[[Any], Any]) -> Any:
    """Report one fault for a value that fits no choice, not one fault for each choice."""
    try:
        return check(value)
    except ValidationError:
        raise ValueError("should be a second of the video, 0 or more, poster or last") from None


At = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False, title="At a second")]
    | Annotated[Literal["poster"], Field(title="In the middle")]
    | Annotated[Literal["last"], Field(title="The last one")],
    WrapValidator(_told_once),
]


def _fields(value: Any) -> list[str]:
    return [str(name) for name in (cast("dict[Any, Any]", value) if isinstance(value, dict) else getattr(value, "__dict__", ()))]


class Kinds(NamedTuple):
    """Tells the kinds in a union apart by the field that only one of them has: faults are then reported for this kind only."""

    names: tuple[str, ...]

    def of(self, value: Any) -> str | None:
        """Return the field of the value's kind, which is its tag as well; None for a value of no kind."""
        return next((name for name in self.names if name in _fields(value)), None)

    def check(self, value: Any) -> Any:
        """Return the value, if it is of one of the kinds; else raise ValueError."""
        if self.of(value) is None:
            given = ", ".join(_fields(value)) or "no fields"
            raise ValueError(f"has {given}; it needs one of {', '.join(self.names)}")
        return value


class Written(BaseModel):
    """Base of the forms that people write: an unknown field is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=show_plainly)

    @model_validator(mode="wrap")
    @classmethod
    def _knows_every_field(cls, value: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        """Report a misspelt field with the fields that exist, and not once more as a missing field; report other faults beside it."""
        unknown = [name for name in _fields(value) if name not in cls.model_fields]
        if not unknown:
            return check(value)
        told = found_by_us(f"is no field; there are {', '.join(cls.model_fields)}")
        faults = [InitErrorDetails(type=told, loc=(name,), input=value) for name in unknown]
        try:
            check({name: one for name, one in cast("dict[str, Any]", value).items() if name not in unknown})
        except ValidationError as error:
            misspelt = {near for name in unknown for near in get_close_matches(name, cls.model_fields, n=1)}
            faults += [told_again(one) for one in error.errors() if one["type"] != "missing" or one["loc"][0] not in misspelt]
        raise ValidationError.from_exception_data(cls.__name__, faults)


_AT = field(
    "Picture of a video",
    "Of a video: the picture at this second of it, poster for the one in the middle, or last.",
    example=1.5,
    default=None,
)


class File(Written):
    """A picture, video or model on this machine, or an asset in the store."""

    file: FileName = field(
        "File",
        f"A picture, a video or a model: {HOW_NAMED} {{photo}} stands for the photo of the run.",
        example="photos/coffee.jpg",
    )
    at: At | None = _AT


class Text(Written):
    """A text, as it is."""

    text: Prompt = field(
        "Text",
        "The text itself; {prompt} in it stands for the prompt of the run.",
        example="A slow push towards the cup",
        min_length=1,
    )


class Address(Written):
    """A file at an address."""

    url: FileName = field("Address", "Where the file is.", example="https://storage.googleapis.com/my-bucket/cup.jpg")


class FedBy(Written):
    """An output of an earlier step."""

    step: Name = field("Step", "Name of a step above this one.", example="relight")
    output: str = field(
        "Output",
        "Which of that step's outputs; empty where it has one. * runs this step once for each.",
        example="output_image",
        default="",
    )
    at: At | None = _AT


PICTURES = Kinds(("file", "step"))

Picture = Annotated[
    Annotated[File, Tag("file")] | Annotated[FedBy, Tag("step")],
    Discriminator(PICTURES.of),
    BeforeValidator(PICTURES.check),
]


@dataclass(frozen=True)
class Unreadable:
    """A step with faults in its form, kept so that they are reported with those of the plan.

    Attributes:
        name: Name of the step, for the steps that it feeds; empty where it cannot be read.
    """

    name: str
    faults: tuple[Fault, ...]


def kept_for_the_plan(value: Any, check: Callable[[Any], Any], info: ValidationInfo) -> Any:
    """Return the value as `check` gives it; `Unreadable` where it has faults and the steps will be planned: the plan reports them."""
    try:
        return check(value)
    except ValidationError as error:
        if not (isinstance(info.context, Reading) and info.context.plans):
            raise
        name = cast("dict[str, Any]", value).get("name") if isinstance(value, dict) else None
        try:
            name = FedBy.model_validate({"step": name}).step
        except ValidationError:
            name = ""
        return Unreadable(name, tuple(faults_in(error, value)))


class StepForm(Written):
    """The fields that every kind of step has."""

    if TYPE_CHECKING:
        take: int  # the last field of every form

    name: Name = field("Name", "What this step is called in the steps below it and in the names of files.", example="relight")


TAKE = field("Take", "2, 3 and so on ask for the same once more; leave it at 1 otherwise.", example=2, default=1, ge=1)


Source = File | Text | Address | FedBy
"""Source of an input of a step, as it is written."""
