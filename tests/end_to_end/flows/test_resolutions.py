"""A purchase in doubt is put before a person in the Prefect UI, and the answer is written down."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError

from deployments.local_run import run_here
from flows.resolutions import resolutions
from genmedia.jobs.job import Account
from genmedia.journal import AttemptState, Journal, Purpose
from genmedia.journal.order import Order
from tests.commands import PROJECT
from tests.sandboxes import Sandbox
from tests.studio import Studio

PAYER = Account("algovera", "https://api.algovera.ai", "studio")
ORDER = Order(PAYER, "txt2img stable", {"prompt": "a cup"}, 3, "credits", purpose=Purpose("tea"))


@pytest.fixture
async def studio(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """One that has a purchase in doubt, and knows the job of another."""
    monkeypatch.chdir(PROJECT)
    studio = Studio(sandbox, sandbox.new_account("algovera"), tmp_path)
    await studio.save_blocks()
    async with studio_journal(studio) as journal:
        attempt = await journal.intend(ORDER, datetime.now(UTC))
        assert attempt
        await journal.doubt(attempt, "the connection broke")
        other = await journal.intend(replace(ORDER, take=2), datetime.now(UTC))
        assert other
        await journal.bind(other, "anothers")
    return studio


def studio_journal(studio: Studio) -> Any:
    return Journal.lease(f"sqlite+aiosqlite:///{studio.root / '.genmedia' / 'journal.db'}")


PAUSED = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))


async def answered(studio: Studio, count: int, **answer: str) -> str:
    """Wait for the pause of this number, read its question, and answer it as the UI does."""
    async with get_client() as client:
        while True:
            paused = await client.read_flow_runs(flow_run_filter=PAUSED)
            runs = [run for run in paused if run.parameters.get("store") == studio.name]
            keyset = runs[0].state.state_details.run_input_keyset if runs and runs[0].state else None
            if runs and keyset and runs[0].state and runs[0].state.state_details.pause_key == str(count):
                with suppress(PrefectHTTPStatusError):  # Prefect tells of the pause before it writes the question down
                    told = await client.read_flow_run_input(runs[0].id, keyset["description"])
                    await client.resume_flow_run(runs[0].id, run_input=answer)
                    return told
            await asyncio.sleep(0.1)


async def test_what_is_paid_for_and_gives_no_file_is_written_off_in_the_form(studio: Studio) -> None:
    async with studio_journal(studio) as journal:
        await journal.acquit(await journal.attempt(1), "a person says that it was not bought")
        await journal.note(2, "anothers", "no outputs are named")
    running = asyncio.create_task(run_here(resolutions, {"store": studio.name}))

    first = await answered(studio, 1, became="it was not bought")
    second = await answered(studio, 2, became="write it off")
    ended = await running

    assert "There is no file of what was bought. Write it off?" in first
    assert "It is job anothers. algovera said last: no outputs are named" in first
    assert "It is paid for: write it off, or leave it." in second
    assert ended.message == "1 settled, 0 left in doubt"
    async with studio_journal(studio) as journal:
        assert (await journal.attempt(2)).state is AttemptState.FAILED


async def test_a_person_is_asked_until_the_answer_can_be_written_down(studio: Studio) -> None:
    running = asyncio.create_task(run_here(resolutions, {"store": studio.name}))

    first = await answered(studio, 1, became="it was bought")
    second = await answered(studio, 2, became="it was bought", job_id="anothers")
    third = await answered(studio, 3, became="it was bought", job_id="job-1")
    ended = await running

    assert "3 credits" in first
    assert "prompt: a cup" in first
    assert "Say which job it is" in second
    assert "belongs to another purchase" in third
    assert ended.message == "1 settled, 0 left in doubt"
    async with studio_journal(studio) as journal:
        attempt = await journal.attempt(1)
    assert (attempt.state, attempt.remote_id) == (AttemptState.BOUND, "job-1")


async def test_what_is_left_in_doubt_stays_so(studio: Studio) -> None:
    running = asyncio.create_task(run_here(resolutions, {"store": studio.name}))
    await answered(studio, 1, became="leave it in doubt")

    assert (await running).message == "0 settled, 1 left in doubt"
    async with studio_journal(studio) as journal:
        assert (await journal.attempt(1)).state is AttemptState.IN_DOUBT
