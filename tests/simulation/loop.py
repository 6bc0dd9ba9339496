"""An event loop in virtual time, shared by several simulated processes: chance chooses which of them takes the next step.

A process is a lane: everything that was begun in its context. Within a lane callbacks run in the order in which asyncio makes them ready, as
in a real process; between any two of them another lane may run, a lane may be stopped for a while, or be killed.
"""

import asyncio
import heapq
from asyncio.events import Handle, TimerHandle
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")


class KilledError(BaseException):
    """Raised in what a killed process still has under way, wherever it would touch the world; nothing but its clearing up follows."""


class Lane:
    """The steps of one simulated process.

    Attributes:
        name: Name for the trace.
        killed: True once the process has died: what it still runs touches nothing.
        stopped: True while the process is stopped: time goes on without it.
        steps: Number of steps left until `interfere` is called with this lane; below 0 for never.
        tasks: All tasks that it has begun.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.killed = False
        self.stopped = False
        self.steps = -1
        self.ready = deque[Handle]()
        self.tasks: list[asyncio.Task[Any]] = []


_lane: ContextVar[Lane | None] = ContextVar("_lane", default=None)


def current_lane() -> Lane | None:
    """Return the lane of the code that runs; None for the world outside of all processes."""
    return _lane.get()


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop.

    Args:
        chance: Chooses the lane of each step.
        interfere: Called before a step of a lane whose `steps` have run out; it may stop or kill the lane.
    """

    def __init__(self, chance: Random, interfere: Callable[[Lane], None]) -> None:
        super().__init__()
        self._now = 0.0
        self._chance = chance
        self._interfere = interfere
        self._world = Lane("world")
        self._lanes = [self._world]
        self._timers: list[TimerHandle] = []
        self.steps = 0

    def time(self) -> float:
        """Return the virtual time, in seconds since the beginning."""
        return self._now

    def begin(self, lane: Lane, work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Begin work as a process of its own; return its first task."""
        if lane not in self._lanes:
            self._lanes.append(lane)
        context = copy_context()
        context.run(_lane.set, lane)
        return self.create_task(work(), context=context)

    def stop_lane(self, lane: Lane, seconds: float) -> None:
        """Stop a process for so many seconds, as SIGSTOP does: what becomes due meanwhile is done after them."""
        lane.stopped = True

        def go_on() -> None:
            lane.stopped = False

        self.call_later(seconds, go_on, context=Context())

    def kill(self, lane: Lane) -> None:
        """Kill a process. Its tasks are ended, and find nothing that they could still touch; see `KilledError`."""
        lane.killed, lane.stopped = True, False
        for task in lane.tasks:
            task.cancel()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Begin a task, and note it in its lane."""
        task = super().create_task(coro, **options)
        context: Context | None = options.get("context")
        lane = context.get(_lane) if context else _lane.get()
        if lane is not None:
            lane.tasks.append(task)
        return task

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Handle:
        """Have a lane's next step but those before it be a call."""
        handle = Handle(callback, args, self, context)
        self._lane_of(handle).ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> TimerHandle:
        """Call at a virtual time."""
        handle = TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, handle)
        return handle

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Call a function at once: there are no threads here."""
        del executor
        lane, done = _lane.get(), self.create_future()
        if lane and lane.killed:
            done.set_exception(KilledError())
            return done
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 # it is for the caller
            done.set_exception(error)
        return done

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """A cancelled timer is left out when its time comes."""

    def _lane_of(self, handle: Handle) -> Lane:
        return handle._context.get(_lane) or self._world  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] # asyncio calls the handle in it

    def _run_once(self) -> None:
        """Take one step of one lane; where none can, go on to the next timer."""
        while not (able := [lane for lane in self._lanes if lane.ready and not lane.stopped]):
            self._go_on_in_time()
        lane = able[int(self._chance.random() * len(able))] if len(able) > 1 else able[0]
        self.steps += 1
        if lane.steps >= 0 and not lane.killed:
            lane.steps -= 1
            if lane.steps < 0:
                self._interfere(lane)
                if lane.stopped:
                    return
        handle = lane.ready.popleft()
        if not handle.cancelled():
            handle._run()  # pyright: ignore[reportAttributeAccessIssue] # as the base class does

    def _go_on_in_time(self) -> None:
        while self._timers and self._timers[0].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise RuntimeError("nothing is left that could happen, and somebody still waits")
        self._now = max(self._now, self._timers[0].when())
        while self._timers and self._timers[0].when() <= self._now:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._lane_of(timer).ready.append(timer)
