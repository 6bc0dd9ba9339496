"""Product photos by looks: every photo in every look, within one budget."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from blocks import load_store
from flows.forms import (
    Accounts,
    AtOnce,
    Attempts,
    Budget,
    BudgetInUsd,
    CampaignName,
    Labels,
    Marks,
    Payers,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Unmarked,
    WhenOneFails,
    form,
)
from flows.purchases import naming_paid_work
from flows.steps import accounts_of, run_steps
from genmedia.campaign.products import names_of_store, photos_of, product_places, product_steps
from genmedia.forms.fields import field
from genmedia.providers.genova.client import FlowImageModel, FlowRatio
from tasks.recovery import take_back_jobs
from tasks.telling import flow
from tasks.waiting import Patience


@form
@flow(name="product-looks", flow_run_name="{name}", on_cancellation=[take_back_jobs])
async def product_looks(
    *,
    photos: Annotated[
        list[str],
        field(
            "Photos",
            "Of the products: a folder, which stands for every picture in it, or single photos. store:uploads is all that was uploaded in "
            "the gallery.",
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
    accounts: Payers = Accounts(),
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
) -> State[Any]:
    """Make every product photo in every look, and keep all of it, each result named by its photo and its look.

    All of it is checked, and held to one budget, before the first credit is spent. What was bought before is not bought again: add a photo
    or a look, and only what is new is bought.

    Raises:
        InputError: Everything that is wrong with photos and looks; nothing was bought.
        BudgetError: It would cost more than `budget` or `max_usd`.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    async with naming_paid_work(name, assets):
        stored: list[str] = []
        if names_of_store(photos):
            async with assets.get_store() as there:
                stored = [path async for path, *_ in there.files.walk()]
        found, others = photos_of(photos, stored)
        steps = product_steps(found, looks, takes=takes, model=model, ratio=ratio)
    if others:
        get_run_logger().info("not taken, as no pictures: %s", ", ".join(others))
    return await run_steps(
        name,
        steps,
        places=product_places(steps, found, looks, takes),
        accounts=accounts_of(accounts, steps),
        assets=assets,
        max_credits=budget,
        max_usd=max_usd,
        labels=labels,
        take=1,
        marks=marks,
        buy_unmarked=buy_unmarked,
        at_once=at_once,
        on_failure=on_failure,
        attempts=attempts,
        patience=Patience(queue_minutes, run_minutes),
    )
