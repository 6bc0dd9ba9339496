"""How benchmarks buy with genmedia, without Prefect and with it, and what the store's journal tells of it."""

import os
import sqlite3
import sys
from collections.abc import Awaitable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from prefect import Flow
from pydantic import SecretStr

from benchmarks.processes import cpu_seconds
from benchmarks.servers import Customer
from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from deployments.local_run import Ended, run_here
from tests.studio import run_directly

NAME = "benchmark"
R = TypeVar("R")


def credentials(customer: Customer) -> ProviderCredentials:
    """The block that pays as this customer."""
    shown = customer.shown
    plan = {"plan": shown["plan"]} if shown.get("plan") else {}
    known = {"api_key": shown["api_key"], "base_url": shown["base_url"], "account": shown["account"], **plan}
    return CREDENTIALS[shown["provider"].upper()].model_validate(known)


async def buy(flow: Flow[..., Any], parameters: Mapping[str, Any], customer: Customer, root: Path, journal: str = "") -> Ended:
    """Run a flow that buys without Prefect, into a store in a folder."""
    store = AssetStore(root=str(root), journal=SecretStr(journal))
    named = {"account": customer.shown["account"], "store": NAME, **parameters}
    payer = credentials(customer)
    return await run_directly(flow, named, store, lambda _provider, _name: payer)


async def buy_with_prefect(flow: Flow[..., Any], parameters: Mapping[str, Any], customer: Customer, root: Path) -> Ended:
    """Run a flow that buys as a run of the Prefect server that the environment names."""
    await credentials(customer).asave(NAME, overwrite=True)
    await AssetStore(root=str(root)).asave(NAME, overwrite=True)
    return await run_here(flow, {"account": NAME, "store": NAME, **parameters})


def must_complete(ended: Ended) -> None:
    """End the program if a run has not done all of its work: its figures would tell of something else."""
    if ended.name != "Completed":
        sys.exit(f"the run ended as {ended.name}: {ended.message}")


def seconds_of(root: Path) -> float:
    """Seconds from the first intent of the campaign `NAME` to its last file stored, according to the journal of a store in a folder."""
    with closing(sqlite3.connect(root / ".genmedia" / "journal.db")) as journal:
        first, last = journal.execute(
            "SELECT min(intended_at), max(ended_at) FROM attempts WHERE campaign = ?", [NAME]
        ).fetchone()
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


@dataclass(frozen=True)
class Cost:
    """CPU seconds of some work: in this process, in those that it started, and in a server."""

    own: float
    below: float
    server: float


async def counting(work: Awaitable[R], server: int | None = None) -> tuple[R, Cost]:
    """Do some work; returns its result and what it cost, with what the process `server` did for it."""

    def now() -> tuple[float, ...]:
        return (*cpu_seconds(os.getpid()), sum(cpu_seconds(server)) if server else 0.0)

    before = now()
    result = await work
    return result, Cost(*(after - begun for begun, after in zip(before, now(), strict=True)))
