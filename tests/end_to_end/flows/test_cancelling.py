"""A person's cancel reaches the provider, through a real worker; the end of a process by other causes does not."""

import asyncio
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.sorting import FlowRunSort

from deployments.local_run import run_here
from flows.long_video import long_video
from genmedia.purchasing.result import Result
from tests.end_to_end.flows.workers import bars_of, evict, start, until, working
from tests.sandboxes import Sandbox, running_sandbox
from tests.studio import Studio

QUEUED = {"queue": [1700, 1700]}
"""Genova fails a job that no worker took within 1800 s."""
ONE_RUNS = {"queue": [0, 0], "run": [1700, 1700], "max_running": 1}
PROMPT = {"queue": [0, 1], "run": [0, 1], "max_running": None}


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    """A sandbox five times as fast as the world: jobs wait for longer than a test lasts, and the clock is moved on when they should not."""
    with running_sandbox('{"clock_scale": 5, "size": 128}') as running:
        yield running


@pytest.fixture
def plan() -> str:
    """500 credits, five open jobs."""
    return "Starter"


def videos(studio: Studio, *prompts: str) -> dict[str, Any]:
    return {"name": "videos", "shots": [{"prompt": prompt} for prompt in prompts], **studio.parameters}


async def again(parameters: dict[str, Any]) -> list[str]:
    """Run the flow anew, to its end; how each of its wishes was met."""
    ended = await run_here(long_video, parameters)
    results: list[Result] = ended.result
    assert ended.name == "Completed", ended.message
    return [result.status for result in results]


def jobs(studio: Studio) -> list[tuple[str, float]]:
    return [(job["status"], job["charged"]) for job in studio.jobs]


async def test_cancelling_a_run_takes_back_what_has_not_started_unless_another_run_waits_for_it(
    prefect: str, pool: str, genova: Studio
) -> None:
    genova.change(settings=QUEUED)
    other = asyncio.create_task(run_here(long_video, videos(genova, "an island")))
    await until(lambda: genova.waited_for == 1)
    genova.change(settings=ONE_RUNS)
    genova.sandbox.fault(genova.account, "slow", route="create_job", after=3, seconds=60)
    parameters = videos(
        genova, "an island", "a glacier", "a volcano", "a desert", "a reef", "one for which there is no open slot"
    )
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: run.awaits == 4)
    await until(lambda: len(genova.jobs) == 5)
    while len(await bars_of(str(run.id))) < 4:
        await asyncio.sleep(0.1)

    await run.cancel()

    waited_for, running, *taken_back, under_way = jobs(genova)
    assert (waited_for, running, under_way) == (("queued", 1), ("running", 1), ("queued", 1))
    assert taken_back == [("cancelled", 0)] * 2
    ended = [(bar, how) for bar, how in await bars_of(str(run.id)) if how == "cancelled"]
    assert ended == [(100, "cancelled")] * 2
    assert genova.sandbox.account(genova.account)["credits"] == 500 - 3
    cancelled = [("cancelled", "a person cancelled it")] * 2
    paid = [one for one in genova.attempts if one != ("refused", "it was interrupted before it was sent")]
    assert sorted(paid) == [("bound", ""), ("bound", ""), *cancelled, ("intended", "")]
    genova.change(settings=PROMPT)
    genova.sandbox.control("POST", "/clock", {"advance": 3400})  # what was under way begins when what runs has ended
    assert (await other).name == "Completed"
    # Two are there, one that was under way is found, two that were taken back are bought anew, one is bought at last.
    assert sorted(await again(parameters)) == ["Bought"] * 4 + ["Resumed", "Reused"]
    assert jobs(genova).count(("succeeded", 1)) == 6
    assert len(genova.jobs) == 8


async def test_what_a_run_that_stands_still_waits_for_is_taken_back_by_the_worker(
    prefect: str, pool: str, genova: Studio
) -> None:
    genova.change(settings=QUEUED)
    run = await start(prefect, pool, long_video, videos(genova, "a glacier"))
    await until(lambda: run.awaits == 1)
    os.kill(run.process, signal.SIGSTOP)

    await run.cancel()

    await until(lambda: jobs(genova) == [("cancelled", 0)])
    await until(lambda: genova.attempts == [("cancelled", "a person cancelled it")])


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
    assert genova.attempts == [("cancelled", "a person cancelled it")] * 2
    assert jobs(genova) == [("cancelled", 0)] * 2


async def _bars_of(studio: Studio, client: PrefectClient) -> list[tuple[float, str]]:
    """The progress bars of the flow run that an account pays for."""
    runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
    mine = [run for run in runs if run.parameters.get("account") == studio.name]
    return await bars_of(str(mine[0].id)) if mine else []


async def test_an_evicted_run_takes_no_job_back(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings=QUEUED)
    parameters = videos(genova, "a glacier")
    run = await start(prefect, pool, long_video, parameters)
    await until(lambda: run.awaits == 1)

    os.kill(run.process, signal.SIGTERM)
    await until(lambda: run.state == "Crashed")

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
    """The one job is still ours, and the next run ends with it, once the process of the first is gone."""
    assert genova.attempts == [("bound", "")]
    async with genova.store.get_journal() as journal:
        (attempt,) = await journal.open_attempts()
        while any(one.lives for one in await journal.waiters(attempt.id)):
            await asyncio.sleep(0.1)
    genova.sandbox.control("POST", "/clock", {"advance": 1700})
    assert await again(parameters) == ["Resumed"]
    assert jobs(genova) == [("succeeded", 1)]
