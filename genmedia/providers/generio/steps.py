"""Templates of Generio as steps of a campaign. The inputs are sent in requests, complete."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, model_validator
from typing_extensions import override

from genmedia.errors import Fault, NotFoundError
from genmedia.forms.fields import field
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.conversion import TYPES
from genmedia.providers import handoff
from genmedia.providers.generio.client import (
    PROVIDER,
    UNIT,
    GenerioClient,
    Template,
    additional_of,
    check_parameters,
    data_uri,
    input_additional,
)
from genmedia.providers.generio.forms import template_parameters
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.sources import TAKE, FedBy, File, Kinds, Source, StepForm, Text, Written
from genmedia.providers.steps import Operation, PaidKind, Submit, look_up, preparation
from genmedia.store import Store
from genmedia.transport.session import Gate

_MEDIA = {"prompt": "text"}
"""Names that templates have for media, where these are not media types, with the names that all providers share."""


_MATERIALS = Kinds(("file", "text", "step"))

MadeFrom = Annotated[
    Annotated[File, Tag("file")] | Annotated[Text, Tag("text")] | Annotated[FedBy, Tag("step")],
    Discriminator(_MATERIALS.of),
    BeforeValidator(_MATERIALS.check),
]


class _Input(Written):
    id: str = field(
        "Input", "The template's name for this input; or, where it makes a model of each, your name for that.", example="front"
    )


class FromFile(File, _Input):
    """A file, as one of several inputs."""

    model_config = ConfigDict(title="A file")


class FromText(Text, _Input):
    """A text, as one of several inputs."""

    model_config = ConfigDict(title="A text")


class FromStep(FedBy, _Input):
    """An output of an earlier step, as one of several inputs."""

    model_config = ConfigDict(title="A step above")


FlowInput = Annotated[
    Annotated[FromFile, Tag("file")] | Annotated[FromText, Tag("text")] | Annotated[FromStep, Tag("step")],
    Discriminator(_MATERIALS.of),
    BeforeValidator(_MATERIALS.check),
]


class GenerioStep(StepForm):
    """One flow of Generio, by a template."""

    model_config = ConfigDict(title="Generio")

    template: str = field("Template", "A template of Generio's list.", example="model_generate_fromimage")
    input: MadeFrom | None = field(
        "Made from", "A file, a text, or what a step above gives. This or several inputs.", default=None
    )
    inputs: list[FlowInput] = field(
        "Several inputs",
        "For a template that takes several: one entry for each. Other templates make a model of each entry, which later steps find under "
        "its name.",
        default=[],
    )
    parameters: dict[str, Any] = template_parameters()
    take: int = TAKE

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.input is None) == (not self.inputs):
            raise ValueError("give either input, or inputs with at least one")
        return self


class _Asked(NamedTuple):
    template: str
    parameters: Mapping[str, Any]


class Flows(PaidKind[GenerioStep]):
    """3D models by templates."""

    provider = PROVIDER
    tag = "template"
    form = GenerioStep

    @override
    def sources(self, step: GenerioStep) -> list[tuple[str, Source]]:
        """Return the one input, or each by its name."""
        return [("input", step.input)] if step.input else [(one.id, one) for one in step.inputs]

    @override
    async def describe(
        self, client: GenerioClient, steps: Sequence[GenerioStep], payer: Any
    ) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each template, at the price that the account's credentials name, or its faults."""
        known = await look_up((step.template for step in steps), client.get_template)
        return {step.name: self.operation(step, known[step.template], payer.price) for step in steps}

    def operation(
        self, step: GenerioStep, template: Template | NotFoundError, price: float | None
    ) -> Operation | Sequence[Fault]:
        """Return the operation of a template, or the faults: an unknown template, or parameters that it does not take."""
        if isinstance(template, NotFoundError):
            return [Fault(f", template {step.template}", "is unknown to Generio")]
        faults = check_parameters("", template, step.parameters)
        if faults:
            return faults
        ids = [name for name, _ in self.sources(step)]
        return Operation(
            self,
            f"template {step.template}",
            price=price,
            unit=UNIT,
            takes={one.id: _media(one.types) for one in template.several} or dict.fromkeys(ids, _media(template.input_types)),
            gives={"model": "model"} if template.several or len(ids) == 1 else dict.fromkeys(ids, "model"),
            optional={one.id for one in template.several if not one.required},
            asked=_Asked(step.template, step.parameters),
            media_types=tuple(template.input_types),
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for a flow; a single input needs no name."""
        given = [
            ({"id": one.id} if len(operation.takes) > 1 else {}) | given_as(material_of(one, operation))
            for one in _in_order(inputs)
        ]
        asked: _Asked = operation.asked
        return flow_order(account, asked.template, asked.parameters, given, operation.price, take)

    @override
    async def deliver(
        self,
        client: GenerioClient,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Hold the inputs' files until the flow has them, and return the function that sends the order."""
        return await submission(client, order, [load_material(one, operation, store) for one in _in_order(inputs)], held)

    @override
    async def delete(self, client: GenerioClient, job_id: str) -> None:
        """Delete a flow with everything in it; one that is gone already is no failure."""
        with suppress(NotFoundError):
            await client.delete_flow(job_id)


TITLE = "Generio"
CAP_NOTE = "; it needs the price in the block"
KINDS = (Flows(),)


def _media(types: Iterable[str]) -> frozenset[str]:
    return frozenset(_MEDIA.get(one, one) for one in (one.partition("/")[0] for one in types))


def _in_order(inputs: Sequence[ResolvedInput]) -> list[ResolvedInput]:
    """Return the inputs sorted by id: in whichever order a person writes them, they make the same request."""
    return sorted(inputs, key=lambda one: one.id)


@dataclass(frozen=True)
class Material:
    """Content of an input of a flow: a text, or a file with its hash and type.

    Attributes:
        file: File on this machine; of an asset, its path below the store's root until it is loaded.
        sha256: SHA-256 of the file.
        origin: Origin of the content, for people.
        preparation: Name of all that is done to the file before it is sent; `none` for nothing.
    """

    media_type: str
    text: str = ""
    file: Path | None = None
    sha256: str = ""
    origin: str = ""
    preparation: str = "none"


def given_as(material: Material) -> dict[str, Any]:
    """Return an input as it stands in an order's request: a text as it is, a file by hash and preparation."""
    return {"text": material.text} if material.file is None else {"file": media_reference(material.sha256, material.preparation)}


def flow_order(
    account: Account,
    template: str,
    parameters: Mapping[str, Any],
    inputs: Sequence[Mapping[str, Any]],
    price: float | None,
    take: int,
) -> Order:
    """Return the order for a flow, with its inputs as `given_as` gives them, and with their ids where there are several."""
    request = {"template": template, "parameters": parameters, "inputs": list(inputs)}
    return Order(account, f"template {template}", request, price, UNIT, take, size=f"{len(inputs)} inputs")


def flow_input(given: Mapping[str, Any], material: Material) -> tuple[str, Any]:
    """Return an input of an order's request as it is sent: its data, a text or a data URI, and the `additional` that tells it apart.

    Args:
        given: A text, or a file that is named by hash and preparation.
        material: The content of the input, with its file on this machine.

    Raises:
        ValueError: The file is not the one that the order names.
    """
    label = input_additional(given["id"]) if "id" in given else material.sha256 or "text"
    if "text" in given:
        return given["text"], label
    if material.file is None or given["file"] != media_reference(material.sha256, material.preparation):
        raise ValueError(f"{material.origin or 'a text'} is at hand, and the order names the file {given['file']}")
    return data_uri(material.media_type, material.file.read_bytes()), label


def material_of(given: ResolvedInput, operation: Operation) -> Material:
    """Return the content of an input of a flow, before its file is loaded."""
    if given.type == "text":
        return Material("text/plain", text=given.text)
    done = preparation(given, operation)
    return Material(
        given.media_type if done == "none" else TYPES.get(done, handoff.FRAME_TYPE),
        file=given.file or Path(given.asset),
        sha256=given.sha256,
        origin=given.source,
        preparation=done,
    )


@asynccontextmanager
async def load_material(given: ResolvedInput, operation: Operation, store: Store) -> AsyncGenerator[Material]:
    """Hold the content of an input of a flow during the block, with its file on this machine.

    Raises:
        InputError: No picture can be taken from it.
    """
    material = material_of(given, operation)
    if material.file is None:
        yield material
        return
    async with file_of(given, store, operation.kind.conversion(operation, given)) as file:
        yield replace(material, file=file)


async def submission(
    client: GenerioClient, order: Order, loads: Sequence[AbstractAsyncContextManager[Material]], held: AsyncExitStack
) -> Submit:
    """Return the function that makes a flow, gives it its inputs and starts it; only the start is paid for.

    The submission key stands in the flow's `additional`, beside the labels: a flow that was interrupted in between is found again by it.

    Args:
        client: The account's client.
        order: The order for the flow.
        loads: For each input of the request, in the same order: what holds its content with its file on this machine.
        held: Stack that holds those files until the order is sent.
    """
    materials = [await held.enter_async_context(load) for load in loads]

    async def submit(key: str, gate: Gate) -> str:
        made = await client.create_flow(
            order.request["template"],
            order.request["parameters"],
            additional=additional_of(key, order.purpose.labels),
            gate=gate,
        )
        for given, material in zip(order.request["inputs"], materials, strict=True):
            data, label = flow_input(given, material)
            await client.upload_input(made.flow_id, data, additional=label)
        await client.start_flow(made.flow_id, gate)
        return made.flow_id

    return submit
