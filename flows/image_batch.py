"""A batch of pictures from Genova: prompts by references by ratios by models."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from pydantic import Field

from flows.genova_items import buy_items
from genmedia.batch import ReferenceSet, plan_images
from genmedia.chain import Name
from genmedia.providers.genova import FlowRatio, FreepikRatio, ImageModel
from tasks.waiting import Patience

ONE_FILE = (
    "Genova charges a job of %d images one credit, but its documented routes hand out one file of it: "
    "%d jobs of one image each cost %d times as much and lose none."
)


@flow(name="image-batch", flow_run_name="{name}")
async def image_batch(
    name: Annotated[Name, Field(description="A name for the batch, used in folder names and tags.")],
    prompts: Annotated[list[str], Field(min_length=1, description="What is to be seen; at most 500 characters each.")],
    models: Annotated[list[ImageModel], Field(min_length=1, description="Which models; each prompt goes to each.")] = [  # noqa: B006 # Prefect shows it in the form, nothing changes it
        "nano_banana2"
    ],
    ratios: Annotated[
        list[FlowRatio | FreepikRatio],
        Field(min_length=1, description="landscape, portrait, square for Flow models; 16:9 and so on for freepik."),
    ] = ["landscape"],  # noqa: B006
    references: Annotated[
        list[ReferenceSet], Field(description="Sets of pictures that guide the images; each prompt is made with each set.")
    ] = [],  # noqa: B006
    copies: Annotated[int, Field(ge=1, le=20, description="How many different images of each; each is a job and a credit.")] = 1,
    images_per_job: Annotated[
        int, Field(ge=1, le=4, description="More than 1 costs one credit as well, but only one file can be fetched.")
    ] = 1,
    quality: Annotated[str | None, Field(pattern="^[12]K$", description="1K or 2K, for freepik only.")] = None,
    priority: Annotated[int | None, Field(description="Higher is sooner.")] = None,
    account: Annotated[str, Field(description="Name of the Genova Credentials block that pays.")] = "default",
    store: Annotated[str, Field(description="Name of the Asset Store block that takes the results.")] = "default",
    max_credits: Annotated[float | None, Field(ge=0, description="Buy nothing if the whole would cost more than this.")] = None,
    take: Annotated[int, Field(ge=1, description="Raise it to buy the same batch again on purpose.")] = 1,
    queue_minutes: Annotated[float, Field(gt=0, description="How long a job may wait before it starts.")] = 45,
    run_minutes: Annotated[float, Field(gt=0, description="How long a job may take.")] = 15,
) -> State[Any]:
    """Make pictures and keep them all. Items that fail do not stop the others; what was bought before is not bought again.

    Raises:
        InputError: Everything that is wrong, each with its prompt, model and ratio; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    items = plan_images(
        prompts=prompts,
        models=models,
        ratios=ratios,
        references=references,
        copies=copies,
        images_per_job=images_per_job,
        quality=quality,
        priority=priority,
        take=take,
    )
    if images_per_job > 1:
        get_run_logger().warning(ONE_FILE, images_per_job, images_per_job, images_per_job)
    patience = Patience(queue_minutes, run_minutes)
    return await buy_items(name, items, account=account, store=store, max_credits=max_credits, patience=patience)
