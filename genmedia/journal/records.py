"""Records of the journal: attempts, assets, and purchases that only the store still knows."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ValidationError

from genmedia.errors import OtherKeyError
from genmedia.jobs.job import Buyer, Counter, Job, amount, priced
from genmedia.journal.order import Order, Purpose
from genmedia.journal.tables import LIVE as _LIVE
from genmedia.store.sidecar import Sidecar, Use, coordinates


class AttemptState(StrEnum):
    """State of one purchase; the first five are live: the attempt answers for its submission.

    `REFUSED`: nothing was bought. `CONTENT_REFUSED`: the provider refuses to make this, and is not asked again.
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
        """The state in words for people."""
        return {"intended": "asked for", "bound": "bought, no file yet"}.get(self.value, self.value.replace("_", " "))

    @property
    def live(self) -> bool:
        """True if the attempt answers for its submission."""
        return self in _LIVE


@dataclass(frozen=True)
class Duplicate:
    """A file that has the content of another, and the order that it was bought by."""

    path: str
    account: str
    operation: str
    request: Mapping[str, Any]

    def tell(self, order: Order) -> str:
        """Return how its order differs from another order whose file has the same content, as the end of a sentence."""
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
"""Largest difference between sums of prices such as 0.1 that counts as none."""

NAMED = "a person named the job"
"""Reason of an attempt that was in doubt and is bound to the job that a person named."""

NEVER_SENT = "it was interrupted before it was sent"
"""Reason of an attempt that was written down and given up before it was sent."""


class Sight(BaseModel):
    """What a look saw of a job: the job; or an error, by the name of its class, that kept it from being seen; or neither: it was missing.

    Attributes:
        by: Fingerprint of the key that did not see it.
    """

    job: Job | None = None
    error: str = ""
    what: str = ""
    by: str = ""

    @classmethod
    def read(cls, written: str | None) -> "Sight | None":
        """Return what was written down; None for nothing, or where another version wrote it."""
        try:
            return cls.model_validate_json(written) if written else None
        except ValidationError:
            return None

    @property
    def in_words(self) -> str:
        """The same in words for people."""
        if self.job is None:
            return self.what or "not found"
        done = "" if self.job.progress is None else f" {self.job.progress:.0f} %"
        return f"{self.job.status}{done}"


