"""Runs of Generio templates: every input through the same steps, each step fed with the model that the one before gave."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from genmedia.errors import Fault, InputError, NotFoundError
from genmedia.forms.fields import field, show_plainly
from genmedia.forms.names import Place, placed, slug
from genmedia.forms.prompts import Prompt
from genmedia.jobs.job import Account
from genmedia.journal import StoredAsset
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.conversion import TYPES, conversion, converted
from genmedia.providers.generio.client import UNIT, Template, check_request, data_uri, input_additional
from genmedia.store import Store
from genmedia.store.named_files import HOW_NAMED, FileName, Files, NamedFile, look_at


class TemplateInput(BaseModel):
    """What a model is made from: a file or a text."""

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


def template_parameters() -> Any:
    """The field for what a template is told; the usual ones have fields of their own in forms."""
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


class TemplateStep(BaseModel):
    """One template, and what it is told; what is left out is up to the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = field("Template", "A template of Generio's list.", example="model_generate_fromimage")
    parameters: dict[str, Any] = template_parameters()


@dataclass(frozen=True)
class Material:
    """What goes into a flow: a text, or a file with its hash and type.

    Attributes:
        file: On this machine; of an asset, its path below the store's root until it is `at_hand`.
        sha256: The file's.
        origin: Where it comes from, for people.
        preparation: What is done to the file before it is sent.
        asset: The file as an asset of the store, where it is one.
    """

    media_type: str
    text: str = ""
    file: Path | None = None
    sha256: str = ""
    origin: str = ""
    preparation: str = "none"
    asset: StoredAsset | None = None

    async def why_not(self, store: Store) -> str:
        """Why an asset cannot go into a flow: it was removed for good, or changed since it was stored; empty where it can."""
        if self.asset is None:
            return ""
        return (
            f"{self.origin} {self.asset.gone}" if self.asset.gone else await store.why_changed(self.asset.path, self.asset.sha256)
        )

    @asynccontextmanager
    async def at_hand(self, store: Store) -> AsyncGenerator["Material"]:
        """With the file on this machine, as it is sent, for as long as this block lasts.

        Raises:
            InputError: It is an asset that cannot go into a flow, or no picture can be made of it.
        """
        if self.asset is not None:
            if why := await self.why_not(store):
                error = InputError([Fault(self.origin, why)])
                error.money = "Nothing was bought for this step."
                raise error
            yield replace(self, file=await store.files.copy(self.asset.path))
        elif self.file is not None and self.preparation != "none":
            async with converted(self.file, self.preparation, store.max_bytes, self.origin) as file:
                yield replace(self, file=file)
        else:
            yield self


def given_as(material: Material) -> dict[str, Any]:
    """How an input stands in an order's request: a text as it is, a file by hash."""
    return {"text": material.text} if material.file is None else {"file": media_reference(material.sha256, material.preparation)}


def flow_order(
    account: Account, step: TemplateStep, inputs: Sequence[Mapping[str, Any]], price: float | None, take: int
) -> Order:
    """The wish for a flow, with its inputs as `given_as` gives them, and with their ids where they are several."""
    request = {"template": step.template, "parameters": step.parameters, "inputs": list(inputs)}
    return Order(account, f"template {step.template}", request, price, UNIT, take)


def flow_input(given: Mapping[str, Any], material: Material) -> tuple[str, Any]:
    """An input of an order's request as it is sent: its data, a text or a data URI, and what tells it from others of its flow.

    Args:
        given: A text, or a file that is named by hash and preparation.
        material: That file, at hand.

    Raises:
        ValueError: It is another file.
    """
    label = input_additional(given["id"]) if "id" in given else material.sha256 or "text"
    if "text" in given:
        return given["text"], label
    if material.file is None or given["file"] != media_reference(material.sha256, material.preparation):
        raise ValueError(f"{material.origin or 'a text'} is at hand, and the order names the file {given['file']}")
    return data_uri(material.media_type, material.file.read_bytes()), label


