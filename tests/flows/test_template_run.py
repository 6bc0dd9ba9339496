"""Generio's flow in Prefect, against the sandbox: any template, a chain of them, nothing paid twice, nothing bought when it cannot work."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, FlowRunFilterState, FlowRunFilterStateName
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelling

from deployments.local_run import run_here
from flows.template_run import template_run
from genmedia.errors import BudgetError, InputError
from genmedia.results import Result
from tests.flows.studio import Studio
from tests.sandboxes import Sandbox

PHOTO = {"file": "photos/coffee.jpg"}
FROM_IMAGE = {"template": "model_generate_fromimage", "parameters": {"quality": "low"}}
FROM_PROMPT = {"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}
AWAITED = FlowRunFilter(
    name=FlowRunFilterName(any_=["models"]), state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Running"]))
)
OPTIMIZE = {"template": "model_optimize", "parameters": {"polygon_count": 300}}


@pytest.fixture
async def generio(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up; the working directory is the project's folder."""
    monkeypatch.chdir(Path(__file__).parents[2])
    studio = Studio(sandbox, sandbox.new_account("generio"), tmp_path)
    await studio.save_blocks()
    return studio


async def models(studio: Studio, inputs: list[dict[str, str]], *steps: dict[str, Any], **parameters: Any) -> Any:
    chosen = {"name": "models", "inputs": inputs, "steps": list(steps), **studio.parameters, **parameters}
    return await run_here(template_run, chosen)


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_a_picture_becomes_a_model_and_the_model_a_smaller_one_and_nothing_is_bought_again(generio: Studio) -> None:
    first = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)
    second = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)

    assert (first.name, second.name) == ("Completed", "Completed"), first.message
    assert [result.status for result in results(first)] == ["Bought", "Bought"]
    assert [result.status for result in results(second)] == ["Reused", "Reused"]
    assert len(generio.jobs) == 2
    large, small = (result.assets[0].sidecar for result in results(first))
    assert large["file"]["media_type"] == small["file"]["media_type"] == "model/gltf-binary"
    assert small["file"]["triangles"] <= 300 < large["file"]["triangles"]
    assert large["inputs"][0]["from"].endswith("photos/coffee.jpg")
    assert small["inputs"][0] == {
        "id": "input",
        "sha256": large["file"]["sha256"],
        "asset": large["file"]["path"],
        "from": "step 01-coffee-1-model_generate_fromimage, model",
    }


async def test_words_become_models_each_on_its_own(generio: Studio) -> None:
    generio.sandbox.fault(generio.account, "fail", message="no more clay")

    ended = await models(generio, [{"text": "A wooden chair"}, {"text": "A red cup"}], FROM_PROMPT)

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Failed"]
    assert "no more clay" in ended.message


async def test_a_step_that_fails_ends_the_way_of_its_model(generio: Studio) -> None:
    generio.sandbox.fault(generio.account, "fail")

    ended = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)

    assert [result.status for result in results(ended)] == ["Failed", "Not started"]
    assert len(generio.jobs) == 1


async def test_everything_that_cannot_work_is_told_at_once_and_nothing_is_bought(generio: Studio, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture at all")

    ended = await models(
        generio,
        [PHOTO, {"text": "a chair"}, {"file": str(text)}, {"file": "photos/gone.jpg"}],
        {"template": "model_generate_fromimage", "parameters": {"quality": "best", "seed": "x", "wings": 2}},
        {"template": "model_paint"},
    )

    assert isinstance(ended.result, InputError)
    told = str(ended.result)
    for words in (
        "step 2, template model_paint: is unknown to Generio",
        "photos/gone.jpg: is not there",
        f"file {text}: ",
        "step 1, parameter wings: is unknown to model_generate_fromimage",
        "step 1, parameter quality: is 'best', not one of",
        "step 1, parameter seed: is 'x', but integer is needed",
        "step 1, input 02-a-chair: is text/plain, but model_generate_fromimage takes",
    ):
        assert words in told
    assert generio.jobs == []
    assert generio.sandbox.account(generio.account)["credits"] == generio.account["credits"]


async def test_steps_that_do_not_fit_each_other_are_told(generio: Studio) -> None:
    ended = await models(generio, [PHOTO], FROM_IMAGE, FROM_PROMPT)

    assert "step 2, input the model of step 1: is model/gltf-binary, but model_generate_fromprompt takes" in str(ended.result)


async def test_a_cap_needs_a_price_and_is_kept_to(generio: Studio) -> None:
    unknown = await models(generio, [PHOTO], FROM_IMAGE, max_credits=5)
    await generio.credentials.model_copy(update={"price": 3.0}).asave(generio.name, overwrite=True)
    over = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE, max_credits=5)
    within = await models(generio, [PHOTO], FROM_IMAGE, max_credits=3)
    half = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE, max_credits=3)

    assert isinstance(unknown.result, BudgetError)
    assert "names no price" in str(unknown.result)
    assert "what is not bought yet would cost 6 credits, more than" in str(over.result)
    assert [ended.name for ended in (within, half)] == ["Completed", "Completed"]


