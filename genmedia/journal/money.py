"""What an account may spend: caps, checked in the transaction that reserves, and holds, which stop all of it at once.

A purchase counts as what it was charged; until that is known as its price; where nobody says a price as what the account's jobs are
assumed to cost. One that was refused counts nothing. So one that failed counts in full unless the provider says what it took, or that it
bills no failures (then it is settled as 0), and one in doubt counts until a person has settled it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.errors import BudgetError, HeldError, SettingsError
from genmedia.journal.database import Database, outlasting
from genmedia.journal.rows import AttemptState, Wish
from genmedia.journal.tables import attempts, balances, caps, holds

FAILURES = 5
"""So many failures that cost something, without a success in between, hold an account; `Scope.FAILURES` of an account says otherwise."""

_TOLERANCE = 1e-9
"""Of sums of prices such as 0.1."""


class Scope(StrEnum):
    """What a cap is for. Days and months begin at midnight in the zone that GENMEDIA_TIME_ZONE names."""

    DAY = "day"
    MONTH = "month"
    CAMPAIGN = "campaign"
    TOTAL = "total"
    FAILURES = "failures"


@dataclass(frozen=True)
class Hold:
    """Why an account spends nothing, and since when."""

    account: str
    reason: str
    held_at: str


@dataclass(frozen=True)
class Balance:
    """What a provider said was left, and what the journal said at that time: charged in all, and open."""

    account: str
    seen_at: str
    balance: float
    charged: float
    open: float


class Money:
    """The caps and holds of a journal's accounts, and the balances that were last seen.

    Args:
        database: The journal's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @outlasting
    async def caps(self) -> dict[str, dict[Scope, float]]:
        """The caps of every account that has any, in its own unit."""
        found: dict[str, dict[Scope, float]] = {}
        async with self._database.transaction() as connection:
            for row in await connection.execute(sa.select(caps).order_by(caps.c.account)):
                found.setdefault(row.account, {})[Scope(row.scope)] = row.amount
        return found

    @outlasting
    async def set_caps(self, account: str, amounts: Mapping[Scope, float | None]) -> None:
        """Set caps of an account, and take away those that are None; the others stay as they are."""
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            await connection.execute(caps.delete().where(caps.c.account == account, caps.c.scope.in_(amounts)))
            rows = [
                {"account": account, "scope": scope, "amount": amount} for scope, amount in amounts.items() if amount is not None
            ]
            if rows:
                await connection.execute(caps.insert(), rows)

    @outlasting
    async def holds(self) -> list[Hold]:
        """The accounts that spend nothing now."""
        query = sa.select(holds).where(holds.c.released_at.is_(None)).order_by(holds.c.account)
        async with self._database.transaction() as connection:
            return [Hold(row.account, row.reason, row.held_at) for row in await connection.execute(query)]

    @outlasting
    async def hold(self, account: str, reason: str) -> None:
        """Let an account spend nothing from now on; what it has bought goes on."""
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            await _hold(connection, account, reason)

    @outlasting
    async def release(self, account: str) -> bool:
        """Let a held account spend again; False when it is not held. Failures up to now are forgiven."""
        held = holds.c.account == account, holds.c.released_at.is_(None)
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            return (await connection.execute(holds.update().where(*held).values(released_at=_now()))).rowcount == 1

    @outlasting
    async def check_hold(self, account: str) -> None:
        """See that an account may spend at all.

        Raises:
            HeldError: It may not.
        """
        async with self._database.transaction() as connection:
            await _check_hold(connection, account)

    @outlasting
    async def spent(self, account: str, unit: str, since: datetime) -> float:
        """What an account's purchases since a moment count as; those of unknown cost are not in it."""
        query = sa.select(sa.func.coalesce(sa.func.sum(cost_of()), 0.0))
        mine = attempts.c.account == account, attempts.c.unit == unit, attempts.c.intended_at >= written(since), _counts()
        async with self._database.transaction() as connection:
            return float((await connection.execute(query.where(*mine))).scalar_one())

    @outlasting
    async def accounts(self) -> list[str]:
        """Every account that has bought something, or has a cap or a hold."""
        names = sa.union(*(sa.select(table.c.account) for table in (attempts, caps, holds)))
        async with self._database.transaction() as connection:
            return sorted(row.account for row in await connection.execute(names))

    @outlasting
    async def see_balance(self, account: str, balance: float) -> tuple[Balance | None, Balance]:
        """Write down what a provider says is left of an account's credits; what was written down before, and now."""
        still_open = sa.case((attempts.c.charged.is_(None), attempts.c.reserved))
        query = sa.select(*(sa.func.coalesce(sa.func.sum(one), 0.0) for one in (attempts.c.charged, still_open)))
        async with self._database.transaction() as connection:
            await self._database.lock(connection, account)
            mine = balances.c.account == account
            before = (await connection.execute(sa.select(balances).where(mine))).one_or_none()
            told = (await connection.execute(query.where(attempts.c.account == account, _counts()))).one()
            now = Balance(account, _now(), balance, *told)
            await connection.execute(balances.delete().where(mine))
            await connection.execute(balances.insert().values(vars(now)))
        return (Balance(*before) if before else None), now


