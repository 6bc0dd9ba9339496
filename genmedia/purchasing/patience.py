"""How long a purchase waits for its job."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Longest time that a job may wait before it starts, and longest time that it may run, in minutes."""

    queue_minutes: float
    run_minutes: float
