"""A plan runs in the order its feeds allow, and buys nothing that is fed by what failed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from genmedia.campaign.executor import RunResult, run_plan
from genmedia.errors import ContentRefusedError, JobFailedError
from genmedia.providers.flora.steps import KINDS
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.steps import Operation, PlannedStep

BLUR = Operation(KINDS[0], "studio-blur", 3, {}, {"output_image": "image"}, asked={"input_image": "imageUrl"})


def planned(name: str, *feeds: str) -> PlannedStep:
    inputs = tuple(PendingInput(f"input_{feed}", "image", feed, "output_image") for feed in feeds)
    return PlannedStep(name, BLUR, inputs)


def result_of(run: PlannedStep, output: str = "output_image") -> RunResult:
    return RunResult(
        name=run.name,
        operation=run.operation.name,
        status="Bought",
        outputs={output: ResolvedInput(output, "image", sha256=run.name)},
    )


async def perform(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
    return result_of(run)


async def test_each_run_gets_what_those_that_feed_it_gave() -> None:
    seen: dict[str, list[tuple[str, str]]] = {}

    async def look(run: PlannedStep, inputs: list[ResolvedInput]) -> RunResult:
        seen[run.name] = [(one.id, one.sha256) for one in inputs]
        return result_of(run)

    await run_plan([planned("a"), planned("b", "a"), planned("c", "a", "b")], look, at_once=4)

    assert seen == {"a": [], "b": [("input_a", "a")], "c": [("input_a", "a"), ("input_b", "b")]}


@pytest.mark.parametrize("at_once", [1, 2, 5])
async def test_no_more_run_at_once_than_allowed(at_once: int) -> None:
    under_way, most = 0, 0

    async def count(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        under_way -= 1
        return result_of(run)

    await run_plan([planned(f"r{number}") for number in range(12)], count, at_once=at_once)

    assert most == at_once


async def test_a_failure_stops_what_has_not_started_where_it_is_to_and_waits_for_what_runs() -> None:
    running, failed = asyncio.Event(), asyncio.Event()

    async def slow(run: PlannedStep) -> RunResult:
        running.set()
        await failed.wait()
        return result_of(run)

    async def fail(_: PlannedStep) -> RunResult:
        await running.wait()
        failed.set()
        raise JobFailedError("no")

    acts: dict[str, Callable[[PlannedStep], Awaitable[RunResult]]] = {"slow": slow, "fail": fail}
    results = await run_plan(
        [planned("slow"), planned("fail"), planned("next", "slow"), planned("later")],
        lambda run, _: acts[run.name](run),
        at_once=2,
        on_failure="stop",
    )

    assert [result.status for result in results] == ["Bought", "Failed", "Not started", "Not started"]


async def test_a_failure_keeps_back_what_it_feeds_and_nothing_else_and_its_row_says_how_long_it_took() -> None:
    async def fail(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        if run.name == "bad":
            raise JobFailedError("no")
        return result_of(run)

    results = await run_plan([planned("bad"), planned("fed", "bad"), planned("good"), planned("next", "good")], fail, at_once=1)

    assert [result.status for result in results] == ["Failed", "Not started", "Bought", "Bought"]
    assert results[0].seconds is not None
    assert results[1].seconds is None


async def test_refused_content_keeps_back_what_it_feeds_and_nothing_else() -> None:
    async def refuse(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        if run.name == "bad":
            raise ContentRefusedError("no")
        return result_of(run)

    results = await run_plan([planned("bad"), planned("fed", "bad"), planned("good"), planned("next", "good")], refuse, at_once=1)

    assert [result.status for result in results] == ["Refused", "Not started", "Bought", "Bought"]
    assert not results[0].done


async def test_an_output_that_did_not_come_is_told_and_buys_nothing_for_the_step_that_needs_it() -> None:
    async def other(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        return result_of(run, "thumbnail")

    results = await run_plan([planned("a"), planned("b", "a")], other, at_once=2)

    assert [result.status for result in results] == ["Bought", "Failed"]
    assert "step a has not given output_image" in results[1].error


async def test_a_defect_in_a_run_ends_that_run_and_waits_for_what_runs() -> None:
    async def work(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        if run.name == "broken":
            raise ZeroDivisionError(f"s3cret of {run.name}")
        await asyncio.sleep(0.05)
        return result_of(run)

    results = await run_plan([planned("slow"), planned("broken"), planned("fed", "broken")], work, at_once=2)

    assert [result.status for result in results] == ["Bought", "Failed", "Not started"]
    assert "ZeroDivisionError" in results[1].error
    assert "step broken" in results[1].error
    assert "s3cret" not in results[1].error


async def test_cancelling_the_whole_cancels_every_run() -> None:
    started, cancelled = asyncio.Event(), list[str]()

    async def wait(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
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

    assert sorted(cancelled) == ["a", "b"]


async def test_a_signal_that_comes_while_one_run_is_at_work_ends_all_of_them_at_once() -> None:
    class Signal(BaseException):
        """What Prefect makes of a SIGTERM is such: no `Exception`."""

    async def work(run: PlannedStep, _: list[ResolvedInput]) -> RunResult:
        if run.name == "struck":
            raise Signal
        await asyncio.Event().wait()
        return result_of(run)

    with pytest.raises(Signal):
        await asyncio.wait_for(run_plan([planned("waits"), planned("struck"), planned("fed", "waits")], work, at_once=2), 10)
