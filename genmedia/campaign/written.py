"""What a person writes down: steps in order, and what feeds them. A misspelt field is a fault, never ignored."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WrapValidator,
    model_validator,
)

from genmedia.naming import Name
from genmedia.providers.genova import PROMPT_CHARACTERS, REFERENCES, ImageModel, Ratio, ReferenceMode, VideoModel

EVERY = "*"
"""Stands for every output of a step: the step that names it is run once for each."""


def _told_once(value: Any, check: Callable[[Any], Any]) -> Any:
    """One fault for a value that is neither, not one for each."""
    try:
        return check(value)
    except ValidationError:
        raise ValueError("should be a second of the video, 0 or more, or poster") from None


At = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["poster"], WrapValidator(_told_once)]


def _fields(value: Any) -> list[str]:
    return [str(name) for name in (cast("dict[Any, Any]", value) if isinstance(value, dict) else getattr(value, "__dict__", ()))]


class _Kinds(NamedTuple):
    """Tells the kinds in a union apart by the field that only one of them has: what is wrong is then told of this kind alone."""

    names: tuple[str, ...]

    def of(self, value: Any) -> str | None:
        """The field, which is the kind's tag as well."""
        return next((name for name in self.names if name in _fields(value)), None)

    def check(self, value: Any) -> Any:
        """The value, if it is of any of the kinds."""
        if self.of(value) is None:
            given = ", ".join(_fields(value)) or "no fields"
            raise ValueError(f"has {given}; it needs one of {', '.join(self.names)}")
        return value


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_every_field(cls, value: Any) -> Any:
        """A misspelt field is told with those that there are, and not once more as one that is missing."""
        if unknown := [name for name in _fields(value) if name not in cls.model_fields]:
            raise ValueError(f"has no field {', '.join(unknown)}; it has {', '.join(cls.model_fields)}")
        return value


class File(_Written):
    """A picture, video or model on this machine, or an asset in the store."""

    file: str = Field(
        description="Path of a picture or video, from the project's folder; or store:PATH of an asset in the store."
    )
    at: At | None = Field(
        default=None, description="Of a video: take the picture at this second of it, or poster for the one in the middle."
    )


class Text(_Written):
    """A text, as it is."""

    text: str = Field(description="The text itself.", min_length=1)


class FedBy(_Written):
    """What an earlier step gives."""

    step: Name = Field(description="Name of an earlier step.")
    output: str = Field(
        default="", description="Which of its outputs; may stay empty when there is one; * runs this step once for each output."
    )
    at: At | None = Field(
        default=None, description="Of a video: take the picture at this second of it, or poster for the one in the middle."
    )


class _Input(_Written):
    id: str = Field(description="The technique's name for this input, such as input_image or prompt.")


class FromFile(File, _Input):
    """A picture or video on this machine, or an asset in the store."""


class FromUrl(_Input):
    """A picture or video at an address that FLORA reads from."""

    url: str = Field(description="https address on FLORA's media host, Google Cloud Storage, Amazon S3 or ImageKit.")


class FromText(Text, _Input):
    """A text, as it is."""


class FromStep(FedBy, _Input):
    """What an earlier step gives."""


_INPUTS = _Kinds(("file", "url", "text", "step"))

ChainInput = Annotated[
    Annotated[FromFile, Tag("file")]
    | Annotated[FromUrl, Tag("url")]
    | Annotated[FromText, Tag("text")]
    | Annotated[FromStep, Tag("step")],
    Discriminator(_INPUTS.of),
    BeforeValidator(_INPUTS.check),
]


class Step(_Written):
    """One technique of FLORA and where its inputs come from."""

    name: Name = Field(description="A name for this step, used in later steps and in file names.")
    technique: Name = Field(description="The technique's slug, as in app.flora.ai/techniques/SLUG.")
    inputs: list[ChainInput] = Field(description="One entry for each input of the technique.")


class Chain(_Written):
    """Techniques in order, each fed by files, texts and the outputs of steps before it."""

    name: Name = Field(description="A name for the whole, used in folder names and tags.")
    steps: list[Step] = Field(min_length=1, description="In order: a step may use the outputs of those above it.")


_PICTURES = _Kinds(("file", "step"))

Picture = Annotated[
    Annotated[File, Tag("file")] | Annotated[FedBy, Tag("step")],
    Discriminator(_PICTURES.of),
    BeforeValidator(_PICTURES.check),
]

_MATERIALS = _Kinds(("file", "text", "step"))

Material = Annotated[
    Annotated[File, Tag("file")] | Annotated[Text, Tag("text")] | Annotated[FedBy, Tag("step")],
    Discriminator(_MATERIALS.of),
    BeforeValidator(_MATERIALS.check),
]


class GenovaStep(_Written):
    """One picture or video of Genova."""

    name: Name = Field(description="A name for this step, used in later steps and in file names.")
    model: ImageModel | VideoModel = Field(description="Such as imagen4 for a picture, veo3_fast for a video.")
    prompt: str = Field(min_length=1, max_length=PROMPT_CHARACTERS, description="What is to be seen; at most 500 characters.")
    ratio: Ratio | None = Field(default=None, description="landscape, portrait or square; of freepik such as 16:9.")
    quality: Literal["1K", "2K"] | None = Field(default=None, description="Of freepik: 1K or 2K.")
    references: list[Picture] = Field(
        default=[], max_length=REFERENCES, description="Up to 4 pictures that go into it: files, or what earlier steps give."
    )
    mode: ReferenceMode | None = Field(
        default=None, description="How the pictures guide: ingredients; of freepik one of the others."
    )


class GenerioStep(_Written):
    """One 3D model, by a template of Generio."""

    name: Name = Field(description="A name for this step, used in later steps and in file names.")
    template: str = Field(description="Such as model_generate_fromimage, model_generate_fromprompt, model_optimize.")
    input: Material = Field(description="What it is made from: a file, a text, or what an earlier step gives.")
    parameters: dict[str, Any] = Field(default={}, description="Such as quality, seed, texture, polygon_count.")


class AlgoveraStep(_Written):
    """One picture of Algovera."""

    name: Name = Field(description="A name for this step, used in later steps and in file names.")
    base_model: str = Field(description="Such as dalle or stable; `genmedia providers` lists them.")
    prompt: str = Field(min_length=1, description="What is to be seen.")
    seed: int | None = Field(default=None, description="The same seed gives the same again.")
    width: int | None = Field(default=None, description="In pixels; left to Algovera when empty.")
    height: int | None = Field(default=None, description="In pixels; left to Algovera when empty.")


_STEPS = _Kinds(("model", "template", "base_model", "technique"))

AnyStep = Annotated[
    Annotated[Step, Tag("technique")]
    | Annotated[GenovaStep, Tag("model")]
    | Annotated[GenerioStep, Tag("template")]
    | Annotated[AlgoveraStep, Tag("base_model")],
    Discriminator(_STEPS.of),
    BeforeValidator(_STEPS.check),
]


class Campaign(_Written):
    """Steps at any of the providers, each fed by files, texts and the outputs of steps before it."""

    name: Name = Field(description="A name for the whole, used in folder names and tags.")
    steps: list[AnyStep] = Field(min_length=1, description="In order: a step may use the outputs of those above it.")
