"""Progress of the steps while they run, passed to a listener, such as a terminal or a test."""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

Log = logging.Logger | logging.LoggerAdapter[Any]
"""Log of a run, for the person who started it."""

WAITING = "waiting"
"""Status of a planned step until there is news of it."""


@dataclass(frozen=True)
class Progress:
    """One piece of news about a step.

    Attributes:
        step: The step's name.
        what: Its status: `waiting`, `Bought`, `Joined`, `Resumed`, `Reused`, `Made`, a job status, `stored`, or an error.
        percent: 0 to 100; None if it is not known.
        over: True if no more news of it will come.
        part: Part of the work that it belongs to; empty if the work has only one.
    """

    step: str
    what: str
    percent: float | None = None
    over: bool = False
    part: str = ""


def _nobody(_: Progress) -> None:
    pass


listener: ContextVar[Callable[[Progress], object]] = ContextVar("listener", default=_nobody)
"""Function that is called with every piece of news in this context; set it before the work starts."""


@contextmanager
def listening_too(hear: Callable[[Progress], object]) -> Generator[None]:
    """Have a function hear the news of this block as well."""
    before = listener.get()

    def both(news: Progress) -> None:
        hear(news)
        before(news)

    token = listener.set(both)
    try:
        yield
    finally:
        listener.reset(token)


def tell(step: str, what: str, percent: float | None = None, *, over: bool = False) -> None:
    """Pass on a piece of news."""
    listener.get()(Progress(step, what, percent, over))


def announce(steps: Iterable[str]) -> None:
    """Pass on the names of all steps, in their order, before the first of them begins."""
    for step in steps:
        tell(step, WAITING)
