"""Pictures of Algovera as steps of a campaign. They are made from words alone."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, ValidationError
from typing_extensions import override

from genmedia.errors import Fault
from genmedia.forms.fields import field
from genmedia.forms.prompts import Prompt
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.media.conformance import Expected
from genmedia.providers.algovera.client import PRICE, PROVIDER, UNIT, AlgoveraClient, Txt2Img
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.sources import TAKE, Source, StepForm
from genmedia.providers.steps import Operation, PaidKind, PlannedStep, Submit
from genmedia.store import Store
from genmedia.transport.session import Gate


class AlgoveraStep(StepForm):
    """One picture of Algovera."""

    model_config = ConfigDict(title="Algovera")

    base_model: str = field("Base model", "A model of Algovera's list.", example="stable")
    prompt: Prompt = field(
        "Prompt",
        "What is to be seen; {prompt} in it stands for the prompt of the run.",
        example="A cup of coffee on a windowsill, watercolour",
        min_length=1,
    )
    seed: int | None = field("Seed", "The same seed gives the same picture again.", example=1, default=None)
    width: int | None = field("Width", "In pixels; left to Algovera when empty.", example=512, default=None)
    height: int | None = field("Height", "In pixels; left to Algovera when empty.", example=512, default=None)
    inf_steps: int | None = field(
        "Refinements", "How often the picture is refined; left to Algovera when empty.", example=30, default=None, gt=0
    )
    guidance_scale: float | None = field(
        "Guidance", "How closely the prompt is followed; left to Algovera when empty.", example=7.5, default=None
    )
    take: int = TAKE


class Pictures(PaidKind[AlgoveraStep]):
    """Pictures from words."""

    provider = PROVIDER
    tag = "base_model"
    form = AlgoveraStep

    @override
    def sources(self, step: AlgoveraStep) -> list[tuple[str, Source]]:
        """Return no inputs."""
        return []

    @override
    async def describe(
        self,
        client: AlgoveraClient,
        steps: Sequence[AlgoveraStep],
        payer: Any,
    ) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each picture, or the faults of its step."""
        models = await client.list_base_models()
        return {step.name: self.operation(step, models) for step in steps}

    def operation(self, step: AlgoveraStep, known_models: Collection[str]) -> Operation | Sequence[Fault]:
        """Return the operation of a picture, or the faults of its step: an unknown model, or fields that are not allowed."""
        if step.base_model not in known_models:
            return [Fault(f", base model {step.base_model}", f"is unknown to Algovera; it has {', '.join(known_models)}")]
        asked = step.model_dump(exclude={"name", "take"}, exclude_none=True, warnings=False)
        try:
            request = Txt2Img.model_validate(asked)
        except ValidationError as error:
            return [replace(fault, place=f", {fault.place}") for fault in faults_in(error, asked)]
        return Operation(
            self, f"txt2img {step.base_model}", price=PRICE, unit=UNIT, takes={}, gives={"image": "image"}, asked=request
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for one picture."""
        return picture_order(operation.asked, account, take)

    @override
    async def deliver(
        self,
        client: AlgoveraClient,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Return the function that sends the order."""
        return submission(client, order)

    @override
    def name_of(self, step: PlannedStep, order: Order) -> str:
        """Return the step's name, with the seed of the order where the name tells another."""
        return step.name.replace(seed_in_name(step.operation.asked.seed), seed_in_name(order.request.get("seed")), 1)


SIZING = ("width", "height", "inf_steps")
"""Fields that decide how long a picture takes."""

TITLE = "Algovera"
KINDS = (Pictures(),)


def seed_in_name(seed: int | None) -> str:
    """Part of a picture's name that tells its seed."""
    return f"seed-{seed}"


def picture_order(asked: Txt2Img, account: Account, take: int) -> Order:
    """Return the order for a picture, with the fields that the caller set."""
    expects = Expected(kind="image", width=asked.width, height=asked.height)
    size = ", ".join(f"{name} {value}" for name in SIZING if (value := getattr(asked, name)) is not None)
    return Order(account, f"txt2img {asked.base_model}", asked.fields(), PRICE, UNIT, take, expects=expects, size=size)


def submission(client: AlgoveraClient, order: Order) -> Submit:
    """Return the function that sends the request of an order."""

    async def submit(_: str, gate: Gate) -> str:
        return await client.create_job(order.request, gate)

    return submit
