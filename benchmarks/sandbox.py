"""The sandbox under load: requests a second while jobs run, and events on many WebSockets."""

import asyncio
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from statistics import quantiles
from time import perf_counter
from typing import Any

import httpx
from websockets.asyncio.client import connect

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, Goal, MissingError, Readings, Stage

JOBS = 500
ACCOUNTS = 20
LINES = 100
PAUSE = 0.25
ASKED, CROWDED = "FLORA, asked by wrk", "Genova, many sockets"


async def fill(url: str) -> tuple[str, dict[str, str]]:
    """Create the jobs and wait until all are running; returns one job's address and the headers to ask with."""
    async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=8)) as http:
        overview = (await http.get("/sandbox")).json()
        settings = {"queue": [0, 0], "run": [100_000, 100_000]}
        account = (await http.post("/sandbox/accounts", json={"provider": "flora", "settings": settings})).json()
        headers = {"authorization": f"Bearer {account['api_key']}"}
        picture = {"id": "input_image", "type": "imageUrl", "value": overview["links"]["sample_photo"]}
        body = {"inputs": [picture], "mode": "async"}

        async def create(_: int) -> str:
            path = "/flora/api/v1/techniques/portrait-enhancer/runs"
            return (await http.post(path, json=body, headers=headers)).raise_for_status().json()["pollUrl"]

        address = (await asyncio.gather(*map(create, range(JOBS))))[0]
        while True:
            jobs: list[dict[str, Any]] = (await http.get("/sandbox/jobs")).json()
            if sum(job["status"] == "running" for job in jobs) == JOBS:
                return address, headers
            await asyncio.sleep(0.1)


async def crowd(url: str) -> tuple[int, list[float]]:
    """Run Genova's jobs while listeners count their events; returns the number of events lost and the seconds of each list request."""
    async with httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=ACCOUNTS)) as http:
        orders = [{"provider": "genova", "account": f"crowd-{number}"} for number in range(ACCOUNTS)]
        accounts = [(await http.post("/sandbox/accounts", json=order)).json() for order in orders]
        results = await asyncio.gather(*(_one_account(http, account) for account in accounts))
    return sum(lost for lost, _ in results), [seconds for _, took in results for seconds in took]


async def _one_account(http: httpx.AsyncClient, account: dict[str, Any]) -> tuple[int, list[float]]:
    headers, jobs = {"x-api-key": account["api_key"]}, JOBS // ACCOUNTS
    path, socket = f"{account['base_url']}/api/jobs", f"{account['base_url'].replace('http', 'ws')}/ws/user"
    listening = asyncio.Barrier(LINES // ACCOUNTS + 1)

    async def listen() -> int:
        heard: Counter[str] = Counter()
        async with connect(f"{socket}?userId={account['user_id']}") as line:
            await line.recv()
            await listening.wait()
            try:
                async with asyncio.timeout(60):
                    while heard["job_completed"] < jobs:
                        heard[json.loads(await line.recv())["type"]] += 1
            except TimeoutError:
                pass
        return 2 * jobs - heard["job_started"] - heard["job_completed"]

    listeners = [asyncio.create_task(listen()) for _ in range(LINES // ACCOUNTS)]
    await listening.wait()
    for number in range(jobs):
        body = {"type": "image", "prompt": f"Cat {number} by the sea"}
        (await http.post(path, json=body, headers=headers)).raise_for_status()
    took: list[float] = []
    while not all(listener.done() for listener in listeners):
        started = perf_counter()
        (await http.get(path, headers=headers)).raise_for_status()
        took.append(perf_counter() - started)
        await asyncio.sleep(PAUSE)
    return sum(listener.result() for listener in listeners), took


def _asked(stage: Stage) -> Readings:
    address, headers = asyncio.run(fill(stage.servers["sandbox"]))
    words = [stage.servers["wrk"], "-t1", "-c64", "-d4s", "-H", f"Authorization: {headers['authorization']}", address]
    measured = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in measured:
        raise SystemExit(measured)
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", measured)
    return {ASKED: {"answers": float(rate)}}


def _crowded(stage: Stage) -> Readings:
    lost, took = asyncio.run(crowd(stage.servers["sandbox"]))
    return {CROWDED: {"events lost": lost, "list": 1000 * quantiles(took, n=100)[98]}}


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:  # noqa: ARG001 # one size
    if not (wrk := shutil.which("wrk")):
        raise MissingError("wrk is not installed (Debian: apt-get install wrk; macOS: brew install wrk)")
    with servers.sandbox(size=64) as url:
        yield {"sandbox": url, "wrk": wrk}


BENCHMARK = Benchmark(
    about=f"""FLORA: wrk asks for the state of one job over 64 connections while {JOBS} jobs run. Genova: {LINES} WebSockets
    of {ACCOUNTS} accounts, each of which should hear the start and the end of every job of its account, {JOBS} jobs in all; and
    how long a list request takes meanwhile.""",
    figures=(
        Figure("answers", "a second", {ASKED: Goal(1000, at_least=True)}),
        Figure("events lost", "", {CROWDED: Goal(0)}),
        Figure("list", "p99, ms", {CROWDED: Goal(250)}),
    ),
    programs={ASKED: _asked, CROWDED: _crowded},
    servers=_servers,
)
