"""Jobs of Genova as steps of a campaign. References are sent in the request, as JPEG of at most 512 px."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, ValidationError
from typing_extensions import override

from genmedia.errors import Fault, InputError
from genmedia.forms.fields import field
from genmedia.forms.prompts import Prompt
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.conformance import Expected
from genmedia.providers.genova.client import (
    PRICE,
    PROMPT_CHARACTERS,
    PROVIDER,
    UNIT,
    VIDEO_MODELS,
    GenovaClient,
    JobRequest,
    fingerprint_of,
)
from genmedia.providers.genova.forms import COPIES, REFERENCES, Model, Ratio, ReferenceMode
from genmedia.providers.genova.references import PREPARATION, prepare_references
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import Input, ResolvedInput
from genmedia.providers.sources import TAKE, Picture, Source, StepForm
from genmedia.providers.steps import Operation, PaidKind, PlannedStep, Submit, frame_of, preparation
from genmedia.store import Store
from genmedia.store.named_files import Files, NamedFile
from genmedia.transport.session import Gate

RATIOS = {"landscape": "16:9", "portrait": "9:16", "square": "1:1"}
"""Ratios that Genova's words for shapes mean, by its document."""


class GenovaStep(StepForm):
    """One picture or video of Genova."""

    model_config = ConfigDict(title="Genova")

    model: Model = field(
        "Model", "nano_banana2, nano_banana_pro, imagen4 and freepik make pictures, the others videos.", example="imagen4"
    )
    prompt: Prompt = field(
        "Prompt",
        f"What is to be seen, at most {PROMPT_CHARACTERS} characters; {{prompt}} in it stands for the prompt of the run.",
        example="A cup of coffee on a windowsill",
        min_length=1,
        max_length=PROMPT_CHARACTERS,
    )
    ratio: Ratio | None = field(
        "Shape", "landscape, portrait or square; of freepik such as 16:9. Empty: Genova chooses.", example="square", default=None
    )
    quality: Literal["1K", "2K"] | None = field("Quality", "Of freepik only.", example="2K", default=None)
    references: list[Picture] = field(
        "References",
        f"Up to {REFERENCES} pictures that go into it: files, or what steps above give.",
        default=[],
        max_length=REFERENCES,
    )
    mode: ReferenceMode | None = field(
        "How the references guide",
        "Empty, or ingredients: what they show is put into it. The others are for freepik.",
        default=None,
    )
    count: int | None = field(
        "Images of a job", "One credit whatever it says, and one of them is handed out.", example=1, default=None, ge=1, le=4
    )
    priority: int | None = field(
        "Priority", "Jobs with a higher number begin sooner than others of the account.", example=5, default=None
    )
    copy_number: int = field(
        "Copy",
        f"Of a picture: 2, 3 and so on, up to {COPIES}, ask for another beside the first.",
        example=2,
        default=1,
        ge=1,
        le=COPIES,
    )
    take: int = TAKE


class _Asked(NamedTuple):
    request: JobRequest
    copy: int


