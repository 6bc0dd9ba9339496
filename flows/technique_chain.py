"""A chain of FLORA techniques, from files and texts to pictures and videos in the store."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State

from blocks import load_store
from flows.forms import (
    AtOnce,
    Attempts,
    Budget,
    BudgetInUsd,
    Labels,
    Marks,
    Photo,
    QueueMinutes,
    RunMinutes,
    StoreName,
    Take,
    Unmarked,
    WhenOneFails,
    Words,
    form,
    payer,
)
from flows.steps import run_steps
from genmedia.forms.fields import field
from genmedia.providers.flora.client import PROVIDER
from genmedia.providers.flora.steps import Chain
from tasks.recovery import take_back_jobs
from tasks.telling import flow
from tasks.waiting import Patience


@form
@flow(name="technique-chain", flow_run_name="{chain.name}", on_cancellation=[take_back_jobs])
async def technique_chain(
    *,
    photo: Photo = "",
    prompt: Words = "",
    max_credits: Budget = None,
    max_usd: BudgetInUsd = None,
    labels: Labels = {},
    take: Take = 1,
    marks: Marks = "",
    buy_unmarked: Unmarked = False,
    at_once: AtOnce = 4,
    on_failure: WhenOneFails = "continue",
    attempts: Attempts = 1,
    account: Annotated[str, payer("FLORA")] = "default",
    store: StoreName = "default",
    queue_minutes: QueueMinutes = 30,
    run_minutes: RunMinutes = 60,
    chain: Annotated[Chain, field("Chain", "The techniques in order, and what feeds them.")],
) -> State[Any]:
    """Run a chain of FLORA techniques and keep everything it gives.

    The chain is checked as a whole against FLORA's own description of each technique before the first credit is spent. What was
    bought before is not bought again: finished runs are reused, running ones are taken up. When a step fails, what it feeds
    is not bought, everything else goes on, and the flow run ends failed, named `Partial`.

    Raises:
        InputError: Everything that is wrong with the chain, each with its step and input.
        BudgetError: It would cost more than `max_credits` or `max_usd`, or the one that is set is not in the unit of the prices.
        SettingsError: There is no such block.
    """
    assets = await load_store(store)
    return await run_steps(
        chain.name,
        chain.steps,
        photo=photo,
        prompt=prompt,
        accounts={PROVIDER: account},
        assets=assets,
        max_credits={PROVIDER: max_credits},
        max_usd=max_usd,
        labels=labels,
        take=take,
        marks=marks,
        buy_unmarked=buy_unmarked,
        at_once=at_once,
        on_failure=on_failure,
        attempts=attempts,
        patience=Patience(queue_minutes, run_minutes),
    )
