"""Everything that can go wrong, one class per cause, grouped by what the reader can do about it.

```
GenmediaError
├── DefectError                 an unforeseen error while one job was handled
├── InputError                  faults found before anything was bought, all at once, each with its place
├── SettingsError               a setting, a block's name or an address cannot be used
├── JournalError                the journal cannot be read or written
│   └── JournalUnreachableError the journal's database cannot be reached, and did not come back in time
├── BudgetError                 the work would cost more than its cap
│   └── HeldError               the account spends nothing until a person releases it
├── ApiError                    a call to a provider did not give what it should
│   ├── NotAcceptedError        the call cannot have been accepted: nothing was bought by it
│   │   ├── UnreachableError    no connection was made
│   │   │   └── SandboxAwayError    the account is one of a sandbox on this machine, which does not run
│   │   ├── CredentialsError    the key is missing, wrong or not allowed to do this
│   │   ├── CreditsError        the account has no credits left
│   │   ├── NotFoundError       there is no such thing under this address
│   │   ├── RefusedError        the provider found fault with the request
│   │   │   └── ContentRefusedError   the provider refuses the content
│   │   └── RateLimitError      too many requests; carries the wait the provider asked for
│   │       └── TooManyJobsError    as many jobs are open as the account's plan allows
│   └── MaybeAcceptedError      the call may have been accepted: a paid one is never simply repeated
│       ├── NoAnswerError       the connection broke, or the answer did not come in time
│       │   └── UnlistedError   the provider lists no jobs; only an equal submission finds the job, while it remembers the key
│       ├── ServerError         the provider reported a fault of its own
│       ├── UnreadableAnswerError   the answer is not as the provider documents it
│       └── DuplicateError      the provider has this submission already and does not say which job it is
├── JobError                    a job that was accepted did not end well
│   ├── JobFailedError          the provider reported that it failed
│   │   └── JobCancelledError   or that it was cancelled
│   ├── JobVanishedError        the provider no longer knows it
│   ├── OtherKeyError           a key that did not buy it does not see it, which says nothing about it
│   ├── QueueTimeoutError       it waited longer than allowed before it started
│   ├── RunTimeoutError         it ran longer than allowed
│   ├── InDoubtError            it is not known whether it was accepted
│   │   └── AbandonedError      and its account is set to abandon such jobs
│   ├── SupersededError         another process has settled it meanwhile
│   └── MissingOutputError      it succeeded without an output that a later step needs
├── DownloadError               an output could not be fetched
│   ├── ForbiddenAddressError   its address is not one that may be fetched
│   ├── ExpiredLinkError        its link is gone
│   ├── BrokenDownloadError     the transfer ended early or never got going
│   └── OversizeError           it is larger, or took longer, than allowed
├── MediaError                  a file is not what it should be
│   ├── MediaTypeError          its content is of another type
│   ├── DamagedMediaError       it does not decode
│   └── MediaLimitError         decoding it would take more than allowed
└── StoreError                  a file could not be written or read in the store
    ├── StoreMissingError       the store's bucket or root is not there
    ├── StoreDeniedError        its key or its rights are not enough
    ├── StoreUnreachableError   no connection to it could be made, or it broke
    ├── StoreTimeoutError       it took the request and did not answer in time
    └── StoreFullError          it has no room left
```
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from genmedia.text.plain import cut

_log = logging.getLogger(__name__)

NO_FILE = (
    "If there never is a file, `genmedia journal resolve SUBMISSION --lost` writes the job off: it counts as spent, and the next run buys "
    "anew. `genmedia ledger --each --csv` has what a claim for a refund needs."
)
"""Advice about a job that is paid for and gives no file."""

NOTHING_BOUGHT = "Nothing was bought."


def sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends as a sentence already, as a provider's message may."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


class GenmediaError(Exception):
    """Base of all errors: says what happened, to which job, whether money was spent, and what to do next.

    Args:
        what: One sentence without a full stop on what happened.
        job: The job it happened to: provider, remote id, submission key.
        money: Sentence on whether credits were spent; the class's own by default.
        advice: Sentence on what to do next; the class's own by default.

    Attributes:
        charged: Cost of the job all the same, unless another run reports it; None if it is not known.
        bought_nothing: True if it is known that the run which it ends has bought nothing.
    """

    charged: float | None = 0.0
    bought_nothing = False
    money = ""
    advice = ""

    def __init__(self, what: str, *, job: str = "", money: str | None = None, advice: str | None = None) -> None:
        # Cut to a bound, for each may hold a provider's message, and they are written into journals and Prefect's database.
        self.what = cut(what)
        super().__init__(self.what)
        self.job = cut(job)
        self.money = cut(type(self).money if money is None else money)
        self.advice = cut(type(self).advice if advice is None else advice)

    def __str__(self) -> str:
        """One line: what, to which job, money, advice."""
        head = f"{self.what.rstrip('.')} ({self.job})." if self.job else sentence(self.what)
        return " ".join(part for part in (head, self.money, self.advice) if part)


class DefectError(GenmediaError):
    """An unforeseen error while one job was handled."""

    advice = "Run again: what was bought is found again. If it breaks again, report it with the log at its most detailed level."


@contextmanager
def contained(job: str) -> Generator[None]:
    """Turn an unforeseen exception in this block into an error of ours, so that it ends only the job that is handled there.

    Args:
        job: Description of the job for the message.

    Raises:
        DefectError: Names the job and the exception's class; the exception's text may hold anything, and is only in the log.
    """
    try:
        yield
    except GenmediaError:
        raise
    except Exception as error:  # noqa: BLE001 # the one net: whatever breaks for one job must not end the others
        _log.debug("%s broke", job, exc_info=True)
        raise DefectError(f"it broke in a way that nobody foresaw ({type(error).__name__})", job=job) from None


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input, with the place to mend it (file, step, field)."""

    place: str
    what: str

    def __str__(self) -> str:
        """One line with the place first, for a person looks for that."""
        return f"{self.place}: {self.what}"