async def test_an_account_without_credits_is_told_and_the_flow_is_started_by_the_next_run(generio: Studio) -> None:
    generio.change(credits=0)
    refused = await models(generio, [PHOTO], FROM_IMAGE)
    generio.change(credits=5)
    again = await models(generio, [PHOTO], FROM_IMAGE)

    assert "Insufficient credits" in refused.message
    assert [result.status for result in results(again)] == ["Reattached"]
    assert len(generio.jobs) == 1


@pytest.mark.parametrize("route", ["create_flow", "add_input", "control_flow"])
async def test_a_lost_answer_pays_for_nothing_twice(generio: Studio, route: str) -> None:
    generio.sandbox.fault(generio.account, "lose_answer", route=route)

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert ended.name == "Completed", ended.message
    assert len(generio.jobs) == 1


async def test_a_flow_is_deleted_at_generio_when_asked_to_be_it_by_a_later_run(generio: Studio) -> None:
    bought = await models(generio, [{"text": "A red cup"}], FROM_PROMPT)
    generio.sandbox.fault(generio.account, "server_error", route="delete_flow")
    tries = [await models(generio, [{"text": "A red cup"}], FROM_PROMPT, delete_after=True) for _ in range(3)]

    deleted = {line["status"] for line in generio.sandbox.requests(generio.account) if line["method"] == "DELETE"}
    assert bought.name == "Completed", bought.message
    assert deleted == {500, 200, 404}
    assert [result.status for ended in tries for result in results(ended)] == ["Reused"] * 3


@pytest.mark.parametrize("by_a_person", [True, False])
async def test_a_person_who_cancels_the_run_aborts_the_flow_at_generio_and_nobody_else_does(
    generio: Studio, by_a_person: bool
) -> None:
    generio.change(settings={"run": [3000, 3000]})
    running = asyncio.create_task(models(generio, [{"text": "A red cup"}], FROM_PROMPT))
    while not any(job["status"] == "running" for job in generio.jobs):
        await asyncio.sleep(0.1)
    async with get_client() as client:
        while not (runs := await client.read_flow_runs(flow_run_filter=AWAITED, sort=FlowRunSort.START_TIME_DESC, limit=1)):
            await asyncio.sleep(0.1)
        if by_a_person:
            await client.set_flow_run_state(runs[0].id, Cancelling(), force=True)

    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert [job["status"] for job in generio.jobs] == ["cancelled" if by_a_person else "running"]


_PROGRAM = """
import asyncio, json, sys
from deployments.local_run import run_here
from flows.template_run import template_run
asyncio.run(run_here(template_run, json.loads(sys.argv[1])))
"""


async def test_a_model_whose_worker_is_killed_is_one_flow_one_file_one_charge(generio: Studio, prefect: str) -> None:
    generio.change(settings={"run": [1200, 1200]})
    parameters = {"name": "models", "inputs": [PHOTO], "steps": [FROM_IMAGE], **generio.parameters}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, json.dumps(parameters)], env={**os.environ, "PREFECT_API_URL": prefect}
    )
    while not (generio.has_bound and generio.jobs and generio.jobs[0]["status"] == "running"):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert [result.status for result in results(ended)] == ["Reattached"], ended.message
    assert len(generio.jobs) == 1
    assert len([file for file in generio.stored if file.endswith(".glb")]) == 1
