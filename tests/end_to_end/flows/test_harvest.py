"""What a killed run had bought is harvested by another, and the run itself is ended in the Prefect UI."""

import asyncio
import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.sorting import FlowRunSort
from prefect.flow_runs import apause_flow_run

from deployments.local_run import run_here
from flows.harvest import harvest
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from genmedia.journal import Journal
from genmedia.journal.order import Order
from genmedia.store import Place
from tasks.lost_runs import PROCESS
from tasks.telling import flow
from tests.end_to_end.flows.apart import running_apart, strike
from tests.end_to_end.flows.workers import bars_of, until
from tests.sandboxes import Sandbox
from tests.studio import Studio

PROJECT = Path(__file__).parents[3]


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
    await strike(image_batch, parameters, SIGKILL, when=lambda: genova.waited_for == 2)
    (killed,) = await runs_of("killed")
    assert killed.state_name == "Running"
    async with get_client() as client:  # as a process on another machine, of which only the journal tells that it is gone
        await client.update_flow_run_labels(killed.id, {PROCESS: str(killed.labels[PROCESS]).replace("|", "-elsewhere|", 1)})
    genova.sandbox.control("POST", "/clock", {"advance": 20100})
    while genova.watched:
        await asyncio.sleep(0.1)

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


async def test_a_store_that_is_saved_while_a_recovery_waits_for_its_turn_is_looked_after(
    bare_prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    studio = Studio(sandbox, sandbox.new_account("genova"), tmp_path)

    async def take_turn(run: UUID) -> bool:
        del run
        await studio.save_blocks()
        return True

    monkeypatch.setattr("flows.harvest.take_turn", take_turn)

    ended = await run_here(harvest, {"store": studio.name})

    assert ended.message == "nothing was open"


async def test_of_many_recoveries_one_works_and_one_waits_and_the_kill_of_the_first_keeps_nobody_out(
    bare_prefect: str, genova: Studio
) -> None:
    async with Journal.lease(Place(str(genova.root)).journal_url()) as journal:
        attempt = await journal.intend(
            Order(genova.credentials.payer, "image", {"prompt": "a cup"}, 1, "credits"), datetime.now(UTC)
        )
        assert attempt
        await journal.bind(attempt, "a-job")
    genova.sandbox.fault(genova.account, "slow", seconds=600, times=None)

    async def states() -> list[str]:
        async with get_client() as client:
            runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_ASC)
        return [run.state_name or "" for run in runs if run.parameters == {"store": genova.name} and PROCESS in run.labels]

    with running_apart(harvest, {"store": genova.name}) as first:
        while await states() != ["Running"]:
            await asyncio.sleep(0.1)
        assert first.pid is not None
        os.kill(first.pid, SIGSTOP)  # it takes long
        with running_apart(harvest, {"store": genova.name}) as second:
            while await states() != ["Running", "Running"]:
                await asyncio.sleep(0.1)

            third = await run_here(harvest, {"store": genova.name})

            assert (third.name, third.message.partition(",")[0]) == ("Completed", "another recovery is under way")
            assert await states() == ["Running", "Running", "Completed"]
            genova.sandbox.control("DELETE", f"/faults?account={genova.account['account']}")
            first.kill()
            first.join()
            await until(lambda: second.exitcode is not None)

    assert await states() == ["Crashed", "Completed", "Completed"]


@flow(name="stands", flow_run_name="{name}")
async def stands(name: str, paused: bool) -> None:
    """It buys nothing, for ever."""
    await (apause_flow_run(timeout=600, poll_interval=60) if paused else asyncio.Event().wait())


async def test_runs_whose_process_is_gone_are_ended_and_no_others_whatever_they_bought(bare_prefect: str, genova: Studio) -> None:
    names = {"alive", "lost", "paused", "far away"}

    async def mine(client: PrefectClient) -> dict[str, Any]:
        runs = await client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC)
        return {run.name: run for run in runs if run.name in names and "paused" in run.parameters}

    def stand(runs: dict[str, Any]) -> bool:
        return sum(PROCESS in run.labels for run in runs.values()) == len(names) and runs["paused"].state_name == "Paused"

    async with get_client() as client:
        with ExitStack() as held:
            started = {name: running_apart(stands, {"name": name, "paused": name == "paused"}) for name in names}
            processes = {name: held.enter_context(process) for name, process in started.items()}
            while not stand(runs := await mine(client)):
                await asyncio.sleep(0.1)
            elsewhere = str(runs["far away"].labels[PROCESS]).replace("|", "-elsewhere|", 1)  # as a process on another machine
            await client.update_flow_run_labels(runs["far away"].id, {PROCESS: elsewhere})
            for name in names - {"alive"}:
                processes[name].kill()
                processes[name].join()

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
