"""Campaigns deployed from their files, on a real server: what is there then, what a second time changes, and what is taken away."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.events.schemas.automations import Automation
from prefect.utilities.schema_tools import validate

from deployments.automations import automation_name, save_automation
from deployments.bootstrap import WORK_POOL, bootstrap
from deployments.deploying import deploy_files, undeploy_campaign
from deployments.forms import put_lists
from genmedia.errors import InputError
from tests.commands import PROJECT, genmedia

CAMPAIGN = """\
# Mugs for the shop, anew each week.
campaign: mugs
edition: "{{ week }}"
variables:
  product: {title: Product, description: What is shown., default: mug}
  look: {choices: [soft, hard], default: soft}
  budget: {type: number, default: 40}
  framed: {type: yes_no, default: no}
steps:
  - {name: hero, model: imagen4, prompt: "a {{ product }} in {{ look }} light"}
schedule: {cron: "0 6 * * 1", timezone: Europe/Berlin}
notify: {on: [partial, review], block: people}
"""


@pytest.fixture
async def pool(bare_prefect: str, tmp_path: Path) -> str:
    """A server with the pool and a notification block."""
    await bootstrap(name="deploying", store={"root": str(tmp_path / "media")})
    block = CustomWebhookNotificationBlock.model_validate({"name": "genmedia", "url": "http://127.0.0.1:9/", "json_data": {}})
    await block.asave("people", overwrite=True)
    return bare_prefect


def written(folder: Path, text: str = CAMPAIGN) -> str:
    (folder / "mugs.yaml").write_text(text)
    return str(folder / "mugs.yaml")


async def deployed(name: str = "mugs") -> DeploymentResponse:
    async with get_client() as client:
        return await client.read_deployment_by_name(f"campaign/{name}")


async def automations(name: str = "mugs") -> list[Automation]:
    async with get_client() as client:
        return await client.read_automations_by_name(automation_name(name))


@pytest.mark.usefixtures("pool")
async def test_a_file_becomes_a_deployment_with_schedule_form_and_automation_and_a_second_time_changes_nothing(
    tmp_path: Path,
) -> None:
    file = written(tmp_path)

    first = await deploy_files([file])
    made = await deployed()
    second = await deploy_files([file])

    assert first == {
        "mugs": [
            "deployment campaign/mugs: created",
            "schedule: cron 0 6 * * 1, Europe/Berlin",
            "notify: partial, review, by people",
        ]
    }
    assert second == {"mugs": []}
    assert (made.description, made.work_pool_name, made.entrypoint) == (
        "Mugs for the shop, anew each week.",
        WORK_POOL,
        "flows/campaign.py:campaign",
    )
    assert made.parameters == {"campaign": file}
    assert made.tags == ["campaign:mugs"]
    assert made.global_concurrency_limit is not None
    assert made.concurrency_options is not None
    assert (made.global_concurrency_limit.limit, made.concurrency_options.collision_strategy) == (
        1,
        ConcurrencyLimitStrategy.ENQUEUE,
    )
    (schedule,) = made.schedules
    assert schedule.schedule == CronSchedule(cron="0 6 * * 1", timezone="Europe/Berlin")
    (told,) = await automations()
    assert told.enabled
    assert (await deployed()).updated == made.updated, "it was not written again"


@pytest.mark.usefixtures("pool")
async def test_its_form_shows_its_variables_alone_and_takes_what_they_take(tmp_path: Path) -> None:
    await deploy_files([written(tmp_path)])
    await put_lists("deploying")

    form: dict[str, Any] = (await deployed()).parameter_openapi_schema or {}
    fields = form["properties"]["variables"]["properties"]
    assert list(form["properties"]) == ["variables"]
    assert fields["product"] == {"type": "string", "title": "Product", "description": "What is shown.", "default": "mug"}
    assert fields["look"] == {"type": "string", "title": "Look", "default": "soft", "enum": ["soft", "hard"]}
    assert [(one["type"], one["default"]) for one in (fields["budget"], fields["framed"])] == [("number", 40), ("boolean", False)]
    validate({"campaign": "x", "variables": {"product": "vase", "look": "hard"}}, form, raise_on_error=True)
    async with get_client() as client:
        with pytest.raises(httpx.HTTPStatusError) as refused:
            await client.create_flow_run_from_deployment((await deployed()).id, parameters={"variables": {"look": "odd"}})
    assert "'odd' is not one of" in refused.value.response.text


@pytest.mark.usefixtures("pool")
async def test_what_the_file_changes_is_changed_and_told_and_what_a_person_changed_stays(tmp_path: Path) -> None:
    file = written(tmp_path)
    await deploy_files([file])
    before = await deployed()
    (told,) = await automations()
    async with get_client() as client:
        await client.update_deployment_schedule(before.id, before.schedules[0].id, active=False)
        own = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(hours=1)), slug="mine")
        await client.create_deployment_schedules(before.id, [own])
        parameters = {**before.parameters, "priority": 5}
        await client.update_deployment(before.id, DeploymentUpdate(tags=["mine"], parameters=parameters))
        await client.pause_automation(told.id)
    changed = (
        CAMPAIGN.replace("0 6 * * 1", "0 7 * * 2").replace("partial, review", "partial").replace("title: Product", "title: Thing")
    )

    assert await deploy_files([file]) == {"mugs": []}
    assert await deploy_files([written(tmp_path, changed + "overlap: skip\n")]) == {
        "mugs": [
            "form: product changed",
            "overlap: queue → skip",
            "schedule: cron 0 6 * * 1, Europe/Berlin → cron 0 7 * * 2, Europe/Berlin, paused as before",
            "notify: partial, by people, off as before",
        ]
    }

    after = await deployed()
    assert after.id == before.id
    assert {one.slug: one.active for one in after.schedules} == {"file-1": False, "mine": True}
    assert (after.tags, after.parameters["priority"]) == (["mine"], 5)
    (told,) = await automations()
    assert not told.enabled


@pytest.mark.usefixtures("pool")
async def test_schedules_come_and_go_with_the_list_of_the_file(tmp_path: Path) -> None:
    several = """\
