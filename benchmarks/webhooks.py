"""Seconds until the end of a job is seen: `python benchmarks/webhooks.py`.

A sandbox runs FLORA's jobs in real time. Two accounts have as many jobs at once: of the one, `genmedia webhooks` is told each end; the
other is polled only, each 2 to 5 seconds as FLORA's document says. They share a journal in SQLite. First the process that waits looks at the
jobs itself; then another process looks at them, and the one that waits reads in the journal what that has seen. A delay counts from the
delivery, and from the end of the job where there is none.
"""

import asyncio
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from time import time
from typing import Any
from uuid import uuid4

import cyclopts
import httpx

from genmedia.jobs.job import Account, Job
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Attempt, Journal
from genmedia.journal.order import Order
from genmedia.providers.base import at_desk
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.store import Place

SLUG = "studio-blur"
RUN = (20.0, 35.0)
"""Shortest and longest run of a job, in seconds: none ends before all are bought."""

TARGET = 0.3
"""Longest median delay with webhooks, in seconds."""


@dataclass(frozen=True)
class Payer:
    """An account of the sandbox; `told` is the address of the receiver, empty where it is polled only."""

    account: dict[str, Any]
    told: str

    @property
    def name(self) -> Account:
        """The account as the journal knows it."""
        return Account("flora", self.account["base_url"], self.account["account"])

    def client(self) -> AbstractAsyncContextManager[FloraClient]:
        """The account's client."""
        return FloraClient.lease(self.name, self.account["api_key"], webhook_url=self.told)


@contextmanager
def running(*arguments: str, **environment: str) -> Generator[str]:
    """Run `genmedia` with these arguments; yields the address that it prints."""
    command = [sys.executable, "-m", "genmedia", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        try:
            assert process.stdout
            yield re.findall(r"http://[\d.:]+", process.stdout.readline())[0]
        finally:
            process.terminate()


async def _look(payers: Sequence[Payer], journal_url: str, looking: Any) -> None:
    """Look at the jobs of the accounts for all processes, until this one is ended."""
    async with AsyncExitStack() as held:
        journal = await held.enter_async_context(Journal.lease(journal_url))
        for payer in payers:
            await held.enter_async_context(at_desk(await held.enter_async_context(payer.client()), journal))
        await asyncio.sleep(1)  # by then it holds both leases, which nobody else wants
        looking.set()
        await asyncio.Event().wait()


def look(payers: Sequence[Payer], journal_url: str, looking: Any) -> None:
    """See `_look`; the main function of a process."""
    asyncio.run(_look(payers, journal_url, looking))


async def buy(client: FloraClient, journal: Journal, picture: str) -> Attempt:
    """Buy one job; returns its attempt."""
    order = Order(client.account, SLUG, {"technique": SLUG, "inputs": [uuid4().hex]}, 6, "credits")
    attempt = await journal.intend(order, datetime.now(UTC))
    assert attempt
    sent = [RunInput(id="input_image", type="imageUrl", value=picture)]
    run = await client.create_run(SLUG, sent, idempotency_key=order.key)
    await journal.bind(attempt, run.run_id)
    return await journal.attempt(attempt.id)


async def see_end(client: FloraClient, journal: Journal, attempt: Attempt) -> tuple[str, float]:
    """Wait for a job; returns its id, and the time at which its end was seen."""

    async def say_nothing(_: Job | Trouble) -> None:
        pass

    async with at_desk(client, journal) as desk:
        with desk.looks.awaiting(attempt):
            job = await client.watcher.wait(
                client.reference(attempt), about="", queue_seconds=600, run_seconds=600, seen=say_nothing, board=desk.looks
            )
            return job.id, time()


@dataclass(frozen=True)
class House:
    """What all measures share: the sandbox, both accounts, the journal, and the address of a picture."""

    http: httpx.Client
    payers: Sequence[Payer]
    journal_url: str
    picture: str

    def measure(self, jobs: int) -> list[list[float]]:
        """Return the delays of each account's jobs."""
        seen = asyncio.run(self._see_all(jobs))
        since = {job["id"]: job["ended_at"] for job in self.http.get("/sandbox/jobs").json()}
        told = [one for account in self.http.get("/sandbox/accounts").json() for one in account.get("deliveries", ())]
        since |= {one["run_id"]: one["sent_at"] for one in told}
        return [[at - since[job] for job, at in ends] for ends in seen]

    async def _see_all(self, jobs: int) -> list[list[tuple[str, float]]]:
        return await asyncio.gather(*(self._see_ends(payer, jobs) for payer in self.payers))

    async def _see_ends(self, payer: Payer, jobs: int) -> list[tuple[str, float]]:
        async with payer.client() as client, Journal.lease(self.journal_url) as journal:
            bought = await asyncio.gather(*(buy(client, journal, self.picture) for _ in range(jobs)))
            return await asyncio.gather(*(see_end(client, journal, one) for one in bought))


def main(*, jobs: int = 20) -> int:
    """Print the delays; returns 1 if a median with webhooks is too long.

    Args:
        jobs: Number of jobs of each account, twice.
    """
    with ExitStack() as held:
        folder, sandbox = held.enter_context(TemporaryDirectory()), held.enter_context(running("sandbox", "--port", "0"))
        http = held.enter_context(httpx.Client(base_url=sandbox, timeout=60))
        wish = {"provider": "flora", "settings": {"queue": [0, 0], "run": RUN}, "switches": {"webhooks": True}}
        told, polled = [http.post("/sandbox/accounts", json={**wish, "account": name}).json() for name in ("told", "polled")]
        named = ("api_key", "base_url", "webhook_secret")
        keys = {f"FLORA_{name.upper()}": told[name] for name in named} | {"GENMEDIA_BLOCKS": "told"}
        receiver = held.enter_context(running("webhooks", "--folder", folder, "--port", "0", **keys))
        payers = [Payer(told, f"{receiver}/flora"), Payer(polled, "")]
        house = House(http, payers, Place(folder).journal_url(), http.get("/sandbox").json()["links"]["sample_photo"])
        rows = {"itself": house.measure(jobs)}
        context = multiprocessing.get_context("spawn")
        looking = context.Event()
        other = context.Process(target=look, args=(payers, house.journal_url, looking), daemon=True)
        other.start()
        held.callback(other.terminate)
        looking.wait(60)
        rows["another"] = house.measure(jobs)
    print(f"seconds until the end of a job is seen, {jobs} jobs each: median, 95th percentile")
    print("| who looks | told by webhooks | polled only |\n| --- | --- | --- |")
    for who, delays in rows.items():
        cells = [f"{statistics.median(one):.2f}, {statistics.quantiles(one, n=20)[-1]:.2f}" for one in delays]
        print(f"| {who} | {' | '.join(cells)} |")
    return int(any(statistics.median(told) > TARGET for told, _ in rows.values()))


if __name__ == "__main__":
    cyclopts.run(main)
