"""Generio's flow in Prefect, against the sandbox: states that say what happened, nothing paid twice whatever dies or is cancelled."""

import asyncio
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from blocks import AssetStore
from deployments.local_run import run_here
from flows.template_run import template_run
from genmedia.purchasing.result import Result
from tests.end_to_end.flows.apart import strike
from tests.end_to_end.flows.workers import until
from tests.sandboxes import Sandbox
from tests.studio import Studio

PHOTO = {"file": "photos/coffee.jpg"}
FROM_IMAGE = {"template": "model_generate_fromimage", "parameters": {"quality": "low"}}
FROM_PROMPT = {"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}
OPTIMIZE = {"template": "model_optimize", "parameters": {"polygon_count": 300}}


@pytest.fixture
async def generio(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up; the working directory is the project's folder."""
    monkeypatch.chdir(Path(__file__).parents[3])
    studio = Studio(sandbox, sandbox.new_account("generio"), tmp_path)
    await studio.save_blocks()
    return studio


async def models(studio: Studio, inputs: list[dict[str, str]], *steps: dict[str, Any], **parameters: Any) -> Any:
    chosen = {"name": "models", "inputs": inputs, "steps": list(steps), **studio.parameters, **parameters}
    return await run_here(template_run, chosen)


def statuses(studio: Studio) -> list[str]:
    return [job["status"] for job in studio.jobs]


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_what_another_stores_journal_answers_for_is_told_only_while_it_is_still_to_buy(
    generio: Studio, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    second = f"{generio.name}-second"
    await AssetStore(root=str(tmp_path_factory.mktemp("second"))).asave(second, overwrite=True)
    told = "about to be bought were bought for the store"

    await models(generio, [{"text": "A red cup"}], FROM_PROMPT)
    bought = await models(generio, [{"text": "A red cup"}], FROM_PROMPT, store=second)
    assert told in caplog.text
    caplog.clear()
    again = await models(generio, [{"text": "A red cup"}], FROM_PROMPT, store=second)

    assert (bought.name, [result.status for result in results(again)]) == ("Completed", ["Reused"])
    assert told not in caplog.text


@pytest.mark.parametrize("route", ["create_flow", "add_input"])  # each takes a route of Generio's that no other flow uses
async def test_a_lost_answer_pays_for_nothing_twice(generio: Studio, route: str) -> None:
    generio.sandbox.fault(generio.account, "lose_answer", route=route)

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert ended.name == "Completed", ended.message
    assert len(generio.jobs) == 1


BATCH = 8


@pytest.mark.parametrize("by_a_person", [True, False])
async def test_a_person_who_cancels_a_batch_ends_all_that_runs_at_generio_and_nobody_else_does(
    generio: Studio, by_a_person: bool
) -> None:
    """Chains of two steps: no second one is ever bought."""
    generio.change(settings={"queue": [0, 0], "run": [30000, 30000]})
    inputs = [{"text": f"A cup, number {number}"} for number in range(BATCH)]
    parameters = {"name": "models", "inputs": inputs, "steps": [FROM_PROMPT, OPTIMIZE], "at_once": BATCH, **generio.parameters}
    stop = asyncio.Event()
    running = asyncio.create_task(run_here(template_run, parameters, stop))
    await until(lambda: generio.waited_for == BATCH)
    await until(lambda: statuses(generio) == ["running"] * BATCH)

    if by_a_person:
        stop.set()
    else:
        running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert statuses(generio) == ["cancelled" if by_a_person else "running"] * BATCH
    assert generio.attempts == [("cancelled", "a person cancelled it") if by_a_person else ("bound", "")] * BATCH


async def test_a_model_whose_process_is_killed_is_one_flow_one_file_one_charge(generio: Studio) -> None:
    generio.change(settings={"run": [1200, 1200]})
    parameters = {"name": "models", "inputs": [PHOTO], "steps": [FROM_IMAGE], **generio.parameters}
    await strike(template_run, parameters, SIGKILL, when=lambda: generio.has_bound and statuses(generio) == ["running"])
    generio.sandbox.control("POST", "/clock", {"advance": 1200})

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert [result.status for result in results(ended)] == ["Resumed"], ended.message
    assert len(generio.jobs) == 1
    assert len([file for file in generio.stored if file.endswith(".glb")]) == 1
