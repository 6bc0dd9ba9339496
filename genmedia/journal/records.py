"""What stands in the journal: attempts, assets, and purchases that only the store still tells of."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from genmedia.errors import OtherKeyError
from genmedia.jobs.job import Buyer, Counter, amount, priced
from genmedia.journal.order import Order, Purpose
from genmedia.journal.tables import LIVE as _LIVE
from genmedia.store.sidecar import Sidecar, Use, coordinates


class AttemptState(StrEnum):
    """Where one purchase stands; the first five are live: they answer for their submission.

    `REFUSED`: nothing was bought. `CONTENT_REFUSED`: the provider will not make this, whoever asks again; it is not asked again.
    """

    INTENDED = "intended"
    BOUND = "bound"
    IN_DOUBT = "in_doubt"
    STORED = "stored"
    CONTENT_REFUSED = "content_refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"

    @property
    def in_words(self) -> str:
        """As it is shown to people."""
        return {"intended": "asked for", "bound": "bought, no file yet"}.get(self.value, self.value.replace("_", " "))

    @property
    def live(self) -> bool:
        """Whether it answers for its submission."""
        return self in _LIVE


@dataclass(frozen=True)
class Duplicate:
    """A file that has the content of another, and what it was bought by."""

    path: str
    account: str
    operation: str
    request: Mapping[str, Any]

    def tell(self, order: Order) -> str:
        """In what the purchase that gave it differs from an order whose file has the same content."""
        if (self.operation, self.request) == (order.operation, order.request):
            ours, theirs = str(order.account).split("|"), self.account.split("|")
            whose = f"{theirs[0]}/{theirs[2]}" if theirs[2] != ours[2] else f"{theirs[0]}/{theirs[2]} at {theirs[1]}"
            return f"came of the same request of another account, {whose}"
        if self.operation != order.operation:
            return f"came of another request, for {self.operation}"
        names = sorted(self.request.keys() | order.request.keys())
        other = [name for name in names if self.request.get(name) != order.request.get(name)]
        return f"came of another request, with other {' and '.join(other)}" if self.request else "came of another request"


TOLERANCE = 1e-9
"""Of sums of prices such as 0.1."""

NAMED = "a person named the job"
"""The reason of an attempt that was in doubt and is bound by what a person said."""

NEVER_SENT = "it was interrupted before it was sent"
"""The reason of an attempt that was written down and given up again."""


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
        last_answer: What the provider said of the job last, where it ended without a file, or its file could not be had.
        labels: Whom it was bought for.
        origin: The `step`, `inputs` and `place` of its purpose.
        key_print: A fingerprint of the key that bought it; None in journals from before that was written down.
        block: The credentials block that held the key; empty where it was in none.
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
    bound_at: datetime | None
    ended_at: datetime | None
    last_answer: str | None
    key_print: str | None
    block: str

    @property
    def provider(self) -> str:
        """Who is paid."""
        return self.account.partition("|")[0]

    @property
    def at_stake(self) -> float | None:
        """What it cost, or counts as; None when nobody knows."""
        return self.reserved if self.charged is None else self.charged

    @property
    def excess(self) -> str:
        """What is odd about its charge, for people; empty where it took no more than was reserved for it."""
        if self.charged is None or self.reserved is None or self.charged <= self.reserved + TOLERANCE:
            return ""
        return f"job {self.remote_id} was charged {priced(self.charged, self.unit)}, and its price was {priced(self.reserved, self.unit)}"

    @property
    def counter(self) -> Counter | None:
        """What the account had used before."""
        return None if self.used is None or self.used_at is None else Counter(self.used, self.used_at)

    @property
    def buyer(self) -> Buyer:
        """Whose key bought it."""
        return Buyer(self.key_print, self.block)

    def check_absence(self, buyer: Buyer, seen: str) -> None:
        """Let a look that did not find the job count only if it was made by whoever bought it.

        Args:
            buyer: Who looked for it.
            seen: What that one saw.

        Raises:
            OtherKeyError: It was bought with another key.
        """
        if buyer.may_miss(self.buyer):
            return
        holder = f"the credentials block {self.block!r}" if self.block else "no credentials block"
        remedy = f"Pay with the block {self.block!r}" if self.block else "Save that key in a credentials block of this account"
        raise OtherKeyError(
            f"{seen}, but it was looked for with another key than the one that bought it, which {holder} held",
            job=f"{self.provider} {self.operation}, {f'job {self.remote_id}, ' if self.remote_id else ''}submission {self.key[:12]}",
            advice=f"{remedy}: a run or the flow harvest then takes it up. Give two accounts at one provider two account names.",
        )

    @property
    def purpose(self) -> Purpose:
        """Why it was bought."""
        step, inputs, place = self.origin.get("step", ""), self.origin.get("inputs", ()), self.origin.get("place", ())
        return Purpose(self.campaign, step, inputs, self.labels, self.run, place=place)


@dataclass(frozen=True)
class Waiter:
    """A run that waits for an attempt.

    Attributes:
        run: The run.
        lives: Whether the process that ran it then still does, and it still waits.
        since: When it began to wait.
        left: Whether it waits no more, though its process may live.
    """

    run: str
    lives: bool
    since: datetime
    left: bool = False


@dataclass(frozen=True)
class StoredAsset:
    """A file in the store.

    Attributes:
        path: Its path below the store's root.
        output: The provider's name for the output it is.
        sha256: The hash of its content.
        sidecar: Its sidecar; of a file that a person removed for good, what is left of that.
        forgotten_at: When a person removed it for good, as ISO 8601; None where it is kept.
    """

    path: str
    output: str
    sha256: str
    sidecar: Sidecar
    forgotten_at: str | None = None

    @property
    def number(self) -> int:
        """Which of its job's outputs it is, from 1: two may have one name."""
        return self.sidecar.output.number or 1

    @property
    def gone(self) -> str:
        """What to say of a file that a person removed for good; empty where it is kept."""
        return f"was forgotten on {self.forgotten_at[:10]} by a person" if self.forgotten_at else ""

    def tells_use(self, purpose: Purpose) -> bool:
        """Whether its sidecar says that this part of this campaign uses it; a file that is forgotten is used by nobody."""
        return self.forgotten_at is not None or (purpose.campaign, purpose.step) in self.sidecar.used_by

    def tells_place(self, purpose: Purpose) -> bool:
        """Whether its sidecar says where it stands in what its campaign asks for now; to another campaign it does not tell it."""
        mine = purpose.place and not self.forgotten_at and self.sidecar.campaign == purpose.campaign
        return not mine or self.sidecar.place == coordinates(purpose.place)

    @property
    def came_as(self) -> str:
        """The SHA-256 of what the provider gave; another than the file's where the store has written into it."""
        return self.sidecar.file.original_sha256 or self.sha256


Has = Callable[[str, int | None], Awaitable[bool]]
"""Whether the store holds the file at a path, with so many bytes; see `Store.has`."""


async def are_there(stored: Iterable[StoredAsset], has: Has) -> bool:
    """Whether there are files and the store holds each, with all its bytes; one that is forgotten is missed by nobody."""
    stored = list(stored)
    return bool(stored) and all(
        [asset.forgotten_at is not None or await has(asset.path, asset.sidecar.file.bytes) for asset in stored]
    )


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
        uses: By what it is used, as its sidecars tell, with that for which it was bought.
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
    uses: Sequence[Use] = ()

    def __post_init__(self) -> None:
        """What a sidecar tells that is no amount is unknown."""
        for name in ("price", "charged"):
            object.__setattr__(self, name, amount(getattr(self, name)))
