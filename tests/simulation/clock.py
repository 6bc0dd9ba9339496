"""Virtual time, and chance that replays, in place of what the code asks the system for: clocks, random numbers and ids."""

import random
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import cache
from random import Random
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

EPOCH = datetime.fromisoformat("2026-01-05T12:00:00+00:00").timestamp()
"""Beginning of each schedule, in seconds since 1970."""


@contextmanager
def replaced(*places: tuple[Any, str, Any]) -> Generator[None]:
    """Replace attributes while the block runs: of an object, by name, with a value."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, value in places:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in reversed(before):
            setattr(owner, name, value)


@contextmanager
def virtual(now: Callable[[], float], chance: Random) -> Generator[None]:
    """Have the library, and what it leans on, take time and chance from here while the block runs.

    Args:
        now: Returns the virtual time, in seconds since the beginning of the schedule.
        chance: Makes the ids, and gives the seed of all other random numbers.
    """

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.fromtimestamp(EPOCH + now(), tz)

    def ids() -> UUID:
        return UUID(int=chance.getrandbits(128), version=4)

    instead: dict[int, Any] = {id(time.monotonic): now, id(datetime): Datetime, id(uuid4): ids}
    state = random.getstate()
    random.seed(chance.getrandbits(64))
    places = [(module, name, instead[id(value)]) for module, name, value in _places()]

    def clock_gettime(_: int) -> float:
        return now()

    system = (time, "monotonic", now), (time, "clock_gettime", clock_gettime)
    try:
        with replaced(*places, *system):
            yield
    finally:
        random.setstate(state)


@cache
def _places() -> list[tuple[ModuleType, str, Any]]:
    """Return every name of the library that stands for a clock or makes ids, with its module."""
    sources = (time.monotonic, datetime, uuid4)
    modules = [module for name, module in sys.modules.items() if name.startswith("genmedia.")]
    return [
        (module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if any(value is source for source in sources)
    ]
