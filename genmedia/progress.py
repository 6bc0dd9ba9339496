"""Tells whoever listens what is going on, while it goes on: a terminal, a test."""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One piece of news about a step.

    Attributes:
        step: The step's name.
        what: What it is doing: `Bought`, `Reattached`, `Reused`, a job status, `stored`, or an error's first line.
        percent: 0 to 100; None when nobody knows.
    """

    step: str
    what: str
    percent: float | None = None


def _nobody(_: Progress) -> None:
    pass


listener: ContextVar[Callable[[Progress], None]] = ContextVar("listener", default=_nobody)
"""Called with every piece of news in this context; set it before the work starts."""


def tell(step: str, what: str, percent: float | None = None) -> None:
    """Pass on a piece of news."""
    listener.get()(Progress(step, what, percent))
