"""The brief of a campaign's run: its steps, or the form that becomes steps; the accounts that pay, the caps, and how it is carried out."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from genmedia.purchasing.patience import Patience

if TYPE_CHECKING:  # a form names its brief, and is read without it
    from genmedia.campaign.file.delivery import Handover
    from genmedia.campaign.steps import AnyStep
    from genmedia.providers.drafts import Draft, Drafting
    from genmedia.providers.sources import Unreadable

OnFailure = Literal["continue", "stop"]
Measure = Literal["fewer takes", "cheaper model", "pause"]


@dataclass(frozen=True, kw_only=True)
class Brief:
    """Everything that a run of a campaign is asked to do.

    Attributes:
        name: Name of the campaign.
        steps: Steps as they are written; faults in a step's form are reported together with those of the plan.
        draft: Function that makes steps of a form, used instead of `steps`; it raises an `InputError` with all faults, each with its place
            in the form.
        handover: Function that returns what is to be delivered of its files, once the steps are made; None where nothing is.
        photo: Value of `{photo}` in the steps; empty for none.
        prompt: Value of `{prompt}` in the steps; empty for none.
        accounts: Names of the accounts that pay, by provider; an account is used only if a step of its provider exists.
        store: Name of the store for everything.
        max_credits: The most that each provider may be paid, or all of them together; None for no limit.
        max_usd: The most that a provider may be paid that names its prices in USD; None for no limit.
        monthly: Most that all runs may spend in a calendar month for the value of a label that the purchases have: by the label's name, and
            then by provider, in its credits, and by `usd`.
        when_short: What is done, one after the other, while it would cost more than budgets, caps or balances leave, each with the part of
            a budget from which on it is done; see `genmedia.campaign.shortage`. Where that is not enough, nothing is bought.
        less: What is done without from the beginning, as a plan says that was made under a budget; see `genmedia.campaign.shortage`.
        approved: Fingerprint of the plan that a person has agreed to; see `genmedia.campaign.planning.Planned`. Nothing is bought if the
            brief has another one by now. Empty where nobody was asked.
        labels: Labels of the purchases, such as the client they are for.
        take: Number of the take, from 1: a higher one buys the same again on purpose.
        marks: `journal` for the verdicts in the journal; or marks, or the path of a file of them; empty for none.
        buy_unmarked: With marks: True to buy as well what is neither stored nor marked.
        at_once: Most jobs under way at once; None if the accounts' open slots alone set the pace.
        on_failure: `continue` to buy what does not depend on a failed step; `stop` to buy nothing more.
        attempts: Most purchases of each step while its job fails.
        priority: What runs with a higher number ask of an account goes first, in all processes; 0 is the usual.
        patience: Longest waits for each job to start and to run.
        items_per_run: Most steps that one run buys, where the host has further runs for the rest; None to buy all in one. See
            `genmedia.campaign.parts`.
        delete_after: True to delete jobs at the provider, where it can, once their files are in the store.
    """

    name: str
    steps: "Sequence[AnyStep | Unreadable]" = ()
    draft: "Callable[[Drafting], Awaitable[Draft]] | None" = None
    handover: "Callable[[], Handover | None]" = lambda: None
    photo: str = ""
    prompt: str = ""
    accounts: Mapping[str, str]
    store: str
    max_credits: Mapping[str, float | None] | float | None = None
    max_usd: float | None = None
    monthly: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict[str, "Mapping[str, float | None]"])
    when_short: Sequence[tuple[Measure, float]] = ()
    less: Mapping[Measure, Collection[str]] = field(default_factory=dict[Measure, "Collection[str]"])
    approved: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    take: int = 1
    marks: str = ""
    buy_unmarked: bool = False
    at_once: int | None = None
    on_failure: OnFailure = "continue"
    attempts: int = 1
    priority: int = 0
    patience: Patience
    items_per_run: int | None = None
    delete_after: bool = False
