"""Limits on the spending of an account: caps, checked in the transaction that reserves, and holds, which stop all spending at once.

A purchase counts as its charge; until that is known, as its price; without a price, as the amount that the account's jobs are assumed to
cost. A refused purchase counts nothing. So a failed one counts in full unless the provider tells its charge, or that it bills no failures
(then it is settled as 0), and one in doubt counts until a person has settled it.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.errors import BudgetError, HeldError, SettingsError
from genmedia.jobs.job import account_name, amount, priced
from genmedia.journal.database import Clock, Database, read_clock, retry_while_unreachable
from genmedia.journal.order import FREE, Order, Purpose
from genmedia.journal.records import TOLERANCE, Attempt, AttemptState
from genmedia.journal.tables import attempts, balances, caps, holds

FAILURES = 5
"""Number of failures that cost something, without a success in between, that hold an account, unless it has a `Scope.FAILURES` of its own."""

FEW_LABELS = 8
"""Most labels that a query names; sums of more are picked from those of all."""

AHEAD = timedelta(days=2)
"""Longest time that a purchase may be dated ahead: one dated later had a wrong clock, and is not used to tell the present time."""


class Scope(StrEnum):
    """Scope of a cap. Days and months begin at midnight in the zone that GENMEDIA_TIME_ZONE names."""

    DAY = "day"
    MONTH = "month"
    CAMPAIGN = "campaign"
    TOTAL = "total"
    FAILURES = "failures"


@dataclass(frozen=True)
class Hold:
    """A hold of an account, which spends nothing: its reason, and the time at which it began."""

    account: str
    reason: str
    held_at: str


Label = tuple[str, str]
"""A label's name and value, such as `client` and `acme`."""


class Share(NamedTuple):
    """Part of a plan that comes under a label's budget for a month: the budget, and its cost, None if that is unknown."""

    most: float
    cost: float | None


@dataclass(frozen=True)
class Room:
    """Room that a cap leaves.

    Attributes:
        name: Name of what the cap is for, such as `the day`.
        spent: Amount that is spent or reserved under the cap.
        unknown: Number of purchases under the cap whose cost is unknown.
        label: The label that the cap is for; None where it is for all that the account buys.
    """

    cap: float
    name: str
    spent: float
    unknown: int
    label: Label | None = None

    @property
    def left(self) -> float:
        """Amount that may still be spent."""
        return self.cap - self.spent


@dataclass(frozen=True)
class Balance:
    """Balance that a provider told, and the sums of the journal at that time: charged in all, and open."""

    account: str
    seen_at: str
    balance: float
    charged: float
    open: float


