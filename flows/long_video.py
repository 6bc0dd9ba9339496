"""Videos from Genova, of minutes to hours, that survive whatever happens to the process that waits for them."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State

from blocks import load_store
from flows.forms import (
    Attempts,
    Budget,
    CampaignName,
    Labels,
    Marks,
    Priority,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    form,
    payer,
)
from flows.genova_items import at_hand, buy_items
from flows.purchases import naming_paid_work
from genmedia.forms.fields import field
from genmedia.providers.genova.batch import Shot, plan_videos
from tasks.recovery import take_back_jobs
from tasks.telling import flow
from tasks.waiting import Patience


@form
@flow(name="long-video", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def long_video(
    *,
    name: CampaignName,
    shots: Annotated[list[Shot], field("Shots", "One entry for each video.", min_length=1)],
    max_credits: Budget = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    priority: Priority = 0,
    account: Annotated[str, payer("Genova")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 120,
    run_minutes: RunMinutes = 360,
) -> State[Any]:
    """Make videos and keep them all.

    A run that is retried, or started again after its worker died, takes up the jobs that are under way. When a person cancels it,
    jobs that have not started are cancelled at Genova; those that run stay bought.

    Raises:
        InputError: Everything that is wrong, each with its shot; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    async with (
        naming_paid_work(name, assets),
        at_hand((file for shot in shots for file in shot.references), account, assets) as files,
    ):
        items = await plan_videos(shots, priority=priority or None, take=take, files=files)
    patience = Patience(queue_minutes, run_minutes)
    return await buy_items(
        name,
        items,
        account=account,
        store=store,
        max_credits=max_credits,
        labels=labels,
        marks=marks,
        buy_unmarked=buy_unmarked,
        attempts=attempts,
        patience=patience,
    )
