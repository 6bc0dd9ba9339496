"""Play schedules: `python -m tests.simulation [SCHEDULES] [SEED]`; the seed is that of the first one, and those after it follow.

One schedule alone tells its whole story; of several, each that shows a fault does. The exit code is 1 if one did.
"""

import sys
from time import process_time

from tests.simulation.world import simulation

SCHEDULES = 1000


def main() -> None:
    """Play them."""
    schedules = int(sys.argv[1]) if len(sys.argv) > 1 else SCHEDULES
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    faulty, begun = 0, process_time()
    with simulation() as play:
        for seed in range(first, first + schedules):
            world = play(seed)
            if world.faults or schedules == 1:
                print(f"\n{world.told()}\n", flush=True)
            faulty += bool(world.faults)
            if sys.stdout.isatty():
                print(f"\r{seed - first + 1} of {schedules} schedules", end="", flush=True)
    seconds = process_time() - begun
    print(f"\n{schedules} schedules from seed {first} on, {faulty} with a fault, {seconds:.0f} s of CPU")
    sys.exit(1 if faulty else 0)


if __name__ == "__main__":
    main()
