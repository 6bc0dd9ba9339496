"""The one function that every purchase passes through: look, intend, submit, bind."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from genmedia.errors import (
    AbandonedError,
    DuplicateError,
    GenmediaError,
    HeldError,
    InDoubtError,
    JournalError,
    MaybeAcceptedError,
    NoAnswerError,
    NotAcceptedError,
    SupersededError,
)
from genmedia.http import Gate
from genmedia.inspection.expectations import Expected
from genmedia.jobs import Account, Counter
from genmedia.journal import NEVER_SENT, Attempt, AttemptState, Journal, Purpose, StoredAsset, Wish
from genmedia.keys import submission_key
from genmedia.limits import ANSWER_SECONDS

REPEATS = 4
"""How often a submission that may have been accepted is asked about again, where the provider recognises it."""

WATCH_SECONDS = 0.1
"""Between two looks at an attempt that another process submits."""


class Outcome(StrEnum):
    """How a wish was met; the words stand in the Prefect UI as state names."""

    BOUGHT = "Bought"
    REATTACHED = "Reattached"
    REUSED = "Reused"


class Doubt(StrEnum):
    """What a purchase that nobody can tell about means.

    `hold`: it is left to a person; everything else goes on. `resubmit`: it counts as spent, and is bought once more, if the run has a cap
    and that allows it. `abandon`: it counts as spent, and is not waited for; the next run buys it anew.
    """

    HOLD = "hold"
    RESUBMIT = "resubmit"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Order:
    """One wish: whose account, which operation, and the fields the caller set.

    Args:
        price: What it may cost in `unit`; None when nobody says.
        expects: What its files should be, as far as the request says; no part of the wish.
        echo: What equal jobs cannot be told apart by, where the provider's list is all there is to ask after a lost answer.
        assumed: What one of the account's jobs counts as while nobody says its price; None for unknown.
        if_in_doubt: What is done when nobody can tell whether it was bought.
        purpose: Why it is bought; no part of the wish either.
        stride: How far the next take is: copies of one request have the takes in between.
        repeat_window: For how many seconds the provider surely answers an equal submission with the job that exists; 0 for never.
    """

    account: Account
    operation: str
    request: dict[str, Any]
    price: float | None
    unit: str
    take: int = 1
    repeat_window: float = 0
    expects: Expected = field(default_factory=Expected)
    echo: str | None = None
    assumed: float | None = None
    if_in_doubt: Doubt = Doubt.HOLD
    purpose: Purpose = field(default_factory=Purpose)
    stride: int = 1

    @property
    def wish(self) -> Wish:
        """As the journal writes it down."""
        return Wish(
            key=self.key,
            account=str(self.account),
            operation=self.operation,
            request=self.request,
            take=self.take,
            price=self.price,
            unit=self.unit,
            echo=self.echo,
            assumed=self.assumed,
            purpose=self.purpose,
        )

    @property
    def key(self) -> str:
        """The submission key."""
        return submission_key(self.account, self.operation, self.request, self.take)

    def besides(self, retakes: Collection[str]) -> "Order":
        """This wish, or the first further take of it that nobody wants to have bought again.

        Args:
            retakes: The keys of submissions that are to be bought again.
        """
        return replace(self, take=self.take + self.stride).besides(retakes) if self.key in retakes else self


@dataclass(frozen=True)
class Purchase:
    """What answers for an order: a remote job, or the files it gave long ago.

    Attributes:
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
    def about(self) -> str:
        """The job's names for a message: provider, remote id, submission key."""
        return describe(self.order, self.key, self.job_id)


Submit = Callable[[str, Gate], Awaitable[str]]
"""Sends the order once, under the given idempotency key and if the gate lets it, and returns the remote id."""

Prepare = Callable[[], Awaitable[Submit]]
"""Brings the inputs to where the provider reads them, at no cost; called only when there is something to submit."""

Recover = Callable[[Attempt, Journal], Awaitable[str | None]]
"""Finds out what became of an attempt whose answer was lost; see `ProviderClient.recover`."""


def _utc() -> datetime:
    return datetime.now(UTC)


def _uncounted() -> None:
    """Most providers do not say what was used."""


