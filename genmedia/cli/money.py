"""Commands about money: `genmedia caps`, `genmedia hold`, `genmedia ledger`."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, TypeVar

from genmedia.cli.printing import Console, number, print_csv, print_json, print_table
from genmedia.cli.where import Where
from genmedia.errors import GenmediaError, SettingsError
from genmedia.jobs.job import UNKNOWN, Account, account_name, account_names, priced
from genmedia.journal import Attempt, AttemptState, Balance, Journal, Line, Scope, add_up, time_zone
from genmedia.providers.offers import Saved, asked, with_two_keys

T = TypeVar("T")

REASON = "a person held it"
OF_LABELS = (
    "Budgets by label stand in the files of campaigns (budget: per); `genmedia ledger --by client` tells what was spent for each."
)
COLUMNS = ("jobs", "spent", "reserved", "in_doubt", "overcharged", "unknown")
_NUMBERS = {*(name.replace("_", " ") for name in COLUMNS), *Scope}


def show_caps(where: Where, *, as_json: bool, console: Console) -> int:
    """Print the caps of every account that has any, and where those of labels are; returns 3 when a journal could not be asked, else 0."""

    async def look(journal: Journal) -> tuple[dict[str, dict[Scope, float]], dict[str, str]]:
        return await journal.money.caps(), await journal.money.cap_units()

    by_journal, code = _asked(asyncio.run(where.each(look)))
    caps, units = dict[str, dict[Scope, float]](), dict[str, str]()
    for one, counted in by_journal.values():
        units |= counted
        for account, amounts in one.items():
            known = caps.setdefault(account, {})
            known |= {scope: min(amount, known.get(scope, amount)) for scope, amount in amounts.items()}
    _tell_differences("caps", by_journal)
    if as_json:
        print_json({account: {**one, **_foreign(units, account)} for account, one in caps.items()})
    elif not caps:
        console.print("no account has a cap")
    else:
        scopes = [scope for scope in Scope if any(scope in one for one in caps.values())]
        called = account_names(caps)
        rows = [
            [called[account], *(number(one.get(scope)) for scope in scopes), units.get(account, "")]
            for account, one in caps.items()
        ]
        print_table(console, ["account", *scopes, "unit"], rows, _NUMBERS)
    if not as_json:
        console.print(OF_LABELS, soft_wrap=True)
    return code


def _foreign(units: Mapping[str, str], account: str) -> dict[str, str]:
    """The unit of an account's caps, as a field of the output, if it is not credits."""
    return {"unit": units[account]} if units.get(account, "credits") != "credits" else {}


def set_caps(where: Where, name: str, amounts: Mapping[Scope, float | None], console: Console, *, unit: str = "credits") -> int:
    """Set caps of an account in every journal, or remove those that are None, and print the caps that it has.

    Returns:
        3 when a journal could not be written, else 0.

    Raises:
        SettingsError: There is no such account, no cap is named, or an amount is invalid.
    """
    if not amounts:
        raise SettingsError("no cap is named", money="", advice="Name one, such as --day 50; see `genmedia caps set --help`.")

    async def change(journal: Journal, account: str) -> str:
        await journal.money.set_caps(account, amounts, unit)
        caps, units = (await journal.money.caps()).get(account, {}), await journal.money.cap_units()
        counted = " ".join(["", *_foreign(units, account).values()])
        told = (f"{scope} {caps[scope]:g}{counted if scope != Scope.FAILURES else ''}" for scope in Scope if scope in caps)
        return f": {', '.join(told) or 'no cap'}"

    done, code = _in_each(where, name, change)
    for line in done:
        console.print(line, soft_wrap=True)
    return code


