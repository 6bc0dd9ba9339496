"""The one function that every purchase passes through: look, intend, submit, bind."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

from genmedia.errors import (
    AbandonedError,
    ApiError,
    BudgetError,
    ContentRefusedError,
    DuplicateError,
    GenmediaError,
    InDoubtError,
    JournalError,
    MaybeAcceptedError,
    NoAnswerError,
    NotAcceptedError,
    SupersededError,
    UnlistedError,
)
from genmedia.jobs.job import NOBODY, Buyer, Counter, Job
from genmedia.journal import NEVER_SENT, Attempt, AttemptState, Has, Journal, StoredAsset, are_there
from genmedia.journal.order import Doubt, Order
from genmedia.progress import tell
from genmedia.providers.steps import Submit
from genmedia.transport.pace import ANSWER_SECONDS
from genmedia.transport.refusals import prompt_of
from genmedia.transport.session import waiting_out

REPEATS = 4
"""Most repeats of a submission that may have been accepted, where the provider recognises it."""

WATCH_SECONDS = 0.1
"""Pause between two looks at an attempt that another process submits, in seconds."""


class Outcome(StrEnum):
    """The way in which an order was met; the Prefect UI shows these words as state names.

    `JOINED`: another run, which waits for the job now, has bought it, and reports its cost. `REATTACHED`: an earlier run has, and is gone.
    `MADE`: this machine has made its file, and nobody was paid.
    """

    BOUGHT = "Bought"
    JOINED = "Joined"
    REATTACHED = "Resumed"
    REUSED = "Reused"
    NOT_BOUGHT = "Not bought"
    MADE = "Made"


@dataclass(frozen=True)
class Purchase:
    """The job or the files that answer for an order: a remote job, or stored files; none, where the outcome is `Not bought`.

    Attributes:
        attempt: Id of the attempt in the journal; 0 for none.
        job_id: The provider's id of the job.
        assets: The stored files, when the outcome is `Reused`; else empty.
    """

    order: Order
    key: str
    attempt: int
    number: int
    job_id: str
    outcome: Outcome
    assets: tuple[StoredAsset, ...] = ()

    @property
    def why_not(self) -> str:
        """Reason why nothing was bought; empty where a job or files answer for the order."""
        return self.order.withheld if self.outcome is Outcome.NOT_BOUGHT else ""

    @property
    def about(self) -> str:
        """The job's names for a message: provider, remote id, submission key."""
        return describe(self.order, self.key, self.job_id)


Prepare = Callable[[], Awaitable[Submit]]
"""Function that makes the inputs available to the provider, at no cost; called only when there is something to submit."""

Reprice = Callable[[], Awaitable[float | None]]
"""Function that asks for the present price of an order; None where the provider no longer tells a price."""

Slot = Callable[[], AbstractAsyncContextManager[None]]
"""Function that waits for one of the account's slots for open jobs; see `Slots.claimed`."""

Recover = Callable[[Attempt, Journal], Awaitable[str | None]]
"""Function that finds out what became of an attempt whose answer was lost; see `ProviderClient.recover`."""


def _utc() -> datetime:
    return datetime.now(UTC)


def _uncounted() -> None:
    """Return None, as for the providers that do not say what was used."""


async def _price(order: Order, reprice: Reprice | None) -> Order:
    """Return the order at its present price, with the price that was planned for it."""
    return replace(order, price=await reprice(), planned=order.reserved) if reprice else order


async def _intend(
    journal: Journal, order: Order, asked_at: datetime, counter: Counter | None, buyer: Buyer, open_jobs: int | None
) -> Attempt | None:
    """Write down the intent; return None where `Journal.intend` does."""
    try:
        return await journal.intend(order, asked_at, counter, buyer, open_jobs)
    except BudgetError as error:
        error.job = describe(order, order.key)
        raise


