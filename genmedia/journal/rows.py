"""Rows of the journal's tables: records are read from them and written into them, within a transaction of the caller."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.jobs.job import Buyer, Counter
from genmedia.journal.database import Clock
from genmedia.journal.order import Order, Purpose
from genmedia.journal.records import (
    Attempt,
    AttemptState,
    PastPurchase,
    StoredAsset,
)
from genmedia.journal.spending import written
from genmedia.journal.tables import LIVE, assets, attempts, submissions, uses, waiters, wanted
from genmedia.store.sidecar import Sidecar, Use

AT_ONCE = 500
"""Most values in one query: SQLite takes 999 at least."""

T = TypeVar("T")


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the values in parts that a query can hold, in order."""
    for first in range(0, len(values), AT_ONCE):
        yield values[first : first + AT_ONCE]


_ATTEMPTS = (
    sa.select(attempts, submissions.c.operation, submissions.c.request, submissions.c.take, Clock().label("read_at"))
    .join(submissions)
    .order_by(attempts.c.intended_at, attempts.c.id)
)


async def read_attempts(connection: AsyncConnection, *where: sa.ColumnElement[bool]) -> list[Attempt]:
    """Return the attempts that meet all of the conditions, the oldest first."""
    return [as_attempt(row) for row in await connection.execute(_ATTEMPTS.where(*where))]


_ATTEMPT = _ATTEMPTS.where(attempts.c.id == sa.bindparam("attempt"))


async def read_attempt(connection: AsyncConnection, attempt_id: int) -> Attempt | None:
    """Return the attempt with this id; None if there is none."""
    row = (await connection.execute(_ATTEMPT, {"attempt": attempt_id})).one_or_none()
    return as_attempt(row) if row else None


_ANSWERS = _ATTEMPTS.where(attempts.c.key == sa.bindparam("submission"), attempts.c.state.in_(LIVE))


async def read_live_attempt(connection: AsyncConnection, key: str) -> Attempt | None:
    """Return the attempt that answers for a submission; None if none does."""
    row = (await connection.execute(_ANSWERS, {"submission": key})).first()
    return as_attempt(row) if row else None


async def know(connection: AsyncConnection, wanted: Order | PastPurchase, created: str) -> None:
    """Write down the submission, unless it is there already."""
    values = {
        "key": wanted.key,
        "account": str(wanted.account),
        "operation": wanted.operation,
        "request": json.dumps(wanted.request, allow_nan=False),
        "take": wanted.take,
        "created_at": created,
    }
    await _add(connection, submissions, values)


_LAST = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0)).where(attempts.c.key == sa.bindparam("submission"))
_NEW = attempts.insert().values(number=_LAST.scalar_subquery() + 1).returning(attempts.c.id)


async def insert_attempt(
    connection: AsyncConnection,
    order: Order,
    now: str,
    asked_at: datetime,
    counter: Counter | None,
    buyer: Buyer,
    claim: str,
) -> int:
    """Write down a new attempt; return its id."""
    values = {
        "submission": order.key,
        "key": order.key,
        "account": str(order.account),
        "state": AttemptState.INTENDED,
        "owner": claim,
        "echo": order.fingerprint,
        "work": order.work,
        "unit": order.unit,
        "intended_at": now,
        "asked_at": asked_at.isoformat(),
        "used": counter and counter.used,
        "used_at": counter and counter.at.isoformat(),
        "key_print": buyer.key_print,
        "block": buyer.block,
        **wanted_values(order),
    }
    return int((await connection.execute(_NEW, values)).scalar_one())


async def insert_kept(connection: AsyncConnection, order: Order, now: str) -> int:
    """Write down an order that nobody was paid for, as stored; return the id of its attempt."""
    await know(connection, order, now)
    values = {
        "submission": order.key,
        "key": order.key,
        "account": str(order.account),
        "state": AttemptState.STORED,
        "remote_id": "",
        "unit": order.unit,
        "charged": order.price,
        "reported": True,
        "intended_at": now,
        "bound_at": now,
        "ended_at": now,
        **wanted_values(order),
    }
    return int((await connection.execute(_NEW, values)).scalar_one())


def use_of(purpose: Purpose) -> Use:
    """Return a purpose as a use that begins now."""
    return Use(campaign=purpose.campaign, step=purpose.step, labels=dict(purpose.labels), since=datetime.now(UTC))


async def note_uses(connection: AsyncConnection, key: str, wanted: Iterable[Use]) -> None:
    """Write down uses that are not there yet; one without a campaign is left out."""
    for use in wanted:
        if use.campaign:
            labels = json.dumps(dict(use.labels), sort_keys=True, allow_nan=False)
            values = {"key": key, "campaign": use.campaign, "step": use.step, "labels": labels, "since": written(use.since)}
            await _add(connection, uses, values)


_ADD = {
    (dialect, table): insert(table).on_conflict_do_nothing()
    for dialect, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    for table in (submissions, uses, wanted)
}


async def note_wanted(connection: AsyncConnection, campaign: str, keys: Iterable[str], since: str) -> None:
    """Write down the submissions on which a campaign waits for a verdict, unless that is written down already."""
    if rows := [{"key": key, "campaign": campaign, "since": since} for key in keys]:
        await connection.execute(_ADD[connection.dialect.name, wanted], rows)


