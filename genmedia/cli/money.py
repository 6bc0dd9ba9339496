"""Commands about money: `genmedia caps`, `genmedia hold`, `genmedia ledger`."""

import asyncio
import csv
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from rich.console import Console

from genmedia.cli.printing import number, print_json, print_table
from genmedia.cli.where import Where
from genmedia.errors import GenmediaError, SettingsError
from genmedia.jobs import Account
from genmedia.journal import Balance, Journal, Line, Scope, add_up, time_zone
from genmedia.offers import Saved, asked

REASON = "a person held it"
COLUMNS = ("jobs", "spent", "reserved", "in_doubt", "above", "unknown")
_NUMBERS = {*(name.replace("_", " ") for name in COLUMNS), *Scope}


def show_caps(where: Where, *, as_json: bool, console: Console) -> None:
    """Print the caps of every account that has any."""
    caps = where.work(lambda journal: journal.money.caps())
    if as_json:
        print_json(caps)
    elif not caps:
        console.print("no account has a cap", highlight=False)
    else:
        scopes = [scope for scope in Scope if any(scope in one for one in caps.values())]
        rows = [[account, *(number(one.get(scope)) for scope in scopes)] for account, one in caps.items()]
        print_table(console, ["account", *scopes], rows, _NUMBERS)


def set_caps(where: Where, name: str, amounts: Mapping[Scope, float | None], console: Console) -> None:
    """Set caps of an account, or take them away where they are None, and print what it has.

    Raises:
        SettingsError: There is no such account, nothing is set, or an amount is none.
    """
    if not amounts:
        raise SettingsError("no cap is named", money="", advice="Name one, such as --day 50; see `genmedia caps set --help`.")
    if any(amount is not None and not 0 <= amount < float("inf") for amount in amounts.values()):
        raise SettingsError("a cap cannot be below 0", money="", advice="Take one away with `genmedia caps remove`.")

    async def change(journal: Journal) -> tuple[str, Mapping[Scope, float]]:
        account = await _account(where, journal, name)
        await journal.money.set_caps(account, amounts)
        return account, (await journal.money.caps()).get(account, {})

    account, caps = where.work(change)
    told = ", ".join(f"{scope} {caps[scope]:g}" for scope in Scope if scope in caps)
    console.print(f"{account}: {told or 'no cap'}", highlight=False, markup=False, soft_wrap=True)


def show_holds(where: Where, *, as_json: bool, console: Console) -> None:
    """Print the accounts that spend nothing now."""
    holds = where.work(lambda journal: journal.money.holds())
    if as_json:
        print_json([asdict(one) for one in holds])
    elif not holds:
        console.print("no account is held", highlight=False)
    else:
        print_table(
            console, ["account", "since", "reason"], [[one.account, one.held_at[:16], one.reason] for one in holds], _NUMBERS
        )


def hold(where: Where, name: str, reason: str, console: Console) -> None:
    """Let an account spend nothing from now on.

    Raises:
        SettingsError: There is no such account.
    """

    async def put(journal: Journal) -> str:
        account = await _account(where, journal, name)
        await journal.money.hold(account, reason or REASON)
        return account

    console.print(f"{where.work(put)} is held: it spends nothing until it is released", highlight=False, soft_wrap=True)


def release(where: Where, name: str, console: Console) -> int:
    """Let a held account spend again; 1 when it is not held, else 0.

    Raises:
        SettingsError: There is no such account.
    """

    async def take(journal: Journal) -> tuple[str, bool]:
        account = await _account(where, journal, name)
        return account, await journal.money.release(account)

    account, released = where.work(take)
    what = "is released" if released else "is not held"
    console.print(f"{account} {what}", highlight=False, soft_wrap=True)
    return 0 if released else 1


@dataclass(frozen=True)
class Form:
    """How the ledger is printed."""

    json: bool = False
    csv: bool = False


def show_ledger(where: Where, *, by: str, since: date | None, until: date | None, form: Form, console: Console) -> None:
    """Print what was spent, is reserved and is in doubt.

    Args:
        where: The journal.
        by: What makes a line: day, campaign, provider, operation, account, or the name of a label.
        since: The first day; None for the beginning.
        until: The last day; None for today.
        form: As a table, as JSON or as CSV.
        console: Where a table is shown.

    Raises:
        SettingsError: The time zone is none.
    """
    zone = time_zone()

    def midnight(day: date) -> datetime:
        return datetime.combine(day, time.min, zone)

    begin, end = since and midnight(since), until and midnight(until + timedelta(days=1))
    entries = where.work(lambda journal: journal.entries(begin, end))
    lines, totals = add_up(entries, by, zone), add_up(entries, "", zone)
    if form.json:
        told = {name: [one.told() for one in those] for name, those in (("lines", lines), ("totals", totals))}
        print_json({"by": by, "time_zone": str(zone), **told})
    elif form.csv:
        columns = [by, "unit", *COLUMNS]
        written = csv.writer(sys.stdout)
        written.writerow(columns)
        written.writerows([line.group, line.unit, *(line.told()[name] for name in COLUMNS)] for line in lines)
    else:
        shown = [_cells(line, line.group or "-") for line in lines] + [_cells(line, "total") for line in totals]
        titles = [by, *(name.replace("_", " ") for name in COLUMNS), "unit"]
        print_table(console, titles, shown, _NUMBERS)


