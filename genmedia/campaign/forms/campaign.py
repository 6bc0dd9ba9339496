"""A campaign over all providers: steps that feed each other, in one flow run."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Discriminator, Tag, ValidationError

from genmedia.campaign.brief import Brief
from genmedia.campaign.file.budget import read_budget
from genmedia.campaign.file.campaign import CampaignFile, read_campaign
from genmedia.campaign.file.delivery import Handover
from genmedia.campaign.forms.accounts import Accounts, Caps, Payers
from genmedia.campaign.forms.parameters import (
    Approved,
    AtOnce,
    Attempts,
    BudgetInUsd,
    DoneWithout,
    ItemsPerRun,
    Labels,
    Marks,
    OnlyRows,
    Photo,
    Priority,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    Variables,
    WhenOneFails,
    Words,
)
from genmedia.campaign.steps import Campaign
from genmedia.errors import Fault, InputError
from genmedia.forms.fields import field
from genmedia.forms.validation import faults_in, parameters_of
from genmedia.providers.drafts import Draft, Drafting
from genmedia.purchasing.patience import Patience


def campaign(
    *,
    photo: Photo = "",
    prompt: Words = "",
    variables: Variables = {},
    less: DoneWithout = {},
    approved: Approved = "",
    only_rows: OnlyRows = [],
    max_credits: Annotated[
        Caps, field("Budgets in credits", "Nothing is bought if a provider's part would cost more than this; empty for no limit.")
    ] = Caps(),
    max_usd: BudgetInUsd = None,
    labels: Labels = {},
    take: Take = 1,
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
    campaign: Annotated[
        Annotated[Campaign, Tag("steps")]
        | Annotated[str, Tag("file"), field("A campaign's file", "Its path, from the project's folder, or its content.")],
        Discriminator(lambda given: "file" if isinstance(given, str) else "steps"),
        field("Campaign", "The steps in order, and what feeds them; or the file of a campaign."),
    ],
) -> Brief:
    """Run steps at any of the providers, each fed by what earlier steps give, and keep everything.

    The campaign is checked as a whole before the first credit is spent, and the log tells how each input will be handed on. What was
    bought before is not bought again. When a step fails, what it feeds is not bought, everything else goes on, and the flow run ends failed,
    named `Partial`. Of a campaign's file, a parameter counts where the run's own is left as it is.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        BudgetError: At one of the providers it would cost more than `max_credits` or `max_usd`, or the one that is set is not in the unit
            of the prices.
        SettingsError: There is no such block.
    """
    given: dict[str, Any] = {
        "photo": photo,
        "prompt": prompt,
        "less": less,
        "approved": approved,
        "max_credits": max_credits,
        "max_usd": max_usd,
        "labels": labels,
        "take": take,
        "marks": marks,
        "buy_unmarked": buy_unmarked,
        "at_once": at_once,
        "on_failure": on_failure,
        "attempts": attempts,
        "items_per_run": items_per_run,
        "priority": priority,
        "accounts": accounts,
        "store": store,
        "queue_minutes": queue_minutes,
        "run_minutes": run_minutes,
    }
    if isinstance(campaign, Campaign):
        alien = [name for name, one in (("variables", variables), ("only_rows", only_rows)) if one]
        if alien:
            raise InputError([Fault(name, "are those of a campaign's file; steps have none") for name in alien])
        return _brief(given, name=campaign.name, steps=campaign.steps)
    file = read_campaign(campaign, _DEFAULTS.keys()).given(variables)
    parameters, faults = _parameters(file)
    own = {name: value for name, value in given.items() if name in OF_A_RUN or value != _DEFAULTS[name]}
    labels = own.get("labels", parameters["labels"])
    budget, wrong = read_budget(file.source, labels)
    parameters |= budget | own

    handover: Handover | None = None

    async def draft(drafting: Drafting) -> Draft:
        nonlocal handover
        photo, prompt = parameters["photo"], parameters["prompt"]
        made, handover = await file.draft(drafting, photo=photo, prompt=prompt, labels=labels, only_rows=only_rows)
        return replace(made, faults=[*faults, *wrong, *made.faults])

    return _brief(parameters, name=file.name, draft=draft, handover=lambda: handover)


def read_file(written: str) -> CampaignFile:
    """Read a campaign's file, by its path or its content; see `read_campaign`.

    Raises:
        InputError: Something is wrong with it as a whole.
    """
    file = read_campaign(written, _DEFAULTS.keys())
    if file.faults:
        raise InputError([*file.faults])
    return file


OF_A_RUN = ("campaign", "variables", "less", "approved", "only_rows")
"""Parameters that say which file is meant, and what a run does with it: no file gives them."""

_DEFAULTS: Mapping[str, Any] = {
    name: one.default for name, one in inspect.signature(campaign).parameters.items() if name not in OF_A_RUN
}


def _brief(given: Mapping[str, Any], **what: Any) -> Brief:
    """Return the brief with these parameters."""
    renamed = {"accounts": given["accounts"].model_dump(), "max_credits": given["max_credits"].model_dump()}
    patience = Patience(given["queue_minutes"], given["run_minutes"])
    kept = {name: value for name, value in given.items() if name not in (*renamed, "queue_minutes", "run_minutes")}
    return Brief(**kept, **renamed, patience=patience, **what)


def _parameters(file: CampaignFile) -> tuple[dict[str, Any], list[Fault]]:
    """Return the parameters that a file gives, and the others as they are by default; and everything that is wrong with them.

    Where it does not say how many jobs may be under way, the accounts' own limits do.
    """
    model = parameters_of(campaign, without=OF_A_RUN)
    try:
        read = model.model_validate(file.parameters)
    except ValidationError as error:
        faults = faults_in(error, file.parameters)
        return dict(_DEFAULTS), [Fault(file.source.place(one.place.split(", "), one.place), one.what) for one in faults]
    values = {name: getattr(read, name) for name in model.model_fields}
    return values | ({} if "at_once" in file.parameters else {"at_once": None}), []