class Money:
    """The caps and holds of a journal's accounts, and the balances that were last seen.

    Args:
        database: The journal's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @retry_while_unreachable
    async def caps(self) -> dict[str, dict[Scope, float]]:
        """Return the caps of every account that has any, in its own unit."""
        found: dict[str, dict[Scope, float]] = {}
        async with self._database.transaction() as connection:
            for row in await connection.execute(sa.select(caps).order_by(caps.c.account)):
                found.setdefault(row.account, {})[Scope(row.scope)] = row.amount
        return found

    @retry_while_unreachable
    async def cap_units(self) -> dict[str, str]:
        """Return the unit of each account's caps, by account; the caps of an account are all in one unit."""
        query = sa.select(caps.c.account, caps.c.unit).where(caps.c.scope != Scope.FAILURES)
        async with self._database.transaction() as connection:
            return {row.account: row.unit for row in await connection.execute(query)}

    @retry_while_unreachable
    async def set_caps(self, account: str, amounts: Mapping[Scope, float | None], unit: str = "credits") -> None:
        """Set caps of an account, and remove those that are None; the others stay as they are.

        Args:
            account: The account.
            amounts: The caps, in `unit`; that for failures is their number.
            unit: Unit of the caps: `credits`, or `USD` where the provider names its prices in that.

        Raises:
            SettingsError: A cap is no amount, or the account's other caps are in another unit.
        """
        if any(cap is not None and amount(cap) is None for cap in amounts.values()):
            raise SettingsError(
                "a cap cannot be below 0, nor without end", money="", advice="Take one away with `genmedia caps remove`."
            )
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            await connection.execute(caps.delete().where(caps.c.account == account, caps.c.scope.in_(amounts)))
            rows = [{"account": account, "scope": scope, "amount": cap} for scope, cap in amounts.items() if cap is not None]
            others = caps.c.account == account, caps.c.unit != unit, caps.c.scope != Scope.FAILURES
            if any(row["scope"] != Scope.FAILURES for row in rows) and (
                other := (await connection.execute(sa.select(caps.c.unit).where(*others))).first()
            ):
                raise SettingsError(
                    f"the other caps of {account_name(account)} are in {other.unit}",
                    money="",
                    advice="Set all of them anew at once, or take those away first with `genmedia caps remove`.",
                )
            if rows:
                await connection.execute(caps.insert().values(unit=unit), rows)

    @retry_while_unreachable
    async def holds(self) -> list[Hold]:
        """Return the holds of all accounts that spend nothing now."""
        query = sa.select(holds).where(holds.c.released_at.is_(None)).order_by(holds.c.account)
        async with self._database.transaction() as connection:
            return [Hold(row.account, row.reason, row.held_at) for row in await connection.execute(query)]

    @retry_while_unreachable
    async def hold(self, account: str, reason: str) -> None:
        """Stop an account from spending from now on; jobs that it has bought go on."""
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            await _hold(connection, account, reason)

    @retry_while_unreachable
    async def release(self, account: str) -> bool:
        """Let a held account spend again; return False when it is not held. Failures up to now no longer count."""
        held = holds.c.account == account, holds.c.released_at.is_(None)
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            return (await connection.execute(holds.update().where(*held).values(released_at=Clock()))).rowcount == 1

    @retry_while_unreachable
    async def rooms(
        self, account: str, unit: str, purpose: Purpose, keys: Collection[str] = (), months: Mapping[Label, float] | None = None
    ) -> list[Room]:
        """Return the room that is left by every cap that a plan comes under, before any of it is bought.

        Args:
            account: Account that pays.
            unit: Unit of the prices.
            purpose: Purpose of the purchases; its cap is the run's own.
            keys: Their submissions. An attempt at one of them that is only intended is part of the plan, and is not counted twice.
            months: Budgets for a month of the labels that they have; those of `purpose` by default.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: A cap of the account is in another unit.
        """
        async with self._database.transaction() as connection:
            await _check_hold(connection, account)
            others = ~(attempts.c.key.in_(keys) & (attempts.c.state == AttemptState.INTENDED))
            return await _rooms(connection, account, unit, purpose, counted=others, months=months)

    async def check_plan(
        self,
        account: str,
        cost: float | None,
        unit: str,
        purpose: Purpose,
        keys: Collection[str] = (),
        shares: Mapping[Label, Share] | None = None,
    ) -> None:
        """Check that an account may spend what is still to be bought, before any of it is bought.

        Args:
            account: See `rooms`.
            cost: Cost of all that is still to be bought, in `unit`; None if it is unknown.
            unit: See `rooms`.
            purpose: See `rooms`.
            keys: See `rooms`.
            shares: Budgets for a month of labels, with what is still to be bought under each.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: The cost is more than caps leave, each of which is named; or there is a cap, and a cost is unknown.
        """
        shares = shares or {}
        short: list[str] = []
        for room in await self.rooms(account, unit, purpose, keys, {label: share.most for label, share in shares.items()}):
            needed = shares[room.label].cost if room.label else cost
            if room.unknown or needed is None:
                raise _unknown(account, needed, unit, room)
            if needed > room.left + TOLERANCE:
                told = f"the cap of {priced(room.cap, unit)} for {room.name} leaves {max(room.left, 0.0):g}"
                short.append(f"{told}: {room.spent:g} are spent or reserved, {needed:g} are needed" if room.label else told)
        if short:
            raise BudgetError(
                f"the plan needs {priced(cost, unit)} of {account_name(account)}: {', '.join(short)}",
                advice=_ADVICE,
            )

    @retry_while_unreachable
    async def spent(self, account: str, unit: str, run: str | None = None) -> float:
        """Return the sum that the purchases at an account count as, of one run or of all; those of unknown cost are left out."""
        query = sa.select(sa.func.coalesce(sa.func.sum(cost_of()), 0.0))
        mine = (
            attempts.c.account == account,
            attempts.c.unit == unit,
            sa.true() if run is None else attempts.c.run == run,
            _counts(),
        )
        async with self._database.transaction() as connection:
            return float((await connection.execute(query.where(*mine))).scalar_one())

    @retry_while_unreachable
    async def accounts(self) -> list[str]:
        """Return every account that has bought something, or has a cap or a hold."""
        paid = sa.select(attempts.c.account).where(attempts.c.unit != FREE)
        names = sa.union(paid, *(sa.select(table.c.account) for table in (caps, holds)))
        async with self._database.transaction() as connection:
            return sorted(row.account for row in await connection.execute(names))

    @retry_while_unreachable
    async def see_balance(self, account: str, balance: float) -> tuple[Balance | None, Balance]:
        """Write down the balance that a provider tells of an account; return the balance written down before, or None, and this one."""
        still_open = sa.case((attempts.c.charged.is_(None), attempts.c.reserved))
        query = sa.select(*(sa.func.coalesce(sa.func.sum(one), 0.0) for one in (attempts.c.charged, still_open)))
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            mine = balances.c.account == account
            before = (await connection.execute(sa.select(balances).where(mine))).one_or_none()
            told = (await connection.execute(query.where(attempts.c.account == account, _counts()))).one()
            now = Balance(account, written(await read_clock(connection)), balance, *told)
            await connection.execute(balances.delete().where(mine))
            await connection.execute(balances.insert().values(vars(now)))
        return (Balance(*before) if before else None), now


