"""FLORA's operations as Prefect tasks."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from blocks import AssetStore, FloraCredentials
from genmedia.buying import Order, Purchase, Submit, buy
from genmedia.campaign.handoff import file_of, link_for_flora
from genmedia.campaign.sources import Given
from genmedia.http import Gate
from genmedia.inspection.media import inspect_file
from genmedia.jobs import Job
from genmedia.limits import ANSWER_SECONDS
from genmedia.providers.flora import FloraClient, Run, RunInput, Technique
from genmedia.receiving import Received
from genmedia.store import Store
from tasks.states import met
from tasks.storing import store_outputs
from tasks.waiting import Patience, wait_for_job


@task(task_run_name="get-technique {slug}", cache_policy=NO_CACHE)
async def get_technique(credentials: FloraCredentials, slug: str) -> Technique:
    """What a technique takes, gives and costs right now."""
    async with credentials.get_client() as flora:
        return await flora.get_technique(slug)


@task(task_run_name="list-techniques", cache_policy=NO_CACHE)
async def list_techniques(credentials: FloraCredentials, query: str = "") -> list[Technique]:
    """All techniques the account can see, where FLORA offers the list."""
    async with credentials.get_client() as flora:
        return await flora.list_techniques(query)


@task(task_run_name="list-runs", cache_policy=NO_CACHE)
async def list_runs(credentials: FloraCredentials, status: str = "", technique_id: str = "") -> list[Run]:
    """The account's runs, newest first, where FLORA offers the list."""
    async with credentials.get_client() as flora:
        return await flora.list_runs(status=status, technique_id=technique_id)


@task(task_run_name="takes-files", cache_policy=NO_CACHE)
async def takes_files(credentials: FloraCredentials) -> bool:
    """Whether files can be put up to this FLORA. It costs nothing."""
    async with credentials.get_client() as flora:
        return await flora.takes_files()


@task(task_run_name="upload-input {path.name}", cache_policy=NO_CACHE)
async def upload_input(credentials: FloraCredentials, path: Path) -> str:
    """Put a local picture or video where a run can read it, and return its address. It costs nothing."""
    facts = await inspect_file(path)
    async with credentials.get_client() as flora:
        return await flora.upload(path, facts.media_type)


@task(task_run_name="create-run {slug} {order.key:.8}", cache_policy=NO_CACHE, retries=0)
async def create_run(
    credentials: FloraCredentials, store: AssetStore, slug: str, order: Order, inputs: Sequence[Given]
) -> State[Purchase]:
    """Buy one run, unless the journal knows that it is bought: then take it up again, or reuse what it gave.

    Prefect never retries it: a run that may have been accepted is asked about under the same idempotency key, inside.
    """
    async with credentials.get_client() as flora, store.get_store() as files, store.get_journal() as journal:

        async def prepare() -> Submit:
            sent = [RunInput(id=one.id, type=one.type, value=await _value(flora, credentials, files, one)) for one in inputs]

            async def submit(idempotency_key: str, gate: Gate) -> str:
                return (await flora.create_run(slug, sent, idempotency_key=idempotency_key, gate=gate)).run_id

            return submit

        pause = ANSWER_SECONDS / flora.http.clock_scale
        purchase = await buy(
            journal, order, prepare, has=files.has, recover=flora.recover, repeat_pause=pause, clock=flora.http.server_time
        )
    return met(purchase)


async def _value(flora: FloraClient, credentials: FloraCredentials, files: Store, given: Given) -> str:
    """What stands in the request: the text, or an address that FLORA can read now."""
    if given.type == "text":
        return given.text
    return given.url if await _reads(flora, given) else await host_input(credentials, files, given)


async def _reads(flora: FloraClient, given: Given) -> bool:
    return bool(given.url) and (not (given.file or given.asset) or await flora.reads(given.url))


async def reads(credentials: FloraCredentials, given: Given) -> bool:
    """Whether FLORA can read an input where it is now."""
    async with credentials.get_client() as flora:
        return given.type == "text" or await _reads(flora, given)


async def host_input(credentials: FloraCredentials, files: Store, given: Given) -> str:
    """An address of an input that FLORA can read: a signed link to the store where it reads from there, else one of its own."""
    async with credentials.get_client() as flora:
        if link := await link_for_flora(given, files, flora.http.origins):
            return link
    async with file_of(given, files) as file:
        return await upload_input(credentials, file)


@task(task_run_name="poll-run {slug} {purchase.key:.8}", cache_policy=NO_CACHE)
async def poll_run(
    credentials: FloraCredentials, store: AssetStore, slug: str, purchase: Purchase, step: str, patience: Patience
) -> Job:
    """Wait until a run has succeeded; outages of FLORA and of the network only make it wait longer.

    FLORA cannot cancel a run: when the flow run is cancelled, the run goes on, and the next flow run takes it up again.

    Raises:
        JobFailedError: FLORA says that it failed; it is not charged.
        JobVanishedError: FLORA no longer knows it.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as flora, store.get_journal() as journal:
        return await wait_for_job(
            flora,
            (slug, purchase.job_id),
            journal=journal,
            purchase=purchase,
            step=step,
            patience=patience,
            not_charged="FLORA does not charge failed runs.",
        )


@task(task_run_name="download-outputs {purchase.order.request[technique]} {purchase.key:.8}", cache_policy=NO_CACHE)
async def download_outputs(credentials: FloraCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch what a run gave, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as flora:
        return await store_outputs(flora, store, purchase, job)
