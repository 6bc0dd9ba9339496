"""Generio's flow in Prefect, against the sandbox: states that say what happened, nothing paid twice whatever dies or is cancelled."""

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
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from blocks import AssetStore
from deployments.local_run import run_here
from flows.template_run import template_run
from genmedia.purchasing.result import Result
from tests.sandboxes import Sandbox
from tests.studio import Studio

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
    monkeypatch.chdir(Path(__file__).parents[3])
    studio = Studio(sandbox, sandbox.new_account("generio"), tmp_path)
    await studio.save_blocks()
    return studio


async def models(studio: Studio, inputs: list[dict[str, str]], *steps: dict[str, Any], **parameters: Any) -> Any:
    chosen = {"name": "models", "inputs": inputs, "steps": list(steps), **studio.parameters, **parameters}
    return await run_here(template_run, chosen)


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


@pytest.mark.parametrize("by_a_person", [True, False])
async def test_a_person_who_cancels_the_run_aborts_the_flow_at_generio_and_nobody_else_does(
    generio: Studio, by_a_person: bool
) -> None:
    generio.change(settings={"run": [30000, 30000]})
    running = asyncio.create_task(models(generio, [{"text": "A red cup"}], FROM_PROMPT))
    while not any(job["status"] == "running" for job in generio.jobs):
        await asyncio.sleep(0.1)
    async with get_client() as client:
        mine = list[FlowRun]()
        while not mine:
            await asyncio.sleep(0.1)
            running_now = await client.read_flow_runs(flow_run_filter=AWAITED)
            mine = [run for run in running_now if run.parameters["account"] == generio.name]
        if by_a_person:
            await client.set_flow_run_state(mine[0].id, Cancelling(), force=True)

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
        await asyncio.sleep(0.05)  # it works in another process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert [result.status for result in results(ended)] == ["Resumed"], ended.message
    assert len(generio.jobs) == 1
    assert len([file for file in generio.stored if file.endswith(".glb")]) == 1
