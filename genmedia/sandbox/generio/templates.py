"""Generio's templates: what they take, how they are set, and what the sandbox makes of their inputs."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from genmedia.sandbox.drawing import models
from genmedia.sandbox.drawing.models import Brief

GLB = "model/gltf-binary"
TEXT = "text/plain"

_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,(.*)", re.DOTALL)
_SAME = {"image/jpg": "image/jpeg"}
_BEGINNINGS = {
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/jpeg": rb"\xff\xd8\xff",
    "image/tiff": rb"II\*\0|MM\0\*",
    "image/webp": rb"RIFF....WEBP",
    GLB: rb"glTF",
}
_TYPES = {str: "string", int: "integer", bool: "boolean"}


class Parameters(BaseModel):
    """The parameters of a template; each knows its default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    def brief(self, template: models.Template, source: bytes | str, chance: int) -> Brief:
        """What the renderer is to make of an input; `chance` is the seed where the caller wants any."""
        raise NotImplementedError


class Generating(Parameters):
    """How a new model is made; the seed -1 is any, and another one for each flow."""

    quality: Literal["low", "high"] = "high"
    seed: int = -1
    texture: bool = True

    def brief(self, template: models.Template, source: bytes | str, chance: int) -> Brief:
        """A new model."""
        seed = chance if self.seed == -1 else self.seed
        return Brief(template, source, seed, fine=self.quality == "high", texture=self.texture)


class Optimizing(Parameters):
    """How far a model is reduced."""

    polygon_count: int = Field(default=100_000, ge=1)

    def brief(self, template: models.Template, source: bytes | str, chance: int) -> Brief:  # noqa: ARG002 -- nothing is left to chance
        """A lighter model."""
        return Brief(template, source, polygon_count=self.polygon_count)


@dataclass(frozen=True)
class NamedInput:
    """One of several inputs of a template, which an upload names in its `additional`: `{"input": id}`."""

    id: str
    required: bool = True


class WrongInputError(ValueError):
    """The data is not what the template takes; the message says why."""


@dataclass(frozen=True)
class Template:
    """One way to make models.

    Attributes:
        name: By which a flow names it, as it may by its id.
        description: What it does.
        parameters: What can be set.
        input_types: Media types that it takes.
        inputs: What it makes one output of; empty where each input leads to an output of its own.
    """

    name: models.Template
    description: str
    parameters: type[Parameters]
    input_types: tuple[str, ...]
    inputs: tuple[NamedInput, ...] = ()

    @property
    def id(self) -> str:
        """24 hexadecimal digits, the same at every start."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:24]

    def show(self) -> dict[str, Any]:
        """The template as the API lists it."""
        shown: list[dict[str, Any]] = []
        for name, field in self.parameters.model_fields.items():
            values = get_args(field.annotation)
            one = {"name": name, "type": _TYPES[type(field.default)], "default": field.default}
            shown.append(one | {"values": list(values)} if values else one)
        named = [{"id": each.id, "types": list(self.input_types), "required": each.required} for each in self.inputs]
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "parameters": shown,
            "input_types": list(self.input_types),
            "output_types": [GLB],
            **({"inputs": named} if named else {}),
        }

    def check_name(self, additional: Any) -> None:
        """See that an upload names one of the inputs, where these have names.

        Raises:
            WrongInputError: It names none of them.
        """
        if self.inputs and input_named(additional) not in {each.id for each in self.inputs}:
            message = (
                f'{self.name} takes {", ".join(each.id for each in self.inputs)}; additional should be {{"input": one of them}}'
            )
            raise WrongInputError(message)

    def missing(self, additionals: Iterable[Any]) -> list[str]:
        """The inputs that it needs and that no upload names; each may be named once."""
        given = [input_named(each) for each in additionals]
        return [each.id for each in self.inputs if given.count(each.id) > 1 or (each.required and each.id not in given)]

    def read(self, data: str, *, plain_base64: bool) -> tuple[str, bytes | str]:
        """The media type and the content of an input.

        Args:
            data: A data URI with base64, or for a prompt the plain text.
            plain_base64: Whether a file may also come as base64 without the data URI around it.

        Raises:
            WrongInputError: It is neither, or of a type that the template does not take.
        """
        found = _DATA_URI.fullmatch(data)
        if found is None and TEXT in self.input_types:
            media_type, content = TEXT, data.encode()
        elif found is None:
            if not plain_base64:
                message = "Data should be a data URI: data:<media type>;base64,<...>"
                raise WrongInputError(message)
            content = _decoded(data)
            media_type = next((name for name, start in _BEGINNINGS.items() if re.match(start, content, re.DOTALL)), "unknown")
        else:
            media_type, content = found[1].lower(), _decoded(found[2])
        media_type = _SAME.get(media_type, media_type)
        if media_type not in self.input_types:
            message = f"{self.name} takes {', '.join(self.input_types)}, not {media_type}"
            raise WrongInputError(message)
        if not content.strip():
            message = "Data should not be empty"
            raise WrongInputError(message)
        return media_type, _text(content) if media_type == TEXT else content


def input_named(additional: Any) -> str | None:
    """The name of the input that an upload's `additional` says it is."""
    name: Any = cast("dict[str, Any]", additional).get("input") if isinstance(additional, dict) else None
    return name if isinstance(name, str) else None


_PICTURES = ("image/png", "image/jpeg", "image/tiff", "image/webp")

TEMPLATES = (
    Template("model_generate_fromprompt", "Generates a 3D model from a text prompt.", Generating, (TEXT,)),
    Template(
        "model_generate_fromimage",
        "Generates a 3D model from an image.",
        Generating,
        _PICTURES,
    ),
    Template("model_optimize", "Reduces the polygon count of a 3D model.", Optimizing, (GLB,)),
)


NAMED_INPUTS = Template(
    "model_generate_fromviews",
    "Generates a 3D model from a picture of its front and one of its back.",
    Generating,
    _PICTURES,
    (NamedInput("front"), NamedInput("back", required=False)),
)
"""No document shows a template that makes one output of several inputs: how it tells of them is the sandbox's choice, behind a switch."""


def template_named(name: str, offered: Iterable[Template]) -> Template | None:
    """The one of the templates that has that name or id."""
    return next((each for each in offered if name in {each.name, each.id}), None)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        message = "Data should be valid base64"
        raise WrongInputError(message) from None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        message = "A prompt should be UTF-8"
        raise WrongInputError(message) from None
