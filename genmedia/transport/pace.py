"""The requests that an account may send in a minute. The limit is kept here, so that the provider never has to refuse."""

import os
from bisect import insort
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from math import inf
from time import monotonic
from typing import Protocol

from genmedia.concurrency import Signal, set_within, to_the_end

WINDOW_SECONDS = 60.0

ANSWER_SECONDS = float(os.environ.get("GENMEDIA_ANSWER_SECONDS", "60"))
"""Longest wait for an answer of a provider, in seconds."""

PAGES = 1000
"""Most pages of one list that are read; a longer list is endless, or would take too long."""


class Window(Protocol):
    """A number of requests in any 60 seconds.

    A request counts from its start until 60 seconds after its answer: the provider received it before it answered, so its own window is
    free again by then, however long the request travelled.
    """

    async def take(self) -> float:
        """Take one request and return 0; where there is none, return the seconds after which to ask again."""
        ...

    async def answered(self, *, idle: bool) -> None:
        """Note that a request that was taken is answered, or will not be sent.

        Args:
            idle: True if nobody waits for a request here.
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

    async def take(self) -> float:
        """See `Window`; infinite until a request under way is answered."""
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
        self._line: list[tuple[bool, int]] = []
        self._numbers = count()
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
        """Wait for a turn, and hold it while the block runs; urgent requests (aborts) go first."""
        ticket = (not urgent, next(self._numbers))
        taken: list[Window] = []
        insort(self._line, ticket)
        try:
            while True:
                changed = self._changed.ahead
                if not (seconds := await self._take(ticket, taken)):
                    break
                await set_within(changed, seconds)
            self._leave(ticket)
            yield
        finally:
            self._leave(ticket)
            for window in taken:
                await to_the_end(window.answered(idle=not self._line))
            self._changed.fire()

    def hold(self, seconds: float) -> None:
        """Start no request for so many seconds of the provider's clock, as the provider asked: another program uses the same limit."""
        self._held_until = max(self._held_until, monotonic() + seconds / self._clock_scale())

    async def _take(self, ticket: tuple[bool, int], taken: list[Window]) -> float:
        """Take a request of each window into `taken`, if it is the ticket's turn; return the seconds until it is worth another try."""
        if self._line[0] != ticket:
            return inf
        if (held := self._held_until - monotonic()) > 0 and self._windows:
            return held
        for window in list(self._windows):
            if window not in taken:
                if seconds := await window.take():
                    return seconds
                taken.append(window)
        return 0.0

    def _leave(self, ticket: tuple[bool, int]) -> None:
        if ticket in self._line:
            self._line.remove(ticket)
            self._changed.fire()
