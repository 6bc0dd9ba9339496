"""Kill processes that buy, and check that nothing is bought twice or lost: `python -m benchmarks.soak [KILLS] [SEED]`.

The processes buy jobs of all four providers and store their files, in one store and one journal. They are killed at random moments and
started again until each job is done. The exit code is 1 if a job was bought twice, or a file was lost or is incomplete.
"""

import asyncio
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.crashes.errands import OUTPUTS, Errand
from tests.crashes.scenes import KILLED, Scene, ended
from tests.sandboxes import Sandbox, running_sandbox

KILLS = 200
AT_ONCE = 4
LONGEST_SECONDS = 5.0
"""Latest moment at which a process is killed, in seconds after its start: a little later than most are done."""
KILLS_EACH = 6
"""Most kills for one job."""
SETTINGS = {"queue": [0, 10], "run": [10, 60]}


class Soak:
    """Buys jobs for one store and one journal, in processes that it kills.

    Args:
        scene: The sandbox, the store and the journal.
        kills: Number of processes to kill.
        chance: Chooses the provider of the next job, and when its process is killed.
    """

    def __init__(self, scene: Scene, kills: int, chance: random.Random) -> None:
        self._scene = scene
        self._wanted = kills
        self._chance = chance
        self.kills = 0

    async def go_on(self) -> None:
        """Buy one job after another, until enough processes were killed."""
        while self.kills < self._wanted:
            provider = self._chance.choice(list(OUTPUTS))
            errand = self._scene.add(self._scene.sandbox.new_account(provider, credits=1000, settings=SETTINGS))
            for _ in range(self._chance.randint(0, KILLS_EACH)):
                await self._try(errand, self._chance.uniform(0, LONGEST_SECONDS))
            if code := await self._try(errand, None):
                sys.exit(f"a process ended with {code}: {errand}")
            print(f"\r{self.kills} of {self._wanted} kills, {len(self._scene.errands)} jobs", end="", flush=True)

    async def _try(self, errand: Errand, seconds: float | None) -> int:
        """Run a process for a job, and kill it after `seconds`, or never for None; returns the exit code of the process."""
        process = self._scene.start(errand)
        end = asyncio.create_task(ended(process))
        await asyncio.wait([end], timeout=seconds)
        if not end.done():
            process.kill()
        code = await end
        self.kills += code == KILLED
        return code


async def soak(sandbox: Sandbox, root: Path, kills: int, seed: int) -> bool:
    """Run the test and print its figures; returns True if there was no fault."""
    scene, begun = Scene(sandbox, root), monotonic()
    work = Soak(scene, kills, random.Random(seed))  # noqa: S311 # no secret hangs on it
    await asyncio.gather(*(work.go_on() for _ in range(AT_ONCE)))
    endings, faults = await scene.endings(), await scene.faults(("algovera",))
    bought = [one for one in endings if one.state and not one.in_doubt]
    figures = {
        "kills": work.kills,
        "jobs wished for": len(endings),
        "jobs paid": sum(one.paid for one in endings),
        "files stored": sum(len(one.assets) for one in endings),
        "in doubt": sum(one.in_doubt for one in endings),
        "bought twice": sum(one.paid > 1 for one in endings),
        "lost": sum(not one.whole for one in bought),
    }
    print(f"\n{monotonic() - begun:.0f} s, seed {seed}:", ", ".join(f"{count} {name}" for name, count in figures.items()))
    print(*faults, sep="\n")
    return not faults


def main() -> None:
    """Run the test with its own sandbox."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    with TemporaryDirectory() as root, running_sandbox('{"clock_scale": 50, "size": 128}') as sandbox:
        if not asyncio.run(soak(sandbox, Path(root), kills, seed)):
            sys.exit(1)


if __name__ == "__main__":
    main()
