"""Kinds of steps that a campaign may have, and all questions that a campaign asks about them.

Each provider's own kinds are in its `steps.py`; no code outside of it asks which provider a step belongs to.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from genmedia.concurrency import every
from genmedia.errors import Fault, NotFoundError
from genmedia.forms.prompts import with_prompt
from genmedia.jobs.job import Account
from genmedia.journal.order import FREE, Order
from genmedia.providers.handoff import sent_as
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.sources import Source, StepForm
from genmedia.store import Store
from genmedia.transport.origins import Origins
from genmedia.transport.session import Gate

HERE = Account("local", "", "")
"""Stands for the account in the orders of what this machine does: nobody is paid."""

F = TypeVar("F", bound=StepForm)
T = TypeVar("T")

Submit = Callable[[str, Gate], Awaitable[str]]
"""Sends an order once, under the given idempotency key, and returns the remote id of the job that is paid for.

Each call that makes or starts a job at the provider, above all the one that costs money, is made inside the gate.
"""

Deliver = Callable[[AsyncExitStack], Awaitable[Submit]]
"""Brings the inputs of an order to where the provider reads them, at no cost; called only when there is something to submit.

The stack holds files and the like that are needed until the order is sent.
"""


@dataclass(frozen=True)
class Operation:
    """The operation that a step buys, as its provider describes it now.

    Attributes:
        kind: The kind of the step.
        name: Name for people: of a technique, a model, a template.
        price: Highest price, in `unit`; None when it is unknown.
        takes: Each input and the media that it may be: `image`, `video`, `model`, `audio`, `text`.
        gives: Each output and its medium.
        optional: The inputs that may be left out.
        asked: The request besides the inputs, in the kind's own form; only the kind reads it.
        media_types: The types of pictures, or of all files, that may be sent; empty for any.
        unit: Unit of the price; `FREE` where nobody is paid.
        gathers: True if an input that is every output of a step goes into one run; else the step is run once for each output.
        ratio: Width over height of the pictures or videos that it gives; None where that is not asked for.
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
    gathers: bool = False
    ratio: float | None = None

    @property
    def provider(self) -> str:
        """Provider that is paid, or `local`."""
        return self.kind.provider

    @property
    def free(self) -> bool:
        """True if nobody is paid for it."""
        return self.unit == FREE

    def check_inputs(self, place: str, given: Mapping[str, str]) -> list[Fault]:
        """Return a fault for every input that is missing, unknown or of the wrong medium.

        Args:
            place: Place of the inputs, for the faults.
            given: Input ids and the media that are given for them; an empty medium fits everywhere.
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
        operation: The operation that is bought.
        inputs: The inputs, available or pending.
        take: 1, 2, 3…: number of this one among several of the same.
        takes: Highest take of the same in the plan.
        edition: Edition of the campaign; empty for none.
        instead: `fallback` or `cheaper` where it may be bought in the place of another step of its name; empty for the step itself.
        others: The steps that may be bought in its place; their outputs are named as its own.
        aliases: Its own names of the outputs that the step in whose place it is bought names otherwise.
        left_out: Names of the steps of which it is not made, as a person rejected what they gave.
    """

    name: str
    operation: Operation
    inputs: tuple[Input, ...]
    take: int = 1
    takes: int = 1
    edition: str = ""
    instead: str = ""
    others: tuple["PlannedStep", ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    left_out: tuple[str, ...] = ()

    @property
    def feeds(self) -> set[str]:
        """Names of the steps that must be done before this one."""
        own = {source.run for source in self.inputs if isinstance(source, PendingInput)}
        return own.union(*(other.feeds for other in self.others))


class StepKind(ABC, Generic[F]):
    """One kind of step: bought of a provider (`PaidKind`), or done on this machine.

    A `client` argument is the account's client, or an object that makes some of the same calls as task runs.

    Attributes:
        provider: Provider that is paid; `local` where nobody is.
        tag: The field that only this kind of step has.
        form: Form that a person writes, or the forms, by the value of the field `tag`.
        asks: True if the provider must be asked what a step gives; else the step can be planned without an account.
        in_usd: True if the provider may name prices in USD.
    """

    provider: ClassVar[str]
    tag: ClassVar[str]
    form: ClassVar[type[Any] | Mapping[str, type[Any]]]
    asks: ClassVar[bool] = True
    in_usd: ClassVar[bool] = False

    def __repr__(self) -> str:
        return f"{self.provider} {self.tag}"

    @property
    def forms(self) -> Mapping[str, type[Any]]:
        """All forms that a person may write, each by the word that tells it apart from all other forms of steps."""
        if isinstance(self.form, Mapping):
            return {f"{self.tag}: {name}": form for name, form in self.form.items()}
        return {self.tag: self.form}

    @abstractmethod
    def sources(self, step: F) -> list[tuple[str, Source]]:
        """Return the step's inputs by their names, as they are written."""

    @abstractmethod
    async def describe(self, client: Any, steps: Sequence[F], payer: Any) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation that each step asks for, or its faults; the place of a fault follows the step's own.

        Args:
            client: The account's client; None where none is needed.
            steps: Steps of this kind.
            payer: The account's credentials, which may name prices; None where there is no account.
        """

    @abstractmethod
    def order(self, operation: Operation, inputs: Sequence[ResolvedInput], account: Account, take: int) -> Order:
        """Return the order for a purchase, as the journal knows it: texts as they are, files by hash and preparation."""

    def reword(self, order: Order, prompt: str) -> Order:
        """Return an order, whose request has a prompt, with another one.

        Raises:
            InputError: The provider does not take this prompt.
        """
        return replace(order, request=with_prompt(order.request, prompt))

    async def explain(
        self,
        client: Any,  # noqa: ARG002 # most providers get everything with the request
        store: Store,  # noqa: ARG002 # as above
        operation: Operation,
        source: Input,
        feeder: Operation | None,  # noqa: ARG002 # as above
    ) -> str:
        """Describe for people the way in which an input that is not a text will get to the provider.

        Args:
            client: The account's client; None where there is no account.
            store: Store of the assets.
            operation: The operation that is bought.
            source: The input.
            feeder: The operation that gives the input; None where the input is available.
        """
        done = self.conversion(operation, source) if isinstance(source, ResolvedInput) else ""
        return f"{frame_of(source)}in the request, {f'turned into a {done.upper()}' if done else 'whole'}"

    def conversion(self, operation: Operation, source: ResolvedInput) -> str:
        """Name of the conversion of a file before it is sent, as it stands in submission keys; empty for none."""
        return sent_as(source, operation.media_types)

    def reads(self, url: str, origins: Origins) -> bool:  # noqa: ARG002 # most providers read no addresses
        """True if the provider reads an input at this address itself."""
        return False

    def name_of(self, step: PlannedStep, order: Order) -> str:  # noqa: ARG002 # most names say nothing of what is asked for
        """Return the step's name, corrected where it tells something other than the order asks for."""
        return step.name


class PaidKind(StepKind[F]):
    """A kind of step that an account pays for.

    Attributes:
        reads_addresses: True if the provider reads inputs at some addresses itself; `reads` tells at which.
    """

    reads_addresses: ClassVar[bool] = False

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
        """Bring the inputs to where the provider reads them, at no cost, and return the function that sends the order.

        Args:
            client: The account's client.
            store: Store of the inputs that are assets.
            operation: The operation that is bought.
            inputs: The inputs, all available.
            order: The order that is sent.
            held: Stack that holds the files that are needed until the order is sent.
        """

    async def delete(self, client: Any, job_id: str) -> None:
        """Delete a job at the provider with its files there, where the provider can; the files are in the store by then."""

    async def stage(
        self,
        client: Any,  # noqa: ARG002 # most providers get everything with the request
        store: Store,  # noqa: ARG002 # as above
        plan: Mapping[str, PlannedStep],  # noqa: ARG002 # as above
        steps: Sequence[PlannedStep],
    ) -> Sequence[PlannedStep]:
        """Return the steps with their inputs brought to the provider, each once, before the plan's first purchase.

        Args:
            client: The account's client.
            store: Store of the assets.
            plan: All steps of the plan, by name.
            steps: The steps of this kind that will be bought.

        Raises:
            InputError: An input, available or pending, cannot get to the provider.
        """
        return steps


class FreeKind(StepKind[F]):
    """A kind of step that this machine does: there is no account, no price and no job; the same order gives the same file.

    Its `provider` is that of `HERE`, and the unit of its operations and orders is `FREE`.
    """

    asks: ClassVar[bool] = False

    @abstractmethod
    async def make(self, store: Store, operation: Operation, inputs: Sequence[ResolvedInput], order: Order, path: Path) -> None:
        """Write the file that an order asks for.

        Args:
            store: Store of the inputs that are assets.
            operation: The operation that is done.
            inputs: The inputs, all available.
            order: The order.
            path: Path at which it is written.

        Raises:
            MediaError: It cannot be made.
            InputError: An input was changed since it was stored, or gives no picture.
        """


def preparation(source: ResolvedInput, operation: Operation) -> str:
    """Name of all that is done to a file before it is sent, as it stands in submission keys; `none` for nothing."""
    frame = "" if source.at is None else f"frame-{source.at}"
    return "+".join(filter(None, (frame, operation.kind.conversion(operation, source)))) or "none"


def frame_of(source: Input) -> str:
    """Words that begin a sentence about a picture of a video, with a comma and a space at the end; empty for any other input."""
    if source.at is None:
        return ""
    named = {"poster": "the picture in the middle of the video, ", "last": "the last picture of the video, "}
    return named[source.at] if isinstance(source.at, str) else f"the video's picture at {source.at:g} s, "


async def look_up(names: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> dict[str, T | NotFoundError]:
    """Ask the provider for each name, once; a name that it does not know gets its error, which is reported with the plan's other faults."""

    async def found(name: str) -> T | NotFoundError:
        try:
            return await ask(name)
        except NotFoundError as error:
            return error

    asked = list(dict.fromkeys(names))
    return dict(zip(asked, await every(map(found, asked)), strict=True))
