"""The nouns of a remote job: whose it is, what it is doing, what it gave."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
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
"""No job costs more; what is above is no price."""


def number(told: Any) -> float | None:
    """What a provider told, where it is a finite number; None for all else."""
    numeric = isinstance(told, int | float) and not isinstance(told, bool)
    return told if numeric and abs(told) <= sys.float_info.max else None


def amount(told: Any) -> float | None:
    """What a provider told, where it is a number that can be spent; None for all else: it is not known then."""
    known = number(told)
    return known if known is not None and 0 <= known <= LARGEST_AMOUNT else None


UNKNOWN = "unknown"
"""In the place of an amount that nobody says: nothing in its place would be read as nothing."""


def priced(known: float | None, unit: str) -> str:
    """An amount as people read it, such as `1 credit`, `2.5 USD`; `unknown` where nobody knows it."""
    return UNKNOWN if known is None else f"{known:.10g} {unit.removesuffix('s') if known == 1 else unit}"


def add_amounts(amounts: Iterable[tuple[str, float | None, str]]) -> str:
    """What amounts come to, by provider and unit, which are never added: `flora 43 credits, genova 1 credit; generio unknown`.

    Args:
        amounts: Who is paid, how much, None where nobody knows, and in which unit.

    Returns:
        A sentence; empty where all of it is nothing.
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
"""A field of an answer: what is no number there is unknown, and hurts nothing else that the answer says."""

Amount = Annotated[float | None, BeforeValidator(amount)]
"""A price, a charge or a balance in an answer; see `Number`."""


@dataclass(frozen=True)
class Account:
    """Who pays: a provider, the origin its API is reached at, and the name of its credentials block.

    The key is no part of it: rotating a key changes nothing, and a sandbox purchase never answers for a real one.

    Attributes:
        block: The saved credentials block that it was read from, empty outside of blocks; no part of whose purchases they are.
    """

    provider: str
    base_url: str
    name: str = "default"
    block: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.name or "|" in self.name:
            raise SettingsError(f"{self.name!r} cannot be an account's name", advice="Use letters, digits and dashes.")

    def __str__(self) -> str:
        """The form that submission keys and the journal use."""
        return f"{self.provider}|{origin_of(self.base_url)}|{self.name}"


def account_name(account: str) -> str:
    """An account of the form that the journal writes, as people name it: `flora/default`."""
    provider, _, rest = account.partition("|")
    return f"{provider}/{rest.rpartition('|')[2]}" if rest else account


def account_names(accounts: Iterable[str]) -> dict[str, str]:
    """Accounts as people name them; where two would be called the same, with the host of each: `flora/default@127.0.0.1:4280`."""
    known = list(dict.fromkeys(accounts))
    alike = [account_name(one) for one in known]
    return {
        one: name if alike.count(name) == 1 else f"{name}@{one.split('|')[1].partition('://')[2]}"
        for one, name in zip(known, alike, strict=True)
    }


@dataclass(frozen=True)
class Buyer:
    """Whose key buys or looks: two keys under one account's name may belong to two customers of the provider.

    Attributes:
        key_print: A fingerprint of the key, 16 hexadecimal digits, from which nothing of the key can be told; None where it is not known.
        block: The saved credentials block that holds the key; empty outside of blocks.
    """

    key_print: str | None = None
    block: str = ""

    @classmethod
    def of(cls, account: Account, key: str) -> "Buyer":
        """Who pays for this account with this key."""
        # Bytes of the environment that are no UTF-8 come as surrogates: such a key is refused where it would be sent.
        return cls(sha256(f"{account.provider}|{key}".encode(errors="surrogateescape")).hexdigest()[:16], account.block)

    def may_miss(self, job_of: "Buyer") -> bool:
        """Whether a job is gone where this one does not see it: it has the key that bought it, or its block held that key.

        Of a job of which nobody wrote down who bought it, everyone's look counts.
        """
        return job_of.key_print in (None, self.key_print) or (self.block != "" and self.block == job_of.block)


SAID_OUTPUTS = 20
"""Of so many outputs it is kept what the provider said of a job."""

NOBODY = Buyer()
"""Whoever buys without saying whose the key is."""


@dataclass(frozen=True)
class Counter:
    """What a provider says an account has used so far, and when it said so by its own clock."""

    used: float
    at: datetime


class JobStatus(StrEnum):
    """What a remote job is doing, in the words every provider's own words are turned into.

    `UNSTARTED`: it is there and waits for a start that nobody has paid for.
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
        """Whether the job will not change any more by itself."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True)
class Output:
    """One thing a job gave: a file behind a link, or a text.

    Attributes:
        id: The provider's name for it.
        kind: `image`, `video` or `text`; other kinds are kept as the provider names them.
        url: Where the file can be fetched; None for a text.
        text: The text itself; None for a file.
    """

    id: str
    kind: str
    url: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Job:
    """One look at a remote job.

    Attributes:
        progress: 0 to 100; None when the provider does not tell, or tells what cannot be.
        charged: What the provider says it took, in `unit`; None until it says so, or where it says what cannot be.
        unit: Such as `credits`; empty for that of whatever was ordered, where the provider has one only.
        error: Why it failed, in the provider's words.
        code: The provider's code for that, where it has one; it stands in `error` as well.
        echo: What the provider says was asked for, by the names of the request, as far as it does.
        times: `created`, `started`, `completed` as ISO 8601 UTC, as far as known.
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

    def charged_in(self, unit: str) -> float | None:
        """What it took, in this unit; None while that is not known, and where the provider says it in another."""
        return self.charged if not self.charged or self.unit in ("", unit) else None

    def __post_init__(self) -> None:
        """What cannot be is unknown: it could be written down nowhere, and no sum could be made with it. Reasons and times are bounded."""
        known = amount(self.progress)
        object.__setattr__(self, "progress", known if known is not None and known <= 100 else None)
        object.__setattr__(self, "charged", amount(self.charged))
        object.__setattr__(self, "error", cut(self.error))
        told = {name: time for name, time in self.times.items() if len(time) <= TIME_CHARACTERS}
        object.__setattr__(self, "times", told)

    @property
    def said(self) -> str:
        """What the provider says of it, as JSON, without what signs a link: for whoever claims a refund."""
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
        """Whether it failed because the provider will not make what was asked for."""
        return self.status is JobStatus.FAILED and refuses_content(self.code, self.error)
