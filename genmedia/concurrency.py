"""Things that belong to one event loop: HTTP sessions and database engines, shared while somebody uses them, and what runs beside them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary


class Closable(Protocol):
    """What can be leased: it is closed with its last lease."""

    async def aclose(self) -> None:
        """Free what it holds."""
        ...


T = TypeVar("T", bound=Closable)
R = TypeVar("R")

_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, list[Any]]] = WeakKeyDictionary()


@asynccontextmanager
async def leased(key: Hashable, make: Callable[[], T]) -> AsyncGenerator[T]:
    """The one `T` of this loop under `key`: made for the first lease, closed with the last.

    An `httpx.AsyncClient` or a database engine fails when a second loop uses it, hence one per loop.
    """
    here = _open.setdefault(asyncio.get_running_loop(), {})
    shared = here.setdefault(key, [None, 0])
    if shared[1] == 0:
        shared[0] = make()
    shared[1] += 1
    try:
        yield shared[0]
    finally:
        shared[1] -= 1
        if shared[1] == 0:
            del here[key]
            await to_the_end(shared[0].aclose())


async def end_task(*tasks: asyncio.Future[Any]) -> None:
    """Have tasks that run beside the work end, and wait until they have.

    Before Python 3.12 `asyncio.wait_for`, which libraries use, can lose a cancellation that comes with the result: it is repeated.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1)


async def every(works: Iterable[Awaitable[R]]) -> list[R]:
    """The results of works that are done at once, when all of them have ended; of those that failed, the first one's error is raised.

    A signal to this process, such as `SIGTERM`, comes as an exception that is no `Exception`, in whichever of them the loop was at: it
    ends the others at once.
    """
    futures = [asyncio.ensure_future(work) for work in works]
    left = set(futures)
    try:
        while left:
            ended, left = await asyncio.wait(left, return_when=asyncio.FIRST_EXCEPTION)
            errors = [one.exception() for one in ended if not one.cancelled()]
            if signal := next((one for one in errors if one and not isinstance(one, Exception)), None):
                raise signal
    finally:
        if left:
            await to_the_end(end_task(*left))
            _ = [one.cancelled() or one.exception() for one in left]  # else asyncio would log them as never seen
    return [future.result() for future in futures]  # what one raised is told from an error that it gave as its result


class _Ending(asyncio.Future[None]):
    """The end of something: it comes when it comes, and who is cancelled meanwhile hears of it then."""

    cancellation: asyncio.CancelledError | None = None

    def cancel(self, msg: object = None) -> bool:
        """Note it, with the message by which anyio knows its own. It asks again in every turn of the loop: that must cost little."""
        if self.cancellation is None or (msg and not self.cancellation.args):
            self.cancellation = asyncio.CancelledError(msg) if msg else asyncio.CancelledError()
        return True


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Do what must not be left half done: who is cancelled meanwhile goes only when it is done."""
    task = asyncio.ensure_future(work)
    # `asyncio.run` cancels every task there is at its end, and waits only for them: this one's caller is among them.
    asyncio._unregister_task(task)  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue] # see "Extending asyncio"
    ending = _Ending()
    task.add_done_callback(lambda _: ending.set_result(None))
    await ending
    if ending.cancellation:
        _ = task.cancelled() or task.exception()  # else asyncio would log it as never seen
        try:
            raise ending.cancellation
        finally:
            del ending, task  # the traceback holds this frame, and this frame would hold the error
    return task.result()
