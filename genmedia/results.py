"""How the parts of a campaign ended."""

from dataclasses import dataclass

from genmedia.journal import StoredAsset

FAILED = "Failed"
NOT_STARTED = "Not started"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one purchase of a campaign ended.

    Attributes:
        name: The step or item.
        operation: What was bought: a technique, a model.
        status: `Bought`, `Reattached`, `Reused`; `Failed`; or `Not started`, because another part had failed.
        seconds: From the order to the stored files; None when nothing was started.
        charged: Credits that this flow run's purchase took; 0 for what was reused.
        error: Why it failed.
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
    def done(self) -> bool:
        """Whether its files are in the store."""
        return self.status not in (FAILED, NOT_STARTED)
