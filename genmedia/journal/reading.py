"""Reading the journal: submissions, attempts, files and waiters."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from genmedia.errors import JournalError
from genmedia.jobs.job import Account
from genmedia.journal.database import Database, retry_while_unreachable, uncancellable
from genmedia.journal.desk import Desk, SharedWindow, Slots
from genmedia.journal.durations import RunningTimes
from genmedia.journal.keys import submission_key
from genmedia.journal.ledger import Entry, read_entries
from genmedia.journal.looks import Looks, R, Watching
from genmedia.journal.order import FREE
from genmedia.journal.ownership import Leases, Locks, given_up, process_of
from genmedia.journal.records import (
    Attempt,
    AttemptState,
    Duplicate,
    Sight,
    StoredAsset,
    Waiter,
)
from genmedia.journal.reviews import Decided, Reviews
from genmedia.journal.rows import as_asset, has_content, in_parts, read_attempts, read_live_attempt
from genmedia.journal.spending import Money, cost_of, written
from genmedia.journal.tables import LIVE, OPEN, assets, attempts, submissions, uses, waiters
from genmedia.store.sidecar import Use
from genmedia.transport.pace import Pace

NO_OWNER = ""
"""Owner of a waiter that no longer waits; no process has this name."""

LATE = timedelta(days=1)
"""Age from which a job that was bought and gave no file is shown as paid without a file."""


_USES = sa.select(uses).where(uses.c.key == sa.bindparam("submission")).order_by(uses.c.since, uses.c.campaign, uses.c.step)
_FILES = (
    sa.select(assets).where(assets.c.attempt.in_(sa.bindparam("some", expanding=True))).order_by(assets.c.number, assets.c.id)
)
_ASKED = submissions.c.account, submissions.c.operation, submissions.c.request
_DUPLICATES = (
    sa.select(assets.c.path, sa.func.count().over().label("equal"), *_ASKED)
    .select_from(assets.join(attempts).join(submissions))
    .where(
        has_content(sa.bindparam("digest", type_=sa.String)),
        sa.tuple_(*_ASKED).not_in(sa.select(*_ASKED).where(submissions.c.key == sa.bindparam("submission"))),
        assets.c.forgotten_at.is_(None),
    )
    .order_by(assets.c.path)
    .limit(sa.bindparam("most", type_=sa.Integer))
)


@dataclass(frozen=True)
class Asked:
    """What a campaign asked for: its submission key, an account, an operation, a request and a take; see `Order`."""

    key: str
    account: str
    operation: str
    request: dict[str, Any]
    take: int

    def of(self, provider: str, edition: str) -> bool:
        """True if it was asked for at a provider in this edition of the campaign; empty for none."""
        account = Account(*self.account.split("|"))
        return account.provider == provider and self.key == submission_key(
            account, self.operation, self.request, self.take, edition
        )


@dataclass(frozen=True)
class LastAttempt:
    """What of the last attempt at a submission tells how that stands; see `Attempt`, which takes longer to read."""

    id: int
    key: str
    account: str
    operation: str
    state: AttemptState
    remote_id: str | None
    reserved: float | None
    charged: float | None
    unit: str
    reason: str
    intended_at: datetime
    seen: str | None

    @property
    def provider(self) -> str:
        """Provider that is paid."""
        return self.account.partition("|")[0]

    @property
    def sight(self) -> Sight | None:
        """What the last look saw of its job; None if it was not looked at yet."""
        return Sight.read(self.seen)


_LAST_ATTEMPTS = (
    sa.select(
        *((submissions if name == "operation" else attempts).c[name] for name in LastAttempt.__dataclass_fields__), cost_of()
    )
    .join(submissions)
    .order_by(attempts.c.number)
)


@dataclass(frozen=True)
class Standing:
    """How a step of a campaign stands, by the last attempt at what it asked for last.

    Attributes:
        attempt: That attempt.
        charged: What all attempts at it that are over were charged; what is unknown counts as it was reserved.
        undecided: True if people have to decide on what it gave.
        decided: What they have decided; None where they have not, and where all campaigns are asked about.
    """

    campaign: str
    step: str
    attempt: LastAttempt
    charged: float = 0.0
    undecided: bool = False
    decided: Decided | None = None


_OVER = (AttemptState.STORED, AttemptState.CONTENT_REFUSED, AttemptState.FAILED, AttemptState.CANCELLED)


class Reading:
    """Queries of a journal; they change nothing.

    Args:
        url: A SQLAlchemy address of a SQLite file or of a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.money = Money(self._database)
        self.reviews = Reviews(self._database)
        self.running_times = RunningTimes(self._database)
        file = self._database.file
        self._owners = Locks(file.parent / "owners") if file else Leases(self._database)

    @property
    def label(self) -> str:
        """Address of the journal for people, without the password."""
        return self._database.label

    async def aclose(self) -> None:
        """Close the connections."""
        await self._owners.aclose()
        await self._database.aclose()

    def desk(
        self,
        account: str,
        *,
        pace: Pace,
        open_jobs: int | None,
        clock_scale: Callable[[], float],
        watching: Watching[R],
    ) -> Desk[R]:
        """Return what all processes share that use an account.

        Args:
            account: The account.
            pace: The line of this process's requests at it.
            open_jobs: Number of jobs that may be open; None for no limit.
            clock_scale: Returns the factor by which a sandbox's clock runs faster.
            watching: How this process looks at the account's jobs.
        """
        return Desk(
            Slots(self._database, account, open_jobs),
            SharedWindow(self._database, account, pace.per_minute, clock_scale),
            Looks(self._database, account, watching, self.running_times),
            pace,
        )

    async def live_attempt(self, key: str) -> Attempt | None:
        """Return the attempt that answers for the submission `key`; None when nothing was bought or all attempts ended without a result."""
        return await self._find_live(key)

    @retry_while_unreachable
    async def _find_live(self, key: str) -> Attempt | None:
        async with self._database.transaction(reading=True) as connection:
            return await read_live_attempt(connection, key)

    async def answers(self, keys: Collection[str]) -> dict[str, Attempt]:
        """Return the attempts that answer for these submissions, by key, also those that are only intended."""
        found: dict[str, Attempt] = {}
        for some in in_parts(sorted(keys)):
            found |= {one.key: one for one in await self._find_all(attempts.c.key.in_(some), attempts.c.state.in_(LIVE))}
        return found

    @uncancellable
    async def answered(self, keys: Collection[str]) -> set[str]:
        """Return those of these submissions that were bought, or may have been. An unreachable database is not waited for.

        Raises:
            JournalError: The database cannot be used.
        """
        found = set[str]()
        bought = attempts.c.state.in_(LIVE), attempts.c.state != AttemptState.CONTENT_REFUSED
        async with self._database.transaction(reading=True) as connection:
            for some in in_parts(sorted(keys)):
                query = sa.select(attempts.c.key).where(attempts.c.key.in_(some), *bought)
                found |= {row.key for row in await connection.execute(query)}
        return found

    async def latest(self, keys: Collection[str]) -> dict[str, Attempt]:
        """Return the latest attempt at each of these submissions that the journal knows, by key, however it ended."""
        return {key: tries[-1] for key, tries in (await self.tried(keys)).items()}

    async def tried(self, keys: Collection[str]) -> dict[str, list[Attempt]]:
        """Return all attempts at each of these submissions that the journal knows, by key, the first one first, however they ended."""
        found = defaultdict[str, list[Attempt]](list)
        for some in in_parts(sorted(keys)):
            for one in sorted(await self._find_all(attempts.c.key.in_(some)), key=lambda one: one.number):
                found[one.key].append(one)
        return dict(found)

    async def ended_of(self, runs: Collection[str], accounts: Collection[str], units: Collection[str]) -> list[Attempt]:
        """Return the attempts of these runs at some accounts that were bought or made and are over, the first one first."""
        mine = attempts.c.account.in_(accounts), attempts.c.unit.in_(units), attempts.c.state.in_(_OVER)
        found = [one for some in in_parts(sorted(runs)) for one in await self._find_all(attempts.c.run.in_(some), *mine)]
        return sorted(found, key=lambda one: one.id)

    async def attempt(self, attempt_id: int) -> Attempt:
        """Return the attempt with this id.

        Raises:
            JournalError: There is none.
        """
        found = await self._find(attempts.c.id == attempt_id)
        if found is None:
            raise JournalError(f"the journal {self.label} knows no attempt {attempt_id}")
        return found

    async def numbered_attempt(self, key: str, number: int) -> Attempt | None:
        """Return the attempt at a submission that has this number; None if there is none."""
        return await self._find(attempts.c.key == key, attempts.c.number == number)

    async def attempt_of(self, path: str) -> Attempt | None:
        """Return the attempt that gave the file at a path; None if there is none."""
        return await self._find(attempts.c.id.in_(sa.select(assets.c.attempt).where(assets.c.path == path)))

    async def unbound_equal(self, account: str, fingerprint: str) -> Attempt | None:
        """Return the attempt of an equal job, of any submission, that is still intended; None if there is none."""
        mine = attempts.c.account == account, attempts.c.echo == fingerprint
        return await self._find(*mine, attempts.c.state == AttemptState.INTENDED)

    async def _find(self, *where: sa.ColumnElement[bool]) -> Attempt | None:
        return next(iter(await self._find_all(*where)), None)

    @retry_while_unreachable
    async def _find_all(self, *where: sa.ColumnElement[bool]) -> list[Attempt]:
        async with self._database.transaction(reading=True) as connection:
            return await read_attempts(connection, *where)

    async def is_worked_on(self, attempt: Attempt) -> bool:
        """True if the attempt has an owner that still lives and has not given it up."""
        return attempt.owner not in (None, *given_up) and await self._owners.lives(process_of(attempt.owner))

    async def assets(self, attempt_id: int) -> list[StoredAsset]:
        """Return the files of an attempt; see `assets_of`."""
        return (await self.assets_of([attempt_id]))[attempt_id]

    @retry_while_unreachable
    async def assets_of(self, attempt_ids: Sequence[int]) -> dict[int, list[StoredAsset]]:
        """Return the files of each of these attempts, in the order of its outputs.

        A list is empty if the sidecar of one of its files cannot be read: then the files are fetched again, and not bought again.
        """
        rows: dict[int, list[sa.Row[Any]]] = {one: [] for one in attempt_ids}
        async with self._database.transaction(reading=True) as connection:
            for some in in_parts(attempt_ids):
                for row in await connection.execute(_FILES, {"some": some}):
                    rows[row.attempt].append(row)
        return {one: _readable(some) for one, some in rows.items()}

    @uncancellable
    async def runs(self) -> dict[tuple[str, int], str]:
        """Return the run of each attempt, by submission and number: the run that began it or took it over last.

        An unreachable database is not waited for.

        Raises:
            JournalError: The database cannot be used.
        """
        async with self._database.transaction(reading=True) as connection:
            rows = await connection.execute(sa.select(attempts.c.key, attempts.c.number, attempts.c.run))
            return {(row.key, row.number): row.run for row in rows}

    @retry_while_unreachable
    async def paths_of(self, digest: str) -> list[str]:
        """Return the paths of all files that have this content, or came with it, in the order in which they were stored."""
        query = sa.select(assets.c.path).where(has_content(digest), assets.c.forgotten_at.is_(None)).order_by(assets.c.id)
        async with self._database.transaction(reading=True) as connection:
            return [row.path for row in await connection.execute(query)]

    @retry_while_unreachable
    async def duplicates(self, digest: str, key: str, most: int) -> tuple[list[Duplicate], int]:
        """Return the files with the same content that came of another request, whatever its take, or of another account.

        Args:
            digest: SHA-256 of the content.
            key: The submission that has the content now.
            most: Most files to return.

        Returns:
            The first of them by path, and the number of all of them.
        """
        async with self._database.transaction(reading=True) as connection:
            rows = (await connection.execute(_DUPLICATES, {"digest": digest, "submission": key, "most": most})).all()
        return [Duplicate(row.path, row.account, row.operation, json.loads(row.request)) for row in rows], rows[
            0
        ].equal if rows else 0

    @retry_while_unreachable
    async def is_alone(self, attempt: Attempt) -> bool:
        """True if no other attempt at the same operation of its account is intended or in doubt."""
        unsettled = attempts.c.state.in_([AttemptState.INTENDED, AttemptState.IN_DOUBT])
        others = submissions.c.operation == attempt.operation, attempts.c.account == attempt.account, attempts.c.id != attempt.id
        query = sa.select(attempts.c.id).join(submissions).where(unsettled, *others)
        async with self._database.transaction(reading=True) as connection:
            return (await connection.execute(query)).first() is None

    @retry_while_unreachable
    async def owned_jobs(self, account: str) -> set[str]:
        """Return the remote ids of all jobs of an account that belong to an attempt."""
        query = sa.select(attempts.c.remote_id).where(attempts.c.account == account, attempts.c.remote_id.is_not(None))
        async with self._database.transaction(reading=True) as connection:
            return {row.remote_id for row in await connection.execute(query)}

    @retry_while_unreachable
    async def entries(self, since: datetime | None = None, until: datetime | None = None) -> list[Entry]:
        """Return every purchase of a time that was or may have been made, for the ledger.

        Args:
            since: First moment of the time; None for the beginning.
            until: First moment after the time; None for now.
        """
        async with self._database.transaction(reading=True) as connection:
            return await read_entries(connection, since, until)

    @retry_while_unreachable
    async def asked(self, campaign: str) -> dict[str, Asked]:
        """Return what a campaign asked for last, by the name of the step."""
        query = sa.select(uses.c.step, uses.c.key, *_ASKED, submissions.c.take).select_from(uses.join(submissions))
        async with self._database.transaction(reading=True) as connection:
            rows = await connection.execute(query.where(uses.c.campaign == campaign).order_by(uses.c.since, uses.c.key))
            return {row.step: Asked(row.key, row.account, row.operation, json.loads(row.request), row.take) for row in rows}

    async def standings(self, campaign: str = "") -> list[Standing]:
        """Return how each step of a campaign stands, by the last attempt at what it asked for last; of all campaigns, where none is named.

        They are in the order in which the campaigns, and in each its steps, asked for it.
        """
        rows = await self._uses_of(campaign)
        asked = {(row.campaign, row.step): row.key for row in rows}
        found, charged = await self._last_attempts(campaign)
        undecided = await self.reviews.undecided(campaign)
        decided = await self.reviews.decided(found.keys() & set(asked.values()), campaign) if campaign else {}
        return [
            Standing(*whose, found[key], charged[key], key in undecided, decided.get(key))
            for whose, key in asked.items()
            if key in found
        ]

    @retry_while_unreachable
    async def _last_attempts(self, campaign: str) -> tuple[dict[str, LastAttempt], dict[str, float]]:
        """Return the last attempt at each submission of a campaign, by key, and what all that are over were charged; see `Standing`."""
        used = sa.select(uses.c.key).where(uses.c.campaign == campaign)
        query = _LAST_ATTEMPTS.where(attempts.c.key.in_(used)) if campaign else _LAST_ATTEMPTS
        found, charged = dict[str, LastAttempt](), defaultdict[str, float](float)
        async with self._database.transaction(reading=True) as connection:
            for *values, cost in await connection.execute(query):
                last = LastAttempt(*values)
                last = replace(last, state=AttemptState(last.state), intended_at=datetime.fromisoformat(str(last.intended_at)))
                found[last.key] = last
                over = last.state not in (AttemptState.REFUSED, AttemptState.INTENDED, AttemptState.BOUND)
                charged[last.key] += (cost or 0.0) if over or last.charged is not None else 0.0
        return found, charged

    @retry_while_unreachable
    async def _uses_of(self, campaign: str) -> Sequence[sa.Row[Any, Any, Any]]:
        query = sa.select(uses.c.campaign, uses.c.step, uses.c.key).order_by(uses.c.since, uses.c.key)
        async with self._database.transaction(reading=True) as connection:
            return (await connection.execute(query.where(uses.c.campaign == campaign) if campaign else query)).all()

    async def open_attempts(self) -> list[Attempt]:
        """Return every attempt that is neither stored nor ended, the oldest first."""
        return await self._find_all(attempts.c.state.in_(OPEN))

    async def live_attempts(self, key: str) -> list[Attempt]:
        """Return every attempt that answers for a submission whose key begins with `key`."""
        return await self._find_all(attempts.c.key.startswith(key, autoescape=True), attempts.c.state.in_(LIVE))

    async def purchases(self, since: datetime | None = None, until: datetime | None = None) -> list[Attempt]:
        """Return every attempt that an account pays for, not refused, intended from `since` to before `until`, the oldest first."""
        begun = [attempts.c.intended_at >= written(since)] if since else []
        over = [attempts.c.intended_at < written(until)] if until else []
        return await self._find_all(attempts.c.state != AttemptState.REFUSED, attempts.c.unit != FREE, *begun, *over)

    async def paid_without_file(self) -> list[Attempt]:
        """Return every attempt that is or may be paid for and has no file, the oldest first.

        Its job ended and may have been charged; or it was bought more than `LATE` ago, or gave no file when it was asked for one. A stored
        attempt is among them if its files were asked for again and did not come: only the store can tell if they are there.
        """
        state, charged, told = attempts.c.state, attempts.c.charged, attempts.c.last_answer.is_not(None)
        bare = told | ~sa.exists().where(assets.c.attempt == attempts.c.id)
        late = attempts.c.bound_at < written(datetime.now(UTC) - LATE)
        return await self._find_all(
            sa.or_(
                (state == AttemptState.BOUND) & (told | late),
                (state == AttemptState.STORED) & told,
                (state == AttemptState.FAILED) & (charged.is_(None) | (charged > 0)) & bare,
                state.in_([AttemptState.CANCELLED, AttemptState.CONTENT_REFUSED]) & (charged > 0) & bare,
            )
        )

    async def waiters(self, attempt_id: int) -> list[Waiter]:
        """Return the runs that wait, or have waited, for an attempt."""
        rows = await self._interests(attempt_id)
        return [
            Waiter(row.run, await self._owners.lives(row.owner), datetime.fromisoformat(row.since), left=row.owner == NO_OWNER)
            for row in rows
        ]

    @retry_while_unreachable
    async def _interests(self, attempt_id: int) -> Sequence[sa.Row[Any]]:
        async with self._database.transaction(reading=True) as connection:
            return (await connection.execute(sa.select(waiters).where(waiters.c.attempt == attempt_id))).all()

    @retry_while_unreachable
    async def uses(self, key: str) -> list[Use]:
        """Return the uses of a submission, in the order in which they began."""
        async with self._database.transaction(reading=True) as connection:
            rows = await connection.execute(_USES, {"submission": key})
            return [
                Use(
                    campaign=row.campaign,
                    step=row.step,
                    labels=json.loads(row.labels),
                    since=datetime.fromisoformat(row.since),
                )
                for row in rows
            ]


def _readable(rows: Iterable[sa.Row[Any]]) -> list[StoredAsset]:
    """Return the files of these rows; none if the sidecar of one cannot be read."""
    with suppress(ValueError):
        return [as_asset(row) for row in rows]
    return []
