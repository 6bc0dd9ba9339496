"""Videos from Genova, of minutes to hours, that survive whatever happens to the process that waits for them."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.genova_items import buy_items
from genmedia.batch import Shot, plan_videos
from genmedia.naming import Labels, Name
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience


@flow(name="long-video", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def long_video(
    name: Name,
    shots: Annotated[list[Shot], Field(min_length=1)],
    max_credits: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None,
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    priority: int = 0,
    account: str = "default",
    store: str = "default",
    queue_minutes: Annotated[float, Field(gt=0)] = 120,
    run_minutes: Annotated[float, Field(gt=0)] = 360,
) -> State[Any]:
    """Make videos and keep them all.

    A run that is retried, or started again after its worker died, takes up the jobs that are under way. When a person cancels it,
    jobs that have not started are cancelled at Genova; those that run stay bought.

    Args:
        name: A name for the videos, used in folder names and tags. Letters, digits, dots, dashes and underscores; no spaces.
        shots: One entry for each video.
        max_credits: Buy nothing if what is not bought yet would cost more than this; empty for no limit.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        priority: Higher is sooner.
        account: Name of the Genova Credentials block that pays.
        store: Name of the Asset Store block that takes the results.
        queue_minutes: How long a job may wait before it starts.
        run_minutes: How long a job may take once it runs.

    Raises:
        InputError: Everything that is wrong, each with its shot; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    items = await plan_videos(shots, priority=priority or None, take=take)
    patience = Patience(queue_minutes, run_minutes)
    return await buy_items(
        name, items, account=account, store=store, max_credits=max_credits, labels=labels, marks=marks, patience=patience
    )
