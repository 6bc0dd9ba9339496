"""Algovera's operations as Prefect tasks."""

from typing import Protocol

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from blocks import AlgoveraCredentials, AssetStore
from genmedia.buying import Order, Purchase, Submit, buy
from genmedia.http import Gate
from genmedia.jobs import Job
from genmedia.providers.algovera import Txt2Img
from genmedia.receiving import Received
from tasks.states import met
from tasks.storing import store_outputs
from tasks.waiting import Patience, wait_for_job


class Picture(Protocol):
    """One picture to buy."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def request(self) -> Txt2Img:
        """What is asked for."""
        ...


@task(task_run_name="list-base-models", cache_policy=NO_CACHE)
async def list_base_models(credentials: AlgoveraCredentials) -> list[str]:
    """The names that a job's base model may have right now."""
    async with credentials.get_client() as algovera:
        return await algovera.list_base_models()


@task(task_run_name="submit-job {item.name} {order.key:.8}", cache_policy=NO_CACHE, retries=0)
async def submit_job(credentials: AlgoveraCredentials, store: AssetStore, item: Picture, order: Order) -> State[Purchase]:
    """Buy one job, unless the journal knows that it is bought.

    Nothing ever repeats it: Algovera recognises no repeat and lists no jobs, so that a lost answer leaves it in doubt.

    Raises:
        NotAcceptedError: Nothing was bought.
        InDoubtError: Nobody can tell whether it was bought.
    """
    async with credentials.get_client() as algovera, store.get_store() as files, store.get_journal() as journal:

        async def prepare() -> Submit:
            async def submit(_: str, gate: Gate) -> str:
                return await algovera.create_job(item.request, gate)

            return submit

        return met(
            await buy(
                journal, order, prepare, has=files.has, recover=algovera.recover, repeat_pause=0, clock=algovera.http.server_time
            )
        )


@task(task_run_name="poll-job {step} {purchase.key:.8}", cache_policy=NO_CACHE)
async def poll_job(credentials: AlgoveraCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded, through outages of Algovera and of the network.

    Algovera does not tell waiting from running: the time allowed for running holds for both. It cannot cancel a job either: when the flow
    run is cancelled, the job goes on, and the next flow run takes it up again.

    Raises:
        JobFailedError: Algovera says that it failed.
        JobVanishedError: Algovera no longer knows it.
        RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
        QueueTimeoutError: Algovera could not be asked about it in all that time; as before.
    """
    async with credentials.get_client() as algovera, store.get_journal() as journal:
        return await wait_for_job(
            algovera,
            purchase.job_id,
            journal=journal,
            purchase=purchase,
            step=step,
            patience=patience,
            not_charged="Algovera does not say whether it gives the credit back.",
        )


@task(task_run_name="download-asset {purchase.order.operation} {purchase.key:.8}", cache_policy=NO_CACHE)
async def download_asset(credentials: AlgoveraCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the picture that a job gave, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as algovera:
        return await store_outputs(algovera, store, purchase, job)
