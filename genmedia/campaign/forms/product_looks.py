"""Product photos by looks: every photo in every look, within one budget."""

from typing import Annotated

from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.accounts import Accounts, Payers
from genmedia.campaign.forms.parameters import (
    AtOnce,
    Attempts,
    Budget,
    BudgetInUsd,
    CampaignName,
    ItemsPerRun,
    Labels,
    Marks,
    Priority,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Unmarked,
    WhenOneFails,
)
from genmedia.campaign.products import names_of_store, photos_of, product_places, product_steps
from genmedia.forms.fields import field
from genmedia.providers.drafts import Draft, Drafting
from genmedia.providers.genova.forms import FlowImageModel, FlowRatio
from genmedia.purchasing.patience import Patience


def product_looks(
    *,
    photos: Annotated[
        list[str],
        field(
            "Photos",
            "Single photos of the products, or a folder, which stands for every picture in it. store:uploads is all that was uploaded in the "
            "gallery.",
            example="photos/coffee.jpg",
            min_length=1,
        ),
    ],
    looks: Annotated[
        list[str],
        field(
            "Looks",
            "Each photo is made in each of them. One word is the name of a FLORA technique, such as studio-blur; everything else is what "
            "Genova is told to make of the photo.",
            example="The product on white marble, soft morning light",
            min_length=1,
        ),
    ],
    takes: Annotated[int, field("Takes", "How many different results of each photo in each look.", example=2, ge=1, le=9)] = 1,
    budget: Annotated[
        Budget,
        field(
            "Budget in credits",
            "For all providers together: nothing is bought if what is not there yet would cost more. Leave it empty for no "
            "limit.",
            example=20,
        ),
    ] = None,
    max_usd: BudgetInUsd = None,
    model: Annotated[
        FlowImageModel, field("Genova model", "Which of Genova's models makes the looks that are prompts.")
    ] = "nano_banana2",
    ratio: Annotated[FlowRatio, field("Shape", "Of what Genova makes: landscape is 16:9, portrait 9:16.")] = "square",
    name: CampaignName = "products",
    labels: Labels = {},
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
) -> Brief:
    """Make every product photo in every look, and keep all of it, each result named by its photo and its look.

    All of it is checked, and held to one budget, before the first credit is spent. What was bought before is not bought again: add a photo
    or a look, and only what is new is bought.

    Raises:
        InputError: Everything that is wrong with photos and looks; nothing was bought.
        BudgetError: It would cost more than `budget` or `max_usd`.
        SettingsError: There is no such block.
    """

    async def draft(drafting: Drafting) -> Draft:
        stored: list[str] = []
        if names_of_store(photos):
            stored = [path async for path, *_ in drafting.store.files.walk()]
        found, others = photos_of(photos, stored)
        steps = product_steps(found, looks, takes=takes, model=model, ratio=ratio)
        if others:
            drafting.log.info("not taken, as no pictures: %s", ", ".join(others))
        return Draft(steps, product_places(steps, found, looks, takes))

    return Brief(
        name=name,
        draft=draft,
        accounts=accounts.model_dump(),
        store=store,
        max_credits=budget,
        max_usd=max_usd,
        labels=labels,
        marks=marks,
        buy_unmarked=buy_unmarked,
        attempts=attempts,
        items_per_run=items_per_run,
        priority=priority,
        at_once=at_once,
        on_failure=on_failure,
        patience=Patience(queue_minutes, run_minutes),
    )