async def buy(
    journal: Journal,
    order: Order,
    prepare: Prepare,
    *,
    has: Callable[[str], Awaitable[bool]],
    recover: Recover,
    repeat_pause: float = ANSWER_SECONDS,
    clock: Callable[[], datetime] = _utc,
    counter: Callable[[], Counter | None] = _uncounted,
) -> Purchase:
    """Meet an order without ever paying twice for it.

    Stored: its files are reused. Live: the running job is taken up again. Neither: the intent is written down, the order is
    submitted once, and the remote id is bound to it.

    Args:
        journal: Where intents and ids are written down.
        order: The wish.
        prepare: Makes ready to send it.
        has: Whether the store still holds the file at a path; what it lost is fetched again from the job that gave it, not bought again.
        recover: How the provider is asked about a lost answer, once it may no longer recognise an equal submission.
        repeat_pause: Seconds between two submissions under one idempotency key, so that they never run at the same time: as long as
            an answer may take.
        clock: The provider's time.
        counter: What the provider said was used of the account.

    Raises:
        NotAcceptedError: The provider refused it; nothing was bought.
        HeldError, BudgetError: The account may not spend it.
        InDoubtError: Nobody can tell whether it was bought, now or by an earlier run, and it is not to be bought once more.
    """
    submission = _Submission(journal, order, recover, repeat_pause, clock)
    may_resubmit = order.if_in_doubt is Doubt.RESUBMIT and order.purpose.cap is not None
    while True:
        attempt = await journal.live_attempt(order.key)
        if attempt is None:
            submit = await prepare()
            attempt = await journal.intend(order.wish, clock(), counter())
            if attempt is None:
                await submission.wait_for_equal()
            elif job_id := await submission.send(attempt, submit, first=True):
                return _purchase(order, attempt, job_id, Outcome.BOUGHT)
        elif attempt.state is AttemptState.IN_DOUBT:
            await submission.meet_doubt(attempt, again=may_resubmit)
            may_resubmit = False
        elif attempt.state is not AttemptState.INTENDED:
            return await _answer_with(journal, order, attempt, has)
        elif await journal.is_worked_on(attempt):
            await asyncio.sleep(WATCH_SECONDS)  # its owner binds it, gives it up or dies; each ends this wait
        else:
            await asyncio.sleep(repeat_pause)  # the dead owner's request may still be under way
            submit = await prepare()
            if (mine := await journal.take_over(attempt)) and (job_id := await submission.send(mine, submit, first=False)):
                return _purchase(order, mine, job_id, Outcome.BOUGHT)


async def _answer_with(journal: Journal, order: Order, attempt: Attempt, has: Callable[[str], Awaitable[bool]]) -> Purchase:
    assert attempt.remote_id is not None  # only an intent and a doubt have none
    assets = tuple(await journal.assets(attempt.id))
    if attempt.state is AttemptState.STORED and all([await has(asset.path) for asset in assets]):
        return _purchase(order, attempt, attempt.remote_id, Outcome.REUSED, assets)
    return _purchase(order, attempt, attempt.remote_id, Outcome.REATTACHED)


def _purchase(order: Order, attempt: Attempt, job_id: str, outcome: Outcome, assets: tuple[StoredAsset, ...] = ()) -> Purchase:
    return Purchase(order, attempt.key, attempt.id, attempt.number, job_id, outcome, assets)


async def settle(journal: Journal, attempt: Attempt, recover: Recover) -> None:
    """Find out what became of an attempt that this process holds, without its order at hand, and write it down.

    Raises:
        ApiError: The provider could not be asked; the attempt is given up.
    """
    try:
        job_id = await recover(attempt, journal)
    except InDoubtError as error:
        await journal.doubt(attempt, error.what)
    except BaseException:
        with suppress(JournalError):
            await journal.release(attempt)
        raise
    else:
        if job_id:
            await journal.bind(attempt, job_id)
        else:
            await journal.refuse(attempt, "the provider has no such job")


