"""Which process works on an attempt, and whether it still lives; never asked of Prefect, where a killed run stays running."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import sqlalchemy as sa

from genmedia.concurrency import end_task
from genmedia.errors import JournalError
from genmedia.journal import locks
from genmedia.journal.database import Database, retry_while_unreachable, uncancellable
from genmedia.journal.tables import owners
from genmedia.transport.pace import ANSWER_SECONDS

LEASE_SECONDS = 1.5 * ANSWER_SECONDS
"""Longer than an answer to a purchase may take: none is sent unless the lease outlives it."""

RENEWALS = 9
"""In the time of one lease."""


given_up = set[str | None]()
"""Claims that this process works on no more, though that is not written down yet."""


class Owners(Protocol):
    """The processes that share a journal."""

    async def me(self) -> str:
        """This process's name; it counts as alive from now on."""
        ...

    async def lives(self, name: str) -> bool:
        """Whether the process of that name may still be at work."""
        ...

    async def outlasts(self, name: str, seconds: float) -> bool:
        """Whether this process surely counts as alive for so long under a name of its own, and has since it was named so."""
        ...

    async def aclose(self) -> None:
        """Be known as gone."""
        ...


class Locks:
    """Of a file on this machine: each process holds a lock that the kernel frees when it dies, however it dies.

    Args:
        folder: Where the locks are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def me(self) -> str:
        """This process's name; its lock is held until it ends."""
        with self._in_words():
            return locks.own_name(self._folder)

    async def lives(self, name: str) -> bool:
        """Whether its lock is held; a process that is stopped holds it too."""
        with self._in_words():
            return locks.is_alive(self._folder, name)

    async def outlasts(self, name: str, seconds: float) -> bool:  # noqa: ARG002 # a lock that is there lasts as long as the process
        """Whether the lock is still where other processes look for it: whoever removes the folder removes it."""
        return locks.is_held(self._folder, name)

    async def aclose(self) -> None:
        """The lock serves every journal of the process."""

    @contextmanager
    def _in_words(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise JournalError(
                f"the folder {self._folder}, in which each process that uses the journal holds a lock, cannot be used: {reason}",
                advice="Make it a folder in which you may write, with files that you may write; without running processes it may be "
                "removed. Then run again: what was bought is not bought again.",
            ) from None


class Leases:
    """Of a database that several machines share: each holds a row that is renewed on the database's clock.

    A process that stands still for longer than a lease counts as dead, and finds that out before it sends a purchase.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = ""
        self._until = 0.0
        self._alone = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    @retry_while_unreachable
    async def me(self) -> str:
        """The name of this process's lease; of a new one where the last has run out."""
        async with self._alone:
            if not self._name or _now() >= self._until:
                await self._begin()
            return self._name

    @retry_while_unreachable
    async def lives(self, name: str) -> bool:
        """Whether its lease runs."""
        query = sa.select(owners.c.name).where(owners.c.name == name, owners.c.expires_at > sa.func.clock_timestamp())
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).first() is not None

    @retry_while_unreachable
    async def outlasts(self, name: str, seconds: float) -> bool:
        """Whether that lease runs for so long, renewed if it must be."""
        async with self._alone:
            if name != self._name:
                return False
            return _now() + seconds < self._until or (await self._renew() and _now() + seconds < self._until)

    async def aclose(self) -> None:
        """End the lease."""
        if self._renewing:
            await end_task(self._renewing)
        if self._name:
            with suppress(JournalError):  # it runs out by itself
                await self._end()

    @uncancellable
    async def _end(self) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(owners.delete().where(owners.c.name == self._name))

    async def _begin(self) -> None:
        name, begun = uuid4().hex, _now()
        clock = sa.func.clock_timestamp()
        async with self._database.transaction() as connection:
            await connection.execute(owners.delete().where(owners.c.expires_at < clock - timedelta(days=1)))
            await connection.execute(owners.insert().values(name=name, expires_at=clock + timedelta(seconds=LEASE_SECONDS)))
        self._name, self._until = name, begun + LEASE_SECONDS
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._keep(), name="journal lease")

    async def _renew(self) -> bool:
        begun, clock = _now(), sa.func.clock_timestamp()
        change = owners.update().where(owners.c.name == self._name, owners.c.expires_at > clock)
        async with self._database.transaction() as connection:
            done = await connection.execute(change.values(expires_at=clock + timedelta(seconds=LEASE_SECONDS)))
        if done.rowcount == 1:
            self._until = begun + LEASE_SECONDS
        return done.rowcount == 1

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / RENEWALS)
            with suppress(JournalError):  # the next may reach it; what was begun is finished under the lease there is
                await self._renew_alone()

    @uncancellable
    async def _renew_alone(self) -> None:
        async with self._alone:
            await self._renew()


def _now() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def process_of(claim: str | None) -> str:
    """The name of the process that a claim is of."""
    return (claim or "").partition("/")[0]
