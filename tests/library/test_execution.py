"""A plan runs in the order its feeds allow, and stops spending when something fails."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from genmedia.campaign.execution import RunResult, run_plan
from genmedia.campaign.operations import Operation
from genmedia.campaign.plan import PlannedRun
from genmedia.campaign.sources import Fed, Given
from genmedia.errors import JobFailedError

BLUR = Operation("flora", "studio-blur", 3, {}, {"output_image": "imageUrl"})


def planned(name: str, *feeds: str) -> PlannedRun:
    inputs = tuple(Fed(f"input_{feed}", "imageUrl", feed, "output_image") for feed in feeds)
    return PlannedRun(name, BLUR, inputs)


def result_of(run: PlannedRun, output: str = "output_image") -> RunResult:
    return RunResult(
        name=run.name, operation=run.operation.name, status="Bought", outputs={output: Given(output, "imageUrl", sha256=run.name)}
    )


async def perform(run: PlannedRun, _: list[Given]) -> RunResult:
    return result_of(run)


async def test_each_run_gets_what_those_that_feed_it_gave() -> None:
    seen: dict[str, list[tuple[str, str]]] = {}

    async def look(run: PlannedRun, inputs: list[Given]) -> RunResult:
        seen[run.name] = [(one.id, one.sha256) for one in inputs]
        return result_of(run)

    await run_plan([planned("a"), planned("b", "a"), planned("c", "a", "b")], look, at_once=4)

    assert seen == {"a": [], "b": [("input_a", "a")], "c": [("input_a", "a"), ("input_b", "b")]}


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_no_more_run_at_once_than_allowed(at_once: int) -> None:
    under_way, most = 0, 0

    async def count(run: PlannedRun, _: list[Given]) -> RunResult:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        return result_of(run)

    await run_plan([planned(f"r{number}") for number in range(12)], count, at_once=at_once)

    assert most == at_once


async def test_a_failure_stops_what_has_not_started_and_waits_for_what_runs() -> None:
    running, failed = asyncio.Event(), asyncio.Event()

    async def slow(run: PlannedRun) -> RunResult:
        running.set()
        await failed.wait()
        return result_of(run)

    async def fail(_: PlannedRun) -> RunResult:
        await running.wait()
        failed.set()
        raise JobFailedError("no")

    acts: dict[str, Callable[[PlannedRun], Awaitable[RunResult]]] = {"slow": slow, "fail": fail}
    results = await run_plan(
        [planned("slow"), planned("fail"), planned("next", "slow"), planned("later")],
        lambda run, _: acts[run.name](run),
        at_once=2,
    )

    assert [result.status for result in results] == ["Bought", "Failed", "Not started", "Not started"]


async def test_an_output_that_did_not_come_is_told_and_buys_nothing_for_the_step_that_needs_it() -> None:
    async def other(run: PlannedRun, _: list[Given]) -> RunResult:
        return result_of(run, "thumbnail")

    results = await run_plan([planned("a"), planned("b", "a")], other, at_once=2)

    assert [result.status for result in results] == ["Bought", "Failed"]
    assert "step a has not given output_image" in results[1].error


async def test_a_defect_in_a_run_is_not_swallowed() -> None:
    async def broken(run: PlannedRun, _: list[Given]) -> RunResult:
        raise ZeroDivisionError(run.name)

    with pytest.raises(ZeroDivisionError):
        await run_plan([planned("a"), planned("b", "a")], broken, at_once=2)


async def test_cancelling_the_whole_cancels_every_run() -> None:
    started, cancelled = asyncio.Event(), list[str]()

    async def wait(run: PlannedRun, _: list[Given]) -> RunResult:
        started.set()
        try:
            return await asyncio.Future()
        except asyncio.CancelledError:
            cancelled.append(run.name)
            raise

    whole = asyncio.create_task(run_plan([planned("a"), planned("b")], wait, at_once=2))
    await started.wait()
    await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole

    assert cancelled == ["a", "b"]