async def check(connection: AsyncConnection, wish: Wish) -> None:
    """See that an account may spend what a purchase may cost; the account is locked until it is written down.

    Raises:
        HeldError: The account spends nothing now.
        BudgetError: It is more than a cap leaves, or there is a cap and nobody knows.
    """
    await _check_hold(connection, wish.account)
    rows = await connection.execute(sa.select(caps.c.scope, caps.c.amount).where(caps.c.account == wish.account))
    amounts = {row.scope: row.amount for row in rows}
    purpose = wish.purpose
    today = datetime.now(time_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    for cap, name, where in (
        (purpose.cap, "this run", attempts.c.run == purpose.run),
        (amounts.get(Scope.CAMPAIGN), f"the campaign {purpose.campaign}", attempts.c.campaign == purpose.campaign),
        (amounts.get(Scope.DAY), "the day", attempts.c.intended_at >= written(today)),
        (amounts.get(Scope.MONTH), "the month", attempts.c.intended_at >= written(today.replace(day=1))),
        (amounts.get(Scope.TOTAL), "all time", sa.true()),
    ):
        if cap is not None:
            await _check_cap(connection, wish, cap, name, where)


async def _check_cap(connection: AsyncConnection, wish: Wish, cap: float, name: str, where: sa.ColumnElement[bool]) -> None:
    cost, reserved = cost_of(wish.assumed), wish.reserved
    query = sa.select(sa.func.coalesce(sa.func.sum(cost), 0.0), sa.func.count() - sa.func.count(cost))
    mine = attempts.c.account == wish.account, attempts.c.unit == wish.unit, _counts()
    spent, unknown = (await connection.execute(query.where(*mine, where))).one()
    if reserved is None or unknown:
        raise BudgetError(
            f"nobody knows what {'this' if reserved is None else f'{unknown} earlier purchases'} may cost, and {wish.account} "
            f"has a cap of {cap:g} {wish.unit} for {name}",
            advice="Say in the credentials block what a job counts as while nobody says its price.",
        )
    if spent + reserved > cap + _TOLERANCE:
        raise BudgetError(
            f"{reserved:g} more would go beyond the cap of {cap:g} {wish.unit} for {name}: {spent:g} are spent or reserved "
            f"by {wish.account}",
            advice="`genmedia ledger` says for what; `genmedia caps` shows and sets caps, a run's own is its max_credits.",
        )


async def check_loss(connection: AsyncConnection, attempt_id: int, spare: float) -> None:
    """See that a run may give up a purchase, and buy it again within what its plan left.

    Raises:
        BudgetError: With what the run lost before, it is more than `spare`.
    """
    one = sa.select(attempts.c.account, attempts.c.run, cost_of()).where(attempts.c.id == attempt_id)
    account, run, cost = (await connection.execute(one)).one()
    lost = sa.select(sa.func.coalesce(sa.func.sum(cost_of()), 0.0))
    mine = attempts.c.account == account, attempts.c.run == run, attempts.c.state == AttemptState.FAILED
    before = (await connection.execute(lost.where(*mine))).scalar_one()
    if cost is None or before + cost > spare + _TOLERANCE:
        raise BudgetError("the cap does not allow to buy it again")


async def hold_after_failures(connection: AsyncConnection, account: str) -> None:
    """Hold an account that has paid for nothing but failures for a while."""
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
    states = [row.state for row in await connection.execute(query.order_by(attempts.c.ended_at.desc()).limit(limit))]
    if states == [AttemptState.FAILED] * limit:
        await _hold(connection, account, f"{limit} jobs in a row failed, and count as spent")


def cost_of(assumed: float | None = None) -> sa.ColumnElement[Any]:
    """What an attempt that counts counts as; null where nobody knows.

    Args:
        assumed: For one that was made when nobody said what the account's jobs may cost.
    """
    known = attempts.c.charged, attempts.c.reserved
    return sa.func.coalesce(*known) if assumed is None else sa.func.coalesce(*known, assumed)


def time_zone() -> tzinfo:
    """Where days and months begin at midnight: as GENMEDIA_TIME_ZONE says, such as Europe/Berlin, else UTC.

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
    """As times stand in the journal, whose order is theirs."""
    return time.astimezone(UTC).isoformat()


def _counts() -> sa.ColumnElement[bool]:
    return attempts.c.state != AttemptState.REFUSED


async def _hold(connection: AsyncConnection, account: str, reason: str) -> None:
    """Hold an account, unless it is held already."""
    row = {"reason": reason, "held_at": _now(), "released_at": None}
    known = (await connection.execute(sa.select(holds.c.released_at).where(holds.c.account == account))).one_or_none()
    if known is None:
        await connection.execute(holds.insert().values(account=account, **row))
    elif known.released_at:
        await connection.execute(holds.update().where(holds.c.account == account).values(row))


async def _check_hold(connection: AsyncConnection, account: str) -> None:
    held = sa.select(holds).where(holds.c.account == account, holds.c.released_at.is_(None))
    if row := (await connection.execute(held)).one_or_none():
        raise HeldError(f"{account} is held since {row.held_at[:16]} UTC: {row.reason}")


def _now() -> str:
    return datetime.now(UTC).isoformat()
