"""What all processes that use an account share, kept in the journal: its open jobs, and the requests that it may send in a minute."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Generic

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.concurrency import set_within
from genmedia.errors import JournalError
from genmedia.journal.database import Database, Now, read_clock, retry_while_unreachable
from genmedia.journal.looks import Looks, R
from genmedia.journal.records import AttemptState
from genmedia.journal.spending import written
from genmedia.journal.tables import OPEN, attempts, requests
from genmedia.transport.pace import ANSWER_SECONDS, WINDOW_SECONDS

CHUNKS = 50
"""Number of chunks in which an account's requests are taken: one at a time for a small plan, several for a large one.

A chunk is free again 60 seconds after the last answer of it: with 50, at most a fiftieth of the requests wait for that.
"""

ASK_SECONDS = 0.1
"""Longest pause before a process looks again for a slot or for requests that another process may have freed, in seconds."""

ORDERS = 64
"""Most orders of a process that are looked up and bought at once at an account: the first is bought before the last is looked up."""

SETTLED_SECONDS = 2 * ANSWER_SECONDS
"""Age from which an intent is one whose process is gone, in seconds: the answer to a purchase has come by then."""


@dataclass
class _Chunk:
    """Requests that this process has taken: number of those that were not sent, and of those that were not answered.

    Attributes:
        row: Its row in the journal.
        until: Time after which no more of it are sent, by `time.monotonic`: long before others count the row as void.
    """

    row: int
    taken: int
    left: int
    until: float
    open: int = 0


class SharedWindow:
    """The requests that all processes together may send for an account in any 60 seconds; a `Window` of `genmedia.transport.pace`.

    They are taken in chunks, a row each. The row of a process that died is void when the last answer could have come and its 60 seconds
    are over.

    Args:
        database: The journal's database.
        account: The account.
        per_minute: Number of requests.
        clock_scale: Returns the factor by which a sandbox's clock runs faster.
    """

    def __init__(self, database: Database, account: str, per_minute: int, clock_scale: Callable[[], float]) -> None:
        self._database = database
        self._account = account
        self._per_minute = per_minute
        self._clock_scale = clock_scale
        self._chunks: deque[_Chunk] = deque()
        self._alone = asyncio.Lock()
        self._open = True

    async def take(self) -> float:
        """See `Window`."""
        async with self._alone:  # two that ask at once would each take a chunk
            if not self._open:
                return 0.0
            if not (self._chunks and self._chunks[-1].left and monotonic() < self._chunks[-1].until):
                taken = await self._take_chunk()
                if not isinstance(taken, _Chunk):
                    return taken
                self._chunks.append(taken)
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
            if not self._chunks:
                return  # it is closed
            chunk = self._chunks[0]
            chunk.open -= 1
            if chunk.open == 0 and (idle or not chunk.left or len(self._chunks) > 1):
                await self._end_chunk(self._chunks.popleft())

    @retry_while_unreachable
    async def _take_chunk(self) -> _Chunk | float:
        """Take a chunk, or return the seconds after which to ask again."""
        window = WINDOW_SECONDS / self._clock_scale()
        longest, until = window + ANSWER_SECONDS, monotonic() + window / 2
        mine = requests.c.account == self._account
        async with self._database.transaction() as connection:
            await self._database.lock(connection, f"requests of {self._account}")
            now = (await connection.execute(sa.select(Now()))).scalar_one()
            void = (requests.c.until <= now) | (requests.c.until > now + longest)  # after a clock that was wrong
            await connection.execute(requests.delete().where(mine, void))
            taken, first = (
                await connection.execute(sa.select(sa.func.sum(requests.c.number), sa.func.min(requests.c.until)).where(mine))
            ).one()
            if (number := min(self._per_minute - (taken or 0), max(1, self._per_minute // CHUNKS))) <= 0:
                return float(min(max(first - now, 0.001), ASK_SECONDS))
            chunk = {"account": self._account, "number": number, "until": now + longest}
            row = await connection.execute(requests.insert().values(chunk).returning(requests.c.id))
            return _Chunk(row.scalar_one(), number, number, until)

    async def _end_chunk(self, chunk: _Chunk) -> None:
        """Write down that a chunk is answered; requests of it that were not sent are free at once."""
        with suppress(JournalError):  # the row becomes void by itself
            await self._write_end(chunk)

    @retry_while_unreachable
    async def _write_end(self, chunk: _Chunk) -> None:
        until = Now() + WINDOW_SECONDS / self._clock_scale()
        async with self._database.transaction() as connection:
            ended = {"number": chunk.taken - chunk.left, "until": until}
            await connection.execute(requests.update().where(requests.c.id == chunk.row).values(ended))


async def open_jobs(connection: AsyncConnection, account: str, limit: int) -> int:
    """Return the number of jobs that count as open at an account. A job is open until it is seen ended, whoever bought it and lives.

    Of those of which nobody knows if there is a job, one less than the limit counts at most: else they could keep all others out for ever.
    """
    late = written(await read_clock(connection) - timedelta(seconds=SETTLED_SECONDS))
    doubtful = (attempts.c.state == AttemptState.IN_DOUBT) | (
        (attempts.c.state == AttemptState.INTENDED) & (attempts.c.intended_at < late)
    )
    mine = attempts.c.account == account, attempts.c.state.in_(OPEN), attempts.c.over_at.is_(None)
    counted = sa.select(doubtful, sa.func.count()).where(*mine).group_by(doubtful)
    found = {bool(row[0]): row[1] for row in await connection.execute(counted)}
    return found.get(False, 0) + min(found.get(True, 0), limit - 1)


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
        self._line = asyncio.Lock()

    @asynccontextmanager
    async def claimed(self, name: str) -> AsyncGenerator[None]:
        """Wait for a free slot, and claim it under `name` while the block runs: in it an intent takes the slot, or nothing does."""
        if self.limit is not None:
            async with self._line:
                while True:
                    changed = self._database.changes.ahead
                    if await self._count(self.limit) + len(self._claims) < self.limit:
                        break
                    await set_within(changed, ASK_SECONDS)
                self._claims.add(name)
        try:
            yield
        finally:
            self._claims.discard(name)
            self._database.changes.fire()

    @retry_while_unreachable
    async def _count(self, limit: int) -> int:
        async with self._database.transaction(reading=True) as connection:
            return await open_jobs(connection, self._account, limit)


class Desk(Generic[R]):
    """What all processes that use an account share; get it with `genmedia.providers.base.at_desk`.

    Attributes:
        slots: The slots of its open jobs.
        window: The requests that it may send in 60 seconds; None where there is no limit.
        looks: What was seen of its jobs.
        entrance: Lets so many orders of this process in at once.
    """

    def __init__(self, slots: Slots, window: SharedWindow | None, looks: Looks[R]) -> None:
        self.slots = slots
        self.window = window
        self.looks = looks
        self.entrance = asyncio.Semaphore(ORDERS)

    async def aclose(self) -> None:
        """Leave what this process did for the others to them."""
        await self.looks.aclose()
        if self.window:
            await self.window.aclose()
