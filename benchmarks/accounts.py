"""Several processes that buy from one account at the same time, on SQLite and on PostgreSQL, beside one process alone."""

import asyncio
import json
import math
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx

from benchmarks import servers
from benchmarks.baselines import genova
from benchmarks.buyers import NAME, buy
from benchmarks.figures import Benchmark, Figure, Goal, Program, Readings, Stage
from benchmarks.servers import Customer
from flows.image_batch import image_batch
from genmedia.providers.genova.client import PLANS, Plan
from tests.databases import Postgres
from tests.processes import Program as Process

RUN = 30.0
NEEDED = 2
"""Requests that each image needs at least: one that buys it, and one that learns where its file is."""
IMAGES: dict[Plan, int] = {"Free": 8, "Pro": 60, "Business": 150}
SCALES: dict[Plan, float] = {"Free": 10.0, "Pro": 5.0, "Business": 3.0}
"""How many times as fast as the world the sandbox's clock is: where more is bought in a second, less."""
QUICK_IMAGES, QUICK_SCALE = 20, 10.0
LOOPS = "Pro, 3 loops with one list each 3 s"
BUYER = """
import sys
from benchmarks.accounts import be_a_buyer
be_a_buyer(*sys.argv[1:])
"""


def be_a_buyer(url: str, account: str, root: str, journal: str, name: str, images: str) -> None:
    """Buy so many images, none of which another buyer has; prints how the run ended."""
    customer = Customer(url, json.loads(account))
    prompts = [f"A red cup, {name}, number {number}" for number in range(int(images))]
    wish = {"name": f"{NAME} {name}", "prompts": prompts, "queue_minutes": 600, "run_minutes": 600}
    ended = asyncio.run(buy(image_batch, wish, customer, Path(root), journal))
    print(ended.name, ended.message)


def _way(plan: Plan, database: str, processes: int) -> str:
    return f"{plan}, {database}, {processes} {'process' if processes == 1 else 'processes'}"


def _open(stage: Stage, plan: Plan) -> Customer:
    """Set the clock, and open an account of the plan."""
    url = stage.servers["sandbox"]
    httpx.post(f"{url}/sandbox/clock", json={"scale": _scale(stage, plan)}, timeout=60).raise_for_status()
    return Customer.open(url, "genova", plan=plan, credits=10_000, settings={"queue": [0, 0], "run": [RUN, RUN]})


def _scale(stage: Stage, plan: Plan) -> float:
    return QUICK_SCALE if stage.quick else SCALES[plan]


def _shares(stage: Stage, plan: Plan, processes: int) -> list[int]:
    """How many images each process is to buy."""
    images = QUICK_IMAGES if stage.quick else IMAGES[plan]
    return [images // processes + (number < images % processes) for number in range(processes)]


def _readings(way: str, stage: Stage, plan: Plan, images: int, customer: Customer) -> Readings:
    jobs, stored = customer.jobs, len(list(stage.folder.rglob("*.png")))
    if not jobs:
        sys.exit("nothing was bought")
    took = max(job["ended_at"] for job in jobs) - min(job["created_at"] for job in jobs)
    limits = PLANS[plan]
    by_slots = math.ceil(images / limits.open_jobs) * RUN
    by_rate = (math.ceil(images * NEEDED / limits.per_minute) - 1) * 60
    return {
        way: {
            "share": 100 * max(by_slots, by_rate) / took,
            "answers of 429": customer.refused,
            "failed": images - stored,
            "lists": customer.asked("/api/jobs"),
            "requests": customer.requests.total() / images,
        }
    }


def _program(plan: Plan, database: str, processes: int) -> Program:
    def program(stage: Stage) -> Readings:
        customer, shares = _open(stage, plan), _shares(stage, plan, processes)
        journal = Postgres(Path(stage.servers["postgres"])).journal() if database == "PostgreSQL" else ""
        known = (customer.url, json.dumps(customer.shown), stage.folder, journal)
        with ExitStack() as running:
            buyers = [
                running.enter_context(Process(BUYER, *known, f"buyer {number}", share)) for number, share in enumerate(shares)
            ]
            print(*(buyer.rest() for buyer in buyers), sep="\n")
        return _readings(_way(plan, database, processes), stage, plan, sum(shares), customer)

    return program


def _loops(way: str, plan: Plan, processes: int) -> Program:
    """Let loops that know nothing of each other buy, each with the plan's number of open jobs."""

    async def run_all(stage: Stage, customer: Customer, shares: list[int]) -> None:
        async with asyncio.TaskGroup() as group:
            for number, share in enumerate(shares):
                api = genova.Api(customer.shown["base_url"], customer.shown["api_key"], scale=_scale(stage, plan))
                prompts = [f"A red cup, loop {number}, number {one}" for one in range(share)]
                (folder := stage.folder / str(number)).mkdir()
                group.create_task(genova.make(api, prompts, PLANS[plan].open_jobs, folder, api.wait_by_list, lists=True))

    def program(stage: Stage) -> Readings:
        customer, shares = _open(stage, plan), _shares(stage, plan, processes)
        asyncio.run(run_all(stage, customer, shares))
        return _readings(way, stage, plan, sum(shares), customer)

    return program


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    with ExitStack() as running:
        url = running.enter_context(servers.sandbox(size=64))
        yield {"sandbox": url} if quick else {"sandbox": url, "postgres": running.enter_context(servers.postgres())}


def _told(numbers: Mapping[Plan, float]) -> str:
    return ", ".join(f"{number:g} on {plan}" for plan, number in numbers.items())


_COMBINATIONS = list(product(IMAGES, ("SQLite", "PostgreSQL"), (1, 2, 3)))
_SEVERAL = [_way(*one) for one in _COMBINATIONS if one[2] > 1]

BENCHMARK = Benchmark(
    about=f"""One, two and three processes buy images from one account of Genova at the same time, each its part of them
    ({_told(IMAGES)}; `make bench-quick`: {QUICK_IMAGES} on Pro, {QUICK_SCALE:g} times as fast), with one
    journal; beside three loops that know nothing of each other and wait when they are refused. Each job runs {RUN:g} s by the
    sandbox's clock, which is {_told(SCALES)} times as fast as the
    world's: a second that this machine loses counts as so many. The share is what the plan allows, the longer of the time by open
    jobs and that by requests ({NEEDED} an image), over the time from the first job's beginning to the last one's end at the
    provider.""",
    figures=(
        Figure(
            "share", "% of what the limits allow", {way: Goal(90 if "Free" in way else 97, at_least=True) for way in _SEVERAL}
        ),
        Figure("answers of 429", "", {way: Goal(0) for way in _SEVERAL}),
        Figure("failed", "images", {way: Goal(0) for way in _SEVERAL}),
        Figure("lists", "requests"),
        Figure("requests", "an image"),
    ),
    programs={_way(*one): _program(*one) for one in _COMBINATIONS} | {LOOPS: _loops(LOOPS, "Pro", 3)},
    in_quick=[*(_way("Pro", "SQLite", number) for number in (1, 3)), LOOPS],
    servers=_servers,
)
