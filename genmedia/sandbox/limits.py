"""What a plan allows, and the sliding minute in which requests are counted."""

from collections import deque
from dataclasses import dataclass

MINUTE = 60.0
"""Nominal seconds over which requests are counted."""


@dataclass(frozen=True)
class Plan:
    """What an account of this plan may do.

    Attributes:
        name: As the control plane takes it.
        requests: Requests in any 60 nominal seconds. None: no bound.
        open_jobs: Jobs that may be open at once. None: no bound.
        credits: What a new account of the plan starts with.
    """

    name: str
    requests: int | None
    open_jobs: int | None
    credits: int


class SlidingMinute:
    """The admitted requests of the last 60 nominal seconds; a refused request does not count."""

    def __init__(self) -> None:
        self._admitted: deque[float] = deque()

    def admit(self, now: float, limit: int) -> float | None:
        """Count one request, or say how many nominal seconds it must wait."""
        while self._admitted and self._admitted[0] <= now - MINUTE:
            self._admitted.popleft()
        if len(self._admitted) >= limit:
            return self._admitted[-limit] + MINUTE - now
        self._admitted.append(now)
        return None

    def clear(self) -> None:
        """Start counting anew."""
        self._admitted.clear()
