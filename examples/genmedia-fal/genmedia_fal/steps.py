"""Models of fal as steps of a campaign. A picture that is an input is uploaded to fal."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ConfigDict, ValidationError
from typing_extensions import override

from genmedia.errors import Fault
from genmedia.forms.fields import field
from genmedia.forms.prompts import Prompt
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.probe import inspect_file
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import Input, ResolvedInput
from genmedia.providers.sources import TAKE, Picture, Source, StepForm
from genmedia.providers.steps import Operation, PaidKind, Submit, frame_of, preparation
from genmedia.store import Store
from genmedia.transport.session import Gate
from genmedia_fal.client import PROVIDER, UNIT, FalClient, FalRequest
from genmedia_fal.prices import SIZES, price_of

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
"""Types of pictures that every model takes; other pictures are turned into one of these."""


class FalStep(StepForm):
    """One picture or video of fal."""

    model_config = ConfigDict(title="fal")

    endpoint: str = field("Model", "One of the price table in the credentials block.", example="fal-ai/flux/dev")
    prompt: Prompt = field(
        "Prompt",
        "What is to be seen; {prompt} in it stands for the prompt of the run.",
        example="A cup of coffee on a windowsill",
        min_length=1,
    )
    image: Picture | None = field(
        "Picture", "What is changed, or what the video begins with: a file, or what a step above gives.", default=None
    )
    parameters: dict[str, Any] = field(
        "Parameters",
        "What else the model is told, by the names on its page.",
        shown={
            "properties": {
                "image_size": {"type": "string", "title": "Size", "enum": list(SIZES)},
                "num_images": {"type": "integer", "title": "How many pictures"},
                "seed": {"type": "integer", "title": "Seed"},
                "duration": {"type": "integer", "title": "Seconds of video"},
            }
        },
        default={},
    )
    take: int = TAKE


class _Asked(NamedTuple):
    request: FalRequest
    picture: str
    """Name of the argument that takes the picture."""


class Models(PaidKind[FalStep]):
    """Any of fal's models that the price table has."""

    provider = PROVIDER
    tag = "endpoint"
    form = FalStep
    in_usd = True

    @override
    def sources(self, step: FalStep) -> list[tuple[str, Source]]:
        """Return the picture, where there is one."""
        return [("image", step.image)] if step.image else []

    @override
    async def describe(
        self, client: FalClient, steps: Sequence[FalStep], payer: Any
    ) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation of each step, by the price table, for fal names no prices; or its faults."""
        return {step.name: self.operation(step, client) for step in steps}

    def operation(self, step: FalStep, client: FalClient) -> Operation | Sequence[Fault]:
        """Return the operation of a step, or its faults, such as a model that is not in the price table."""
        asked: dict[str, Any] = {"endpoint": step.endpoint, "arguments": {**step.parameters, "prompt": step.prompt}}
        price = price_of(client.prices, step.endpoint, asked["arguments"])
        if price is None:
            known = ", ".join(dict.fromkeys(one.endpoint for one in client.prices)) or "none"
            return [
                Fault(f", model {step.endpoint}", f"is not in the price table of the fal Credentials block, which has {known}")
            ]
        try:
            request = FalRequest.model_validate(asked)
        except ValidationError as error:
            return [replace(fault, place=f", {fault.place}") for fault in faults_in(error, asked)]
        count = step.parameters.get("num_images", 1) if price.makes == "image" else 1
        many = isinstance(count, int) and count > 1
        return Operation(
            self,
            step.endpoint,
            price=price.cost(request.arguments),
            unit=UNIT,
            takes={"image": frozenset({"image"})} if price.takes else {},
            gives={f"{price.makes}-{number}": price.makes for number in range(1, count + 1)}
            if many
            else {price.makes: price.makes},
            asked=_Asked(request, price.takes),
            media_types=PICTURE_TYPES,
        )

    @override
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for a job, with its picture by hash."""
        request: FalRequest = operation.asked.request
        asked = request.model_dump()
        if inputs:
            (picture,) = inputs
            asked["files"] = {operation.asked.picture: media_reference(picture.sha256, preparation(picture, operation))}
        return Order(account, request.endpoint, asked, operation.price, operation.unit, take)

    @override
    async def deliver(
        self,
        client: FalClient,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Upload the picture, and return the function that sends the order."""
        asked: _Asked = operation.asked
        arguments = dict(asked.request.arguments)
        for given in inputs:
            async with file_of(given, store, self.conversion(operation, given)) as file:
                arguments[asked.picture] = await client.upload(file, (await inspect_file(file)).media_type)
        request = FalRequest(endpoint=asked.request.endpoint, arguments=arguments)

        async def submit(_: str, gate: Gate) -> str:
            return await client.submit(request, gate)

        return submit

    @override
    async def explain(
        self, client: FalClient, store: Store, operation: Operation, source: Input, feeder: Operation | None
    ) -> str:
        """Describe for people the way of a picture to fal, which is always an upload."""
        done = self.conversion(operation, source) if isinstance(source, ResolvedInput) else ""
        return f"{frame_of(source)}{f'turned into a {done.upper()}, ' if done else ''}uploaded to fal"


TITLE = "fal"
KINDS = (Models(),)