class InputError(GenmediaError):
    """Faults found before anything was bought, all at once."""

    money = NOTHING_BOUGHT
    bought_nothing = True

    def __init__(self, faults: list[Fault]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{count} in the input")
        self.faults = faults

    def __str__(self) -> str:
        """One line for the whole, then one for each fault."""
        return "\n".join([super().__str__(), *(f"  {fault}" for fault in self.faults)])

    def __reduce__(self) -> tuple[type["InputError"], tuple[list[Fault]], dict[str, object]]:
        """Pickle the error by its faults, for errors are passed between processes."""
        return type(self), (self.faults,), vars(self)


@contextmanager
def gathering(faults: list[Fault]) -> Generator[None]:
    """Add the faults of an `InputError` that is raised in this block to `faults`, instead of raising it."""
    try:
        yield
    except InputError as error:
        faults += error.faults


class SettingsError(GenmediaError):
    """A setting, a block's name or an address cannot be used."""

    money = NOTHING_BOUGHT
    bought_nothing = True


class JournalError(GenmediaError):
    """The journal cannot be read or written."""

    advice = "Check the journal's file or database, its rights and the room it has. What was bought before is not bought again."


class JournalUnreachableError(JournalError):
    """The journal's database cannot be reached, and did not come back in time."""

    advice = "Check the database and the network, then run again: what was bought is not bought again."


class BudgetError(GenmediaError):
    """The work would cost more than its cap."""

    money = NOTHING_BOUGHT
    bought_nothing = True


class HeldError(BudgetError):
    """The account spends nothing until a person releases it."""


class ApiError(GenmediaError):
    """A call to a provider did not give what it should."""


class NotAcceptedError(ApiError):
    """The call cannot have been accepted: nothing was bought by it."""

    money = "This call bought nothing."


class UnreachableError(NotAcceptedError):
    """No connection was made."""

    advice = "Check the base URL and the network, then run again."


class SandboxAwayError(UnreachableError):
    """The account that pays is one of a sandbox on this machine, which does not run."""

    advice = "`make up` starts it."


class CredentialsError(NotAcceptedError):
    """The key is missing, wrong or not allowed to do this."""

    advice = "Put a valid key into the credentials block, then run again."


class CreditsError(NotAcceptedError):
    """The account has no credits left."""

    advice = "Buy credits, then run again: what was bought already is not bought twice."


class NotFoundError(NotAcceptedError):
    """There is no such thing under this address."""

    advice = "Check the name or id for this account."


class RefusedError(NotAcceptedError):
    """The provider found fault with the request."""

    advice = "Mend the request, then run again."


class ContentRefusedError(RefusedError):
    """The provider refuses the content: at once, or at the end of a job that it had accepted."""

    advice = "Change the prompt or the inputs: the same request is not sent again by itself; a raised take sends it once more."


class RateLimitError(NotAcceptedError):
    """Too many requests.

    Attributes:
        retry_after: Seconds the provider asked to wait; None when it named none.
    """

    advice = "Run again later, or with fewer jobs at once."
    retry_after: float | None = None


class TooManyJobsError(RateLimitError):
    """As many jobs are open as the account's plan allows."""


class MaybeAcceptedError(ApiError):
    """The call may have been accepted: a paid one is never simply repeated."""

    money = "If this call was a purchase, it may have been accepted."


class NoAnswerError(MaybeAcceptedError):
    """The connection broke, or the answer did not come in time."""

    advice = "Run again: what was bought is found again."


class UnlistedError(NoAnswerError):
    """The provider lists no jobs: only an equal submission finds the job, while the provider remembers its key."""


class ServerError(MaybeAcceptedError):
    """The provider reported a fault of its own.

    Attributes:
        retry_after: Seconds the provider asked to wait; None when it named none.
    """

    advice = "Run again later: what was bought is found again."
    retry_after: float | None = None


class UnreadableAnswerError(MaybeAcceptedError):
    """The answer is not as the provider documents it."""

    advice = "Check that the base URL is the provider's API, then run again: what was bought is found again."


class DuplicateError(MaybeAcceptedError):
    """The provider has this submission already, or one under the same key, and does not say which job it is."""

    advice = "Find the job in the provider's own pages."


class JobError(GenmediaError):
    """A job that was accepted did not end well."""


class JobFailedError(JobError):
    """The provider reported that the job failed."""

    advice = "Run again to buy a new attempt."


class JobCancelledError(JobFailedError):
    """The provider reported that the job was cancelled."""


class JobVanishedError(JobError):
    """The provider no longer knows the job."""

    money = "It may have been charged."
    advice = "Look for it in the provider's own pages; run again to buy a new attempt."


class OtherKeyError(JobError):
    """The key that looked for the job did not buy it, and does not see it: that says nothing about the job."""

    money = "It is still paid for, and nothing was bought in its place."


class QueueTimeoutError(JobError):
    """The job waited longer than allowed before it started."""

    money = "It is still paid for and may start any time."
    advice = "Run again to go on waiting: it is not bought twice."


class RunTimeoutError(JobError):
    """The job ran longer than allowed."""

    money = "It is still paid for and may end any time."
    advice = "Run again to go on waiting: it is not bought twice."


class InDoubtError(JobError):
    """It is not known whether the job was accepted."""

    charged = None
    money = "Its possible cost counts as spent."
    advice = "Look for it in the provider's own pages, and say what you find with `genmedia journal resolve`."


class AbandonedError(InDoubtError):
    """It is not known whether the job was accepted, and its account is set to abandon such jobs."""

    advice = "Run again to buy it anew."


class SupersededError(JobError):
    """Another process has settled the job meanwhile."""

    advice = "Run again: what the other bought is taken up."


class MissingOutputError(JobError):
    """The job succeeded without an output that a later step needs."""

    money = "What it did give is stored; nothing was bought for the later step."
    advice = "Look at the technique in the provider's own pages: its outputs may have changed."


class DownloadError(GenmediaError):
    """An output could not be fetched."""

    money = "The job is paid for; its outputs are fetched again, not bought again."


class ForbiddenAddressError(DownloadError):
    """The address is not one that may be fetched."""

    advice = "If you trust it, name its origin in the credentials block."


class ExpiredLinkError(DownloadError):
    """The link is gone."""

    advice = f"Run again soon: the provider may hand out a fresh link. {NO_FILE}"


class BrokenDownloadError(DownloadError):
    """The transfer ended early or never got going."""

    advice = "Run again to fetch it once more."


class OversizeError(DownloadError):
    """The file is larger, or took longer, than allowed."""

    advice = "If it is genuine, raise the limit in the store's block."


class MediaError(GenmediaError):
    """A file is not what it should be."""

    advice = "The file is kept in quarantine with the reason beside it."


class MediaTypeError(MediaError):
    """The file's content is of another type."""


class DamagedMediaError(MediaError):
    """The file does not decode."""


class MediaLimitError(MediaError):
    """Decoding the file would take more than allowed."""


class StoreError(GenmediaError):
    """A file could not be written or read in the store."""

    advice = "Check the store: that it exists, may be written and has room."


class StoreMissingError(StoreError):
    """The store's bucket or root is not there."""

    advice = "Make the bucket, or mend the address in the store's block."


class StoreDeniedError(StoreError):
    """The store's key or its rights are not enough."""

    advice = "Check the key in the store's block, and that it may read, write, list and delete there."


class StoreUnreachableError(StoreError):
    """No connection to the store could be made, or it broke."""

    advice = "Check the store's address and the network, then run again: what is paid for is fetched, not bought again."


class StoreTimeoutError(StoreError):
    """The store took a request and did not answer in time."""

    advice = "Run again once it answers: what is paid for is fetched, not bought again."


class StoreFullError(StoreError):
    """The store has no room left."""

    advice = "Make room, then run again: what is paid for is fetched, not bought again."
