"""The ledger: amounts spent, reserved and in doubt, by day, campaign, provider, operation, account or label."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, tzinfo
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.journal.order import FREE
from genmedia.journal.records import AttemptState
from genmedia.journal.spending import written
from genmedia.journal.tables import attempts, submissions, uses


@dataclass(frozen=True)
class Entry:
    """One purchase, as far as money is concerned; see `Attempt`.

    Attributes:
        reserved: Amount that it counts as until its charge is known; None if it is unknown.
        used_by: The campaigns that use its files, besides the one that bought them.
    """

    account: str
    operation: str
    campaign: str
    labels: Mapping[str, str]
    state: AttemptState
    intended_at: datetime
    unit: str
    reserved: float | None
    charged: float | None
    used_by: tuple[str, ...] = ()

    @property
    def provider(self) -> str:
        """Provider that is paid."""
        return self.account.partition("|")[0]


@dataclass(frozen=True)
class Line:
    """Sums of the purchases of one group, in one unit; their total is `counted`.

    Attributes:
        group: The value that they have in common; empty for purchases that have no such label.
        jobs: Number of the purchases.
        spent: Amount charged; for a purchase that ended without a known charge, the amount reserved.
        reserved: Amount reserved for purchases under way.
        in_doubt: Amount reserved for purchases in doubt.
        overcharged: Part of `spent` that is above the amounts reserved.
        unknown: Number of purchases whose cost is unknown: they are in no sum.
        used_by: The campaigns that use the files, besides those that bought them, which pay for them alone.
    """

    group: str
    unit: str
    jobs: int = 0
    spent: float = 0.0
    reserved: float = 0.0
    in_doubt: float = 0.0
    overcharged: float = 0.0
    unknown: int = 0
    used_by: tuple[str, ...] = ()

    @property
    def counted(self) -> float:
        """Total that counts towards caps."""
        return self.spent + self.reserved + self.in_doubt

    def told(self) -> dict[str, Any]:
        """Return the line for programs, with sums rounded to 9 decimal places. `spent` is None where no cost is known."""
        values = asdict(self) | {"counted": self.counted}
        if self.unknown == self.jobs:
            values["spent"] = None
        return {name: round(value, 9) if isinstance(value, float) else value for name, value in values.items()}

    def with_entry(self, entry: Entry) -> "Line":
        """Return the line with one more purchase."""
        used_by = tuple(sorted({*self.used_by, *entry.used_by}))
        line = replace(self, jobs=self.jobs + 1, used_by=used_by)
        cost = entry.reserved if entry.charged is None else entry.charged
        if cost is None:
            return replace(line, unknown=line.unknown + 1)
        if entry.charged is None and entry.state is AttemptState.IN_DOUBT:
            return replace(line, in_doubt=line.in_doubt + cost)
        if entry.charged is None and entry.state in (AttemptState.INTENDED, AttemptState.BOUND):
            return replace(line, reserved=line.reserved + cost)
        overcharged = 0.0 if entry.reserved is None else max(cost - entry.reserved, 0.0)
        return replace(line, spent=line.spent + cost, overcharged=line.overcharged + overcharged)


def add_up(entries: Iterable[Entry], by: str, zone: tzinfo) -> list[Line]:
    """Return a line for each group and unit, sorted by them; credits of two providers are two units, and are never added.

    Args:
        entries: The purchases.
        by: `day`, `campaign`, `provider`, `operation`, `account`, or the name of a label; empty for all in one group.
        zone: Time zone in which days begin at midnight.
    """
    lines: dict[tuple[str, str], Line] = {}
    for entry in entries:
        where = _group(entry, by, zone), f"{entry.provider} {entry.unit}"
        lines[where] = lines.get(where, Line(*where)).with_entry(entry)
    return [lines[where] for where in sorted(lines)]


def _group(entry: Entry, by: str, zone: tzinfo) -> str:
    match by:
        case "day":
            return entry.intended_at.astimezone(zone).date().isoformat()
        case "campaign":
            return entry.campaign
        case "provider":
            return entry.provider
        case "operation":
            return f"{entry.provider} {entry.operation}"
        case "account":
            return entry.account
        case _:
            return entry.labels.get(by, "")


async def read_entries(connection: AsyncConnection, since: datetime | None, until: datetime | None) -> list[Entry]:
    """Return every purchase that was paid for or may have been: it was not refused, and was intended from `since` to before `until`."""
    columns = [column for column in attempts.c if column.name in {*Entry.__dataclass_fields__, "key"}]
    query = (
        sa.select(*columns, submissions.c.operation)
        .join(submissions)
        .where(attempts.c.state != AttemptState.REFUSED, attempts.c.unit != FREE)
    )
    if since:
        query = query.where(attempts.c.intended_at >= written(since))
    if until:
        query = query.where(attempts.c.intended_at < written(until))
    used_by: defaultdict[str, list[str]] = defaultdict(list)
    for row in await connection.execute(sa.select(uses.c.key, uses.c.campaign).distinct().order_by(uses.c.campaign)):
        used_by[row.key].append(row.campaign)
    return [_as_entry(row, used_by[row.key]) for row in await connection.execute(query.order_by(attempts.c.id))]


def _as_entry(row: Any, used_by: Iterable[str]) -> Entry:
    values: dict[str, Any] = {name: getattr(row, name) for name in Entry.__dataclass_fields__ if name != "used_by"}
    values["used_by"] = tuple(campaign for campaign in used_by if campaign != row.campaign)
    values |= {"labels": json.loads(row.labels), "state": AttemptState(row.state)}
    values["intended_at"] = datetime.fromisoformat(row.intended_at)
    return Entry(**values)
