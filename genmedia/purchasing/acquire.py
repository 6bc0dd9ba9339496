"""Meeting one order to its end: bought, awaited, stored; tried again where a job fails or a file is refused, as far as that is allowed."""

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
    """What became of one order: the purchase, its files, what it was charged, and why files were refused, if the store goes on."""

    purchase: Purchase
    assets: tuple[StoredAsset, ...]
    charged: float | None
    refused: str = ""

    @property
    def status(self) -> str:
        """That of its result."""
        return QUARANTINED if self.refused else self.purchase.outcome


async def acquire(
    name: str,
    assets: Assets,
    spare: float | None,
    submit: Callable[[], Awaitable[Purchase]],
    finish: Callable[[Purchase], Awaitable[Received]],
    log: Log,
) -> Acquired:
    """Meet one order: buy it, await and store it. What a file that was refused means, the store's block says.

    Args:
        name: The item, for the progress.
        assets: Where its files go.
        spare: What the run may spend beyond its plan at whom it pays; None for no limit.
        submit: Buys it, or finds that it is bought.
        finish: Brings it to its end: its files in the store, and what of its cost is to be reported.
        log: Is told when it is bought again.

    Raises:
        MediaError: A file is not what it should be, and the block says that this is a failure, or nothing more may be spent.
    """
    tries = _Tries(name, assets, spare, log, again=assets.if_refused == "buy again")
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
                if assets.if_refused == "go on":
                    tell(name, str(error), over=True)
                    await _leave(assets, purchase)
                    return Acquired(purchase, (), together(tries.charged, error.charged), str(error))
                await tries.give_up(purchase, error)
            except JobFailedError as error:
                tries.repeat(purchase, error)
            except SupersededError as error:
                tell(name, error.what)  # what answers for the wish now is taken up
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
    """What was bought so far for one order, and whether it may be bought once more.

    Attributes:
        again: Whether it may be bought once more when its file is refused.
        charged: What was paid before the present try; None where that is not known.
        failures: Of the jobs before it.
    """

    name: str
    assets: Assets
    spare: float | None
    log: Log
    again: bool
    charged: float | None = 0.0
    failures: list[JobFailedError] = field(default_factory=list[JobFailedError])

    async def buy(self, submit: Callable[[], Awaitable[Purchase]]) -> Purchase:
        """The purchase.

        Raises:
            JobFailedError: The job before has failed, and the cap leaves no room for another.
        """
        try:
            return await submit()
        except BudgetError:
            if self.failures:
                raise self.failures[-1] from None
            raise

    def repeat(self, purchase: Purchase, error: JobFailedError) -> None:
        """Go on to the next attempt.

        Raises:
            JobFailedError: There is none, or another run has bought the job, or it is not the provider that has to do better.
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
            MediaError: It is not to be bought once more.
        """
        # A job that was not bought here may be another's to fetch, and one more attempt is the most that the block allows.
        if not self.again or purchase.outcome is not Outcome.BOUGHT or purchase.number != 1:
            raise error
        given_up, lost = await _give_up(self.assets, purchase, error, self.spare)
        self.charged, self.again = together(self.charged, lost), not given_up
        if given_up:
            self.log.warning("%s: bought again: %s", self.name, error.what)


def _add_charge(error: Exception, charged: float | None) -> None:
    """Have an error of ours tell what was paid before it as well."""
    if isinstance(error, GenmediaError):
        error.charged = together(charged, error.charged)


async def _leave(assets: Assets, purchase: Purchase | None) -> None:
    """Let others know that this run waits for a job no more: whoever comes next takes it up, and tells its cost."""
    if purchase is None:
        return
    with suppress(JournalError):  # what the run has to tell is something else
        async with assets.get_journal() as journal:
            await journal.leave(purchase.attempt, purchase.order.purpose.run)


async def _give_up(assets: Assets, purchase: Purchase, error: MediaError, spare: float | None) -> tuple[bool, float | None]:
    """Give up a purchase whose file was refused, so that it can be bought again, and what of its cost is to be reported.

    Not given up is what another process has fetched whole meanwhile, or is at.

    Raises:
        MediaError: The run may not spend that much beyond its plan.
    """
    try:
        async with assets.get_journal() as journal:
            if not await journal.fail(purchase.attempt, f"refused: {error.what}", spare):
                return False, error.charged
            return True, together(error.charged, await journal.report(purchase.attempt, purchase.order.purpose.run))
    except BudgetError:
        raise error from None
