"""What a killed run had bought is harvested by another, and the run itself is ended in the Prefect UI."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.sorting import FlowRunSort

from deployments.local_run import run_here
from flows.harvest import harvest
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from tasks.lost_runs import PROCESS
from tests.end_to_end.flows.workers import bars_of, until
from tests.sandboxes import Sandbox
from tests.studio import Studio

PROJECT = Path(__file__).parents[3]

_BUYS = """
import asyncio, json, sys
from deployments.local_run import run_here
from flows.image_batch import image_batch

asyncio.run(run_here(image_batch, json.loads(sys.argv[1])))
"""


@pytest.fixture
async def genova(bare_prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(PROJECT)
    studio = Studio(sandbox, sandbox.new_account("genova", settings={"run": [20000, 20000]}), tmp_path)
    await studio.save_blocks()
    return studio


async def runs_of(name: str) -> list[Any]:
    async with get_client() as client:
        return [
            run for run in await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC) if run.parameters.get("name") == name
        ]


async def test_what_a_killed_run_had_bought_is_stored_and_the_run_is_ended(bare_prefect: str, genova: Studio) -> None:
    parameters = {"name": "killed", "prompts": ["a cup", "a mug"], **genova.parameters}
    environment = {**os.environ, "PREFECT_API_URL": bare_prefect}
    child = subprocess.Popen([sys.executable, "-c", _BUYS, json.dumps(parameters)], cwd=PROJECT, env=environment)
    try:
        await until(lambda: genova.waited_for == 2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    (killed,) = await runs_of("killed")
    assert killed.state_name == "Running"
    genova.sandbox.control("POST", "/clock", {"advance": 20100})

    ended = await run_here(harvest, {"store": genova.name})

    told, _, rest = ended.message.partition("; ")
    assert "killed" in told.partition("cut off: ")[2].split(", ")
    assert rest == "2 stored; genova 2 credits saved"
    async with get_client() as client:
        (named,) = [
            run.name
            for run in await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
            if run.parameters == {"store": genova.name}
        ]
    assert named.startswith("recovery: ")
    assert named.endswith("2 stored")
    assert [run.state_name for run in await runs_of("killed")] == ["Crashed"]
    assert {*await bars_of(str(killed.id))} <= {(100, "stored")}  # it was killed before, or while, it made them
    assert (await run_here(harvest, {"store": genova.name})).message == "nothing was open"
    again = await run_here(image_batch, parameters)
    assert [result.status for result in again.result] == ["Reused", "Reused"]
    assert len(genova.sandbox.jobs(genova.account)) == 2


async def test_a_run_at_flora_whose_answer_is_lost_is_found_in_its_list(
    bare_prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    switches = {"list_runs": True, "idempotency": "openapi", "assets": True}
    studio = Studio(sandbox, sandbox.new_account("flora", switches=switches), tmp_path)
    await studio.save_blocks()
    sandbox.fault(studio.account, "lose_answer", route="create_run", times=1)
    sandbox.fault(studio.account, "server_error", route="create_run", after=1, times=None)
    steps = [{"name": "film", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}]
    bought = await run_here(technique_chain, {"chain": {"name": "lost", "steps": steps}, **studio.parameters})

    ended = await run_here(harvest, {"store": studio.name})

    asked = {(line["method"], line["route"]) for line in sandbox.requests(studio.account) if line["status"] == 200}
    assert bought.name == "Partial", bought.message
    assert ("GET", "/api/v1/technique-runs") in asked
    assert ended.message == "1 stored; flora 3 credits saved"
    assert len(studio.jobs) == 1
    assert "lost/film/output_image.jpg" in studio.stored


_STANDS = """
import asyncio, sys
from prefect.flow_runs import apause_flow_run
from tasks.telling import flow

@flow(name="stands", flow_run_name="{name}")
async def stands(name: str, paused: bool):
    print(name, flush=True)
    await (apause_flow_run(timeout=600, poll_interval=60) if paused else asyncio.sleep(600))

async def main():
    await asyncio.gather(*(stands(name, name.startswith("paused")) for name in sys.argv[1:]))

asyncio.run(main())
"""


@contextmanager
def standing(api: str, *names: str) -> Generator[subprocess.Popen[str]]:
    """A process with flow runs in it that buy nothing, until the block ends."""
    environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    command = [sys.executable, "-c", _STANDS, *names]
    child = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)
    with child:
        try:
            assert child.stdout is not None
            assert {child.stdout.readline().strip() for _ in names} == {*names}
            yield child
        finally:
            child.kill()


async def test_runs_whose_process_is_gone_are_ended_and_no_others_whatever_they_bought(bare_prefect: str, genova: Studio) -> None:
    names = {"alive", "lost", "paused", "far away"}

    async def mine(client: PrefectClient) -> dict[str, Any]:
        runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
        return {run.name: run for run in runs if run.name in names and "paused" in run.parameters}

    async with get_client() as client:
        with standing(bare_prefect, "alive"), standing(bare_prefect, "lost", "paused", "far away") as killed:
            while (runs := await mine(client))["paused"].state_name != "Paused":
                await asyncio.sleep(0.1)
            elsewhere = str(runs["far away"].labels[PROCESS]).replace("|", "-elsewhere|", 1)  # as a process on another machine
            await client.update_flow_run_labels(runs["far away"].id, {PROCESS: elsewhere})
            killed.kill()
            killed.wait()

            ended = await run_here(harvest, {"store": genova.name})

            assert {name: run.state_name for name, run in (await mine(client)).items()} == {
                "alive": "Running",
                "far away": "Running",
                "lost": "Crashed",
                "paused": "Paused",
            }
    told, _, rest = ended.message.partition("; ")
    assert "cut off: " in told
    assert names & {*told.partition(": ")[2].split(", ")} == {"lost"}
    assert rest == "nothing was open"