async def buy(
    journal: Journal,
    order: Order,
    prepare: Prepare,
    *,
    has: Has,
    recover: Recover,
    repeat_pause: float = ANSWER_SECONDS,
    clock: Callable[[], datetime] = _utc,
    counter: Callable[[], Counter | None] = _uncounted,
    buyer: Buyer = NOBODY,
    reprice: Reprice | None = None,
    slot: Slot = nullcontext,
    open_jobs: int | None = None,
) -> Purchase:
    """Meet an order without ever paying twice for it.

    If an attempt is stored, its files are reused. If one is live, the running job is taken up again. Else the intent is written down, the
    order is submitted once, and the remote id is bound to the attempt; but if the order is withheld, nothing is bought.

    Args:
        journal: The journal in which intents and ids are written down.
        order: The order.
        prepare: Makes the inputs available; returns the function that submits.
        has: Tells if the store still has a file; a file that is lost or cut short is fetched again from its job, not bought again.
        recover: Asks the provider about a lost answer, once it may no longer recognise an equal submission.
        repeat_pause: Seconds between two submissions under one idempotency key, so that they never run at the same time: as long as
            an answer may take.
        clock: Returns the time by the provider's clock.
        counter: Returns the amount of the account that the provider said was used.
        buyer: The key that pays, and its block.
        reprice: Asks for the price just before the order is bought, where the provider tells one; that price is reserved. See
            `Purpose.spare` for a price above that of the order.
        slot: Waits for a free slot, and claims it while the order is prepared and its intent is written down.
        open_jobs: Number of jobs that the account may have open; None for no limit.

    Raises:
        NotAcceptedError: The provider refused the order; nothing was bought.
        ContentRefusedError: The provider refuses to make it, now or when it was asked before: then it is not asked again.
        OtherKeyError: The attempt was begun with another key, and with this one its end cannot be found out.
        MaybeAcceptedError: No answer came, though it was asked for several times; the next call asks again.
        HeldError, BudgetError: The account may not spend the price.
        InDoubtError: It is not known if it was bought, now or by an earlier run, and it is not to be bought once more.
    """
    submission = _Submission(journal, order, recover, repeat_pause, clock, buyer)
    may_resubmit = order.if_in_doubt is Doubt.RESUBMIT and order.purpose.cap is not None and not order.withheld
    # All requests for the order share one patience, also uploads and questions before it is sent.
    with waiting_out(order.patience, lambda what: tell(order.purpose.step, what)):
        while _may_answer(order, attempt := await journal.live_attempt(order.key)):
            if attempt is None:
                async with slot():
                    submit = await prepare()
                    present = await _price(order, reprice)
                    attempt = await _intend(journal, present, clock(), counter(), buyer, open_jobs)
                if attempt is None:
                    await submission.wait_for_equal()
                elif job_id := await submission.send(attempt, present, submit, first=True):
                    return _purchase(order, attempt, job_id, Outcome.BOUGHT)
            elif attempt.state is AttemptState.IN_DOUBT:
                await submission.meet_doubt(attempt, again=may_resubmit)
                may_resubmit = False
            elif attempt.state is AttemptState.CONTENT_REFUSED:
                what = f"it was refused before, and is not asked for again: {attempt.reason}"
                raise refused(order, what, money="Nothing was bought now.", job_id=attempt.remote_id or "")
            elif attempt.state is not AttemptState.INTENDED:
                return await _answer_with(journal, order, attempt, has)
            elif await journal.is_worked_on(attempt):
                await asyncio.sleep(WATCH_SECONDS)  # its owner binds it, gives it up or dies; each ends this wait
            else:
                await asyncio.sleep(repeat_pause)  # the dead owner's request may still be under way
                submit = await prepare()
                present = await _price(order, reprice)
                if (mine := await journal.take_over(attempt, present)) and (
                    job_id := await submission.send(mine, present, submit, first=False)
                ):
                    return _purchase(order, mine, job_id, Outcome.BOUGHT)
        return Purchase(order, order.key, 0, 0, "", Outcome.NOT_BOUGHT)


def _may_answer(order: Order, attempt: Attempt | None) -> bool:
    """True if the order may be bought, or is bought; an attempt that is only intended is still to buy."""
    return not order.withheld or (attempt is not None and attempt.state is not AttemptState.INTENDED)