@dataclass(frozen=True)
class TemplateItem:
    """One flow to buy: a step on the way of a model.

    Attributes:
        model: Names the model and its files.
        steps: All steps of the way.
        number: Which of them this is, from 1.
        material: What goes in.
        price: What it may cost; None when nobody says.
        take: 1, 2, 3…: the same bought again on purpose.
        among: Which of the run's inputs the model is made from, from 1.
    """

    model: str
    steps: Sequence[TemplateStep]
    number: int
    material: Material
    price: float | None
    take: int
    among: int = 1

    @property
    def place(self) -> Place:
        """Where it stands in what the run asked for."""
        return placed(input=(self.among, self.model), step=(self.number, self.step.template))

    @property
    def name(self) -> str:
        """Names its files and its row in the table."""
        return f"{self.model}-{self.number}-{self.step.template}" if len(self.steps) > 1 else self.model

    @property
    def step(self) -> TemplateStep:
        """The template, and what it is told."""
        return self.steps[self.number - 1]

    @property
    def later(self) -> "list[TemplateItem]":
        """The steps that come after it; what goes into them is not known yet."""
        return [replace(self, number=number) for number in range(self.number + 1, len(self.steps) + 1)]

    def fed_with(self, stored: StoredAsset) -> "TemplateItem":
        """The next step, with the model that this one gave."""
        material = Material(
            stored.sidecar.file.media_type,
            file=Path(stored.path),
            sha256=stored.sha256,
            origin=f"step {self.name}, {stored.output}",
            asset=stored,
        )
        return replace(self, number=self.number + 1, material=material)

    @property
    def inputs(self) -> list[dict[str, str]]:
        """Where its input comes from, for the sidecar."""
        one = self.material
        about = {"text": one.text} if one.file is None else {"sha256": one.sha256, "from": one.origin or str(one.file)}
        return [{"id": "input", **about}]

    def order(self, account: Account) -> Order:
        """The wish for it: texts as they are, files by hash."""
        return flow_order(account, self.step, [given_as(self.material)], self.price, self.take)


async def plan_models(
    inputs: Sequence[TemplateInput],
    steps: Sequence[TemplateStep],
    templates: Mapping[str, Template | NotFoundError],
    files: Files,
) -> dict[str, Material]:
    """Each input under the name of its models, once everything fits together.

    Args:
        inputs: What models are made from.
        steps: The templates they go through.
        templates: The templates as Generio describes them now, or that it knows none of that name.
        files: The files among the inputs, at hand.

    Raises:
        InputError: Everything that is wrong, each with its input, step and parameter.
    """
    faults = [
        Fault(f"step {number}, template {step.template}", "is unknown to Generio")
        for number, step in enumerate(steps, 1)
        if not isinstance(templates[step.template], Template)
    ]
    first = templates[steps[0].template]
    materials = await _materials(inputs, first.input_types if isinstance(first, Template) else (), files, faults)
    given = {name: one.media_type for name, one in materials.items()}
    for number, step in enumerate(steps, 1):
        template = templates[step.template]
        if isinstance(template, Template):
            faults += check_request(f"step {number}", template, step.parameters, given)
            given = {f"the model of step {number}": one for one in template.output_types[:1]}
        else:
            break  # what an unknown template gives is unknown as well
    if faults:
        raise InputError(faults)
    return materials


async def _materials(
    inputs: Sequence[TemplateInput], taken: Sequence[str], files: Files, faults: list[Fault]
) -> dict[str, Material]:
    found: dict[str, Material] = {}
    times = Counter(inputs)
    faults += [Fault(f"input {one.file or one.text}", "is given more than once") for one, count in times.items() if count > 1]
    looked_at = await look_at(files)
    for number, one in enumerate(inputs, 1):
        if one.file is None:
            found[f"{number:02}-{slug(one.text or '')}"] = Material("text/plain", text=one.text or "")
        elif one.file in looked_at.wrong:
            faults.append(Fault(f"input {number}", f"{one.file} {looked_at.wrong[one.file]}"))
        else:
            file = looked_at.found[one.file]
            found[f"{number:02}-{slug(PurePath(file.origin).stem)}"] = _material(file, taken)
    return found


def _material(file: NamedFile, taken: Sequence[str]) -> Material:
    facts = file.facts
    done = conversion(facts.media_type, facts.mode or "", taken if any(one.startswith("image/") for one in taken) else ())
    media_type = TYPES.get(done, facts.media_type)
    return Material(media_type, file=file.path, sha256=file.sha256, origin=file.origin, preparation=done or "none")
