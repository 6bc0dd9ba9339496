"""Several processes that buy from one account at the same time, on SQLite and on PostgreSQL, beside one process alone."""

import asyncio
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import sleep
from typing import Any

import httpx
from prefect import Flow

from benchmarks import servers
from benchmarks.baselines import genova
from benchmarks.buyers import NAME, buy
from benchmarks.figures import Benchmark, Figure, Goal, Program, Readings, Stage
from benchmarks.servers import Customer
from flows.image_batch import image_batch
from flows.long_video import long_video
from genmedia.providers.genova.client import PLANS, Plan
from tests.databases import Postgres
from tests.processes import Program as Process

RUN = 30.0
NEEDED = 2
"""Requests that each image needs at least: one that buys it, and one that learns where its file is."""
IMAGES: dict[Plan, int] = {"Free": 8, "Pro": 60, "Business": 150}
SCALES: dict[Plan, float] = {"Free": 5.0, "Pro": 2.0, "Business": 1.5}
"""How many times as fast as the world the sandbox's clock is. What the processes themselves need weighs as many times as much: where more is
bought in a second, the clock is slower."""
QUICK_IMAGES, QUICK_SCALE = 20, 10.0
STOPPED = 8.0
"""Seconds for which a process is stopped: the lease of the one that looks is 5 s."""
SETTLED = 1.0
"""Seconds in which the last purchase is in the journal, when all slots are taken: until one is free, no other is under way.

One that is under way when its process dies is looked into when its answer cannot come any more, after 90 s of the world.
"""
BY_HAND = 10
FLOWS: Mapping[str, Flow[..., Any]] = {"images": image_batch, "videos": long_video}
KINDS = (".png", ".mp4")
DIFFERENT, HAND = "one of them makes videos", "another program buys too"
DATABASES = ("SQLite", "PostgreSQL")
LOOPS = "Pro, 3 loops with one list each 3 s"
BUYER = """
import sys
from benchmarks.accounts import be_a_buyer
be_a_buyer(*sys.argv[1:])
"""


def be_a_buyer(url: str, account: str, root: str, journal: str, name: str, items: str, flow: str) -> None:
    """Buy so many images, or videos, none of which another buyer has; prints how the run ended."""
    customer = Customer(url, json.loads(account))
    prompts = [f"A red cup, {name}, number {number}" for number in range(int(items))]
    wanted, wish = FLOWS[flow], {"name": f"{NAME} {name}", "queue_minutes": 600, "run_minutes": 600}
    what = {"shots": [{"prompt": prompt} for prompt in prompts]} if wanted is long_video else {"prompts": prompts}
    ended = asyncio.run(buy(wanted, wish | what, customer, Path(root), journal))
    print(ended.name, ended.message)


@dataclass
class _Trial:
    """Buyers at work.

    Attributes:
        stage: Where.
        customer: Who pays.
        plan: The customer's plan.
        start: Starts the buyer of a number.
        buyers: Those that run, by their numbers.
        by_hand: Client of another program, which knows nothing of them.
        refused_later: Counts the answers of 429 since a minute after that program has ended; None where there is no such program.
    """

    stage: Stage
    customer: Customer
    plan: Plan
    start: Callable[[int], Process]
    buyers: list[Process]
    by_hand: genova.Api
    refused_later: Callable[[], int] | None = None


def _kill_the_watcher(trial: _Trial) -> None:
    """Kill the process that looks at the jobs, which is the first one, and start its run again."""
    trial.buyers[0].kill()
    trial.buyers[0] = trial.start(0)


def _stop_one(trial: _Trial) -> None:
    """Stop another process for longer than all leases of those that look."""
    process = trial.buyers[-1].process.pid
    assert process is not None
    os.kill(process, signal.SIGSTOP)
    sleep(STOPPED)
    os.kill(process, signal.SIGCONT)


def _spend_by_hand(trial: _Trial) -> None:
    """Buy with another program from the same account, as much at once as the plan allows."""
    (folder := trial.stage.folder / "hand").mkdir()
    prompts = [f"A red cup by hand, number {number}" for number in range(BY_HAND)]
    api, limits = trial.by_hand, PLANS[trial.plan]
    asyncio.run(genova.make(api, prompts, limits.open_jobs, folder, api.wait_by_list, lists=True))
    sleep(60 / _scale(trial.stage, trial.plan))
    before = trial.customer.refused
    trial.refused_later = lambda: trial.customer.refused - before


TROUBLES: dict[str, Callable[[_Trial], None]] = {
    "the watching one killed": _kill_the_watcher,
    "one stopped for a while": _stop_one,
    HAND: _spend_by_hand,
}


def _way(plan: Plan, database: str, processes: int, trouble: str = "") -> str:
    return f"{plan}, {database}, {processes} {'process' if processes == 1 else 'processes'}{trouble and ', '}{trouble}"


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


def _readings(way: str, stage: Stage, plan: Plan, items: int, customer: Customer, opened: int) -> dict[str, dict[str, float]]:
    jobs, stored = customer.jobs, sum(file.suffix in KINDS for file in stage.folder.rglob("*"))
    if not jobs:
        sys.exit("nothing was bought")
    took = max(job["ended_at"] for job in jobs) - min(job["created_at"] for job in jobs)
    limits = PLANS[plan]
    lists, sockets = customer.asked("/api/jobs"), servers.sockets(customer.url, "genova") - opened
    by_slots = math.ceil(items / limits.open_jobs) * RUN
    by_rate = (math.ceil(items * NEEDED / limits.per_minute) - 1) * 60
    return {
        way: {
            "share": 100 * max(by_slots, by_rate) / took,
            "answers of 429": customer.refused,
            "failed": items - stored,
            "lists": lists,
            "requests": customer.requests.total() / items,
            "sockets": sockets,
            "lists without a new socket": max(0, lists - sockets),
        }
    }


