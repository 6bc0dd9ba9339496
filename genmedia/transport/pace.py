"""Limits of an account: requests a minute, and open jobs. They are kept here, so that the provider never has to refuse."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from heapq import heappop, heappush
from itertools import count
from math import inf
from time import monotonic

WINDOW_SECONDS = 60.0

ANSWER_SECONDS = float(os.environ.get("GENMEDIA_ANSWER_SECONDS", "60"))
"""Longest wait for an answer of a provider, in seconds."""

PAGES = 1000
"""Most pages of one list that are read; a longer list is endless, or would take too long."""


class Pace:
    """Keeps to a number of requests in any 60 seconds.

    A request counts from its start until 60 seconds after its answer: the provider received it before it answered, so its own window is
    free again by then, however long the request travelled.

    Args:
        per_minute: Number of requests; None for no limit.
        clock_scale: Returns the factor by which a sandbox's clock runs faster.
    """

    def __init__(self, per_minute: int | None, clock_scale: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock_scale = clock_scale
        self._answered: deque[float] = deque()
        self._under_way = 0
        self._held_until = 0.0
        self._line: list[tuple[bool, int]] = []
        self._numbers = count()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def turn(self, *, urgent: bool = False) -> AsyncGenerator[None]:
        """Wait for a turn, and hold it while the block runs; urgent requests (aborts) go first."""
        if self._per_minute is None:
            yield
            return
        ticket = (not urgent, next(self._numbers))
        heappush(self._line, ticket)
        try:
            while seconds := self._wait() if self._line[0] == ticket else inf:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._changed.wait()
            heappop(self._line)
        except BaseException:
            self._line.remove(ticket)
            self._line.sort()
            self._changed.set()
            raise
        self._under_way += 1
        self._changed.set()
        try:
            yield
        finally:
            self._under_way -= 1
            self._answered.append(monotonic())
            self._changed.set()

    def hold(self, seconds: float) -> None:
        """Start no request for so many seconds of the provider's clock, as the provider asked: another program uses the same limit."""
        self._held_until = max(self._held_until, monotonic() + seconds / self._clock_scale())

    def _wait(self) -> float:
        """Seconds until the first in line may go; 0 for now, infinite until a request under way is answered."""
        now, window = monotonic(), WINDOW_SECONDS / self._clock_scale()
        while self._answered and now - self._answered[0] >= window:
            self._answered.popleft()
        held = max(self._held_until - now, 0.0)
        if len(self._answered) + self._under_way < (self._per_minute or 0):
            return held
        return max(self._answered[0] + window - now, held) if self._answered else inf


class Slots:
    """Keeps to a number of open jobs. A job holds its slot until a look shows that it has ended.

    Args:
        open_jobs: Number of open jobs; None for no limit.
    """

    def __init__(self, open_jobs: int | None) -> None:
        self._open_jobs = open_jobs
        self._held: dict[str, bool] = {}  # by name; True for a job in doubt
        self._freed = asyncio.Condition()

    async def claim(self, name: str) -> None:
        """Wait for a slot and hold it under `name`; a slot that `name` holds already is kept, and is no longer in doubt.

        Where all slots are held in doubt, none of them may ever be released: the one that was doubted first is taken.
        """
        async with self._freed:
            while name not in self._held and self._open_jobs is not None and len(self._held) >= self._open_jobs:
                if all(self._held.values()):
                    del self._held[next(iter(self._held))]
                else:
                    await self._freed.wait()
            self._held[name] = False

    def take(self, name: str) -> None:
        """Hold a slot for a job that is open already, even beyond the limit."""
        self._held[name] = False

    async def doubt(self, name: str) -> None:
        """Keep the slot of a job that may be open; `claim` takes it only where all slots are in doubt."""
        async with self._freed:
            if name in self._held:  # a job of an earlier run holds none
                del self._held[name]
                self._held[name] = True
            self._freed.notify_all()

    async def release(self, name: str) -> None:
        """Free the slot that `name` holds, if it holds one."""
        async with self._freed:
            self._held.pop(name, None)
            self._freed.notify_all()
