"""When others look at a job: the loop of a provider's document and the clients of fal and Runway, as pauses before each look.

- FLORA's document, "Full Python example": a look at once, then one each 3 s. Generio's and Algovera's documents name no pause.
- fal-client 1.0.3 (PyPI), `AsyncRequestHandle.iter_events`: a look at once, then one each 0.1 s (`DEFAULT_QUEUE_POLL_INTERVAL`).
- runwayml 5.24.0 (PyPI), `lib/polling.py`: 6 s with a jitter of 3 s before each look, the first as well: evenly between 4.5 and 7.5 s.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, chain, repeat


def _each(pause: float) -> Iterator[float]:
    return chain((0.0,), repeat(pause))


def _jittered(shortest: float, longest: float) -> Iterator[float]:
    while True:
        yield random.uniform(shortest, longest)  # noqa: S311 # no secret hangs on it


SCHEDULES: Mapping[str, Callable[[], Iterator[float]]] = {
    "documents' loop (each 3 s)": lambda: _each(3.0),
    "fal-client (each 0.1 s)": lambda: _each(0.1),
    "runwayml (4.5 to 7.5 s)": lambda: _jittered(4.5, 7.5),
}
"""Seconds before each look at a job, the first one counted from its purchase."""


def looks(pauses: Iterator[float], seconds: float) -> tuple[int, float]:
    """Looks at a job that ends after so many seconds, and the seconds from its end to the look that shows it; answers take no time."""
    for number, at in enumerate(accumulate(pauses), 1):
        if at >= seconds:
            return number, at - seconds
    raise AssertionError("a schedule goes on for ever")


def follow(schedule: Callable[[], Iterator[float]], jobs: Iterable[float]) -> tuple[float, list[float]]:
    """Looks a job, and the delay of each as a share of its time, where jobs of so many seconds are followed by a schedule."""
    found = [(*looks(schedule(), seconds), seconds) for seconds in jobs]
    return sum(number for number, _, _ in found) / len(found), [delay / seconds for _, delay, seconds in found]
