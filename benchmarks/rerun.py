"""What it costs to ask once more for pictures that are all stored: nothing is bought, with Prefect and without."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks import servers
from benchmarks.buyers import NAME, buy, buy_with_prefect, counting, must_complete
from benchmarks.figures import OURS, Benchmark, Figure, Goal, Program, Readings, Stage
from benchmarks.servers import Customer
from deployments.local_run import Ended
from flows.image_batch import image_batch

ITEMS, QUICK_ITEMS = 1000, 300
CLOCK_SCALE = 1000.0
VISIBLE = "genmedia, a flow in Prefect"
Buy = Callable[..., Awaitable[Ended]]


def _wish(quick: bool) -> dict[str, Any]:
    prompts = [f"Cat {number} by the sea" for number in range(QUICK_ITEMS if quick else ITEMS)]
    return {"name": NAME, "prompts": prompts, "queue_minutes": 9000, "run_minutes": 9000}  # the sandbox's clock runs fast


def _rerun(way: str, buy: Buy) -> Program:
    def program(stage: Stage) -> Readings:
        customer, wish = Customer(stage.servers["sandbox"], stage.servers["customer"]), _wish(stage.quick)
        jobs, requests, root = len(customer.jobs), customer.requests.total(), Path(stage.servers["root"])

        async def work() -> float:
            begun = perf_counter()
            ended = await buy(image_batch, wish, customer, root)
            took = perf_counter() - begun
            must_complete(ended)
            if (told := len(ended.result)) != len(wish["prompts"]):
                sys.exit(f"its table has {told} items")
            return took

        took, cost = asyncio.run(counting(work(), stage.servers["prefect"]))
        figures = {
            "time": took,
            "purchases": len(customer.jobs) - jobs,
            "requests": customer.requests.total() - requests,
            "client": cost.own,
        }
        return {way: figures | ({"Prefect's server": cost.server} if way == VISIBLE else {})}

    return program


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    """Run a sandbox and a Prefect server, and buy the pictures."""
    with (
        servers.sandbox(size=64, clock_scale=CLOCK_SCALE) as url,
        servers.prefect() as prefect,
        TemporaryDirectory(prefix="genmedia-bench-rerun-", ignore_cleanup_errors=True) as folder,
    ):
        customer = Customer.open(url, "genova", plan="Business", credits=10**6)
        must_complete(asyncio.run(buy(image_batch, _wish(quick), customer, Path(folder))))
        yield {"sandbox": url, "customer": customer.shown, "root": folder, **prefect}


BENCHMARK = Benchmark(
    about=f"""A store has {ITEMS:,} pictures from Genova (`make bench-quick`: {QUICK_ITEMS}), and the campaign that bought them runs once
    more, from the library and as a flow whose table has all of them; each in a new process, whose imports are not in the time.
    The purchases and requests are those that reach the provider.""",
    figures=(
        Figure("time", "s", {OURS: Goal(1.5), VISIBLE: Goal(6)}, goals_in_quick=False),
        Figure("purchases", "", {OURS: Goal(0), VISIBLE: Goal(0)}),
        Figure("requests", "", {OURS: Goal(1), VISIBLE: Goal(1)}),
        Figure("client", "s of CPU"),
        Figure("Prefect's server", "s of CPU"),
    ),
    programs={OURS: _rerun(OURS, buy), VISIBLE: _rerun(VISIBLE, buy_with_prefect)},
    servers=_servers,
    seconds=600,
)
