"""Videos from Genova that take minutes to hours; a job is taken up again if the process that waits for it ends."""

from typing import Annotated

from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.parameters import (
    Attempts,
    Budget,
    CampaignName,
    ItemsPerRun,
    Labels,
    Marks,
    Priority,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    payer,
)
from genmedia.forms.fields import field
from genmedia.providers.genova.forms import Shot
from genmedia.purchasing.patience import Patience


def long_video(
    *,
    name: CampaignName,
    shots: Annotated[list[Shot], field("Shots", "One entry for each video.", min_length=1)],
    max_credits: Budget = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    items_per_run: ItemsPerRun = 500,
    priority: Priority = 0,
    account: Annotated[str, payer("Genova")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 120,
    run_minutes: RunMinutes = 360,
) -> Brief:
    """Make videos and keep them all.

    A run that is retried, or started again after its worker died, takes up the jobs that are under way. When a person cancels it,
    jobs that have not started are cancelled at Genova; those that run stay bought.

    Raises:
        InputError: Everything that is wrong, each with its shot; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    from genmedia.providers.genova.batch import plan_videos  # noqa: PLC0415 # help should not wait for it
    from genmedia.providers.genova.client import PROVIDER  # noqa: PLC0415 # help should not wait for it

    return Brief(
        name=name,
        draft=lambda drafting: plan_videos(drafting, shots, priority=priority or None),
        accounts={PROVIDER: account},
        store=store,
        max_credits={PROVIDER: max_credits},
        labels=labels,
        take=take,
        marks=marks,
        buy_unmarked=buy_unmarked,
        attempts=attempts,
        items_per_run=items_per_run,
        priority=priority,
        patience=Patience(queue_minutes, run_minutes),
    )
