"""The types of a remote job: its account and buyer, its status, its outputs and its charge."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BeforeValidator

from genmedia.errors import SettingsError
from genmedia.text.plain import cut
from genmedia.transport.answers import TIME_CHARACTERS
from genmedia.transport.origins import origin_of
from genmedia.transport.redaction import bare_url
from genmedia.transport.refusals import refuses_content

LARGEST_AMOUNT = 1e12
"""Largest number that counts as an amount: no job costs more."""


def number(told: Any) -> float | None:
    """Return the value that a provider told, if it is a finite number; else None."""
    numeric = isinstance(told, int | float) and not isinstance(told, bool)
    return told if numeric and abs(told) <= sys.float_info.max else None


def amount(told: Any) -> float | None:
    """Return the value that a provider told, if it is an amount: 0 to `LARGEST_AMOUNT`; else None, for unknown."""
    known = number(told)
    return known if known is not None and 0 <= known <= LARGEST_AMOUNT else None


UNKNOWN = "unknown"
"""Word for an amount that is unknown: an empty text would be read as 0."""


def priced(known: float | None, unit: str) -> str:
    """Return an amount as people read it, such as `1 credit`, `2.5 USD`; `unknown` for None, and `free` for 0 of no unit."""
    if not known and not unit and known is not None:
        return "free"
    return UNKNOWN if known is None else f"{known:.10g} {unit.removesuffix('s') if known == 1 else unit}"


def add_amounts(amounts: Iterable[tuple[str, float | None, str]]) -> str:
    """Sum amounts by provider and unit; different ones are never added: `flora 43 credits, genova 1 credit; generio unknown`.

    Args:
        amounts: Provider that is paid, amount or None if it is unknown, and unit.

    Returns:
        A sentence; empty where all amounts are 0.
    """
    sums: dict[tuple[str, str], float] = {}
    unknown = set[str]()
    for provider, known, unit in amounts:
        if known is None:
            unknown.add(provider)
        elif known:
            sums[provider, unit] = sums.get((provider, unit), 0.0) + known
    told = ", ".join(f"{provider} {priced(total, unit)}" for (provider, unit), total in sorted(sums.items()))
    return "; ".join(filter(None, (told, ", ".join(f"{provider} {UNKNOWN}" for provider in sorted(unknown)))))


Number = Annotated[float | None, BeforeValidator(number)]
"""A number in an answer: a value that is no number is read as None, and the rest of the answer stays valid."""

Amount = Annotated[float | None, BeforeValidator(amount)]
"""A price, a charge or a balance in an answer; see `Number`."""


@dataclass(frozen=True)
class Account:
    """Account that pays at a provider: the provider, the address of its API, and the name of the account.

    The key is no part of it, so that another key changes nothing; the origin of the address is, so that a purchase at a sandbox never
    answers for a real one.

    One without an address and a name is nobody's: of what is done on this machine, where nobody is paid.

    Attributes:
        block: Saved credentials block that it was read from, empty outside of blocks; equal accounts may have different blocks.
    """

    provider: str
    base_url: str
    name: str = "default"
    block: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if bool(self.name) != bool(self.base_url) or "|" in self.name:
            raise SettingsError(f"{self.name!r} cannot be an account's name", advice="Use letters, digits and dashes.")

    def __str__(self) -> str:
        """Return provider, origin and name, with `|` between them: the form in submission keys and in the journal."""
        return self._written

    @cached_property
    def _written(self) -> str:  # a job asks for it dozens of times
        return f"{self.provider}|{origin_of(self.base_url) if self.base_url else ''}|{self.name}"


def account_name(account: str) -> str:
    """Return the name for people of an account that is in the form of the journal: `flora/default`."""
    provider, _, rest = account.partition("|")
    return f"{provider}/{rest.rpartition('|')[2]}".removesuffix("/") if rest else account


def account_names(accounts: Iterable[str]) -> dict[str, str]:
    """Return the name for people of each account; where two would be the same, with the host of each: `flora/default@127.0.0.1:4280`."""
    known = list(dict.fromkeys(accounts))
    alike = [account_name(one) for one in known]
    return {
        one: name if alike.count(name) == 1 else f"{name}@{one.split('|')[1].partition('://')[2]}"
        for one, name in zip(known, alike, strict=True)
    }


@dataclass(frozen=True)
class Buyer:
    """The key with which a job is bought or looked at: two keys under one account's name may belong to two customers of the provider.

    Attributes:
        key_print: Fingerprint of the key, 16 hexadecimal digits, from which the key cannot be told; None if it is unknown.
        block: Saved credentials block that holds the key; empty outside of blocks.
    """

    key_print: str | None = None
    block: str = ""

    @classmethod
    def of(cls, account: Account, key: str) -> "Buyer":
        """Return the buyer with this key for this account."""
        # Bytes of the environment that are not UTF-8 come as surrogates: such a key is refused where it would be sent.
        return cls(sha256(f"{account.provider}|{key}".encode(errors="surrogateescape")).hexdigest()[:16], account.block)

    def may_miss(self, job_of: "Buyer") -> bool:
        """True if a job that this buyer does not see is gone: this buyer has the key that bought it, or its block held that key.

        True also for a job whose buyer was not written down.
        """
        return job_of.key_print in (None, self.key_print) or (self.block != "" and self.block == job_of.block)


SAID_OUTPUTS = 20
"""Most outputs that `Job.said` lists."""

NOBODY = Buyer()
"""Buyer whose key and block are unknown."""


@dataclass(frozen=True)
class Counter:
    """Amount that a provider says an account has used so far, and the time of that by the provider's clock."""

    used: float
    at: datetime


