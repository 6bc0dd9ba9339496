"""Algovera's operations as Prefect tasks."""

from prefect.client.schemas.objects import State

from blocks import AlgoveraCredentials, AssetStore
from genmedia.jobs.job import Job
from genmedia.journal.order import Order
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from tasks.runner import Listed, Tasks
from tasks.storing import buy_as_state, store_outputs
from tasks.telling import task
from tasks.waiting import wait_for_job


@task(task_run_name="list-base-models")
async def list_base_models(credentials: AlgoveraCredentials) -> list[str]:
    """List the names of the base models that Algovera has now."""
    async with credentials.get_client() as algovera:
        return await algovera.list_base_models()


@task(task_run_name="submit-job {order.purpose.step} {order.key:.8}")
async def submit_job(credentials: AlgoveraCredentials, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy one job, unless the journal knows that it is bought.

    It is never repeated: Algovera does not recognise a repeat and lists no jobs, so that a lost answer leaves the purchase in doubt.

    Raises:
        NotAcceptedError: Nothing was bought.
        InDoubtError: It is not known whether it was bought.
    """
    async with credentials.get_client() as algovera:
        return await buy_as_state(algovera, store, order, deliver)


@task(task_run_name="poll-job {step} {purchase.key:.8}")
async def poll_job(credentials: AlgoveraCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded, through outages of Algovera and of the network.

    Algovera does not tell waiting from running: the time allowed for running holds for both. It cannot cancel a job either: when the flow
    run is cancelled, the job goes on, and the next flow run takes it up again.

    Raises:
        JobFailedError: Algovera says that it failed.
        JobVanishedError: Algovera no longer knows it.
        RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
        QueueTimeoutError: Algovera could not be asked about it in all that time; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as algovera:
        return await wait_for_job(algovera, store, purchase, step, patience)


@task(task_run_name="download-asset {purchase.order.operation} {purchase.key:.8}")
async def download_asset(credentials: AlgoveraCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the picture that a job gave, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as algovera:
        return await store_outputs(algovera, store, purchase, job)


async def _models(credentials: AlgoveraCredentials) -> Listed:
    return Listed([{"base model": name} for name in await list_base_models(credentials)])


TASKS = Tasks(submit_job, poll_job, download_asset, calls={"list_base_models": list_base_models}, lists={"models": _models})
