"""Compare a batch with what Genova's Free plan allows: `python benchmarks/free_plan.py`.

The flow `image_batch` buys images from a sandbox with the WebSocket on, and reports to its own Prefect server. There are three measures: no
request is refused with 429; an image costs at most three requests to the API; and the batch takes little longer than the ideal, which is
the longer of

- jobs x job time / open slots; the job time is set in the sandbox: `QUEUE` + `RUN`;
- jobs x `NEEDED` / requests a minute: each image needs at least one request to buy it and one to learn where its file is.

The time taken is from the first intent in the journal, just before the first submit, to the last image stored. All times are nominal
seconds: real seconds times the clock scale. The time of this machine itself is multiplied too: a second lost between two jobs counts as
ten at the default scale, and as one with the real Genova.
"""

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cyclopts
import httpx
from prefect.testing.utilities import prefect_test_harness
from pydantic import SecretStr

from blocks import AssetStore, GenovaCredentials
from deployments.local_run import run_here
from flows.image_batch import image_batch
from genmedia.providers.genova.client import PLANS

QUEUE, RUN = 1.0, 30.0
NEEDED = 2
LIMIT_REQUESTS = 3
TARGET = 0.90
LIMITS = PLANS["Free"]


async def make(sandbox: str, images: int, store: Path) -> Counter[int]:
    """Run the batch on its own account; returns the number of the API's answers by status."""
    settings = {"queue": [QUEUE, QUEUE], "run": [RUN, RUN]}
    order = {"provider": "genova", "account": "benchmark", "plan": "Free", "credits": images, "settings": settings}
    async with httpx.AsyncClient(base_url=sandbox) as http:
        account = (await http.post("/sandbox/accounts", json=order)).raise_for_status().json()
        key = SecretStr(account["api_key"])
        await GenovaCredentials(api_key=key, base_url=account["base_url"], plan="Free").asave("benchmark", overwrite=True)
        await AssetStore(root=str(store)).asave("benchmark", overwrite=True)
        prompts = [f"Cat {number} by the sea" for number in range(images)]
        ended = await run_here(
            image_batch, {"name": "benchmark", "prompts": prompts, "account": "benchmark", "store": "benchmark"}
        )
        if ended.name != "Completed":
            sys.exit(f"the batch ended as {ended.name}: {ended.message}")
        lines: list[dict[str, Any]] = (await http.get("/sandbox/requests")).json()["counts"]
    statuses: Counter[int] = Counter()
    for line in lines:
        if line["account"] == "benchmark" and line["route"].startswith("/api"):  # the others went to the media origin
            statuses[line["status"]] += line["count"]
    return statuses


def took(store: Path) -> float:
    """Real seconds from the first intent to the last image stored, according to the journal."""
    with closing(sqlite3.connect(store / ".genmedia" / "journal.db")) as journal:
        first, last = journal.execute("SELECT min(intended_at), max(ended_at) FROM attempts").fetchone()
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def main(*, clock_scale: float = 10, images: int = 12) -> int:
    """Print the three measures; returns 1 when one is missed.

    Args:
        clock_scale: Speed of the sandbox's clock, as a multiple of real time.
        images: Number of images in the batch.
    """
    os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false")
    os.environ.pop("GENMEDIA_JOURNAL_URL", None)  # these purchases must not get into the journal of real ones
    for console in logging.getLogger().handlers:
        console.setLevel(logging.WARNING)  # the server still gets every line
    command = [sys.executable, "-m", "genmedia", "sandbox", "--port", "0", "--clock-scale", str(clock_scale), "--size", "128"]
    with TemporaryDirectory() as folder, prefect_test_harness(server_startup_timeout=90):
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            statuses = asyncio.run(make(server.stdout.readline().split()[-1], images, Path(folder)))
        finally:
            server.terminate()
            server.wait()
        seconds = took(Path(folder)) * clock_scale
    by_slots = images * (QUEUE + RUN) / LIMITS.open_jobs
    by_rate = images * NEEDED / LIMITS.per_minute * 60
    share, each = max(by_slots, by_rate) / seconds, statuses.total() / images
    print(f"{images} images on the Free plan, clock scale {clock_scale:g}")
    print(f"answers: {', '.join(f'{count} x {status}' for status, count in sorted(statuses.items()))} (no 429 allowed)")
    print(f"{each:.2f} requests an image (limit {LIMIT_REQUESTS})")
    print(f"ideal: {by_slots:.0f} s by slots, {by_rate:.0f} s by rate; took {seconds:.0f} s: {share:.1%} (target {TARGET:.0%})")
    return int(statuses[429] > 0 or each > LIMIT_REQUESTS or share < TARGET)


if __name__ == "__main__":
    cyclopts.run(main)
