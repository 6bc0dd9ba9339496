"""Looks at jobs that no push tells of, and the requests for a video, beside the schedules of others."""

import asyncio
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from time import time
from typing import Any

import httpx
from prefect import Flow

from benchmarks import servers
from benchmarks.baselines.schedules import SCHEDULES, follow
from benchmarks.buyers import buy, must_complete
from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage
from benchmarks.servers import Customer
from flows.long_video import long_video
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image

SCALE, QUICK_SCALE = 2.0, 10.0
RUN = (36.0, 54.0)
VIDEO = 180.0
JOBS, QUICK_JOBS = 20, 8
VIDEOS, QUICK_VIDEOS = 20, 10
STATUS = {
    "FLORA": ("/api/v1/techniques/{slug}/runs/{run_id}",),
    "Generio": ("/flows/{flow_id}", "/flows"),
    "Algovera": ("/api/status",),
}
"""Routes that tell of the state of jobs."""


def _wishes(what: str, jobs: int) -> Mapping[str, tuple[Flow[..., Any], Mapping[str, Any]]]:
    """For each provider a flow and what it is given, for so many jobs that are all open at once."""
    steps = [
        {"name": f"icons-{n}", "technique": "icon-pack", "inputs": [{"id": "prompt", "text": f"{what}, {n}"}]}
        for n in range(jobs)
    ]
    texts = [{"text": f"A chair for {what}, number {n}"} for n in range(jobs)]
    template = {"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}
    return {
        "FLORA": (technique_chain, {"chain": {"name": what, "steps": steps}, "at_once": jobs}),
        "Generio": (template_run, {"name": what, "inputs": texts, "steps": [template], "at_once": jobs}),
        "Algovera": (
            text_to_image,
            {"name": what, "prompts": [f"A cup for {what}"], "seeds": list(range(jobs)), "width": 128, "height": 128},
        ),
    }


def _seen_ended(root: Path) -> Mapping[str, float]:
    """When each job was seen ended, in seconds since 1970 by this machine's clock, by its id at the provider."""
    with closing(sqlite3.connect(root / ".genmedia" / "journal.db")) as journal:
        rows = journal.execute("SELECT remote_id, over_at FROM attempts").fetchall()
    return {job: datetime.fromisoformat(over).timestamp() for job, over in rows}


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def _program(stage: Stage) -> Readings:
    url = stage.servers["sandbox"]
    wanted, films_wanted = (QUICK_JOBS, QUICK_VIDEOS) if stage.quick else (JOBS, VIDEOS)
    overview = httpx.get(f"{url}/sandbox", timeout=60).raise_for_status().json()
    clock, asked = overview["clock"], time()
    customers = {
        name: Customer.open(url, name.lower(), credits=100_000, settings={"queue": [0, 0], "run": RUN}) for name in STATUS
    }
    filming = Customer.open(url, "genova", plan="Business", settings={"queue": [0, 0], "run": [VIDEO, VIDEO]})
    shots = [{"prompt": f"Steam over cup {number}"} for number in range(films_wanted)]

    async def follow_one(name: str) -> tuple[int, int, list[float], list[float]]:
        """Teach how long the provider's jobs run, then buy what is counted: the looks, the jobs, their delays and times."""
        customer, root = customers[name], stage.folder / name
        for what in ("teaching", "measured"):
            looks, jobs = customer.asked(*STATUS[name]), {job["id"] for job in customer.jobs}
            flow, parameters = _wishes(what, wanted)[name]
            must_complete(await buy(flow, parameters, customer, root))
        counted = [job for job in customer.jobs if job["id"] not in jobs]
        times = [job["ended_at"] - job["created_at"] for job in counted]
        seen = _seen_ended(root)
        late = [clock["now"] + (seen[job["id"]] - asked) * clock["scale"] - job["ended_at"] for job in counted]
        shares = [one / run for one, run in zip(late, times, strict=True)]
        return customer.asked(*STATUS[name]) - looks, len(counted), shares, times

    async def work() -> list[Any]:
        films = buy(long_video, {"name": "films", "shots": shots}, filming, stage.folder / "films")
        return await asyncio.gather(*map(follow_one, STATUS), films)

    *found, films = asyncio.run(work())
    must_complete(films)
    readings = {
        f"genmedia, {name}": {"looks": looks / jobs, "delay": 100 * _p95(delays)}
        for name, (looks, jobs, delays, _) in zip(STATUS, found, strict=True)
    }
    times = [one for *_, times in found for one in times]
    for name, schedule in SCHEDULES.items():
        looks, delays = follow(schedule, times)
        filmed, _ = follow(schedule, [VIDEO])
        readings[name] = {"looks": looks, "delay": 100 * _p95(delays), "requests": filmed + 2}
    return readings | {"genmedia, Genova": {"requests": filming.requests.total() / films_wanted}}


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    with servers.sandbox(clock_scale=QUICK_SCALE if quick else SCALE, size=64) as url:
        yield {"sandbox": url}


BENCHMARK = Benchmark(
    about=f"""{JOBS} jobs at once at each of three providers where no push tells of a job (FLORA as its document has it,
    Generio, Algovera), each running {RUN[0]:g} to {RUN[1]:g} s by the sandbox's clock, which is {SCALE:g} times as fast as the
    world's (`make bench-quick`: {QUICK_JOBS} jobs and {QUICK_VIDEOS} videos, {QUICK_SCALE:g} times). As many are bought before,
    from which the journal learns how long they run. (Of jobs of which the longest run twice as long as the shortest, all times between
    them as often, four looks on average and a tenth of the time exclude each other: a look whenever a tenth more of the time has passed
    takes 4.6.) A look is any request that tells of the state of jobs; the delay is from the
    end of a job at the provider until that is known here, as a share of the job's time. Beside them, {VIDEOS} videos at Genova
    that take {VIDEO:g} s each, where a socket and a list tell of the jobs: all requests, submission and download included. The
    others are schedules that follow the same jobs, with answers that take no time: the loop in FLORA's document (Generio's and
    Algovera's name no pause) looks at once and then each 3 s; fal-client 1.0.3 looks at once and then each 0.1 s
    (`fal_client/client.py`, `DEFAULT_QUEUE_POLL_INTERVAL`); runwayml 5.24.0 waits 4.5 to 7.5 s before each look
    (`runwayml/lib/polling.py`, `POLL_TIME`, `POLL_JITTER`).""",
    figures=(
        Figure("looks", "a job", {f"genmedia, {name}": Goal(4) for name in STATUS}),
        Figure("delay", "p95, % of the job's time", {f"genmedia, {name}": Goal(10) for name in STATUS}),
        Figure("requests", "a video", {"genmedia, Genova": Goal(2.6)}),
    ),
    programs={"all providers": _program},
    servers=_servers,
)
