"""Videos from Genova, of minutes to hours, that survive whatever happens to the process that waits for them."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.genova_items import buy_items
from genmedia.batch import Shot, plan_videos
from genmedia.chain import Name
from tasks.waiting import Patience


@flow(name="long-video", flow_run_name="{name}")
async def long_video(
    name: Annotated[Name, Field(description="A name for the videos, used in folder names and tags.")],
    shots: Annotated[list[Shot], Field(min_length=1, description="One entry for each video.")],
    priority: Annotated[int | None, Field(description="Higher is sooner.")] = None,
    account: Annotated[str, Field(description="Name of the Genova Credentials block that pays.")] = "default",
    store: Annotated[str, Field(description="Name of the Asset Store block that takes the results.")] = "default",
    max_credits: Annotated[float | None, Field(ge=0, description="Buy nothing if the whole would cost more than this.")] = None,
    take: Annotated[int, Field(ge=1, description="Raise it to buy the same videos again on purpose.")] = 1,
    queue_minutes: Annotated[float, Field(gt=0, description="How long a job may wait before it starts.")] = 120,
    run_minutes: Annotated[float, Field(gt=0, description="How long a job may take once it runs.")] = 360,
) -> State[Any]:
    """Make videos and keep them all.

    A run that is retried, or started again after its worker died, takes up the jobs that are under way. When a person cancels it,
    jobs that have not started are cancelled at Genova; those that run stay bought.

    Raises:
        InputError: Everything that is wrong, each with its shot; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    items = plan_videos(shots, priority=priority, take=take)
    patience = Patience(queue_minutes, run_minutes)
    return await buy_items(name, items, account=account, store=store, max_credits=max_credits, patience=patience)