_NEWEST = sa.select(sa.func.max(attempts.c.intended_at)).where(
    attempts.c.account == sa.bindparam("account"),
    attempts.c.unit == sa.bindparam("unit"),
    attempts.c.intended_at <= sa.bindparam("latest"),
)


async def now_of(connection: AsyncConnection, account: str, unit: str) -> datetime:
    """Return the present time for an account's caps: that of the database, or of the newest purchase, if the database was set back."""
    now = await read_clock(connection)
    mine = {"account": account, "unit": unit, "latest": written(now + AHEAD)}
    newest = (await connection.execute(_NEWEST, mine)).scalar()
    return max(now, datetime.fromisoformat(newest)) if newest else now


async def check(connection: AsyncConnection, order: Order, attempt_id: int | None = None) -> None:
    """Check that an account may spend what a purchase may cost; a caller that reserves the amount holds the lock of the account.

    Args:
        connection: A connection, in a transaction.
        order: The order, and in its purpose the run that buys.
        attempt_id: The attempt that is written down for it already; it is left out of what is spent and reserved.

    Raises:
        HeldError: The account spends nothing now.
        BudgetError: The cost is more than a cap leaves, or there is a cap, and a cost is unknown; or the price is higher than planned, and
            the run may not spend so much beyond its plan.
    """
    account, cost, unit = str(order.account), order.reserved, order.unit
    others = sa.true() if attempt_id is None else attempts.c.id != attempt_id
    await _check_hold(connection, account)
    await _check_rise(connection, order, others)
    for room in await _rooms(connection, account, unit, order.purpose, counted=others, assumed=order.assumed):
        if room.unknown or cost is None:
            raise _unknown(account, cost, unit, room)
        if cost > room.left + TOLERANCE:
            by = f"at {order.account.provider}" if room.label else f"by {account_name(account)}"
            raise BudgetError(
                f"{cost:g} more would go beyond the cap of {priced(room.cap, unit)} for {room.name}: {room.spent:g} are "
                f"spent or reserved {by}",
                advice=_ADVICE,
            )


