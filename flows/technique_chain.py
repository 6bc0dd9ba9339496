"""A chain of FLORA techniques, from files and texts to pictures and videos in the store."""

from typing import Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from blocks import AssetStore, FloraCredentials, load_block
from flows.steps import run_steps
from genmedia.campaign.written import Chain
from genmedia.naming import Labels
from tasks.harvesting import take_back_jobs
from tasks.waiting import Patience


@flow(name="technique-chain", flow_run_name="{chain.name}", on_cancellation=[take_back_jobs])
async def technique_chain(
    chain: Chain,
    max_credits: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None,
    labels: Labels = {},
    take: Annotated[int, Field(ge=1)] = 1,
    marks: str = "",
    at_once: Annotated[int, Field(ge=1, le=50)] = 4,
    account: str = "default",
    store: str = "default",
    queue_minutes: Annotated[float, Field(gt=0)] = 30,
    run_minutes: Annotated[float, Field(gt=0)] = 60,
) -> State[Any]:
    """Run a chain of FLORA techniques and keep everything it gives.

    The chain is checked as a whole against FLORA's own description of each technique before the first credit is spent. What was
    bought before is not bought again: finished runs are reused, running ones are taken up. When a step fails, what was made is kept,
    what runs is waited for, nothing more is bought, and the flow run ends failed, named `Partial`.

    Args:
        chain: The techniques in order, and what feeds them.
        max_credits: Buy nothing if what is not bought yet would cost more than this; empty for no limit.
        labels: Whom it is bought for, such as client and project; they stand in the ledger and beside each file.
        take: Leave it at 1. Raise it to buy the very same again on purpose.
        marks: Path of a file of marks from the gallery: what is marked retake there is bought as the next take.
        at_once: How many runs may be under way at once, 1 to 50.
        account: Name of the FLORA Credentials block that pays.
        store: Name of the Asset Store block that takes the results.
        queue_minutes: How long a run may wait before it starts.
        run_minutes: How long a run may take.

    Raises:
        InputError: Everything that is wrong with the chain, each with its step and input.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(FloraCredentials, account), await load_block(AssetStore, store)
    return await run_steps(
        chain.name,
        chain.steps,
        payers={credentials.provider: credentials},
        assets=assets,
        max_credits={credentials.provider: max_credits},
        labels=labels,
        take=take,
        marks=marks,
        at_once=at_once,
        patience=Patience(queue_minutes, run_minutes),
    )
