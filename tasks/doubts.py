"""Purchases that nobody can tell about, put before a person in the Prefect UI."""

from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.input import RunInput
from pydantic import Field

from blocks import AssetStore
from genmedia.doubts import Resolution, settle_doubt
from genmedia.journal import Attempt, AttemptState

LEAVE = "leave it in doubt"


class Answer(RunInput):
    """What a person says of one purchase."""

    became: Literal[Resolution.BOUGHT, Resolution.NOT_BOUGHT, Resolution.LOST, "leave it in doubt"] = Field(
        default=LEAVE,
        title="What became of it",
        description="Written off, it counts as spent; not bought, it costs nothing. Both let the next run buy it.",
    )
    job_id: str = Field(default="", title="Job id", description="If it was bought: the provider's id of the job.")


def question(attempt: Attempt, fault: str = "") -> str:
    """What a person needs to know to find out, as Markdown.

    Args:
        attempt: In doubt.
        fault: What was wrong with the answer before.
    """
    provider, origin, account = attempt.account.split("|")
    stake = "nobody knows how much" if attempt.at_stake is None else f"{attempt.at_stake:g} {attempt.unit}"
    wish = "\n".join(f"- {name}: `{value}`" for name, value in attempt.request.items())
    return "\n\n".join(
        [
            *([f"**{fault}**"] if fault else []),
            (
                f"Was this bought? {attempt.operation}, by the account {account} of {provider} ({origin}), for the campaign "
                f"{attempt.purpose.campaign or '-'}, at {attempt.intended_at:%Y-%m-%d %H:%M} UTC. At stake: {stake}."
            ),
            f"It is not known because: {attempt.reason}.",
            wish,
            f"Look for it in {provider}'s own pages. Submission {attempt.key[:12]}.",
        ]
    )


@task(task_run_name="list-doubts", cache_policy=NO_CACHE)
async def list_doubts(store: AssetStore) -> list[Attempt]:
    """The purchases in doubt, the oldest first."""
    async with store.get_journal() as journal:
        return [one for one in await journal.open_attempts() if one.state is AttemptState.IN_DOUBT]


@task(task_run_name="settle {attempt.key:.8}", cache_policy=NO_CACHE)
async def settle(store: AssetStore, attempt: Attempt, answer: Answer) -> str:
    """Write down what a person says; a sentence on what it means.

    Raises:
        SupersededError: It is in doubt no more, or the job belongs to another purchase.
    """
    async with store.get_journal() as journal:
        return await settle_doubt(journal, attempt, Resolution(answer.became), answer.job_id.strip())
