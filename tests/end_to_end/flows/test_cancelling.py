"""A person's cancel reaches the provider, through a real worker; the end of a process by other causes does not."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.sorting import FlowRunSort

from deployments.local_run import run_here
from flows.long_video import long_video
from flows.template_run import template_run
from genmedia.purchasing.result import Result
from tests.end_to_end.flows.workers import PROJECT, bars_of, evict, start, until, working
from tests.sandboxes import Sandbox, running_sandbox
from tests.studio import Studio

QUEUED = {"queue": [1700, 1700]}
"""Genova fails a job that no worker took within 1800 s."""
RUNNING = {"queue": [0, 0], "run": [1700, 1700]}


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    """A sandbox ten times as fast as the world: jobs wait for minutes, and the clock is moved on when they should not."""
    with running_sandbox('{"clock_scale": 10, "size": 128}') as running:
        yield running


@pytest.fixture
def plan() -> str:
    """50 credits, two open jobs."""
    return "Free"


def videos(studio: Studio, *prompts: str) -> dict[str, Any]:
    return {"name": "videos", "shots": [{"prompt": prompt} for prompt in prompts], **studio.parameters}


async def again(parameters: dict[str, Any]) -> list[str]:
    """Run the flow anew, to its end; how each of its wishes was met."""
    ended = await run_here(long_video, parameters)
    results: list[Result] = ended.result
    assert ended.name == "Completed", ended.message
    return [result.status for result in results]


def attempts(studio: Studio) -> list[tuple[str, str]]:
    """The state of every purchase in the journal, with its reason."""
    with closing(sqlite3.connect(studio.root / ".genmedia" / "journal.db")) as connection:
        return connection.execute("SELECT state, reason FROM attempts ORDER BY id").fetchall()


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def jobs(studio: Studio) -> list[tuple[str, float]]:
    return [(job["status"], job["charged"]) for job in studio.jobs]


async def test_cancelling_a_run_takes_back_the_jobs_that_have_not_started(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings=QUEUED)
    parameters = videos(genova, "a glacier", "a volcano", "a third one, for which there is no open slot")
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: run.awaits == 2)

    await run.cancel()

    assert jobs(genova) == [("cancelled", 0), ("cancelled", 0)]
    assert await bars_of(str(run.id)) == [(100, "cancelled")] * 2
    assert genova.sandbox.account(genova.account)["credits"] == 50
    assert attempts(genova) == [("cancelled", "a person cancelled it")] * 2
    genova.change(settings={"queue": [0, 1]})
    assert await again(parameters) == ["Bought"] * 3
    assert len(genova.jobs) == 5


async def test_cancelling_a_run_keeps_the_jobs_that_run_already(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings=RUNNING)
    parameters = videos(genova, "a glacier")
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: run.awaits == 1)

    await run.cancel()

    assert jobs(genova) == [("running", 1)]
    await assert_it_is_taken_up_again(genova, parameters)


async def test_a_purchase_under_way_when_the_run_is_cancelled_is_found_by_the_next_run(
    prefect: str, pool: str, genova: Studio
) -> None:
    genova.sandbox.fault(genova.account, "slow", route="create_job", seconds=60)
    parameters = videos(genova, "a glacier")
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: len(genova.jobs) == 1)

    await run.cancel()

    assert attempts(genova) == [("intended", "")]
    assert await again(parameters) == ["Bought"]
    assert jobs(genova) == [("succeeded", 1)]


async def test_what_a_run_that_stands_still_waits_for_is_taken_back_by_the_worker(
    prefect: str, pool: str, genova: Studio
) -> None:
    genova.change(settings=QUEUED)
    run = await start(prefect, pool, long_video, videos(genova, "a glacier"))
    await until(lambda: run.awaits == 1)
    os.kill(run.process, signal.SIGSTOP)

    await run.cancel()

    await until(lambda: jobs(genova) == [("cancelled", 0)])
    await until(lambda: attempts(genova) == [("cancelled", "a person cancelled it")])


async def test_a_job_that_another_run_waits_for_is_not_taken_back(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings=QUEUED)
    parameters = videos(genova, "a glacier")
    one, other = await start(prefect, pool, long_video, parameters), await start(prefect, pool, long_video, parameters)
    await until(lambda: (one.awaits, other.awaits) == (1, 1))

    await one.cancel()

    assert jobs(genova) == [("queued", 1)]
    genova.sandbox.control("POST", "/clock", {"advance": 1700})
    await until(lambda: other.state == "Completed")
    assert jobs(genova) == [("succeeded", 1)]


async def test_what_a_provider_is_slow_to_end_is_taken_back_all_the_same_before_a_cancelled_command_ends(genova: Studio) -> None:
    genova.change(settings=QUEUED)
    genova.sandbox.fault(genova.account, "slow", route="cancel_job", seconds=3)
    stop = asyncio.Event()
    running = asyncio.create_task(run_here(long_video, videos(genova, "a glacier", "a volcano"), stop))
    async with get_client() as client:
        while len(await _bars_of(genova, client)) < 2:
            await asyncio.sleep(0.1)

    stop.set()

    assert (await running).name == "Cancelled"
    assert attempts(genova) == [("cancelled", "a person cancelled it")] * 2
    assert jobs(genova) == [("cancelled", 0)] * 2


async def _bars_of(studio: Studio, client: PrefectClient) -> list[tuple[float, str]]:
    """The progress bars of the flow run that an account pays for."""
    runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
    mine = [run for run in runs if run.parameters.get("account") == studio.name]
    return await bars_of(str(mine[0].id)) if mine else []


BATCH = 50


async def test_cancelling_a_batch_ends_all_that_runs_and_buys_nothing_more(
    prefect: str, pool: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of two steps: the second is never bought."""
    monkeypatch.chdir(PROJECT)
    generio = Studio(sandbox, sandbox.new_account("generio", settings={"queue": [0, 0], "run": [9000, 9000]}), tmp_path)
    await generio.save_blocks()
    steps = [{"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}, {"template": "model_optimize"}]
    inputs = [{"text": f"a cup, number {number}"} for number in range(BATCH)]
    parameters = {"name": "cups", "inputs": inputs, "steps": steps, "at_once": BATCH, "run_minutes": 600, **generio.parameters}
    run = await start(prefect, pool, template_run, parameters)
    await until(lambda: run.awaits == BATCH)

    await run.cancel()

    assert [job["status"] for job in generio.jobs] == ["cancelled"] * BATCH
    assert attempts(generio) == [("cancelled", "a person cancelled it")] * BATCH


async def test_an_evicted_run_takes_no_job_back(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings=QUEUED)
    parameters = videos(genova, "a glacier")
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: run.awaits == 1)

    os.kill(process := run.process, signal.SIGTERM)
    await until(lambda: run.state == "Crashed")
    await until(lambda: not is_there(process))  # as long as it is, its job is one that somebody works on

    assert jobs(genova) == [("queued", 1)]
    await assert_it_is_taken_up_again(genova, parameters)


async def test_a_stopped_worker_takes_no_job_back(prefect: str, genova: Studio, tmp_path: Path) -> None:
    genova.change(settings=QUEUED)
    parameters = videos(genova, "a glacier")
    with working(prefect, "stopping", tmp_path) as worker:
        run = await start(prefect, "stopping", long_video, parameters)
        await until(lambda: run.awaits == 1)

        evict(worker)

    assert jobs(genova) == [("queued", 1)]
    await assert_it_is_taken_up_again(genova, parameters)


async def assert_it_is_taken_up_again(genova: Studio, parameters: dict[str, Any]) -> None:
    """The one job is still ours, and the next run ends with it."""
    assert attempts(genova) == [("bound", "")]
    genova.sandbox.control("POST", "/clock", {"advance": 1700})
    assert await again(parameters) == ["Resumed"]
    assert jobs(genova) == [("succeeded", 1)]