def show_holds(where: Where, *, as_json: bool, console: Console) -> int:
    """Print the accounts that spend nothing now; returns 3 when a journal could not be asked, else 0."""
    by_journal, code = _asked(asyncio.run(where.each(lambda journal: journal.money.holds())))
    holds = {one.account: one for each in by_journal.values() for one in each}
    _tell_differences("holds", {names: sorted(one.account for one in each) for names, each in by_journal.items()})
    if as_json:
        print_json([asdict(one) for one in holds.values()])
    elif not holds:
        console.print("no account is held")
    else:
        called = account_names(holds)
        rows = [[called[one.account], one.held_at[:16], one.reason] for one in holds.values()]
        print_table(console, ["account", "since", "reason"], rows, _NUMBERS)
    return code


def hold(where: Where, name: str, reason: str, console: Console) -> int:
    """Let an account spend nothing from now on, whichever store it buys for; returns 3 when a journal could not be written, else 0.

    Raises:
        SettingsError: There is no such account.
    """

    async def put(journal: Journal, account: str) -> str:
        await journal.money.hold(account, reason or REASON)
        return " is held: it spends nothing until it is released"

    done, code = _in_each(where, name, put)
    for line in done:
        console.print(line, soft_wrap=True)
    return code


def release(where: Where, name: str, console: Console) -> int:
    """Let a held account spend again; returns 3 when a journal could not be written, 1 when it is held in none, else 0.

    Raises:
        SettingsError: There is no such account.
    """

    async def take(journal: Journal, account: str) -> str:
        return " is released" if await journal.money.release(account) else " is not held"

    done, code = _in_each(where, name, take)
    for line in done:
        console.print(line, soft_wrap=True)
    return code or (0 if any("is released" in line for line in done) else 1)


def _in_each(where: Where, name: str, do: Callable[[Journal, str], Awaitable[str]]) -> tuple[list[str], int]:
    """Call `do` for an account with every journal; returns a line for each, and 3 when a journal could not be reached, else 0.

    Raises:
        SettingsError: There is no such account.
    """

    async def work() -> dict[str, str | GenmediaError]:
        known = await where.each(lambda journal: journal.money.accounts())
        account = await _account(
            where, [one for each in known.values() if not isinstance(each, GenmediaError) for one in each], name
        )

        async def told(journal: Journal) -> str:
            return account_name(account) + await do(journal, account)

        return await where.each(told)

    done, code = _asked(asyncio.run(work()))
    return [line if len(done) == 1 and not code else f"{line}, in the journal of {names}" for names, line in done.items()], code


def _asked(found: Mapping[str, T | GenmediaError]) -> tuple[dict[str, T], int]:
    """Return the answers of the journals, and 3 if some gave none, else 0; those are named on standard error.

    Raises:
        GenmediaError: No journal answered.
    """
    failed = {names: one for names, one in found.items() if isinstance(one, GenmediaError)}
    answered = {names: one for names, one in found.items() if not isinstance(one, GenmediaError)}
    if not answered:
        raise next(iter(failed.values()))
    for names, error in failed.items():
        sys.stderr.write(f"NOT DONE in the journal of {names}: {error}\n")
    return answered, 3 if failed else 0


def _tell_differences(what: str, by_journal: Mapping[str, object]) -> None:
    """Warn if the journals differ: caps and holds are an account's, whichever store it buys for, but one journal may lack a change."""
    if any(one != first for first in [*by_journal.values()][:1] for one in by_journal.values()):
        sys.stderr.write(f"The {what} differ between the journals of {' and '.join(by_journal)}: set them once more.\n")


@dataclass(frozen=True)
class Form:
    """Format in which the ledger is printed; a table by default."""

    json: bool = False
    csv: bool = False


