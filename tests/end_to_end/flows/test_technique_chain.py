"""The technique chain in Prefect, against the sandbox: states that say what happened, everything seen, a death outlived."""

import asyncio
import json
from signal import SIGKILL
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from deployments.local_run import run_here
from flows.technique_chain import technique_chain
from genmedia.errors import InputError
from tests.chains import TWO_STEPS, by_step, chain
from tests.end_to_end.flows.apart import strike
from tests.end_to_end.flows.workers import bars_of
from tests.studio import Studio


async def run(studio: Studio, name: str, *steps: dict[str, Any], **parameters: Any) -> Any:
    return await run_here(technique_chain, {"chain": chain(name, *steps), **studio.parameters, **parameters})


async def test_a_large_file_goes_up_in_parts_before_the_runs_it_feeds(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genmedia.providers.flora.client.DIRECT_UPLOAD_BYTES", 0)
    photo = [{"id": "input_image", "file": "photos/coffee.jpg"}]
    steps = [{"name": name, "technique": name, "inputs": photo} for name in ("studio-blur", "portrait-enhancer")]

    ended = await run_here(technique_chain, {"chain": {"name": "pair", "steps": steps}, **studio.parameters})

    asked = {line["route"] for line in studio.sandbox.requests(studio.account)}
    assert ended.name == "Completed", ended.message
    assert "/api/v1/assets/{asset_id}/complete" in asked


TODAY = {"casing": "snake", "list_runs": True, "assets": True, "workspaces": 1, "idempotency": "openapi"}


async def test_a_chain_at_the_flora_of_today_puts_its_file_up_into_the_workspace_and_counts_usd(studio: Studio) -> None:
    studio.change(switches=TODAY)

    first = await run(studio, "today", *TWO_STEPS)
    second = await run(studio, "today", *TWO_STEPS)

    assert (first.name, second.name) == ("Completed", "Completed"), first.message
    asked = {(line["method"], line["route"]) for line in studio.sandbox.requests(studio.account)}
    assert {("GET", "/api/v1/workspaces"), ("GET", "/api/v1/assets/{asset_id}")} <= asked
    assert len(studio.jobs) == 2
    costs = [json.loads((studio.root / file).read_text())["cost"] for file in studio.stored if file.endswith(".json")]
    told = sorted((job["charged"] / 100, "USD") for job in studio.jobs)
    assert sorted((cost["charged"], cost["unit"]) for cost in costs) == told


async def test_of_two_runs_that_wait_for_one_job_one_has_joined_and_the_other_tells_what_it_cost(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.bars.LONG_SECONDS", 0.0)
    studio.change(settings={"advance": "time", "run": [20000, 20000]})
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(run(studio, "both", TWO_STEPS[0])) for _ in range(2)]
        while studio.waited_for < 2:
            await asyncio.sleep(0.1)
        studio.sandbox.control("POST", "/clock", {"advance": 20100})
    ended = [done.result() for done in runs]

    told = {by_step(one)["s1"].status: by_step(one)["s1"].charged for one in ended}
    assert told == {"Bought": studio.jobs[0]["charged"], "Joined": 0}
    assert len(studio.jobs) == 1
    assert [await bars_of(one.page.rpartition("/")[2]) for one in ended] == [[(100, "succeeded")]] * 2


async def test_an_unknown_block_lists_those_that_are_saved(studio: Studio) -> None:
    ended = await run_here(technique_chain, {"chain": chain("x", TWO_STEPS[0]), "account": "nobody", "store": studio.name})

    assert isinstance(ended.result, InputError)
    assert "account nobody of flora: no flora-credentials block is saved as 'nobody'" in str(ended.result)
    assert studio.name in str(ended.result)


async def test_a_run_killed_while_a_technique_runs_is_taken_up_again(studio: Studio) -> None:
    studio.change(settings={"advance": "time", "run": [3600, 3600]})
    parameters = {"chain": chain("killed", TWO_STEPS[0]), **studio.parameters}
    await strike(technique_chain, parameters, SIGKILL, when=lambda: studio.has_bound and studio.jobs[0]["status"] == "running")
    studio.sandbox.control("POST", "/clock", {"advance": 3600})

    ended = await run(studio, "killed", TWO_STEPS[0])

    assert by_step(ended)["s1"].status == "Resumed"
    assert len(studio.jobs) == 1


SEEN = {"poll-run studio-blur", "download-outputs studio-blur", "upload-input"}
"""Names of task runs of `TWO_STEPS`."""


async def test_the_prefect_ui_has_named_runs_states_tags_the_plan_first_a_table_and_a_contact_sheet(studio: Studio) -> None:
    ended = await run(studio, f"seen-{studio.name}", *TWO_STEPS)

    run_id = ended.page.rsplit("/", 1)[1]
    async with get_client() as client:
        flow_run = await client.read_flow_run(run_id)
        names: dict[str, str | None] = {}
        # A task run and its states reach the server a little after it ended, each in its own time; pytest's timeout bounds this.
        while names.get("create-run relight-technique") != "Bought" or not set(names) >= SEEN:
            tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run.id])))
            names = {task.name.rsplit(" ", 1)[0]: task.state_name for task in tasks}
            await asyncio.sleep(0.1)
        chosen = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        artifacts = (await client.request("POST", "/artifacts/filter", json=chosen)).json()
    plan = min(artifacts, key=lambda one: one["created"])
    mine = {one["type"]: one for one in artifacts if one is not plan and not one["key"].endswith("-progress")}
    assert plan["key"].endswith("-plan")
    assert {"| flora | 2 | at most 7 credits | - |", "| s2 | flora studio-blur | new | 3 credits |"} <= set(
        plan["data"].splitlines()
    )
    assert flow_run.name == f"seen-{studio.name}"
    assert set(flow_run.tags) >= {"flora", f"campaign:seen-{studio.name}"}
    assert {"table", "markdown"} <= set(mine)
    assert len(mine["markdown"]["data"]) <= 200_000
    told = [(row["step"], row["charged"], row["unit"]) for row in json.loads(mine["table"]["data"])]
    assert told == [(step, by_step(ended)[step].charged, "flora credits") for step in ("s1", "s2")]
