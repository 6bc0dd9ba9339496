"""A chain of FLORA techniques, from files and texts to pictures and videos in the store."""

import asyncio
from dataclasses import replace
from time import monotonic
from typing import Annotated, Any, TypeGuard

from prefect import flow, tags
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from pydantic import Field

from blocks import AssetStore, FloraCredentials, load_block
from genmedia.buying import Outcome
from genmedia.chain import Chain, Fed, Given, PlannedRun, check_budget, look_at_files, plan_chain
from genmedia.errors import NotFoundError
from genmedia.execution import Outputs, RunResult, order_for, outputs_of, run_plan, runs_to_buy
from genmedia.journal import StoredAsset
from genmedia.progress import tell
from genmedia.providers.flora import PROVIDER, Technique
from genmedia.receiving import Origin
from tasks.flora import create_run, download_outputs, get_technique, poll_run, upload_input
from tasks.reporting import publish_results, tag_flow_run
from tasks.states import campaign_state, unwrap
from tasks.store import write_gallery
from tasks.waiting import Patience


@flow(name="technique-chain", flow_run_name="{chain.name}")
async def technique_chain(
    chain: Annotated[Chain, Field(description="The techniques in order, and what feeds them.")],
    account: Annotated[str, Field(description="Name of the FLORA Credentials block that pays.")] = "default",
    store: Annotated[str, Field(description="Name of the Asset Store block that takes the results.")] = "default",
    max_credits: Annotated[float | None, Field(description="Buy nothing if the whole would cost more than this.", ge=0)] = None,
    take: Annotated[int, Field(description="Raise it to buy the same chain again on purpose.", ge=1)] = 1,
    at_once: Annotated[int, Field(description="How many runs may be under way at once.", ge=1, le=50)] = 4,
    queue_minutes: Annotated[float, Field(description="How long a run may wait before it starts.", gt=0)] = 30,
    run_minutes: Annotated[float, Field(description="How long a run may take.", gt=0)] = 60,
) -> State[Any]:
    """Run a chain of FLORA techniques and keep everything it gives.

    The chain is checked as a whole against FLORA's own description of each technique before the first credit is spent. What was
    bought before is not bought again: finished runs are reused, running ones are taken up. When a step fails, what was made is kept,
    what runs is waited for, nothing more is bought, and the flow run ends failed, named `Partial`.

    Raises:
        InputError: Everything that is wrong with the chain, each with its step and input.
        BudgetError: It would cost more than `max_credits`.
        SettingsError: There is no such block.
    """
    credentials, assets = await load_block(FloraCredentials, account), await load_block(AssetStore, store)
    files = assets.get_store()
    files.sweep()

    async def perform(run: PlannedRun, inputs: list[Given]) -> RunResult:
        begun = monotonic()
        order = order_for(run, inputs, credentials.payer, take)
        purchase = await unwrap(await create_run(credentials, assets, run.slug, order, inputs))
        tell(run.name, purchase.outcome)

        def ended(files: tuple[StoredAsset, ...], outputs: Outputs, charged: float = 0) -> RunResult:
            return RunResult(
                name=run.name,
                operation=run.slug,
                status=purchase.outcome,
                job_id=purchase.job_id,
                seconds=monotonic() - begun,
                charged=charged,
                assets=files,
                outputs=outputs,
            )

        if purchase.outcome is Outcome.REUSED:
            outputs = outputs_of(run.name, purchase.assets, files)
            return ended(purchase.assets, outputs)
        job = await poll_run(credentials, assets, run.slug, purchase, run.name, Patience(queue_minutes, run_minutes))
        origin = Origin(chain.name, run.name, [one.about() for one in inputs])
        stored = await download_outputs(credentials, assets, purchase, job, origin)
        tell(run.name, "stored", 100)
        outputs = outputs_of(run.name, stored, files, job)
        return ended(stored, outputs, job.charged or 0)

    labels = (PROVIDER, f"campaign:{chain.name}")
    await tag_flow_run(*labels)
    with tags(*labels):
        async with credentials.get_client() as flora, assets.get_journal() as journal:
            techniques = await _look_up(credentials, {step.technique for step in chain.steps})
            plan = plan_chain(chain, techniques, await look_at_files(chain, flora.http, files), flora.http.origins)
            to_buy = await runs_to_buy(plan, credentials.payer, take, journal, files)
            cost = check_budget(to_buy, max_credits)
            get_run_logger().info("%d runs, %d to buy for at most %g credits", len(plan), len(to_buy), cost)
            plan = await _put_up(credentials, plan, to_buy)
            results = await run_plan(plan, perform, at_once=at_once)
        await write_gallery(assets)
        await publish_results(chain.name, results, files)
    return campaign_state(results)


async def _put_up(credentials: FloraCredentials, plan: list[PlannedRun], to_buy: list[PlannedRun]) -> list[PlannedRun]:
    """Put up the local files that what is bought begins with, each once, and before the first credit is spent: it may not work."""
    files = {
        source.sha256: source.file
        for run in to_buy
        for source in run.inputs
        if isinstance(source, Given) and source.file and not source.url
    }
    urls = dict(zip(files, await asyncio.gather(*(upload_input(credentials, path) for path in files.values())), strict=True))
    return [
        replace(run, inputs=tuple(replace(one, url=urls[one.sha256]) if _waits_for(one, urls) else one for one in run.inputs))
        for run in plan
    ]


def _waits_for(source: Given | Fed, urls: dict[str, str]) -> TypeGuard[Given]:
    return isinstance(source, Given) and not source.url and source.sha256 in urls


async def _look_up(credentials: FloraCredentials, slugs: set[str]) -> dict[str, Technique | NotFoundError]:
    """Every technique as FLORA describes it now; one it does not know is a fault of the chain, to be told with the others."""

    async def look_up(slug: str) -> Technique | NotFoundError:
        try:
            return await get_technique(credentials, slug)
        except NotFoundError as error:
            return error

    found = await asyncio.gather(*(look_up(slug) for slug in slugs))
    return dict(zip(slugs, found, strict=True))
