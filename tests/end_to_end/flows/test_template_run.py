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
from genmedia.errors import BudgetError, HeldError
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
