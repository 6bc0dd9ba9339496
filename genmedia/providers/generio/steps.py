"""Templates of Generio as steps of a campaign. The input travels in the request, whole."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Discriminator, Tag
from typing_extensions import override

from genmedia.errors import Fault, NotFoundError
from genmedia.forms.fields import field
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.media.conversion import TYPES
from genmedia.providers import handoff
from genmedia.providers.generio.client import PROVIDER, UNIT, GenerioClient, Template, check_parameters
from genmedia.providers.generio.templates import Material, TemplateItem, TemplateStep, flow_input, template_parameters
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.sources import TAKE, FedBy, File, Kinds, Source, StepForm, Text
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


class GenerioStep(StepForm):
    """One 3D model, by a template of Generio."""

    model_config = ConfigDict(title="Generio")

    template: str = field("Template", "A template of Generio's list.", example="model_generate_fromimage")
    input: MadeFrom = field("Made from", "A file, a text, or what a step above gives.")
    parameters: dict[str, Any] = template_parameters()
    take: int = TAKE


class Flows(StepKind[GenerioStep]):
    """3D models by templates."""

    provider = PROVIDER
    tag = "template"
    form = GenerioStep

    @override
    def sources(self, step: GenerioStep) -> list[tuple[str, Source]]:
        """The one input."""
        return [("input", step.input)]

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
        media = {_MEDIA.get(one, one) for one in (one.partition("/")[0] for one in template.input_types)}
        return Operation(
            self,
            f"template {step.template}",
            price=price,
            unit=UNIT,
            takes={"input": frozenset(media)},
            gives={"model": "model"},
            asked=TemplateStep(template=step.template, parameters=step.parameters),
            media_types=tuple(template.input_types),
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """A flow."""
        item = TemplateItem("", [operation.asked], 1, material_of(inputs[0], operation), operation.price, take)
        return item.order(account)

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
        """Have the input's file at hand until the flow has it."""
        return await submission(client, order, load_material(inputs[0], operation, store), held)


TITLE = "Generio"
CAP_NOTE = "; it needs the price in the block"
KINDS = (Flows(),)


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
    client: GenerioClient, order: Order, load: AbstractAsyncContextManager[Material], held: AsyncExitStack
) -> Submit:
    """What makes a flow, gives it its input and starts it, which is what is paid for.

    The order's key stands in the flow's `additional`: whatever was interrupted in between is found again by it.

    Args:
        client: The account's.
        order: What is made.
        load: Has the input's file on this machine.
        held: Holds that file until the order was sent.
    """
    material = await held.enter_async_context(load)

    async def submit(key: str, gate: Gate) -> str:
        made = await client.create_flow(
            order.request["template"], order.request["parameters"], additional={"genmedia": key}, gate=gate
        )
        data, label = flow_input(order.request, material)
        await client.upload_input(made.flow_id, data, additional=label)
        await client.start_flow(made.flow_id, gate)
        return made.flow_id

    return submit
