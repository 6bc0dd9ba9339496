"""Genova's operations as Prefect tasks."""

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from pydantic import SecretStr

from blocks import AssetStore, GenovaCredentials
from genmedia.batch import Item
from genmedia.buying import Order, Outcome, Purchase, Submit, buy
from genmedia.errors import InDoubtError, RefusedError
from genmedia.jobs import Job
from genmedia.journal import Attempt, Journal, StoredAsset
from genmedia.providers.genova import ApiKey, GenovaClient, GenovaJob, Profile, Stats
from genmedia.receiving import Origin, receive_outputs
from genmedia.references import prepare_references
from tasks.states import met
from tasks.waiting import Patience, wait_for_job

RECOVER_LOOKS = 3
RECOVER_PAUSE_SECONDS = 20.0


@task(task_run_name="submit-job {item.name} {order.key:.8}", cache_policy=NO_CACHE, retries=0)
async def submit_job(credentials: GenovaCredentials, store: AssetStore, item: Item, order: Order) -> State[Purchase]:
    """Buy one job as soon as the plan has an open slot, unless the journal knows that it is bought.

    Prefect never retries it: after a lost answer the list is asked whether the job exists.

    Raises:
        InputError: A reference is not a picture that can be used.
        NotAcceptedError: Nothing was bought.
        InDoubtError: Nobody can tell whether it was bought.
    """
    files = store.get_store()
    async with credentials.get_client() as genova, store.get_journal() as journal:
        genova.listen()

        async def prepare() -> Submit:
            pictures = await prepare_references(item.references) if item.references else []
            await genova.slots.claim(order.key)

            async def submit(_: str) -> str:
                return (await genova.create_job(item.request, pictures)).job_id

            return submit

        async def recover(attempt: Attempt) -> str | None:
            return await _recover(genova, journal, order, item, attempt)

        try:
            purchase = await buy(
                journal,
                order,
                prepare,
                has=lambda asset: files.has(asset.path),
                recover=recover,
                repeat_pause=1 / genova.http.clock_scale,
            )
        except BaseException as error:
            if not isinstance(error, InDoubtError):  # a job in doubt may be open, and holds its slot
                await genova.slots.release(order.key)
            raise
        if purchase.outcome is Outcome.REUSED:
            await genova.slots.release(order.key)
        else:
            genova.slots.take(order.key)
    return met(purchase)


async def _recover(genova: GenovaClient, journal: Journal, order: Order, item: Item, attempt: Attempt) -> str | None:
    """Whether a job whose answer was lost is in the list: one that fits and that nobody owns is ours; none in three looks is none."""
    owned = await journal.owned_jobs(str(order.account))
    for look in range(RECOVER_LOOKS):
        if look:
            await asyncio.sleep(RECOVER_PAUSE_SECONDS / genova.http.clock_scale)
        found = await genova.find_jobs(item.request.fields(), age=attempt.age, owned=owned)
        if len(found) > 1:
            raise InDoubtError(f"{len(found)} jobs in Genova's list may be the one: {', '.join(found)}")
        if found:
            return found[0]
    return None


@task(task_run_name="poll-job {step} {purchase.key:.8}", cache_policy=NO_CACHE)
async def poll_job(credentials: GenovaCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded: by the socket while it speaks, by the list for all jobs of the account, through outages.

    When a person cancels the flow run, the job is cancelled at Genova if it has not started; else it stays bought.

    Raises:
        JobFailedError: Genova says that it failed or was cancelled.
        JobVanishedError: It left the list, and is not found by its id.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as genova, store.get_journal() as journal:
        genova.listen()
        try:
            return await wait_for_job(
                genova.watcher,
                purchase.job_id,
                journal=journal,
                purchase=purchase,
                step=step,
                patience=patience,
                not_charged="Genova does not say whether it gives the credit back.",
                abort=lambda: genova.cancel_job(purchase.job_id),
                first_after=genova.first_look_seconds if purchase.outcome is Outcome.BOUGHT else 0,
            )
        finally:
            await genova.slots.release(purchase.key)


@task(task_run_name="download-result {purchase.order.operation} {purchase.key:.8}", cache_policy=NO_CACHE)
async def download_result(
    credentials: GenovaCredentials, store: AssetStore, purchase: Purchase, job: Job, origin: Origin
) -> tuple[StoredAsset, ...]:
    """Fetch what a job gave, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as genova, store.get_journal() as journal:
        return await receive_outputs(genova, store.get_store(), journal, purchase, job, origin)


@task(task_run_name="cancel-job {job_id}", cache_policy=NO_CACHE)
async def cancel_job(credentials: GenovaCredentials, job_id: str) -> None:
    """Cancel a job that has not started; its credit comes back."""
    async with credentials.get_client() as genova:
        await genova.cancel_job(job_id)


@task(task_run_name="list-jobs", cache_policy=NO_CACHE)
async def list_jobs(credentials: GenovaCredentials, status: str = "", limit: int = 50, offset: int = 0) -> list[GenovaJob]:
    """One page of the account's jobs, newest first."""
    async with credentials.get_client() as genova:
        return (await genova.list_jobs(status=status, limit=limit, offset=offset))[0]


@task(task_run_name="create-key {name}", cache_policy=NO_CACHE)
async def create_key(credentials: GenovaCredentials, name: str, block: str) -> ApiKey:
    """Make an API key and put it straight into a credentials block; the key itself is never returned.

    Args:
        credentials: Who makes it.
        name: Its name at Genova.
        block: The name of the block that takes it; the rest of the block is as in `credentials`.
    """
    async with credentials.get_client() as genova:
        made = await genova.create_key(name)
    await credentials.model_copy(update={"api_key": SecretStr(made.key or "")}).asave(block, overwrite=True)
    return made.model_copy(update={"key": None})


@task(task_run_name="list-keys", cache_policy=NO_CACHE)
async def list_keys(credentials: GenovaCredentials) -> list[ApiKey]:
    """The account's keys that are not revoked, by prefix."""
    async with credentials.get_client() as genova:
        return await genova.list_keys()


@task(task_run_name="revoke-key {key_id}", cache_policy=NO_CACHE)
async def revoke_key(credentials: GenovaCredentials, key_id: str, *, force: bool = False) -> None:
    """Revoke a key for good.

    Raises:
        RefusedError: It is the key that these credentials use, and `force` is not set.
    """
    async with credentials.get_client() as genova:
        mine = [key for key in await genova.list_keys() if key.id == key_id and _uses(credentials, key)]
        if mine and not force:
            raise RefusedError(f"key {mine[0].name or key_id} is the one in use", advice="Use another key first, or set force.")
        await genova.revoke_key(key_id)


def _uses(credentials: GenovaCredentials, key: ApiKey) -> bool:
    prefix = key.prefix.rstrip(".…*")
    return bool(prefix) and credentials.api_key.get_secret_value().startswith(prefix)


@task(task_run_name="get-profile", cache_policy=NO_CACHE)
async def get_profile(credentials: GenovaCredentials) -> Profile:
    """Who the account is, its plan and credits."""
    async with credentials.get_client() as genova:
        return await genova.get_profile()


@task(task_run_name="update-profile", cache_policy=NO_CACHE)
async def update_profile(credentials: GenovaCredentials, name: str) -> Profile:
    """Change the account's name."""
    async with credentials.get_client() as genova:
        return await genova.update_profile(name)


@task(task_run_name="get-stats", cache_policy=NO_CACHE)
async def get_stats(credentials: GenovaCredentials) -> Stats:
    """What the account has made so far."""
    async with credentials.get_client() as genova:
        return await genova.get_stats()
