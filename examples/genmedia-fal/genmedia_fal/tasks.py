"""fal's operations as Prefect tasks."""

from prefect.client.schemas.objects import State

from blocks import AssetStore
from genmedia.jobs.job import Job
from genmedia.journal.order import Order
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from genmedia_fal.blocks import FalCredentials
from genmedia_fal.prices import Price
from tasks.runner import Listed, Tasks
from tasks.storing import buy_as_state, store_outputs
from tasks.telling import task
from tasks.waiting import wait_for_job


@task(task_run_name="submit-request {order.purpose.step} {order.key:.8}")
async def submit_request(credentials: FalCredentials, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy one job, unless the journal knows that it is bought.

    It is never repeated: fal recognises no repeat and its queue lists no jobs, so that a lost answer leaves it in doubt.

    Raises:
        NotAcceptedError: Nothing was bought.
        InDoubtError: It is not known whether it was bought.
    """
    async with credentials.get_client() as fal:
        return await buy_as_state(fal, store, order, deliver)


@task(task_run_name="poll-request {step} {purchase.key:.8}")
async def poll_request(credentials: FalCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded, through outages of fal and of the network.

    When a person cancels the flow run, a job that is still queued is cancelled and costs nothing.

    Raises:
        JobFailedError: fal, or the model, says that it failed.
        JobVanishedError: fal no longer knows it: it keeps results for an hour, large ones for minutes.
        QueueTimeoutError: It did not start in time; it stays bought and the next run takes it up again.
        RunTimeoutError: It ran too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as fal:
        return await wait_for_job(fal, store, purchase, step, patience)


@task(task_run_name="store-files {purchase.order.operation} {purchase.key:.8}")
async def store_files(credentials: FalCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the outputs of a job, verify them, and put them into the store with their provenance."""
    async with credentials.get_client() as fal:
        return await store_outputs(fal, store, purchase, job)


@task(task_run_name="list-prices")
async def list_prices(credentials: FalCredentials) -> list[Price]:
    """Return the price table of the block, after a check of the key: fal's own list has over a thousand models, and names no prices."""
    await credentials.check()
    return credentials.prices


async def _models(credentials: FalCredentials) -> Listed:
    return Listed(
        [{"model": one.endpoint, "makes": one.makes, "USD": one.usd, "for a": one.per} for one in await list_prices(credentials)]
    )


TASKS = Tasks(submit_request, poll_request, store_files, lists={"models": _models})