schedule:
  - {interval: 6h, timezone: Europe/Berlin}
  - {rrule: "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", parameters: {variables: {look: hard}, take: 2}}
"""
    base = CAMPAIGN.partition("schedule:")[0]

    first = await deploy_files([written(tmp_path, base + several)])
    there = {one.slug: one for one in (await deployed()).schedules}
    again = await deploy_files([written(tmp_path, base + several)])
    fewer = await deploy_files([written(tmp_path, base)])

    assert first["mugs"][1:] == [
        "schedule: each 6:00:00, Europe/Berlin",
        "schedule: rrule FREQ=WEEKLY;BYDAY=MO;BYHOUR=9, UTC, variables: {'look': 'hard'}, take: 2",
    ]
    assert there["file-2"].parameters == {"variables": {"look": "hard"}, "take": 2}
    assert again == {"mugs": []}
    assert sorted(line.rpartition(": ")[2] for line in fewer["mugs"]) == ["removed", "removed"]
    assert (await deployed()).schedules == []


@pytest.mark.usefixtures("pool")
async def test_everything_that_is_wrong_is_told_with_its_line_and_nothing_is_deployed(tmp_path: Path) -> None:
    sound = tmp_path / "sound.yaml"
    sound.write_text("campaign: sound\nsteps:\n  - {name: hero, model: imagen4, prompt: a cup}\n")
    wrong = """\
overlap: perhaps
schedule:
  - {cron: "0 25 * * 1"}
  - {interval: 6h, timezone: Europe/Berln}
  - {rrule: "FREQ=OFTEN", parameters: {takes: 2}}
  - {cron: "* * * * *", parameters: {variables: {look: odd}}}
notify: {on: [partial], block: nobody}
"""
    with pytest.raises(InputError) as shape:
        await deploy_files([str(sound), written(tmp_path, CAMPAIGN.partition("schedule:")[0] + wrong)])
    mended = wrong.replace("Berln", "Berlin").replace("perhaps", "skip")
    with pytest.raises(InputError) as meaning:
        await deploy_files([str(sound), written(tmp_path, CAMPAIGN.partition("schedule:")[0] + mended)])

    assert [fault.place for fault in shape.value.faults] == [
        "mugs.yaml:14:30, schedule, timezone",
        "mugs.yaml:11:10, overlap",
    ]
    told = {fault.place: fault.what for fault in meaning.value.faults}
    assert list(told) == [
        "mugs.yaml:13:12, schedule, cron",
        "mugs.yaml:15:47, schedule, takes",
        "mugs.yaml:15:13, schedule, rrule",
        "variable look",
        "mugs.yaml:17:32, notify, block",
    ]
    assert told["mugs.yaml:17:32, notify, block"].startswith("nobody is no notification block that is saved in Prefect")
    async with get_client() as client:
        assert await client.read_deployments() == []


@pytest.mark.usefixtures("pool")
async def test_undeploy_takes_away_what_deploy_made_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(CAMPAIGN.replace("campaign: mugs", "campaign: other"))
    await deploy_files([file, str(other)])
    await save_automation(PROJECT, "")
    async with get_client() as client:
        await client.create_deployment(await client.create_flow_from_name("campaign"), "somebody-s")

        with pytest.raises(InputError, match="somebody-s: is not deployed by `genmedia deploy`; there are mugs, other"):
            await undeploy_campaign("somebody-s")
        by_file = await undeploy_campaign(file)
        left = {one.name for one in await client.read_deployments()}

    assert by_file == {
        "mugs": ["deployment campaign/mugs: removed", "automation 'genmedia: the campaign mugs needs a person': removed"]
    }
    assert left == {"other", "somebody-s"}
    assert await automations() == []
    assert len(await automations("other")) == 1
    assert (await undeploy_campaign("other"))["other"][0] == "deployment campaign/other: removed"


@pytest.mark.usefixtures("pool")
async def test_a_deployment_of_that_name_that_a_person_made_is_not_written_over(tmp_path: Path) -> None:
    async with get_client() as client:
        await client.create_deployment(await client.create_flow_from_name("campaign"), "mugs", description="mine")

        with pytest.raises(InputError, match="there is a deployment campaign/mugs that `genmedia deploy` did not make"):
            await deploy_files([written(tmp_path)])

    assert (await deployed()).description == "mine"


def test_the_commands_deploy_the_shipped_campaigns_and_take_them_away(pool: str) -> None:
    files = sorted(str(one.relative_to(PROJECT)) for one in (PROJECT / "deployments/campaigns").glob("*.yaml"))

    made = genmedia("deploy", *files, PREFECT_API_URL=pool)
    again = genmedia("deploy", *files, PREFECT_API_URL=pool)
    gone = genmedia("undeploy", "deployments/campaigns/nightly.yaml", PREFECT_API_URL=pool)

    assert made.returncode == again.returncode == gone.returncode == 0, made.stderr + again.stderr + gone.stderr
    assert [line for line in made.stdout.splitlines() if line.endswith("created")] == [
        f"{name}: deployment campaign/{name}: created"
        for name in ("catalogue", "character", "nightly", "product-set", "storyboard")
    ]
    assert [line.partition(": ")[2] for line in again.stdout.splitlines()] == ["unchanged"] * 5
    assert gone.stdout.splitlines()[0] == "nightly: deployment campaign/nightly: removed"
