"""What a person says of a purchase that nobody else can tell about."""

from enum import StrEnum

from genmedia.errors import SupersededError
from genmedia.journal import NAMED, Attempt, Journal


class Resolution(StrEnum):
    """What became of it."""

    BOUGHT = "it was bought"
    NOT_BOUGHT = "it was not bought"
    LOST = "write it off"


async def settle_doubt(journal: Journal, attempt: Attempt, resolution: Resolution, job_id: str = "") -> str:
    """Write down what became of a purchase in doubt; says in a sentence what that means.

    Args:
        journal: Where it stands.
        attempt: In doubt.
        resolution: What became of it.
        job_id: The provider's id of the job, where it was bought.

    Raises:
        SupersededError: It is in doubt no more, or the job belongs to another purchase.
    """
    about = f"{attempt.provider} {attempt.operation}, submission {attempt.key[:12]}"
    match resolution:
        case Resolution.BOUGHT:
            job_id = job_id.strip()
            if job_id in await journal.owned_jobs(attempt.account):
                raise SupersededError(f"job {job_id} belongs to another purchase", job=about, advice="Look for the id again.")
            await journal.bind(attempt, job_id, NAMED)
            return f"{about} is job {job_id}: run it again, or the flow harvest, and its files are fetched"
        case Resolution.NOT_BOUGHT:
            settled = await journal.acquit(attempt, "a person says that it was not bought")
            told = f"{about} was not bought, and costs nothing: run it again to buy it"
        case Resolution.LOST:
            settled = await journal.give_up(attempt, f"written off by a person; it was in doubt: {attempt.reason}")
            told = f"{about} is written off, and counts as spent: run it again to buy it anew"
    if not settled:
        raise SupersededError("it is in doubt no more", job=about)
    return told
