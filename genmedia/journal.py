"""The journal: what was asked for, what was bought for it, and which files came of it, in SQL.

SQLite at `GENMEDIA_JOURNAL_URL`, else `.genmedia/journal.db` in the store. Every change is on disk before the next step is taken
(`synchronous=FULL`), and every transaction takes the write lock first (`BEGIN IMMEDIATE`), so that two processes never both win.
"""

import json
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from genmedia import ownership
from genmedia.errors import SettingsError
from genmedia.leasing import leased

VERSION = 1

_tables = sa.MetaData()

_submissions = sa.Table(
    "submissions",
    _tables,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("operation", sa.String, nullable=False),
    sa.Column("request", sa.String, nullable=False),
    sa.Column("take", sa.Integer, nullable=False),
    sa.Column("created_at", sa.String, nullable=False),
)

_attempts = sa.Table(
    "attempts",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(64), sa.ForeignKey("submissions.key"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("owner", sa.String),
    sa.Column("remote_id", sa.String),
    sa.Column("price", sa.Float),
    sa.Column("charged", sa.Float),
    sa.Column("unit", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False, default=""),
    sa.Column("intended_at", sa.String, nullable=False),
    sa.Column("bound_at", sa.String),
    sa.Column("ended_at", sa.String),
    sa.UniqueConstraint("key", "number"),
)
# The rule that decides a race between processes: at most one attempt of a submission is neither failed nor refused.
sa.Index(
    "one_live_attempt",
    _attempts.c.key,
    unique=True,
    sqlite_where=_attempts.c.state.in_(["intended", "bound", "in_doubt", "stored"]),
)

_assets = sa.Table(
    "assets",
    _tables,
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("attempt", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False, index=True),
    sa.Column("output", sa.String, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False, index=True),
    sa.Column("sidecar", sa.String, nullable=False),
)

_about = sa.Table("about", _tables, sa.Column("version", sa.Integer, primary_key=True))


class AttemptState(StrEnum):
    """Where one purchase stands; the first four are live: they answer for their submission."""

    INTENDED = "intended"
    BOUND = "bound"
    IN_DOUBT = "in_doubt"
    STORED = "stored"
    FAILED = "failed"
    REFUSED = "refused"


_LIVE = [AttemptState.INTENDED, AttemptState.BOUND, AttemptState.IN_DOUBT, AttemptState.STORED]


@dataclass(frozen=True)
class Attempt:
    """One purchase for a submission. `price` is what it may cost, `charged` what it did cost, both in `unit`."""

    id: int
    key: str
    number: int
    state: AttemptState
    owner: str | None
    remote_id: str | None
    price: float | None
    charged: float | None
    unit: str
    reason: str
    intended_at: datetime
    take: int

    @property
    def age(self) -> float:
        """Seconds since it was intended."""
        return (datetime.now(UTC) - self.intended_at).total_seconds()


@dataclass(frozen=True)
class StoredAsset:
    """A file in the store: its path below the store's root, the output it is, its content's hash, its sidecar."""

    path: str
    output: str
    sha256: str
    sidecar: dict[str, Any]


class Journal:
    """The tables, open on one event loop; get it with `Journal.lease`.

    Args:
        url: A SQLAlchemy address of a SQLite file.
    """

    def __init__(self, url: str) -> None:
        parsed = _check_url(url)
        file = Path(str(parsed.database))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"the journal {file} cannot be made: {error.strerror}", advice="Check its folder.") from None
        self._owners = file.parent / "owners"
        self._file = file
        self._engine = create_async_engine(parsed)
        self._ready = False
        event.listen(self._engine.sync_engine, "connect", _configure)
        event.listen(self._engine.sync_engine, "begin", _take_write_lock)

    @classmethod
    def lease(cls, url: str) -> AbstractAsyncContextManager["Journal"]:
        """The journal at `url` on this event loop: shared while anybody holds it, closed with the last."""
        return leased(("journal", url), lambda: cls(url))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    @property
    def me(self) -> str:
        """This process's name as an owner of attempts."""
        return ownership.own_name(self._owners)

    def is_worked_on(self, attempt: Attempt) -> bool:
        """Whether the attempt has an owner that still lives."""
        return attempt.owner is not None and (attempt.owner == self.me or ownership.is_alive(self._owners, attempt.owner))

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        try:
            if not self._ready:
                async with self._engine.begin() as connection:
                    version = await _create(connection)
                if version != VERSION:
                    raise SettingsError(
                        f"the journal {self._file} is of version {version}, this genmedia writes version {VERSION}",
                        advice="Use the genmedia that wrote it.",
                    )
                self._ready = True
            async with self._engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            if isinstance(error, IntegrityError):
                raise
            raise SettingsError(
                f"the journal {self._file} cannot be used: {error.orig}", advice="Check the file, its folder and the disk."
            ) from None

    async def live_attempt(self, key: str) -> Attempt | None:
        """The attempt that answers for the submission `key`; None when nothing was bought or all attempts failed."""
        async with self._transaction() as connection:
            row = await connection.execute(_select_attempts().where(_attempts.c.key == key, _attempts.c.state.in_(_LIVE)))
            found = row.one_or_none()
            return _as_attempt(found) if found else None

    async def intend(
        self, *, key: str, account: str, operation: str, request: dict[str, Any], take: int, price: float | None, unit: str
    ) -> Attempt | None:
        """Write down the wish to buy, before anything is sent; None when another attempt is live already."""
        now = _now()
        async with self._transaction() as connection:
            known = await connection.execute(sa.select(_submissions.c.key).where(_submissions.c.key == key))
            if known.one_or_none() is None:
                about = {"account": account, "operation": operation, "request": json.dumps(request), "take": take}
                await connection.execute(_submissions.insert().values(key=key, created_at=now, **about))
            last = await connection.execute(sa.select(sa.func.max(_attempts.c.number)).where(_attempts.c.key == key))
            values = {
                "key": key,
                "number": (last.scalar() or 0) + 1,
                "state": AttemptState.INTENDED,
                "owner": self.me,
                "price": price,
                "unit": unit,
                "intended_at": now,
            }
            try:
                await connection.execute(_attempts.insert().values(values))
            except IntegrityError:
                await connection.rollback()
                return None
        return await self.live_attempt(key)

    async def take_over(self, attempt: Attempt) -> bool:
        """Become the owner of an attempt whose owner is gone; False when somebody else was faster."""
        mine = (_attempts.c.id == attempt.id, _attempts.c.state == AttemptState.INTENDED, _attempts.c.owner.is_(attempt.owner))
        return await self._update(*mine, owner=self.me)

    async def release(self, attempt: Attempt) -> None:
        """Give up an attempt whose submission was interrupted, so that anyone may settle what became of it."""
        await self._update(_attempts.c.id == attempt.id, _attempts.c.owner == self.me, owner=None)

    async def bind(self, attempt: Attempt, remote_id: str) -> None:
        """Write down which remote job the attempt is; from here on anyone can resume it."""
        await self._update(
            _attempts.c.id == attempt.id, state=AttemptState.BOUND, remote_id=remote_id, owner=None, bound_at=_now()
        )

    async def refuse(self, attempt: Attempt, reason: str) -> None:
        """Write down that nothing was bought."""
        await self._end(attempt.id, AttemptState.REFUSED, reason=reason)

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Write down that nobody can tell whether it was bought; its price counts as spent."""
        await self._update(_attempts.c.id == attempt.id, state=AttemptState.IN_DOUBT, reason=reason, owner=None)

    async def fail(self, attempt_id: int, reason: str, charged: float | None) -> None:
        """Write down that the remote job ended without a result."""
        await self._end(attempt_id, AttemptState.FAILED, reason=reason, charged=charged)

    async def store(self, attempt_id: int, assets: Sequence[StoredAsset], charged: float | None) -> None:
        """Write down the files that came of an attempt, and that it is done."""
        rows = [
            {"path": a.path, "attempt": attempt_id, "output": a.output, "sha256": a.sha256, "sidecar": json.dumps(a.sidecar)}
            for a in assets
        ]
        async with self._transaction() as connection:
            await connection.execute(_assets.delete().where(_assets.c.attempt == attempt_id))
            if rows:
                await connection.execute(_assets.insert().prefix_with("OR REPLACE"), rows)
        await self._end(attempt_id, AttemptState.STORED, charged=charged)

    async def assets(self, attempt_id: int) -> list[StoredAsset]:
        """The files that came of an attempt, in the order of its outputs."""
        async with self._transaction() as connection:
            rows = await connection.execute(sa.select(_assets).where(_assets.c.attempt == attempt_id).order_by(sa.text("rowid")))
            return [StoredAsset(row.path, row.output, row.sha256, json.loads(row.sidecar)) for row in rows]

    async def write_off(self, origin: str, has: Callable[[StoredAsset], bool]) -> int:
        """Fail every attempt at an origin that is not wholly in the store; how many.

        For a sandbox that was started anew: it knows no job of the one before it.

        Args:
            origin: Scheme, host and port, as in an account.
            has: Whether the store still holds a file.
        """
        query = _select_attempts().where(_submissions.c.account.contains(f"|{origin}|"), _attempts.c.state.in_(_LIVE))
        async with self._transaction() as connection:
            found = [_as_attempt(row) for row in await connection.execute(query)]
        lost = [one for one in found if one.state is not AttemptState.STORED or not all(map(has, await self.assets(one.id)))]
        for attempt in lost:
            await self.fail(attempt.id, "its sandbox was stopped", 0)
        return len(lost)

    async def owned_jobs(self, account: str) -> set[str]:
        """The remote ids of all jobs of an account that belong to an attempt."""
        query = sa.select(_attempts.c.remote_id).join(_submissions).where(_submissions.c.account == account)
        async with self._transaction() as connection:
            return {row.remote_id for row in await connection.execute(query.where(_attempts.c.remote_id.is_not(None)))}

    async def _end(self, attempt_id: int, state: AttemptState, **values: Any) -> None:
        await self._update(_attempts.c.id == attempt_id, state=state, owner=None, ended_at=_now(), **values)

    async def _update(self, *where: sa.ColumnElement[bool], **values: Any) -> bool:
        async with self._transaction() as connection:
            result = await connection.execute(_attempts.update().where(*where).values(**values))
            return result.rowcount == 1


def journal_url(store_root: Path) -> str:
    """The journal's address: `GENMEDIA_JOURNAL_URL`, else a SQLite file in the store."""
    return os.environ.get("GENMEDIA_JOURNAL_URL") or f"sqlite:///{store_root / '.genmedia' / 'journal.db'}"


def _check_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        shown = parsed.render_as_string(hide_password=True) if parsed else "what is given"
        raise SettingsError(
            f"{shown} cannot hold the journal",
            advice="Set GENMEDIA_JOURNAL_URL to a file, such as sqlite:////var/lib/genmedia.db.",
        )
    return parsed.set(drivername="sqlite+aiosqlite")


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # else the driver opens transactions of its own, without the write lock
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _take_write_lock(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _create(connection: AsyncConnection) -> int:
    """Make the tables where there are none; the version that they are of."""
    await connection.run_sync(_tables.create_all)
    found = (await connection.execute(sa.select(_about.c.version))).scalar()
    if found is None:
        await connection.execute(_about.insert().values(version=VERSION))
    return VERSION if found is None else int(found)


def _select_attempts() -> sa.Select[Any]:
    return sa.select(_attempts, _submissions.c.take).join(_submissions)


def _as_attempt(row: Any) -> Attempt:
    values = {name: getattr(row, name) for name in Attempt.__dataclass_fields__}
    values |= {"state": AttemptState(row.state), "intended_at": datetime.fromisoformat(row.intended_at)}
    return Attempt(**values)


def _now() -> str:
    return datetime.now(UTC).isoformat()
