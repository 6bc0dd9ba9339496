"""Who may call the sandbox: accounts with their key, credits, plan and per-account settings."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from genmedia.sandbox.limits import Plan, SlidingMinute


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        message = "the first number must not exceed the second"
        raise ValueError(message)
    return span


Span = Annotated[tuple[NonNegativeFloat, NonNegativeFloat], AfterValidator(_ordered)]


class Settings(BaseModel):
    """How the jobs and files of one account behave.

    Attributes:
        advance: `time`: jobs move with the clock. `looks`: a job moves only when a response shows it.
        queue: Shortest and longest wait before a job runs, in nominal seconds.
        run: Shortest and longest run, in nominal seconds. None: what the provider's jobs usually take.
        documented: Where `run` is None, let jobs take as long as the provider's document says instead of a few pleasant seconds.
        looks: How many looks see a job queued, and then how many see it running.
        failure_rate: Share of jobs that fail by themselves, 0 to 1.
        max_running: Jobs that may run at once; the others stay queued. None: no bound.
        link_lifetime: Nominal seconds until a link to an output answers 403; each look at the job shows fresh ones. None: the provider's
            own way. It changes nothing where outputs are fetched by the job's id.
        output_lifetime: Nominal seconds until an output answers 403, or 404 where that is the provider's way. None: for ever.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    advance: Literal["time", "looks"] = "time"
    queue: Span = (0.3, 1.0)
    run: Span | None = None
    documented: bool = False
    looks: tuple[NonNegativeInt, NonNegativeInt] = (1, 2)
    failure_rate: float = Field(default=0.0, ge=0, le=1)
    max_running: PositiveInt | None = None
    link_lifetime: PositiveFloat | None = None
    output_lifetime: PositiveFloat | None = None


@dataclass(eq=False)
class Account:
    """One customer of one provider.

    Attributes:
        granted: The credits last given through the control plane; a reset restores them.
        plan: Its plan; None where the provider has none.
        promised: Credits that open jobs will take when they succeed.
        spent: Credits taken since they were granted.
        price_factor: How many times the usual price everything costs it.
        minute: Its requests of the last nominal minute.
    """

    provider: str
    name: str
    api_key: str
    granted: int | float
    plan: Plan | None
    settings: Settings
    switches: BaseModel

    def __post_init__(self) -> None:
        self.minute = SlidingMinute()
        self.restore()

    def restore(self) -> None:
        """Go back to the credits that were granted and the usual prices, with nothing promised, spent or asked."""
        self.credits = self.granted
        self.promised: int | float = 0
        self.spent: int | float = 0
        self.price_factor: float = 1
        self.minute.clear()

    def price(self, usual: float) -> float:
        """What it pays for what usually costs so much."""
        return usual * self.price_factor

    def can_afford(self, usual: float) -> bool:
        """Whether the credits not yet promised to open jobs cover what usually costs so much."""
        return self.credits - self.promised >= self.price(usual)

    def charge(self, cost: float) -> None:
        """Take credits; a negative cost gives them back."""
        self.credits -= cost
        self.spent += cost


class Accounts:
    """Finds an account by its name or by one of its keys."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], Account] = {}
        self._by_key: dict[tuple[str, str], Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._by_name.values()))

    def named(self, provider: str, name: str) -> Account | None:
        """The account of that provider and name, if there is one."""
        return self._by_name.get((provider, name))

    def with_key(self, provider: str, api_key: str) -> Account | None:
        """The account that this key opens at the provider, if there is one."""
        return self._by_key.get((provider, api_key))

    def holder_of(self, text: str) -> Account | None:
        """The first account one of whose keys occurs anywhere in the text."""
        return next((account for (_, key), account in self._by_key.items() if key in text), None)

    def add(self, account: Account) -> None:
        """Take in a new account."""
        self._by_name[account.provider, account.name] = account
        self.admit_key(account, account.api_key)

    def admit_key(self, account: Account, api_key: str) -> None:
        """Let another key open the account too."""
        self._by_key[account.provider, api_key] = account

    def revoke_key(self, account: Account, api_key: str) -> None:
        """Let a key open nothing from now on."""
        self._by_key.pop((account.provider, api_key), None)

    def rekey(self, account: Account, api_key: str) -> None:
        """Give the account another key; the old one opens nothing from now on."""
        self.revoke_key(account, account.api_key)
        account.api_key = api_key
        self.admit_key(account, api_key)

    def clear(self) -> None:
        """Forget every account."""
        self._by_name.clear()
        self._by_key.clear()


def new_token(length: int = 24) -> str:
    """A random lower-case token, for keys, ids and file addresses.

    It is never drawn from the sandbox's seed: a journal that outlives the sandbox must not meet its old ids again on other jobs.
    """
    return "".join("0123456789abcdefghijklmnopqrstuvwxyz"[byte % 36] for byte in os.urandom(length))
