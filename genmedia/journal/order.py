"""The order: what is asked of a provider, its price, and its purpose. Its submission key identifies it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from genmedia.jobs.job import Account, amount
from genmedia.journal.keys import submission_key
from genmedia.media.conformance import Expected

PATIENCE_SECONDS = 1800.0
"""Longest wait of a purchase for an account that is busy, in seconds, unless its run sets another."""


FREE = ""
"""Unit of what costs nothing, because it is done on this machine and nobody is paid."""


class Doubt(StrEnum):
    """Reaction to a purchase in doubt, where it is not known if the provider accepted it.

    `hold`: it is left to a person; everything else goes on. `resubmit`: it counts as spent, and is bought once more, if the run has a cap
    and that allows it. `abandon`: it counts as spent, and is not waited for; the next run buys it anew.
    """

    HOLD = "hold"
    RESUBMIT = "resubmit"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Purpose:
    """Purpose of a purchase: its campaign, its labels and its run; no part of the submission key.

    Attributes:
        campaign: Campaign that the money is spent for.
        step: Step of the campaign that wants the files.
        inputs: Facts of each input for the sidecars: its `id`, and its `text`, or the `sha256` of its file and its origin (`from`), and the
            path of the `asset` of the store that it is. The journal is asked for an asset that is not told.
        labels: Labels of the purchase, such as a client or a cost centre.
        run: The run that spends the money.
        cap: Most that the run may spend at the account; None for no limit.
        spare: Most that the run may spend beyond its plan, on purchases that turn out dearer; None for nothing, where it has no cap.
        place: Place of the files in what the run asked for, as the sidecars tell it; see `genmedia.forms.names.placed`.
        monthly: Most that all runs together may spend in a calendar month for the value of a label, by the label's name: at the provider of
            the order, and in its unit.
        stands_in: What the step asked for first, where a fallback or a cheaper step is bought in its place; empty where none is.
    """

    campaign: str = ""
    step: str = ""
    inputs: Sequence[Mapping[str, str]] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    run: str = ""
    cap: float | None = None
    spare: float | None = None
    place: Sequence[Mapping[str, str | int]] = ()
    monthly: Mapping[str, float] = field(default_factory=dict[str, float])
    stands_in: str = ""

    @property
    def months(self) -> dict[tuple[str, str], float]:
        """The same as `monthly`, by label and value; a label that the purchase does not have is left out."""
        return {(name, self.labels[name]): most for name, most in self.monthly.items() if name in self.labels}


@dataclass(frozen=True)
class Order:
    """An order for the result of one request: the account, the operation, and the fields that the caller set.

    Args:
        request: The fields that the caller set, files by hash: the provider's request is made of it, and of nothing else.
        size: Size of what is asked for, as far as it decides how long the job runs, such as `1024x768`; no part of the key.
        price: Highest amount that it may cost, in `unit`; None if it is unknown.
        expects: Expected properties of its files, as far as the request tells them; no part of the key.
        fingerprint: Fingerprint that equal jobs share, where only the provider's list of jobs can be asked after a lost answer; else None.
        assumed: Amount that a job of the account counts as while its price is unknown; None for unknown.
        planned: Price in the run's plan, where the price was asked for again since; None where the price is not compared with the plan.
        if_in_doubt: Reaction where it is not known if it was bought.
        purpose: Purpose of the purchase; no part of the key either.
        stride: Distance to the next take: copies of one request have the takes in between.
        repeat_window: Time for which the provider certainly answers an equal submission with the job that exists, in seconds; 0 for never.
        patience: Longest wait while the account has too many requests or open jobs, in seconds; it buys nothing and is no failure.
        attempts: Most attempts in all, while its job fails for the provider's reasons.
        edition: Edition of its campaign, such as `2026-W48`: what was bought for another one does not answer for it; empty for none.
        withheld: Reason why nothing is bought for it, though files or a job that are there are reused; empty where it may be bought.
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
    size: str = ""
    edition: str = ""

    def __post_init__(self) -> None:
        """Replace a price that is no amount by None."""
        for name in ("price", "assumed"):
            object.__setattr__(self, name, amount(getattr(self, name)))

    @property
    def free(self) -> bool:
        """True if nobody is paid for it; see `FREE`."""
        return self.unit == FREE

    @property
    def reserved(self) -> float | None:
        """Amount that it counts as until its charge is known, in `unit`; None if it is unknown."""
        return self.assumed if self.price is None else self.price

    @property
    def work(self) -> str:
        """The kind of job that it is, for which running times are learned: provider, origin, operation and size."""
        return f"{str(self.account).rpartition('|')[0]}|{self.operation}|{self.size}"

    @cached_property
    def key(self) -> str:
        """The submission key."""
        return submission_key(self.account, self.operation, self.request, self.take, self.edition)
