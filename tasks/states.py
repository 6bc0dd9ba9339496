"""States that say how an order was met or a campaign ended, and the way back from a state to its value."""

from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from genmedia.errors import ContentRefusedError
from genmedia.progress import Progress, listening_too
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.result import REFUSED, WAITING, Result, tell_spent, tell_waiting

TOLD = 5
"""Most failures that a state's message tells in full."""

T = TypeVar("T")


async def met(purchase: Awaitable[Purchase]) -> State[Purchase]:
    """Return the state that says how an order was met: completed, named by its `Outcome`; or failed, named `Refused`, for its content."""

    def log_too(news: Progress) -> None:
        get_run_logger().info("%s: %s", news.step, news.what)

    try:
        with listening_too(log_too):
            made = await purchase
    except ContentRefusedError as error:
        return cast("State[Purchase]", Failed(name=REFUSED, message=str(error), data=error))
    return cast("State[Purchase]", Completed(name=made.outcome.value, message=made.why_not or made.about, data=made))


async def unwrap(state: State[T] | T) -> T:
    """The value behind a state: Prefect hands a task's caller the state itself when the task returned one."""
    if isinstance(state, State):
        return cast("T", await cast("State[Any]", state).aresult())
    return state


def campaign_state(results: Sequence[Result], marked: str = "", delivered: str = "") -> State[Any]:
    """Return the state in which a campaign ends: completed, or failed and named `Partial` when something is missing, with the reasons.

    If people have to decide before it can go on, a completed one is named `Waiting for review`.

    Args:
        results: Results of its steps.
        marked: Sentence about the marks that it was run by; empty without marks.
        delivered: Sentence about its delivery; empty where nothing was to be delivered.
    """
    counts = Counter(result.status for result in results)
    summary = ", ".join(f"{count} {status.lower()}" for status, count in counts.items())
    left = Counter(result.error for result in results if result.status == Outcome.NOT_BOUGHT and result.error not in marked)
    whys = ", ".join(f"{count} {why}" for why, count in left.items())
    waiting = tell_waiting(results)
    parts = (waiting, marked, summary, tell_spent(results), whys and f"not bought: {whys}", delivered)
    message = "; ".join(filter(None, parts))
    warnings = "; ".join(f"step {result.name}, {warning}" for result in results for warning in result.warnings)
    if warnings:
        message = f"{message}. To be looked at: {warnings}"
    data = quote(list(results))  # else Prefect looks for futures in every field of every sidecar
    if all(result.done or result.left for result in results):
        return Completed(name=WAITING if waiting else None, message=message, data=data)
    failures = [f"step {result.name}: {result.error}" for result in results if result.error and not result.left]
    more = f"; and {len(failures) - TOLD} more, each in the table of results" if len(failures) > TOLD else ""
    return Failed(name="Partial", message=f"{message}. {'; '.join(failures[:TOLD])}{more}", data=data)
