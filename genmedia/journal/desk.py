"""What all processes that use an account share, kept in the journal: its open jobs, and the requests that it may send in a minute."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from time import monotonic
from typing import Any, Generic
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.concurrency import Line, Signal, set_within
from genmedia.errors import JournalError
from genmedia.journal.database import Clock, Database, Now, retry_while_unreachable
from genmedia.journal.looks import TICK_SECONDS, Looks, R
from genmedia.journal.records import AttemptState
from genmedia.journal.spending import written
from genmedia.journal.tables import OPEN, attempts, limits, line, requests
from genmedia.transport.pace import ANSWER_SECONDS, LONGEST_HOLD, WINDOW_SECONDS, Pace, own_rank

CHUNKS = 50
"""Number of chunks in which an account's requests are taken: one at a time for a small plan, several for a large one.

A chunk is free again 60 seconds after the last answer of it: with 50, at most a fiftieth of the requests wait for that.
"""

MANY = 1000
"""Requests in a minute from which a chunk grows no more; an account without a known limit takes such chunks."""

ASK_SECONDS = 1.0
"""Longest pause before a process asks the journal again for what it waits for, in seconds: it may have missed a change."""

COUNT_SECONDS = 0.02
"""Shortest pause between two counts of the open jobs by a process that waits for a slot, in seconds."""

PAUSE_SECONDS = 0.25
"""Shortest pause between two tries of a process to take requests, in seconds, while others change the journal."""

TURN_SECONDS = 5.0
"""Time after which a process that waited in the line, and is gone, holds up nobody any more, in seconds."""

CUT = 0.75
"""Part of the requests of the last minute that may be sent in the next one after the provider has refused one."""

LOWEST = 5
"""Least requests in a minute to which a refusal cuts an account's limit, unless the provider itself allows less."""

GROWTH = 15
"""Minutes in which a limit that was cut doubles; it grows by six requests a minute at least."""

ORDERS = 16
"""Most orders of one rank that a process looks up and buys at once at an account: the first is bought before the last is looked up."""

SETTLED_SECONDS = 2 * ANSWER_SECONDS
"""Age from which an intent is one whose process is gone, in seconds: the answer to a purchase has come by then."""


@dataclass
class _Chunk:
    """Requests that this process has taken: number of those that were not sent, and of those that were not answered.

    Attributes:
        row: Its row in the journal.
        void_at: Time from which others count the row as void, by the database's clock.
        until: Time after which no more of it are sent, by `time.monotonic`: long before that.
    """

    row: int
    void_at: float
    taken: int
    left: int
    until: float
    open: int = 0


_AHEAD = (
    sa.select(line.c.name)
    .where(
        line.c.account == sa.bindparam("account"),
        line.c.wanted == sa.bindparam("wanted"),
        line.c.name != sa.bindparam("name"),
        line.c.rank > sa.bindparam("rank"),
        line.c.until.between(Now(), Now() + TURN_SECONDS),
    )
    .limit(1)
)
_NOW = sa.select(Now())
_KNOWN = sa.select(limits).where(limits.c.account == sa.bindparam("account"))
_MINE = requests.c.account == sa.bindparam("of")
_VOID = requests.delete().where(
    _MINE,
    (requests.c.until <= sa.bindparam("now")) | (requests.c.until > sa.bindparam("latest")),  # after a clock that was wrong
)
_TAKEN = sa.select(sa.func.coalesce(sa.func.sum(requests.c.number), 0)).where(_MINE)
_FIRST = sa.select(sa.func.min(requests.c.until)).where(_MINE)
_TAKE = requests.insert().returning(requests.c.id)
_END = (
    requests.update()
    # One that became void may be gone, and its id another process's by now.
    .where(requests.c.id == sa.bindparam("row"), requests.c.until == sa.bindparam("void_at"))
    .values(number=sa.bindparam("sent"), until=Now() + sa.bindparam("window", type_=sa.Float))
)