def show_ledger(where: Where, *, by: str, since: date | None, until: date | None, form: Form, console: Console) -> None:
    """Print what was spent, is reserved and is in doubt.

    Args:
        where: The journal.
        by: Grouping of the lines: day, campaign, provider, operation, account, or the name of a label.
        since: The first day; None for the beginning.
        until: The last day; None for today.
        form: As a table, as JSON or as CSV.
        console: Where a table is shown.

    Raises:
        SettingsError: The time zone does not exist.
    """
    zone = time_zone()
    begin, end = _between(since, until, zone)
    entries = where.work(lambda journal: journal.entries(begin, end))
    lines, totals = add_up(entries, by, zone), add_up(entries, "", zone)
    if form.json:
        told = {name: [one.told() for one in those] for name, those in (("lines", lines), ("totals", totals))}
        print_json({"by": by, "time_zone": str(zone), **told})
    elif form.csv:
        columns = [by, "unit", *COLUMNS, "used_by"]
        print_csv(columns, ([one.group, one.unit, *_sums(one), "; ".join(one.used_by)] for one in lines))
    else:
        used = any(line.used_by for line in lines)
        called = account_names(line.group for line in lines) if by == "account" else {}
        shown = [[*_cells(line, called.get(line.group, line.group) or "-"), *[", ".join(line.used_by)] * used] for line in lines]
        shown += [[*_cells(line, "total"), *[""] * used] for line in totals]
        titles = [by, *(name.replace("_", " ") for name in COLUMNS), "unit", *["used by"] * used]
        print_table(console, titles, shown, _NUMBERS)


def show_purchases(where: Where, *, since: date | None, until: date | None, form: Form, console: Console) -> None:
    """Print a line for each purchase: its account, its job, its cost, the reason of its state, and the times of order, purchase and end.

    Args:
        where: The journal.
        since: The first day; None for the beginning.
        until: The last day; None for today.
        form: As a table, as JSON or as CSV.
        console: Where a table is shown.

    Raises:
        SettingsError: The time zone does not exist.
    """
    begin, end = _between(since, until, time_zone())
    found = [_purchase(one) for one in where.work(lambda journal: journal.purchases(begin, end))]
    if form.json:
        print_json(found)
    elif form.csv:
        print_csv(PURCHASE, ([_amount_or(name, one[name], None) for name in PURCHASE] for one in found))
    else:
        shown = ("provider", "job", "campaign", "step", "asked", "state", "charged", "unit")
        rows = [[_shown(name, one[name]) for name in shown] for one in found]
        print_table(console, shown, rows, {"charged"})


def _shown(name: str, value: Any) -> str:
    """A field of a purchase in a table for people."""
    return AttemptState(value).in_words if name == "state" else f"{_amount_or(name, value, '-')}"


PURCHASE = (
    *("provider", "account", "operation", "job", "submission", "take", "campaign", "step", "labels"),
    *("asked", "bought", "ended", "state", "reason", "price", "charged", "unit", "last_answer"),
)


def _amount_or(name: str, value: Any, nothing: str | None) -> Any:
    """A field of a purchase; in place of None `unknown` for an amount, and `nothing` for all other fields."""
    return value if value is not None else UNKNOWN if name in ("price", "charged") else nothing


def _purchase(one: Attempt) -> dict[str, Any]:
    """Fields of a purchase for programs, by the names in `PURCHASE`; times in UTC."""
    times = {"asked": one.intended_at, "bought": one.bound_at, "ended": one.ended_at}
    told = {
        "provider": one.provider,
        "account": one.account,
        "operation": one.operation,
        "job": one.remote_id,
        "submission": one.key,
        "take": one.take,
        "campaign": one.campaign,
        "step": one.purpose.step,
        "labels": "; ".join(f"{name}={value}" for name, value in sorted(one.labels.items())),
        **{name: at and at.isoformat(timespec="seconds") for name, at in times.items()},
        "state": one.state.value,
        "reason": one.reason,
        "price": one.price,
        "charged": one.charged,
        "unit": one.unit,
        "last_answer": one.last_answer,
    }
    return {name: told[name] for name in PURCHASE}