_ADVICE = (
    "`genmedia ledger` says for what; `genmedia caps` shows and sets caps, a run's own is its max_credits or max_usd, and a campaign's file "
    "has those of labels in its budget."
)


_CAPS = sa.select(caps.c.scope, caps.c.amount, caps.c.unit).where(caps.c.account == sa.bindparam("account"))


async def _rooms(
    connection: AsyncConnection,
    account: str,
    unit: str,
    purpose: Purpose,
    *,
    counted: sa.ColumnElement[bool],
    assumed: float | None = None,
    months: Mapping[Label, float] | None = None,
) -> list[Room]:
    """Return the room that is left by every cap that a purchase comes under.

    Args:
        connection: A connection, in a transaction.
        account: Account that pays.
        unit: Unit of the price of the purchase.
        purpose: Purpose of the purchase.
        counted: Condition for the attempts that count.
        assumed: Amount that an attempt of unknown cost counts as; None for unknown.
        months: Budgets for a month of the labels that the purchase has; those of `purpose` by default.

    Raises:
        BudgetError: A cap of the account is in another unit.
    """
    rows = [row for row in await connection.execute(_CAPS, {"account": account}) if row.scope != Scope.FAILURES]
    for row in rows:
        if row.unit != unit:
            raise BudgetError(
                f"{account_name(account)} names its prices in {unit} now, of which its cap of {priced(row.amount, row.unit)} "
                f"({row.scope}) says nothing",
                advice=f"Take it away with `genmedia caps remove`, and set one with `genmedia caps set --unit {unit}`.",
            )
    amounts = {row.scope: row.amount for row in rows}
    labelled = purpose.months if months is None else months
    mine = attempts.c.account == account
    scopes: list[tuple[float | None, str, sa.ColumnElement[bool]]] = [
        (purpose.cap, "this run", attempts.c.run == purpose.run),
        (amounts.get(Scope.CAMPAIGN), f"the campaign {purpose.campaign}", attempts.c.campaign == purpose.campaign),
        (amounts.get(Scope.TOTAL), "all time", sa.true()),
    ]
    cost = cost_of(assumed)
    query = sa.select(sa.func.coalesce(sa.func.sum(cost), 0.0), sa.func.count() - sa.func.count(cost))
    query = query.where(attempts.c.unit == unit, _counts(), counted)
    rooms: list[Room] = []
    if labelled or amounts.keys() & {Scope.DAY, Scope.MONTH}:
        now = await now_of(connection, account, unit)
        today = now.astimezone(time_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
        month = today.replace(day=1)
        scopes[2:2] = [
            (amounts.get(Scope.DAY), "the day", attempts.c.intended_at >= written(today)),
            (amounts.get(Scope.MONTH), "the month", attempts.c.intended_at >= written(month)),
        ]
        rooms = await _rooms_of_labels(connection, query, account, labelled, month) if labelled else []
    mine = query.where(attempts.c.account == account)
    return [
        Room(cap, name, *(await connection.execute(mine.where(where))).one()) for cap, name, where in scopes if cap is not None
    ] + rooms


async def _rooms_of_labels(
    connection: AsyncConnection, query: "sa.Select[Any, int]", account: str, months: Mapping[Label, float], month: datetime
) -> list[Room]:
    """Return the room that is left by the budgets of labels for a month, for all accounts at the same origin of a provider.

    Args:
        connection: A connection, in a transaction.
        query: Query for the amount and the number of unknown costs.
        account: One of the accounts.
        months: The budgets.
        month: Beginning of the month.
    """
    theirs = (
        sa.literal_column("labels != '{}'", sa.Boolean),  # as the index has it, which answers
        attempts.c.account.startswith(f"{account.rpartition('|')[0]}|", autoescape=True),
        attempts.c.intended_at >= written(month),
        sa.or_(*map(_has, months)) if len(months) <= FEW_LABELS else sa.true(),
    )
    spent = dict.fromkeys(months, (0.0, 0))
    sums = query.add_columns(attempts.c.labels).where(*theirs).group_by(attempts.c.labels)
    for amount_of, unknown, labels in await connection.execute(sums):
        for label in json.loads(labels).items():
            if label in spent:
                spent[label] = spent[label][0] + amount_of, spent[label][1] + unknown
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return [Room(cap, f"{' '.join(label)} until {last:%Y-%m-%d}", *spent[label], label) for label, cap in months.items()]


def _has(label: Label) -> sa.ColumnElement[bool]:
    """Return the condition for attempts that have a label: this part of the JSON of labels, whose names are sorted, stands in no other."""
    written_so = json.dumps(dict([label]), allow_nan=False)[1:-1]
    return sa.func.replace(attempts.c.labels, written_so, "") != attempts.c.labels  # LIKE takes letters for equal in SQLite


async def lock_labels(database: Database, connection: AsyncConnection, purpose: Purpose) -> None:
    """Lock the labels whose budgets a purchase comes under, until the transaction ends; its account is locked before."""
    for name, value in sorted(purpose.months):
        await database.lock(connection, f"label|{name}|{value}")


def _unknown(account: str, cost: float | None, unit: str, room: Room) -> BudgetError:
    whose = "this" if cost is None else f"{room.unknown} earlier purchases"
    return BudgetError(
        f"nobody knows what {whose} may cost, and {account_name(account)} has a cap of {priced(room.cap, unit)} for {room.name}",
        advice="Say in the credentials block what a job counts as while nobody says its price.",
    )


async def _check_rise(connection: AsyncConnection, order: Order, counted: sa.ColumnElement[bool]) -> None:
    """Check that a price is not above the planned one, or not by more than the run may spend beyond its plan."""
    planned, cost, spare = order.planned, order.reserved, order.purpose.spare
    if planned is None or (cost is not None and cost <= planned + TOLERANCE):
        return
    told = f"it was planned at {priced(planned, order.unit)}, and its price now is {priced(cost, order.unit)}"
    if spare is None:
        why = "the run has no cap that would allow for more"
    else:
        beyond = _beyond_plan(str(order.account), order.purpose.run).where(counted)
        left = spare - (await connection.execute(beyond)).scalar_one()
        if cost is not None and cost - planned <= left + TOLERANCE:
            return
        why = f"the run's cap leaves {priced(max(left, 0.0), order.unit)} beyond its plan"
    raise BudgetError(f"{told}; {why}", advice="Run again to plan with the new price.")


async def check_loss(connection: AsyncConnection, attempt_id: int, spare: float) -> None:
    """Check that a run may give up a purchase and buy it again, within what it may spend beyond its plan.

    Raises:
        BudgetError: Together with what the run has spent beyond its plan, it is more than `spare`, or its cost is unknown.
    """
    one = sa.select(attempts.c.account, attempts.c.run, cost_of()).where(attempts.c.id == attempt_id)
    account, run, cost = (await connection.execute(one)).one()
    before = (await connection.execute(_beyond_plan(account, run).where(attempts.c.id != attempt_id))).scalar_one()
    if cost is None or before + cost > spare + TOLERANCE:
        raise BudgetError("the cap does not allow to buy it again")


def _beyond_plan(account: str, run: str) -> sa.Select[float]:
    """Return the query for the amount that a run has spent beyond its plan: on failed purchases, and on prices above the planned ones."""
    rise = sa.case((attempts.c.reserved > attempts.c.planned, attempts.c.reserved - attempts.c.planned), else_=0.0)
    beyond = sa.case((attempts.c.state == AttemptState.FAILED, cost_of()), else_=rise)
    mine = attempts.c.account == account, attempts.c.run == run, _counts()
    return sa.select(sa.func.coalesce(sa.func.sum(beyond), 0.0)).where(*mine)


async def hold_after_excess(connection: AsyncConnection, attempt: Attempt) -> None:
    """Hold an account that was charged more than was reserved: the provider does not keep to the price."""
    if attempt.excess:
        await _hold(connection, attempt.account, attempt.excess)


async def hold_after_failures(connection: AsyncConnection, account: str) -> None:
    """Hold an account if its last attempts all failed at a cost: `FAILURES` of them, or the number in its own cap."""
    own = sa.select(caps.c.amount).where(caps.c.account == account, caps.c.scope == Scope.FAILURES)
    told = (await connection.execute(own)).first()
    limit = int(told.amount) if told else FAILURES
    if not limit:
        return
    forgiven = sa.select(holds.c.released_at).where(holds.c.account == account)
    since = (await connection.execute(forgiven)).scalar_one_or_none() or ""
    cost_something = (attempts.c.state == AttemptState.FAILED) & (sa.func.coalesce(cost_of(), 1) > 0)
    ended = (attempts.c.state == AttemptState.STORED) | cost_something
    query = sa.select(attempts.c.state).where(attempts.c.account == account, attempts.c.ended_at > since, ended)
    states = [
        row.state
        for row in await connection.execute(query.order_by(attempts.c.ended_at.desc(), attempts.c.id.desc()).limit(limit))
    ]
    if states == [AttemptState.FAILED] * limit:
        await _hold(connection, account, f"{limit} jobs in a row failed, and count as spent")


def cost_of(assumed: float | None = None) -> sa.ColumnElement[Any]:
    """Return the SQL expression for the amount that an attempt counts as; null if it is unknown.

    Args:
        assumed: Amount that an attempt of unknown cost counts as; None for unknown.
    """
    known = attempts.c.charged, attempts.c.reserved
    return sa.func.coalesce(*known) if assumed is None else sa.func.coalesce(*known, assumed)


def time_zone() -> tzinfo:
    """Return the time zone in which days and months begin at midnight: that in GENMEDIA_TIME_ZONE, such as Europe/Berlin, else UTC.

    Raises:
        SettingsError: There is no such zone.
    """
    name = os.environ.get("GENMEDIA_TIME_ZONE") or "UTC"
    try:
        return UTC if name == "UTC" else ZoneInfo(name)  # a machine without a database of zones has UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(
            f"GENMEDIA_TIME_ZONE is {name!r}, which is no time zone here", advice="Name one such as Europe/Berlin, or UTC."
        ) from None


def written(time: datetime) -> str:
    """Return a time in the journal's format: ISO 8601 in UTC, which sorts in the order of time."""
    return time.astimezone(UTC).isoformat()


def _counts() -> sa.ColumnElement[bool]:
    return attempts.c.state != AttemptState.REFUSED


async def _hold(connection: AsyncConnection, account: str, reason: str) -> None:
    """Hold an account, unless it is held already."""
    row = {"reason": reason, "held_at": Clock(), "released_at": None}
    known = (await connection.execute(sa.select(holds.c.released_at).where(holds.c.account == account))).one_or_none()
    if known is None:
        await connection.execute(holds.insert().values(account=account, **row))
    elif known.released_at:
        await connection.execute(holds.update().where(holds.c.account == account).values(row))


_HELD = sa.select(holds).where(holds.c.account == sa.bindparam("account"), holds.c.released_at.is_(None))


async def _check_hold(connection: AsyncConnection, account: str) -> None:
    if row := (await connection.execute(_HELD, {"account": account})).one_or_none():
        name = account_name(account)
        raise HeldError(
            f"{name} is held since {row.held_at[:16]} UTC: {row.reason}",
            advice=f"Find out why; then `genmedia hold --release {name}` lets it spend again. What is bought already goes on.",
        )
