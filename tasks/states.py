"""States that say how a wish was met, and the way back from a state to its value."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from genmedia.buying import Purchase
from genmedia.results import Result

TOLD = 5
"""How many failures a state's message tells in full."""

T = TypeVar("T")


def met(purchase: Purchase) -> State[Purchase]:
    """A completed state named `Bought`, `Reattached` or `Reused`, as the Prefect UI shows it."""
    return cast("State[Purchase]", Completed(name=purchase.outcome.value, message=purchase.about, data=purchase))


async def unwrap(state: State[T] | T) -> T:
    """The value behind a state: Prefect hands a task's caller the state itself when the task returned one."""
    if isinstance(state, State):
        return cast("T", await cast("State[Any]", state).aresult())
    return state


def campaign_state(results: Sequence[Result]) -> State[Any]:
    """How a whole campaign ended: completed, or failed and named `Partial` when something is missing, with the reasons."""
    counts = Counter(result.status for result in results)
    summary = ", ".join(f"{count} {status.lower()}" for status, count in counts.items())
    message = f"{summary}; {sum(result.charged for result in results):g} credits charged"
    warnings = "; ".join(f"step {result.name}, {warning}" for result in results for warning in result.warnings)
    if warnings:
        message = f"{message}. To be looked at: {warnings}"
    if all(result.done for result in results):
        return Completed(message=message, data=list(results))
    failures = [f"step {result.name}: {result.error}" for result in results if result.error]
    more = f"; and {len(failures) - TOLD} more, each in the table of results" if len(failures) > TOLD else ""
    return Failed(name="Partial", message=f"{message}. {'; '.join(failures[:TOLD])}{more}", data=list(results))
