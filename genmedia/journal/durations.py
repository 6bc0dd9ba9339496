"""Running times of jobs, learned from those that ended, by all processes that use the journal."""

import asyncio
from time import monotonic

import sqlalchemy as sa

from genmedia.jobs.durations import UNKNOWN, Durations
from genmedia.journal.database import Database, retry_while_unreachable
from genmedia.journal.tables import attempts

SAMPLES = 200
"""Most jobs of a kind that count: the last ones, so that a provider that becomes slower or faster is soon known as it is."""

KEPT_SECONDS = 10.0
"""Time for which what was read is used again, in seconds."""


class RunningTimes:
    """The running times of jobs, by the kind of job that it is; see `Order.work`.

    Args:
        database: The journal's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._alone = asyncio.Lock()
        self._read: dict[str, tuple[float, Durations]] = {}

    async def of(self, work: str) -> Durations:
        """Return the running times of the last jobs of a kind, as they were a few seconds ago."""
        async with self._alone:  # of many that ask at once, one reads
            read, known = self._read.get(work, (-KEPT_SECONDS, UNKNOWN))
            if monotonic() - read >= KEPT_SECONDS:
                known = await self._query(work)
                self._read[work] = monotonic(), known
            return known

    @retry_while_unreachable
    async def _query(self, work: str) -> Durations:
        mine = attempts.c.work == work, attempts.c.ran.is_not(None)
        query = sa.select(attempts.c.ran).where(*mine).order_by(attempts.c.id.desc()).limit(SAMPLES)
        async with self._database.transaction(reading=True) as connection:
            return Durations(tuple(sorted((await connection.execute(query)).scalars())))
