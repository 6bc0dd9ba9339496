"""What a killed run had bought is harvested by another, and the run itself is ended in the Prefect UI."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from deployments.local_run import run_here
from flows.harvest import harvest
from flows.image_batch import image_batch
from tests.flows.studio import Studio
from tests.flows.workers import until
from tests.sandboxes import Sandbox

PROJECT = Path(__file__).parents[2]

_BUYS = """
import asyncio, json, sys
from deployments.local_run import run_here
from flows.image_batch import image_batch

asyncio.run(run_here(image_batch, json.loads(sys.argv[1])))
"""


@pytest.fixture
async def genova(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.chdir(PROJECT)
    studio = Studio(sandbox, sandbox.new_account("genova", settings={"run": [20000, 20000]}), tmp_path)
    await studio.save_blocks()
    return studio


async def runs_of(name: str) -> list[Any]:
    async with get_client() as client:
        return [run for run in await client.read_flow_runs() if run.parameters.get("name") == name]


async def test_what_a_killed_run_had_bought_is_stored_and_the_run_is_ended(prefect: str, genova: Studio) -> None:
    parameters = {"name": "killed", "prompts": ["a cup", "a mug"], **genova.parameters}
    environment = {**os.environ, "PREFECT_API_URL": prefect}
    child = subprocess.Popen([sys.executable, "-c", _BUYS, json.dumps(parameters)], cwd=PROJECT, env=environment)
    try:
        await until(lambda: genova.waited_for == 2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert [run.state_name for run in await runs_of("killed")] == ["Running"]
    genova.sandbox.control("POST", "/clock", {"advance": 20100})

    ended = await run_here(harvest, {"store": genova.name})

    assert ended.message == "2 stored; 2 credits salvaged"
    assert [run.state_name for run in await runs_of("killed")] == ["Crashed"]
    assert (await run_here(harvest, {"store": genova.name})).message == "nothing was open"
    again = await run_here(image_batch, parameters)
    assert [result.status for result in again.result] == ["Reused", "Reused"]
    assert len(genova.sandbox.jobs(genova.account)) == 2