async def _add(connection: AsyncConnection, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Add a row, unless it is there already."""
    await connection.execute(_ADD[connection.dialect.name, table], values)


def wanted_values(order: Order) -> dict[str, Any]:
    """Return the values of an attempt's row that its order decides: purpose and price."""
    purpose = order.purpose
    stands_in = {"stands_in": purpose.stands_in} if purpose.stands_in else {}
    return {
        "campaign": purpose.campaign,
        "run": purpose.run,
        "labels": json.dumps(dict(purpose.labels), sort_keys=True, allow_nan=False),
        "origin": json.dumps(
            {
                "step": purpose.step,
                "inputs": list(map(dict, purpose.inputs)),
                "place": list(map(dict, purpose.place)),
                **stands_in,
            },
            allow_nan=False,
        ),
        "price": order.price,
        "reserved": order.reserved,
        "planned": order.planned,
    }


async def note_interest(connection: AsyncConnection, attempt_id: int, run: str, owner: str) -> None:
    """Write down a run as a waiter for an attempt, in place of an earlier row of that run."""
    await connection.execute(waiters.delete().where(waiters.c.attempt == attempt_id, waiters.c.run == run))
    await connection.execute(waiters.insert().values(waiter_values(attempt_id, run, owner)))


def waiter_values(attempt_id: int, run: str, owner: str) -> dict[str, Any]:
    """Return the values of a row that tells that a run waits for an attempt."""
    return {"attempt": attempt_id, "run": run, "owner": owner, "since": Clock()}


async def insert_past(connection: AsyncConnection, past: PastPurchase, *, whole: bool) -> int:
    """Write down the attempt of a past purchase; return its id."""
    await know(connection, past, past.created)
    live = sa.select(attempts.c.id).where(attempts.c.key == past.key, attempts.c.state.in_(LIVE))
    answered = (await connection.execute(live)).first() is not None
    state = AttemptState.FAILED if answered else AttemptState.STORED if whole else AttemptState.BOUND
    values = {
        "key": past.key,
        "number": past.number,
        "account": past.account,
        "state": state,
        "remote_id": past.remote_id,
        "campaign": past.campaign,
        "labels": json.dumps(dict(past.labels), sort_keys=True, allow_nan=False),
        "price": past.price,
        "reserved": past.price,
        "charged": past.charged,
        "unit": past.unit,
        "reported": True,
        "reason": "another attempt answers for it" if answered else "",
        "intended_at": past.created,
        "bound_at": past.created,
        "ended_at": None if state is AttemptState.BOUND else past.stored,
    }
    return int((await connection.execute(attempts.insert().values(values).returning(attempts.c.id))).scalar_one())


async def paths_among(connection: AsyncConnection, paths: Sequence[str]) -> set[str]:
    """Return those of these paths at which the journal knows a file."""
    return {row.path for row in await connection.execute(sa.select(assets.c.path).where(assets.c.path.in_(paths)))}


def is_intended(attempt: Attempt) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for this attempt, if it is only intended."""
    return attempts.c.id == attempt.id, attempts.c.state == AttemptState.INTENDED


def is_of(attempt_id: int, job_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for this attempt, if it still has this job: one whose job was never started may be bought as another."""
    return attempts.c.id == attempt_id, attempts.c.remote_id == job_id


def is_ending(attempt_id: int, job_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for this attempt, if this job of it may be ended: it is bound, and no process works on it."""
    return *is_of(attempt_id, job_id), attempts.c.state == AttemptState.BOUND, attempts.c.owner.is_(None)


def as_row(asset: StoredAsset) -> dict[str, Any]:
    """Return the values of a file's row, without its attempt."""
    told = {"path": asset.path, "output": asset.output, "number": asset.number, "sha256": asset.sha256}
    return {
        **told,
        "came_as": asset.came_as,
        "sidecar": json.dumps(asset.sidecar.write(), allow_nan=False),
        "forgotten_at": asset.forgotten_at,
    }


def as_asset(row: sa.Row[Any]) -> StoredAsset:
    """Return the file of a row."""
    sidecar = Sidecar.model_validate_json(row.sidecar)
    return StoredAsset(row.path, row.output, row.sha256, sidecar, row.forgotten_at)


def has_content(digest: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    """Return the condition for files that have this content, or came with it."""
    return (assets.c.sha256 == digest) | (assets.c.came_as == digest)


_FIELDS = tuple(Attempt.__dataclass_fields__)
_VALUES = attrgetter(*_FIELDS)


def as_attempt(row: Any) -> Attempt:
    """Return the attempt of a row that is joined with its submission."""
    values: dict[str, Any] = dict(zip(_FIELDS, _VALUES(row), strict=True))
    times = ("intended_at", "asked_at", "used_at", "bound_at", "ended_at", "read_at")
    values |= {name: datetime.fromisoformat(values[name]) for name in times if values[name]}
    values |= {name: json.loads(values[name]) for name in ("request", "labels", "origin")}
    values |= {"state": AttemptState(row.state), "seen_at": row.seen_at and datetime.fromtimestamp(row.seen_at, UTC)}
    return Attempt(**values)