class Jobs(PaidKind[GenovaStep]):
    """Pictures and videos."""

    provider = PROVIDER
    tag = "model"
    form = GenovaStep
    asks = False

    @override
    def sources(self, step: GenovaStep) -> list[tuple[str, Source]]:
        """Return the references, by their numbers."""
        return [(f"reference {number}", source) for number, source in enumerate(step.references, 1)]

    @override
    async def describe(
        self,
        client: Any,
        steps: Sequence[GenovaStep],
        payer: Any,
    ) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each job, or the faults by Genova's document."""
        return {step.name: self.operation(step) for step in steps}

    def operation(self, step: GenovaStep) -> Operation | Sequence[Fault]:
        """Return the operation of a job, or the faults by Genova's document."""
        video = step.model in VIDEO_MODELS
        mode = step.mode or (None if not step.references or step.model == "freepik" else "ingredients")
        asked = {
            "type": "video" if video else "image",
            "model": step.model,
            "prompt": step.prompt,
            "aspect_ratio": step.ratio,
            "count": step.count,
            "quality": step.quality,
            "references": len(step.references),
            "reference_mode": mode,
            "priority": step.priority,
        }
        try:
            request = JobRequest.model_validate(asked)
        except ValidationError as error:
            return [replace(fault, place=f", {fault.place}") for fault in faults_in(error, asked)]
        if video and step.copy_number > 1:
            return [Fault(", copy_number", "is for pictures only")]
        return Operation(
            self,
            f"{request.type} {request.model}",
            price=PRICE,
            unit=UNIT,
            takes={f"reference {number}": frozenset({"image"}) for number in range(1, len(step.references) + 1)},
            gives={"result": request.type},
            asked=_Asked(request, step.copy_number),
            ratio=_shape_of(request),
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for a job. The same image of a batch and of a campaign is one order: in both, takes leave room for copies."""
        request, copy = operation.asked
        files = [media_reference(one.sha256, preparation(one, operation)) for one in inputs]
        return job_order(request, files, account, (take - 1) * COPIES + copy if request.type == "image" else take)

    @override
    def reword(self, order: Order, prompt: str) -> Order:
        """Return an order with another prompt, which its fingerprint shows as well.

        Raises:
            InputError: It is longer than Genova takes.
        """
        if len(prompt) > PROMPT_CHARACTERS:
            raise InputError([Fault("prompt", f"is longer than {PROMPT_CHARACTERS} characters")])
        order = super().reword(order, prompt)
        return replace(order, fingerprint=fingerprint_of(order.request))

    @override
    async def deliver(
        self,
        client: GenovaClient,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Make the references small that are not small yet, and return the function that sends the order."""
        made = iter(await small_pictures([one for one in inputs if not one.sent], store))
        pictures = {(one.sha256, preparation(one, operation)): one.sent or next(made) for one in inputs}
        return submission(client, order, pictures)

    @override
    async def explain(
        self,
        client: Any,
        store: Store,
        operation: Operation,
        source: Input,
        feeder: Operation | None,
    ) -> str:
        """Describe for people the form in which a reference is sent in the request."""
        return f"{frame_of(source)}in the request, as a JPEG of at most 512 px"

    @override
    async def stage(
        self, client: Any, store: Store, plan: Mapping[str, PlannedStep], steps: Sequence[PlannedStep]
    ) -> Sequence[PlannedStep]:
        """Return the steps with the available references made small, each once.

        Raises:
            InputError: All faults of the references.
        """
        given = {(one.sha256, one.at): one for step in steps for one in step.inputs if isinstance(one, ResolvedInput)}
        small = dict(zip(given, await small_pictures(list(given.values()), store), strict=True))

        def made_small(source: Input) -> Input:
            return replace(source, sent=small[source.sha256, source.at]) if isinstance(source, ResolvedInput) else source

        return [replace(step, inputs=tuple(map(made_small, step.inputs))) for step in steps]

    @override
    def conversion(self, operation: Operation, source: ResolvedInput) -> str:
        """Name of the preparation of references: all are made small."""
        return PREPARATION


TITLE = "Genova"
KINDS = (Jobs(),)


async def small_pictures(inputs: Sequence[ResolvedInput], store: Store) -> list[bytes]:
    """Return the pictures as JPEG, small enough to be sent in requests.

    Raises:
        InputError: All faults of the pictures.
    """
    async with AsyncExitStack() as held:
        files = {f"{number}": NamedFile(await held.enter_async_context(file_of(one, store))) for number, one in enumerate(inputs)}
        prepared, wrong = await prepare_references(Files(files))
    if wrong:
        raise InputError([Fault(inputs[int(number)].source, why) for number, why in wrong.items()])
    return [prepared[number].jpeg for number in files]


def _ratio_of(request: JobRequest) -> str:
    """Return the shape that is asked for, such as `16:9`; empty where none is."""
    return RATIOS.get(request.aspect_ratio or "", request.aspect_ratio or "")


def _shape_of(request: JobRequest) -> float | None:
    width, _, height = _ratio_of(request).partition(":")
    return int(width) / int(height) if height else None


def job_order(request: JobRequest, references: Sequence[dict[str, str]], account: Account, take: int) -> Order:
    """Return the order for a job.

    Args:
        request: Request for the job.
        references: Each picture by hash and preparation.
        account: Account that pays.
        take: 1, 2, 3…: the same bought again on purpose.
    """
    fields = request.fields()
    if references:
        fields["referenceImages"] = {"images": list(references), "mode": request.reference_mode}
    ratio = _ratio_of(request)
    return Order(
        account,
        f"{request.type} {request.model}",
        fields,
        PRICE,
        UNIT,
        take,
        expects=Expected(kind=request.type, ratio=ratio),
        fingerprint=request.fingerprint,
        stride=COPIES if request.type == "image" else 1,
        size=", ".join(f"{one}" for one in (request.count, request.quality) if one),
    )


def submission(client: GenovaClient, order: Order, pictures: Mapping[tuple[str, str], bytes]) -> Submit:
    """Return the function that sends the request of an order; `pictures` has its references as JPEG, by hash and preparation."""

    async def submit(_: str, gate: Gate) -> str:
        return (await client.create_job(order.request, pictures, gate)).job_id

    return submit
