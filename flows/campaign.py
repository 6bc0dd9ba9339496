"""A campaign over all providers: steps that feed each other, in one flow run."""

from typing import Annotated, Any, cast

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import BaseModel, ConfigDict, Field

from blocks import CREDENTIALS, AssetStore, load_block
from blocks.credentials import ProviderCredentials
from flows.steps import run_steps
from genmedia.campaign.operations import provider_of
from genmedia.campaign.written import Campaign
from genmedia.naming import Labels
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience

_CREDENTIALS = {kind.provider: kind for kind in CREDENTIALS}


class Accounts(BaseModel):
    """Names of the credentials blocks that pay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    algovera: str = Field(default="default", description="Name of the Algovera Credentials block.")
    flora: str = Field(default="default", description="Name of the FLORA Credentials block.")
    generio: str = Field(default="default", description="Name of the Generio Credentials block.")
    genova: str = Field(default="default", description="Name of the Genova Credentials block.")


class Caps(BaseModel):
    """The most that each provider may be paid, in its own credits; empty for no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    algovera: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Credits of Algovera.")
    flora: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Credits of FLORA.")
    generio: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Credits of Generio; it needs the price in the block."
    )
    genova: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Credits of Genova.")


@flow(name="campaign", flow_run_name="{campaign.name}", on_cancellation=[take_back_jobs])
async def campaign(
    campaign: Campaign,
    max_credits: Caps = Caps(),
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    at_once: Annotated[int, Field(ge=1, le=50)] = 4,
    accounts: Accounts = Accounts(),
    store: str = "default",
    queue_minutes: Annotated[float, Field(gt=0)] = 30,
    run_minutes: Annotated[float, Field(gt=0)] = 60,
) -> State[Any]:
    """Run steps at any of the providers, each fed by what earlier steps give, and keep everything.

    The campaign is checked as a whole before the first credit is spent, and the log tells how each input will be handed on. What was
    bought before is not bought again. When a step fails, what was made is kept, what runs is waited for, nothing more is bought, and
    the flow run ends failed, named `Partial`.

    Args:
        campaign: The steps in order, and what feeds them.
        max_credits: For each provider: buy nothing if what is not bought yet would cost more than this.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        at_once: How many runs may be under way at once, 1 to 50.
        accounts: Which credentials blocks pay, one of each provider.
        store: Name of the Asset Store block that takes the results.
        queue_minutes: How long a run may wait before it starts.
        run_minutes: How long a run may take.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        BudgetError: At one of the providers it would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    payers = {
        provider: cast("ProviderCredentials", await load_block(_CREDENTIALS[provider], getattr(accounts, provider)))
        for provider in sorted({provider_of(step) for step in campaign.steps})
    }
    return await run_steps(
        campaign.name,
        campaign.steps,
        payers=payers,
        assets=await load_block(AssetStore, store),
        max_credits=max_credits.model_dump(),
        labels=labels,
        take=take,
        marks=marks,
        at_once=at_once,
        patience=Patience(queue_minutes, run_minutes),
    )