class JobStatus(StrEnum):
    """Status of a remote job; the words of every provider are translated into these.

    `UNSTARTED`: the job was made and never started; nothing was paid for it.
    """

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    VANISHED = "vanished"
    UNSTARTED = "unstarted"

    @property
    def terminal(self) -> bool:
        """True if the job will not change any more by itself."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True)
class Output:
    """One output of a job: a file at an address, or a text.

    Attributes:
        id: The provider's name for it.
        kind: `image`, `video` or `text`; other kinds are kept as the provider names them.
        url: Address of the file; None for a text.
        text: The text itself; None for a file.
    """

    id: str
    kind: str
    url: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Job:
    """A remote job as one look saw it.

    Attributes:
        progress: 0 to 100; None if the provider does not tell it, or tells an impossible value.
        charged: Amount that the provider says it charged, in `unit`; None until it tells one that is possible.
        unit: Unit of `charged`, such as `credits`; empty for the unit of the order, where the provider has only one.
        error: Reason of the failure, in the provider's words.
        code: The provider's code for the failure, where it has one; `error` contains it as well.
        echo: Fields of the request as the provider repeats them, by their names, as far as it does.
        times: `created`, `started`, `completed` as ISO 8601 UTC, as far as known.
        ran: Seconds that it ran by the provider's clock, as its watcher knows it; None where that is unknown, or it did not succeed.
    """

    id: str
    status: JobStatus
    progress: float | None = None
    charged: float | None = None
    outputs: tuple[Output, ...] = ()
    error: str = ""
    code: str = ""
    echo: dict[str, Any] = field(default_factory=dict[str, Any])
    times: dict[str, str] = field(default_factory=dict[str, str])
    unit: str = ""
    ran: float | None = field(default=None, compare=False)

    def time(self, name: str) -> datetime | None:
        """Return one of its times; None where the provider does not tell it, or tells something else. A time without a zone is in UTC."""
        try:
            time = datetime.fromisoformat(self.times.get(name, ""))
        except ValueError:
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def charged_in(self, unit: str) -> float | None:
        """Return the amount charged in this unit; None while it is unknown, and where the provider tells it in another unit."""
        return self.charged if not self.charged or self.unit in ("", unit) else None

    def __post_init__(self) -> None:
        """Replace impossible numbers by None: they could not be written down or summed. Cut a long error; drop times that are too long."""
        known = amount(self.progress)
        object.__setattr__(self, "progress", known if known is not None and known <= 100 else None)
        object.__setattr__(self, "charged", amount(self.charged))
        object.__setattr__(self, "error", cut(self.error))
        told = {name: time for name, time in self.times.items() if len(time) <= TIME_CHARACTERS}
        object.__setattr__(self, "times", told)

    @property
    def said(self) -> str:
        """The provider's answer about the job, as JSON, with links without signatures: for a claim for a refund."""
        outputs = [
            {"id": one.id, "kind": one.kind, **({"url": bare_url(one.url)} if one.url else {})}
            for one in self.outputs[:SAID_OUTPUTS]
        ]
        told = {
            "job": self.id,
            "status": self.status,
            "error": self.error,
            "charged": self.charged,
            "unit": self.unit,
            "times": self.times,
        }
        return json.dumps(
            {name: value for name, value in {**told, "outputs": outputs}.items() if value not in (None, "", {})},
            ensure_ascii=False,
            allow_nan=False,
        )

    @property
    def content_refused(self) -> bool:
        """True if the job failed because the provider refuses to make what was asked for."""
        return self.status is JobStatus.FAILED and refuses_content(self.code, self.error)
