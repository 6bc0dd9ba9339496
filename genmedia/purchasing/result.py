"""How the parts of a campaign ended."""

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


def missing(error: GenmediaError) -> str:
    """The status of what an error kept from being had."""
    return REFUSED if isinstance(error, ContentRefusedError) else FAILED


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one purchase of a campaign ended.

    Attributes:
        name: The step or item.
        operation: What was bought: a technique, a model.
        status: `Bought`, `Joined`, `Resumed` or `Reused`, as `Outcome` says; `Not bought`, where the run was not to buy it;
            `Quarantined`, where the store goes on without files that are not what they should be; `Refused`, where the provider will not
            make it; `Failed`; or `Not started`, because another part had failed.
        seconds: From the order to the stored files; None when nothing was started.
        provider: Who was paid.
        unit: What `charged` counts.
        charged: What it took, as the ledger has it, as far as no other flow run reports it; 0 for what was reused, None where nobody
            knows.
        error: Why it failed or was not to be bought, or why files were refused.
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

    @property
    def warnings(self) -> list[str]:
        """What is odd about its files, though they are stored: a person should look at them."""
        return [f"{asset.output}: {warning}" for asset in self.assets for warning in asset.sidecar.warnings]

    @property
    def done(self) -> bool:
        """Whether it needs nothing more: its files are in the store, or it goes on without them."""
        return self.status not in (FAILED, REFUSED, NOT_STARTED, Outcome.NOT_BOUGHT)

    @property
    def left(self) -> bool:
        """Whether the run was not to buy it, and so misses nothing."""
        return self.status == Outcome.NOT_BOUGHT


def together(first: float | None, second: float | None) -> float | None:
    """What two purchases in one unit took; None where nobody knows it of one of them."""
    return None if first is None or second is None else first + second


def tell_spent(results: Sequence[Result]) -> str:
    """What they took; see `add_amounts`: `charged: flora 43 credits, genova 1 credit; generio unknown`."""
    told = add_amounts((one.provider, one.charged, one.unit) for one in results)
    return f"charged: {told}" if told else "nothing charged"
