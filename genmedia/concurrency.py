"""Resources of one event loop: HTTP sessions and database engines, shared while they are leased, and tasks that run beside the work."""

import asyncio
from bisect import insort
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Hashable, Iterable
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from genmedia.garbage import collect_seldom


class Closable(Protocol):
    """A resource that can be leased: it is closed with its last lease."""

    async def aclose(self) -> None:
        """Free what it holds."""
        ...


T = TypeVar("T", bound=Closable)
R = TypeVar("R")

_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, list[Any]]] = WeakKeyDictionary()


@asynccontextmanager
async def leased(key: Hashable, make: Callable[[], T]) -> AsyncGenerator[T]:
    """Lease the one `T` of this loop under `key`: it is made for the first lease, and closed with the last.

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


class Signal:
    """Wakes all tasks that wait for a change. A task notes `ahead` before it looks, and waits for that: no change in between is missed."""

    def __init__(self) -> None:
        self.ahead = asyncio.Event()

    def fire(self) -> None:
        """Tell those that wait, or have noted `ahead`, that something has changed."""
        self.ahead.set()
        self.ahead = asyncio.Event()


class Line:
    """Tasks that wait for their turn at something: that of the highest rank first, among equals the one that came first."""

    def __init__(self) -> None:
        self._places: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = count()

    def __bool__(self) -> bool:
        return bool(self._places)

    @contextmanager
    def joined(self, rank: float) -> Generator[asyncio.Event]:
        """Wait in the line while the block runs.

        Yields:
            An event that is set while nobody is ahead; one of a higher rank may still come.
        """
        place = (-rank, next(self._numbers), asyncio.Event())
        if self._places:
            self._places[0][2].clear()
        insort(self._places, place)
        self._places[0][2].set()
        try:
            yield place[2]
        finally:
            self._places.remove(place)
            if self._places:
                self._places[0][2].set()


async def set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait until an event is set, and at most so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def end_task(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks that run beside the work, and wait until they have ended.

    Before Python 3.12 `asyncio.wait_for`, which libraries use, can lose a cancellation that comes with the result: so it is repeated.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1)


async def every(works: Iterable[Awaitable[R]]) -> list[R]:
    """Run works at once and return their results, in order, when all of them have ended; raise the error of the first one that failed.

    A signal to this process, such as `SIGTERM`, is raised in the work that the loop runs just then, as an exception that is no `Exception`:
    it cancels the other works at once.
    """
    collect_seldom()
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
            _ = [one.cancelled() or one.exception() for one in left]  # else asyncio would log their errors as never retrieved
    return [future.result() for future in futures]  # raises only errors that were raised, not those that were returned


class _Ending(asyncio.Future[None]):
    """Future for the end of a work: a cancellation of the task that awaits it is noted, and does not end the wait."""

    cancellation: asyncio.CancelledError | None = None

    def cancel(self, msg: object = None) -> bool:
        """Note a cancellation, with the message by which anyio knows its own. This is cheap: anyio repeats it in every turn of the loop."""
        if self.cancellation is None or (msg and not self.cancellation.args):
            self.cancellation = asyncio.CancelledError(msg) if msg else asyncio.CancelledError()
        return True


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Run work that is not interruptible: a cancellation of the caller is raised only when the work has ended."""
    task = asyncio.ensure_future(work)
    # At its end `asyncio.run` cancels every task that is registered and waits for them: for this one's caller, and so for this one.
    asyncio._unregister_task(task)  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue] # see "Extending asyncio"
    ending = _Ending()
    task.add_done_callback(lambda _: ending.set_result(None))
    await ending
    if ending.cancellation:
        _ = task.cancelled() or task.exception()  # else asyncio would log its error as never retrieved
        try:
            raise ending.cancellation
        finally:
            del ending, task  # the traceback holds this frame, and this frame would hold the error
    return task.result()
