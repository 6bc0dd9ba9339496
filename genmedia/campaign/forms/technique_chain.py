"""A chain of FLORA techniques, from files and texts to pictures and videos in the store."""

from typing import Annotated

from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.parameters import (
    AtOnce,
    Attempts,
    Budget,
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
    payer,
)
from genmedia.forms.fields import field
from genmedia.providers.flora.forms import Chain
from genmedia.purchasing.patience import Patience


def technique_chain(
    *,
    photo: Photo = "",
    prompt: Words = "",
    max_credits: Budget = None,
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
    account: Annotated[str, payer("FLORA")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
    chain: Annotated[Chain, field("Chain", "The techniques in order, and what feeds them.")],
) -> Brief:
    """Run a chain of FLORA techniques and keep everything it gives.

    The chain is checked as a whole against FLORA's own description of each technique before the first credit is spent. What was
    bought before is not bought again: finished runs are reused, running ones are taken up. When a step fails, what it feeds
    is not bought, everything else goes on, and the flow run ends failed, named `Partial`.

    Raises:
        InputError: Everything that is wrong with the chain, each with its step and input.
        BudgetError: It would cost more than `max_credits` or `max_usd`, or the one that is set is not in the unit of the prices.
        SettingsError: There is no such block.
    """
    from genmedia.providers.flora.client import PROVIDER  # noqa: PLC0415 # help should not wait for it

    return Brief(
        name=chain.name,
        steps=chain.steps,
        photo=photo,
        prompt=prompt,
        accounts={PROVIDER: account},
        store=store,
        max_credits={PROVIDER: max_credits},
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
