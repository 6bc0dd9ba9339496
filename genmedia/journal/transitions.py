"""Changes of an attempt: its intent, its owner, its job and its end. Each change is one transaction."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from genmedia.errors import JournalError, SupersededError
from genmedia.jobs.job import NOBODY, Buyer, Counter, amount
from genmedia.journal.database import Clock, Now, read_clock, retry_while_unreachable, uncancellable
from genmedia.journal.desk import open_jobs
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
    insert_attempt,
    insert_kept,
    is_ending,
    is_intended,
    is_of,
    know,
    note_interest,
    note_uses,
    read_attempt,
    read_live_attempt,
    use_of,
    waiter_values,
    wanted_values,
)
from genmedia.journal.spending import check, check_loss, hold_after_excess, hold_after_failures, lock_labels, now_of, written
from genmedia.journal.tables import LIVE, OPEN, assets, attempts, waiters
from genmedia.text.plain import cut
from genmedia.transport.answers import clean_text
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.redaction import redact

CLAIM_SECONDS = 0.2
"""Pause between two looks at an attempt that another process works on, in seconds."""

UNSEEN: dict[str, Any] = {"over_at": None, "seen": None, "seen_at": None, "ran": None, "hinted_at": None}
"""Values of an attempt whose job was not looked at yet."""

ENDED: dict[str, Any] = {"ended_at": Clock(), "seen": None, "hinted_at": None}
"""Values of an attempt that has ended: what looks saw is not kept, for it repeats the request and has links."""

SAID_CHARACTERS = 4_000
"""Most characters that are kept of a provider's last answer."""


_THIS = attempts.c.id == sa.bindparam("attempt")
_CLAIMED = attempts.c.owner == sa.bindparam("claim")
_STILL_MINE = sa.select(attempts.c.id).where(_THIS, attempts.c.state == AttemptState.INTENDED, _CLAIMED)
_CLAIM = (
    attempts.update().where(_THIS, attempts.c.owner.is_(None), attempts.c.state.in_(LIVE)).values(owner=sa.bindparam("claim"))
)
_TELL = (
    attempts.update()
    .where(_THIS, attempts.c.remote_id == sa.bindparam("job"))
    .values(
        charged=sa.func.coalesce(attempts.c.charged, sa.bindparam("told", type_=sa.Float)),
        ran=sa.func.coalesce(attempts.c.ran, sa.bindparam("seconds", type_=sa.Float)),
    )
    .returning(attempts.c.charged)
)
_TELL_END = _TELL.values(over_at=sa.func.coalesce(attempts.c.over_at, Clock()))
_REPORT = (
    attempts.update()
    .where(
        _THIS,
        attempts.c.run == sa.bindparam("by"),
        ~attempts.c.reported,
        attempts.c.charged.is_not(None) | attempts.c.state.not_in(OPEN),
    )
    .values(reported=True)
    .returning(sa.func.coalesce(attempts.c.charged, attempts.c.reserved))
)
_WAITS = sa.select(waiters.c.run).where(
    waiters.c.attempt == sa.bindparam("attempt"), waiters.c.run == sa.bindparam("by"), waiters.c.owner == sa.bindparam("process")
)
_STORE = attempts.update().where(_THIS, _CLAIMED).values({"state": AttemptState.STORED, **ENDED, "last_answer": None})
_REPLACE = assets.delete().where(
    (assets.c.attempt == sa.bindparam("of")) & assets.c.forgotten_at.is_(None)
    | assets.c.path.in_(sa.bindparam("paths", expanding=True))
)
_KEEP = assets.insert()