def _between(since: date | None, until: date | None, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    """Beginning of the day `since`, and end of the day `until`; None stays None."""

    def midnight(day: date) -> datetime:
        return datetime.combine(day, time.min, zone)

    return since and midnight(since), until and midnight(until + timedelta(days=1))


def _sums(line: Line) -> list[float | str]:
    told = line.told()
    return [UNKNOWN if told[name] is None else told[name] for name in COLUMNS]


def _cells(line: Line, group: str) -> list[str]:
    return [group, *(one if isinstance(one, str) else number(one or None) for one in _sums(line)), line.unit]


def check_ledger(where: Where, *, as_json: bool, console: Console) -> int:
    """Compare the ledger with the credits that the providers say are left, since the last check, and print the result.

    Returns:
        1 when credits are gone that no purchase accounts for, 3 when a provider did not answer or an account has two keys, else 0.

    Raises:
        UnreachableError: No Prefect server answers.
    """

    async def look(journal: Journal) -> list[dict[str, Any]]:
        saved = await where.accounts()
        two_keys = with_two_keys(saved)
        # Several blocks may hold one account, whose balance is one.
        accounts = {_name(one): one for one in reversed(saved)}
        offers = await asyncio.gather(*(asked(one, lambda known: known.offer()) for one in accounts.values()))
        rows: list[dict[str, Any]] = []
        for account, offer in zip(accounts, offers, strict=True):
            if account in two_keys:
                rows.append({"account": account, "error": two_keys[account]})
            elif isinstance(offer, GenmediaError):
                rows.append({"account": account, "error": offer.what})
            elif offer.credits is not None:
                before, now = await journal.money.see_balance(account, offer.credits)
                rows.append(_compared(before, now))
        return rows

    rows = where.work(look)
    if as_json:
        print_json(rows)
    called = account_names(row["account"] for row in rows)
    for row in rows if not as_json else ():
        console.print(f"{called[row['account']]}: {_sentence(row)}", soft_wrap=True)
    if any(row.get("unexplained", 0) > 0 for row in rows):
        return 1
    return 3 if any("error" in row for row in rows) else 0


def _compared(before: Balance | None, now: Balance) -> dict[str, Any]:
    """Compare the credits that are gone with the ledger; jobs under way may be charged already, or not yet."""
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
    left = priced(row["balance"], "credits")
    if "since" not in row:
        return f"{left} left, written down for the next check"
    told = f"{left} left; since {row['since'][:16]} UTC {row['gone']:g} gone, {row['charged']:g} charged, {row['open']:g} open"
    if row["unexplained"] > 0:
        return f"{told}: {row['unexplained']:g} NOT EXPLAINED by the journal"
    return f"{told}; {-row['unexplained']:g} came in" if row["unexplained"] else told


async def _account(where: Where, bought: Iterable[str], name: str) -> str:
    """Find the account that a person means: as the journal writes it, or a provider and the name of its block, such as `flora/studio`.

    Args:
        where: The journals.
        bought: The accounts that the journals know.
        name: Name as it was typed.

    Raises:
        SettingsError: No account fits the name, or several do.
    """
    provider, _, block = name.partition("/")
    known = {account: {account_name(account)} for account in bought}
    if where.local is None:
        named: defaultdict[str, set[str]] = defaultdict(set)  # several blocks may be of one account
        for one in await where.accounts():
            named[_name(one)].add(f"{one.provider}/{one.name}")
        known |= named
    called = account_names(known)
    if exact := [account for account in known if name in (account, called[account])]:
        return exact[0]
    wanted = f"{provider}/{block or 'default'}"
    found = [account for account, shorts in known.items() if wanted in shorts] or [
        account for account, shorts in known.items() if not block and any(short.startswith(f"{provider}/") for short in shorts)
    ]
    if len(found) != 1:
        what = "is several accounts" if found else "is no account"
        raise SettingsError(
            f"{name!r} {what}",
            money="",
            advice=f"Name one of: {', '.join(called[one] for one in found or known) or 'none has bought anything yet'}.",
        )
    return found[0]


def _name(saved: Saved) -> str:
    """The account of a block, as the journal writes it; the block's own name where it cannot be used."""
    known = saved.credentials
    if isinstance(known, GenmediaError):
        return f"{saved.provider}/{saved.name}"
    return str(Account(saved.provider, known.base_url, known.account))
