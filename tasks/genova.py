"""Genova's operations as Prefect tasks."""

import re
from collections.abc import Sequence

from prefect.client.schemas.objects import State
from pydantic import SecretStr

from blocks import AssetStore, GenovaCredentials
from genmedia.concurrency import to_the_end
from genmedia.errors import MaybeAcceptedError, RefusedError, UnreadableAnswerError
from genmedia.jobs.job import Job
from genmedia.journal.order import Order
from genmedia.providers.genova.client import ApiKey, GenovaJob, Profile, Stats
from genmedia.providers.steps import Deliver
from genmedia.purchasing.buy import Purchase
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.receive import Received
from tasks.runner import Listed, Tasks
from tasks.storing import buy_as_state, store_outputs
from tasks.telling import task
from tasks.waiting import wait_for_job

NEWEST = 20
"""Number of the newest jobs that a report lists."""


@task(task_run_name="submit-job {order.purpose.step} {order.key:.8}")
async def submit_job(credentials: GenovaCredentials, store: AssetStore, order: Order, deliver: Deliver) -> State[Purchase]:
    """Buy one job as soon as the plan has an open slot, unless the journal knows that it is bought.

    Prefect never retries it: after a lost answer Genova's list of jobs tells whether the job exists.

    Raises:
        NotAcceptedError: Nothing was bought.
        InDoubtError: It is not known whether it was bought.
    """
    async with credentials.get_client() as genova:
        return await buy_as_state(genova, store, order, deliver)


@task(task_run_name="poll-job {step} {purchase.key:.8}")
async def poll_job(credentials: GenovaCredentials, store: AssetStore, purchase: Purchase, step: str, patience: Patience) -> Job:
    """Wait until a job has succeeded, through outages: by the WebSocket while it sends, else by the list of all jobs of the account.

    When a person cancels the flow run, the job is cancelled at Genova if it has not started; else it stays bought.

    Raises:
        JobFailedError: Genova says that it failed or was cancelled.
        JobVanishedError: It is no longer in the list, and is not found by its id.
        QueueTimeoutError, RunTimeoutError: It took too long; it stays bought and the next run takes it up again.
    """
    async with credentials.get_client() as genova:
        return await wait_for_job(genova, store, purchase, step, patience)


@task(task_run_name="download-result {purchase.order.operation} {purchase.key:.8}")
async def download_result(credentials: GenovaCredentials, store: AssetStore, purchase: Purchase, job: Job) -> Received:
    """Fetch the output of a job, verify it, and put it into the store with its provenance."""
    async with credentials.get_client() as genova:
        return await store_outputs(genova, store, purchase, job)


@task(task_run_name="cancel-job {job_id}")
async def cancel_job(credentials: GenovaCredentials, job_id: str) -> None:
    """Cancel a job that has not started; its credit comes back."""
    async with credentials.get_client() as genova:
        await genova.cancel(job_id)


@task(task_run_name="list-jobs")
async def list_jobs(credentials: GenovaCredentials, status: str = "", limit: int = 50, offset: int = 0) -> list[GenovaJob]:
    """One page of the account's jobs, newest first."""
    async with credentials.get_client() as genova:
        return (await genova.list_jobs(status=status, limit=limit, offset=offset))[0]


@task(task_run_name="create-key {name}")
async def create_key(credentials: GenovaCredentials, name: str, block: str) -> ApiKey:
    """Make an API key and put it straight into a credentials block; the key itself is never returned.

    Args:
        credentials: The account that makes it.
        name: Its name at Genova.
        block: Name of the block that takes it; the rest of the block is as in `credentials`.

    Raises:
        UnreadableAnswerError: Genova did not tell the key.
    """
    async with credentials.get_client() as genova:
        try:
            made = await genova.create_key(name)
        except MaybeAcceptedError as error:
            error.money = "Nothing was paid, and the block is as it was."
            error.advice = f"A key that nobody knows may have been made: revoke {name!r} in Genova's dashboard, then run again."
            raise
        if not made.key:
            raise UnreadableAnswerError(f"genova made key {made.id} without telling it", advice="Revoke it and make another.")
        try:
            await credentials.model_copy(update={"api_key": SecretStr(made.key)}).asave(block, overwrite=True)
        except BaseException:
            await to_the_end(genova.revoke_key(made.id))  # it is saved nowhere
            raise
    return made.model_copy(update={"key": None})


@task(task_run_name="list-keys")
async def list_keys(credentials: GenovaCredentials) -> list[ApiKey]:
    """The account's keys that are not revoked, by prefix."""
    async with credentials.get_client() as genova:
        return await genova.list_keys()


@task(task_run_name="revoke-key {key_id}")
async def revoke_key(credentials: GenovaCredentials, key_id: str, *, force: bool = False) -> None:
    """Revoke a key for good.

    Raises:
        RefusedError: It is the key that these credentials use, and `force` is not set.
    """
    async with credentials.get_client() as genova:
        mine = key_in_use(credentials, await genova.list_keys())
        if mine and mine.id == key_id and not force:
            raise RefusedError(f"key {mine.name or key_id} is the one in use", advice="Use another key first, or set force.")
        await genova.revoke_key(key_id)


def key_in_use(credentials: GenovaCredentials, keys: Sequence[ApiKey]) -> ApiKey | None:
    """Find the key of these credentials in Genova's list, by the prefixes there, which may be masked in the middle; None if none fits."""
    mine = credentials.api_key.get_secret_value()
    for key in keys:
        shown = [part for part in re.split(r"[.…*•]+", key.prefix) if part]
        if shown and mine.startswith(shown[0]) and mine.endswith(shown[-1] if len(shown) > 1 else ""):
            return key
    return None


@task(task_run_name="get-profile")
async def get_profile(credentials: GenovaCredentials) -> Profile:
    """Get the account's profile: its name, plan and credits."""
    async with credentials.get_client() as genova:
        return await genova.get_profile()


@task(task_run_name="update-profile")
async def update_profile(credentials: GenovaCredentials, name: str) -> Profile:
    """Change the account's name."""
    async with credentials.get_client() as genova:
        return await genova.update_profile(name)


@task(task_run_name="get-stats")
async def get_stats(credentials: GenovaCredentials) -> Stats:
    """Get the number of jobs, pictures and videos that the account has made so far."""
    async with credentials.get_client() as genova:
        return await genova.get_stats()


async def _account(credentials: GenovaCredentials) -> Listed:
    profile, stats = await get_profile(credentials), await get_stats(credentials)
    facts = {**profile.model_dump(), **stats.model_dump()}
    left = "unknown" if profile.credits_remaining is None else f"{profile.credits_remaining:g}"
    return Listed(
        [{"what": what, "is": value} for what, value in facts.items()],
        f"plan {profile.plan}, credits left: {left}, jobs under way: {stats.active_jobs}",
    )


async def _keys(credentials: GenovaCredentials) -> Listed:
    return Listed([key.model_dump(exclude={"key"}) for key in await list_keys(credentials)])


async def _jobs(credentials: GenovaCredentials) -> Listed:
    return Listed(
        [
            {"id": job.id, "type": job.type, "status": job.status, "created": job.created_at, "prompt": job.prompt}
            for job in await list_jobs(credentials, limit=NEWEST)
        ]
    )


TASKS = Tasks(
    submit_job, poll_job, download_result, lists={"account": _account, "keys": _keys, "jobs": _jobs}, rename=update_profile
)
