"""Time of queries to a journal of 100,000 purchases beside a plain `SELECT 1` of sqlite3: medians and ratios of one run."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose, Scope
from genmedia.journal.order import Order
from genmedia.store import Place

ROWS = 100_000
DAYS = 300
ROUNDS = 21
LIMIT = 0.1
"""Longest time of any query, in seconds: a guard against a scan of everything, not a promise."""

OPEN = "SELECT * FROM attempts WHERE state IN ('intended', 'bound', 'in_doubt') ORDER BY intended_at"

PAYER = Account("genova", "https://example.org")
ACCOUNT = str(PAYER)
ORDER = Order(PAYER, "image", {"prompt": "tea"}, 1, "credits", purpose=Purpose("tea", run="run"))


def fill(file: Path) -> None:
    """Put purchases of `DAYS` days into the tables; one in a thousand of them is under way."""
    now = datetime.now(UTC)
    with closing(sqlite3.connect(file)) as connection, connection:
        for number in range(ROWS):
            key, at = f"{number:064x}", (now - timedelta(days=DAYS * (1 - number / ROWS))).isoformat()
            state = "bound" if number % 1000 == 0 else "stored"
            request = json.dumps({"prompt": f"tea {number}"})
            connection.execute("INSERT INTO submissions VALUES (?, ?, 'image', ?, 1, ?)", (key, ACCOUNT, request, at))
            connection.execute(
                "INSERT INTO attempts (key, number, account, state, remote_id, campaign, run, price, reserved, charged, unit,"
                " intended_at, ended_at) VALUES (?, 1, ?, ?, ?, ?, ?, 1, 1, ?, 'credits', ?, ?)",
                (key, ACCOUNT, state, f"job-{number}", f"c{number % 50}", f"r{number // 100}", state == "stored" or None, at, at),
            )


async def seconds(ask: Callable[[], Awaitable[object]]) -> float:
    """Median time of one query in seconds, over `ROUNDS` calls."""
    times: list[float] = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        await ask()
        times.append(perf_counter() - begun)
    return median(times)


async def measure(root: Path) -> dict[str, float]:
    """Measure the seconds of each query, by its name."""
    place = Place(str(root))
    async with Journal.lease(place.journal_url()) as journal:
        await journal.live_attempt("x")
        file = root / ".genmedia" / "journal.db"
        fill(file)
        bought = iter(range(ROWS, 2 * ROWS))

        async def buy() -> None:
            attempt = await journal.intend(replace(ORDER, take=next(bought)), datetime.now(UTC))
            assert attempt
            await journal.refuse(attempt, "a measurement")

        found = {
            "look up a purchase by its key": await seconds(lambda: journal.live_attempt(f"{ROWS // 2:064x}")),
            "the account's spend": await seconds(lambda: journal.money.spent(ACCOUNT, "credits")),
            "reserve and refuse, without a cap": await seconds(buy),
        }
        await journal.money.set_caps(ACCOUNT, {Scope.DAY: 1e9, Scope.MONTH: 1e9, Scope.CAMPAIGN: 1e9})
        found["reserve and refuse, with caps of day, month and campaign"] = await seconds(buy)
        with closing(sqlite3.connect(file)) as plain:

            async def select() -> None:
                plain.execute("SELECT 1").fetchone()

            async def still_open() -> None:
                assert len(plain.execute(OPEN).fetchall()) == ROWS // 1000

            found["list the open purchases"] = await seconds(still_open)
            found["SELECT 1"] = await seconds(select)
    return found


def main() -> int:
    """Print the figures; returns 1 when one is above its limit."""
    with TemporaryDirectory(prefix="genmedia-journal-") as folder:
        found = asyncio.run(measure(Path(folder)))
    plain = found.pop("SELECT 1")
    print(f"a journal of {ROWS} purchases in SQLite; a plain SELECT 1 takes {plain * 1e6:.0f} us")
    for name, taken in found.items():
        print(f"{name}: {taken * 1e3:.1f} ms, {taken / plain:.0f} times as long")
    return int(max(found.values()) > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
