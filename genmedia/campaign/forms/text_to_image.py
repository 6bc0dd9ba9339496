"""A variation sheet from Algovera: prompts by seeds by base models."""

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
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    payer,
)
from genmedia.forms.fields import field
from genmedia.purchasing.patience import Patience


def text_to_image(
    *,
    name: CampaignName,
    prompts: Annotated[
        list[str], field("Prompts", "What is to be seen.", example="A cup of coffee on a windowsill, watercolour", min_length=1)
    ],
    seeds: Annotated[
        list[int],
        field("Seeds", "Each is another variation; the same seed gives the same picture again.", example=[1, 2], min_length=1),
    ] = [1, 2, 3, 4],
    base_models: Annotated[
        list[str],
        field(
            "Base models",
            "Which of Algovera's models; each prompt goes to each. `genmedia providers` lists them.",
            example="stable",
            min_length=1,
        ),
    ] = ["stable"],
    width: Annotated[int | None, field("Width", "In pixels; 512 where it is left empty.", example=768, gt=0)] = 512,
    height: Annotated[int | None, field("Height", "In pixels; 512 where it is left empty.", example=768, gt=0)] = 512,
    inf_steps: Annotated[
        int | None, field("Steps", "How often the picture is refined; left to Algovera when empty.", example=30, gt=0)
    ] = None,
    guidance_scale: Annotated[
        float | None, field("Guidance", "How closely the prompt is followed; left to Algovera when empty.", example=7.5)
    ] = None,
    max_credits: Budget = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    items_per_run: ItemsPerRun = 500,
    priority: Priority = 0,
    account: Annotated[str, payer("Algovera")] = "default",
    store: StoreName = "default",
    minutes: RunMinutes = 15,
) -> Brief:
    """Make pictures from prompts and keep them all, with the seed under each on the contact sheet.

    Items that fail do not stop the others; what was bought before is not bought again. A purchase whose answer was lost is in doubt: Algovera
    cannot be asked about it, so that it is not bought again by itself.

    Raises:
        InputError: Everything that is wrong, each with its prompt or field; nothing was bought.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    from genmedia.providers.algovera.client import PROVIDER  # noqa: PLC0415 # help should not wait for it
    from genmedia.providers.algovera.variations import plan_variations  # noqa: PLC0415 # help should not wait for it

    asked = {"width": width, "height": height, "inf_steps": inf_steps, "guidance_scale": guidance_scale}
    settings = {name: value for name, value in asked.items() if value is not None}
    return Brief(
        name=name,
        draft=lambda drafting: plan_variations(
            drafting, prompts=prompts, seeds=seeds, base_models=base_models, settings=settings
        ),
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
        patience=Patience(minutes, minutes),
    )
