"""Tells whoever listens what is going on, while it goes on: a terminal, a test."""

import logging
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

Log = logging.Logger | logging.LoggerAdapter[Any]
"""What a person may read of a run."""

WAITING = "waiting"
"""What a step that is planned does until there is news of it."""


@dataclass(frozen=True)
class Progress:
    """One piece of news about a step.

    Attributes:
        step: The step's name.
        what: What it is doing: `waiting`, `Bought`, `Joined`, `Resumed`, `Reused`, a job status, `stored`, or an error's first line.
        percent: 0 to 100; None when nobody knows.
        over: Whether nothing more is to be expected of it.
        part: Of which part of the work it is, where that has several.
    """

    step: str
    what: str
    percent: float | None = None
    over: bool = False
    part: str = ""


def _nobody(_: Progress) -> None:
    pass


listener: ContextVar[Callable[[Progress], object]] = ContextVar("listener", default=_nobody)
"""Called with every piece of news in this context; set it before the work starts."""


def tell(step: str, what: str, percent: float | None = None, *, over: bool = False) -> None:
    """Pass on a piece of news."""
    listener.get()(Progress(step, what, percent, over))


def announce(steps: Iterable[str]) -> None:
    """Say which steps there are, in their order, before the first of them begins."""
    for step in steps:
        tell(step, WAITING)
