"""Load test of the sandbox: `python benchmarks/sandbox.py`.

FLORA: the number of status requests that it answers in a second while 500 jobs run. Genova: the number of events lost on 100 WebSockets,
each of which should get the start and the end of every job of its account, 500 jobs in all; and the time of a list request meanwhile.
"""

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
from collections import Counter
from time import perf_counter
from typing import Any

import httpx
from websockets.asyncio.client import connect

JOBS = 500
TARGET = 1000
ACCOUNTS = 20
LINES = 100
PAUSE = 0.25
TARGET_P99 = 0.250
PROGRAM = "from genmedia.sandbox.server import SandboxOptions, run; run(SandboxOptions(port=0, size=64))"


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


def main() -> None:
    """Start a sandbox, fill it, measure, print one line for each measure."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("this benchmark needs wrk (Debian: apt-get install wrk; macOS: brew install wrk)")
    server = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        lost, took = asyncio.run(crowd(url))
        p99 = statistics.quantiles(took, n=100)[98]
        print(f"{lost} events lost of {JOBS} jobs on {LINES} sockets; {len(took)} lists, p99 {p99 * 1000:.0f} ms", end=" ")
        print(f"(target {TARGET_P99 * 1000:.0f} ms)")
        address, headers = asyncio.run(fill(url))
        authorization = f"Authorization: {headers['authorization']}"
        measured = subprocess.run(
            [wrk, "-t1", "-c64", "-d4s", "-H", authorization, address], capture_output=True, text=True, check=True
        ).stdout
        if "Non-2xx" in measured:
            sys.exit(measured)
        (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", measured)
        print(f"{float(rate):.0f} requests a second with {JOBS} running jobs (target {TARGET})")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
