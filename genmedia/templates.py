"""Runs of Generio templates: every input through the same steps, each step fed with the model that the one before gave."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genmedia.buying import Order
from genmedia.errors import Fault, InputError, MediaError, NotFoundError
from genmedia.inspection.media import Candidate, inspect_files
from genmedia.jobs import Account
from genmedia.journal import StoredAsset
from genmedia.keys import hash_file, media_reference
from genmedia.naming import slug
from genmedia.providers.generio import UNIT, Template, check_request, data_uri
from genmedia.references import why_no_file
from genmedia.store import Store


class TemplateInput(BaseModel):
    """What a model is made from: a file or a text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = Field(default=None, description="Path of a picture or a GLB model, from the project's folder.")
    text: str | None = Field(default=None, pattern=r"\S", description="What is to be made, in words.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.text is None):
            raise ValueError("give either a file or a text")
        return self


class TemplateStep(BaseModel):
    """One template, and what it is told; what is left out is up to the template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(description="Such as model_generate_fromimage, model_generate_fromprompt, model_optimize.")
    parameters: dict[str, Any] = Field(default={}, description="Such as quality, seed, texture, polygon_count.")


@dataclass(frozen=True)
class Material:
    """What goes into a flow: a text, or a file with its hash and type."""

    media_type: str
    text: str = ""
    file: Path | None = None
    sha256: str = ""
    origin: str = ""
    preparation: str = "none"

    def data(self) -> str:
        """What stands in the request."""
        return self.text if self.file is None else data_uri(self.media_type, self.file.read_bytes())


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
    """

    model: str
    steps: Sequence[TemplateStep]
    number: int
    material: Material
    price: float | None
    take: int

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

    async def fed_with(self, stored: StoredAsset, store: Store) -> "TemplateItem":
        """The next step, with what this one gave.

        Args:
            stored: The model.
            store: Where it is.
        """
        material = Material(
            stored.sidecar["file"]["media_type"],
            file=await store.files.copy(stored.path),
            sha256=stored.sha256,
            origin=f"step {self.name}, {stored.output}",
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
        one = self.material
        given = {"text": one.text} if one.file is None else {"file": media_reference(one.sha256, one.preparation)}
        request = {"template": self.step.template, "parameters": self.step.parameters, "inputs": [given]}
        return Order(account, f"template {self.step.template}", request, self.price, UNIT, self.take)


async def plan_models(
    inputs: Sequence[TemplateInput], steps: Sequence[TemplateStep], templates: Mapping[str, Template | NotFoundError]
) -> dict[str, Material]:
    """Each input under the name of its models, once everything fits together.

    Args:
        inputs: What models are made from.
        steps: The templates they go through.
        templates: The templates as Generio describes them now, or that it knows none of that name.

    Raises:
        InputError: Everything that is wrong, each with its input, step and parameter.
    """
    faults = [
        Fault(f"step {number}, template {step.template}", "is unknown to Generio")
        for number, step in enumerate(steps, 1)
        if not isinstance(templates[step.template], Template)
    ]
    materials = await _materials(inputs, faults)
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


async def _materials(inputs: Sequence[TemplateInput], faults: list[Fault]) -> dict[str, Material]:
    found: dict[str, Material] = {}
    times = Counter(inputs)
    faults += [Fault(f"input {one.file or one.text}", "is given more than once") for one, count in times.items() if count > 1]
    files = {one.file: Path(one.file).absolute() for one in inputs if one.file is not None}
    wrong = {name: why for name, path in files.items() if (why := why_no_file(path))}
    faults += [Fault(f"file {files[name]}", why) for name, why in wrong.items()]
    files = {name: path for name, path in files.items() if name not in wrong}
    verdicts = dict(zip(files, await inspect_files([Candidate(path) for path in files.values()]), strict=True)) if files else {}
    for number, one in enumerate(inputs, 1):
        if one.text is not None:
            found[f"{number:02}-{slug(one.text)}"] = Material("text/plain", text=one.text)
        elif one.file in files:
            verdict, path = verdicts[one.file], files[one.file]
            if isinstance(verdict, MediaError):
                faults.append(Fault(f"file {path}", verdict.what))
            else:
                found[f"{number:02}-{slug(path.stem)}"] = Material(verdict.media_type, file=path, sha256=hash_file(path))
    return found
