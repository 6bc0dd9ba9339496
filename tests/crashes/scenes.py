"""Where errands are run and killed, and what can be seen there afterwards."""

import asyncio
import signal
from collections.abc import Collection
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from genmedia.journal import AttemptState, Journal
from genmedia.media.hashing import hash_file
from genmedia.store import Place
from genmedia.store.local import sweep_folder
from genmedia.store.sidecar import read_sidecar
from tests.crashes.errands import OUTPUTS, Errand, run
from tests.processes import PROCESSES
from tests.sandboxes import Sandbox

KILLED = -signal.SIGKILL
BY_LOOKS = {"advance": "looks", "looks": [1, 1]}
"""Of an account: each job is seen waiting before it is done."""


@dataclass(frozen=True)
class Ending:
    """What became of an errand.

    Attributes:
        state: Of the attempt that answers for it; None when none does.
        paid: How many jobs were bought for it.
        assets: The paths of its files, by the journal.
    """

    errand: Errand
    state: AttemptState | None
    reason: str
    paid: int
    assets: tuple[str, ...]

    @property
    def in_doubt(self) -> bool:
        """Whether nobody can know if it was bought."""
        return self.state is AttemptState.IN_DOUBT

    @property
    def whole(self) -> bool:
        """Whether all its files are where the journal has them."""
        there = [path for path in self.assets if (Path(self.errand.root) / path).exists()]
        return self.state is AttemptState.STORED and len(self.assets) == len(there) == OUTPUTS[self.errand.provider]


@dataclass(frozen=True)
class Scene:
    """A store, a journal, and accounts of a sandbox that errands are paid from.

    Attributes:
        root: Of the store.
        journal: Its address; empty for the one in the store.
        embed: Whether pictures get their provenance written into them.
    """

    sandbox: Sandbox
    root: Path
    journal: str = ""
    embed: bool = False
    errands: list[Errand] = field(default_factory=list[Errand])

    def add(self, account: dict[str, Any], *, wish: str = "", fresh_links: bool = False) -> Errand:
        """One more thing to want, and who pays. Accounts of Genova and Algovera, whose jobs tell the wish, may pay for several."""
        wish = wish or f"A red cup, number {len(self.errands) + 1}"
        journal = self.journal or Place(str(self.root)).journal_url()
        errand = Errand(account, wish, self.sandbox.sample, str(self.root), journal, self.embed, fresh_links)
        self.errands.append(errand)
        return errand

    def start(self, *errands: Errand, death: str = "", times: int = 1, lease: float = 0) -> ForkServerProcess:
        """Have a new process bring errands home, all of them unless some are named; see `run`."""
        process = PROCESSES.Process(target=run, args=(errands or self.errands, death, times, lease))
        process.start()
        return process

    async def run(self, *, death: str = "", times: int = 1) -> int:
        """As `start`, and wait for its end; its exit code."""
        return await ended(self.start(death=death, times=times))

    async def endings(self) -> list[Ending]:
        """What became of each errand."""
        found: list[Ending] = []
        async with Journal.lease(self.errands[0].journal) as journal:
            for errand in self.errands:
                attempt = await journal.live_attempt(errand.order.key)
                assets = await journal.assets(attempt.id) if attempt else []
                state, reason = (attempt.state, attempt.reason) if attempt else (None, "")
                found.append(Ending(errand, state, reason, self._paid(errand), tuple(asset.path for asset in assets)))
        return found

    async def faults(self, doubtful: Collection[str] = ()) -> list[str]:
        """All that is wrong now that every errand is done: what was bought twice or lost, and files that are not whole.

        Args:
            doubtful: The providers whose jobs may be in doubt.
        """
        endings = await self.endings()
        found = [
            f"{one.errand.provider}, {one.errand.wish}: {one.paid} jobs, {one.state} {one.reason}, {one.assets}"
            for one in endings
            if one.paid > 1 or not ((one.in_doubt and one.errand.provider in doubtful) or (one.whole and one.paid))
        ]
        files = {path for path in self.root.rglob("*") if path.is_file() and ".genmedia" not in path.parts}
        sidecars = {path.with_suffix(""): read_sidecar(path.read_bytes()) for path in files if path.suffix == ".json"}
        media = {path for path in files if path.suffix != ".json"}
        known = {self.root / path for one in endings for path in one.assets}
        found += [f"{path} has no sidecar" for path in media - set(sidecars)]
        found += [f"{path} has no file" for path in set(sidecars) - media]
        found += [f"{path} is not in the journal" for path in media - known]
        whole = {path: sidecars[path].file.sha256 for path in media & set(sidecars)}
        found += [f"{path} is not what its sidecar says" for path, digest in whole.items() if hash_file(path) != digest]
        incoming = self.root / ".genmedia" / "incoming"
        sweep_folder(incoming, -1)
        return [*found, *(f"{path} is not swept away" for path in incoming.glob("*"))]

    def _paid(self, errand: Errand) -> int:
        return sum(_is_for(errand, job) for job in self.sandbox.jobs(errand.account))


async def ended(process: ForkServerProcess) -> int:
    """Wait for the end of a process; its exit code."""
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    # Not joined by a thread: whoever starts another process asks after this one as well, and only one of two is told.
    loop.add_reader(process.sentinel, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
    code = process.exitcode
    assert code is not None
    process.close()
    return code


def _is_for(errand: Errand, job: dict[str, Any]) -> bool:
    if errand.provider == "generio":
        return job["started_at"] is not None  # a flow that was made and not started costs nothing
    return errand.provider == "flora" or errand.wish == job["request"]["prompt"]