@dataclass
class _Submission:
    """Sends one order, and finds out what became of what was sent.

    Attributes:
        unsettled: Whether the provider may have accepted something that was sent for the attempt, and has not denied it since.
    """

    journal: Journal
    order: Order
    recover: Recover
    repeat_pause: float
    clock: Callable[[], datetime]
    unsettled: bool = False

    def may_repeat(self, attempt: Attempt) -> bool:
        """Whether the provider surely still answers an equal submission with the job that exists, for as long as asking takes."""
        if attempt.asked_at is None:
            return False
        age = (self.clock() - attempt.asked_at).total_seconds()
        return 0 <= age <= self.order.repeat_window - self.repeat_pause  # below 0 somebody has set a clock: no age is known

    async def meet_doubt(self, attempt: Attempt, *, again: bool) -> None:
        """Give up an attempt in doubt if the order says so, and return if the wish may be looked at anew.

        Args:
            attempt: In doubt.
            again: Whether it may be bought once more.
        """
        about = self._about(attempt)
        if not again and self.order.if_in_doubt is not Doubt.ABANDON:
            raise InDoubtError(f"nobody can tell whether it was accepted: {attempt.reason}", job=about)
        given_up = await self.journal.give_up(attempt, f"in doubt: {attempt.reason}", self.order.wish if again else None)
        if given_up and not again:
            raise AbandonedError(f"nobody can tell whether it was accepted: {attempt.reason}", job=about)

    async def wait_for_equal(self) -> None:
        """Wait until no equal job is unbound; settle one whose owner is gone."""
        equal = self.order.echo and await self.journal.unbound_equal(str(self.order.account), self.order.echo)
        if not equal or equal.key == self.order.key or await self.journal.is_worked_on(equal):
            await asyncio.sleep(WATCH_SECONDS)
            return
        await asyncio.sleep(self.repeat_pause)
        if mine := await self.journal.take_over(equal):
            await settle(self.journal, mine, self.recover)

    async def send(self, attempt: Attempt, submit: Submit, *, first: bool) -> str | None:
        """Submit the order, and bind what came of it; None when another process has taken it over, or it is in doubt.

        Args:
            attempt: Held by this process.
            submit: Sends it.
            first: Whether nothing was sent for the attempt yet.
        """
        self.unsettled = not first
        try:
            job_id = await self._submit_until_known(attempt, submit)
        except _StillUnknownError as unknown:
            await self.journal.release(attempt)
            raise NoAnswerError(
                f"an earlier submission may have been accepted, and it could not be asked about: {unknown.refusal.what}",
                job=self._about(attempt),
            ) from None
        except SupersededError as error:
            await self.journal.refuse(attempt, error.what)
            return None
        except (NotAcceptedError, HeldError) as error:
            await self.journal.refuse(attempt, error.what)
            error.job = self._about(attempt)
            raise
        except (MaybeAcceptedError, InDoubtError) as error:
            await self.journal.doubt(attempt, error.what)
            return None
        except BaseException:
            with suppress(JournalError):  # what it cannot write down it knows itself; the cause is what has to be told
                if self.unsettled:
                    await self.journal.release(attempt)
                else:
                    await self.journal.refuse(attempt, NEVER_SENT)
            raise
        try:
            await self.journal.bind(attempt, job_id)
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

    async def _submit_until_known(self, attempt: Attempt, submit: Submit) -> str:
        """Submit; after a lost answer again only where an equal key gives the job that exists, or the provider says there is none."""
        lost = ""
        for left in reversed(range(REPEATS + 1)):
            try:
                return await self._ask_or_submit(attempt, submit)
            except InDoubtError as doubt:
                raise InDoubtError("; ".join(filter(None, (lost, doubt.what)))) from None
            except MaybeAcceptedError as error:
                if not left:
                    raise
                lost = error.what
            await asyncio.sleep(self.repeat_pause)
        raise AssertionError("the last repeat returns or raises")

    async def _ask_or_submit(self, attempt: Attempt, submit: Submit) -> str:
        """Submit what was not sent, or is recognised, or was not accepted; else the job there is."""
        before = self.unsettled

        @asynccontextmanager
        async def gate() -> AsyncGenerator[None]:
            await self.journal.assure(attempt)
            # It may have been held back until the provider recognises an equal one no more: then that has to be asked about first.
            if before and not self.may_repeat(attempt):
                raise NoAnswerError("an earlier submission may be forgotten by now")
            self.unsettled = True
            try:
                yield
            except NotAcceptedError:
                self.unsettled = before
                raise

        try:
            if before and not self.may_repeat(attempt):
                if found := await self.recover(attempt, self.journal):
                    return found
                before = self.unsettled = False
            try:
                return await submit(f"{attempt.key}:{attempt.number}", gate)
            except DuplicateError:
                before = self.unsettled = True  # there is a job, whatever asking for it gives
                if found := await self.recover(attempt, self.journal):
                    return found
                raise
        except (NotAcceptedError, SupersededError, HeldError) as error:
            if not before:
                raise
            raise _StillUnknownError(error) from None

    def _about(self, attempt: Attempt, job_id: str = "") -> str:
        return describe(self.order, attempt.key, job_id)


class _StillUnknownError(Exception):
    """A repeat was refused, or not sent: that says nothing of the submission before it."""

    def __init__(self, refusal: GenmediaError) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


def describe(order: Order, key: str, job_id: str = "") -> str:
    """An order's names for a message: provider, operation, remote id where known, submission key."""
    return ", ".join(
        part
        for part in (f"{order.account.provider} {order.operation}", job_id and f"job {job_id}", f"submission {key[:12]}")
        if part
    )
