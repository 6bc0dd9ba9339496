"""A run that would buy more than one run should is cut into runs of its deployment, on a worker; the process of one of them is killed."""

import os
import signal
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Pending

from benchmarks.small_parts import small_parts
from tasks.parts import WHOLE, begin_again
from tests.end_to_end.flows.workers import Run, start, until
from tests.studio import Studio

pytestmark = pytest.mark.timeout(600)
ITEMS = 6


def parts_of(api: str, whole: Run) -> list[dict[str, Any]]:
    """The runs of the parts of a run, as Prefect shows them below it."""
    wish = {"flow_runs": {"parent_flow_run_id": {"any_": [str(whole.id)]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return httpx.post(f"{api}/flow_runs/filter", json=wish).raise_for_status().json()


def table_of(api: str, whole: Run) -> str:
    wish = {"artifacts": {"flow_run_id": {"any_": [str(whole.id)]}, "type": {"any_": ["table"]}}}
    (found,) = httpx.post(f"{api}/artifacts/filter", json=wish).raise_for_status().json()
    return found["data"]


async def test_parts_are_bought_once_though_one_is_killed_and_the_whole_waits_without_a_process(
    prefect: str, pool: str, genova: Studio
) -> None:
    genova.change(settings={"queue": [0, 0], "run": [300, 300]})  # six seconds by the test's clock
    prompts = [f"cup {number}" for number in range(ITEMS)]
    whole = await start(
        prefect,
        pool,
        small_parts,
        {"name": "many", "prompts": prompts, "items_per_run": 3, **genova.parameters},
        module="benchmarks.small_parts",
    )

    await until(lambda: whole.state == "Suspended" and genova.waited_for > 0)
    first = next(Run(prefect, part["id"]) for part in parts_of(prefect, whole) if part["state_name"] == "Running")
    async with get_client() as client:
        label = (await client.read_flow_run(first.id)).labels[WHOLE]
    os.kill(first.process, signal.SIGKILL)
    await until(lambda: whole.state in ("Completed", "Partial", "Failed", "Crashed"))

    parts = parts_of(prefect, whole)
    assert (whole.state, label) == ("Completed", str(whole.id)), whole.message
    assert sorted((part["name"], part["state_name"]) for part in parts) == [
        ("many, part 1 of 2", "Completed"),
        ("many, part 2 of 2", "Completed"),
    ]
    assert sum(part["run_count"] for part in parts) == 3, (
        "once more for the one that was killed, however many look after the whole"
    )
    assert len(genova.jobs) == ITEMS
    assert all(
        f"cup-{number}" in table_of(prefect, whole) or f"cup {number}" in table_of(prefect, whole) for number in range(ITEMS)
    )


async def killed_part(client: PrefectClient) -> FlowRun:
    """A run that is seen killed, of a deployment that no worker serves."""
    await client.create_work_pool(WorkPoolCreate(name="nobody", type="process"), overwrite=True)
    deployment = await client.create_deployment(await client.create_flow(small_parts), "of nobody", work_pool_name="nobody")
    run = await client.create_flow_run_from_deployment(deployment)
    await client.set_flow_run_state(run.id, Crashed())
    return await client.read_flow_run(run.id)


async def test_of_two_that_see_a_part_killed_one_begins_it_again_however_late_the_other_is(prefect: str) -> None:
    async with get_client() as client:
        seen = await killed_part(client)
        await begin_again(client, seen)
        await client.set_flow_run_state(seen.id, Pending())  # a worker takes it

        await begin_again(client, seen)

        assert Run(prefect, seen.id).state == "Pending"


async def test_a_part_is_begun_again_though_the_first_that_saw_it_killed_died_before_it_did(
    prefect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        raise RuntimeError

    async with get_client() as client:
        seen = await killed_part(client)
        with monkeypatch.context() as patch:
            patch.setattr(client, "set_flow_run_state", die)
            with pytest.raises(RuntimeError):
                await begin_again(client, seen)
        await begin_again(client, seen)
        assert Run(prefect, seen.id).state == "Crashed", "the first may still be at it"

        monkeypatch.setattr("tasks.parts.BEGINS", timedelta(0))
        await begin_again(client, seen)

        assert Run(prefect, seen.id).state == "AwaitingRetry"


@pytest.mark.usefixtures("slower_clock")
async def test_a_person_who_cancels_the_whole_cancels_its_parts(prefect: str, pool: str, genova: Studio) -> None:
    genova.change(settings={"queue": [1700, 1700]})
    parameters = {"name": "many", "prompts": ["cup 1", "cup 2"], "items_per_run": 1, **genova.parameters}
    whole = await start(prefect, pool, small_parts, parameters, module="benchmarks.small_parts")
    await until(lambda: whole.state == "Suspended" and genova.waited_for == 2)

    await whole.cancel()
    await until(lambda: {part["state_name"] for part in parts_of(prefect, whole)} == {"Cancelled"})

    assert [job["status"] for job in genova.jobs] == ["cancelled"] * 2
