"""Cancelling jobs whose runs a person has cancelled, where the provider can, and unless another run waits for them."""

from collections.abc import Collection

from genmedia.errors import ApiError
from genmedia.jobs.job import JobStatus
from genmedia.journal import AttemptState, Journal
from genmedia.providers.base import ProviderClient
from genmedia.purchasing.buy import settle


async def cancel(journal: Journal, client: ProviderClient, attempt_id: int, cancelled: Collection[str]) -> bool:
    """Cancel the job of an attempt at the provider; return True if it ended without a result. Where it cannot be cancelled it stays bought.

    A job that was never started was not bought, and costs nothing.

    A cancelled job counts as its price where the provider does not say what it charges for it.

    Args:
        journal: The journal of the attempt.
        client: The client of the account that pays.
        attempt_id: The id of the attempt.
        cancelled: The runs that a person has cancelled, or that wait no more; a job that another living run waits for is left alone.
    """
    attempt = await journal.attempt(attempt_id)
    others = [one for one in await journal.waiters(attempt_id) if one.lives and one.run not in cancelled]
    if others or attempt.state is not AttemptState.BOUND or attempt.remote_id is None:
        return False
    try:
        job = await client.cancel(client.reference(attempt))
        if job and job.status is JobStatus.UNSTARTED and await journal.unbind(attempt_id, attempt.remote_id):
            await settle(journal, await journal.attempt(attempt_id), client.recover, client.buyer)
            return (await journal.attempt(attempt_id)).state is AttemptState.REFUSED
    except ApiError:
        return False  # it has begun or ended; a look tells which
    if job is None or job.status is not JobStatus.CANCELLED:
        return False
    await journal.charge(attempt_id, attempt.remote_id, job.charged_in(attempt.unit))
    return await journal.cancel(attempt_id, attempt.remote_id)
