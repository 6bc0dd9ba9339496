"""What people write about jobs of Genova, beside the steps of a campaign. This module imports little: the command line's help reads it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from genmedia.forms.fields import field
from genmedia.forms.names import HOW_NAMED, FileName
from genmedia.forms.prompts import Prompt

FlowImageModel = Literal["nano_banana2", "nano_banana_pro", "imagen4"]
VideoModel = Literal["veo3_fast", "veo3_quality", "veo2_fast"]
ImageModel = Literal[FlowImageModel, "freepik"]
Model = Literal[ImageModel, VideoModel]
FlowRatio = Literal["landscape", "portrait", "square"]
FreepikRatio = Literal["1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"]
Ratio = Literal[FlowRatio, FreepikRatio]
ReferenceMode = Literal["ingredients", "style", "character", "element", "color", "effects", "camera"]

REFERENCES = 4
"""Most references of a job."""

COPIES = 20
"""Most copies of one image. An order counts copies as takes: the next take of an image is so many takes later."""


class ReferenceSet(BaseModel):
    """Pictures that guide a job together, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[FileName] = field(
        "Pictures",
        f"1 to {REFERENCES} of them: {HOW_NAMED}",
        example="photos/coffee.jpg",
        min_length=1,
        max_length=REFERENCES,
    )
    mode: ReferenceMode = field(
        "How they guide",
        "ingredients puts what they show into the picture; every model but freepik knows that one only. The others are for freepik, which "
        "does not know ingredients.",
        default="ingredients",
    )


class Shot(BaseModel):
    """One video to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Prompt = field("Prompt", "What is to be seen, at most 500 characters.", example="Steam rises from a cup of coffee")
    model: VideoModel = field(
        "Model", "veo2_fast for drafts, veo3_fast for most, veo3_quality for the final cut.", default="veo3_fast"
    )
    ratio: FlowRatio = field("Shape", "landscape is 16:9, portrait 9:16.", default="landscape")
    references: list[FileName] = field(
        "References",
        f"Up to {REFERENCES} pictures that go into it: {HOW_NAMED}",
        example="photos/coffee.jpg",
        default=[],
        max_length=REFERENCES,
    )
