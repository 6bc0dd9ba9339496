"""Results of the parts of a campaign."""

from collections.abc import Sequence
from dataclasses import dataclass

from genmedia.errors import ContentRefusedError, GenmediaError
from genmedia.jobs.job import add_amounts
from genmedia.journal import StoredAsset
from genmedia.purchasing.buy import Outcome

FAILED = "Failed"
REFUSED = "Refused"
NOT_STARTED = "Not started"
QUARANTINED = "Quarantined"
WAITING = "Waiting for review"
NAMED = 5
"""Most items that a sentence names."""


def missing(error: GenmediaError) -> str:
    """Return the status of a part that ended with this error."""
    return REFUSED if isinstance(error, ContentRefusedError) else FAILED


@dataclass(frozen=True, kw_only=True)
class Result:
    """Result of one purchase of a campaign.

    Attributes:
        name: Name of the step or item.
        operation: Operation that was bought: a technique, a model.
        status: `Bought`, `Joined`, `Resumed`, `Reused` or `Made`, as `Outcome` says; `Not bought`, where the run was not to buy it;
            `Waiting for review`, where nobody has kept yet what it is made of; `Quarantined`, where the store goes on without files that are
            not what they should be; `Refused`, where the provider refuses to make it; `Failed`; or `Not started`, because another part had
            failed.
        seconds: Time from the order to the stored files, in seconds; None when nothing was started.
        provider: Provider that was paid.
        unit: Unit of `charged`.
        charged: Amount charged, as the ledger has it; 0 where another flow run reports it or files were reused, None if it is unknown.
        error: Reason why it failed or was not to be bought, or why files were refused.
        undecided: True if nothing is made of its files, nor are they delivered, until a person has decided on them.
    """

    name: str
    operation: str
    status: str
    job_id: str = ""
    seconds: float | None = None
    provider: str = ""
    unit: str = ""
    charged: float | None = 0
    assets: tuple[StoredAsset, ...] = ()
    error: str = ""
    undecided: bool = False

    @property
    def warnings(self) -> list[str]:
        """Warnings about its stored files: a person should check them."""
        return [f"{asset.output}: {warning}" for asset in self.assets for warning in asset.sidecar.warnings]

    @property
    def done(self) -> bool:
        """True if nothing more is needed: its files are in the store, or the campaign goes on without them."""
        return self.status not in (FAILED, REFUSED, NOT_STARTED, Outcome.NOT_BOUGHT, WAITING)

    @property
    def left(self) -> bool:
        """True if the run was not to buy it, or not yet, and so misses nothing."""
        return self.status in (Outcome.NOT_BOUGHT, WAITING)


def together(first: float | None, second: float | None) -> float | None:
    """Return the sum of two charges in one unit; None if one of them is unknown."""
    return None if first is None or second is None else first + second


def tell_spent(results: Sequence[Result]) -> str:
    """Return a text of the charges of results; see `add_amounts`: `charged: flora 43 credits, genova 1 credit; generio unknown`."""
    told = add_amounts((one.provider, one.charged, one.unit) for one in results)
    return f"charged: {told}" if told else "nothing charged"


def tell_waiting(results: Sequence[Result]) -> str:
    """Return a sentence about the results on which people have to decide; empty without such: `2 items wait for review: cup, jug`."""
    names = [one.name for one in results if one.undecided]
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'1 item waits' if len(names) == 1 else f'{len(names)} items wait'} for review: {', '.join(names[:NAMED])}{more}"
