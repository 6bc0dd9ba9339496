"""Time of queries to a journal of 100,000 purchases in SQLite, beside a plain `SELECT 1` of sqlite3."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose, Scope
from genmedia.journal.order import Order
from genmedia.store import Place

ROWS, QUICK_ROWS = 100_000, 10_000
DAYS = 300
CALLS = 21
LIMIT = 100
"""Longest time of any query, in milliseconds: a guard against a scan of everything, not a promise."""
PLAIN = "SELECT 1"

OPEN = "SELECT * FROM attempts WHERE state IN ('intended', 'bound', 'in_doubt') ORDER BY intended_at"

PAYER = Account("genova", "https://example.org")
ACCOUNT = str(PAYER)
ORDER = Order(PAYER, "image", {"prompt": "tea"}, 1, "credits", purpose=Purpose("tea", run="run"))


def fill(file: Path, rows: int) -> None:
    """Put purchases of `DAYS` days into the tables; one in a thousand of them is under way."""
    now = datetime.now(UTC)
    with closing(sqlite3.connect(file)) as connection, connection:
        for number in range(rows):
            key, at = f"{number:064x}", (now - timedelta(days=DAYS * (1 - number / rows))).isoformat()
            state = "bound" if number % 1000 == 0 else "stored"
            request = json.dumps({"prompt": f"tea {number}"})
            connection.execute("INSERT INTO submissions VALUES (?, ?, 'image', ?, 1, ?)", (key, ACCOUNT, request, at))
            connection.execute(
                "INSERT INTO attempts (key, number, account, state, remote_id, campaign, run, price, reserved, charged, unit,"
                " intended_at, ended_at) VALUES (?, 1, ?, ?, ?, ?, ?, 1, 1, ?, 'credits', ?, ?)",
                (key, ACCOUNT, state, f"job-{number}", f"c{number % 50}", f"r{number // 100}", state == "stored" or None, at, at),
            )


async def seconds(ask: Callable[[], Awaitable[object]]) -> float:
    """Median time of one query in seconds, over `CALLS` calls."""
    times: list[float] = []
    for _ in range(CALLS):
        begun = perf_counter()
        await ask()
        times.append(perf_counter() - begun)
    return median(times)


async def measure(root: Path, rows: int) -> dict[str, float]:
    """Measure the seconds of each query, by its name."""
    place = Place(str(root))
    async with Journal.lease(place.journal_url()) as journal:
        await journal.live_attempt("x")
        file = root / ".genmedia" / "journal.db"
        fill(file, rows)
        bought = iter(range(rows, 2 * rows))

        async def buy() -> None:
            attempt = await journal.intend(replace(ORDER, take=next(bought)), datetime.now(UTC))
            assert attempt
            await journal.refuse(attempt, "a measurement")

        found = {
            "look up a purchase by its key": await seconds(lambda: journal.live_attempt(f"{rows // 2:064x}")),
            "the account's spend": await seconds(lambda: journal.money.spent(ACCOUNT, "credits")),
            "reserve and refuse, without a cap": await seconds(buy),
        }
        await journal.money.set_caps(ACCOUNT, {Scope.DAY: 1e9, Scope.MONTH: 1e9, Scope.CAMPAIGN: 1e9})
        found["reserve and refuse, with three caps"] = await seconds(buy)
        with closing(sqlite3.connect(file)) as plain:

            async def select() -> None:
                plain.execute("SELECT 1").fetchone()

            async def still_open() -> None:
                assert len(plain.execute(OPEN).fetchall()) == rows // 1000

            found["list the open purchases"] = await seconds(still_open)
            found[PLAIN] = await seconds(select)
    return found


def _program(stage: Stage) -> Readings:
    found = asyncio.run(measure(stage.folder, QUICK_ROWS if stage.quick else ROWS))
    return {way: {"time": taken * 1000, "beside a plain query": taken / found[PLAIN]} for way, taken in found.items()}


_OURS = (
    "look up a purchase by its key",
    "the account's spend",
    "reserve and refuse, without a cap",
    "reserve and refuse, with three caps",
    "list the open purchases",
)

BENCHMARK = Benchmark(
    about=f"""A journal of {ROWS:,} purchases of {DAYS} days in SQLite, one in a thousand of them under way (`make
    bench-quick`: {QUICK_ROWS:,}); the median of {CALLS} calls of each query. The goal is a guard against a query that reads
    everything.""",
    figures=(
        Figure("time", "ms", dict.fromkeys(_OURS, Goal(LIMIT))),
        Figure("beside a plain query", "x SELECT 1"),
    ),
    programs={"all queries": _program},
)
