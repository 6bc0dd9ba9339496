"""The looks at an account's jobs, shared by all processes that use it: one looks, writes down what it sees, and the others read it.

The one that looks holds a lease of `LEASE_SECONDS`. When it dies or is stopped, another takes its place. Two keys under one account's name
may belong to two customers of the provider: the processes with each key have one that looks, at the jobs of which that key may tell.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia import errors
from genmedia.concurrency import end_task, set_within
from genmedia.jobs.durations import Schedule
from genmedia.jobs.job import Buyer, Job
from genmedia.jobs.watcher import ABSENCES, Look, Other
from genmedia.journal.database import Clock, Database, Now, read_clock, retry_while_unreachable
from genmedia.journal.durations import RunningTimes
from genmedia.journal.records import Attempt, AttemptState, Sight
from genmedia.journal.rows import in_parts, read_attempts
from genmedia.journal.spending import written
from genmedia.journal.tables import attempts, watchers

LEASE_SECONDS = 5.0
"""Time after which another process looks, where the one that looked is gone, in seconds."""

TICK_SECONDS = 0.1
"""Shortest pause between two readings of what another process saw, and longest time until what is pushed is written down, in seconds."""

OVERLAP_SECONDS = 5.0
"""Time for which what was read is read once more: a transaction may end after one that began later."""

LEFT_SECONDS = 5.0
"""Time for which a job is not looked at for others after a run of this process has waited for it, in seconds: the run writes its end down."""

EARLY = 1000
"""Most pushed news that are kept for jobs that the journal does not know yet."""

_TOLD = (
    attempts.update()
    .where(
        attempts.c.id == sa.bindparam("attempt"),
        attempts.c.state == AttemptState.BOUND,
        attempts.c.remote_id == sa.bindparam("job"),
        attempts.c.bound_at <= sa.bindparam("begun"),
    )
    .values(seen=sa.bindparam("told"), seen_at=Now())
)
_SEEN = _TOLD.where(attempts.c.over_at.is_(None))
_ENDED = _TOLD.values(over_at=Clock())

_BUYER = attempts.c.key_print, attempts.c.block

R = TypeVar("R", bound=Hashable)


@dataclass(frozen=True)
class _Told:
    """What was seen, as it is written down.

    Attributes:
        over: True if the job is not open any more.
        lasting: True if it is no news a second time; that a job was missing, or could not be looked at, is news each time.
        at: Time at which the look began, by `time.monotonic`.
    """

    text: str
    over: bool
    lasting: bool
    at: float

    @classmethod
    def of(cls, seen: Sight, at: float, *, gone: bool) -> "_Told":
        over = gone or bool(seen.job and seen.job.status.terminal)
        return cls(seen.model_dump_json(exclude_defaults=True), over, bool(seen.job), at)


@dataclass(frozen=True)
class Watching(Generic[R]):
    """How a process looks at an account's jobs.

    Attributes:
        reference: Returns the reference by which its watcher knows the job of an attempt.
        look_at: Has the watcher look at these jobs, and no more at others, that other processes wait for.
        look_soon: Has the watcher look now at a job that it looks at.
        deliver: Gives the watcher what another process saw, and when, by `time.monotonic`.
        listen: Begins to listen to what the provider pushes.
        hush: Ends that.
        hinted: True if webhooks may tell of jobs of the account.
        buyer: The key with which it looks.
    """

    reference: Callable[[Attempt], R]
    look_at: Callable[["Looks[R]", Mapping[R, Other]], None]
    look_soon: Callable[[R], None]
    deliver: Callable[[Look[R], float], None]
    listen: Callable[[], None]
    hush: Callable[[], Awaitable[None]]
    hinted: bool
    buyer: Buyer


class Looks(Generic[R]):
    """The board on which the processes that wait for an account's jobs tell each other what they see; a `Board` of `genmedia.jobs.watcher`.

    Args:
        database: The journal's database.
        account: The account.
        watching: How this process looks at the account's jobs.
        running_times: How long jobs run.
    """

    def __init__(self, database: Database, account: str, watching: Watching[R], running_times: RunningTimes) -> None:
        self._database = database
        self._account = account
        self._watching = watching
        self._key = watching.buyer.key_print or ""
        self._together = f"{account}|{self._key}"  # the processes of which one looks
        self._running_times = running_times
        self._name = uuid4().hex
        self._leads_until = 0.0
        self._ask_again = 0.0
        self._listens = False  # it may do so when its lease has ended: it stood still
        self._ahead = 0.0  # seconds by which the database's clock is ahead of this process's
        self._attempts: dict[R, tuple[int, str]] = {}  # by reference: the attempt and the provider's id of its job
        self._refs: dict[int, R] = {}  # by attempt
        self._foreign: dict[int, bool] = {}  # attempts that another key bought: if this process may tell that their jobs are gone
        self._awaited: Counter[int] = Counter()
        self._left: dict[int, float] = {}  # by attempt: when the last run of this process that waited for it did so no more
        self._others: dict[int, Other] = {}  # by attempt
        self._hinted: set[int] = set()  # attempts at whose job this process looked for a hint
        self._misses: Counter[R] = Counter()
        self._early: dict[R, _Told] = {}
        self._unwritten: dict[int, tuple[str, _Told]] = {}
        self._written: dict[int, str] = {}
        self._read: dict[int, float] = {}
        self._read_until = datetime.now(UTC) - timedelta(hours=1)  # by the database's clock, which may be late
        self._unread = set[int]()  # attempts that are waited for since the last reading
        self._over = set[int]()  # awaited attempts that another run has brought to their end
        self._open = True
        self._closing = False
        self._asking = set[asyncio.Future[Look[R]]]()  # looks under way
        self._alone = asyncio.Lock()
        self._keeping = asyncio.create_task(self._keep(), name="looks of an account")

    async def aclose(self) -> None:
        """Let another process look; looks under way are broken off: nobody waits for what they see, and no window would count them."""
        self._closing = True
        await end_task(self._keeping, *self._asking)
        with suppress(errors.JournalError):  # the lease ends by itself
            await self._write()
            async with self._alone:
                self._open = False  # a look that is still under way finds the journal closed
                if self._leads_until:
                    await self._end_lease()
        if self._listens:
            await self._watching.hush()

    @contextmanager
    def awaiting(self, attempt: Attempt) -> Generator[None]:
        """Wait for the job of an attempt in this process while the block runs."""
        self._know(attempt)
        self._read.pop(attempt.id, None)
        self._unread.add(attempt.id)
        self._awaited[attempt.id] += 1
        try:
            yield
        finally:
            self._awaited[attempt.id] -= 1
            if not self._awaited[attempt.id]:
                del self._awaited[attempt.id]
                self._left[attempt.id] = monotonic()
                self._forget(attempt.id)

    @property
    def pause(self) -> float | None:
        """Seconds after which to ask again who looks, where another process does; None where this one does."""
        return None if self._leads else LEASE_SECONDS

    @property
    def _leads(self) -> bool:
        return monotonic() < self._leads_until

    async def look(self, refs: frozenset[R], ask: Callable[[frozenset[R]], Awaitable[Look[R]]]) -> Look[R]:
        """Look at jobs; or, where another process looks, return what it saw of all jobs since that was read last.

        Args:
            refs: The jobs.
            ask: Asks the provider about jobs.
        """
        if not await self._lead():
            read = await self._read_what_others_saw()
            # Where another run has brought a job to its end meanwhile, the journal no longer says what was seen of it.
            ended = await self._ended(refs - read.jobs.keys())
            return read | await self._ask(ended, ask) if ended else read
        begun = monotonic()
        look = await self._ask(refs, ask)
        if any(isinstance(error, errors.CredentialsError) for error in look.failed.values()):
            # Another process may be let in where this one is not, as where a firewall refuses one machine.
            await self._give_up_lead()
            return look
        for ref, job in look.jobs.items():
            self._put(ref, Sight(job=job), begun)
        for ref in look.missing:
            self._put(ref, Sight(by=self._key), begun)
        for ref, error in look.failed.items():
            self._put(ref, Sight(error=type(error).__name__, what=error.what, by=self._key), begun)
        await self._write()
        return look

    async def _ask(self, refs: frozenset[R], ask: Callable[[frozenset[R]], Awaitable[Look[R]]]) -> Look[R]:
        """Ask the provider about jobs by `ask`; where that fails, none of them could be seen, where this board is closed, nothing was."""
        if self._closing:
            return Look({})
        asking = asyncio.ensure_future(ask(refs))
        self._asking.add(asking)
        try:
            await asyncio.wait([asking])
        finally:
            await end_task(asking)
            self._asking.discard(asking)
        try:
            return Look({}) if asking.cancelled() else asking.result()
        except errors.ApiError as error:
            return Look({}, failed=dict.fromkeys(refs, error))

    @retry_while_unreachable
    async def under_way(self, attempt_id: int) -> Job | None:
        """Return a bound job that another process looks at, and that had not ended when it did so last; None if it must be looked at."""
        # A process that lives renews its lease when half of it is over.
        looks = sa.exists().where(
            watchers.c.account == self._together, watchers.c.name != self._name, watchers.c.until > Now() + LEASE_SECONDS / 2
        )
        query = sa.select(attempts.c.seen, attempts.c.key_print).where(
            attempts.c.id == attempt_id, attempts.c.over_at.is_(None), looks
        )
        async with self._database.transaction(reading=True) as connection:
            row = (await connection.execute(query)).one_or_none()
        seen = Sight.read(row.seen) if row and self._is_shared(row.key_print) else None
        return seen.job if seen else None

    def _is_shared(self, key_print: str | None) -> bool:
        """True if a job that a key bought is looked at by whichever process looks for those with the key of this one."""
        return key_print in (None, self._watching.buyer.key_print)

    def _may_miss(self, row: Any) -> bool:
        """True if this process may tell that the job of an attempt is gone; of another key's only a process with its block may."""
        return self._watching.buyer.may_miss(Buyer(row.key_print, row.block))

    def hint(self, ref: R, job: Job) -> None:
        """Write down news that was pushed, or that came with a look at other jobs: that a job is over at once, progress within a second."""
        self._put(ref, Sight(job=job), monotonic())
        if job.status.terminal:
            self._database.changes.fire()

    def _put(self, ref: R, seen: Sight, at: float) -> None:
        if seen.job or seen.error:
            self._misses.pop(ref, None)
        else:
            self._misses[ref] += 1
        # A job that is not to be found holds no slot. Whether it is lost is for the run to find out that wants its files.
        told = _Told.of(seen, at, gone=self._misses[ref] >= ABSENCES)
        if ref in self._attempts:
            attempt, job = self._attempts[ref]
            if seen.job or self._foreign.get(attempt, True):
                self._unwritten[attempt] = job, told
        elif self._leads:
            self._early[ref] = told
            if len(self._early) > EARLY:
                del self._early[next(iter(self._early))]

    async def _keep(self) -> None:
        """Renew the lease, write down what was pushed, and have jobs looked at that other processes wait for."""
        looked = 0.0
        while True:
            changed = self._database.changes.ahead
            await asyncio.sleep(TICK_SECONDS)
            await set_within(changed, 1)
            # The next round may succeed; purchases tell what is wrong with the journal.
            with suppress(errors.GenmediaError), errors.contained("a round of looks"):
                if not await self._lead():
                    self._leave_others()
                    self._watching.deliver(await self._read_what_others_saw(), monotonic())
                    continue
                await self._write()
                hinted = await self._read_hints()
                self._hinted &= hinted
                if hinted - self._hinted or monotonic() - looked >= 1:
                    looked = monotonic()
                    await self._look_for_others()
                for one in (hinted - self._hinted) & self._refs.keys():
                    self._hinted.add(one)  # not before: if this round fails, the next one takes up the hint
                    self._watching.look_soon(self._refs[one])

    async def _give_up_lead(self) -> None:
        """Let another process look; this one asks for the lease again when others had the time to take it."""
        async with self._alone:
            self._leads_until, self._ask_again = 0.0, monotonic() + LEASE_SECONDS
            with suppress(errors.JournalError):  # the lease ends by itself
                await self._end_lease()

    async def _lead(self) -> bool:
        """True if this process looks, now or from now on."""
        async with self._alone:
            now = monotonic()  # before the lease is taken: it ends no later than this process believes
            if now < self._leads_until - LEASE_SECONDS / 2:
                return self._open
            if now < self._ask_again or not self._open:
                return False
            if await self._take_lease(now):
                if not self._listens:
                    self._listens = True
                    self._watching.listen()
                return True
            self._leads_until, self._ask_again = 0.0, now + LEASE_SECONDS / 5
        if self._listens:
            self._listens = False
            await self._watching.hush()
        return False

    @retry_while_unreachable
    async def _take_lease(self, begun: float) -> bool:
        """Take the lease, or renew it; also where the task is cancelled meanwhile, it is known here that this process has it."""
        mine = watchers.c.account == self._together
        async with self._database.transaction() as connection:
            await self._database.lock(connection, f"looks of {self._together}")
            now = (await connection.execute(sa.select(Now()))).scalar_one()
            held = (await connection.execute(sa.select(watchers).where(mine))).one_or_none()
            if held and held.name != self._name and now < held.until <= now + LEASE_SECONDS:
                return False
            self._ahead = now - monotonic()
            await connection.execute(watchers.delete().where(mine))
            lease = {"account": self._together, "name": self._name, "until": now + LEASE_SECONDS}
            await connection.execute(watchers.insert().values(lease))
        self._leads_until = begun + LEASE_SECONDS
        return True

    @retry_while_unreachable
    async def _end_lease(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(watchers.delete().where(watchers.c.name == self._name))

    async def _write(self) -> None:
        """Write down what was seen, as far as it is news, unless another process looks by now: then what was seen here may be older."""
        async with self._alone:
            if not (self._leads and self._open):
                return
            unwritten, self._unwritten = self._unwritten, {}
            news = {one: told for one, told in unwritten.items() if self._written.get(one) != told[1].text}
            for one in await self._write_down(news) if news else ():
                if one in self._refs:  # else its run has heard of the end meanwhile, and waits no more
                    self._written[one] = news[one][1].text if news[one][1].lasting else ""

    @retry_while_unreachable
    async def _write_down(self, seen: Mapping[int, tuple[str, _Told]]) -> list[int]:
        """Return the attempts at which it was written down."""
        done: list[int] = []
        async with self._database.transaction(waking=any(told.over for _, told in seen.values())) as connection:
            if not await self._holds_lease(connection):
                return done
            for one, (job, told) in seen.items():
                # A look that began before the job was bound may have seen it as it was before, such as not started.
                begun = written(datetime.fromtimestamp(told.at + self._ahead, UTC))
                values = {"attempt": one, "job": job, "begun": begun, "told": told.text}
                if (await connection.execute(_ENDED if told.over else _SEEN, values)).rowcount:
                    done.append(one)
        return done

    async def _holds_lease(self, connection: AsyncConnection) -> bool:
        query = sa.select(watchers.c.name).where(watchers.c.name == self._name, watchers.c.until > Now())
        return (await connection.execute(query)).first() is not None

    async def _read_what_others_saw(self) -> Look[R]:
        async with self._alone:
            return await self._read_rows() if self._open else Look({})

    @retry_while_unreachable
    async def _read_rows(self) -> Look[R]:
        """Return what was seen since it was read last; jobs that another run has brought to their end meanwhile are looked at soon."""
        mine = attempts.c.account == self._account
        seen = sa.select(attempts.c.id, attempts.c.seen, attempts.c.seen_at).where(
            mine, attempts.c.seen_at.is_not(None), attempts.c.state == AttemptState.BOUND
        )
        unread = sorted(self._unread)  # while these are read, others may begin to be waited for
        async with self._database.transaction(reading=True) as connection:
            now = await read_clock(connection)
            rows = list(await connection.execute(seen.where(attempts.c.seen_at > self._read_until.timestamp())))
            for some in in_parts(unread):
                rows += await connection.execute(seen.where(attempts.c.id.in_(some)))
            ended = sa.select(attempts.c.id).where(mine, attempts.c.ended_at >= written(self._read_until))
            over = [row.id for row in await connection.execute(ended)]
        self._unread.difference_update(unread)
        self._read_until = now - timedelta(seconds=OVERLAP_SECONDS)
        for one in self._awaited.keys() & set(over) - self._over:
            self._over.add(one)
            self._watching.look_soon(self._refs[one])
        return self._as_look(rows)

    def _as_look(self, rows: Iterable[sa.Row[Any, Any, Any]]) -> Look[R]:
        jobs: dict[R, Job] = {}
        missing: set[R] = set()
        failed: dict[R, errors.GenmediaError] = {}
        for row in rows:
            if row.id not in self._refs or self._read.get(row.id, 0.0) >= row.seen_at:
                continue
            self._read[row.id] = row.seen_at
            ref = self._refs[row.id]
            if (seen := Sight.read(row.seen)) is None:
                continue  # written by another version; the next look writes it anew
            if seen.job:
                jobs[ref] = seen.job
            elif seen.by != self._key:
                continue  # another key says nothing of it
            elif seen.error:
                kind = getattr(errors, seen.error, errors.ApiError)
                failed[ref] = kind(seen.what)
            else:
                missing.add(ref)
        return Look(jobs, frozenset(missing), failed)

    async def _ended(self, refs: frozenset[R]) -> frozenset[R]:
        """Return those of the jobs that no other process looks at for this one.

        Their attempt is not bound any more, or they are over, or they were bought with another key.
        """
        known = {self._attempts[ref][0]: ref for ref in refs if ref in self._attempts}
        async with self._alone:
            bound = await self._bound_among(list(known)) if self._open else set[int]()
        return frozenset(ref for attempt, ref in known.items() if attempt not in bound - self._foreign.keys())

    @retry_while_unreachable
    async def _bound_among(self, ids: Sequence[int]) -> set[int]:
        # Nobody looks at a job that is over: where no look told its end, another run has seen it, and was about to fetch the files.
        bound = sa.select(attempts.c.id).where(attempts.c.state == AttemptState.BOUND, attempts.c.over_at.is_(None))
        async with self._database.transaction(reading=True) as connection:
            return {row.id for some in in_parts(ids) for row in await connection.execute(bound.where(attempts.c.id.in_(some)))}

    @retry_while_unreachable
    async def _read_hints(self) -> set[int]:
        """Return the attempts of whose jobs a webhook told."""
        if not self._watching.hinted:
            return set()
        mine = attempts.c.account == self._account, attempts.c.state == AttemptState.BOUND, attempts.c.over_at.is_(None)
        async with self._database.transaction(reading=True) as connection:
            query = sa.select(attempts.c.id, *_BUYER).where(*mine, attempts.c.hinted_at.is_not(None))
            return {row.id for row in await connection.execute(query) if self._may_miss(row)}

    async def _look_for_others(self) -> None:
        """Have the jobs looked at that hold a slot and that nobody waits for here, whoever waits for them elsewhere, or nobody."""
        open_jobs = await self._open_jobs()
        self._left = {one: at for one, at in self._left.items() if monotonic() < at + LEFT_SECONDS}
        opened = {one: job for one, job in open_jobs.items() if one not in self._awaited and one not in self._left}
        for one in self._others.keys() - opened.keys():
            del self._others[one]
            self._forget(one)
        # A provider may give one id to two jobs: then the reference is that of the attempt which was read last, or of none.
        new = [one for one, job in opened.items() if one not in self._others or self._attempts.get(self._refs[one]) != (one, job)]
        for attempt in await self._read_attempts(new) if new else ():
            with (
                suppress(errors.DefectError),
                errors.contained(f"attempt {attempt.id}"),
            ):  # one that cannot be read hides no other
                ref = self._know(attempt)
                self._others[attempt.id] = Other(Schedule(await self._running_times.of(attempt.work)), attempt.age)
                if early := self._early.pop(ref, None):  # of this job, whenever it was bound
                    self._unwritten[attempt.id] = attempt.remote_id or "", replace(early, at=monotonic())
        self._watching.look_at(self, {self._refs[one]: other for one, other in self._others.items()})

    @retry_while_unreachable
    async def _open_jobs(self) -> dict[int, str]:
        """Return the job of each attempt that is open, and of which this process's key may tell that it is gone, by its id."""
        mine = attempts.c.account == self._account, attempts.c.state == AttemptState.BOUND, attempts.c.over_at.is_(None)
        async with self._database.transaction(reading=True) as connection:
            rows = await connection.execute(sa.select(attempts.c.id, attempts.c.remote_id, *_BUYER).where(*mine))
            return {row.id: row.remote_id for row in rows if self._may_miss(row)}

    @retry_while_unreachable
    async def _read_attempts(self, ids: Sequence[int]) -> list[Attempt]:
        async with self._database.transaction(reading=True) as connection:
            return [one for some in in_parts(ids) for one in await read_attempts(connection, attempts.c.id.in_(some))]

    def _leave_others(self) -> None:
        """Look no more at jobs that nobody waits for here, and forget what was seen and not written: another process looks."""
        self._left.clear()
        self._unwritten.clear()
        others, self._others = self._others, {}
        for one in others:
            self._forget(one)
        self._watching.look_at(self, {})

    def _know(self, attempt: Attempt) -> R:
        """Note the job of an attempt; return its reference."""
        ref = self._watching.reference(attempt)
        self._attempts[ref], self._refs[attempt.id] = (attempt.id, attempt.remote_id or ""), ref
        if not self._is_shared(attempt.key_print):
            self._foreign[attempt.id] = self._watching.buyer.may_miss(attempt.buyer)
        return ref

    def _forget(self, attempt: int) -> None:
        """Forget the job of an attempt, unless it is waited for here."""
        if attempt in self._awaited or attempt in self._others:
            return
        ref = self._refs.pop(attempt)
        if self._attempts.get(ref, (0, ""))[0] == attempt:
            del self._attempts[ref]
        self._misses.pop(ref, None)
        for kept in (self._written, self._read):
            kept.pop(attempt, None)
        self._foreign.pop(attempt, None)
        self._over.discard(attempt)
        self._unread.discard(attempt)