async def _answer_with(journal: Journal, order: Order, attempt: Attempt, has: Has) -> Purchase:
    assert attempt.remote_id is not None  # only an attempt that is intended or in doubt has none
    assets = tuple(await journal.assets(attempt.id))
    if attempt.state is AttemptState.STORED and await are_there(assets, has):
        return await reused(journal, order, attempt, assets)
    await _note_use(journal, order, assets)
    others = [one for one in await journal.waiters(attempt.id) if one.lives and one.run != order.purpose.run]
    joined = attempt.state is AttemptState.BOUND and others
    return _purchase(order, attempt, attempt.remote_id, Outcome.JOINED if joined else Outcome.REATTACHED)


async def reused(journal: Journal, order: Order, attempt: Attempt, assets: tuple[StoredAsset, ...]) -> Purchase:
    """Return the purchase of an order that is met by the files of an attempt, and write down the use of them."""
    await _note_use(journal, order, assets)
    return _purchase(order, attempt, attempt.remote_id or "", Outcome.REUSED, assets)


async def _note_use(journal: Journal, order: Order, assets: Sequence[StoredAsset]) -> None:
    # Uses that their sidecars tell are written down already: a second run of the same campaign writes nothing.
    if order.purpose.campaign and not (assets and all(asset.tells_use(order.purpose) for asset in assets)):
        await journal.use(order.key, order.purpose)


def _purchase(order: Order, attempt: Attempt, job_id: str, outcome: Outcome, assets: tuple[StoredAsset, ...] = ()) -> Purchase:
    return Purchase(order, attempt.key, attempt.id, attempt.number, job_id, outcome, assets)


def refused(order: Order, what: str, *, money: str, job_id: str = "") -> ContentRefusedError:
    """Return the error for an order that the provider refuses to make: the reason, the prompt, and the cost."""
    prompt = prompt_of(order.request)
    return ContentRefusedError(
        f"{what}; asked for was {prompt}" if prompt else what, job=describe(order, order.key, job_id), money=money
    )


async def end_without_result(journal: Journal, purchase: Purchase, job: Job, run: str = "") -> float | None:
    """Write down that a job ended and gave nothing; return the part of its cost that this run reports; see `Journal.report`."""
    attempt_id, job_id = purchase.attempt, purchase.job_id
    await journal.charge(attempt_id, job_id, job.charged_in((await journal.attempt(attempt_id)).unit))
    await journal.note(attempt_id, job_id, job.said)
    if job.content_refused:
        await journal.end_refused(attempt_id, job_id, job.error)
    else:
        await journal.fail(attempt_id, job_id, job.error or job.status)
    return await journal.report(attempt_id, run)


def say_excess(attempt: Attempt) -> str:
    """Return the sentence about a job that was charged more than its price; empty where it was not."""
    return f"{attempt.excess[0].upper()}{attempt.excess[1:]}: the account is held." if attempt.excess else ""


async def _look_for(journal: Journal, attempt: Attempt, recover: Recover, buyer: Buyer) -> str | None:
    """Return the id of an attempt's job, or None if there is no job. Any key may find the job; only that of its buyer may miss it.

    Raises:
        OtherKeyError: The job was not found, with another key than the one that bought it.
    """
    try:
        job_id = await recover(attempt, journal)
    except GenmediaError as error:
        attempt.check_absence(buyer, error.what)
        raise
    if job_id is None:
        attempt.check_absence(buyer, "the provider has no such job")
    return job_id


async def settle(journal: Journal, attempt: Attempt, recover: Recover, buyer: Buyer) -> None:
    """Find out what became of an attempt whose owner is gone, without its order, and write it down, unless another process does.

    Raises:
        ApiError: The provider could not be asked; the attempt is given up.
        OtherKeyError: It was begun with another key, and with this one its end cannot be found out; the attempt is given up.
    """
    mine = await journal.take_over(attempt)
    if mine is None:
        return
    attempt = mine
    try:
        job_id = await _look_for(journal, attempt, recover, buyer)
    except InDoubtError as error:
        await journal.doubt(attempt, error.what)
    except BaseException:
        with suppress(JournalError):
            await journal.release(attempt)
        raise
    else:
        if job_id:
            await journal.bind(attempt, job_id, buyer=buyer)
        else:
            await journal.refuse(attempt, "the provider has no such job")