def _cells(line: Line, group: str) -> list[str]:
    told = line.told()
    return [group, *(number(told[name]) if told[name] else "-" for name in COLUMNS), line.unit]


def check_ledger(where: Where, *, as_json: bool, console: Console) -> int:
    """Print how the ledger goes with what the providers say is left, since the last check.

    Returns:
        1 when credits are gone that no purchase accounts for, 3 when a provider did not answer, else 0.

    Raises:
        UnreachableError: No Prefect server answers.
    """

    async def look(journal: Journal) -> list[dict[str, Any]]:
        accounts = await where.accounts()
        offers = await asyncio.gather(*(asked(one, lambda known: known.offer()) for one in accounts))
        rows: list[dict[str, Any]] = []
        for saved, offer in zip(accounts, offers, strict=True):
            if isinstance(offer, GenmediaError):
                rows.append({"account": _name(saved), "error": offer.what})
            elif offer.credits is not None:
                before, now = await journal.money.see_balance(_name(saved), offer.credits)
                rows.append(_compared(before, now))
        return rows

    rows = where.work(look)
    if as_json:
        print_json(rows)
    for row in rows if not as_json else ():
        console.print(f"{row['account']}: {_sentence(row)}", highlight=False, markup=False, soft_wrap=True)
    if any(row.get("unexplained", 0) > 0 for row in rows):
        return 1
    return 3 if any("error" in row for row in rows) else 0


def _compared(before: Balance | None, now: Balance) -> dict[str, Any]:
    """What is gone beside what the ledger says; jobs under way may be paid for already, or not yet."""
    row: dict[str, Any] = {"account": now.account, "balance": now.balance, "open": now.open}
    if before is None:
        return row
    gone, charged = before.balance - now.balance, now.charged - before.charged
    least, most = charged - before.open, charged + now.open
    unexplained = gone - most if gone > most else min(gone - least, 0.0)
    numbers = {"gone": gone, "charged": charged, "unexplained": unexplained}
    return {**row, "since": before.seen_at, **{name: round(value, 9) for name, value in numbers.items()}}


def _sentence(row: Mapping[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    if "since" not in row:
        return f"{row['balance']:g} left, written down for the next check"
    told = f"{row['balance']:g} left; since {row['since'][:16]} UTC {row['gone']:g} gone, {row['charged']:g} charged, {row['open']:g} open"
    if row["unexplained"] > 0:
        return f"{told}: {row['unexplained']:g} NOT EXPLAINED by the journal"
    return f"{told}; {-row['unexplained']:g} came in" if row["unexplained"] else told


async def _account(where: Where, journal: Journal, name: str) -> str:
    """The account that a person means: as the journal writes it, or a provider and the name of its block, such as `flora/studio`.

    Raises:
        SettingsError: There is none, or there are several.
    """
    provider, _, block = name.partition("/")
    known = {account: _short(account) for account in await journal.money.accounts()}
    if where.folder is None:
        known |= {_name(one): f"{one.provider}/{one.name}" for one in await where.accounts()}
    if name in known:
        return name
    wanted = f"{provider}/{block or 'default'}"
    found = [account for account, short in known.items() if short == wanted] or [
        account for account, short in known.items() if not block and short.startswith(f"{provider}/")
    ]
    if len(found) != 1:
        what = "is several accounts" if found else "is no account"
        raise SettingsError(
            f"{name!r} {what}", money="", advice=f"Name one of: {', '.join(found or known) or 'none has bought anything yet'}."
        )
    return found[0]


def _short(account: str) -> str:
    provider, _, name = account.split("|")
    return f"{provider}/{name}"


def _name(saved: Saved) -> str:
    """The account of a block, as the journal writes it; the block's own name where it cannot be used."""
    known = saved.credentials
    if isinstance(known, GenmediaError):
        return f"{saved.provider}/{saved.name}"
    return str(Account(saved.provider, known.base_url, known.account))
