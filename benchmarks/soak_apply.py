"""Kill `genmedia apply` at random moments: `python -m benchmarks.soak_apply [KILLS] [SEED]`.

Each campaign has pictures that people approve, what is made of them here and at the provider, and a delivery. Its processes are killed at
random moments and started again, people give their verdicts in between, until everything is made and delivered. The exit code is 1 if a
job was bought twice, one is lost, or a delivery is not whole.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from genmedia.campaign.delivery.manifest import Manifest
from genmedia.cli.exit_codes import WAITS
from genmedia.journal import AttemptState, Journal
from genmedia.journal.reviews import Opinion
from genmedia.media.hashing import hash_file
from genmedia.store import Place
from tests.sandboxes import Sandbox, running_sandbox

KILLS = 100
LONGEST_SECONDS = 6.0
"""Latest moment at which a process is killed, in seconds after its start: a little later than most are done."""
RETAKEN = 0.2
"""Part of the verdicts that want another take."""
ROWS = ("cup", "plate", "vase", "bowl")
SETTINGS = {"queue": [0, 10], "run": [10, 60]}
LISTS = {"manifest.csv", "manifest.json", "index.html"}

FILE = """\
campaign: soak
edition: "{edition}"
rows: [{rows}]
steps:
  - {{name: hero, model: nano_banana2, prompt: "A {{{{ row.name }}}} on oak", review: true}}
  - {{name: story, local: resize, input: {{step: hero}}, width: 90, height: 160, fit: cover}}
  - {{name: banner, model: nano_banana_pro, prompt: "The {{{{ row.name }}}} with room for words", references: [{{step: hero}}]}}
deliver:
  to: "handed/{{{{ edition }}}}"
  names: "{{row.name}}/{{step}}.{{ext}}"
"""
STEPS = 3


@dataclass
class Soak:
    """Applies campaigns from one folder, with one account, in processes that it kills.

    Args:
        sandbox: The provider.
        folder: Folder of the campaigns' files, of the store and of what is delivered.
        chance: Chooses when a process is killed, and what people say.
    """

    sandbox: Sandbox
    folder: Path
    chance: random.Random
    kills: int = 0
    rounds: int = 0
    retakes: int = 0
    faults: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._account = self.sandbox.new_account("genova", credits=100_000, plan="Business", settings=SETTINGS)
        keys = {f"GENOVA_{value}".upper(): str(self._account[value]) for value in ("api_key", "base_url", "plan")}
        self._environment = {**os.environ, **keys, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
        self._store = self.folder / "store"

    async def go_on(self, kills: int) -> None:
        """Apply one campaign after another, until this many processes were killed."""
        while self.kills < kills:
            self.rounds += 1
            file = self.folder / f"{self.rounds}.yaml"
            rows = ", ".join(f"{{name: {row}}}" for row in ROWS)
            file.write_text(FILE.format(edition=f"round-{self.rounds}", rows=rows))
            for _ in range(self.chance.randint(4, 12)):
                self._apply(file, self.chance.uniform(0, LONGEST_SECONDS))
                await self._decide(hesitant=True)
            for _ in range(5 * len(ROWS)):
                self._apply(file, None)
                if not await self._decide():
                    break
            else:
                self.faults.append(f"round {self.rounds} does not end")
            self.faults += self._faults_of_delivery()
            print(f"\r{self.kills} of {kills} kills, {self.rounds} campaigns", end="", flush=True)
        self.faults += await self._faults_of_purchases()

    def _apply(self, file: Path, seconds: float | None) -> None:
        """Apply a file, and kill the process after `seconds`; never for None."""
        words = ["apply", str(file), "--without-prefect", "--yes", "--folder", str(self._store)]
        command = [sys.executable, "-m", "genmedia", *words]
        with subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                told, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                self.kills += 1
                return
        if "Traceback" in told or process.returncode not in (0, WAITS):
            self.faults.append(f"round {self.rounds} ended with {process.returncode}: {told}")

    async def _decide(self, *, hesitant: bool = False) -> int:
        """Have people say something about the pictures that wait; returns the number of those that they had not decided on.

        Args:
            hesitant: True to leave out about every second one.
        """
        async with Journal.lease(Place(str(self._store)).journal_url()) as journal:
            stored = [one for one in await journal.purchases() if one.state is AttemptState.STORED]
            heroes = {one.key: one for one in stored if one.purpose.step.startswith("hero")}
            decided = await journal.reviews.standing(heroes.keys())
            waiting = [asset for key, one in heroes.items() if key not in decided for asset in await journal.assets(one.id)]
            chosen = [one for one in waiting if not hesitant or self.chance.random() < 0.5]
            said = [(self._opinion(), one.path, one.sidecar) for one in chosen]
            self.retakes += sum(opinion.verdict == "retake" for opinion, _, _ in said)
            await journal.reviews.give(said)
            return len(waiting)

    def _opinion(self) -> Opinion:
        retake = self.chance.random() < RETAKEN
        return Opinion("retake", "Somebody", "too dark") if retake else Opinion("keep", "Somebody")

    def _faults_of_delivery(self) -> list[str]:
        place = self.folder / "handed" / f"round-{self.rounds}"
        if not (place / "manifest.json").exists():
            return [f"{place} has no manifest"]
        files = {one.name: one.sha256 for one in Manifest.model_validate_json((place / "manifest.json").read_bytes()).files}
        there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() and ".genmedia" not in path.parts}
        wanted = len(ROWS) * STEPS
        faults = [f"{place} has {len(files)} files, not {wanted}"] if len(files) != wanted else []
        faults += [f"{place / name} should not be there" for name in sorted(there - files.keys() - LISTS)]
        return faults + [
            f"{place / name} is not whole"
            for name, digest in files.items()
            if name not in there or hash_file(place / name) != digest
        ]

    async def _faults_of_purchases(self) -> list[str]:
        async with Journal.lease(Place(str(self._store)).journal_url()) as journal:
            stored = [one for one in await journal.purchases() if one.state is AttemptState.STORED]
        sold = {str(job["id"]) for job in self.sandbox.jobs(self._account)}
        keys = Counter(one.key for one in stored)
        return [
            *(f"job {one} was paid, and is not stored" for one in sorted(sold - {one.remote_id for one in stored})),
            *(f"{key} was bought {count} times" for key, count in keys.items() if count > 1),
        ]


def main() -> int:
    """Run the test with its own sandbox and print its figures; returns the exit code."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    begun = monotonic()
    with TemporaryDirectory() as root, running_sandbox('{"clock_scale": 50, "size": 128}') as sandbox:
        soak = Soak(sandbox, Path(root), random.Random(seed))  # noqa: S311 # no secret hangs on it
        asyncio.run(soak.go_on(kills))
    told = f"{soak.kills} kills, {soak.rounds} campaigns, {soak.retakes} retakes, {len(soak.faults)} faults"
    print(f"\n{monotonic() - begun:.0f} s, seed {seed}: {told}")
    print(*soak.faults, sep="\n")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
