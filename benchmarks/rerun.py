"""What Prefect costs a job, and what a run costs that buys nothing: `python -m benchmarks.rerun [JOBS] [ITEMS]`.

The flow `image_batch` buys `JOBS` small pictures from a sandbox, with Prefect's server on this machine; the library buys the rest of `ITEMS`
without Prefect. Then all of them are asked for again, in the library and as a flow: nothing is bought, and all of them are in its table. For
each run it prints its time, the CPU time of this process (without those that look at files) and of Prefect's server, and the requests.
"""

import asyncio
import logging
import os
import sys
from collections import Counter
from collections.abc import Awaitable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from benchmarks.counted_prefect import CountedPrefect, running_counted
from deployments.local_run import Ended, run_here
from flows.image_batch import image_batch
from tests.sandboxes import Sandbox, running_sandbox
from tests.studio import Studio

JOBS, ITEMS = 200, 1000
ROUNDS = 3
OPTIONS = '{"clock_scale": 1000, "size": 256}'
PATIENCE = {"queue_minutes": 9000, "run_minutes": 9000}


class Bench:
    """Runs of one campaign, and what they cost."""

    def __init__(self, studio: Studio, prefect: CountedPrefect) -> None:
        self._studio = studio
        self._prefect = prefect

    async def flow(self, items: int) -> None:
        """Run the first items as a flow."""
        await self._measure("flow", items, run_here(image_batch, {**self._studio.parameters, **_asked(items)}))

    async def library(self, items: int) -> None:
        """Run the first items without Prefect."""
        await self._measure("library", items, self._studio.run(image_batch, _asked(items)))

    async def _measure(self, how: str, items: int, run: Awaitable[Ended]) -> None:
        before, _ = self._prefect.report()
        asked = self._requests
        begun, used = perf_counter(), process_time()
        ended = await run
        took, used = perf_counter() - begun, process_time() - used
        after, counts = self._prefect.report()
        if ended.name != "Completed" or len(ended.result) != items:
            sys.exit(f"it ended as {ended.name}: {ended.message}")
        done = Counter(one.status for one in ended.result)
        print(
            f"{how}, {items} items ({', '.join(f'{count} {status.lower()}' for status, count in done.items())}): {took:.1f} s;",
            end=" ",
        )
        print(f"CPU {used:.1f} s here, {after - before:.1f} s in Prefect's server;", end=" ")
        print(f"{self._requests - asked} requests to the provider")
        if how == "flow":
            print(f"  a job: {1000 * used / items:.0f} ms here, {1000 * (after - before) / items:.0f} ms in Prefect's server")
            for what, count in counts.most_common():
                print(f"  {count:6} {what}")

    @property
    def _requests(self) -> int:
        return sum(line["count"] for line in self._studio.sandbox.requests(self._studio.account))


def _asked(items: int) -> dict[str, Any]:
    return {"name": "bench", "prompts": [f"Cat {number} by the sea" for number in range(items)], **PATIENCE}


def _account(sandbox: Sandbox) -> dict[str, Any]:
    wish = {"provider": "genova", "account": "bench", "plan": "Business", "credits": 10**6}
    return sandbox.control("POST", "/accounts", wish)


async def measure(bench: Bench, studio: Studio, jobs: int, items: int) -> None:
    """Buy, and run again."""
    await studio.save_blocks()
    await bench.flow(jobs)
    await bench.library(items)
    for _ in range(ROUNDS):
        await bench.library(items)
        await bench.flow(items)


def main() -> None:
    """Print the figures."""
    jobs, items = (int(told) if told else usual for told, usual in zip([*sys.argv[1:], "", ""], (JOBS, ITEMS), strict=False))
    os.environ.pop("GENMEDIA_JOURNAL_URL", None)  # these purchases must not get into the journal of real ones
    for console in logging.getLogger().handlers:
        console.setLevel(logging.WARNING)
    with ExitStack() as held:
        folder = Path(held.enter_context(TemporaryDirectory()))
        sandbox = held.enter_context(running_sandbox(OPTIONS))
        studio = Studio(sandbox, _account(sandbox), folder / "store")
        prefect = held.enter_context(running_counted(folder / "state"))
        asyncio.run(measure(Bench(studio, prefect), studio, jobs, items))


if __name__ == "__main__":
    main()
