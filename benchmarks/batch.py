"""A batch of pictures from Genova: how long it takes beside the ideal, and what a picture costs in requests and CPU."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from time import sleep
from typing import Any

import httpx

from benchmarks import servers
from benchmarks.baselines import genova
from benchmarks.baselines.prefect_flow import make_pictures
from benchmarks.buyers import NAME, Cost, buy, buy_with_prefect, counting, must_complete, seconds_of
from benchmarks.figures import OURS, Benchmark, Figure, Goal, Program, Readings, Stage
from benchmarks.servers import Customer
from deployments.local_run import Ended
from flows.image_batch import image_batch

OPEN = 25
SECONDS, QUICK_SECONDS = 10.0, 3.0
JOBS, QUICK_JOBS = 200, 50
VISIBLE = "genmedia, tasks in Prefect"
LIST = "one list each 3 s"
BY_ID = "each job by its id each 3 s"
TASKS = "a Prefect flow with three tasks and a semaphore"
WARM = {"name": "warm-up", "prompts": ["A blue cup"]}
"""Bought before, by another account: the journal's tables and the process that looks at files are there, as for any but the first run."""
FLOOR = "floor: asyncio that is told when jobs end"


def _prompts(quick: bool) -> list[str]:
    return [f"A red cup, number {number}" for number in range(QUICK_JOBS if quick else JOBS)]


def _seconds(quick: bool) -> float:
    """How long each job runs."""
    return QUICK_SECONDS if quick else SECONDS


def _customer(url: str, seconds: float) -> Customer:
    settings = {"queue": [0, 0], "run": [seconds, seconds]}
    return Customer.open(url, "genova", plan="Business", settings=settings)


def _readings(way: str, stage: Stage, customer: Customer, seconds: float, cost: Cost, *, looks: bool = False) -> Readings:
    jobs = len(_prompts(stage.quick))
    if (sold := len(customer.jobs)) != jobs:
        raise SystemExit(f"{sold} jobs were bought, not {jobs}")
    figures = {
        "makespan": seconds / (jobs / OPEN * _seconds(stage.quick)),
        "requests": customer.requests.total() / jobs,
        "answers of 429": customer.refused,
        "client": cost.own / jobs * 1000,
    }
    if looks:
        figures["looking at a file"] = cost.below / jobs * 1000
    if cost.server:
        figures["Prefect's server"] = cost.server / jobs * 1000
    return {way: figures}


def _with_genmedia(stage: Stage) -> Readings:
    customer = _customer(stage.servers["sandbox"], _seconds(stage.quick))
    warm, wish = _customer(stage.servers["sandbox"], 0), {"name": NAME, "prompts": _prompts(stage.quick)}

    async def work() -> tuple[Ended, Cost]:
        must_complete(await buy(image_batch, WARM, warm, stage.folder))
        return await counting(buy(image_batch, wish, customer, stage.folder))

    ended, cost = asyncio.run(work())
    must_complete(ended)
    return _readings(OURS, stage, customer, seconds_of(stage.folder), cost, looks=True)


def _with_prefect(stage: Stage) -> Readings:
    customer, server = _customer(stage.servers["sandbox"], _seconds(stage.quick)), stage.servers["prefect"]
    warm, wish = _customer(stage.servers["sandbox"], 0), {"name": NAME, "prompts": _prompts(stage.quick)}

    async def work() -> tuple[Ended, Cost]:
        must_complete(await buy_with_prefect(image_batch, WARM, warm, stage.folder))
        return await counting(buy_with_prefect(image_batch, wish, customer, stage.folder), server)

    ended, cost = asyncio.run(work())
    must_complete(ended)
    return _readings(VISIBLE, stage, customer, seconds_of(stage.folder), cost, looks=True)


def _with_tasks(stage: Stage) -> Readings:
    customer = _customer(stage.servers["sandbox"], _seconds(stage.quick))
    pictures = make_pictures(_api(customer, stage), _prompts(stage.quick), OPEN, stage.folder)
    seconds, cost = asyncio.run(counting(pictures, stage.servers["prefect"]))
    return _readings(TASKS, stage, customer, seconds, cost)


def _with_loop(way: str, wait: Callable[[genova.Api], Callable[[str], Awaitable[None]]], *, lists: bool = False) -> Program:
    def program(stage: Stage) -> Readings:
        customer = _customer(stage.servers["sandbox"], _seconds(stage.quick))
        api = _api(customer, stage)
        pictures = genova.make(api, _prompts(stage.quick), OPEN, stage.folder, wait(api), lists=lists)
        seconds, cost = asyncio.run(counting(pictures))
        return _readings(way, stage, customer, seconds, cost)

    return program


def _api(customer: Customer, stage: Stage) -> genova.Api:
    return genova.Api(customer.shown["base_url"], customer.shown["api_key"], _seconds(stage.quick))


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    """Run a sandbox that has rendered all pictures, and a Prefect server."""
    with servers.sandbox(size=256) as url, servers.prefect() as prefect:
        prompts = _prompts(quick)
        for begin in range(0, len(prompts), OPEN):  # no more than one account may have open
            customer = _customer(url, 0)
            for prompt in prompts[begin : begin + OPEN]:
                wish = {"type": "image", "model": "nano_banana2", "prompt": prompt}
                key = {"x-api-key": customer.shown["api_key"]}
                httpx.post(f"{customer.shown['base_url']}/api/jobs", json=wish, headers=key, timeout=60).raise_for_status()
            while any(job["status"] != "succeeded" for job in customer.jobs):
                sleep(0.1)
        yield {"sandbox": url, **prefect}


BENCHMARK = Benchmark(
    about=f"""{JOBS} pictures of 256 px from Genova on the plan Business, which allows {OPEN} open jobs and 300 requests a
    minute; each job runs {SECONDS:g} s (`make bench-quick`: {QUICK_JOBS} of {QUICK_SECONDS:g} s). The ideal is jobs x job time / {OPEN}; the
    makespan is from the first purchase to the last file stored, as a multiple of it. The sandbox has rendered all pictures
    before. genmedia writes each purchase into its journal, looks at each file in a process of its own, and keeps it with a
    sidecar; a picture that is not counted is bought first. The baselines write the bytes into a folder and do nothing else. The
    floor is told how long jobs run: it looks at none.""",
    figures=(
        Figure("makespan", "x ideal", {OURS: Goal(1.05), VISIBLE: Goal(1.08)}, goals_in_quick=False),
        Figure("requests", "an image", {OURS: Goal(2.1), VISIBLE: Goal(2.1)}, goals_in_quick=False),
        Figure("answers of 429", "", {OURS: Goal(0), VISIBLE: Goal(0)}),
        Figure("client", "ms of CPU a job", {OURS: Goal(40), VISIBLE: Goal(80)}, goals_in_quick=False),
        Figure("looking at a file", "ms of CPU a job", {OURS: Goal(60), VISIBLE: Goal(60)}),
        Figure("Prefect's server", "ms of CPU a job", {VISIBLE: Goal(100)}),
    ),
    programs={
        OURS: _with_genmedia,
        VISIBLE: _with_prefect,
        LIST: _with_loop(LIST, lambda api: api.wait_by_list, lists=True),
        BY_ID: _with_loop(BY_ID, lambda api: api.wait_by_id),
        TASKS: _with_tasks,
        FLOOR: _with_loop(FLOOR, lambda api: api.wait_as_told),
    },
    in_quick=(OURS, VISIBLE, LIST),
    servers=_servers,
    seconds=900,
)
