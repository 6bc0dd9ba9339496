"""Questions to a person in the Prefect UI about purchases that are in doubt or give no file."""

from typing import Literal

from prefect.input import RunInput
from pydantic import Field

from blocks import AssetStore
from genmedia.jobs.job import account_name, priced
from genmedia.journal import Attempt, AttemptState
from genmedia.purchasing.resolve import Resolution, settle_doubt
from genmedia.text.plain import for_markdown
from tasks.telling import task

LEAVE = "leave it in doubt"


class Answer(RunInput):
    """A person's answer about one purchase."""

    became: Literal[Resolution.BOUGHT, Resolution.NOT_BOUGHT, Resolution.LOST, "leave it in doubt"] = Field(
        default=LEAVE,
        title="What became of it",
        description="Written off, it counts as spent; not bought, it costs nothing. Both let the next run buy it.",
    )
    job_id: str = Field(default="", title="Job id", description="If it was bought: the provider's id of the job.")


def question(attempt: Attempt, fault: str = "") -> str:
    """Text of the question about a purchase, with what is known of it, as Markdown.

    Args:
        attempt: The purchase, in doubt or paid for without a file.
        fault: Fault of the answer before; empty for none.
    """
    provider = attempt.provider
    paid = attempt.state is AttemptState.BOUND
    asked = "There is no file of what was bought. Write it off?" if paid else "Was this bought?"
    stake = "unknown" if attempt.at_stake is None else priced(attempt.at_stake, attempt.unit)
    wish = "\n".join(f"- {for_markdown(name)}: {for_markdown(f'{value}')}" for name, value in attempt.request.items())
    return "\n\n".join(
        [
            *([f"**{for_markdown(fault)}**"] if fault else []),
            (
                f"{asked} {for_markdown(attempt.operation)}, by the account {account_name(attempt.account)}, for the campaign "
                f"{for_markdown(attempt.purpose.campaign) or '-'}, at {attempt.intended_at:%Y-%m-%d %H:%M} UTC. Its cost: {stake}."
            ),
            f"It is job {for_markdown(attempt.remote_id or '')}. {provider} said last: {for_markdown(attempt.last_answer or '')}"
            if paid
            else f"It is not known because: {for_markdown(attempt.reason)}.",
            wish,
            f"Look for it in {provider}'s own pages. Submission {attempt.key[:12]}.",
        ]
    )


@task(task_run_name="list-doubts")
async def list_doubts(store: AssetStore) -> list[Attempt]:
    """List the purchases in doubt, and those that are paid for and gave no file when it was fetched; the oldest first."""
    async with store.get_journal() as journal:
        return [
            one
            for one in await journal.open_attempts()
            if one.state is AttemptState.IN_DOUBT or (one.state is AttemptState.BOUND and one.last_answer)
        ]


@task(task_run_name="settle {attempt.key:.8}")
async def settle(store: AssetStore, attempt: Attempt, answer: Answer) -> str:
    """Write a person's answer into the journal; returns a sentence on what it means.

    Raises:
        SupersededError: The purchase has changed meanwhile, or the job belongs to another purchase.
    """
    async with store.get_journal() as journal:
        return await settle_doubt(journal, attempt, Resolution(answer.became), answer.job_id.strip())
