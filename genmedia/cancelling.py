"""Ending jobs that a person has cancelled: where the provider can, and unless another run waits for them."""

from collections.abc import Collection

from genmedia.errors import ApiError
from genmedia.jobs import JobStatus
from genmedia.journal import AttemptState, Journal
from genmedia.providers.client import ProviderClient


async def take_back(journal: Journal, client: ProviderClient, attempt_id: int, cancelled: Collection[str]) -> bool:
    """End the job of an attempt at the provider; whether it has ended without a result. Where it cannot be ended it stays bought.

    It counts as its price where the provider does not say what it charges for such a job.

    Args:
        journal: Where the attempt is.
        client: Of the account that pays.
        attempt_id: Which attempt.
        cancelled: The runs that a person has cancelled, or that wait no more; a job that another living run waits for is left alone.
    """
    attempt = await journal.attempt(attempt_id)
    others = [one for one in await journal.interests(attempt_id) if one.lives and one.run not in cancelled]
    if others or attempt.state is not AttemptState.BOUND or attempt.remote_id is None:
        return False
    try:
        job = await client.cancel(attempt.remote_id)
    except ApiError:
        return False  # it has begun or ended; a look tells which
    if job is None or job.status is not JobStatus.CANCELLED:
        return False
    await journal.charge(attempt_id, job.charged)
    return await journal.cancel(attempt_id)
