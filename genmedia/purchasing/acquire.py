"""One order, carried out to its end: buy, wait, store; try again where a job fails or a file is refused, as far as that is allowed."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from genmedia.errors import (
    BudgetError,
    GenmediaError,
    JobCancelledError,
    JobFailedError,
    JournalError,
    MediaError,
    SupersededError,
)
from genmedia.journal import StoredAsset
from genmedia.progress import Log, tell
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import Assets
from genmedia.purchasing.receive import Received
from genmedia.purchasing.result import QUARANTINED, together
from genmedia.purchasing.uses import tell_uses


@dataclass(frozen=True)
class Acquired:
    """Result of one order: the purchase, its files, its charge, and why files were refused, where the store goes on without them."""

    purchase: Purchase
    assets: tuple[StoredAsset, ...]
    charged: float | None
    refused: str = ""

    @property
    def status(self) -> str:
        """Status for its result."""
        return QUARANTINED if self.refused else self.purchase.outcome


async def acquire(
    name: str,
    assets: Assets,
    spare: float | None,
    submit: Callable[[], Awaitable[Purchase]],
    finish: Callable[[Purchase], Awaitable[Received]],
    log: Log,
    if_refused: str = "",
) -> Acquired:
    """Carry out one order: buy it, wait for its job, store its files.

    Args:
        name: Name of the item, for the progress.
        assets: The store of its files, and the journal.
        spare: Most that the run may spend beyond its plan at the account that pays; None for no limit.
        submit: Buys it, or finds that it is bought.
        finish: Waits for the job and stores its files; returns them, and the part of the cost that this run reports.
        log: Log for a message when it is bought again.
        if_refused: Reaction where a file is refused: `fail`, `buy again` or `go on`; empty for that of the store's block.

    Raises:
        MediaError: A file is not what it should be, and that is to be a failure, or nothing more may be spent.
    """
    if_refused = if_refused or assets.if_refused
    tries = _Tries(name, assets, spare, log, again=if_refused == "buy again")
    purchase: Purchase | None = None
    try:
        while True:
            purchase = await tries.buy(submit)
            settled = purchase.outcome in (Outcome.REUSED, Outcome.NOT_BOUGHT)
            tell(name, purchase.outcome, over=settled)
            if settled:
                async with assets.get_store() as files, assets.get_journal() as journal:
                    purchase = await tell_uses(files, journal, purchase)
                return Acquired(purchase, purchase.assets, tries.charged)
            try:
                stored, cost = await finish(purchase)
            except MediaError as error:
                if if_refused == "go on":
                    tell(name, str(error), over=True)
                    await _leave(assets, purchase)
                    return Acquired(purchase, (), together(tries.charged, error.charged), str(error))
                await tries.give_up(purchase, error)
            except JobFailedError as error:
                tries.repeat(purchase, error)
            except SupersededError as error:
                tell(name, error.what)  # the attempt that answers for the order now is taken up
                tries.charged = together(tries.charged, error.charged)
            else:
                tell(name, "stored", 100, over=True)
                return Acquired(purchase, stored, together(tries.charged, cost))
    except Exception as error:
        _add_charge(error, tries.charged)
        await _leave(assets, purchase)
        raise


@dataclass
class _Tries:
    """The purchases for one order so far, and the decision to buy it once more.

    Attributes:
        again: True if it may be bought once more when its file is refused.
        charged: Amount paid before the present try; None if it is unknown.
        failures: Failures of the jobs before it.
    """

    name: str
    assets: Assets
    spare: float | None
    log: Log
    again: bool
    charged: float | None = 0.0
    failures: list[JobFailedError] = field(default_factory=list[JobFailedError])

    async def buy(self, submit: Callable[[], Awaitable[Purchase]]) -> Purchase:
        """Buy, and return the purchase.

        Raises:
            JobFailedError: The job before has failed, and the cap leaves no room for another.
        """
        try:
            return await submit()
        except BudgetError:
            if not self.failures:
                raise
            last = self.failures[-1]
            last.charged = 0.0  # it is in `self.charged`
            raise last from None

    def repeat(self, purchase: Purchase, error: JobFailedError) -> None:
        """Go on to the next attempt.

        Raises:
            JobFailedError: No attempt is left, or another run has bought the job, or the job was cancelled.
        """
        self.failures.append(error)
        final = isinstance(error, JobCancelledError) or purchase.outcome is Outcome.JOINED
        if final or len(self.failures) >= purchase.order.attempts:
            raise error
        self.charged = together(self.charged, error.charged)
        self.log.warning("%s: tried again: %s", self.name, error)

    async def give_up(self, purchase: Purchase, error: MediaError) -> None:
        """Give up a purchase whose file was refused.

        Raises:
            MediaError: The order is not to be bought once more.
        """
        # A job that was not bought here may be fetched by another run; the block allows one more attempt at most.
        if not self.again or purchase.outcome is not Outcome.BOUGHT or purchase.number != 1:
            raise error
        given_up, lost = await _give_up(self.assets, purchase, error, self.spare)
        self.charged, self.again = together(self.charged, lost), not given_up
        if given_up:
            self.log.warning("%s: bought again: %s", self.name, error.what)


def _add_charge(error: Exception, charged: float | None) -> None:
    """Add the amount that was paid before to the charge of an error of genmedia."""
    if isinstance(error, GenmediaError):
        error.charged = together(charged, error.charged)


async def _leave(assets: Assets, purchase: Purchase | None) -> None:
    """Write down that this run no longer waits for a job: the next run takes it up, and reports its cost."""
    if purchase is None:
        return
    with suppress(JournalError):  # the run has another result to tell
        async with assets.get_journal() as journal:
            await journal.leave(purchase.attempt, purchase.order.purpose.run)


async def _give_up(assets: Assets, purchase: Purchase, error: MediaError, spare: float | None) -> tuple[bool, float | None]:
    """Give up a purchase whose file was refused, so that it can be bought again; return True, and the part of its cost to report.

    Return False instead where another process has stored its files meanwhile, or works on it.

    Raises:
        MediaError: The run may not spend that much beyond its plan.
    """
    try:
        async with assets.get_journal() as journal:
            if not await journal.fail(purchase.attempt, purchase.job_id, f"refused: {error.what}", spare):
                return False, error.charged
            return True, together(error.charged, await journal.report(purchase.attempt, purchase.order.purpose.run))
    except BudgetError:
        raise error from None
