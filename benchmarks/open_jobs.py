"""What a job costs with 100, 1,000 and 10,000 of them open in one process at the same time."""

import asyncio
import multiprocessing
import resource
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import httpx

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage
from benchmarks.servers import Customer
from genmedia.concurrency import every
from genmedia.journal import Journal
from genmedia.providers.steps import Submit
from genmedia.purchasing.calls import meet_order, wait_for_job
from genmedia.purchasing.patience import Patience
from genmedia.store import Store
from tests.crashes.errands import Errand

NUMBERS, QUICK_NUMBERS = (100, 1_000, 10_000), (100, 1_000)
RUN = 3 * 3600.0
"""Time that each job runs, in seconds: all are bought long before, and then the sandbox's clock jumps so far ahead."""
PATIENCE = Patience(queue_minutes=10_000, run_minutes=10_000)


@dataclass(frozen=True)
class _Assets:
    """The store of a measurement, and its journal."""

    root: Path
    if_refused: str = "fail"

    @asynccontextmanager
    async def get_store(self) -> AsyncGenerator[Store]:
        async with Store.lease(str(self.root)) as store:
            yield store

    @asynccontextmanager
    async def get_journal(self) -> AsyncGenerator[Journal]:
        async with Journal.lease(f"sqlite:///{self.root}/journal.db") as journal:
            yield journal


def _way(jobs: int) -> str:
    return f"{jobs:,} open"


async def _carry(errands: Sequence[Errand], customer: Customer, root: Path) -> float:
    """Buy all jobs and wait until they have ended; returns the seconds until the first was at the provider."""
    assets, begun, bought = _Assets(root), monotonic(), list[float]()

    async def one(errand: Errand) -> None:
        async with errand.client() as client, assets.get_journal() as journal, assets.get_store():

            async def deliver(_: AsyncExitStack) -> Submit:
                return lambda key, gate: errand.submit(client, key, gate)

            purchase = await meet_order(client, assets, errand.order, deliver)
            bought.append(monotonic())
            if len(bought) == len(errands):
                async with httpx.AsyncClient(timeout=60) as http:
                    (await http.post(f"{customer.url}/sandbox/clock", json={"advance": RUN})).raise_for_status()
            await wait_for_job(client, journal, purchase, "", PATIENCE)

    async with errands[0].client() as client, assets.get_journal():
        await errands[0].ask(client)
        await every(map(one, errands))
    return bought[0] - begun


def _measure(url: str, root: Path, jobs: int) -> Mapping[str, float]:
    """Buy so many jobs in this process, which does nothing else in its life; returns its figures."""
    settings, switches = {"queue": [0, 0], "run": [RUN, RUN]}, {"list_runs": True}
    customer = Customer.open(url, "flora", credits=10**9, settings=settings, switches=switches)
    sample = httpx.get(f"{url}/sandbox", timeout=60).raise_for_status().json()["links"]["sample_photo"]
    root.mkdir()
    errands = [Errand(dict(customer.shown), f"cat {number}", sample, str(root), "") for number in range(jobs)]
    begun = process_time()
    first = asyncio.run(_carry(errands, customer, root))
    return {
        "client": (process_time() - begun) / jobs * 1000,
        "first job": first,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "requests": customer.requests.total() / jobs,
    }


def _program(stage: Stage) -> Readings:
    numbers = QUICK_NUMBERS if stage.quick else NUMBERS
    found: dict[str, Mapping[str, float]] = {}
    for jobs in numbers:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            measure = partial(_measure, stage.servers["sandbox"], stage.folder / str(jobs))
            found[_way(jobs)] = process.submit(measure, jobs).result()
    least = found[_way(numbers[0])]["client"]
    return {way: {**figures, "growth": figures["client"] / least} for way, figures in found.items()}


def _told(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:  # noqa: ARG001 # as others take it
    with servers.sandbox(size=64) as url:
        yield {"sandbox": url}


_MORE = [_way(jobs) for jobs in NUMBERS[1:]]

BENCHMARK = Benchmark(
    about=f"""One process buys {_told(NUMBERS)} jobs at once at FLORA, which has a list of jobs here and no limits
    (`make bench-quick`: {_told(QUICK_NUMBERS)}), and waits until all have ended; each number in a process of its own. All are open at
    the same time: each runs {RUN / 3600:g} hours by the sandbox's clock, which jumps so far ahead when the last one is bought. Nothing is
    fetched. CPU is that of the process, without its imports; the growth is beside that at {NUMBERS[0]}, measured before it. The first job
    is at the provider so many seconds after the work begins.""",
    figures=(
        Figure("client", "ms of CPU a job"),
        Figure("growth", f"x that at {NUMBERS[0]}", dict.fromkeys(_MORE, Goal(1.2))),
        Figure("first job", "s", dict.fromkeys(_MORE, Goal(3))),
        Figure("memory", "MB at most", dict.fromkeys(_MORE, Goal(400))),
        Figure("requests", "a job"),
    ),
    programs={"all numbers": _program},
    servers=_servers,
    seconds=3600,
)
