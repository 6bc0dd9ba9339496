"""Drafts: the way from a form to steps, with the questions that a form may ask on it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from genmedia.errors import Fault
from genmedia.forms.names import Place
from genmedia.journal.order import Doubt
from genmedia.progress import Log
from genmedia.providers.steps import Operation
from genmedia.store import Store
from genmedia.store.named_files import Files


class Drafting(Protocol):
    """Questions that a form can ask at no cost before it becomes steps."""

    @property
    def store(self) -> Store:
        """Store that all files go to."""
        ...

    @property
    def log(self) -> Log:
        """Log of the run, for people."""
        ...

    @property
    def begun(self) -> datetime:
        """Time for which the run is, in the time zone of the journal's days: that of its schedule, or of its start."""
        ...

    @property
    def without(self) -> Collection[str]:
        """Names of steps that are left out, because the budget is short; see `genmedia.campaign.shortage`."""
        ...

    async def client(self, provider: str) -> Any:
        """Return the client of the run's account at a provider.

        Raises:
            SettingsError: There is no such account.
        """
        ...

    async def look_at(self, names: Iterable[str], provider: str, kind: str = "") -> Files:
        """Return the files that names stand for, inspected, and kept on this machine until the run is over.

        Args:
            names: As people wrote them.
            provider: Provider of the account by whose rules files at addresses are fetched.
            kind: Kind that each file should be; empty for any.

        Raises:
            SettingsError: There is no such account.
        """
        ...

    async def describe(self, steps: Sequence[Any]) -> Mapping[str, Operation | Sequence[Fault]]:
        """Return, by step name, the operation that the provider describes now, or the step's faults, whose places follow the step's own.

        Raises:
            SettingsError: There is no such account.
        """
        ...


@dataclass(frozen=True)
class Approval:
    """What a step's `review` says: nothing is made of it until a person keeps it.

    Attributes:
        deadline: Time after which the default counts where nobody has decided, from when a run first waited for it; None for no end.
        default: The verdict that counts then.
    """

    deadline: timedelta | None = None
    default: Literal["keep", "reject"] = "reject"

    def is_over(self, since: datetime | None, now: datetime) -> bool:
        """True if a run waits since before the deadline; since None for one that does not wait yet."""
        return self.deadline is not None and since is not None and since + self.deadline <= now


@dataclass(frozen=True)
class Policy:
    """What is done about the purchases of a step, where it differs from the rest of the run; no part of what is asked for.

    Attributes:
        attempts: Most purchases while its job fails; None for as many as of the others.
        deadline: Longest wait for its job to start, and longest time for it to run, in minutes each; None for those of the others.
        on_failure: `stop` to begin nothing more when it fails, `continue` to go on with what does not depend on it; None as the others.
        if_in_doubt: Reaction where it is not known if it was bought; None for that of the account.
        if_refused: Reaction to a file that is not what it should be: `fail`, `buy again` or `go on`; None for that of the store.
        fallbacks: Steps of the same name that are bought in its place, one after the other, once it failed for good.
        cheaper: Step of the same name that is bought in its place where the budget is short; None for none.
    """

    attempts: int | None = None
    deadline: float | None = None
    on_failure: Literal["continue", "stop"] | None = None
    if_in_doubt: Doubt | None = None
    if_refused: Literal["fail", "buy again", "go on"] | None = None
    fallbacks: Sequence[Any] = ()
    cheaper: Any = None


@dataclass(frozen=True)
class Draft:
    """Result of a form.

    Attributes:
        steps: The steps, in order.
        places: Place of each step in what was asked for, by the step's name.
        where: Place of each step for faults, such as file and line, by the step's name; its number and name where there is none.
        faults: Everything that is wrong with what was asked for; it is reported with the faults of the plan.
        repeats: True if steps may ask for the very same, which is then bought once for all of them.
        edition: Edition of the campaign, which is part of each submission key; empty where the same is never bought twice.
        approvals: What has to be kept by a person before anything is made of it, by the step's name.
        labels: Labels of the purchases of steps that have others than the run, by the step's name.
        policies: What is done about the purchases of steps that have a policy of their own, by the step's name.
        gathers: By the name of a step that takes all that there is of something: what each step that it takes so is of, by their names. Those
            that a person rejects are left out of it.
        takes: Number of takes that are asked for of steps that are one of several takes of the same, where it is more than the steps have, by
            the step's name.
    """

    steps: Sequence[Any]
    places: Mapping[str, Place]
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    edition: str = ""
    faults: Sequence[Fault] = ()
    repeats: bool = False
    approvals: Mapping[str, Approval] = field(default_factory=dict[str, Approval])
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    policies: Mapping[str, Policy] = field(default_factory=dict[str, Policy])
    gathers: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    takes: Mapping[str, int] = field(default_factory=dict[str, int])
