"""A campaign over all providers: steps that feed each other, in one flow run."""

from typing import Annotated

from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.accounts import Accounts, Caps, Payers
from genmedia.campaign.forms.parameters import (
    AtOnce,
    Attempts,
    BudgetInUsd,
    ItemsPerRun,
    Labels,
    Marks,
    Photo,
    Priority,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    WhenOneFails,
    Words,
)
from genmedia.campaign.steps import Campaign
from genmedia.forms.fields import field
from genmedia.purchasing.patience import Patience


def campaign(
    *,
    photo: Photo = "",
    prompt: Words = "",
    max_credits: Annotated[
        Caps, field("Budgets in credits", "Nothing is bought if a provider's part would cost more than this; empty for no limit.")
    ] = Caps(),
    max_usd: BudgetInUsd = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    at_once: AtOnce = 4,
    on_failure: WhenOneFails = "continue",
    attempts: Attempts = 1,
    items_per_run: ItemsPerRun = 500,
    priority: Priority = 0,
    accounts: Payers = Accounts(),
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
    campaign: Annotated[Campaign, field("Campaign", "The steps in order, and what feeds them.")],
) -> Brief:
    """Run steps at any of the providers, each fed by what earlier steps give, and keep everything.

    The campaign is checked as a whole before the first credit is spent, and the log tells how each input will be handed on. What was
    bought before is not bought again. When a step fails, what it feeds is not bought, everything else goes on, and the flow run ends failed,
    named `Partial`.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        BudgetError: At one of the providers it would cost more than `max_credits` or `max_usd`, or the one that is set is not in the unit
            of the prices.
        SettingsError: There is no such block.
    """
    return Brief(
        name=campaign.name,
        steps=campaign.steps,
        photo=photo,
        prompt=prompt,
        accounts=accounts.model_dump(),
        store=store,
        max_credits=max_credits.model_dump(),
        max_usd=max_usd,
        labels=labels,
        take=take,
        marks=marks,
        buy_unmarked=buy_unmarked,
        attempts=attempts,
        items_per_run=items_per_run,
        priority=priority,
        at_once=at_once,
        on_failure=on_failure,
        patience=Patience(queue_minutes, run_minutes),
    )
