"""The one function that every purchase passes through: look, intend, submit, bind."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from genmedia.errors import InDoubtError, MaybeAcceptedError, NoAnswerError, NotAcceptedError, SettingsError
from genmedia.http import ANSWER_SECONDS
from genmedia.jobs import Account
from genmedia.journal import Attempt, AttemptState, Journal, StoredAsset
from genmedia.keys import submission_key

REPEATS = 4
"""How often a submission that may have been accepted is asked about again, where the provider recognises it."""


class Outcome(StrEnum):
    """How a wish was met; the words stand in the Prefect UI as state names."""

    BOUGHT = "Bought"
    REATTACHED = "Reattached"
    REUSED = "Reused"


@dataclass(frozen=True)
class Order:
    """One wish: whose account, which operation, and the fields the caller set.

    Args:
        price: What it may cost in `unit`; None when nobody says.
        repeat_window: For how many seconds the provider surely answers an equal submission with the job that exists; 0 for never.
    """

    account: Account
    operation: str
    request: dict[str, Any]
    price: float | None
    unit: str
    take: int = 1
    repeat_window: float = 0

    @property
    def key(self) -> str:
        """The submission key."""
        return submission_key(self.account, self.operation, self.request, self.take)


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


Submit = Callable[[str], Awaitable[str]]
"""Sends the order once, under the given idempotency key, and returns the remote id."""

Prepare = Callable[[], Awaitable[Submit]]
"""Brings the inputs to where the provider reads them, at no cost; called only when there is something to submit."""


Recover = Callable[[Attempt], Awaitable[str | None]]
"""Asks the provider what became of an attempt whose answer was lost: its job's id, or None when it was surely not accepted.

