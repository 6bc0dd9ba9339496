"""What stands in the journal: wishes, attempts, assets, and purchases that only the store still tells of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from genmedia.jobs import Counter
from genmedia.journal.tables import LIVE as _LIVE


class AttemptState(StrEnum):
    """Where one purchase stands; the first four are live: they answer for their submission."""

    INTENDED = "intended"
    BOUND = "bound"
    IN_DOUBT = "in_doubt"
    STORED = "stored"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"

    @property
    def live(self) -> bool:
        """Whether it answers for its submission."""
        return self in _LIVE


NAMED = "a person named the job"
"""The reason of an attempt that was in doubt and is bound by what a person said."""

NEVER_SENT = "it was interrupted before it was sent"
"""The reason of an attempt that was written down and given up again."""


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
    """

    campaign: str = ""
    step: str = ""
    inputs: Sequence[Mapping[str, str]] = ()
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    run: str = ""
    cap: float | None = None


@dataclass(frozen=True)
class Wish:
    """What an attempt is made for.

    Attributes:
        key: The submission.
        price: What it may cost in `unit`; None when nobody says.
        echo: What equal jobs cannot be told apart by, where the provider's list is all there is to ask after a lost answer.
        assumed: What one of the account's jobs counts as while nobody says its price; None for unknown.
    """

    key: str
    account: str
    operation: str
    request: Mapping[str, Any]
    take: int
    price: float | None
    unit: str
    echo: str | None = None
    assumed: float | None = None
    purpose: Purpose = field(default_factory=Purpose)

    @property
    def reserved(self) -> float | None:
        """What it counts as until it is known what it was charged."""
        return self.assumed if self.price is None else self.price


@dataclass(frozen=True)
class Attempt:
    """One purchase for a submission.

    Attributes:
        owner: Who works on it: a process, and the piece of work; None while it waits for anyone.
        price: What it may cost in `unit`; None when nobody says.
        reserved: What it counts as until it is known what it was charged.
        charged: What it did cost in `unit`; None until that is known.
        asked_at: When it was intended by the provider's clock; None in journals from before that was written down.
        used: What the provider said was used of the account, at `used_at` by its clock; None where it does not say.
        labels: Whom it was bought for.
        origin: The `step` and `inputs` of its purpose.
    """

    id: int
    key: str
    number: int
    account: str
    operation: str
    request: dict[str, Any]
    campaign: str
    run: str
    labels: dict[str, str]
    origin: dict[str, Any]
    state: AttemptState
    owner: str | None
    remote_id: str | None
    price: float | None
    reserved: float | None
    charged: float | None
    unit: str
    reason: str
    intended_at: datetime
    asked_at: datetime | None
    used: float | None
    used_at: datetime | None
    take: int

    @property
    def provider(self) -> str:
        """Who is paid."""
        return self.account.partition("|")[0]

    @property
    def at_stake(self) -> float | None:
        """What it cost, or counts as; None when nobody knows."""
        return self.reserved if self.charged is None else self.charged

    @property
    def counter(self) -> Counter | None:
        """What the account had used before."""
        return None if self.used is None or self.used_at is None else Counter(self.used, self.used_at)

    @property
    def purpose(self) -> Purpose:
        """Why it was bought."""
        return Purpose(self.campaign, self.origin.get("step", ""), self.origin.get("inputs", ()), self.labels, self.run)


@dataclass(frozen=True)
class Interest:
    """A run that waits for an attempt.

    Attributes:
        run: The run.
        lives: Whether the process that ran it then still does.
        since: When it began to wait.
    """

    run: str
    lives: bool
    since: datetime


@dataclass(frozen=True)
class StoredAsset:
    """A file in the store: its path below the store's root, the output it is, its content's hash, its sidecar."""

    path: str
    output: str
    sha256: str
    sidecar: dict[str, Any]

    @property
    def came_as(self) -> str:
        """The SHA-256 of what the provider gave; another than the file's where the store has written into it."""
        return self.sidecar["file"].get("original_sha256") or self.sha256


@dataclass(frozen=True)
class PastPurchase:
    """A purchase that the store tells of, and the journal may not know.

    Attributes:
        key: The submission.
        number: Which attempt.
        created: When it was bought, as ISO 8601.
        stored: When its last file was stored.
        whole: Whether all of its files were stored; else it is taken up again when it is next wished for.
        assets: Its files, in the order of its outputs.
        labels: Whom it was bought for.
    """

    key: str
    account: str
    operation: str
    request: dict[str, Any]
    take: int
    number: int
    remote_id: str
    campaign: str
    price: float | None
    charged: float | None
    unit: str
    created: str
    stored: str
    whole: bool
    assets: Sequence[StoredAsset]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