class _Place:
    """The place of this process in the line in which all processes wait for something of an account.

    Args:
        account: The account.
        wanted: What is waited for.

    Attributes:
        written: True if the place may stand in the journal.
    """

    def __init__(self, account: str, wanted: str) -> None:
        self.written = False
        self._name = uuid4().hex
        self._account = account
        self._wanted = wanted
        self._rank = -inf
        self._renew_at = 0.0

    def lasts(self, rank: float) -> bool:
        """True if the place need not be written down again yet."""
        return self.written and rank == self._rank and monotonic() < self._renew_at

    async def is_passed(self, connection: AsyncConnection, rank: float) -> bool:
        """True if another process waits with a higher rank."""
        mine = {"account": self._account, "wanted": self._wanted, "name": self._name, "rank": rank}
        return (await connection.execute(_AHEAD, mine)).first() is not None

    async def wait(self, connection: AsyncConnection, rank: float) -> None:
        """Write down that this process waits with such a rank."""
        await self.leave(connection)
        await connection.execute(line.delete().where(line.c.account == self._account, line.c.until < Now()))
        place = {"name": self._name, "account": self._account, "wanted": self._wanted, "rank": rank}
        await connection.execute(line.insert().values(**place, until=Now() + TURN_SECONDS))
        self.written, self._rank, self._renew_at = True, rank, monotonic() + TURN_SECONDS / 2

    async def leave(self, connection: AsyncConnection) -> None:
        """Write down that it waits no more."""
        if self.written:
            self.written = False
            await connection.execute(line.delete().where(line.c.name == self._name))


@dataclass(frozen=True)
class _Tried:
    """A try to take requests for which there were none.

    Attributes:
        rank: Its rank.
        changed: Set once the journal has changed since.
        soonest: Earliest time of another try where it has changed, by `time.monotonic`.
        latest: Time of another try in any case.
    """

    rank: float
    changed: asyncio.Event
    soonest: float
    latest: float

    @property
    def pause(self) -> float:
        """Seconds after which another try may be due; 0 if it is."""
        now = monotonic()
        due = min(self.soonest, self.latest) if self.changed.is_set() else self.latest
        return max(0.0, min(due - now, TICK_SECONDS))