@dataclass(frozen=True)
class Attempt:
    """One purchase for a submission.

    Attributes:
        owner: Claim of the process that works on it; None while no process does.
        price: Price of the order, in `unit`; None if it is unknown.
        reserved: Amount that it counts as until its charge is known, in `unit`; None if it is unknown.
        charged: Amount charged, in `unit`; None until it is known.
        asked_at: Time by the provider's clock at which it was intended; None in older journals, which do not have it.
        used: Amount of the account that the provider said was used, at `used_at` by its clock; None if it does not say.
        last_answer: Last answer of the provider about the job, if it ended without a file, or its file could not be fetched.
        labels: Labels of the purchase.
        origin: The `step`, `inputs`, `place` and, where there is one, `stands_in` of its purpose.
        key_print: Fingerprint of the key that bought it; None in older journals, which do not have it.
        block: Credentials block that held the key; empty if it was in none.
        seen: What the last look saw of its job, as it is written; see `sight`. None before the first one.
        work: The kind of job that it is; see `Order.work`. Empty in older journals, which do not have it.
        read_at: Time at which it was read, by the clock of the journal's database.
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
    seen: str | None
    seen_at: datetime | None
    work: str
    read_at: datetime = field(compare=False)

    @property
    def sight(self) -> Sight | None:
        """What the last look saw of its job; None if it was not looked at yet."""
        return Sight.read(self.seen)

    @property
    def provider(self) -> str:
        """Provider that is paid."""
        return self.account.partition("|")[0]

    @property
    def at_stake(self) -> float | None:
        """Amount that was charged, else the amount that it counts as; None if both are unknown."""
        return self.reserved if self.charged is None else self.charged

    @property
    def age(self) -> float:
        """Seconds from when its job was made until it was read, by the journal's own clock; 0 while there is no job."""
        return max(0.0, (self.read_at - self.bound_at).total_seconds()) if self.bound_at else 0.0

    @property
    def excess(self) -> str:
        """Message for people about a charge above the amount reserved; empty where it is not above."""
        if self.charged is None or self.reserved is None or self.charged <= self.reserved + TOLERANCE:
            return ""
        return f"job {self.remote_id} was charged {priced(self.charged, self.unit)}, and its price was {priced(self.reserved, self.unit)}"

    @property
    def counter(self) -> Counter | None:
        """Amount that the account had used before; None if it is unknown."""
        return None if self.used is None or self.used_at is None else Counter(self.used, self.used_at)

    @property
    def buyer(self) -> Buyer:
        """The key that bought it, and its block."""
        return Buyer(self.key_print, self.block)

    def check_absence(self, buyer: Buyer, seen: str) -> None:
        """Check that a look that did not find the job was made by the buyer of the job, for only then it counts.

        Args:
            buyer: The buyer that looked for it.
            seen: Result of that look, for the error.

        Raises:
            OtherKeyError: The job was bought with another key.
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
        """Purpose of the purchase."""
        step, inputs, place = self.origin.get("step", ""), self.origin.get("inputs", ()), self.origin.get("place", ())
        return Purpose(
            self.campaign, step, inputs, self.labels, self.run, place=place, stands_in=self.origin.get("stands_in", "")
        )


@dataclass(frozen=True)
class Waiter:
    """A run that waits for an attempt.

    Attributes:
        run: The run.
        lives: True if the process of the run still lives, and the run still waits.
        since: Time at which it began to wait.
        left: True if it no longer waits, though its process may live.
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
        output: The provider's name for the output that it is.
        sha256: SHA-256 of its content.
        sidecar: Its sidecar; if a person removed the file for good, the rest of the sidecar that is kept.
        forgotten_at: Time at which a person removed it for good, as ISO 8601; None while it is kept.
    """

    path: str
    output: str
    sha256: str
    sidecar: Sidecar
    forgotten_at: str | None = None

    @property
    def number(self) -> int:
        """Number of the output in its job, from 1: two outputs may have one name."""
        return self.sidecar.output.number or 1

    @property
    def gone(self) -> str:
        """Message about a file that a person removed for good; empty while it is kept."""
        return f"was forgotten on {self.forgotten_at[:10]} by a person" if self.forgotten_at else ""

    def tells_use(self, purpose: Purpose) -> bool:
        """True if its sidecar names this step of this campaign as a use; always True for a forgotten file, which is told nothing."""
        return self.forgotten_at is not None or (purpose.campaign, purpose.step) in self.sidecar.used_by

    def tells_place(self, purpose: Purpose) -> bool:
        """True if its sidecar tells its place in what its campaign asks for now; always True for another campaign, which it does not tell."""
        mine = purpose.place and not self.forgotten_at and self.sidecar.campaign == purpose.campaign
        return not mine or self.sidecar.place == coordinates(purpose.place)

    @property
    def came_as(self) -> str:
        """SHA-256 of the file as the provider gave it; it differs from that of the file if the store has written into it."""
        return self.sidecar.file.original_sha256 or self.sha256


Has = Callable[[str, int | None], Awaitable[bool]]
"""Function that tells if the store has the file at a path, with that many bytes; see `Store.has`."""


async def are_there(stored: Iterable[StoredAsset], has: Has) -> bool:
    """True if there are files and the store has each of them, with all its bytes; a forgotten file need not be there."""
    stored = list(stored)
    return bool(stored) and all(
        [asset.forgotten_at is not None or await has(asset.path, asset.sidecar.file.bytes) for asset in stored]
    )


@dataclass(frozen=True)
class PastPurchase:
    """A purchase that the store tells of, and that the journal may not know.

    Attributes:
        key: The submission key.
        number: Number of the attempt.
        created: Time at which it was bought, as ISO 8601.
        stored: Time at which its last file was stored, as ISO 8601.
        whole: True if all of its files were stored; else the next order for it takes it up again.
        assets: Its files, in the order of its outputs.
        labels: Labels of the purchase.
        uses: Its uses, as its sidecars tell them, with the one that it was bought for.
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
        """Replace a price or charge that is no amount by None."""
        for name in ("price", "charged"):
            object.__setattr__(self, name, amount(getattr(self, name)))
