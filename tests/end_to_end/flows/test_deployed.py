"""A campaign that is deployed from its file, on a real worker: from its form and by its schedule, one run at a time."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun

from deployments.bootstrap import WORK_POOL
from deployments.deploying import deploy_files, undeploy_campaign
from tests.end_to_end.flows.workers import POOL, Run, until
from tests.studio import Studio


async def on_the_worker(studio: Studio, folder: Path, more: str) -> UUID:
    """Deploy a campaign whose runs the worker of the tests carries out; returns the deployment's id."""
    name = studio.name
    (folder / "cups.yaml").write_text(f"""\
campaign: cups-{name}
edition: "{{{{ date }}}}"
accounts: {{genova: {name}}}
store: {name}
variables:
  colour: {{title: Colour, choices: [red, blue], default: red}}
steps:
  - {{name: cup, model: imagen4, prompt: "a {{{{ colour }}}} cup"}}
{more}""")
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"), overwrite=True)
        await deploy_files([str(folder / "cups.yaml")])
        made = await client.read_deployment_by_name(f"campaign/cups-{name}")
        await client.update_deployment(made.id, DeploymentUpdate(work_pool_name=POOL))
        return made.id


async def start(prefect: str, deployment: UUID, **parameters: Any) -> Run:
    async with get_client() as client:
        return Run(prefect, (await client.create_flow_run_from_deployment(deployment, parameters=parameters)).id)


async def test_a_run_from_its_form_buys_what_the_form_says_and_of_two_at_once_one_is_skipped(
    prefect: str, pool: str, genova: Studio, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployment = await on_the_worker(genova, tmp_path_factory.mktemp("cups"), "overlap: skip\n")

    runs = [await start(prefect, deployment, variables={"colour": "blue"}) for _ in range(2)]
    await until(lambda: all(run.state in ("Completed", "Cancelled", "Failed", "Crashed", "Refused") for run in runs))

    assert sorted(run.state for run in runs) == ["Cancelled", "Completed"]
    assert [job["request"]["prompt"] for job in genova.jobs] == ["a blue cup"]
    await undeploy_campaign(f"cups-{genova.name}")


async def test_its_schedule_plans_runs_with_the_parameters_of_the_file(
    prefect: str, genova: Studio, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schedule = 'schedule: {cron: "0 6 * * 1", timezone: Europe/Berlin, parameters: {variables: {colour: blue}}}\n'
    deployment = await on_the_worker(genova, tmp_path_factory.mktemp("cups"), schedule)
    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    planned: list[FlowRun] = []
    async with get_client() as client:
        while not planned:  # the server's scheduler makes them
            planned = await client.read_flow_runs(deployment_filter=chosen)

    first = min(planned, key=lambda run: str(run.expected_start_time))
    assert first.auto_scheduled
    assert first.parameters["variables"] == {"colour": "blue"}
    assert first.parameters["campaign"].endswith("cups.yaml")
    assert first.expected_start_time is not None
    assert first.expected_start_time.weekday() == 0
    await undeploy_campaign(f"cups-{genova.name}")
    async with get_client() as client:
        assert await client.read_flow_runs(deployment_filter=chosen) == [], "what was planned is gone with it"
