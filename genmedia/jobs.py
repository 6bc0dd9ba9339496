"""The nouns of a remote job: whose it is, what it is doing, what it gave."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from genmedia.errors import SettingsError
from genmedia.origins import origin_of


@dataclass(frozen=True)
class Account:
    """Who pays: a provider, the origin its API is reached at, and the name of its credentials block.

    The key is no part of it: rotating a key changes nothing, and a sandbox purchase never answers for a real one.
    """

    provider: str
    base_url: str
    name: str = "default"

    def __post_init__(self) -> None:
        if not self.name or "|" in self.name:
            raise SettingsError(f"{self.name!r} cannot be an account's name", advice="Use letters, digits and dashes.")

    def __str__(self) -> str:
        """The form that submission keys and the journal use."""
        return f"{self.provider}|{origin_of(self.base_url)}|{self.name}"


@dataclass(frozen=True)
class Counter:
    """What a provider says an account has used so far, and when it said so by its own clock."""

    used: float
    at: datetime


class JobStatus(StrEnum):
    """What a remote job is doing, in the words every provider's own words are turned into."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    VANISHED = "vanished"

    @property
    def terminal(self) -> bool:
        """Whether the job will not change any more."""
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
        charged: What the provider says it took, in the account's unit; None until it says so.
        error: Why it failed, in the provider's words.
        echo: What the provider says was asked for, by the names of the request, as far as it does.
        times: `created`, `started`, `completed` as ISO 8601 UTC, as far as known.
    """

    id: str
    status: JobStatus
    progress: float | None = None
    charged: float | None = None
    outputs: tuple[Output, ...] = ()
    error: str = ""
    echo: dict[str, Any] = field(default_factory=dict[str, Any])
    times: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Infinite and not even numbers are no progress: they could be written down nowhere."""
        if self.progress is not None and not 0 <= self.progress <= 100:
            object.__setattr__(self, "progress", None)


Request = dict[str, Any]
"""The fields of a paid operation that the caller set, as JSON."""
