"""Review: what people have to decide before a campaign can go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from genmedia.purchasing.result import Result, tell_waiting

DEADLINE = "deadline"
"""Name under which the default of a review is given once its deadline is over."""


@dataclass(frozen=True)
class Waiting:
    """What people have to decide before a run of a campaign can go on.

    Attributes:
        campaign: Name of the campaign.
        items: Results of its steps on which nobody has decided.
        held: Number of its steps that wait for that.
        until: Time of the first deadline after which a default counts; None where there is none.
    """

    campaign: str
    items: Sequence[Result]
    held: int
    until: datetime | None = None

    @property
    def keys(self) -> set[str]:
        """Keys of the submissions on which a verdict is wanted."""
        return {asset.sidecar.submission_key for one in self.items for asset in one.assets}

    @property
    def told(self) -> str:
        """A sentence about it."""
        return tell_waiting(self.items)
