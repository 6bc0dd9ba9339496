"""What a run of a campaign is asked for: the steps, or what becomes steps; who pays, how much, and how it is gone about."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from genmedia.campaign.executor import OnFailure
from genmedia.campaign.steps import AnyStep
from genmedia.providers.drafts import Draft, Drafting
from genmedia.providers.sources import Unreadable
from genmedia.purchasing.calls import Patience


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What a run of a campaign is asked for.

    Attributes:
        name: The campaign.
        steps: As they are written; those with faults of their form tell them with the plan's.
        draft: In their stead, what makes steps of a form; it raises an `InputError` with everything that is wrong, each with its place
            in the form.
        photo: Stands for `{photo}` in the steps.
        prompt: Stands for `{prompt}` in them.
        accounts: Who pays: the names of the accounts, by provider; of those of which there is no step nothing is asked.
        store: Where everything goes, by its name.
        max_credits: The most that each provider may be paid, or all of them together; None for no limit.
        max_usd: The most that a provider may be paid that names its prices in USD.
        labels: Whom it is bought for.
        take: 1, 2, 3…: the same bought again on purpose.
        marks: Marks, or the path of a file of them; empty for none.
        buy_unmarked: With marks: whether what is neither stored nor marked is bought as well.
        at_once: How many jobs may be under way; None where the accounts' open slots alone set the pace.
        on_failure: Whether what does not depend on a step that failed is bought all the same.
        attempts: How often each may be bought in all while its job fails.
        patience: How long each may wait and take.
        delete_after: Whether jobs are deleted at the provider, where it can, once their files are in the store.
    """

    name: str
    steps: Sequence[AnyStep | Unreadable] = ()
    draft: Callable[[Drafting], Awaitable[Draft]] | None = None
    photo: str = ""
    prompt: str = ""
    accounts: Mapping[str, str]
    store: str
    max_credits: Mapping[str, float | None] | float | None = None
    max_usd: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    take: int = 1
    marks: str = ""
    buy_unmarked: bool = False
    at_once: int | None = None
    on_failure: OnFailure = "continue"
    attempts: int = 1
    patience: Patience
    delete_after: bool = False
