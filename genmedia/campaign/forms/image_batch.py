"""A batch of pictures from Genova: prompts by references by ratios by models."""

from typing import TYPE_CHECKING, Annotated, Literal

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
from genmedia.providers.genova.forms import COPIES, ImageModel, Ratio, ReferenceSet
from genmedia.purchasing.patience import Patience

if TYPE_CHECKING:
    from genmedia.providers.drafts import Draft, Drafting

ONE_FILE = (
    "Genova charges a job of %d images one credit, but its documented routes hand out one file of it: "
    "%d jobs of one image each cost %d times as much and lose none."
)


def image_batch(
    *,
    name: CampaignName,
    prompts: Annotated[
        list[str],
        field(
            "Prompts",
            "What is to be seen, at most 500 characters each; one picture is made from each.",
            example="A cup of coffee on a windowsill",
            min_length=1,
        ),
    ],
    models: Annotated[
        list[ImageModel], field("Models", "Which of Genova's models; each prompt goes to each of them.", min_length=1)
    ] = ["nano_banana2"],
    ratios: Annotated[
        list[Ratio],
        field(
            "Shapes",
            "landscape, portrait and square are for all models but freepik; 16:9 and the like are for freepik.",
            min_length=1,
        ),
    ] = ["landscape"],
    references: Annotated[
        list[ReferenceSet],
        field(
            "References", "Pictures that guide what is made; each prompt is made with each entry. None: from the prompt alone."
        ),
    ] = [],
    copies: Annotated[
        int,
        field("Copies", f"How many different pictures of each, 1 to {COPIES}; each costs a credit.", example=3, ge=1, le=COPIES),
    ] = 1,
    max_credits: Budget = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    items_per_run: ItemsPerRun = 500,
    quality: Annotated[Literal["1K", "2K"] | None, field("Quality", "For the model freepik only.")] = None,
    priority: Priority = 0,
    images_per_job: Annotated[
        int,
        field(
            "Pictures in a job",
            "Leave it at 1. Genova makes 2 to 4 pictures for the same credit and hands out one of them; the others are lost. For more "
            "pictures raise Copies.",
            example=1,
            ge=1,
            le=4,
        ),
    ] = 1,
    account: Annotated[str, payer("Genova")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 45,
    run_minutes: RunMinutes = 15,
) -> Brief:
    """Make pictures and keep them all. Items that fail do not stop the others; what was bought before is not bought again.

    Raises:
        InputError: Everything that is wrong, each with its prompt, model and ratio; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    from genmedia.providers.genova.batch import plan_images  # noqa: PLC0415 # help should not wait for it
    from genmedia.providers.genova.client import PROVIDER  # noqa: PLC0415 # help should not wait for it

    async def draft(drafting: "Drafting") -> "Draft":
        planned = await plan_images(
            drafting,
            prompts=prompts,
            models=models,
            ratios=ratios,
            references=references,
            copies=copies,
            images_per_job=images_per_job,
            quality=quality,
            priority=priority or None,
        )
        if images_per_job > 1:
            drafting.log.warning(ONE_FILE, images_per_job, images_per_job, images_per_job)
        return planned

    return Brief(
        name=name,
        draft=draft,
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