def _program(plan: Plan, database: str, processes: int, trouble: str = "") -> Program:
    def program(stage: Stage) -> Readings:
        customer, shares = _open(stage, plan), _shares(stage, plan, processes)
        opened, items = servers.sockets(customer.url, "genova"), sum(shares)
        journal = Postgres(Path(stage.servers["postgres"])).journal() if database == "PostgreSQL" else ""
        known = (customer.url, json.dumps(customer.shown), stage.folder, journal)
        with ExitStack() as running:

            def start(number: int) -> Process:
                flow = "videos" if trouble == DIFFERENT and number == processes - 1 else "images"
                return running.enter_context(Process(BUYER, *known, f"buyer {number}", shares[number], flow))

            hand = genova.Api(customer.shown["base_url"], customer.shown["api_key"], scale=_scale(stage, plan))
            trial = _Trial(stage, customer, plan, start, [start(0)], hand)
            if disturb := TROUBLES.get(trouble):
                _await(lambda: bool(customer.jobs))  # until then nobody looks but the first
            trial.buyers += map(start, range(1, processes))
            if disturb:
                _await(lambda: len(customer.jobs) >= items // 4 and _open_jobs(customer) == PLANS[plan].open_jobs)
                sleep(SETTLED)
                disturb(trial)
            print(*(buyer.rest() for buyer in trial.buyers), sep="\n")
        way = _way(plan, database, processes, trouble)
        if not trial.refused_later:
            return _readings(way, stage, plan, items, customer, opened)
        readings = _readings(way, stage, plan, items + BY_HAND, customer, opened)
        ours = {"answers of 429": customer.refused - hand.refused, "429 later": trial.refused_later()}
        return {way: readings[way] | ours}

    return program


def _open_jobs(customer: Customer) -> int:
    return sum(job["ended_at"] is None for job in customer.jobs)


def _await(condition: Callable[[], bool]) -> None:
    while not condition():
        sleep(0.1)


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
        opened = servers.sockets(customer.url, "genova")
        asyncio.run(run_all(stage, customer, shares))
        return _readings(way, stage, plan, sum(shares), customer, opened)

    return program


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    with ExitStack() as running:
        url = running.enter_context(servers.sandbox(size=64))
        yield {"sandbox": url} if quick else {"sandbox": url, "postgres": running.enter_context(servers.postgres())}


def _told(numbers: Mapping[Plan, float]) -> str:
    return ", ".join(f"{number:g} on {plan}" for plan, number in numbers.items())


_COMBINATIONS: list[tuple[Plan, str, int, str]] = [
    *((*one, "") for one in product(IMAGES, DATABASES, (1, 2, 3))),
    *(("Pro", database, 3, trouble) for trouble, database in product((DIFFERENT, *TROUBLES), DATABASES)),
]
_SEVERAL = [_way(*one) for one in _COMBINATIONS if one[2] > 1]
_WITH_HAND = [way for way in _SEVERAL if HAND in way]
_ALONE = [way for way in _SEVERAL if HAND not in way]

BENCHMARK = Benchmark(
    about=f"""One, two and three processes buy images from one account of Genova at the same time, each its part of them
    ({_told(IMAGES)}; `make bench-quick`: {QUICK_IMAGES} on Pro, {QUICK_SCALE:g} times as fast), with one journal. In four trials more
    of three processes, one makes videos; the first, which looks at the jobs of all, is killed with -9 after a quarter of the
    purchases, while none is under way, and started again; the last is stopped then for {STOPPED:g} s of the world; or a loop that
    knows nothing of them buys {BY_HAND} images from the same account. Beside them, three loops that know nothing of each other and
    wait when they are refused. Each job runs {RUN:g} s by the sandbox's clock, which is {_told(SCALES)} times
    as fast as the world's: a second that this machine loses counts as so many. The share is what the plan allows, the longer of the
    time by open jobs and that by requests ({NEEDED} an item), over the time from the first job's beginning to the last one's end at
    the provider. Each process that looks at the jobs opens a socket, and the next one does when it has ended; news in between would be
    lost, so it lists the jobs once.""",
    figures=(
        Figure(
            "share",
            "% of what the limits allow",
            {way: Goal(90 if "Free" in way else 97, at_least=True) for way in _ALONE},
            goals_in_quick=False,
        ),
        Figure("answers of 429", "", dict.fromkeys(_ALONE, Goal(0))),
        Figure("429 later", "a minute after the other program", dict.fromkeys(_WITH_HAND, Goal(0))),
        Figure("failed", "items", dict.fromkeys(_SEVERAL, Goal(0))),
        Figure("lists", "requests"),
        Figure("requests", "an item"),
        Figure("sockets", "opened one after the other"),
        Figure("lists without a new socket", "requests", dict.fromkeys(_ALONE, Goal(0))),
    ),
    programs={_way(*one): _program(*one) for one in _COMBINATIONS} | {LOOPS: _loops(LOOPS, "Pro", 3)},
    in_quick=(_way("Pro", "SQLite", 3), LOOPS),
    servers=_servers,
    seconds=600,
)
