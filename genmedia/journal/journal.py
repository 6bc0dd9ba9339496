"""The journal: what was asked for, what was bought for it, and which files came of it, in SQL."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.errors import JournalError, SupersededError
from genmedia.jobs import Counter
from genmedia.journal.database import Database, outlasting, whole
from genmedia.journal.ledger import Entry, read_entries
from genmedia.journal.money import Money, check, check_loss, hold_after_failures
from genmedia.journal.owners import Leases, Locks
from genmedia.journal.rows import NAMED, NEVER_SENT, Attempt, AttemptState, Interest, PastPurchase, StoredAsset, Wish
from genmedia.journal.tables import LIVE, OPEN, assets, attempts, interests, submissions
from genmedia.leasing import leased
from genmedia.limits import ANSWER_SECONDS

CLAIM_SECONDS = 0.2
"""Between two looks at an attempt that somebody else works on."""

_left = set[str | None]()
"""Claims that this process works on no more, though that is not written down yet."""


class Journal:
    """The tables, open on one event loop; get it with `Journal.lease`.

    While the database is gone its callers wait. Each change may be done twice: it finds what it has done.

    Args:
        url: A SQLAlchemy address of a SQLite file or of a PostgreSQL database.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.money = Money(self._database)
        file = self._database.file
        self._owners = Locks(file.parent / "owners") if file else Leases(self._database)

    @property
    def label(self) -> str:
        """Where it is, for people; without a password."""
        return self._database.label

    @classmethod
    def lease(cls, url: str) -> AbstractAsyncContextManager["Journal"]:
        """The journal at `url` on this event loop: shared while anybody holds it, closed with the last."""
        return leased(("journal", url), lambda: cls(url))

    async def copy_to(self, target: Path) -> None:
        """Write all that the journal knows at this moment into a file; see `Database.copy_to`."""
        await self.open_attempts()  # a journal that was not used yet is made by that
        await self._database.copy_to(target)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._owners.aclose()
        await self._database.aclose()

    # Looking

    async def live_attempt(self, key: str) -> Attempt | None:
        """The attempt that answers for the submission `key`; None when nothing was bought or all attempts failed."""
        return await self._find(attempts.c.key == key, attempts.c.state.in_(LIVE))

    async def attempt(self, attempt_id: int) -> Attempt:
        """The attempt of this number.

        Raises:
            JournalError: There is none.
        """
        found = await self._find(attempts.c.id == attempt_id)
        if found is None:
            raise JournalError(f"the journal {self.label} knows no attempt {attempt_id}")
        return found

    async def unbound_equal(self, account: str, echo: str) -> Attempt | None:
        """The attempt of an equal job, of whichever submission, of which nobody knows yet what became of it."""
        mine = attempts.c.account == account, attempts.c.echo == echo
        return await self._find(*mine, attempts.c.state == AttemptState.INTENDED)

    async def _find(self, *where: sa.ColumnElement[bool]) -> Attempt | None:
        return next(iter(await self._find_all(*where)), None)

    @outlasting
    async def _find_all(self, *where: sa.ColumnElement[bool]) -> list[Attempt]:
        query = sa.select(attempts, submissions.c.operation, submissions.c.request, submissions.c.take).join(submissions)
        async with self._database.transaction() as connection:
            return [_as_attempt(row) for row in await connection.execute(query.where(*where).order_by(attempts.c.intended_at))]

    async def is_worked_on(self, attempt: Attempt) -> bool:
        """Whether the attempt has an owner that still lives."""
        return attempt.owner not in (None, *_left) and await self._owners.lives(_process(attempt.owner))

    @outlasting
    async def assets(self, attempt_id: int) -> list[StoredAsset]:
        """The files that came of an attempt, in the order of its outputs."""
        query = sa.select(assets).where(assets.c.attempt == attempt_id).order_by(assets.c.id)
        async with self._database.transaction() as connection:
            rows = await connection.execute(query)
            return [StoredAsset(row.path, row.output, row.sha256, json.loads(row.sidecar)) for row in rows]

    @outlasting
    async def paths_of(self, digest: str) -> list[str]:
        """The paths of all files that have this content, or came with it, in the order they were stored."""
        query = sa.select(assets.c.path).where(_has_content(digest)).order_by(assets.c.id)
        async with self._database.transaction() as connection:
            return [row.path for row in await connection.execute(query)]

    @outlasting
    async def twins(self, digest: str, key: str) -> list[str]:
        """The paths of files with the same content that were bought by a different request, whatever its take.

        Args:
            digest: The content's SHA-256.
            key: The submission that has it now.
        """
        mine = sa.select(submissions.c.account, submissions.c.operation, submissions.c.request).where(submissions.c.key == key)
        theirs = sa.tuple_(submissions.c.account, submissions.c.operation, submissions.c.request)
        joined = assets.join(attempts).join(submissions)
        query = sa.select(assets.c.path).select_from(joined).where(_has_content(digest), theirs.not_in(mine))
        async with self._database.transaction() as connection:
            return [row.path for row in await connection.execute(query.order_by(assets.c.path))]

    @outlasting
    async def is_alone(self, attempt: Attempt) -> bool:
        """Whether of no other attempt at the same operation of its account nobody knows what became of it."""
        unsettled = attempts.c.state.in_([AttemptState.INTENDED, AttemptState.IN_DOUBT])
        others = submissions.c.operation == attempt.operation, attempts.c.account == attempt.account, attempts.c.id != attempt.id
        query = sa.select(attempts.c.id).join(submissions).where(unsettled, *others)
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).first() is None

    @outlasting
    async def owned_jobs(self, account: str) -> set[str]:
        """The remote ids of all jobs of an account that belong to an attempt."""
        query = sa.select(attempts.c.remote_id).where(attempts.c.account == account, attempts.c.remote_id.is_not(None))
        async with self._database.transaction() as connection:
            return {row.remote_id for row in await connection.execute(query)}

    @outlasting
    async def entries(self, since: datetime | None = None, until: datetime | None = None) -> list[Entry]:
        """Everything that was bought, or may have been, in a time: for the ledger.

        Args:
            since: The first moment; None for the beginning.
            until: The first moment after; None for now.
        """
        async with self._database.transaction() as connection:
            return await read_entries(connection, since, until)

    async def open_attempts(self) -> list[Attempt]:
        """Every attempt that is neither stored nor over, the oldest first."""
        return await self._find_all(attempts.c.state.in_(OPEN))

    async def interests(self, attempt_id: int) -> list[Interest]:
        """The runs that have waited for an attempt."""
        rows = await self._interests(attempt_id)
        return [Interest(row.run, await self._owners.lives(row.owner), datetime.fromisoformat(row.since)) for row in rows]

    @outlasting
    async def _interests(self, attempt_id: int) -> Sequence[sa.Row[Any]]:
        async with self._database.transaction() as connection:
            return (await connection.execute(sa.select(interests).where(interests.c.attempt == attempt_id))).all()

    # Buying

    async def intend(self, wish: Wish, asked_at: datetime, counter: Counter | None = None) -> Attempt | None:
        """Write down the wish to buy, before anything is sent; None when another attempt is live already, or an equal one unbound.

        What it may cost is reserved by that: of all processes none spends what is reserved.

        Args:
            wish: What is wanted.
            asked_at: The provider's time.
            counter: What it said was used of the account, if it says so.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: It may cost more than a cap leaves, or there is a cap and nobody knows.
        """
        claim = await self._claim_name()
        try:
            await self._intend(wish, asked_at, counter, claim)
            return await self._find(attempts.c.key == wish.key, attempts.c.owner == claim)
        except BaseException:
            with suppress(JournalError):
                await self._let_go(
                    claim, attempts.c.key == wish.key, state=AttemptState.REFUSED, ended_at=_now(), reason=NEVER_SENT
                )
            raise

    @outlasting
    async def _intend(self, wish: Wish, asked_at: datetime, counter: Counter | None, claim: str) -> None:
        now = _now()
        try:
            async with self._database.transaction() as connection:
                await self._database.lock(connection, wish.account)
                live = sa.select(attempts.c.id).where(attempts.c.key == wish.key, attempts.c.state.in_(LIVE))
                if (await connection.execute(live)).first() is None:
                    await check(connection, wish)
                    await _know(connection, wish, now)
                    attempt = await _new_attempt(connection, wish, now, asked_at, counter, claim)
                    made = await connection.execute(attempts.insert().values(attempt).returning(attempts.c.id))
                    # Whoever dies or is cancelled before it waits for the job has wanted it all the same.
                    if run := wish.purpose.run:
                        await connection.execute(interests.insert().values(_interest(made.scalar_one(), run, _process(claim))))
        except IntegrityError:
            pass  # an equal job is unbound, or on a database that locks by row another was faster

    async def take_over(self, attempt: Attempt) -> Attempt | None:
        """Become the owner of an attempt whose owner is gone; None when somebody else was faster."""
        claim = await self._claim_name()
        try:
            return await self._take_over(attempt, claim)
        except BaseException:
            with suppress(JournalError):
                await self._let_go(claim, attempts.c.id == attempt.id)
            raise

    async def _take_over(self, attempt: Attempt, claim: str) -> Attempt | None:
        free = attempts.c.owner.is_not_distinct_from(attempt.owner) | (attempts.c.owner == claim)
        mine = await self._update(attempts.c.id == attempt.id, attempts.c.state == attempt.state, free, owner=claim)
        return replace(attempt, owner=claim) if mine else None

    async def assure(self, attempt: Attempt) -> None:
        """Make sure, just before it is bought, that nobody takes the attempt for given up before its answer can have come.

        Raises:
            SupersededError: This process stood still for so long that somebody may have.
            HeldError: The account spends nothing since it was written down.
        """
        await self.money.check_hold(attempt.account)
        if not await self._owners.outlasts(_process(attempt.owner), ANSWER_SECONDS):
            raise SupersededError("this process stood still for too long before it could send the purchase")

    async def release(self, attempt: Attempt) -> None:
        """Give up an attempt that was interrupted, so that anyone may settle what became of it."""
        await self._let_go(attempt.owner, attempts.c.id == attempt.id)

    @whole
    async def _let_go(self, claim: str | None, *which: sa.ColumnElement[bool], **values: Any) -> None:
        _left.add(claim)
        await self._update(*which, attempts.c.owner == claim, owner=None, **values)
        _left.discard(claim)

    @whole
    @outlasting
    async def bind(self, attempt: Attempt, remote_id: str, reason: str = "") -> None:
        """Write down which remote job the attempt is; from here on anyone can resume it.

        Args:
            attempt: Which attempt.
            remote_id: The provider's id of the job.
            reason: `NAMED` where a person said so.

        Raises:
            SupersededError: Another process holds it to be another job.
        """
        unknown = (attempts.c.state == AttemptState.IN_DOUBT) | (attempts.c.state == AttemptState.INTENDED)
        same = (attempts.c.remote_id == remote_id) & attempts.c.state.in_(LIVE)
        bound = {"state": AttemptState.BOUND, "remote_id": remote_id, "owner": None, "bound_at": _now(), "reason": reason}
        async with self._database.transaction() as connection:
            mine = attempts.c.id == attempt.id
            if (await connection.execute(attempts.update().where(mine, unknown).values(bound))).rowcount:
                return
            if (await connection.execute(sa.select(attempts.c.id).where(mine, same))).first():
                return
        raise SupersededError(f"job {remote_id} came of a submission that another process has settled meanwhile")

    async def refuse(self, attempt: Attempt, reason: str) -> None:
        """Write down that nothing was bought."""
        await self._let_go(attempt.owner, *_intended(attempt), state=AttemptState.REFUSED, reason=reason, ended_at=_now())

    async def acquit(self, attempt: Attempt, reason: str) -> bool:
        """Write down that an attempt in doubt was never accepted, and costs nothing; False when it is in doubt no more."""
        mine = attempts.c.id == attempt.id, attempts.c.state == AttemptState.IN_DOUBT
        return await self._update(*mine, state=AttemptState.REFUSED, reason=reason, ended_at=_now())

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Write down that nobody can tell whether it was bought; its price counts as spent."""
        await self._let_go(attempt.owner, *_intended(attempt), state=AttemptState.IN_DOUBT, reason=reason)

    # What came of it

    async def charge(self, attempt_id: int, charged: float | None) -> float:
        """Write down what a remote job cost; what of it the caller is to report: nothing where it was written down before."""
        unknown = attempts.c.id == attempt_id, attempts.c.charged.is_(None)
        return charged or 0.0 if await self._update(*unknown, charged=charged) else 0.0

    async def want(self, attempt_id: int, run: str) -> None:
        """Write down that a run waits for an attempt: as long as it lives, nobody else ends the job."""
        await self._want(attempt_id, run, await self._owners.me())

    @outlasting
    async def _want(self, attempt_id: int, run: str, owner: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(interests.delete().where(interests.c.attempt == attempt_id, interests.c.run == run))
            await connection.execute(interests.insert().values(_interest(attempt_id, run, owner)))

    async def give_up(self, attempt: Attempt, reason: str, again: Wish | None = None) -> bool:
        """Write down that an open attempt answers for nothing any more, and counts as spent; False when it is not as it was given.

        Args:
            attempt: Which; nobody may be at work on it.
            reason: Why.
            again: The wish, where it is to be bought once more.

        Raises:
            HeldError, BudgetError: What is wished for again may not be spent; nothing is written down.
        """
        return not await self.is_worked_on(attempt) and await self._give_up(attempt, reason, again)

    @outlasting
    async def _give_up(self, attempt: Attempt, reason: str, again: Wish | None) -> bool:
        ended = {"state": AttemptState.FAILED, "owner": None, "ended_at": _now(), "reason": reason}
        mine = (
            attempts.c.id == attempt.id,
            attempts.c.state == attempt.state,
            attempts.c.owner.is_not_distinct_from(attempt.owner),
        )
        async with self._database.transaction() as connection:
            await self._database.lock(connection, attempt.account)
            if again:
                await check(connection, again)
            return (await connection.execute(attempts.update().where(*mine).values(ended))).rowcount == 1

    @asynccontextmanager
    async def claimed(self, attempt_id: int) -> AsyncGenerator[Attempt]:
        """Be the only one, in all processes, who works on an attempt that was bought; whoever is at it is waited for.

        Raises:
            SupersededError: It was given up meanwhile; another answers for its submission, or none does.
        """
        claim = await self._claim_name()
        try:
            while (attempt := await self._claim(attempt_id, claim)) is None:  # noqa: ASYNC110 # it may be another process that lets go
                await asyncio.sleep(CLAIM_SECONDS)
            yield attempt
        finally:
            await self._let_go(claim, attempts.c.id == attempt_id)

    async def _claim(self, attempt_id: int, claim: str) -> Attempt | None:
        attempt = await self._find(attempts.c.id == attempt_id)
        if attempt is None or not attempt.state.live:
            raise SupersededError(f"it was given up meanwhile: {attempt.reason if attempt else 'the journal knows it no more'}")
        if attempt.owner != claim and await self.is_worked_on(attempt):
            return None
        return await self._take_over(attempt, claim)

    @outlasting
    async def store(self, attempt: Attempt, stored: Sequence[StoredAsset]) -> None:
        """Write down the files that came of an attempt that is claimed, and that it is done.

        Raises:
            SupersededError: It is claimed no more.
        """
        rows = [{**_as_row(asset), "attempt": attempt.id} for asset in stored]
        done = {"state": AttemptState.STORED, "ended_at": _now()}
        async with self._database.transaction() as connection:
            mine = attempts.c.id == attempt.id, attempts.c.owner == attempt.owner
            if not (await connection.execute(attempts.update().where(*mine).values(done))).rowcount:
                raise SupersededError("another process took its files over")
            paths = [asset.path for asset in stored]
            await connection.execute(assets.delete().where((assets.c.attempt == attempt.id) | assets.c.path.in_(paths)))
            if rows:
                await connection.execute(assets.insert(), rows)

    async def cancel(self, attempt_id: int) -> bool:
        """Write down that a person has ended the remote job; False when its files are in the store, or somebody fetches them."""
        ended = {"state": AttemptState.CANCELLED, "ended_at": _now(), "reason": "a person cancelled it"}
        return await self._update(*_ends(attempt_id), **ended)

    async def vanish(self, attempt_id: int, reason: str) -> None:
        """Write down that the provider knows the job no more; one that a person named is in doubt again, for the name may be wrong."""
        named = (*_ends(attempt_id), attempts.c.reason == NAMED)
        again = {"state": AttemptState.IN_DOUBT, "remote_id": None, "reason": f"{NAMED}, but {reason}"}
        if not await self._update(*named, **again):
            await self.fail(attempt_id, reason)

    @outlasting
    async def fail(self, attempt_id: int, reason: str, spare: float | None = None) -> bool:
        """Write down that the remote job ended without a result; False when its files are in the store, or somebody fetches them.

        An account that pays for nothing but failures is held by that; see `money`.

        Args:
            attempt_id: Which attempt.
            reason: Why.
            spare: Where it is given up in order to buy it again: what the run may lose by such, beyond its plan; None for no limit.

        Raises:
            BudgetError: With it the run would lose more than `spare`; nothing is written down.
        """
        ended = {"state": AttemptState.FAILED, "owner": None, "ended_at": _now()}
        whose = sa.select(attempts.c.account).where(attempts.c.id == attempt_id)
        async with self._database.transaction() as connection:
            account = (await connection.execute(whose)).scalar_one()
            await self._database.lock(connection, account)
            if spare is not None:
                await check_loss(connection, attempt_id, spare)
            if not (
                await connection.execute(attempts.update().where(*_ends(attempt_id)).values(reason=reason, **ended))
            ).rowcount:
                return False
            await hold_after_failures(connection, account)
            return True

    async def write_off(self, origin: str, has: Callable[[str], Awaitable[bool]]) -> int:
        """Fail every attempt at an origin that is not wholly in the store; how many.

        For a sandbox that was started anew: it knows no job of the one before it.

        Args:
            origin: Scheme, host and port, as in an account.
            has: Whether the store still holds a file.
        """
        found = await self._find_all(attempts.c.account.contains(f"|{origin}|"), attempts.c.state.in_(LIVE))
        gone = {"state": AttemptState.FAILED, "owner": None, "ended_at": _now(), "charged": 0}
        lost = 0
        for attempt in found:
            if attempt.state is AttemptState.STORED and all([await has(asset.path) for asset in await self.assets(attempt.id)]):
                continue
            lost += await self._update(attempts.c.id == attempt.id, reason="its sandbox was stopped", **gone)
        return lost

    @whole
    async def restore(self, purchases: Sequence[PastPurchase]) -> dict[str, str]:
        """Write down purchases made long ago; nothing that is written down already is changed.

        Where there are several for one submission, the latest answers for it, unless another does already.

        Returns:
            The path of each file that is passed over, and why.
        """
        passed_over: dict[str, str] = {}
        async with self._database.transaction() as connection:
            for past in sorted(purchases, key=lambda one: -one.number):
                known = attempts.c.key == past.key, attempts.c.number == past.number
                if (await connection.execute(sa.select(attempts.c.id).where(*known))).first():
                    passed_over |= {asset.path: "the journal knows its purchase" for asset in past.assets}
                    continue
                taken = await _paths_among(connection, [asset.path for asset in past.assets])
                passed_over |= dict.fromkeys(taken, "the journal knows another purchase's file there")
                attempt = await _insert_past(connection, past, whole=past.whole and not taken)
                rows = [{**_as_row(asset), "attempt": attempt} for asset in past.assets if asset.path not in taken]
                if rows:
                    await connection.execute(assets.insert(), rows)
        return passed_over

    async def _claim_name(self) -> str:
        """A name for one piece of work of this process, which counts as alive from now on."""
        return f"{await self._owners.me()}/{uuid4().hex[:12]}"

    @outlasting
    async def _update(self, *where: sa.ColumnElement[bool], **values: Any) -> bool:
        async with self._database.transaction() as connection:
            result = await connection.execute(attempts.update().where(*where).values(**values))
            return result.rowcount == 1


async def _know(connection: AsyncConnection, wish: Wish | PastPurchase, created: str) -> None:
    """Write the submission down, unless it is."""
    known = await connection.execute(sa.select(submissions.c.key).where(submissions.c.key == wish.key))
    if known.first() is None:
        about = {"account": wish.account, "operation": wish.operation, "request": json.dumps(wish.request), "take": wish.take}
        await connection.execute(submissions.insert().values(key=wish.key, created_at=created, **about))


async def _new_attempt(
    connection: AsyncConnection, wish: Wish, now: str, asked_at: datetime, counter: Counter | None, claim: str
) -> dict[str, Any]:
    last = await connection.execute(sa.select(sa.func.max(attempts.c.number)).where(attempts.c.key == wish.key))
    purpose = wish.purpose
    return {
        "key": wish.key,
        "number": (last.scalar() or 0) + 1,
        "account": wish.account,
        "state": AttemptState.INTENDED,
        "owner": claim,
        "echo": wish.echo,
        "campaign": purpose.campaign,
        "run": purpose.run,
        "labels": json.dumps(dict(purpose.labels), sort_keys=True),
        "origin": json.dumps({"step": purpose.step, "inputs": list(map(dict, purpose.inputs))}),
        "price": wish.price,
        "reserved": wish.reserved,
        "unit": wish.unit,
        "intended_at": now,
        "asked_at": asked_at.isoformat(),
        "used": counter and counter.used,
        "used_at": counter and counter.at.isoformat(),
    }


def _interest(attempt_id: int, run: str, owner: str) -> dict[str, Any]:
    return {"attempt": attempt_id, "run": run, "owner": owner, "since": _now()}


async def _insert_past(connection: AsyncConnection, past: PastPurchase, *, whole: bool) -> int:
    """The id of the attempt that stands for it."""
    await _know(connection, past, past.created)
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
        "labels": json.dumps(dict(past.labels), sort_keys=True),
        "price": past.price,
        "reserved": past.price,
        "charged": past.charged,
        "unit": past.unit,
        "reason": "another attempt answers for it" if answered else "",
        "intended_at": past.created,
        "bound_at": past.created,
        "ended_at": None if state is AttemptState.BOUND else past.stored,
    }
    return int((await connection.execute(attempts.insert().values(values).returning(attempts.c.id))).scalar_one())


async def _paths_among(connection: AsyncConnection, paths: Sequence[str]) -> set[str]:
    return {row.path for row in await connection.execute(sa.select(assets.c.path).where(assets.c.path.in_(paths)))}


def _intended(attempt: Attempt) -> tuple[sa.ColumnElement[bool], ...]:
    return attempts.c.id == attempt.id, attempts.c.state == AttemptState.INTENDED


def _ends(attempt_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    """An attempt whose job may be told as over: nobody has its files, or fetches them."""
    return attempts.c.id == attempt_id, attempts.c.state == AttemptState.BOUND, attempts.c.owner.is_(None)


def _process(claim: str | None) -> str:
    return (claim or "").partition("/")[0]


def _as_row(asset: StoredAsset) -> dict[str, str]:
    told = {"path": asset.path, "output": asset.output, "sha256": asset.sha256}
    return {**told, "came_as": asset.came_as, "sidecar": json.dumps(asset.sidecar)}


def _has_content(digest: str) -> sa.ColumnElement[bool]:
    return (assets.c.sha256 == digest) | (assets.c.came_as == digest)


def _as_attempt(row: Any) -> Attempt:
    values: dict[str, Any] = {name: getattr(row, name) for name in Attempt.__dataclass_fields__}
    values |= {name: datetime.fromisoformat(values[name]) for name in ("intended_at", "asked_at", "used_at") if values[name]}
    values |= {name: json.loads(values[name]) for name in ("request", "labels", "origin")}
    values |= {"state": AttemptState(row.state)}
    return Attempt(**values)


def _now() -> str:
    return datetime.now(UTC).isoformat()
