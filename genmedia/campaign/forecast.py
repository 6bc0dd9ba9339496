"""Forecast: how long a plan will take, by what its jobs took before and what its accounts may do at once."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genmedia.providers.steps import PlannedStep

REQUESTS = 2.0
"""Requests for each purchase: one that buys it, and one that learns where its file is."""

MADE_AT_ONCE = 4
"""Most steps under way at once that this machine does: it works on fewer, and each holds a task run and a file."""

LOCAL_SECONDS = 0.5
"""Time that a step on this machine takes, as of a picture; a video takes longer."""

HANDLING_SECONDS = 0.5
"""Time from the end of a job until what it feeds is bought: its file is fetched, looked at and stored."""


@dataclass(frozen=True)
class Pace:
    """What an account may do at once.

    Attributes:
        open_jobs: Number of jobs that may be open; None for no limit.
        per_minute: Number of requests in a minute; None for no limit.
        clock_scale: Factor by which the provider's clock runs faster, as in a sandbox.
    """

    open_jobs: int | None
    per_minute: int | None
    clock_scale: float


def forecast(runs: Sequence[PlannedStep], seconds: Mapping[str, float], paces: Mapping[str, Pace], at_once: int | None) -> float:
    """Return the seconds from the first purchase to the last file.

    Args:
        runs: What is bought, in an order in which each comes after those that feed it.
        seconds: Running time of each job by the provider's clock, by the name of the run.
        paces: What each account may do at once, by provider.
        at_once: Most jobs of the run under way at once; None for no limit.
    """
    work = _Work(runs)
    free = {provider: pace.open_jobs or len(runs) for provider, pace in paces.items()}
    inside, now = at_once or len(runs), 0.0
    ends: list[tuple[float, int]] = []
    while ends or work.is_left:
        for provider, count in free.items():
            for place in work.begin(provider, min(count, inside)):
                free[provider], inside = free[provider] - 1, inside - 1
                took = seconds[runs[place].name] / paces[provider].clock_scale + HANDLING_SECONDS
                heapq.heappush(ends, (now + took, place))
        now, place = heapq.heappop(ends)
        free[runs[place].operation.provider], inside = free[runs[place].operation.provider] + 1, inside + 1
        work.end(place)
    return max([now, *(_asking(runs, provider, pace) for provider, pace in paces.items())])


def tell_time(seconds: float) -> str:
    """Return a time for people, such as `40 s`, `12 min` or `3 h 5 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class _Work:
    """What is still to begin: what is ready at each provider, and what waits for what feeds it."""

    def __init__(self, runs: Sequence[PlannedStep]) -> None:
        self._runs = runs
        places = {run.name for run in runs}
        self._waits = [len(run.feeds & places) for run in runs]
        self._feeds = defaultdict[str, list[int]](list)
        self._ready = defaultdict[str, list[int]](list)  # a sorted list is a heap, and stays one
        for place, run in enumerate(runs):
            for name in run.feeds:
                self._feeds[name].append(place)
            if not self._waits[place]:
                self._ready[run.operation.provider].append(place)

    @property
    def is_left(self) -> bool:
        """True if something is ready."""
        return any(self._ready.values())

    def begin(self, provider: str, most: int) -> list[int]:
        """Return the places of those that begin at a provider, in the order of the plan."""
        queue = self._ready[provider]
        return [heapq.heappop(queue) for _ in range(min(most, len(queue)))]

    def end(self, place: int) -> None:
        """Note that one has ended, which others may have waited for."""
        for fed in self._feeds[self._runs[place].name]:
            self._waits[fed] -= 1
            if not self._waits[fed]:
                heapq.heappush(self._ready[self._runs[fed].operation.provider], fed)


def _asking(runs: Sequence[PlannedStep], provider: str, pace: Pace) -> float:
    """Return the seconds that the requests to a provider take alone; those of the first minute may be sent at once."""
    if pace.per_minute is None:
        return 0.0
    needed = REQUESTS * sum(run.operation.provider == provider for run in runs)
    return max(0.0, needed / pace.per_minute - 1) * 60 / pace.clock_scale
