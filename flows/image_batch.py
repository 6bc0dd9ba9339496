"""A batch of pictures from Genova: prompts by references by ratios by models."""

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from pydantic import Field

from flows.genova_items import buy_items
from genmedia.batch import COPIES, ReferenceSet, plan_images
from genmedia.naming import Labels, Name
from genmedia.providers.genova import ImageModel, Ratio
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience

ONE_FILE = (
    "Genova charges a job of %d images one credit, but its documented routes hand out one file of it: "
    "%d jobs of one image each cost %d times as much and lose none."
)


@flow(name="image-batch", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def image_batch(
    name: Name,
    prompts: Annotated[list[str], Field(min_length=1)],
    models: Annotated[list[ImageModel], Field(min_length=1)] = ["nano_banana2"],
    ratios: Annotated[list[Ratio], Field(min_length=1)] = ["landscape"],
    references: list[ReferenceSet] = [],
    copies: Annotated[int, Field(ge=1, le=COPIES)] = 1,
    max_credits: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None,
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    quality: Literal["1K", "2K"] | None = None,
    priority: int = 0,
    images_per_job: Annotated[int, Field(ge=1, le=4)] = 1,
    account: str = "default",
    store: str = "default",
    queue_minutes: Annotated[float, Field(gt=0)] = 45,
    run_minutes: Annotated[float, Field(gt=0)] = 15,
) -> State[Any]:
    """Make pictures and keep them all. Items that fail do not stop the others; what was bought before is not bought again.

    Args:
        name: A name for the batch, used in folder names and tags. Letters, digits, dots, dashes and underscores; no spaces.
        prompts: What is to be seen; at most 500 characters each.
        models: Which models; each prompt goes to each.
        ratios: landscape, portrait and square are for all models but freepik; 16:9 and so on are for freepik.
        references: Sets of pictures that guide the images; each prompt is made with each set.
        copies: How many different images of each, 1 to 20; each is a job and a credit.
        max_credits: Buy nothing if what is not bought yet would cost more than this; empty for no limit.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        quality: For freepik only.
        priority: Higher is sooner.
        images_per_job: 1 to 4. More than 1 costs one credit as well, but only one file of a job can be fetched.
        account: Name of the Genova Credentials block that pays.
        store: Name of the Asset Store block that takes the results.
        queue_minutes: How long a job may wait before it starts.
        run_minutes: How long a job may take.

    Raises:
        InputError: Everything that is wrong, each with its prompt, model and ratio; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    items = await plan_images(
        prompts=prompts,
        models=models,
        ratios=ratios,
        references=references,
        copies=copies,
        images_per_job=images_per_job,
        quality=quality,
        priority=priority or None,
        take=take,
    )
    if images_per_job > 1:
        get_run_logger().warning(ONE_FILE, images_per_job, images_per_job, images_per_job)
    patience = Patience(queue_minutes, run_minutes)
    return await buy_items(
        name, items, account=account, store=store, max_credits=max_credits, labels=labels, marks=marks, patience=patience
    )