class SharedWindow:
    """The requests that all processes together may send for an account in any 60 seconds; a `Window` of `genmedia.transport.pace`.

    They are taken in chunks, a row each. The row of a process that died is void when the last answer could have come and its 60 seconds
    are over. Where the provider refuses requests all the same (it publishes no limit, or another program uses the account), their number is
    lowered, and grows again with time.

    Args:
        database: The journal's database.
        account: The account.
        per_minute: Number of requests; None where the provider publishes none.
        clock_scale: Returns the factor by which a sandbox's clock runs faster.
    """

    def __init__(self, database: Database, account: str, per_minute: int | None, clock_scale: Callable[[], float]) -> None:
        self._database = database
        self._account = account
        self._per_minute = inf if per_minute is None else per_minute
        self._clock_scale = clock_scale
        self._chunks: deque[_Chunk] = deque()
        self._place = _Place(account, "requests")
        self._tried: _Tried | None = None
        self._alone = asyncio.Lock()
        self._open = True

    async def take(self, rank: float) -> float:
        """See `Window`."""
        async with self._alone:  # two that ask at once would each take a chunk
            if not self._open:
                return 0.0
            if not (self._chunks and self._chunks[-1].left and monotonic() < self._chunks[-1].until):
                if self._tried and rank <= self._tried.rank and (seconds := self._tried.pause):
                    return seconds
                changed, now = self._database.changes.ahead, monotonic()
                if seconds := await self._take_chunk(rank):
                    self._tried = _Tried(rank, changed, now + PAUSE_SECONDS, now + seconds)
                    return self._tried.pause or 0.001
                self._tried = None
            self._chunks[-1].left -= 1
            self._chunks[-1].open += 1
        return 0.0

    async def aclose(self) -> None:
        """Give back requests that were taken and not sent; those under way count as answered in a minute. The journal is asked no more."""
        async with self._alone:
            self._open = False
            while self._chunks:
                await self._end_chunk(self._chunks.popleft())

    async def answered(self, *, idle: bool) -> None:
        """See `Window`. Of which chunk the request was does not matter: each answer frees one request 60 seconds later."""
        async with self._alone:
            if not (chunk := next((one for one in self._chunks if one.open), None)):
                return  # it is closed
            chunk.open -= 1
            while self._chunks and not self._chunks[0].open and (idle or not self._chunks[0].left or len(self._chunks) > 1):
                await self._end_chunk(self._chunks.popleft())

    async def refused(self, seconds: float) -> None:
        """See `Window`."""
        async with self._alone:
            if self._open:
                with suppress(JournalError):  # this process holds back by itself
                    await self._learn(seconds)

    @retry_while_unreachable
    async def _learn(self, seconds: float) -> None:
        window = WINDOW_SECONDS / self._clock_scale()
        async with self._database.transaction() as connection:
            now, known = await self._begin(connection)
            held_until = now + seconds / self._clock_scale()
            if known and now < known.learned_at + window / 2:  # requests that were under way together are refused together
                learned = {
                    "per_minute": known.per_minute,
                    "learned_at": known.learned_at,
                    "held_until": max(held_until, known.held_until),
                }
            else:
                sent = (await self._taken(connection)) - sum(chunk.left for chunk in self._chunks)
                most = max(CUT * min(sent, self._limit(now, known)), min(LOWEST, self._per_minute))
                learned = {"per_minute": most, "learned_at": now, "held_until": held_until}
            await connection.execute(limits.delete().where(limits.c.account == self._account))
            await connection.execute(limits.insert().values(account=self._account, **learned))

    async def _begin(self, connection: AsyncConnection) -> tuple[float, sa.Row[Any] | None]:
        """Lock the account's requests and return the time by the database's clock, and what was learned of their limit."""
        await self._database.lock(connection, f"requests of {self._account}")
        now = (await connection.execute(_NOW)).scalar_one()
        known = (await connection.execute(_KNOWN, {"account": self._account})).one_or_none()
        return now, None if known and known.learned_at > now else known  # from a clock that was wrong

    def _limit(self, now: float, known: sa.Row[Any] | None) -> float:
        """Return the number of requests in a minute."""
        if known is None:
            return self._per_minute
        minutes = (now - known.learned_at) * self._clock_scale() / WINDOW_SECONDS
        return min(self._per_minute, known.per_minute + minutes * max(known.per_minute / GROWTH, 6))

    async def _taken(self, connection: AsyncConnection) -> int:
        return (await connection.execute(_TAKEN, {"of": self._account})).scalar_one()

    @retry_while_unreachable
    async def _take_chunk(self, rank: float) -> float:
        """Take a chunk and return 0, or return the seconds after which to ask again.

        Also where the task is cancelled meanwhile, what the journal has as taken is known here, for other tasks or to be given back.
        """
        window = WINDOW_SECONDS / self._clock_scale()
        longest, until = window + ANSWER_SECONDS, monotonic() + window / 2
        latest = max(window, WINDOW_SECONDS) + ANSWER_SECONDS  # a process that begins does not know how fast a sandbox's clock is
        async with self._database.transaction() as connection:
            now, known = await self._begin(connection)
            await connection.execute(_VOID, {"of": self._account, "now": now, "latest": now + latest})
            if known and now < known.held_until <= now + LONGEST_HOLD:
                return min(known.held_until - now, ASK_SECONDS)
            limit = self._limit(now, known)
            number = int(min(limit - await self._taken(connection), max(1, min(limit, MANY) // CHUNKS)))
            if number <= 0 or await self._place.is_passed(connection, rank):
                if not self._place.lasts(rank):
                    await self._place.wait(connection, rank)
                first = (await connection.execute(_FIRST, {"of": self._account})).scalar_one()
                return min(max((first or inf) - now, 0.001), ASK_SECONDS)
            await self._place.leave(connection)
            chunk = {"account": self._account, "number": number, "until": now + longest}
            row = (await connection.execute(_TAKE, chunk)).scalar_one()
        self._chunks.append(_Chunk(row, now + longest, number, number, until))
        return 0.0

    async def _end_chunk(self, chunk: _Chunk) -> None:
        """Write down that a chunk is answered; requests of it that were not sent are free at once."""
        with suppress(JournalError):  # the row becomes void by itself
            await self._write_end(chunk)

    @retry_while_unreachable
    async def _write_end(self, chunk: _Chunk) -> None:
        ended = {"row": chunk.row, "void_at": chunk.void_at, "sent": chunk.taken - chunk.left}
        async with self._database.transaction(waking=True) as connection:
            await connection.execute(_END, {**ended, "window": WINDOW_SECONDS / self._clock_scale()})


_SINCE = sa.case((attempts.c.state == AttemptState.INTENDED, attempts.c.intended_at)).label("since")
_OPEN = (
    sa.select(Clock(), attempts.c.state, _SINCE, sa.func.count())
    .where(attempts.c.account == sa.bindparam("account"), attempts.c.state.in_(OPEN), attempts.c.over_at.is_(None))
    .group_by(attempts.c.state, _SINCE)
)


async def open_jobs(connection: AsyncConnection, account: str, limit: int) -> int:
    """Return the number of jobs that count as open at an account. A job is open until it is seen ended, whoever bought it and lives.

    Of those of which nobody knows if there is a job, one less than the limit counts at most: else they could keep all others out for ever.
    """
    found = Counter[bool]()
    for clock, state, since, number in await connection.execute(_OPEN, {"account": account}):
        late = written(datetime.fromisoformat(clock) - timedelta(seconds=SETTLED_SECONDS))
        found[state == AttemptState.IN_DOUBT or (since is not None and since < late)] += number
    return found[False] + min(found[True], limit - 1)


class Slots:
    """The slots of an account's open jobs. A slot is taken in the transaction that writes an intent, and free when the job is seen ended.

    A slot is claimed before that, so that of many orders only so many are prepared as can be bought; claims are of this process.

    Args:
        database: The journal's database.
        account: The account.
        limit: Number of jobs that may be open; None for no limit.
    """

    def __init__(self, database: Database, account: str, limit: int | None) -> None:
        self.limit = limit
        self._database = database
        self._account = account
        self._claims = set[str]()
        self._line = Line()
        self._place = _Place(account, "slots")

    @asynccontextmanager
    async def claimed(self, name: str) -> AsyncGenerator[None]:
        """Wait for a free slot, and claim it under `name` while the block runs: in it an intent takes the slot, or nothing does."""
        try:
            if self.limit is not None:
                rank = own_rank()
                with self._line.joined(rank) as front:
                    while True:
                        await front.wait()
                        changed = self._database.changes.ahead
                        if await self._is_free(self.limit, rank):
                            break
                        await set_within(changed, ASK_SECONDS)
                        await asyncio.sleep(COUNT_SECONDS)  # jobs that began together end together
                    self._claims.add(name)
            yield
        finally:
            self._claims.discard(name)
            self._database.changes.fire()
            if self._place.written and not self._line:
                with suppress(JournalError):  # others wait for it no longer than `TURN_SECONDS`
                    await self._leave()

    async def _is_free(self, limit: int, rank: float) -> bool:
        """True if a slot is free for this process; else its place in the line is written down, and kept until nobody waits here."""
        free = await self._count(limit, rank)
        if (self._place.written or not free) and not self._place.lasts(rank):
            await self._wait(rank)
        return free

    @retry_while_unreachable
    async def _count(self, limit: int, rank: float) -> bool:
        async with self._database.transaction(reading=True) as connection:
            opened = await open_jobs(connection, self._account, limit) + len(self._claims)
            return opened < limit and not await self._place.is_passed(connection, rank)

    @retry_while_unreachable
    async def _wait(self, rank: float) -> None:
        async with self._database.transaction() as connection:
            await self._place.wait(connection, rank)

    @retry_while_unreachable
    async def _leave(self) -> None:
        async with self._database.transaction(waking=True) as connection:
            await self._place.leave(connection)


class Entrance:
    """Lets `ORDERS` orders of this process in at once, the highest rank first. An order waits for none of a lower rank that is inside."""

    def __init__(self) -> None:
        self._line = Line()
        self._inside = Counter[float]()  # by rank
        self._left = Signal()

    @asynccontextmanager
    async def entered(self) -> AsyncGenerator[None]:
        """Wait until an order of the block's rank may come in; it is inside while the block runs."""
        rank = own_rank()
        with self._line.joined(rank) as front:
            while True:
                await front.wait()
                left = self._left.ahead
                if sum(number for other, number in self._inside.items() if other >= rank) < ORDERS:
                    break
                await left.wait()
            self._inside[rank] += 1
        try:
            yield
        finally:
            self._inside -= Counter([rank])
            self._left.fire()


class Desk(Generic[R]):
    """What all processes that use an account share; get it with `genmedia.providers.base.at_desk`.

    Args:
        pace: The line of this process's requests, which keeps to the window until the desk is closed.

    Attributes:
        slots: The slots of its open jobs.
        window: The requests that it may send in 60 seconds.
        looks: What was seen of its jobs.
        entrance: Where orders of this process wait until they are looked up and bought.
    """

    def __init__(self, slots: Slots, window: SharedWindow, looks: Looks[R], pace: Pace) -> None:
        self.slots = slots
        self.window = window
        self.looks = looks
        self.entrance = Entrance()
        self._kept_to = ExitStack()
        self._kept_to.enter_context(pace.within(window))

    async def aclose(self) -> None:
        """Leave what this process did for the others to them."""
        with self._kept_to:  # to the last request of a look
            await self.looks.aclose()
            await self.window.aclose()
