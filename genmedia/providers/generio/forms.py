"""What people write about templates of Generio, beside a campaign's steps. This module imports little: the command line's help reads it."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from genmedia.forms.fields import field, show_plainly
from genmedia.forms.names import HOW_NAMED, FileName
from genmedia.forms.prompts import Prompt


def template_parameters() -> Any:
    """Return the form field for the parameters of a template; the usual parameters have fields of their own in it."""
    shown = {
        "quality": {
            "type": "string",
            "title": "Quality",
            "description": "Of a new model. Example: high",
            "enum": ["low", "high"],
        },
        "seed": {"type": "integer", "title": "Seed", "description": "Of a new model; -1 is any. Example: 7"},
        "polygon_count": {
            "type": "integer",
            "title": "Polygons",
            "description": "Of model_optimize: at most so many. Example: 5000",
        },
    }
    about = "What the template is told; what is left out is up to it. Others than these can be given as JSON."
    return field("Parameters", about, shown={"properties": shown}, default={})


class TemplateInput(BaseModel):
    """An input that a model is made from: a file or a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=show_plainly)

    file: FileName | None = field(
        "File",
        f"A picture or a GLB model: {HOW_NAMED} This or a text.",
        example="photos/coffee.jpg",
        default=None,
    )
    text: Prompt | None = field("Text", "What is to be made, in words. This or a file.", example="A wooden chair", default=None)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.text is None):
            raise ValueError("give either a file or a text")
        return self


class TemplateStep(BaseModel):
    """One template and its parameters; the template chooses the parameters that are left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = field("Template", "A template of Generio's list.", example="model_generate_fromimage")
    parameters: dict[str, Any] = template_parameters()
