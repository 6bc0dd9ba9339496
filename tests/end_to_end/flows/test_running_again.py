"""Prefect's ways of running something again, and a stop in the middle of much, buy only what is not bought."""

import asyncio
import json
import os
import signal
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.states import AwaitingRetry

from deployments.local_run import Terminated, run_here
from flows.image_batch import image_batch
from tests.end_to_end.flows.apart import strike
from tests.end_to_end.flows.workers import start, until
from tests.studio import Studio

PATIENCE = {"queue_minutes": 900, "run_minutes": 900}


@pytest.fixture
def plan() -> str:
    """The largest."""
    return "Business"


def pictures(studio: Studio, *prompts: str) -> dict[str, Any]:
    return {"name": "batch", "prompts": list(prompts), **PATIENCE, **studio.parameters}


async def test_the_retry_button_buys_only_what_failed(prefect: str, pool: str, genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", times=1)
    run = await start(prefect, pool, image_batch, pictures(genova, "a cup", "a mug"))
    await until(lambda: run.state == "Partial")
    assert len(genova.jobs) == 2

    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    await until(lambda: run.state == "Completed")

    assert run.message == "2 bought; charged: genova 3 credits", "it tells of the whole run, with what failed"
    assert len(genova.jobs) == 3


async def test_the_retries_of_a_flow_buy_only_what_failed(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", times=1)

    ended = await run_here(image_batch.with_options(retries=1, retry_delay_seconds=0), pictures(genova, "a cup", "a mug"))

    assert [result.status for result in ended.result] == ["Bought", "Bought"]
    assert ended.message == "2 bought; charged: genova 3 credits"
    assert len(genova.jobs) == 3


async def test_after_the_last_retry_of_a_flow_its_state_says_what_is_missing(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "fail", times=2)

    ended = await run_here(image_batch.with_options(retries=1, retry_delay_seconds=0), pictures(genova, "a cup"))

    assert (ended.name, ended.message.partition(";")[0]) == ("Partial", "1 failed")
    assert len(genova.jobs) == 2


async def test_what_is_stored_has_a_row_in_the_table_of_the_run_and_no_task_run(genova: Studio) -> None:
    names = ["a cup", "a mug", "a jug"]
    await run_here(image_batch, pictures(genova, *names))

    ended = await run_here(image_batch, pictures(genova, *names))

    run_id = ended.page.rpartition("/")[2]
    assert ended.message == "3 reused; nothing charged"
    async with get_client() as client:
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run_id)]))
        while not (tasks := await client.read_task_runs(flow_run_filter=mine)):
            await asyncio.sleep(0.1)  # Prefect writes them down in their order: the gallery's is the last
        table = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run_id)]), type=ArtifactFilterType(any_=["table"]))
        tables = await client.read_artifacts(artifact_filter=table)
    (results,) = [one for one in tables if str(one.key).endswith("-results")]
    assert [one.name for one in tasks] == ["write-gallery"]
    rows = json.loads(str(results.data))
    assert [(row["step"], row["status"]) for row in rows] == [(result.name, "Reused") for result in ended.result]
    assert all(row["files"] for row in rows)


@flow
async def struck_beside() -> None:
    """Waits for ever, while a task beside it is at work when the signal comes."""

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    beside = asyncio.create_task(work())
    await asyncio.Event().wait()
    await beside


async def test_a_sigterm_ends_a_run_whatever_its_process_was_at(prefect: str) -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(Terminated):
        await run_here(struck_beside, {})

    assert signal.getsignal(signal.SIGTERM) == before


BATCH = 30


async def test_a_batch_that_is_stopped_in_the_middle_is_bought_once(genova: Studio) -> None:
    parameters = pictures(genova, *(f"a cup, number {number}" for number in range(BATCH)))
    genova.sandbox.fault(genova.account, "rate_limit", route="create_job", after=10, times=None, retry_after=60)
    await strike(image_batch, parameters, signal.SIGTERM, when=lambda: len(genova.jobs) > 5)
    assert len(genova.jobs) <= 10
    genova.sandbox.control("DELETE", f"/faults?provider=genova&account={genova.name}")

    ended = await run_here(image_batch, parameters)

    assert ended.name == "Completed", ended.message
    assert len(genova.jobs) == BATCH
    assert len({job["request"]["prompt"] for job in genova.jobs}) == BATCH
    assert len([name for name in genova.stored if not name.endswith(".json")]) == BATCH
