"""How long jobs of one kind run, as those before them did, and when one of them is worth a look because of that."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

LEARNED = 8
"""Number of jobs of a kind that must have ended before their running times decide when the next one is looked at."""

TELLING = 20
"""Number of jobs of a kind that must have ended before one of them can be called overdue."""

OVERDUE = 3.0
"""A job is overdue when it has run so many times as long as 95 % of the jobs before it."""

LATE = 0.08
"""Longest time between the end of a job and the look that shows it, as a share of the time that it ran; longer for 5 % of the jobs."""

GROWTH = 0.1
"""Pause between two looks at a job of whose kind nothing is known, as a share of the time that it has run."""

LOOKS = 4.0
"""Most looks at a job on average; where its kind's running times differ so much that more are needed, `LATE` is exceeded instead."""

FIRST_GUESS = 0.7
"""Time of the first look, as a share of the time that the provider expects the job to run."""

LONGEST_ESTIMATE = 600.0
"""Longest time that is believed where a provider tells how long it expects a job to run, in seconds."""

_SKIPPED = 0.03
_GAP = 1.5
_MARGIN = 0.02
_SAME = 0.02
_WIDER = 1.05


@dataclass(frozen=True)
class Durations:
    """Running times of the last jobs of one kind that succeeded, in seconds by the provider's clock, the shortest first."""

    seconds: tuple[float, ...] = ()

    @property
    def count(self) -> int:
        """Number of the jobs."""
        return len(self.seconds)

    def quantile(self, share: float) -> float | None:
        """Return the time in which this share of the jobs had ended, such as 0.95; None where there are no jobs."""
        return self.seconds[max(0, ceil(share * self.count) - 1)] if self.seconds else None

    @property
    def p10(self) -> float | None:
        """Time in which 10 % of the jobs had ended."""
        return self.quantile(0.1)

    @property
    def p50(self) -> float | None:
        """Time in which half of the jobs had ended."""
        return self.quantile(0.5)

    @property
    def p95(self) -> float | None:
        """Time in which 95 % of the jobs had ended."""
        return self.quantile(0.95)

    @cached_property
    def looks(self) -> tuple[float, ...]:
        """Running times at which a job is looked at; empty while too few jobs have ended."""
        return looks_at(self.seconds) if self.count >= LEARNED else ()

    def overdue(self, elapsed: float) -> bool:
        """True if a job that has run for so many seconds runs far longer than the jobs before it."""
        return self.count >= TELLING and elapsed > OVERDUE * (self.p95 or 0)


UNKNOWN = Durations()
"""Durations of a kind of which no job has ended."""


def looks_at(seconds: Sequence[float]) -> tuple[float, ...]:
    """Return the running times at which to look at a job of a kind, so that its end is seen soon with few looks.

    Each look comes so soon after the one before that the end of a job in between is seen within `LATE` of its running time. The first comes
    when the first jobs have ended. There are none in times in which no job ends, but each comes before twice the time of the one before.

    Args:
        seconds: Running times of jobs that have ended, the shortest first.
    """
    late = LATE * (1 - _MARGIN)
    while mean_looks(found := _cover(seconds, late), seconds) > LOOKS:
        late *= _WIDER
    return found


def mean_looks(looks: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the number of looks at these times until a job is seen ended, on average over jobs with these running times."""
    return sum(bisect_left(looks, one) + 1 for one in seconds) / len(seconds)


def _cover(seconds: Sequence[float], late: float) -> tuple[float, ...]:
    looks: list[float] = []
    begin = int(len(seconds) * _SKIPPED)  # the first few are seen late: each look before them would be one at every job
    while begin < len(seconds):
        first = seconds[begin]
        if looks and first > 2 * looks[-1] > 0:
            looks.append(2 * looks[-1])
            continue
        # Few jobs leave gaps that mean nothing; in a wide one no job ends.
        covered = looks[-1] if looks and first < _GAP * looks[-1] else first
        latest = covered * (1 + late)
        last = max((one for one in seconds[begin:] if one <= latest), default=latest)
        looks.append(min(latest, last * (1 + _MARGIN)))
        while begin < len(seconds) and seconds[begin] <= looks[-1]:
            begin += 1
    return tuple(looks)


@dataclass(frozen=True)
class Schedule:
    """When a job is looked at.

    Attributes:
        durations: Running times of the jobs of its kind.
        estimate: Seconds that the provider expects it to run; None where it does not tell. It counts while too little is known of its kind.
    """

    durations: Durations = UNKNOWN
    estimate: float | None = None

    @property
    def learned(self) -> bool:
        """True if the running times of its kind are known."""
        return bool(self.durations.looks)

    def pause(self, elapsed: float) -> float:
        """Return the seconds until the next look at a job that has run for so many seconds: growing ones where nothing is known."""
        if looks := self.durations.looks:
            # A look that comes a moment before the planned one, because the job began later than was known, is that one.
            following = bisect_left(looks, elapsed * (1 + _SAME))
            if following < len(looks):
                return looks[following] - elapsed
            over = elapsed - looks[-1]
            return max(looks[-1] * LATE, min(over / 2, looks[-1]))
        return max(min(self.estimate or 0, LONGEST_ESTIMATE) * FIRST_GUESS - elapsed, elapsed * GROWTH)


GROWING = Schedule()
"""Schedule of a job of which nothing is known: the pauses grow with the time that it runs."""