@dataclass
class _Submission:
    """Sends one order, and finds out what became of what was sent.

    Attributes:
        unsettled: True if the provider may have accepted a submission that was sent for the attempt, and has not denied it since.
        duplicate: The provider's answer that it has this submission; from then on the job is looked for, and never submitted again.
    """

    journal: Journal
    order: Order
    recover: Recover
    repeat_pause: float
    clock: Callable[[], datetime]
    buyer: Buyer
    unsettled: bool = False
    duplicate: DuplicateError | None = None

    def may_repeat(self, attempt: Attempt) -> bool:
        """True if the provider certainly still answers an equal submission with the job that exists, for as long as asking takes."""
        if attempt.asked_at is None or not self.buyer.may_miss(attempt.buyer):
            return False
        age = (self.clock() - attempt.asked_at).total_seconds()
        return 0 <= age < self.order.repeat_window - self.repeat_pause  # below 0 a clock was set: the age is unknown

    async def meet_doubt(self, attempt: Attempt, *, again: bool) -> None:
        """Give up an attempt in doubt if the order says so; return if the journal is to be asked again.

        Args:
            attempt: An attempt in doubt.
            again: True if the order may be bought once more.

        Raises:
            InDoubtError: The order leaves it to a person.
            AbandonedError: It was given up, and is not bought once more.
        """
        about = self._about(attempt)
        if not again and self.order.if_in_doubt is not Doubt.ABANDON:
            raise InDoubtError(f"it is not known whether it was accepted: {attempt.reason}", job=about)
        given_up = await self.journal.give_up(attempt, f"in doubt: {attempt.reason}", self.order if again else None)
        if given_up and not again:
            raise AbandonedError(f"it is not known whether it was accepted: {attempt.reason}", job=about)

    async def wait_for_equal(self) -> None:
        """Wait a moment while an equal job is unbound; settle one whose owner is gone."""
        equal = self.order.fingerprint and await self.journal.unbound_equal(str(self.order.account), self.order.fingerprint)
        if not equal or equal.key == self.order.key or await self.journal.is_worked_on(equal):
            await asyncio.sleep(WATCH_SECONDS)
            return
        await asyncio.sleep(self.repeat_pause)
        await settle(self.journal, equal, self.recover, self.buyer)

    async def send(self, attempt: Attempt, present: Order, submit: Submit, *, first: bool) -> str | None:
        """Submit the order, bind its job, and return the job's id; None when another process has taken it over, or it is in doubt.

        Args:
            attempt: An attempt that this process has claimed.
            present: The order at its present price.
            submit: Sends it.
            first: True if nothing was sent for the attempt yet.
        """
        self.unsettled = not first
        try:
            job_id = await self._submit_until_known(attempt, present, submit)
        except _StillUnknownError as unknown:
            await self.journal.release(attempt)
            raise NoAnswerError(
                f"an earlier submission may have been accepted, and it could not be asked about: {unknown.refusal.what}",
                job=self._about(attempt),
            ) from None
        except SupersededError as error:
            await self._let_go(attempt, error.what)
            return None
        except ContentRefusedError as error:
            await self.journal.refuse_content(attempt, error.what)
            raise refused(self.order, error.what, money="Nothing was bought.") from None
        except (NotAcceptedError, BudgetError) as error:
            await self.journal.refuse(attempt, error.what)
            error.job = self._about(attempt)
            raise
        except (DuplicateError, InDoubtError) as error:
            await self.journal.doubt(attempt, error.what)
            return None
        except BaseException as error:
            if isinstance(error, GenmediaError):
                error.job = error.job or self._about(attempt)
            with suppress(JournalError):  # the cause has to be told; this process itself knows what it gave up
                await self._let_go(attempt, NEVER_SENT)
            raise
        try:
            await self.journal.bind(attempt, job_id, buyer=self.buyer)
        except BaseException as error:
            with suppress(JournalError):
                await self.journal.release(attempt)
            if not isinstance(error, GenmediaError):
                raise
            error.job = self._about(attempt, job_id)
            error.money = "The job is accepted and paid for, but its id could not be written down."
            error.advice = "Mend the journal and run again soon: the provider is asked for the job."
            raise
        return job_id

    async def _let_go(self, attempt: Attempt, reason: str) -> None:
        """Give up an attempt: write down that nothing was bought; or, if a submission is unsettled, let any process settle it."""
        if self.unsettled:
            await self.journal.release(attempt)
        else:
            await self.journal.refuse(attempt, reason)

    async def _submit_until_known(self, attempt: Attempt, present: Order, submit: Submit) -> str:
        """Submit, and return the job's id; after a lost answer only where an equal key gives the existing job, or there is none."""
        lost = ""
        for left in reversed(range(REPEATS + 1)):
            try:
                return await self._ask_or_submit(attempt, present, submit)
            except InDoubtError as doubt:
                raise InDoubtError("; ".join(filter(None, (lost, doubt.what)))) from None
            except MaybeAcceptedError as error:
                if not left:
                    raise
                lost = error.what
            await asyncio.sleep(self.repeat_pause)
        raise AssertionError("the last repeat returns or raises")

    async def _ask_or_submit(self, attempt: Attempt, present: Order, submit: Submit) -> str:
        """Submit if nothing was sent, or it is recognised, or it was not accepted; return the id of the new or the existing job."""
        if self.duplicate:
            return await self._existing(attempt, self.duplicate)
        if self.unsettled and not self.may_repeat(attempt):
            if found := await self._ask(attempt):
                return found
            self.unsettled = False
        try:
            return await submit(f"{attempt.key}:{attempt.number}", partial(self._gate, attempt, present, again=self.unsettled))
        except DuplicateError as duplicate:
            self.unsettled, self.duplicate = True, duplicate  # there is a job, even if it is not found
            return await self._existing(attempt, duplicate)
        except (NotAcceptedError, BudgetError) as refusal:
            if self.unsettled:  # a call that was refused, or not sent, says nothing of the calls before it
                if found := await self._ask(attempt, refusal):
                    return found
                self.unsettled = False
            raise

    @asynccontextmanager
    async def _gate(self, attempt: Attempt, present: Order, *, again: bool) -> AsyncGenerator[None]:
        """Check that an attempt may be sent, and send it inside the block; `again`: True after a submission that may have been accepted."""
        await self.journal.assure(attempt, present)
        # It may have waited until the provider no longer recognises an equal one: then the earlier one has to be asked about first.
        if again and not self.may_repeat(attempt):
            raise NoAnswerError("an earlier submission may be forgotten by now")
        before, self.unsettled = self.unsettled, True
        try:
            yield
        except NotAcceptedError:
            self.unsettled = before
            raise

    async def _ask(self, attempt: Attempt, refusal: GenmediaError | None = None) -> str | None:
        """Ask what became of an earlier submission; return its job's id, or None when the provider says that nothing was bought.

        Args:
            attempt: An attempt that this process has claimed.
            refusal: The error for which it cannot be sent again, if any; a provider that cannot be asked now is then asked by the next run.
        """
        try:
            return await _look_for(self.journal, attempt, self.recover, self.buyer)
        except (ApiError, InDoubtError) as error:
            if refusal or isinstance(error, NotAcceptedError):
                raise _StillUnknownError(refusal or error) from None
            raise

    async def _existing(self, attempt: Attempt, duplicate: DuplicateError) -> str:
        """Return the id of the job that the provider says it has.

        Raises:
            DuplicateError: The job is not found, or not yet.
            InDoubtError: It cannot be looked for, or it is one of several.
        """
        try:
            found = await self._ask(attempt)
        except UnlistedError:
            raise InDoubtError(f"{duplicate.what}; it exists, and there is no list to find it in") from None
        if found:
            return found
        raise duplicate

    def _about(self, attempt: Attempt, job_id: str = "") -> str:
        return describe(self.order, attempt.key, job_id)


class _StillUnknownError(Exception):
    """A repeat was refused, or not sent, and the provider could not be asked about the submission before it."""

    def __init__(self, refusal: GenmediaError) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


def describe(order: Order, key: str, job_id: str = "") -> str:
    """Return an order's names for a message: provider, operation, remote id if known, submission key."""
    return ", ".join(
        part
        for part in (f"{order.account.provider} {order.operation}", job_id and f"job {job_id}", f"submission {key[:12]}")
        if part
    )
