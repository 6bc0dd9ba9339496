"""FLORA's operations as Prefect tasks."""

from pathlib import Path

from prefect.client.schemas.objects import State

from blocks import AssetStore, FloraCredentials
from genmedia.jobs.job import Job
from genmedia.journal.order import Order
from genmedia.media.probe import inspect_file
from genmedia.providers.flora.client import Run, Technique
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from tasks.runner import Listed, Tasks
from tasks.storing import buy_as_state, store_outputs
from tasks.telling import task
from tasks.waiting import wait_for_job


@task(task_run_name="get-technique {slug}")
async def get_technique(credentials: FloraCredentials, slug: str) -> Technique:
    """Get a technique as FLORA describes it now: its inputs, its outputs and its price."""
    async with credentials.get_client() as flora:
        return await flora.get_technique(slug)


@task(task_run_name="list-techniques")
async def list_techniques(credentials: FloraCredentials, query: str = "") -> list[Technique]:
    """All techniques the account can see, where FLORA offers the list."""
    async with credentials.get_client() as flora:
        return await flora.list_techniques(query)


@task(task_run_name="list-runs")
async def list_runs(credentials: FloraCredentials, status: str = "", technique_id: str = "") -> list[Run]:
    """The account's runs, newest first, where FLORA offers the list."""
    async with credentials.get_client() as flora:
        return await flora.list_runs(status=status, technique_id=technique_id)


@task(task_run_name="takes-files")
async def takes_files(credentials: FloraCredentials) -> bool:
    """Return whether files can be uploaded to this FLORA. It costs nothing."""
    async with credentials.get_client() as flora:
        return await flora.takes_files()


@task(task_run_name="upload-input {path.name}")
async def upload_input(credentials: FloraCredentials, path: Path, media_type: str = "") -> str:
    """Upload a local picture or video to where a run can read it, and return its address. It costs nothing.

    Args:
        credentials: The account.
        path: The file.
        media_type: Media type of the file; if empty, it is taken from the content.
    """
    async with credentials.get_client() as flora:
        return await flora.upload(path, media_type or (await inspect_file(path)).media_type)


@task(task_run_name="create-run {order.request[technique]} {order.key:.8}")
async def create_run(credentials: FloraCredentials, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy one run, unless the journal knows that it is bought: then take it up again, or reuse its outputs.

    Prefect never retries it: the library itself asks about a run that may have been accepted, under the same idempotency key.
    """
    async with credentials.get_client() as flora:
        return await buy_as_state(flora, store, order, deliver)


@task(task_run_name="poll-run {purchase.order.request[technique]} {purchase.key:.8}")
async def poll_run(credentials: FloraCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a run has succeeded; outages of FLORA and of the network only make it wait longer.

    FLORA cannot cancel a run: when the flow run is cancelled, the run goes on, and the next flow run takes it up again.

    Raises:
        JobFailedError: FLORA says that it failed; it is not charged.
        JobVanishedError: FLORA no longer knows it.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as flora:
        return await wait_for_job(flora, store, purchase, step, patience)


@task(task_run_name="download-outputs {purchase.order.request[technique]} {purchase.key:.8}")
async def download_outputs(credentials: FloraCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the outputs of a run, verify them, and put them into the store with their provenance."""
    async with credentials.get_client() as flora:
        return await store_outputs(flora, store, purchase, job)


async def _techniques(credentials: FloraCredentials) -> Listed:
    return Listed(
        [
            {
                "technique": one.slug or one.technique_id,
                "name": one.name,
                "takes": ", ".join(source.id for source in one.inputs),
                "gives": ", ".join(output.id for output in one.outputs),
                "price": one.run_cost,
                "unit": one.unit,
            }
            for one in await list_techniques(credentials)
        ]
    )


async def _runs(credentials: FloraCredentials) -> Listed:
    return Listed(
        [
            {
                "run": one.run_id,
                "status": one.status,
                "charged": one.as_job().charged,
                "unit": one.unit,
                "error": one.error_message,
            }
            for one in await list_runs(credentials)
        ]
    )


TASKS = Tasks(
    create_run,
    poll_run,
    download_outputs,
    calls={"get_technique": get_technique, "takes_files": takes_files, "upload": upload_input},
    lists={"techniques": _techniques, "runs": _runs},
)
