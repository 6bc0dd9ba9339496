"""Growth with the number of open jobs: `python -m benchmarks.open_jobs [JOBS…]`.

One process buys so many jobs at once, FLORA's at a sandbox without limits, and waits until all have ended; nothing is fetched. All are
open at the same time: a job runs longer than it takes to buy them. Each number of jobs has a process of its own, of which are told: CPU
time a job, the time until the first job is at the provider, and the peak of memory.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from genmedia.concurrency import every
from genmedia.journal import Journal
from genmedia.providers.steps import Submit
from genmedia.purchasing.calls import Patience, meet_order, wait_for_job
from genmedia.store import Store
from tests.crashes.errands import Errand
from tests.sandboxes import running_sandbox

PATIENCE = Patience(10_000, 10_000)
NUMBERS = (100, 1_000, 10_000)
SECONDS_A_JOB = 0.1
"""Time in which a job is certainly bought, in seconds: the jobs run so many times as long."""


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


async def carry(errands: list[Errand], root: Path) -> float:
    """Buy all jobs and wait until they have ended; return the seconds until the first was at the provider."""
    assets, begun, first = Assets(root), monotonic(), list[float]()

    async def one(errand: Errand) -> None:
        async with errand.client() as client, assets.get_journal() as journal, assets.get_store():

            async def deliver(_: AsyncExitStack) -> Submit:
                return lambda key, gate: errand.submit(client, key, gate)

            purchase = await meet_order(client, assets, errand.order, deliver)
            first.append(monotonic())
            await wait_for_job(client, journal, purchase, "", PATIENCE)

    async with errands[0].client() as client, assets.get_journal():
        await errands[0].ask(client)
        await every(map(one, errands))
    return first[0] - begun


def measure(jobs: int) -> dict[str, float]:
    """Buy so many jobs in this process; return its figures."""
    run = 30.0 + jobs * SECONDS_A_JOB
    with running_sandbox('{"size": 64}') as sandbox, TemporaryDirectory() as folder:
        account = sandbox.new_account(
            "flora", credits=10**9, settings={"queue": [0, 0], "run": [run, run]}, switches={"list_runs": True}
        )
        errands = [Errand(account, f"cat {number}", sandbox.sample, folder, "") for number in range(jobs)]
        first = asyncio.run(carry(errands, Path(folder)))
        used = resource.getrusage(resource.RUSAGE_SELF)
        looks = sum(line["count"] for line in sandbox.requests(account))
    return {
        "cpu": (used.ru_utime + used.ru_stime) / jobs,
        "first": first,
        "memory": used.ru_maxrss / 1024,
        "requests": looks / jobs,
    }


def main() -> None:
    """Print the figures as a table."""
    if os.environ.get("OPEN_JOBS"):
        print(json.dumps(measure(int(os.environ["OPEN_JOBS"]))))
        return
    print("| open jobs | CPU a job | first job at the provider | peak of memory | requests a job |\n|---|---|---|---|---|")
    for jobs in map(int, sys.argv[1:]) if len(sys.argv) > 1 else NUMBERS:
        command, environment = [sys.executable, "-m", "benchmarks.open_jobs"], {**os.environ, "OPEN_JOBS": str(jobs)}
        said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(said.splitlines()[-1])
        print(
            f"| {jobs:,} | {found['cpu'] * 1000:.0f} ms | {found['first']:.1f} s | {found['memory']:.0f} MB | {found['requests']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
