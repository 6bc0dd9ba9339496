"""How the parts of a campaign ended."""

from dataclasses import dataclass

from genmedia.journal import StoredAsset

FAILED = "Failed"
NOT_STARTED = "Not started"
QUARANTINED = "Quarantined"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one purchase of a campaign ended.

    Attributes:
        name: The step or item.
        operation: What was bought: a technique, a model.
        status: `Bought`, `Reattached`, `Reused`; `Quarantined`, where the store goes on without files that are not what they should be;
            `Failed`; or `Not started`, because another part had failed.
        seconds: From the order to the stored files; None when nothing was started.
        charged: Credits that it took, as far as no other flow run reports them; 0 for what was reused.
        error: Why it failed, or why files were refused.
    """

    name: str
    operation: str
    status: str
    job_id: str = ""
    seconds: float | None = None
    charged: float = 0
    assets: tuple[StoredAsset, ...] = ()
    error: str = ""

    @property
    def warnings(self) -> list[str]:
        """What is odd about its files, though they are stored: a person should look at them."""
        return [f"{asset.output}: {warning}" for asset in self.assets for warning in asset.sidecar.get("warnings", ())]

    @property
    def done(self) -> bool:
        """Whether it needs nothing more: its files are in the store, or it goes on without them."""
        return self.status not in (FAILED, NOT_STARTED)
