"""How soon the end of a job at FLORA is seen where a webhook tells of it, beside polling."""

import asyncio
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median, quantiles
from time import time
from typing import Any
from uuid import uuid4

import httpx

from benchmarks import servers
from benchmarks.figures import Benchmark, Figure, Goal, Program, Readings, Stage
from benchmarks.servers import Customer
from genmedia.jobs.job import Account, Job
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Attempt, Journal
from genmedia.journal.order import Order
from genmedia.providers.base import at_desk
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.store import Place

SLUG = "studio-blur"
JOBS = 20
RUN, QUICK_RUN = (20.0, 35.0), (10.0, 20.0)
"""Shortest and longest run of a job, in seconds: none ends before all are bought."""
TOLD, POLLED = "told by webhooks", "polled only"
ITSELF, ANOTHER = "it looks itself", "another process looks"


@dataclass(frozen=True)
class _Payer:
    """An account of the sandbox; `told` is the address of the receiver, empty where it is polled only."""

    account: Mapping[str, Any]
    told: str

    @property
    def name(self) -> Account:
        """The account as the journal knows it."""
        return Account("flora", self.account["base_url"], self.account["account"])

    def client(self) -> AbstractAsyncContextManager[FloraClient]:
        """The account's client."""
        return FloraClient.lease(self.name, self.account["api_key"], webhook_url=self.told)


@contextmanager
def _receiver(folder: str, told: Customer) -> Generator[str]:
    """Run `genmedia webhooks` for the journal of a store in a folder; yields the address for the account's webhooks."""
    named = ("api_key", "base_url", "webhook_secret")
    keys = {f"FLORA_{name.upper()}": told.shown[name] for name in named} | {"GENMEDIA_BLOCKS": told.shown["account"]}
    command = [sys.executable, "-m", "genmedia", "webhooks", "--folder", folder, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **keys}) as process:
        try:
            assert process.stdout
            yield re.findall(r"http://[\d.:]+", process.stdout.readline())[0] + "/flora"
        finally:
            process.terminate()


async def _look(payers: Sequence[_Payer], journal_url: str, looking: Any) -> None:
    """Look at the jobs of the accounts for all processes, until this one is ended."""
    async with AsyncExitStack() as held:
        journal = await held.enter_async_context(Journal.lease(journal_url))
        for payer in payers:
            await held.enter_async_context(at_desk(await held.enter_async_context(payer.client()), journal))
        await asyncio.sleep(1)  # by then it holds both leases, which nobody else wants
        looking.set()
        await asyncio.Event().wait()


def _look_on(payers: Sequence[_Payer], journal_url: str, looking: Any) -> None:
    """See `_look`; the main function of a process."""
    asyncio.run(_look(payers, journal_url, looking))


async def _buy(client: FloraClient, journal: Journal, picture: str) -> Attempt:
    """Buy one job; returns its attempt."""
    order = Order(client.account, SLUG, {"technique": SLUG, "inputs": [uuid4().hex]}, 6, "credits")
    attempt = await journal.intend(order, datetime.now(UTC))
    assert attempt
    sent = [RunInput(id="input_image", type="imageUrl", value=picture)]
    run = await client.create_run(SLUG, sent, idempotency_key=order.key)
    await journal.bind(attempt, run.run_id)
    return await journal.attempt(attempt.id)


async def _see_end(client: FloraClient, journal: Journal, attempt: Attempt) -> tuple[str, float]:
    """Wait for a job; returns its id, and the time at which its end was seen."""

    async def say_nothing(_: Job | Trouble) -> None:
        pass

    async with at_desk(client, journal) as desk:
        with desk.looks.awaiting(attempt):
            job = await client.watcher.wait(
                client.reference(attempt), about="", queue_seconds=600, run_seconds=600, seen=say_nothing, board=desk.looks
            )
            return job.id, time()


async def _see_ends(payer: _Payer, journal_url: str, picture: str) -> list[tuple[str, float]]:
    """Buy all jobs of an account and wait for them."""
    async with payer.client() as client, Journal.lease(journal_url) as journal:
        bought = await asyncio.gather(*(_buy(client, journal, picture) for _ in range(JOBS)))
        return await asyncio.gather(*(_see_end(client, journal, one) for one in bought))


async def _see_all(payers: Sequence[_Payer], journal_url: str, picture: str) -> list[list[tuple[str, float]]]:
    return await asyncio.gather(*(_see_ends(payer, journal_url, picture) for payer in payers))


@contextmanager
def _another(payers: Sequence[_Payer], journal_url: str) -> Generator[None]:
    """Let another process look at the jobs of the accounts while the block runs."""
    context = multiprocessing.get_context("spawn")
    looking = context.Event()
    process = context.Process(target=_look_on, args=(payers, journal_url, looking), daemon=True)
    process.start()
    try:
        if not looking.wait(60):
            sys.exit("the other process did not begin to look")
        yield
    finally:
        process.terminate()


def _program(who: str) -> Program:
    def program(stage: Stage) -> Readings:
        url, folder = stage.servers["sandbox"], str(stage.folder)
        settings = {"queue": [0, 0], "run": QUICK_RUN if stage.quick else RUN}
        customers = [Customer.open(url, "flora", settings=settings, switches={"webhooks": True}) for _ in (TOLD, POLLED)]
        picture = httpx.get(f"{url}/sandbox", timeout=60).raise_for_status().json()["links"]["sample_photo"]
        journal_url = Place(folder).journal_url()
        with ExitStack() as held:
            address = held.enter_context(_receiver(folder, customers[0]))
            payers = [_Payer(one.shown, told) for one, told in zip(customers, (address, ""), strict=True)]
            if who == ANOTHER:
                held.enter_context(_another(payers, journal_url))
            seen = asyncio.run(_see_all(payers, journal_url, picture))
        since = {job["id"]: job["ended_at"] for one in customers for job in one.jobs}
        told = httpx.get(f"{url}/sandbox/accounts", timeout=60).raise_for_status().json()
        since |= {one["run_id"]: one["sent_at"] for account in told for one in account.get("deliveries", ())}
        delays = ([at - since[job] for job, at in ends] for ends in seen)
        return {
            f"{how}, {who}": {"median": median(one), "p95": quantiles(one, n=20)[-1]}
            for how, one in zip((TOLD, POLLED), delays, strict=True)
        }

    return program


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:  # noqa: ARG001 # as others take it
    with servers.sandbox(size=64) as url:
        yield {"sandbox": url}


BENCHMARK = Benchmark(
    about=f"""Two accounts of FLORA have {JOBS} jobs each at the same time, which run {RUN[0]:g} to {RUN[1]:g} s in real time
    (`make bench-quick`: {QUICK_RUN[0]:g} to {QUICK_RUN[1]:g} s). Of the one, `genmedia webhooks` is told each end; the other is polled only,
    each 2 to 5 s, as FLORA's document says. They share a journal in SQLite. Either the process that waits looks at the jobs itself,
    or another looks at them, and the one that waits reads in the journal what that has seen. The delay until an end is seen counts
    from the delivery, and from the end of the job where there is none.""",
    figures=(
        Figure("median", "s", {f"{TOLD}, {who}": Goal(0.3) for who in (ITSELF, ANOTHER)}),
        Figure("p95", "s"),
    ),
    programs={who: _program(who) for who in (ITSELF, ANOTHER)},
    in_quick=(ITSELF,),
    servers=_servers,
)
