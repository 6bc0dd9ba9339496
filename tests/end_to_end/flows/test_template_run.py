"""Generio's flow in Prefect, against the sandbox: states that say what happened, nothing paid twice whatever dies or is cancelled."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, FlowRunFilterState, FlowRunFilterStateName
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling

from blocks import AssetStore, GenerioCredentials
from deployments.local_run import run_here
from flows.campaign import campaign
from flows.template_run import template_run
from genmedia.errors import BudgetError, HeldError, InputError
from genmedia.journal import Journal, Scope
from genmedia.purchasing.result import Result
from genmedia.store import Place
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


async def test_a_picture_becomes_a_model_and_the_model_a_smaller_one_and_nothing_is_bought_again(generio: Studio) -> None:
    first = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)
    second = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)

    assert (first.name, second.name) == ("Completed", "Completed"), first.message
    assert [result.status for result in results(first)] == ["Bought", "Bought"]
    assert [result.status for result in results(second)] == ["Reused", "Reused"]
    assert len(generio.jobs) == 2
    large, small = (result.assets[0].sidecar.write() for result in results(first))
    assert large["file"]["media_type"] == small["file"]["media_type"] == "model/gltf-binary"
    assert small["file"]["triangles"] <= 300 < large["file"]["triangles"]
    assert large["inputs"][0]["from"].endswith("photos/coffee.jpg")
    assert small["inputs"][0] == {
        "id": "input",
        "sha256": large["file"]["sha256"],
        "asset": large["file"]["path"],
        "from": "step coffee-1-model_generate_fromimage, model",
    }


async def test_words_become_models_each_on_its_own(generio: Studio) -> None:
    generio.sandbox.fault(generio.account, "fail", message="no more clay")

    ended = await models(generio, [{"text": "A wooden chair"}, {"text": "A red cup"}], FROM_PROMPT)

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Failed"]
    assert "no more clay" in ended.message


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
        "photos/gone.jpg is not there",
        f"input 3: {text} cannot be used: ",
        "step 1, parameter wings: is unknown to model_generate_fromimage",
        "step 1, parameter quality: is 'best', not one of",
        "step 1, parameter seed: is 'x', but integer is needed",
        "step 1, input a-chair: is text/plain, but model_generate_fromimage takes",
    ):
        assert words in told
    assert generio.jobs == []
    assert generio.sandbox.account(generio.account)["credits"] == generio.account["credits"]


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
from flows.campaign import campaign
from flows.template_run import template_run
flow = {"campaign": campaign, "template-run": template_run}[sys.argv[1]]
asyncio.run(run_here(flow, json.loads(sys.argv[2])))
"""


async def killed_once(
    prefect: str, reached: Callable[[], Awaitable[bool]], flow: Flow[..., Any], parameters: dict[str, Any]
) -> None:
    """Run a flow in a process of its own, which is killed when it has come so far."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, flow.name, json.dumps(parameters)], env={**os.environ, "PREFECT_API_URL": prefect}
    )
    while not await reached():
        assert process.poll() is None
        await asyncio.sleep(0.05)  # it works in another process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


MODEL = {"name": "cup", "template": "model_generate_fromprompt", "input": {"text": "A red cup"}, "parameters": {"quality": "low"}}


def by_template(studio: Studio, cap: float | None) -> dict[str, Any]:
    return {"name": "models", "inputs": [{"text": "A red cup"}], "steps": [FROM_PROMPT], "max_credits": cap, **studio.parameters}


def by_campaign(studio: Studio, cap: float | None) -> dict[str, Any]:
    payer, caps = {"generio": studio.name}, {"generio": cap}
    return {"campaign": {"name": "models", "steps": [MODEL]}, "accounts": payer, "max_credits": caps, "store": studio.name}


@pytest.mark.parametrize(("flow", "parameters"), [(template_run, by_template), (campaign, by_campaign)])
async def test_a_flow_that_was_made_and_never_started_is_not_started_while_nothing_may_be_spent(
    generio: Studio, prefect: str, flow: Flow[..., Any], parameters: Callable[[Studio, float | None], dict[str, Any]]
) -> None:
    await generio.credentials.model_copy(update={"price": 1.0}).asave(generio.name, overwrite=True)
    generio.sandbox.fault(generio.account, "slow", route="add_input", seconds=60)
    account = str(generio.credentials.payer)
    async with cast("GenerioCredentials", generio.credentials).get_client() as client:

        async def made() -> bool:
            flows = await client.list_flows()
            return bool(flows and await client.list_inputs(flows[0].flow_id))

        await killed_once(prefect, made, flow, parameters(generio, None))
        async with Journal.lease(Place(str(generio.root)).journal_url()) as journal:
            over = await run_here(flow, parameters(generio, 0))
            await journal.money.hold(account, "the key leaked")
            held = await run_here(flow, parameters(generio, None))
            await journal.money.release(account)
            await journal.money.set_caps(account, {Scope.TOTAL: 0})
            capped = await run_here(flow, parameters(generio, None))

            assert isinstance(over.result, BudgetError), over.message
            assert "what is not bought yet would cost 1 credit" in str(over.result)
            assert isinstance(held.result, HeldError), held.message
            assert "the key leaked" in str(held.result)
            assert "the cap of 0 credits for all time leaves 0" in capped.message
            assert generio.jobs == []
            assert generio.sandbox.account(generio.account)["credits"] == generio.account["credits"]
            assert [one.state for one in await client.list_flows()] == ["created"]

            await journal.money.set_caps(account, {Scope.TOTAL: 1})
            assert [result.status for result in results(await run_here(flow, parameters(generio, 1)))] == ["Bought"]
            assert [one.state for one in await client.list_flows()] == ["completed"]
    assert len(generio.jobs) == 1


async def test_a_model_whose_worker_is_killed_is_one_flow_one_file_one_charge(generio: Studio, prefect: str) -> None:
    generio.change(settings={"run": [1200, 1200]})
    parameters = {"name": "models", "inputs": [PHOTO], "steps": [FROM_IMAGE], **generio.parameters}

    async def reached() -> bool:
        return generio.has_bound and bool(generio.jobs) and generio.jobs[0]["status"] == "running"

    await killed_once(prefect, reached, template_run, parameters)

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert [result.status for result in results(ended)] == ["Resumed"], ended.message
    assert len(generio.jobs) == 1
    assert len([file for file in generio.stored if file.endswith(".glb")]) == 1