Raises `MaybeAcceptedError` when the provider cannot tell.
"""


async def buy(
    journal: Journal,
    order: Order,
    prepare: Prepare,
    *,
    has: Callable[[StoredAsset], bool],
    recover: Recover | None = None,
    repeat_pause: float = ANSWER_SECONDS,
) -> Purchase:
    """Meet an order without ever paying twice for it.

    Stored: its files are reused. Live: the running job is taken up again. Neither: the intent is written down, the order is
    submitted once, and the remote id is bound to it.

    Args:
        journal: Where intents and ids are written down.
        order: The wish.
        prepare: Makes ready to send it.
        has: Whether the store still holds a file; what it lost is fetched again from the job that gave it, not bought again.
        recover: How the provider is asked about a lost answer, where it does not recognise an equal submission but can be asked.
        repeat_pause: Seconds between two submissions under one idempotency key, so that they never run at the same time: as long as
            an answer may take.

    Raises:
        NotAcceptedError: The provider refused it; nothing was bought.
        InDoubtError: Nobody can tell whether it was bought, now or by an earlier run.
    """
    key = order.key
    while True:
        attempt = await journal.live_attempt(key)
        if attempt is None:
            submit = await prepare()
            attempt = await _intend(journal, order)
            if attempt is None:
                continue
        elif attempt.state is not AttemptState.INTENDED:
            return await _answer_with(journal, order, attempt, has)
        elif journal.is_worked_on(attempt):
            await asyncio.sleep(0.1)  # its owner binds it, gives it up or dies; each ends this wait
            continue
        elif attempt.age > order.repeat_window and recover is None:
            if await journal.take_over(attempt):
                await journal.doubt(attempt, "the process that submitted it died before it learned the job's id")
            continue
        else:
            await asyncio.sleep(repeat_pause)  # the dead owner's request may still be under way
            submit = await prepare()
            if not await journal.take_over(attempt):
                continue
            if recover is not None:
                submit = _recovering(attempt, submit, recover)
            return await _submit(journal, order, attempt, submit, repeat_pause, recover, first=False)
        return await _submit(journal, order, attempt, submit, repeat_pause, recover, first=True)


def _recovering(attempt: Attempt, submit: Submit, recover: Recover) -> Submit:
    """Ask first what became of the attempt; submit only when it was surely not accepted."""

    async def submit_unless_found(idempotency_key: str) -> str:
        return await recover(attempt) or await submit(idempotency_key)

    return submit_unless_found


async def _intend(journal: Journal, order: Order) -> Attempt | None:
    return await journal.intend(
        key=order.key,
        account=str(order.account),
        operation=order.operation,
        request=order.request,
        take=order.take,
        price=order.price,
        unit=order.unit,
    )


async def _answer_with(journal: Journal, order: Order, attempt: Attempt, has: Callable[[StoredAsset], bool]) -> Purchase:
    if attempt.state is AttemptState.IN_DOUBT or attempt.remote_id is None:
        raise InDoubtError(f"an earlier submission is in doubt: {attempt.reason}", job=describe(order, attempt.key))
    assets = tuple(await journal.assets(attempt.id))
    if attempt.state is AttemptState.STORED and all(map(has, assets)):
        return Purchase(order, attempt.key, attempt.id, attempt.number, attempt.remote_id, Outcome.REUSED, assets)
    return Purchase(order, attempt.key, attempt.id, attempt.number, attempt.remote_id, Outcome.REATTACHED)


async def _submit(
    journal: Journal,
    order: Order,
    attempt: Attempt,
    submit: Submit,
    repeat_pause: float,
    recover: Recover | None,
    *,
    first: bool,
) -> Purchase:
    try:
        job_id = await _submit_until_known(order, attempt, submit, repeat_pause, recover, first=first)
    except _StillUnknownError as unknown:
        await asyncio.shield(journal.release(attempt))
        raise NoAnswerError(
            f"an earlier submission may have been accepted, and it could not be asked about: {unknown.refusal.what}",
            job=describe(order, attempt.key),
        ) from None
    except NotAcceptedError as error:
        await journal.refuse(attempt, error.what)
        error.job = describe(order, attempt.key)
        raise
    except (MaybeAcceptedError, InDoubtError) as error:
        await journal.doubt(attempt, error.what)
        raise InDoubtError(f"nobody can tell whether it was accepted: {error.what}", job=describe(order, attempt.key)) from None
    except BaseException:
        await asyncio.shield(journal.release(attempt))
        raise
    try:
        await asyncio.shield(journal.bind(attempt, job_id))
    except SettingsError as error:
        error.job = describe(order, attempt.key, job_id)
        error.money = "The job is accepted and paid for, but its id could not be written down."
        error.advice = "Mend the journal and run again soon: the provider is asked for the job."
        raise
    return Purchase(order, attempt.key, attempt.id, attempt.number, job_id, Outcome.BOUGHT)


class _StillUnknownError(Exception):
    """A repeat was refused: that says nothing of the submission before it."""

    def __init__(self, refusal: NotAcceptedError) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


async def _submit_until_known(
    order: Order, attempt: Attempt, submit: Submit, repeat_pause: float, recover: Recover | None, *, first: bool
) -> str:
    """Submit; after a lost answer again only where an equal key gives the job that exists, or the provider says there is none."""
    for repeat in range(REPEATS + 1):
        try:
            return await submit(f"{attempt.key}:{attempt.number}")
        except NotAcceptedError as error:
            if first and repeat == 0:
                raise
            raise _StillUnknownError(error) from None
        except MaybeAcceptedError:
            if repeat == REPEATS:
                raise
            if recover is not None:
                found = await recover(attempt)
                if found is not None:
                    return found
            elif attempt.age + repeat_pause > order.repeat_window:
                raise
            await asyncio.sleep(repeat_pause)
    raise AssertionError("the last repeat returns or raises")


def describe(order: Order, key: str, job_id: str = "") -> str:
    """An order's names for a message: provider, operation, remote id where known, submission key."""
    return ", ".join(
        part
        for part in (f"{order.account.provider} {order.operation}", job_id and f"job {job_id}", f"submission {key[:12]}")
        if part
    )
