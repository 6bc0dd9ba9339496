"""How many looks a second the sandbox answers while 500 jobs run: `python benchmarks/sandbox.py`."""

import asyncio
import re
import shutil
import subprocess
import sys
from typing import Any

import httpx

JOBS = 500
TARGET = 1000
PROGRAM = "from genmedia.sandbox.server import SandboxOptions, run; run(SandboxOptions(port=0, size=64))"


async def fill(url: str) -> tuple[str, dict[str, str]]:
    """Put the jobs into the running state; returns one job's address and the headers to ask with."""
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


def main() -> None:
    """Start a sandbox, fill it, measure, print one line."""
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("this benchmark needs wrk (Debian: apt-get install wrk; macOS: brew install wrk)")
    server = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address, headers = asyncio.run(fill(server.stdout.readline().split()[-1]))
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
