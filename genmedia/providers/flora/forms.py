"""What people write about techniques of FLORA: steps, and chains of them. This module imports little: the command line's help reads it."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, WrapValidator

from genmedia.forms.fields import field
from genmedia.forms.names import FileName, Name
from genmedia.providers.sources import TAKE, Address, FedBy, File, Kinds, StepForm, Text, Written, kept_for_the_plan


class _Input(Written):
    id: str = field("Input", "The technique's name for this input.", example="input_image")


class FromFile(File, _Input):
    """A picture or video on this machine, or an asset in the store."""

    model_config = ConfigDict(title="A file")


class FromUrl(Address, _Input):
    """A picture or video at an address."""

    model_config = ConfigDict(title="An address")

    url: FileName = field(
        "Address",
        "FLORA reads its own media host, Google Cloud Storage, Amazon S3 and ImageKit; from elsewhere it is fetched first.",
        example="https://storage.googleapis.com/my-bucket/cup.jpg",
    )


class FromText(Text, _Input):
    """A text, as it is."""

    model_config = ConfigDict(title="A text")


class FromStep(FedBy, _Input):
    """An output of an earlier step."""

    model_config = ConfigDict(title="A step above")


_INPUTS = Kinds(("file", "url", "text", "step"))

ChainInput = Annotated[
    Annotated[FromFile, Tag("file")]
    | Annotated[FromUrl, Tag("url")]
    | Annotated[FromText, Tag("text")]
    | Annotated[FromStep, Tag("step")],
    Discriminator(_INPUTS.of),
    BeforeValidator(_INPUTS.check),
]


class Step(StepForm):
    """One technique of FLORA and where its inputs come from."""

    model_config = ConfigDict(title="FLORA")

    technique: Name = field(
        "Technique", "The technique's name in its address, app.flora.ai/techniques/NAME.", example="studio-blur"
    )
    inputs: list[ChainInput] = field("Inputs", "One entry for each input of the technique.")
    take: int = TAKE


class Chain(Written):
    """Techniques in order, each fed by files, texts and the outputs of steps before it."""

    name: Name = field("Name", "What the whole is called in the gallery, in tags and in the names of folders.", example="coffee")
    steps: list[Annotated[Step, WrapValidator(kept_for_the_plan)]] = field(
        "Steps", "In order: a step may use what those above it give.", min_length=1
    )
