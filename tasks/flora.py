"""FLORA's operations as Prefect tasks."""

from collections.abc import Sequence
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from blocks import AssetStore, FloraCredentials
from genmedia.buying import Order, Purchase, Submit, buy
from genmedia.chain import Given
from genmedia.http import ANSWER_SECONDS
from genmedia.jobs import Job
from genmedia.journal import StoredAsset
from genmedia.media import inspect_file
from genmedia.providers.flora import FloraClient, Run, RunInput, Technique
from genmedia.receiving import Origin, receive_outputs
from tasks.states import met
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
    files = store.get_store()
    async with credentials.get_client() as flora, store.get_journal() as journal:

        async def prepare() -> Submit:
            sent = [RunInput(id=one.id, type=one.type, value=await _value(flora, credentials, one)) for one in inputs]

            async def submit(idempotency_key: str) -> str:
                return (await flora.create_run(slug, sent, idempotency_key=idempotency_key)).run_id

            return submit

        pause = ANSWER_SECONDS / flora.http.clock_scale
        purchase = await buy(journal, order, prepare, has=lambda asset: files.has(asset.path), repeat_pause=pause)
    return met(purchase)


async def _value(flora: FloraClient, credentials: FloraCredentials, given: Given) -> str:
    """What stands in the request: the text, or an address that FLORA can read now."""
    if given.type == "text":
        return given.text
    if given.file is None or (given.url and await flora.reads(given.url)):
        return given.url
    return await upload_input(credentials, given.file)


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
            flora.watcher,
            (slug, purchase.job_id),
            journal=journal,
            purchase=purchase,
            step=step,
            patience=patience,
            not_charged="FLORA does not charge failed runs.",
        )


@task(task_run_name="download-outputs {purchase.order.request[technique]} {purchase.key:.8}", cache_policy=NO_CACHE)
async def download_outputs(
    credentials: FloraCredentials, store: AssetStore, purchase: Purchase, job: Job, origin: Origin
) -> tuple[StoredAsset, ...]:
    """Fetch what a run gave, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as flora, store.get_journal() as journal:
        return await receive_outputs(flora, store.get_store(), journal, purchase, job, origin)
