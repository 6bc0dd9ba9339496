"""Play schedules of purchase and desk in virtual time, on all cores: `python -m benchmarks.simulation [SCHEDULES] [SEED] [FAULT]`.

SEED is that of the first schedule; those after it follow. Each that shows a fault tells its story, and one that is played alone tells it in
any case. FAULT, a part of a name in `tests.simulation.planted`, plants that fault first. The exit code is 1 if a schedule showed a fault.
"""

import gc
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from time import monotonic, process_time

from tests.simulation.planted import FAULTS
from tests.simulation.world import simulation

SCHEDULES = 1000
PART = 20
"""Number of schedules that a process plays at a time."""


def play_part(seeds: range, fault: str) -> tuple[list[str], float]:
    """Play schedules; return the stories of those that showed a fault, or of the only one, and the CPU time in seconds."""
    begun = process_time()
    planted = next((one for name, one in FAULTS.items() if fault in name), None) if fault else None
    narrow = [planted.narrow] if planted else []
    gc.set_threshold(50_000, 20, 100)  # up to a tenth of a schedule's time went into looking for garbage
    with simulation() as play, planted.plant() if planted else nullcontext():
        worlds = [world for seed in seeds if (world := play(seed, *narrow)).faults or len(seeds) == 1]
        return [world.told() for world in worlds], process_time() - begun


def main() -> None:
    """Play them."""
    schedules = int(sys.argv[1]) if len(sys.argv) > 1 else SCHEDULES
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    fault = sys.argv[3] if len(sys.argv) > 3 else ""
    parts = [range(one, min(one + PART, first + schedules)) for one in range(first, first + schedules, PART)]
    faulty, seconds, done, begun = 0, 0.0, 0, monotonic()
    for part, (stories, took) in zip(parts, _played(parts, fault), strict=True):
        for story in stories:
            print(f"\n{story}\n", flush=True)
        faulty += sum("FAULT" in story for story in stories)
        seconds, done = seconds + took, done + len(part)
        print(f"\r{done} of {schedules} schedules", end="", flush=True)
    print(
        f"\nseeds {first} to {first + schedules - 1}: {faulty} with a fault; {monotonic() - begun:.0f} s, {seconds:.0f} s of CPU"
    )
    sys.exit(1 if faulty else 0)


def _played(parts: list[range], fault: str) -> Iterator[tuple[list[str], float]]:
    """Yield the result of each part, in order, as soon as it is there."""
    if len(parts) == 1:
        yield play_part(parts[0], fault)
        return
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        yield from processes.map(play_part, parts, [fault] * len(parts))


if __name__ == "__main__":
    main()
