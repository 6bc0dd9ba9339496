"""Kinds of steps: what of a provider may stand in a campaign, and all that a campaign asks about it.

Each provider's own kinds are in its `steps.py`; nothing outside of it asks which provider a step belongs to.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from genmedia.concurrency import every
from genmedia.errors import Fault, NotFoundError
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.providers.handoff import sent_as
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.sources import Source, StepForm
from genmedia.store import Store
from genmedia.transport.origins import Origins
from genmedia.transport.session import Gate

F = TypeVar("F", bound=StepForm)
T = TypeVar("T")

Submit = Callable[[str, Gate], Awaitable[str]]
"""Sends an order once, under the given idempotency key, and returns the remote id of what is paid for.

Each call that leaves something at the provider is made inside of the gate, and so is above all the one that costs money.
"""

Deliver = Callable[[AsyncExitStack], Awaitable[Submit]]
"""Brings the inputs of an order to where the provider reads them, at no cost; called only when there is something to submit.

What has to be there until the order was sent, such as files, is held by the stack.
"""


@dataclass(frozen=True)
class Operation:
    """What a step buys, as its provider describes it now.

    Attributes:
        kind: The kind of the step.
        name: What people call it: a technique, a model, a template.
        price: What it costs at most, in `unit`; None when nobody says.
        takes: Each input and the media that it may be: `image`, `video`, `model`, `audio`, `text`.
        gives: Each output and its medium.
        optional: The inputs that may be left out.
        asked: What is told to the provider besides the inputs, as the kind has it; nobody else reads it.
        media_types: The types of pictures, or of all files, that may be sent; empty for any.
    """

    kind: "StepKind[Any]"
    name: str
    price: float | None
    takes: Mapping[str, frozenset[str]]
    gives: Mapping[str, str]
    optional: Collection[str] = ()
    asked: Any = None
    media_types: Collection[str] = field(default=())
    unit: str = "credits"

    @property
    def provider(self) -> str:
        """Who is paid."""
        return self.kind.provider

    def check_inputs(self, place: str, given: Mapping[str, str]) -> list[Fault]:
        """Every input that is missing, unknown or of the wrong medium, by its place.

        Args:
            place: Where the inputs stand, for the faults.
            given: Input ids and the media that are given for them; an empty one fits everywhere.
        """
        offer = ", ".join(f"{name} ({' or '.join(sorted(media))})" for name, media in self.takes.items()) or "no inputs"
        faults = [
            Fault(f"{place}, input {name}", f"is missing; it takes {' or '.join(sorted(media))}")
            for name, media in self.takes.items()
            if name not in given and name not in self.optional
        ]
        for name, medium in given.items():
            if name not in self.takes:
                faults.append(Fault(f"{place}, input {name}", f"is unknown to {self.name or 'it'}; it takes {offer}"))
            elif medium and medium not in self.takes[name]:
                mend = "; `at` takes a picture from it" if medium == "video" and "image" in self.takes[name] else ""
                needed = " or ".join(sorted(self.takes[name]))
                faults.append(Fault(f"{place}, input {name}", f"is {medium}, but {needed} is needed{mend}"))
        return faults


@dataclass(frozen=True)
class PlannedStep:
    """One step to buy.

    Attributes:
        name: The step's name; with a number where the step is run once for each of several outputs.
        operation: What is bought.
        inputs: Where each input comes from.
        take: 1, 2, 3…: which of several of the same.
        takes: How many of the same the plan has, as far as the last of their takes.
    """

    name: str
    operation: Operation
    inputs: tuple[Input, ...]
    take: int = 1
    takes: int = 1

    @property
    def feeds(self) -> set[str]:
        """The names of the steps that must be done before this one."""
        return {source.run for source in self.inputs if isinstance(source, PendingInput)}


class StepKind(ABC, Generic[F]):
    """One kind of step.

    A client that is handed in is the account's, or has the same calls as task runs.

    Attributes:
        provider: Who is paid.
        tag: The field that only this kind of step has.
        form: What a person writes.
        asks: Whether its provider has to be asked what a step gives; else it can be planned without an account.
        reads_addresses: Whether its provider reads inputs at addresses by itself; which, `reads` says.
        in_usd: Whether its provider may name prices in USD.
    """

    provider: ClassVar[str]
    tag: ClassVar[str]
    form: ClassVar[type[Any]]
    asks: ClassVar[bool] = True
    reads_addresses: ClassVar[bool] = False
    in_usd: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"{self.provider} {self.tag}"

    @abstractmethod
    def sources(self, step: F) -> list[tuple[str, Source]]:
        """The step's inputs by their names, as they are written."""

    @abstractmethod
    async def describe(self, client: Any, steps: Sequence[F], payer: Any) -> Mapping[str, Operation | Sequence[Fault]]:
        """What each step buys, by its name, or what is wrong with it; a fault's place is what follows the step's own.

        Args:
            client: The account's; None where none is needed.
            steps: Of this kind.
            payer: The account's credentials, which may name prices.
        """

    @abstractmethod
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """The purchase as the journal knows it: texts as they are, files by hash and preparation."""

    @abstractmethod
    async def deliver(
        self,
        client: Any,
        store: Store,
        operation: Operation,
        inputs: Sequence[ResolvedInput],
        order: Order,
        held: AsyncExitStack,
    ) -> Submit:
        """Bring the inputs to where the provider reads them, at no cost; returns what sends the order.

        Args:
            client: The account's.
            store: Where inputs are that are assets.
            operation: What is bought.
            inputs: As they are.
            order: What is sent.
            held: Holds files that have to be there until the order was sent.
        """

    async def explain(
        self,
        client: Any,  # noqa: ARG002 # most providers get everything with the request
        store: Store,  # noqa: ARG002 # as above
        operation: Operation,
        source: Input,
        feeder: Operation | None,  # noqa: ARG002 # as above
    ) -> str:
        """How an input that is no text will get to the provider, for people.

        Args:
            client: The account's.
            store: Where assets are.
            operation: What is bought.
            source: The input.
            feeder: What gives it; None where it is at hand.
        """
        done = self.conversion(operation, source) if isinstance(source, ResolvedInput) else ""
        return f"{frame_of(source)}in the request, {f'turned into a {done.upper()}' if done else 'whole'}"

    def conversion(self, operation: Operation, source: ResolvedInput) -> str:
        """The name of what is done to a file before it is sent, as it stands in submission keys; empty for nothing."""
        return sent_as(source, operation.media_types)

    def reads(self, url: str, origins: Origins) -> bool:  # noqa: ARG002 # most providers read no addresses
        """Whether the provider reads an input at this address by itself."""
        return False

    def name_of(self, step: PlannedStep, order: Order) -> str:  # noqa: ARG002 # most names say nothing of what is asked for
        """The step's name, where it tells something that the order asks for otherwise."""
        return step.name

    async def delete(self, client: Any, job_id: str) -> None:
        """Delete a job at the provider, with its files there, where that can be done; they are in the store by then."""

    async def stage(
        self,
        client: Any,  # noqa: ARG002 # most providers get everything with the request
        store: Store,  # noqa: ARG002 # as above
        plan: Mapping[str, PlannedStep],  # noqa: ARG002 # as above
        steps: Sequence[PlannedStep],
    ) -> Sequence[PlannedStep]:
        """The steps with their inputs brought to the provider, each once, before the first of the plan is bought.

        Args:
            client: The account's.
            store: Where assets are.
            plan: All of it, by name.
            steps: Those of this kind that are to be bought.

        Raises:
            InputError: An input, there or not yet, cannot get to the provider.
        """
        return steps


def preparation(source: ResolvedInput, operation: Operation) -> str:
    """The name of all that is done to a file before it is sent, as it stands in submission keys."""
    frame = "" if source.at is None else f"frame-{source.at}"
    return "+".join(filter(None, (frame, operation.kind.conversion(operation, source)))) or "none"


def frame_of(source: Input) -> str:
    """How a picture of a video is named in a sentence, with what follows it set off; empty for anything else."""
    if source.at is None:
        return ""
    named = {"poster": "the picture in the middle of the video, ", "last": "the last picture of the video, "}
    return named[source.at] if isinstance(source.at, str) else f"the video's picture at {source.at:g} s, "


async def look_up(names: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> dict[str, T | NotFoundError]:
    """Each name as the provider describes it now; one that it does not know is a fault of the plan, to be told with the others."""

    async def found(name: str) -> T | NotFoundError:
        try:
            return await ask(name)
        except NotFoundError as error:
            return error

    asked = list(dict.fromkeys(names))
    return dict(zip(asked, await every(map(found, asked)), strict=True))
