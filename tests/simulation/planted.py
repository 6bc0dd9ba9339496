"""Six faults that a change of the code could bring, each as a faulty version of one function of it: the simulation has to find them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from genmedia.errors import MaybeAcceptedError, UnreachableError
from genmedia.jobs.job import Buyer, Counter
from genmedia.journal import Attempt, desk, looks, ownership, transitions
from genmedia.journal.order import Order
from genmedia.journal.tables import OPEN, attempts, owners, waiters
from genmedia.providers.steps import Submit
from genmedia.purchasing import buy
from genmedia.transport import session
from tests.simulation.clock import replaced
from tests.simulation.plan import Plan

# pyright: reportPrivateUsage=false
# A faulty version of a private function stands in its place.


def bind_before_submit() -> AbstractContextManager[None]:
    """The attempt is bound by a name of our own before the job is bought, and the provider's id is written down afterwards."""

    async def send(self: Any, attempt: Attempt, present: Order, submit: Submit, *, first: bool) -> str:
        del present, first
        await self.journal.bind(attempt, f"{attempt.key}:{attempt.number}", buyer=self.buyer)
        job_id = await submit(f"{attempt.key}:{attempt.number}", nullcontext)
        await self.journal._update(attempts.c.id == attempt.id, remote_id=job_id)
        return job_id

    return replaced((buy._Submission, "send", send))


def retry_of_a_paid_post() -> AbstractContextManager[None]:
    """A call that pays is sent again when its answer was lost, as other calls are."""

    def never_sent(error: Exception) -> bool:
        return isinstance(error, UnreachableError | MaybeAcceptedError)

    return replaced((session, "_never_sent", never_sent))


def slot_freed_by_a_death() -> AbstractContextManager[None]:
    """A job counts as open only as long as a process lives that waits for it."""

    async def open_jobs(connection: AsyncConnection, account: str, limit: int) -> int:
        del limit
        lives = sa.exists().where(
            waiters.c.attempt == attempts.c.id, waiters.c.owner == owners.c.name, owners.c.expires_at > sa.func.clock_timestamp()
        )
        mine = attempts.c.account == account, attempts.c.state.in_(OPEN), attempts.c.over_at.is_(None)
        return (await connection.execute(sa.select(sa.func.count()).select_from(attempts).where(*mine, lives))).scalar_one()

    return replaced((desk, "open_jobs", open_jobs), (transitions, "open_jobs", open_jobs))


def look_older_than_the_bind() -> AbstractContextManager[None]:
    """What a look saw is believed whenever it began, also before its job was bound."""

    def written(_: object) -> str:
        return "9999"

    return replaced((looks, "written", written))


def lease_renewed_after_its_end() -> AbstractContextManager[None]:
    """A process that stood still for longer than its lease takes the lease up again, though others took it for dead meanwhile."""

    async def renew(self: Any) -> bool:
        begun, until = ownership._now(), sa.func.clock_timestamp() + timedelta(seconds=ownership.LEASE_SECONDS)
        async with self._database.transaction() as connection:
            await connection.execute(owners.update().where(owners.c.name == self._name).values(expires_at=until))
        self._until = begun + ownership.LEASE_SECONDS
        return True

    return replaced((ownership.Leases, "_renew", renew))


def cap_checked_outside_the_transaction() -> AbstractContextManager[None]:
    """The caps are checked before the transaction that writes the intent."""
    whole, check = transitions.Transitions._intend, transitions.check

    async def intend(
        self: Any, order: Order, asked_at: Any, counter: Counter | None, buyer: Buyer, limit: int | None, claim: str
    ) -> Attempt | None:
        async with self._database.transaction(reading=True) as connection:
            await check(connection, order)
        return await whole(self, order, asked_at, counter, buyer, limit, claim)

    async def check_later(connection: AsyncConnection, order: Order, attempt_id: int | None = None) -> None:
        if attempt_id is not None:
            await check(connection, order, attempt_id)

    return replaced((transitions.Transitions, "_intend", intend), (transitions, "check", check_later))


@dataclass(frozen=True)
class Planted:
    """A planted fault.

    Attributes:
        plant: Puts the faulty version in its place while a block runs.
        narrow: Narrows plans to those in which it can show.
        seed: Seed of a schedule that has shown it; another one does once the code is another one.
    """

    plant: Callable[[], AbstractContextManager[None]]
    narrow: Callable[[Plan], Plan]
    seed: int


QUIET = {
    "kill": 0.0,
    "stop": 0.0,
    "late": 0.0,
    "lost": 0.0,
    "unheard": 0.0,
    "unsent": 0.0,
    "busy": 0.0,
    "broken": 0.0,
    "slow": 0.0,
}
TWO: dict[str, Any] = {"per_window": None, "cap": None, "failing": 0.0, "watches": False, "inherited": False, **QUIET}
"""Values of a plan in which nothing happens."""


def _plan(**values: Any) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, **{**TWO, **values})


FAULTS: Mapping[str, Planted] = {
    "bind before submit": Planted(bind_before_submit, _plan(), 1),
    "a retry of a paid POST": Planted(retry_of_a_paid_post, _plan(provider="algovera", unheard=0.3, open_jobs=3), 1),
    "a slot freed by a death": Planted(
        slot_freed_by_a_death, _plan(provider="flora", wishes=((0,), (1,)), open_jobs=1, kill=0.02, stop=0.02), 3
    ),
    "a look believed that is older than the bind": Planted(
        look_older_than_the_bind,
        _plan(provider="generio", wishes=((1,),), open_jobs=2, watches=True, inherited=True, slow=0.9),
        381,
    ),
    "a lease renewed after its end": Planted(
        lease_renewed_after_its_end, _plan(provider="flora", wishes=((0,), (0,)), watches=True, stop=0.05), 97
    ),
    "a cap checked outside the transaction": Planted(
        cap_checked_outside_the_transaction, _plan(wishes=((0,), (1,)), open_jobs=2, cap=1.0), 11
    ),
}
