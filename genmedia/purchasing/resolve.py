"""Answers of a person about a purchase that is in doubt, that cannot be asked about, or that is paid for and gives no file."""

from enum import StrEnum

from genmedia.errors import SupersededError
from genmedia.journal import NAMED, Attempt, AttemptState, Has, Journal, are_there


class Resolution(StrEnum):
    """A person's answer about a purchase."""

    BOUGHT = "it was bought"
    NOT_BOUGHT = "it was not bought"
    LOST = "write it off"

    def fits(self, attempt: Attempt) -> bool:
        """True if the answer fits an attempt in this state; for a stored one the caller has to check that its files are gone."""
        return attempt.state is AttemptState.IN_DOUBT or (self is Resolution.LOST and attempt.state.live)


async def has_file(journal: Journal, attempt: Attempt, has: Has) -> bool:
    """True if the store has the files of an attempt."""
    return attempt.state is AttemptState.STORED and await are_there(await journal.assets(attempt.id), has)


async def settle_doubt(journal: Journal, attempt: Attempt, resolution: Resolution, job_id: str = "") -> str:
    """Write down a person's answer about a purchase; return a sentence about its consequence.

    Args:
        journal: The journal of the purchase.
        attempt: The attempt; the resolution fits it.
        resolution: The answer.
        job_id: The provider's id of the job, if it was bought.

    Raises:
        SupersededError: The attempt has changed, a run works on it or waits for it, or the job belongs to another purchase.
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
            runs = await journal.waiters(attempt.id) if attempt.state is AttemptState.BOUND else []
            if waiting := [one.run for one in runs if one.lives]:
                advice = "Cancel it, or wait for its end, then say so again."
                raise SupersededError(f"the run {waiting[0]} waits for it", job=about, advice=advice)
            settled = await journal.give_up(attempt, f"written off by a person; it was {_was(attempt)}")
            counts = "costs nothing" if attempt.at_stake == 0 else "counts as spent"
            told = f"{about} is written off, and {counts}: run it again to buy it anew"
    if not settled:
        raise SupersededError("it is not as it was any more, or somebody works on it", job=about, advice="Look again.")
    return told


def _was(attempt: Attempt) -> str:
    if attempt.state is AttemptState.IN_DOUBT:
        return f"in doubt: {attempt.reason}"
    if attempt.state is AttemptState.CONTENT_REFUSED:
        return f"refused for its content: {attempt.reason}"
    if attempt.state is AttemptState.INTENDED:
        return "begun, and nobody has found out whether it was accepted"
    return f"job {attempt.remote_id}, of which there is no file"
