"""Steps that feed each other, at any of the providers: planned as a whole, bought in order, kept."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from blocks import AlgoveraCredentials, AssetStore, FloraCredentials, GenerioCredentials, GenovaCredentials
from blocks.credentials import ProviderCredentials
from flows.purchases import Prices, Spare, acquire, look_up, on_behalf, read_retakes, run_campaign
from genmedia.batch import Item
from genmedia.buying import Order, Purchase
from genmedia.campaign.execution import RunResult, check_apart, order_for, outputs_of, run_plan, runs_to_buy
from genmedia.campaign.handoff import explain, file_of, flora_reads, material_of, preparation
from genmedia.campaign.operations import (
    Operation,
    algovera_operation,
    generio_operation,
    genova_operation,
    technique_operation,
)
from genmedia.campaign.plan import PlannedRun, named_files, named_urls, plan_steps
from genmedia.campaign.sources import Fed, Given, look_at_files
from genmedia.campaign.written import AlgoveraStep, AnyStep, GenerioStep, GenovaStep, Step
from genmedia.errors import Fault, InputError
from genmedia.jobs import Job
from genmedia.journal import Journal, Purpose
from genmedia.origins import Origins
from genmedia.providers.algovera import Txt2Img
from genmedia.providers.genova import JobRequest
from genmedia.receiving import Received
from genmedia.references import Reference, prepare_references
from genmedia.results import Result
from genmedia.store import Store
from genmedia.variations import Variation
from tasks import algovera, flora, generio, genova
from tasks.waiting import Patience

Payers = Mapping[str, ProviderCredentials]
"""Who pays, by provider."""

NO_FILES = (
    "would have to be put up to FLORA, which takes no files here (404 at its assets API); what it reads is a `url` on its own list of "
    "hosts, a store on S3 at such a host, and what a technique of FLORA gives"
)

C = TypeVar("C", bound=ProviderCredentials)


async def run_steps(
    name: str,
    steps: Sequence[AnyStep],
    *,
    payers: Payers,
    assets: AssetStore,
    max_credits: Mapping[str, float | None],
    labels: Mapping[str, str],
    take: int,
    marks: str,
    at_once: int,
    patience: Patience,
) -> State[Any]:
    """Plan the steps, buy what is not bought yet, and keep everything they give.

    Raises:
        InputError: Everything that is wrong with the steps, each with its step and input; nothing was bought.
        BudgetError: At one of the providers it would cost more than allowed.
    """
    retakes = read_retakes(marks)
    async with AsyncExitStack() as held:
        files = await held.enter_async_context(assets.get_store())
        clients = {provider: await held.enter_async_context(payer.get_client()) for provider, payer in payers.items()}
        reader = clients.get(FloraCredentials.provider)
        http, origins = (reader.http, reader.http.origins) if reader else (None, Origins("https://app.flora.ai"))
        operations = await _operations(steps, payers)  # a sandbox names its origins with its first answer
        looked_at = await look_at_files(named_files(steps), named_urls(steps, origins), http, files)
        plan = plan_steps(steps, operations, looked_at, origins)
        accounts = {provider: payer.payer for provider, payer in payers.items()}
        check_apart(plan, accounts)
        for sentence in await explain(plan, files, origins):
            get_run_logger().info("%s", sentence)
        to_buy: list[PlannedRun] = []
        one_by_one: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def prices(journal: Journal) -> Prices:
            to_buy.extend(await runs_to_buy(plan, accounts, take, retakes, journal, files))
            return {
                provider: {run.name: run.operation.price for run in to_buy if run.operation.provider == provider}
                for provider in payers
            }

        async def perform(run: PlannedRun, inputs: list[Given], spare: Spare) -> RunResult:
            begun, job, provider = monotonic(), None, run.operation.provider
            wish = order_for(run, inputs, accounts[provider], take).besides(retakes)
            purpose = Purpose(name, run.name, [one.about() for one in inputs], labels, cap=max_credits.get(provider))
            order = on_behalf(wish, payers[provider], purpose)

            async def finish(purchase: Purchase) -> Received:
                nonlocal job
                job, received = await _finish(payers, assets, files, run, inputs, purchase, patience)
                return received

            async with one_by_one[order.key]:  # inputs that come out equal make one wish of two runs: the second reuses
                acquired = await acquire(
                    run.name, assets, spare[provider], lambda: _submit(payers, assets, files, run, inputs, order), finish
                )
            outputs = await outputs_of(run.name, acquired.assets, files, job)
            told: dict[str, Any] = vars(acquired.result(run.name, begun)) | {"operation": run.operation.name, "outputs": outputs}
            return RunResult(**told)

        async def work(spare: Spare) -> Sequence[Result]:
            put_up = await _put_up(payers, files, origins, plan, to_buy)
            return await run_plan(put_up, lambda run, inputs: perform(run, inputs, spare), at_once=at_once)

        return await run_campaign(
            name, payers=list(payers.values()), assets=assets, max_credits=max_credits, prices=prices, work=work
        )


async def _operations(steps: Sequence[AnyStep], payers: Payers) -> dict[str, Operation | Sequence[Fault]]:
    """What each step buys, as the providers describe it now; asked for once each."""
    slugs = [step.technique for step in steps if isinstance(step, Step)]
    templates = [step.template for step in steps if isinstance(step, GenerioStep)]
    techniques = await look_up(slugs, lambda slug: flora.get_technique(_payer(payers, FloraCredentials), slug))
    known = await look_up(templates, lambda template: generio.get_template(_payer(payers, GenerioCredentials), template))
    models: list[str] = []
    if any(isinstance(step, AlgoveraStep) for step in steps):
        models = await algovera.list_base_models(_payer(payers, AlgoveraCredentials))

    def operation(step: AnyStep) -> Operation | Sequence[Fault]:
        match step:
            case Step():
                return technique_operation(step, techniques[step.technique])
            case GenovaStep():
                return genova_operation(step)
            case GenerioStep():
                return generio_operation(step, known[step.template], _payer(payers, GenerioCredentials).price)
            case AlgoveraStep():
                return algovera_operation(step, models)

    return {step.name: operation(step) for step in steps}


def _payer(payers: Payers, kind: type[C]) -> C:
    payer = payers[kind.provider]
    assert isinstance(payer, kind)
    return payer


async def _submit(
    payers: Payers, assets: AssetStore, files: Store, run: PlannedRun, inputs: Sequence[Given], order: Order
) -> State[Purchase] | Purchase:
    """Buy a run, or find that it is bought."""
    match run.operation.wish:
        case JobRequest() as request:
            item = Item(run.name, request, await _references(run, inputs, files), order.take)
            return await genova.submit_job(_payer(payers, GenovaCredentials), assets, item, order)
        case Txt2Img() as request:
            variation = Variation(run.name, request, order.take)
            return await algovera.submit_job(_payer(payers, AlgoveraCredentials), assets, variation, order)
        case None:
            return await flora.create_run(_payer(payers, FloraCredentials), assets, run.operation.name, order, inputs)
        case _:
            return await generio.create_flow(_payer(payers, GenerioCredentials), assets, order)


async def _finish(
    payers: Payers,
    assets: AssetStore,
    files: Store,
    run: PlannedRun,
    inputs: Sequence[Given],
    purchase: Purchase,
    patience: Patience,
) -> tuple[Job, Received]:
    """Bring a bought run to its end: its job, and its files in the store."""
    match run.operation.wish:
        case JobRequest():
            payer = _payer(payers, GenovaCredentials)
            job = await genova.poll_job(payer, assets, purchase, run.name, patience)
            return job, await genova.download_result(payer, assets, purchase, job)
        case Txt2Img():
            payer = _payer(payers, AlgoveraCredentials)
            job = await algovera.poll_job(payer, assets, purchase, run.name, patience)
            return job, await algovera.download_asset(payer, assets, purchase, job)
        case None:
            payer = _payer(payers, FloraCredentials)
            job = await flora.poll_run(payer, assets, run.operation.name, purchase, run.name, patience)
            return job, await flora.download_outputs(payer, assets, purchase, job)
        case _:
            payer, (given,) = _payer(payers, GenerioCredentials), inputs
            material = material_of(given, run.operation)
            if material.file is None:
                await generio.upload_input(payer, purchase.job_id, material)
            else:
                async with file_of(given, files, as_png=material.preparation.endswith("png")) as file:
                    await generio.upload_input(payer, purchase.job_id, replace(material, file=file))
            await generio.start_flow(payer, purchase.job_id)
            job = await generio.poll_flow(payer, assets, purchase, run.name, patience)
            return job, await generio.download_outputs(payer, assets, purchase, job)


async def _references(run: PlannedRun, inputs: Sequence[Given], files: Store) -> tuple[Reference, ...]:
    """The pictures that go into a job, small enough to travel in it."""
    faults: list[Fault] = []
    found: list[Reference] = []
    for given in inputs:
        async with file_of(given, files) as file:
            prepared = await prepare_references([str(file)], faults)
        named = {"path": Path(given.source), "sha256": given.sha256, "preparation": preparation(given, run.operation)}
        found += [replace(one, **named) for one in prepared.values()]
    if faults:
        raise InputError(faults)
    return tuple(found)


async def _put_up(
    payers: Payers, store: Store, origins: Origins, plan: Sequence[PlannedRun], to_buy: Sequence[PlannedRun]
) -> list[PlannedRun]:
    """The plan, with what FLORA is to be given of what is there put where it reads, each once, before the first credit.

    Raises:
        InputError: An input, there or not yet, would have to be put up to FLORA, and this one takes no files.
    """
    providers = {run.name: run.operation.provider for run in plan}
    mine = [run for run in to_buy if run.operation.provider == FloraCredentials.provider]
    edges = [(run, source) for run in mine for source in run.inputs if await _is_to_be_put_up(payers, source, providers)]
    if not edges:
        return [*plan]
    payer = _payer(payers, FloraCredentials)
    if not await flora_reads(store, origins) and not await flora.takes_files(payer):
        raise InputError([Fault(f"step {run.name}, input {source.id}", NO_FILES) for run, source in edges])
    there = {(source.sha256, source.at): source for _, source in edges if isinstance(source, Given)}
    hosted = await asyncio.gather(*(flora.host_input(payer, store, given) for given in there.values()))
    urls = dict(zip(there, hosted, strict=True))

    def put_up(source: Given | Fed) -> Given | Fed:
        url = urls.get((source.sha256, source.at)) if isinstance(source, Given) else None
        return replace(source, url=url) if url and isinstance(source, Given) else source

    done = {run.name: replace(run, inputs=tuple(map(put_up, run.inputs))) for run in mine}
    return [done.get(run.name, run) for run in plan]


async def _is_to_be_put_up(payers: Payers, source: Given | Fed, providers: Mapping[str, str]) -> bool:
    """Whether FLORA will not be able to read an input where it is, or where its provider will put it."""
    if isinstance(source, Given):
        return not await flora.reads(_payer(payers, FloraCredentials), source)
    return source.type != "text" and (source.at is not None or providers[source.run] != FloraCredentials.provider)