class Transitions(Reading):
    """The life of an attempt, from the intent to its end."""

    @retry_while_unreachable
    async def use(self, key: str, purpose: Purpose) -> None:
        """Write down that a step of a campaign uses a submission, unless that is written down already."""
        async with self._database.transaction() as connection:
            await note_uses(connection, key, [use_of(purpose)])

    async def intend(
        self,
        order: Order,
        asked_at: datetime,
        counter: Counter | None = None,
        buyer: Buyer = NOBODY,
        open_jobs: int | None = None,
    ) -> Attempt | None:
        """Write down the intent to buy, before anything is sent.

        It is not written, and None is returned, when another attempt is live, an equal job is unbound, or no slot is free.

        That reserves what it may cost: no process spends a reserved amount.

        Args:
            order: The order, at its present price.
            asked_at: The present time by the provider's clock.
            counter: Amount of the account that the provider said was used, if it says so.
            buyer: The key that will buy it, and its block.
            open_jobs: Number of jobs that may be open at the account; None for no limit.

        Raises:
            HeldError: The account spends nothing now.
            BudgetError: It may cost more than a cap leaves, or there is a cap, and a cost is unknown.
        """
        claim = await self._claim_name()
        try:
            return await self._intend(order, asked_at, counter, buyer, open_jobs, claim)
        except BaseException:
            with suppress(JournalError):
                await self._let_go(
                    claim, attempts.c.key == order.key, state=AttemptState.REFUSED, ended_at=Clock(), reason=NEVER_SENT
                )
            raise

    @retry_while_unreachable
    async def _intend(
        self, order: Order, asked_at: datetime, counter: Counter | None, buyer: Buyer, limit: int | None, claim: str
    ) -> Attempt | None:
        try:
            async with self._database.transaction() as connection:
                await self._database.lock(connection, str(order.account))
                if live := await read_live_attempt(connection, order.key):
                    return live if live.owner == claim else None  # its own: this is a repeat
                if limit is not None and await open_jobs(connection, str(order.account), limit) >= limit:
                    return None
                await lock_labels(self._database, connection, order.purpose)
                await check(connection, order)
                now = written(await now_of(connection, str(order.account), order.unit))
                await know(connection, order, now)
                made = await insert_attempt(connection, order, now, asked_at, counter, buyer, claim)
                await note_uses(connection, order.key, [use_of(order.purpose)])
                # A run that dies or is cancelled before it waits for the job counts as a waiter all the same.
                if run := order.purpose.run:
                    await connection.execute(waiters.insert().values(waiter_values(made, run, process_of(claim))))
                return await read_attempt(connection, made)
        except IntegrityError:
            return None  # an equal job is unbound, or, where the database locks by row, another process was faster

    async def take_over(self, attempt: Attempt, order: Order | None = None) -> Attempt | None:
        """Become the owner of an attempt whose owner is gone; return None when another process was faster.

        Args:
            attempt: The attempt.
            order: The order that it is for now: from then on that run spends its cost, under its cap; None to settle it only.
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
                # For the caps of a day and a month it is spent now; its job is still looked for from `asked_at` on.
                wanted["intended_at"] = written(await now_of(connection, str(order.account), order.unit))
            if not (await connection.execute(attempts.update().where(*mine).values(owner=claim, **wanted))).rowcount:
                return None
            if order:
                await note_uses(connection, order.key, [use_of(order.purpose)])
            if order and order.purpose.run:
                await note_interest(connection, attempt.id, order.purpose.run, process_of(claim))
        return replace(attempt, owner=claim)

    async def assure(self, attempt: Attempt, order: Order) -> None:
        """Check, just before a paid request is sent, that it may be sent and that no other process takes the attempt for given up.

        Args:
            attempt: The attempt.
            order: The order that it is for; its cap is that of the run that buys.

        Raises:
            SupersededError: Another process has the attempt, or may have it: this one was stopped for too long, or its lock was removed.
            HeldError, BudgetError: The account may no longer spend the cost.
        """
        await self._check_mine(attempt, order)
        if not await self._owners.outlasts(process_of(attempt.owner), ANSWER_SECONDS):
            raise SupersededError(
                "it was not sent: this process stood still for too long, or the lock by which others know that it lives was removed"
            )

    @retry_while_unreachable
    async def _check_mine(self, attempt: Attempt, order: Order) -> None:
        async with self._database.transaction() as connection:
            if (await connection.execute(_STILL_MINE, {"attempt": attempt.id, "claim": attempt.owner})).first() is None:
                raise SupersededError("another process has taken the purchase over before it was sent")
            await check(connection, order, attempt.id)

    async def release(self, attempt: Attempt) -> None:
        """Give up the claim on an interrupted attempt, so that any process may settle it."""
        await self._let_go(attempt.owner, attempts.c.id == attempt.id)

    @uncancellable
    async def _let_go(self, claim: str | None, *which: sa.ColumnElement[bool], **values: Any) -> None:
        given_up.add(claim)
        await self._update(*which, attempts.c.owner == claim, owner=None, **values)
        given_up.discard(claim)

    @uncancellable
    @retry_while_unreachable
    async def bind(self, attempt: Attempt, remote_id: str, reason: str = "", buyer: Buyer = NOBODY) -> None:
        """Write down the remote job of an attempt; from then on any process can take it up.

        Args:
            attempt: The attempt.
            remote_id: The provider's id of the job.
            reason: `NAMED` if a person named the job.
            buyer: The key that bought the job or sees it; another key may have begun the attempt.

        Raises:
            SupersededError: Another process has settled the attempt meanwhile, with another job or without one.
        """
        unknown = (attempts.c.state == AttemptState.IN_DOUBT) | (attempts.c.state == AttemptState.INTENDED)
        same = (attempts.c.remote_id == remote_id) & attempts.c.state.in_(LIVE)
        bound = {
            "state": AttemptState.BOUND,
            "remote_id": remote_id,
            "owner": None,
            "bound_at": Clock(),
            "reason": reason,
            **UNSEEN,
        }
        if buyer.key_print:
            bound |= {"key_print": buyer.key_print, "block": buyer.block}
        async with self._database.transaction() as connection:
            mine = attempts.c.id == attempt.id
            if (await connection.execute(attempts.update().where(mine, unknown).values(bound))).rowcount:
                return
            if (await connection.execute(sa.select(attempts.c.id).where(mine, same))).first():
                return
        raise SupersededError(f"job {remote_id} came of a submission that another process has settled meanwhile")

    @uncancellable
    async def hint(self, accounts: Collection[str], remote_id: str) -> None:
        """Have the process that looks at the jobs of an account look at one now; see `Looks`. It does so once for each job.

        A job that is unknown or over, or that was hinted at before, is left alone.

        Args:
            accounts: The accounts whose job it may be.
            remote_id: The provider's id of the job.

        Raises:
            JournalError: It could not be written down; it is not repeated, for the sender repeats it.
        """
        which = attempts.c.account.in_(accounts), attempts.c.remote_id == remote_id, attempts.c.state == AttemptState.BOUND
        new = attempts.c.over_at.is_(None), attempts.c.hinted_at.is_(None)
        async with self._database.transaction(waking=True) as connection:
            await connection.execute(attempts.update().where(*which, *new).values(hinted_at=Now()))

    async def unbind(self, attempt_id: int, job_id: str) -> bool:
        """Write down that the job of an attempt was never started, so that it is still to buy; return False when it has changed.

        Args:
            attempt_id: The id of the attempt.
            job_id: The job that was seen; nothing is written down if the attempt has another one by now.
        """
        intended = {"state": AttemptState.INTENDED, "remote_id": None, "bound_at": None, "reason": "", **UNSEEN}
        return await self._update(*is_ending(attempt_id, job_id), **intended)

    async def refuse(self, attempt: Attempt, reason: str) -> None:
        """Write down that nothing was bought."""
        await self._let_go(attempt.owner, *is_intended(attempt), state=AttemptState.REFUSED, reason=reason, ended_at=Clock())

    async def refuse_content(self, attempt: Attempt, reason: str) -> None:
        """Write down that the provider refused a submission for its content: nothing was bought, and the provider is not asked again."""
        ended = {"state": AttemptState.CONTENT_REFUSED, "charged": 0, "reason": reason, **ENDED}
        await self._let_go(attempt.owner, *is_intended(attempt), **ended)

    async def acquit(self, attempt: Attempt, reason: str) -> bool:
        """Write down that an attempt in doubt was never accepted, and costs nothing; return False when it is no longer in doubt."""
        mine = attempts.c.id == attempt.id, attempts.c.state == AttemptState.IN_DOUBT
        return await self._update(*mine, state=AttemptState.REFUSED, reason=reason, ended_at=Clock())

    async def doubt(self, attempt: Attempt, reason: str) -> None:
        """Write down that an attempt is in doubt: it is not known if it was bought; its price counts as spent."""
        await self._let_go(attempt.owner, *is_intended(attempt), state=AttemptState.IN_DOUBT, reason=reason)

    async def charge(self, attempt_id: int, job_id: str, charged: float | None) -> None:
        """Write down the charge of a remote job, unless it is there already; a charge that is no amount stays unknown.

        While the charge is unknown, the reserved amount counts. A charge above it holds the account; see `Attempt.excess`.

        Args:
            attempt_id: The id of the attempt.
            job_id: See `unbind`.
            charged: The charge; None if it is unknown.
        """
        if (told := amount(charged)) is not None:
            await self._tell(attempt_id, job_id, told)

    async def end(self, attempt_id: int, job_id: str, ran: float | None = None, charged: float | None = None) -> None:
        """Write down that the remote job was seen ended: its slot is free, also while its files are still fetched.

        Args:
            attempt_id: The id of the attempt.
            job_id: See `unbind`.
            ran: Seconds that it ran, from which the running times of such jobs are learned; None if that is unknown.
            charged: Its charge; see `charge`.
        """
        await self._tell(attempt_id, job_id, amount(charged), ran, over=True)

    @retry_while_unreachable
    async def _tell(
        self, attempt_id: int, job_id: str, charged: float | None, ran: float | None = None, *, over: bool = False
    ) -> None:
        """Write down what is known of a remote job, except what is there already; None for what is unknown."""
        known = {"attempt": attempt_id, "job": job_id, "told": charged, "seconds": ran}
        async with self._database.transaction(waking=over) as connection:
            if attempt := await read_attempt(connection, attempt_id):
                await self._database.lock(connection, attempt.account)
                told_of = (await connection.execute(_TELL_END if over else _TELL, known)).one_or_none()
                if told_of and attempt.charged is None:
                    await hold_after_excess(connection, replace(attempt, charged=told_of.charged))

    async def report(self, attempt_id: int, run: str = "") -> float | None:
        """Return the cost of a remote job for one run to report: the run that bought it, as long as it waits for it; else the first to ask.

        Returns:
            Amount that the ledger counts, None if it is unknown; 0 where another run reports it, or the job is open and its charge unknown.
        """
        buyer, cost = await self._report(attempt_id, run)
        if buyer == run or any(one.run == buyer and one.lives for one in await self.waiters(attempt_id)):
            return cost
        return (await self._report(attempt_id, buyer))[1]

    @retry_while_unreachable
    async def _report(self, attempt_id: int, run: str) -> tuple[str, float | None]:
        """Return the run that bought a remote job, and if that is `run`, the cost for it to report; else 0."""
        async with self._database.transaction() as connection:
            if row := (await connection.execute(_REPORT, {"attempt": attempt_id, "by": run})).one_or_none():
                return run, row[0]
            return (await connection.execute(sa.select(attempts.c.run).where(attempts.c.id == attempt_id))).scalar_one(), 0.0

    async def note(self, attempt_id: int, job_id: str, said: str) -> None:
        """Write down the last answer of the provider about a job that gave no file. `job_id`: see `unbind`."""
        await self._update(*is_of(attempt_id, job_id), last_answer=cut(clean_text(redact(said)), SAID_CHARACTERS))

    async def want(self, attempt_id: int, run: str) -> Attempt:
        """Write down that a run waits for an attempt: as long as the run lives, no other cancels the job. Return the attempt."""
        return await self._want(attempt_id, run, await self._owners.me())

    @retry_while_unreachable
    async def _want(self, attempt_id: int, run: str, owner: str) -> Attempt:
        known = {"attempt": attempt_id, "by": run, "process": owner}
        async with self._database.transaction() as connection:
            if (await connection.execute(_WAITS, known)).first() is None:  # it stands there since the intent
                await note_interest(connection, attempt_id, run, owner)
            attempt = await read_attempt(connection, attempt_id)
            assert attempt  # its waiters go with it
            return attempt

    @retry_while_unreachable
    async def leave(self, attempt_id: int, run: str) -> None:
        """Write down that a run no longer waits for an attempt, though its process lives."""
        mine = waiters.c.attempt == attempt_id, waiters.c.run == run
        async with self._database.transaction() as connection:
            await connection.execute(waiters.update().where(*mine).values(owner=NO_OWNER))

    async def give_up(self, attempt: Attempt, reason: str, again: Order | None = None) -> bool:
        """Write down that an attempt no longer answers for its submission, and counts as spent; return False when it has changed.

        It returns False also when a process works on the attempt.

        Args:
            attempt: The attempt.
            reason: The reason.
            again: The order, if it is to be bought once more.

        Raises:
            HeldError, BudgetError: The cost of the order may not be spent again; nothing is written down.
        """
        return not await self.is_worked_on(attempt) and await self._give_up(attempt, reason, again)

    @retry_while_unreachable
    async def _give_up(self, attempt: Attempt, reason: str, again: Order | None) -> bool:
        ended = {"state": AttemptState.FAILED, "owner": None, **ENDED, "reason": reason}
        mine = (
            attempts.c.id == attempt.id,
            attempts.c.state == attempt.state,
            attempts.c.owner.is_not_distinct_from(attempt.owner),
        )
        async with self._database.transaction(waking=True) as connection:
            await self._database.lock(connection, attempt.account)
            if again:
                await lock_labels(self._database, connection, again.purpose)
                await check(connection, again)
            return (await connection.execute(attempts.update().where(*mine).values(ended))).rowcount == 1

    @asynccontextmanager
    async def claimed(self, attempt_id: int, job_id: str) -> AsyncGenerator[Attempt]:
        """Claim an attempt that was bought, so that no other process works on it inside the block; wait while another one does.

        Args:
            attempt_id: The id of the attempt.
            job_id: The job that it was bought as.

        Raises:
            SupersededError: The attempt was given up meanwhile, and another attempt answers for its submission, or none does; or it has
                another job by now.
        """
        claim = await self._claim_name()
        try:
            while (attempt := await self._claim(attempt_id, claim)) is None:  # noqa: ASYNC110 # another process may give it up
                await asyncio.sleep(CLAIM_SECONDS)
            if attempt.remote_id != job_id:
                raise SupersededError(f"it has another job than {job_id} by now")
            yield attempt
        finally:
            await self._let_go(claim, attempts.c.id == attempt_id)

    async def _claim(self, attempt_id: int, claim: str) -> Attempt | None:
        attempt = await self._claim_free(attempt_id, claim)
        if attempt is None or not attempt.state.live:
            raise SupersededError(f"it was given up meanwhile: {attempt.reason if attempt else 'the journal knows it no more'}")
        if attempt.owner == claim:
            return attempt
        return None if await self.is_worked_on(attempt) else await self._take_over(attempt, claim)

    @retry_while_unreachable
    async def _claim_free(self, attempt_id: int, claim: str) -> Attempt | None:
        """Claim an attempt that has no owner; return it with the owner that it has then."""
        async with self._database.transaction() as connection:
            await connection.execute(_CLAIM, {"attempt": attempt_id, "claim": claim})
            return await read_attempt(connection, attempt_id)

    @retry_while_unreachable
    async def store(self, attempt: Attempt, stored: Sequence[StoredAsset]) -> None:
        """Write down the files of an attempt that is claimed, and that it is stored.

        Raises:
            SupersededError: The attempt is no longer claimed.
        """
        rows = [{**as_row(asset), "attempt": attempt.id} for asset in stored]
        async with self._database.transaction() as connection:
            if not (await connection.execute(_STORE, {"attempt": attempt.id, "claim": attempt.owner})).rowcount:
                raise SupersededError("another process took its files over")
            await connection.execute(_REPLACE, {"of": attempt.id, "paths": [asset.path for asset in stored]})
            if rows:
                await connection.execute(_KEEP, rows)

    @retry_while_unreachable
    async def keep(self, order: Order, made: Sequence[StoredAsset]) -> None:
        """Write down the files of an order that nobody was paid for: it is stored from now on, and never was anything else.

        Where the journal knows it already, these files take the place of those known before.
        """
        async with self._database.transaction() as connection:
            await self._database.lock(connection, str(order.account))
            known = await read_live_attempt(connection, order.key)
            attempt = known.id if known else await insert_kept(connection, order, written(await read_clock(connection)))
            await note_uses(connection, order.key, [use_of(order.purpose)])
            await connection.execute(_REPLACE, {"of": attempt, "paths": [asset.path for asset in made]})
            await connection.execute(_KEEP, [{**as_row(asset), "attempt": attempt} for asset in made])

    async def cancel(self, attempt_id: int, job_id: str) -> bool:
        """Write down that a person cancelled the remote job; return False when its files are in the store, or a process fetches them.

        Args:
            attempt_id: The id of the attempt.
            job_id: See `unbind`.
        """
        ended = {"state": AttemptState.CANCELLED, **ENDED, "reason": "a person cancelled it"}
        return await self._update(*is_ending(attempt_id, job_id), **ended)

    async def vanish(self, attempt_id: int, job_id: str, reason: str, buyer: Buyer) -> bool:
        """Write down that the provider no longer knows the job; an attempt whose job a person named is in doubt again: the id may be wrong.

        Args:
            attempt_id: The id of the attempt.
            job_id: See `unbind`.
            reason: Result of the looks.
            buyer: The buyer that looked for it.

        Returns:
            True if it is in doubt.

        Raises:
            OtherKeyError: The job was looked for with another key than the one that bought it; nothing is written down.
        """
        (await self.attempt(attempt_id)).check_absence(buyer, reason)
        await self.note(attempt_id, job_id, reason)
        named = (*is_ending(attempt_id, job_id), attempts.c.reason == NAMED)
        again = {"state": AttemptState.IN_DOUBT, "remote_id": None, "seen": None, "reason": f"{NAMED}, but {reason}"}
        doubtful = await self._update(*named, **again)
        if not doubtful:
            await self.fail(attempt_id, job_id, reason)
        return doubtful

    async def end_refused(self, attempt_id: int, job_id: str, reason: str) -> None:
        """Write down that the remote job ended because the provider refuses to make what was asked for. `job_id`: see `unbind`.

        The account is not held for such a job.
        """
        ended = {"state": AttemptState.CONTENT_REFUSED, **ENDED, "reason": reason}
        await self._update(*is_ending(attempt_id, job_id), **ended)

    @retry_while_unreachable
    async def fail(self, attempt_id: int, job_id: str, reason: str, spare: float | None = None) -> bool:
        """Write down that the remote job ended without a result; return False when its files are in the store, or a process fetches them.

        An account that pays only for failures is held by that; see `hold_after_failures`.

        Args:
            attempt_id: The id of the attempt.
            job_id: See `unbind`.
            reason: The reason.
            spare: Most that the run may spend beyond its plan, if the job is given up in order to buy it again; None for no limit.

        Raises:
            BudgetError: With this cost, the run would spend more than `spare` beyond its plan; nothing is written down.
        """
        ended = {"state": AttemptState.FAILED, "owner": None, **ENDED}
        whose = sa.select(attempts.c.account).where(attempts.c.id == attempt_id)
        async with self._database.transaction(waking=True) as connection:
            account = (await connection.execute(whose)).scalar_one()
            await self._database.lock(connection, account)
            if spare is not None:
                await check_loss(connection, attempt_id, spare)
            if not (
                await connection.execute(attempts.update().where(*is_ending(attempt_id, job_id)).values(reason=reason, **ended))
            ).rowcount:
                return False
            await hold_after_failures(connection, account)
        return True

    async def _claim_name(self) -> str:
        """Return a claim for one piece of work of this process, which counts as alive from now on."""
        return f"{await self._owners.me()}/{uuid4().hex[:12]}"

    @retry_while_unreachable
    async def _update(self, *where: sa.ColumnElement[bool], **values: Any) -> bool:
        async with self._database.transaction(waking=True) as connection:
            result = await connection.execute(attempts.update().where(*where).values(**values))
        return result.rowcount == 1
