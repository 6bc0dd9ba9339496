"""Drafts: the way from a form to steps, with the questions that a form may ask on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from genmedia.errors import Fault
from genmedia.forms.names import Place
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

    def is_over(self, waited: timedelta | None) -> bool:
        """True if a run has waited for longer than the deadline allows; None for one that has not waited yet."""
        return self.deadline is not None and waited is not None and waited >= self.deadline


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
    """

    steps: Sequence[Any]
    places: Mapping[str, Place]
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    edition: str = ""
    faults: Sequence[Fault] = ()
    repeats: bool = False
    approvals: Mapping[str, Approval] = field(default_factory=dict[str, Approval])
