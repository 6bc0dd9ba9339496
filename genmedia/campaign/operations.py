"""What a step buys: what it takes, gives and costs, as its provider describes it now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from genmedia.campaign.written import AlgoveraStep, AnyStep, FedBy, File, FromUrl, GenerioStep, GenovaStep, Step, Text
from genmedia.errors import Fault, NotFoundError
from genmedia.providers import algovera, flora, generio, genova
from genmedia.templates import TemplateStep

Wish = genova.JobRequest | algovera.Txt2Img | TemplateStep | None
"""What is told to the provider besides the inputs; a technique of FLORA is told nothing else."""

_MEDIA = {"image": "imageUrl", "video": "videoUrl", "model": "model", "text": "text", "prompt": "text"}


@dataclass(frozen=True)
class Operation:
    """What a step buys.

    Attributes:
        provider: Who is paid.
        name: What people call it: a technique, a model, a template.
        price: What it costs at most; None when nobody says.
        takes: Each input and the types it may have: `imageUrl`, `videoUrl`, `model`, `text`.
        gives: Each output and its type.
        optional: The inputs that may be left out.
        wish: What is told to the provider besides the inputs.
        media_types: What files may be sent; empty for any.
    """

    provider: str
    name: str
    price: float | None
    takes: Mapping[str, frozenset[str]]
    gives: Mapping[str, str]
    optional: Collection[str] = ()
    wish: Wish = None
    media_types: Collection[str] = field(default=())

    def check_inputs(self, place: str, given: Mapping[str, str]) -> list[Fault]:
        """Every input that is missing, unknown or of the wrong type, by its place.

        Args:
            place: Where the inputs stand, for the faults.
            given: Input ids and the types that are given for them; an empty type fits everywhere.
        """
        offer = ", ".join(f"{name} ({' or '.join(sorted(types))})" for name, types in self.takes.items()) or "no inputs"
        faults = [
            Fault(f"{place}, input {name}", f"is missing; it takes {' or '.join(sorted(types))}")
            for name, types in self.takes.items()
            if name not in given and name not in self.optional
        ]
        for name, type_ in given.items():
            if name not in self.takes:
                faults.append(Fault(f"{place}, input {name}", f"is unknown to {self.name or 'it'}; it takes {offer}"))
            elif type_ and type_ not in self.takes[name]:
                mend = "; `at` takes a picture from it" if type_ == "videoUrl" and "imageUrl" in self.takes[name] else ""
                needed = " or ".join(sorted(self.takes[name]))
                faults.append(Fault(f"{place}, input {name}", f"is {type_}, but {needed} is needed{mend}"))
        return faults


def read_step(step: AnyStep) -> list[tuple[str, File | FromUrl | Text | FedBy]]:
    """The step's inputs by their names, as they are written."""
    match step:
        case Step():
            return [(source.id, source) for source in step.inputs]
        case GenovaStep():
            return [(f"reference {number}", source) for number, source in enumerate(step.references, 1)]
        case GenerioStep():
            return [("input", step.input)]
        case AlgoveraStep():
            return []


def provider_of(step: AnyStep) -> str:
    """Who is paid for a step."""
    match step:
        case Step():
            return flora.PROVIDER
        case GenovaStep():
            return genova.PROVIDER
        case GenerioStep():
            return generio.PROVIDER
        case AlgoveraStep():
            return algovera.PROVIDER


def technique_operation(step: Step, technique: flora.Technique | NotFoundError) -> Operation | Sequence[Fault]:
    """What a technique takes and gives, or that there is none."""
    if isinstance(technique, NotFoundError):
        return [Fault("", f"names the technique {step.technique!r}, which FLORA does not know")]
    return Operation(
        provider=flora.PROVIDER,
        name=step.technique,
        price=technique.run_cost,
        takes={one.id: frozenset({one.type}) for one in technique.inputs},
        gives={one.id: one.type for one in technique.outputs},
        optional={one.id for one in technique.inputs if one.optional},
    )


def genova_operation(step: GenovaStep) -> Operation | Sequence[Fault]:
    """What a job of Genova takes and gives, or what its document forbids."""
    video = step.model in genova.VIDEO_MODELS
    mode = step.mode or (None if not step.references or step.model == "freepik" else "ingredients")
    try:
        wish = genova.JobRequest.model_validate(
            {
                "type": "video" if video else "image",
                "model": step.model,
                "prompt": step.prompt,
                "aspect_ratio": step.ratio,
                "quality": step.quality,
                "references": len(step.references),
                "reference_mode": mode,
            }
        )
    except ValidationError as error:
        return _faults(error)
    return Operation(
        provider=genova.PROVIDER,
        name=f"{wish.type} {wish.model}",
        price=genova.PRICE,
        takes={f"reference {number}": frozenset({"imageUrl"}) for number in range(1, len(step.references) + 1)},
        gives={"result": "videoUrl" if video else "imageUrl"},
        wish=wish,
    )


def generio_operation(
    step: GenerioStep, template: generio.Template | NotFoundError, price: float | None
) -> Operation | Sequence[Fault]:
    """What a template takes and gives, or what it does not take."""
    if isinstance(template, NotFoundError):
        return [Fault(f", template {step.template}", "is unknown to Generio")]
    faults = generio.check_parameters("", template, step.parameters)
    if faults:
        return faults
    types = {_MEDIA.get(one.partition("/")[0], one) for one in template.input_types}
    return Operation(
        provider=generio.PROVIDER,
        name=f"template {step.template}",
        price=price,
        takes={"input": frozenset(types)},
        gives={"model": "model"},
        wish=TemplateStep(template=step.template, parameters=step.parameters),
        media_types=tuple(template.input_types),
    )


def algovera_operation(step: AlgoveraStep, known_models: Collection[str]) -> Operation | Sequence[Fault]:
    """What a picture of Algovera is, or that there is no such model."""
    if step.base_model not in known_models:
        return [Fault(f", base model {step.base_model}", f"is unknown to Algovera; it has {', '.join(known_models)}")]
    asked = {"prompt": step.prompt, "base_model": step.base_model, "seed": step.seed, "width": step.width, "height": step.height}
    try:
        wish = algovera.Txt2Img.model_validate({name: value for name, value in asked.items() if value is not None})
    except ValidationError as error:
        return _faults(error)
    return Operation(
        provider=algovera.PROVIDER,
        name=f"txt2img {step.base_model}",
        price=algovera.PRICE,
        takes={},
        gives={"image": "imageUrl"},
        wish=wish,
    )


def _faults(error: ValidationError) -> list[Fault]:
    return [
        Fault(f", {'.'.join(map(str, one['loc']))}", one["msg"].removeprefix("Value error, "))
        for one in error.errors(include_input=False, include_url=False)
    ]
