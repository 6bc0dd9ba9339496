"""Terms of purchases at a provider, as far as providers differ; its client names them to the code that buys."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genmedia.jobs.job import Counter

if TYPE_CHECKING:  # it loads a database library, which clients do not need
    from genmedia.journal.order import Order


def _nothing() -> None:
    """Do nothing: most providers have nothing to do or to tell here."""


async def _nothing_now() -> None:
    """Do nothing; see `_nothing`."""


def _untold(_: str) -> None:
    """Return None: most providers do not tell how long a job will run."""


@dataclass(frozen=True)
class Terms:
    """Terms of purchases at a provider, as far as providers differ.

    Attributes:
        not_charged: Sentence on the money of a failed job for which the provider names no charge.
        repeat_seconds: Seconds between two submissions of one order, by the provider's clock; see `buy`.
        reprice: Asks for the present price of an order; None where the provider names no prices.
        open_jobs: Number of jobs that the account may have open; None for no limit.
        listen: Begins to listen to the messages that the provider pushes.
        hush: Ends that.
        webhooks: True if the provider can send webhooks, whether or not this process has asked for them: another may have.
        make_ready: Asks the provider for the facts that must be known before an order is sent.
        counter: Returns what the provider last said the account has used; None where it does not say.
        estimate: Returns the seconds that the provider expects a job to run, by its id; None where it does not tell.
    """

    not_charged: str
    repeat_seconds: float = 0
    reprice: "Callable[[Order], Awaitable[float | None]] | None" = None
    open_jobs: int | None = None
    listen: Callable[[], None] = _nothing
    hush: Callable[[], Awaitable[None]] = _nothing_now
    webhooks: bool = False
    make_ready: Callable[[], Awaitable[None]] = _nothing_now
    counter: Callable[[], Counter | None] = _nothing
    estimate: Callable[[str], float | None] = _untold
