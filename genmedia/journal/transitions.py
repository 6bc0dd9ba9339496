"""How an attempt comes to be, who works on it, and what becomes of it: each step is one transaction."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from genmedia.errors import JournalError, SupersededError
from genmedia.jobs.job import NOBODY, Buyer, Counter, amount
from genmedia.journal.database import Clock, retry_while_unreachable, uncancellable
from genmedia.journal.order import Order, Purpose
from genmedia.journal.ownership import given_up, process_of
from genmedia.journal.reading import NO_OWNER, Reading
from genmedia.journal.records import (
    NAMED,
    NEVER_SENT,
    Attempt,
    AttemptState,
    StoredAsset,
)
from genmedia.journal.rows import (
    as_row,
    is_ending,
    is_intended,
    know,
    new_attempt,
    note_interest,
    note_uses,
    read_attempts,
    use_of,
    waiter_values,
    wanted_values,
)
from genmedia.journal.spending import check, check_loss, hold_after_excess, hold_after_failures, now_of, written
from genmedia.journal.tables import LIVE, OPEN, assets, attempts, waiters
from genmedia.text.plain import cut
from genmedia.transport.answers import clean_text
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.redaction import redact

CLAIM_SECONDS = 0.2
"""Between two looks at an attempt that somebody else works on."""

SAID_CHARACTERS = 4_000
"""So much is kept of what a provider said last."""


class Transitions(Reading):
    """The life of an attempt, from the intent to its end."""

    @retry_while_unreachable
    async def use(self, key: str, purpose: Purpose) -> None:
        """Write down that a part of a campaign wants what a submission gives, unless that is written down."""
        async with self._database.transaction() as connection:
            await note_uses(connection, key, [use_of(purpose)])

    async def intend(
        self, order: Order, asked_at: datetime, counter: Counter | None = None, buyer: Buyer = NOBODY
    ) -> Attempt | None:
        """Write down what is to be bought, before anything is sent; None when another attempt is live already, or an equal one unbound.

        What it may cost is reserved by that: of all processes none spends what is reserved.

        Args:
            order: What is wanted, at its present price.
            asked_at: The provider's time.
            counter: What it said was used of the account, if it says so.
            buyer: Whose key will buy it.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: It may cost more than a cap leaves, or there is a cap and nobody knows.
        """
        claim = await self._claim_name()
        try:
            await self._intend(order, asked_at, counter, buyer, claim)
            return await self._find(attempts.c.key == order.key, attempts.c.owner == claim)
        except BaseException:
            with suppress(JournalError):
                await self._let_go(
                    claim, attempts.c.key == order.key, state=AttemptState.REFUSED, ended_at=Clock(), reason=NEVER_SENT
                )
            raise

    @retry_while_unreachable
    async def _intend(self, order: Order, asked_at: datetime, counter: Counter | None, buyer: Buyer, claim: str) -> None:
        try:
            async with self._database.transaction() as connection:
                await self._database.lock(connection, str(order.account))
                live = sa.select(attempts.c.id).where(attempts.c.key == order.key, attempts.c.state.in_(LIVE))
                if (await connection.execute(live)).first() is None:
                    await check(connection, order)
                    now = written(await now_of(connection, str(order.account), order.unit))
                    await know(connection, order, now)
                    attempt = await new_attempt(connection, order, now, asked_at, counter, buyer, claim)
                    made = await connection.execute(attempts.insert().values(attempt).returning(attempts.c.id))
                    await note_uses(connection, order.key, [use_of(order.purpose)])
                    # Whoever dies or is cancelled before it waits for the job has wanted it all the same.
                    if run := order.purpose.run:
                        await connection.execute(
                            waiters.insert().values(waiter_values(made.scalar_one(), run, process_of(claim)))
                        )
        except IntegrityError:
            pass  # an equal job is unbound, or on a database that locks by row another was faster

    async def take_over(self, attempt: Attempt, order: Order | None = None) -> Attempt | None:
        """Become the owner of an attempt whose owner is gone; None when somebody else was faster.

        Args:
            attempt: Which.
            order: For what it is wanted now: from then on it is spent by that run, under its cap; None to settle it only.
        """
        claim = await self._claim_name()
        try:
            return await self._take_over(attempt, claim, order)
        except BaseException:
            with suppress(JournalError):
                await self._let_go(claim, attempts.c.id == attempt.id)
            raise

    @retry_while_unreachable
    async def _take_over(self, attempt: Attempt, claim: str, order: Order | None = None) -> Attempt | None:
        free = attempts.c.owner.is_not_distinct_from(attempt.owner) | (attempts.c.owner == claim)
        mine = attempts.c.id == attempt.id, attempts.c.state == attempt.state, free
        wanted = wanted_values(order) if order else {}
        async with self._database.transaction() as connection:
            if order and attempt.asked_at:
                # By the caps of a day and a month it is spent now; its job is looked for since it was first asked for.
                wanted["intended_at"] = written(await now_of(connection, str(order.account), order.unit))
            if not (await connection.execute(attempts.update().where(*mine).values(owner=claim, **wanted))).rowcount:
                return None
            if order:
                await note_uses(connection, order.key, [use_of(order.purpose)])
            if order and order.purpose.run:
                await note_interest(connection, attempt.id, order.purpose.run, process_of(claim))
        return replace(attempt, owner=claim)

    async def assure(self, attempt: Attempt, order: Order) -> None:
        """Make sure, just before what costs money is sent, that it may be, and that no other process takes the attempt for given up.

        Args:
            attempt: Which.
            order: For what it is bought; its cap is that of the run that buys.

        Raises:
            SupersededError: Another process has it, or may have: this one stood still for too long, or its lock was removed.
            HeldError, BudgetError: The account may not spend it any more.
        """
        await self._check_mine(attempt, order)
        if not await self._owners.outlasts(process_of(attempt.owner), ANSWER_SECONDS):
            raise SupersededError(
                "it was not sent: this process stood still for too long, or the lock by which others know that it lives was removed"
            )

    @retry_while_unreachable
    async def _check_mine(self, attempt: Attempt, order: Order) -> None:
        mine = *is_intended(attempt), attempts.c.owner == attempt.owner
        async with self._database.transaction() as connection:
            if (await connection.execute(sa.select(attempts.c.id).where(*mine))).first() is None:
                raise SupersededError("another process has taken the purchase over before it was sent")
            await check(connection, order, attempt.id)

    async def release(self, attempt: Attempt) -> None:
        """Give up an attempt that was interrupted, so that anyone may settle what became of it."""
        await self._let_go(attempt.owner, attempts.c.id == attempt.id)

    @uncancellable
    async def _let_go(self, claim: str | None, *which: sa.ColumnElement[bool], **values: Any) -> None:
        given_up.add(claim)
        await self._update(*which, attempts.c.owner == claim, owner=None, **values)
        given_up.discard(claim)

    @uncancellable
    @retry_while_unreachable
    async def bind(self, attempt: Attempt, remote_id: str, reason: str = "", buyer: Buyer = NOBODY) -> None:
        """Write down which remote job the attempt is; from here on anyone can resume it.

        Args:
            attempt: Which attempt.
            remote_id: The provider's id of the job.
            reason: `NAMED` where a person said so.
            buyer: Whose key bought it, or sees it; another may have begun the attempt.

        Raises:
            SupersededError: Another process holds it to be another job.
        """
        unknown = (attempts.c.state == AttemptState.IN_DOUBT) | (attempts.c.state == AttemptState.INTENDED)
        same = (attempts.c.remote_id == remote_id) & attempts.c.state.in_(LIVE)
        bound = {"state": AttemptState.BOUND, "remote_id": remote_id, "owner": None, "bound_at": Clock(), "reason": reason}
        if buyer.key_print:
            bound |= {"key_print": buyer.key_print, "block": buyer.block}
        async with self._database.transaction() as connection:
            mine = attempts.c.id == attempt.id
            if (await connection.execute(attempts.update().where(mine, unknown).values(bound))).rowcount:
                return
            if (await connection.execute(sa.select(attempts.c.id).where(mine, same))).first():
                return
        raise SupersededError(f"job {remote_id} came of a submission that another process has settled meanwhile")

    async def unbind(self, attempt_id: int) -> bool:
        """Write down that the job of an attempt was never started, so that it is still to buy; False when it is another's work now."""
        intended = {"state": AttemptState.INTENDED, "remote_id": None, "bound_at": None, "reason": ""}
        return await self._update(*is_ending(attempt_id), **intended)

    async def refuse(self, attempt: Attempt, reason: str) -> None:
        """Write down that nothing was bought."""
        await self._let_go(attempt.owner, *is_intended(attempt), state=AttemptState.REFUSED, reason=reason, ended_at=Clock())

    async def refuse_content(self, attempt: Attempt, reason: str) -> None:
        """Write down that the provider would not take a submission for what it asks for: nothing was bought, nor is by asking again."""
        ended = {"state": AttemptState.CONTENT_REFUSED, "charged": 0, "reason": reason, "ended_at": Clock()}
        await self._let_go(attempt.owner, *is_intended(attempt), **ended)

    async def acquit(self, attempt: Attempt, reason: str) -> bool:
        """Write down that an attempt in doubt was never accepted, and costs nothing; False when it is in doubt no more."""
        mine = attempts.c.id == attempt.id, attempts.c.state == AttemptState.IN_DOUBT
        return await self._update(*mine, state=AttemptState.REFUSED, reason=reason, ended_at=Clock())

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Write down that nobody can tell whether it was bought; its price counts as spent."""
        await self._let_go(attempt.owner, *is_intended(attempt), state=AttemptState.IN_DOUBT, reason=reason)

    @retry_while_unreachable
    async def charge(self, attempt_id: int, charged: float | None) -> None:
        """Write down what a remote job cost, unless it was before; what is no amount stays unknown, and what is reserved counts.

        More than was reserved holds the account; see `Attempt.excess`.
        """
        if (known := amount(charged)) is None:
            return
        whose = sa.select(attempts.c.account).where(attempts.c.id == attempt_id)
        async with self._database.transaction() as connection:
            await self._database.lock(connection, (await connection.execute(whose)).scalar_one())
            unknown = attempts.c.id == attempt_id, attempts.c.charged.is_(None)
            if (await connection.execute(attempts.update().where(*unknown).values(charged=known))).rowcount:
                (attempt,) = await read_attempts(connection, attempts.c.id == attempt_id)
                await hold_after_excess(connection, attempt)

    async def report(self, attempt_id: int, run: str = "") -> float | None:
        """What a remote job cost, for a run to tell: of all runs that wait for it the one that bought it, as long as it does; else the first.

        Returns:
            What the ledger counts, once it is known or the job has ended; None where nobody knows; 0 where another run tells it.
        """
        buyer = (await self.attempt(attempt_id)).run
        if buyer != run and any(one.run == buyer and one.lives for one in await self.waiters(attempt_id)):
            return 0.0
        return await self._report(attempt_id)

    @retry_while_unreachable
    async def _report(self, attempt_id: int) -> float | None:
        known = attempts.c.charged.is_not(None) | attempts.c.state.not_in(OPEN)
        told = attempts.update().where(attempts.c.id == attempt_id, ~attempts.c.reported, known).values(reported=True)
        async with self._database.transaction() as connection:
            row = (
                await connection.execute(told.returning(sa.func.coalesce(attempts.c.charged, attempts.c.reserved)))
            ).one_or_none()
            return row[0] if row else 0.0

    async def note(self, attempt_id: int, said: str) -> None:
        """Write down what the provider said last of a job that gave no file."""
        await self._update(attempts.c.id == attempt_id, last_answer=cut(clean_text(redact(said)), SAID_CHARACTERS))

    async def want(self, attempt_id: int, run: str) -> None:
        """Write down that a run waits for an attempt: as long as it lives, nobody else ends the job."""
        await self._want(attempt_id, run, await self._owners.me())

    @retry_while_unreachable
    async def _want(self, attempt_id: int, run: str, owner: str) -> None:
        async with self._database.transaction() as connection:
            await note_interest(connection, attempt_id, run, owner)

    @retry_while_unreachable
    async def leave(self, attempt_id: int, run: str) -> None:
        """Write down that a run waits for an attempt no more, though its process lives."""
        mine = waiters.c.attempt == attempt_id, waiters.c.run == run
        async with self._database.transaction() as connection:
            await connection.execute(waiters.update().where(*mine).values(owner=NO_OWNER))

    async def give_up(self, attempt: Attempt, reason: str, again: Order | None = None) -> bool:
        """Write down that an open attempt answers for nothing any more, and counts as spent; False when it is not as it was given.

        Args:
            attempt: Which; nobody may be at work on it.
            reason: Why.
            again: The order, where it is to be bought once more.

        Raises:
            HeldError, BudgetError: What is ordered again may not be spent; nothing is written down.
        """
        return not await self.is_worked_on(attempt) and await self._give_up(attempt, reason, again)

    @retry_while_unreachable
    async def _give_up(self, attempt: Attempt, reason: str, again: Order | None) -> bool:
        ended = {"state": AttemptState.FAILED, "owner": None, "ended_at": Clock(), "reason": reason}
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

    @retry_while_unreachable
    async def store(self, attempt: Attempt, stored: Sequence[StoredAsset]) -> None:
        """Write down the files that came of an attempt that is claimed, and that it is done.

        Raises:
            SupersededError: It is claimed no more.
        """
        rows = [{**as_row(asset), "attempt": attempt.id} for asset in stored]
        done = {"state": AttemptState.STORED, "ended_at": Clock(), "last_answer": None}
        async with self._database.transaction() as connection:
            mine = attempts.c.id == attempt.id, attempts.c.owner == attempt.owner
            if not (await connection.execute(attempts.update().where(*mine).values(done))).rowcount:
                raise SupersededError("another process took its files over")
            paths = [asset.path for asset in stored]
            kept = assets.c.forgotten_at.is_(None)
            await connection.execute(assets.delete().where((assets.c.attempt == attempt.id) & kept | assets.c.path.in_(paths)))
            if rows:
                await connection.execute(assets.insert(), rows)

    async def cancel(self, attempt_id: int) -> bool:
        """Write down that a person has ended the remote job; False when its files are in the store, or somebody fetches them."""
        ended = {"state": AttemptState.CANCELLED, "ended_at": Clock(), "reason": "a person cancelled it"}
        return await self._update(*is_ending(attempt_id), **ended)

    async def vanish(self, attempt_id: int, reason: str, buyer: Buyer) -> bool:
        """Write down that the provider knows the job no more; one that a person named is in doubt again, for the name may be wrong.

        Args:
            attempt_id: Which attempt.
            reason: What was seen.
            buyer: Who looked for it.

        Returns:
            Whether it is in doubt.

        Raises:
            OtherKeyError: Whoever looked for it has not bought it; nothing is written down.
        """
        (await self.attempt(attempt_id)).check_absence(buyer, reason)
        named = (*is_ending(attempt_id), attempts.c.reason == NAMED)
        again = {"state": AttemptState.IN_DOUBT, "remote_id": None, "reason": f"{NAMED}, but {reason}"}
        doubtful = await self._update(*named, **again)
        if not doubtful:
            await self.fail(attempt_id, reason)
        return doubtful

    async def end_refused(self, attempt_id: int, reason: str) -> None:
        """Write down that the remote job ended because the provider will not make what was asked for.

        That says nothing of the account: it is not held for it.
        """
        ended = {"state": AttemptState.CONTENT_REFUSED, "ended_at": Clock(), "reason": reason}
        await self._update(*is_ending(attempt_id), **ended)

    @retry_while_unreachable
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
        ended = {"state": AttemptState.FAILED, "owner": None, "ended_at": Clock()}
        whose = sa.select(attempts.c.account).where(attempts.c.id == attempt_id)
        async with self._database.transaction() as connection:
            account = (await connection.execute(whose)).scalar_one()
            await self._database.lock(connection, account)
            if spare is not None:
                await check_loss(connection, attempt_id, spare)
            if not (
                await connection.execute(attempts.update().where(*is_ending(attempt_id)).values(reason=reason, **ended))
            ).rowcount:
                return False
            await hold_after_failures(connection, account)
            return True

    async def _claim_name(self) -> str:
        """A name for one piece of work of this process, which counts as alive from now on."""
        return f"{await self._owners.me()}/{uuid4().hex[:12]}"

    @retry_while_unreachable
    async def _update(self, *where: sa.ColumnElement[bool], **values: Any) -> bool:
        async with self._database.transaction() as connection:
            result = await connection.execute(attempts.update().where(*where).values(**values))
            return result.rowcount == 1
