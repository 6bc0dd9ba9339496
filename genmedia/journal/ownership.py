"""The processes that work on attempts, and if they still live. Prefect is never asked, because there a killed run stays running."""

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
"""Length of a lease, in seconds: longer than an answer to a purchase may take. No purchase is sent unless the lease outlives the answer."""

RENEWALS = 9
"""Number of renewals in the time of one lease."""


given_up = set[str | None]()
"""Claims that this process no longer works on, though that is not written down yet."""


class Owners(Protocol):
    """The processes that share a journal."""

    async def me(self) -> str:
        """Return this process's name; it counts as alive from now on."""
        ...

    async def lives(self, name: str) -> bool:
        """True if the process of that name may still be at work."""
        ...

    async def outlasts(self, name: str, seconds: float) -> bool:
        """True if this process has counted as alive since it got this name, and certainly will for `seconds` more."""
        ...

    async def aclose(self) -> None:
        """End the lease of this process, if it has one."""
        ...


class Locks:
    """Owners of a journal in a file on this machine: each process holds a lock that the kernel frees when it dies, however it dies.

    Args:
        folder: The folder of the locks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def me(self) -> str:
        """Return this process's name; its lock is held until the process ends."""
        with self._in_words():
            return locks.own_name(self._folder)

    async def lives(self, name: str) -> bool:
        """True if the process's lock is held; a process that is stopped holds it too."""
        with self._in_words():
            return locks.is_alive(self._folder, name)

    async def outlasts(self, name: str, seconds: float) -> bool:  # noqa: ARG002 # a lock that is there lasts as long as the process
        """True if the lock is still where other processes look for it; it is gone if somebody has removed the folder."""
        return locks.is_held(self._folder, name)

    async def aclose(self) -> None:
        """Do nothing: the lock serves every journal of the process."""

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
    """Owners of a database that several machines share: each process holds a row that is renewed by the database's clock.

    A process that is stopped for longer than a lease counts as dead, and finds that out before it sends a purchase.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = ""
        self._until = 0.0
        self._alone = asyncio.Lock()
        self._renewing: asyncio.Task[None] | None = None

    @retry_while_unreachable
    async def me(self) -> str:
        """Return the name of this process's lease; of a new one if the last has expired."""
        async with self._alone:
            if not self._name or _now() >= self._until:
                await self._begin()
            return self._name

    @retry_while_unreachable
    async def lives(self, name: str) -> bool:
        """True if the lease of that name has not expired."""
        query = sa.select(owners.c.name).where(owners.c.name == name, owners.c.expires_at > sa.func.clock_timestamp())
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).first() is not None

    @retry_while_unreachable
    async def outlasts(self, name: str, seconds: float) -> bool:
        """True if `name` is this process's lease and lasts for `seconds` more; it is renewed for that if needed."""
        async with self._alone:
            if name != self._name:
                return False
            return _now() + seconds < self._until or (await self._renew() and _now() + seconds < self._until)

    async def aclose(self) -> None:
        """End the lease."""
        if self._renewing:
            await end_task(self._renewing)
        if self._name:
            with suppress(JournalError):  # the lease expires by itself
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
            with suppress(JournalError):  # the next renewal may succeed; work goes on under the present lease
                await self._renew_alone()

    @uncancellable
    async def _renew_alone(self) -> None:
        async with self._alone:
            await self._renew()


def _now() -> float:
    """Return the seconds of a clock that nobody can set and that, where the system has one, goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def process_of(claim: str | None) -> str:
    """Return the name of the process that holds a claim."""
    return (claim or "").partition("/")[0]
