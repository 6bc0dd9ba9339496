"""Templates of Generio as steps of a campaign. The inputs travel in requests, whole."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag, model_validator
from typing_extensions import override

from genmedia.errors import Fault, NotFoundError
from genmedia.forms.fields import field
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.media.conversion import TYPES
from genmedia.providers import handoff
from genmedia.providers.generio.client import PROVIDER, UNIT, GenerioClient, Template, additional_of, check_parameters
from genmedia.providers.generio.templates import Material, TemplateStep, flow_input, flow_order, given_as, template_parameters
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.sources import TAKE, FedBy, File, Kinds, Source, StepForm, Text, Written
from genmedia.providers.steps import Operation, StepKind, Submit, look_up, preparation
from genmedia.store import Store
from genmedia.transport.session import Gate

_MEDIA = {"prompt": "text"}
"""What templates call a text, where it is no type of files."""


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
    """What an earlier step gives, as one of several inputs."""

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


class Flows(StepKind[GenerioStep]):
    """3D models by templates."""

    provider = PROVIDER
    tag = "template"
    form = GenerioStep

    @override
    def sources(self, step: GenerioStep) -> list[tuple[str, Source]]:
        """The one input, or each by its name."""
        return [("input", step.input)] if step.input else [(one.id, one) for one in step.inputs]

    @override
    async def describe(
        self, client: GenerioClient, steps: Sequence[GenerioStep], payer: Any
    ) -> Mapping[str, Operation | Sequence[Fault]]:
        """What each template takes and gives, at the price that the account's credentials name."""
        known = await look_up((step.template for step in steps), client.get_template)
        return {step.name: self.operation(step, known[step.template], payer.price) for step in steps}

    def operation(
        self, step: GenerioStep, template: Template | NotFoundError, price: float | None
    ) -> Operation | Sequence[Fault]:
        """What a template takes and gives, or what it does not take."""
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
            asked=TemplateStep(template=step.template, parameters=step.parameters),
            media_types=tuple(template.input_types),
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """A flow; one input needs no name."""
        given = [
            ({"id": one.id} if len(operation.takes) > 1 else {}) | given_as(material_of(one, operation))
            for one in _in_order(inputs)
        ]
        return flow_order(account, operation.asked, given, operation.price, take)

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
        """Have the inputs' files at hand until the flow has them."""
        return await submission(client, order, [load_material(one, operation, store) for one in _in_order(inputs)], held)


TITLE = "Generio"
CAP_NOTE = "; it needs the price in the block"
KINDS = (Flows(),)


def _media(types: Iterable[str]) -> frozenset[str]:
    return frozenset(_MEDIA.get(one, one) for one in (one.partition("/")[0] for one in types))


def _in_order(inputs: Sequence[ResolvedInput]) -> list[ResolvedInput]:
    """However a person orders them, they are one wish."""
    return sorted(inputs, key=lambda one: one.id)


def material_of(given: ResolvedInput, operation: Operation) -> Material:
    """What goes into a flow of Generio, without its file."""
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
    """What goes into a flow of Generio, with its file on this machine.

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
    """What makes a flow, gives it its inputs and starts it, which is what is paid for.

    The order's key stands in the flow's `additional`, beside the labels: whatever was interrupted in between is found again by it.

    Args:
        client: The account's.
        order: What is made.
        loads: Each has the file of one input on this machine, in the order of the request's.
        held: Holds those files until the order was sent.
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
