"""Requests of a job at each provider, and the time until its end is seen: `python -m benchmarks.looks [CLOCK_SCALE [PROVIDER]]`.

One process buys jobs at a sandbox, twice so many as are measured: those before teach it how long such jobs run. Then the requests to the API
are counted, from the submission to the download, and the looks among them; and the time from the end of each job at the sandbox until the
process sees it, as a share of the time that the job took: the 95th of 100.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from genmedia.concurrency import every
from genmedia.journal import Journal
from genmedia.providers.steps import Submit
from genmedia.purchasing.calls import Patience, meet_order, wait_for_job
from genmedia.purchasing.receive import receive_outputs
from genmedia.store import Store
from tests.crashes.errands import Errand
from tests.sandboxes import Sandbox, running_sandbox

JOBS = 25
PATIENCE = Patience(10_000, 10_000)
LOOKS = {
    "GET /api/jobs",
    "GET /api/jobs/{job_id}",
    "GET /api/v1/technique-runs",
    "GET /api/v1/techniques/{slug}/runs/{run_id}",
    "GET /flows",
    "GET /flows/{flow_id}",
    "GET /api/status",
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "genova, images": ("genova", {"plan": "Business", "settings": {"queue": [1, 1], "run": [25, 40]}}),
    "genova, 3-minute videos": ("genova", {"plan": "Business", "settings": {"queue": [1, 1], "run": [170, 190]}}),
    "flora, seed profile": ("flora", {"settings": {"queue": [0.5, 1], "run": [30, 45]}}),
    "flora, today": ("flora", {"settings": {"queue": [0.5, 1], "run": [30, 45]}, "switches": {"list_runs": True}}),
    "generio": ("generio", {"settings": {"queue": [0.5, 1], "run": [30, 45]}}),
    "algovera": ("algovera", {"settings": {"queue": [0.5, 1], "run": [18, 28]}}),
}


class Barrier:
    """Lets tasks wait until each of them has come here."""

    def __init__(self, tasks: int) -> None:
        self._left = tasks
        self._all = asyncio.Event()

    async def all_done(self) -> None:
        """Wait for the others."""
        self._left -= 1
        if not self._left:
            self._all.set()
        await self._all.wait()


@dataclass(frozen=True)
class Assets:
    """The store of a measurement, and its journal."""

    root: Path
    if_refused: str = "fail"

    @asynccontextmanager
    async def get_store(self) -> AsyncGenerator[Store]:
        """See `Assets`."""
        async with Store.lease(str(self.root)) as store:
            yield store

    @asynccontextmanager
    async def get_journal(self) -> AsyncGenerator[Journal]:
        """See `Assets`."""
        async with Journal.lease(f"sqlite:///{self.root}/journal.db") as journal:
            yield journal


async def carry(errand: Errand, assets: Assets, ended: dict[str, float], waiting: Barrier) -> None:
    """Bring one job home; note when its end was seen, by the clock of this machine. Files are fetched when all jobs have ended."""
    async with errand.client() as client, assets.get_journal() as journal, assets.get_store() as store:

        async def deliver(_: AsyncExitStack) -> Submit:
            return lambda key, gate: errand.submit(client, key, gate)

        purchase = await meet_order(client, assets, errand.order, deliver)
        job = await wait_for_job(client, journal, purchase, "", PATIENCE)
        ended[job.id] = monotonic()
        await waiting.all_done()
        await receive_outputs(client, store, journal, purchase, job)


async def measure(sandbox: Sandbox, provider: str, options: dict[str, Any], root: Path, scale: float) -> str:
    """Return the figures of one provider as a row of the table."""
    account = sandbox.new_account(provider, credits=10_000, **options)
    assets, wishes = Assets(root), (f"cat {number}" for number in range(3 * JOBS))
    counted: Counter[str] = Counter()
    for measured in (False, True):
        errands = [
            Errand(account, wish, sandbox.sample, str(root), "")
            for _, wish in zip(range(JOBS * (2 - measured)), wishes, strict=False)
        ]
        before, ended = _routes(sandbox, account), dict[str, float]()
        async with errands[0].client() as client:  # kept for all
            await errands[0].ask(client)
            waiting = Barrier(len(errands))
            await every(carry(errand, assets, ended, waiting) for errand in errands)
        counted = _routes(sandbox, account) - before
    now, at = sandbox.control("GET", "")["clock"]["now"], monotonic()
    jobs = [job for job in sandbox.jobs(account) if job["id"] in ended]
    late = sorted(
        (now - (at - ended[job["id"]]) * scale - job["ended_at"]) / (job["ended_at"] - job["created_at"]) for job in jobs
    )
    looks = {route: number for route, number in counted.items() if route in LOOKS}
    told = ", ".join(f"{number} {route}" for route, number in sorted(looks.items()))
    return (
        f"{counted.total() / JOBS:.2f} | {sum(looks.values()) / JOBS:.2f} | {late[len(late) // 2]:.1%} | "
        f"{late[int(0.95 * len(late))]:.1%} | {told}"
    )


def _routes(sandbox: Sandbox, account: dict[str, Any]) -> Counter[str]:
    """Return the requests of an account to the API so far, by route."""
    counts: Counter[str] = Counter()
    for line in sandbox.requests(account):
        if not line["route"].startswith("/files"):  # the media origin is not the API
            counts[line["method"] + " " + line["route"]] += line["count"]
    return counts


def main() -> None:
    """Print the figures as a table."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    print("| provider | requests a job | looks a job | seen late, median | 95th of 100 | looks in all |")
    print("|---|---|---|---|---|---|")
    with running_sandbox(f'{{"clock_scale": {scale}, "size": 64}}') as sandbox:
        for name, (provider, options) in CASES.items():
            if not name.startswith(only):
                continue
            with TemporaryDirectory() as folder:
                print(f"| {name} | {asyncio.run(measure(sandbox, provider, options, Path(folder), scale))} |", flush=True)


if __name__ == "__main__":
    main()
