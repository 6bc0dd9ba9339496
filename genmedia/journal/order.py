"""The order: the wish to own the result of one request, and why. Its submission key is what it is known by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from genmedia.jobs.job import Account, amount
from genmedia.journal.keys import submission_key
from genmedia.media.conformance import Expected

PATIENCE_SECONDS = 1800.0
"""How long a purchase waits for an account that is busy, unless its run says so."""


class Doubt(StrEnum):
    """What a purchase that nobody can tell about means.

    `hold`: it is left to a person; everything else goes on. `resubmit`: it counts as spent, and is bought once more, if the run has a cap
    and that allows it. `abandon`: it counts as spent, and is not waited for; the next run buys it anew.
    """

    HOLD = "hold"
    RESUBMIT = "resubmit"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Purpose:
    """Why something is bought, for whom and by whom; no part of what is bought.

    Attributes:
        campaign: For what the money is spent.
        step: The part of it that wants the files.
        inputs: What the sidecars tell of each input: its `id`, and its `text`, or the `sha256` of its file and where that came `from`; the
            path of an `asset` of the store that it is. Where that is not told, the journal is asked.
        labels: Whom it is spent for, such as a client or a cost centre.
        run: The run that spends it.
        cap: What that run may spend at the account; None for no limit.
        spare: What it may spend beyond its plan, on what turns out dearer; None for nothing, where it has no cap.
        place: Where it stands in what the run asked for, as the sidecars tell it; see `genmedia.forms.names.placed`.
    """

    campaign: str = ""
    step: str = ""
    inputs: Sequence[Mapping[str, str]] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    run: str = ""
    cap: float | None = None
    spare: float | None = None
    place: Sequence[Mapping[str, str | int]] = ()


@dataclass(frozen=True)
class Order:
    """The wish to own the result of one request: whose account, which operation, and the fields the caller set.

    Args:
        request: The fields the caller set, files by hash: what the provider is sent is made of it, and nothing else.
        price: What it may cost in `unit`; None when nobody says.
        expects: What its files should be, as far as the request says; no part of the wish.
        fingerprint: What equal jobs cannot be told apart by, where the provider's list is all there is to ask after a lost answer.
        assumed: What one of the account's jobs counts as while nobody says its price; None for unknown.
        planned: What the run's plan took it to cost, where its price was asked for anew since; None where it is not held against that.
        if_in_doubt: What is done when nobody can tell whether it was bought.
        purpose: Why it is bought; no part of the wish either.
        stride: How far the next take is: copies of one request have the takes in between.
        repeat_window: For how many seconds the provider surely answers an equal submission with the job that exists; 0 for never.
        patience: How many seconds it may wait while the account has too many requests or open jobs; that buys nothing and is no failure.
        attempts: How often it may be bought in all while its job fails for the provider's reasons.
        withheld: Why nothing is bought for it, though what is there is reused or taken up; empty where it may be bought.
    """

    account: Account
    operation: str
    request: dict[str, Any]
    price: float | None
    unit: str
    take: int = 1
    repeat_window: float = 0
    expects: Expected = field(default_factory=Expected)
    fingerprint: str | None = None
    assumed: float | None = None
    planned: float | None = None
    if_in_doubt: Doubt = Doubt.HOLD
    purpose: Purpose = field(default_factory=Purpose)
    stride: int = 1
    patience: float = PATIENCE_SECONDS
    attempts: int = 1
    withheld: str = ""

    def __post_init__(self) -> None:
        """A price that is no amount is unknown."""
        for name in ("price", "assumed"):
            object.__setattr__(self, name, amount(getattr(self, name)))

    @property
    def reserved(self) -> float | None:
        """What it counts as in `unit` until it is known what it was charged; None when nobody says."""
        return self.assumed if self.price is None else self.price

    @property
    def key(self) -> str:
        """The submission key."""
        return submission_key(self.account, self.operation, self.request, self.take)
