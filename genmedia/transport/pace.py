"""The requests that an account may send in a minute. The limit is kept here, so that the provider never has to refuse.

Whoever only reads a journal or a store needs this, and no HTTP client, which takes long to import.
"""

import os
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import Protocol

from genmedia.concurrency import Line, Signal, set_within, to_the_end

WINDOW_SECONDS = 60.0

ANSWER_SECONDS = float(os.environ.get("GENMEDIA_ANSWER_SECONDS", "60"))
"""Longest wait for an answer of a provider, in seconds."""

PAGES = 1000
"""Most pages of one list that are read; a longer list is endless, or would take too long."""

DOWNLOAD_BYTES = 512 * 2**20
"""Most bytes of a file that is fetched."""

LONGEST_HOLD = 600.0
"""Longest time for which one answer holds back all calls, in seconds, whatever it says."""

once: ContextVar[bool] = ContextVar("once", default=False)
"""True where no call is sent again; see `asking_once`."""


@contextmanager
def asking_once() -> Generator[None]:
    """Send no call again in this block: a watcher of many jobs looks again later, and one job must not delay the others."""
    token = once.set(True)
    try:
        yield
    finally:
        once.reset(token)


URGENT = 1e6
"""Rank of requests that go before those of every run, such as aborts."""

_rank: ContextVar[float] = ContextVar("_rank", default=0.0)


@contextmanager
def ranked(rank: float) -> Generator[None]:
    """Give what is asked of an account in this block a rank: the higher one goes first, in all processes; 0 is the usual."""
    token = _rank.set(rank)
    try:
        yield
    finally:
        _rank.reset(token)


def own_rank() -> float:
    """Return the rank that the block has; see `ranked`."""
    return _rank.get()


class Window(Protocol):
    """A number of requests in any 60 seconds.

    A request counts from its start until 60 seconds after its answer: the provider received it before it answered, so its own window is
    free again by then, however long the request travelled.
    """

    async def take(self, rank: float) -> float:
        """Take one request and return 0; where there is none, or one of a higher rank waits, return the seconds after which to ask again."""
        ...

    async def answered(self, *, idle: bool) -> None:
        """Note that a request that was taken is answered, or will not be sent.

        Args:
            idle: True if nobody waits for a request here.
        """
        ...

    async def refused(self, seconds: float) -> None:
        """Note that the provider answered "too many requests".

        Args:
            seconds: Time for which it asked for none, by its clock; 0 where it named none.
        """
        ...


class OwnWindow:
    """The window of one process, in its memory.

    Args:
        per_minute: Number of requests.
        clock_scale: Returns the factor by which a sandbox's clock runs faster.
    """

    def __init__(self, per_minute: int, clock_scale: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock_scale = clock_scale
        self._answered: deque[float] = deque()
        self._under_way = 0

    async def take(self, rank: float) -> float:
        """See `Window`; infinite until a request under way is answered. Those who wait here are in line already."""
        del rank
        now, window = monotonic(), WINDOW_SECONDS / self._clock_scale()
        while self._answered and now - self._answered[0] >= window:
            self._answered.popleft()
        if len(self._answered) + self._under_way < self._per_minute:
            self._under_way += 1
            return 0.0
        return self._answered[0] + window - now if self._answered else inf

    async def answered(self, *, idle: bool) -> None:
        """See `Window`."""
        del idle
        self._under_way -= 1
        self._answered.append(monotonic())

    async def refused(self, seconds: float) -> None:
        """See `Window`; another program uses the same limit, which `Pace` keeps back from."""
        del seconds


class Pace:
    """The line of requests of one process: each waits until every window has one for it.

    Args:
        per_minute: Number of requests in any 60 seconds; None for no limit.
        clock_scale: Returns the factor by which a sandbox's clock runs faster.
    """

    def __init__(self, per_minute: int | None, clock_scale: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock_scale = clock_scale
        self._windows: Counter[Window] = Counter([OwnWindow(per_minute, clock_scale)] if per_minute else [])
        self._held_until = 0.0
        self._line = Line()
        self._changed = Signal()

    @contextmanager
    def within(self, window: Window) -> Generator[None]:
        """Keep to another window too while the block runs, with every request, whichever task sends it."""
        self._windows[window] += 1
        try:
            yield
        finally:
            self._windows -= Counter([window])

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncGenerator[None]:
        """Wait for a turn, and hold it while the block runs; urgent requests (aborts) go first, then those of the highest rank."""
        rank = URGENT if urgent else own_rank()
        taken: list[Window] = []
        try:
            with self._line.joined(rank) as front:
                while True:
                    await front.wait()
                    changed = self._changed.ahead
                    if not (seconds := await self._take(rank, taken)):
                        break
                    await set_within(changed, seconds)
            yield
        finally:
            await to_the_end(self._end_turn(taken))

    async def refused(self, seconds: float) -> None:
        """Start no request for so many seconds of the provider's clock, as it asked with "too many": another program uses the same limit."""
        self._held_until = max(self._held_until, monotonic() + seconds / self._clock_scale())
        for window in list(self._windows):
            await to_the_end(window.refused(seconds))

    async def _end_turn(self, taken: list[Window]) -> None:
        """Tell every window, and then those who wait, that a request is answered, or will not be sent."""
        for window in taken:
            await window.answered(idle=not self._line)
        self._changed.fire()

    async def _take(self, rank: float, taken: list[Window]) -> float:
        """Take a request of each window into `taken`; return the seconds until it is worth another try, 0 if all are taken."""
        if (held := self._held_until - monotonic()) > 0 and self._windows:
            return held
        for window in list(self._windows):
            if window not in taken:
                if seconds := await window.take(rank):
                    return seconds
                taken.append(window)
        return 0.0
