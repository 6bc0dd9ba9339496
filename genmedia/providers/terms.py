"""How purchases at a provider are made, as far as providers differ: what its client says of itself to whoever buys."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genmedia.jobs.job import Counter
from genmedia.transport.pace import Slots

if TYPE_CHECKING:  # it loads a database library, which clients do not need
    from genmedia.journal.order import Order


def _nothing() -> None:
    """Most providers have nothing to do here, and nothing to tell."""


async def _nothing_now() -> None:
    """As above."""


@dataclass(frozen=True)
class Terms:
    """How purchases at a provider are made, as far as providers differ.

    Attributes:
        not_charged: What is said of the money of a failed job for which the provider names no charge.
        repeat_seconds: Between two submissions of one order, by the provider's clock; see `buy`.
        reprice: Asks what an order costs now; None where the provider names no prices.
        slots: Those of the account's open jobs.
        listen: Begins to listen to what the provider pushes.
        make_ready: Asks for what has to be known before an order is sent.
        counter: What the provider last said was used of the account; None where it does not say.
        first_look: In how many seconds a look at a new job is of use.
    """

    not_charged: str
    repeat_seconds: float = 0
    reprice: "Callable[[Order], Awaitable[float | None]] | None" = None
    slots: Slots = field(default_factory=lambda: Slots(None))
    listen: Callable[[], None] = _nothing
    make_ready: Callable[[], Awaitable[None]] = _nothing_now
    counter: Callable[[], Counter | None] = _nothing
    first_look: Callable[[], float] = float
