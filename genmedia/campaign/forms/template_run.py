"""3D models from Generio's templates: from texts and pictures, through one template or a chain of them."""

from typing import Annotated

from genmedia.campaign.brief import Brief
from genmedia.campaign.forms.parameters import (
    AtOnce,
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
from genmedia.providers.generio.forms import TemplateInput, TemplateStep
from genmedia.purchasing.patience import Patience


def template_run(
    *,
    name: CampaignName,
    inputs: Annotated[
        list[TemplateInput], field("Made from", "One model is made from each entry: a photo, a model, or words.", min_length=1)
    ],
    steps: Annotated[
        list[TemplateStep],
        field("Steps", "The templates that each goes through in order, each fed with the model of the one before.", min_length=1),
    ],
    max_credits: Annotated[
        Budget,
        field(
            "Budget in credits",
            "Nothing is bought if what is not there yet would cost more than this; it needs the price in the Generio block. Leave it empty "
            "for no limit.",
            example=10,
        ),
    ] = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    attempts: Attempts = 1,
    items_per_run: ItemsPerRun = 500,
    priority: Priority = 0,
    delete_after: Annotated[
        bool, field("Delete at Generio", "Delete each job at Generio, with its files there, once its model is in the store.")
    ] = False,
    at_once: AtOnce = 4,
    account: Annotated[str, payer("Generio")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
) -> Brief:
    """Make 3D models and keep them all, each step's too. An input that fails does not stop the others.

    Everything is checked against Generio's own description of the templates before anything is started. What was bought before is
    not bought again: finished flows are reused, those under way are taken up.

    Raises:
        InputError: Everything that is wrong, each with its input, step and parameter; nothing was bought.
        BudgetError: It would cost more than `max_credits`, or its price is not known.
        SettingsError: There is no such block.
    """
    from genmedia.providers.generio.client import PROVIDER  # noqa: PLC0415 # help should not wait for it
    from genmedia.providers.generio.templates import plan_models  # noqa: PLC0415 # help should not wait for it

    return Brief(
        name=name,
        draft=lambda drafting: plan_models(drafting, inputs, steps),
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
        at_once=at_once,
        patience=Patience(queue_minutes, run_minutes),
        delete_after=delete_after,
    )
