"""States that say how a wish was met, and the way back from a state to its value."""

from typing import Any, TypeVar, cast

from prefect.client.schemas.objects import State
from prefect.states import Completed

from genmedia.buying import Purchase

T = TypeVar("T")


def met(purchase: Purchase) -> State[Purchase]:
    """A completed state named `Bought`, `Reattached` or `Reused`, as the Prefect UI shows it."""
    return cast("State[Purchase]", Completed(name=purchase.outcome.value, message=purchase.about, data=purchase))


async def unwrap(state: State[T] | T) -> T:
    """The value behind a state: Prefect hands a task's caller the state itself when the task returned one."""
    if isinstance(state, State):
        return cast("T", await cast("State[Any]", state).aresult())
    return state
