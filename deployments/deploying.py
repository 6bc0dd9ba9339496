"""Deploying campaigns from their files: deployments of the flow `campaign` with schedules, forms of their variables, and automations.

What a file does not say is a person's: a schedule that is paused stays paused, and so does an automation that is off; further schedules,
parameters, tags and the work pool of a deployment stay as they are.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentCreate, DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import SCHEDULE_TYPES, CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.utilities.templating import apply_values
from pydantic import ValidationError

from deployments.automations import campaign_automation, notification_blocks, read_campaign_automation
from deployments.bootstrap import PROJECT, WORK_POOL
from deployments.forms import producers_form
from deployments.server import reach_server
from genmedia.campaign.file.campaign import CampaignFile
from genmedia.campaign.file.routine import NOTIFY, Notify, Overlap, Routine, Schedule, read_routine, schedule_way
from genmedia.campaign.forms.campaign import campaign as form
from genmedia.campaign.forms.campaign import read_file
from genmedia.errors import Fault, InputError, gathering
from genmedia.forms.validation import faults_in, parameters_of
from tasks.parts import DEPLOYED

FLOW = "campaign"
ENTRYPOINT = "flows/campaign.py:campaign"

_STRATEGIES: Mapping[Overlap, ConcurrencyLimitStrategy] = {
    "queue": ConcurrencyLimitStrategy.ENQUEUE,
    "skip": ConcurrencyLimitStrategy.CANCEL_NEW,
}
_MIDNIGHT = datetime(2020, 1, 1)  # noqa: DTZ001 # in the time zone of its schedule
"""The moment from which intervals are counted: an interval of 6h fires at midnight, at six and so on."""

_HERE = "prefect.deployments.steps.set_working_directory"
"""The pull step after which a run works in a folder of this machine."""

Changes = Mapping[str, Sequence[str]]
"""Lines that say what was changed, by campaign; none for one that is as its file says."""


@dataclass(frozen=True)
class _Wanted:
    """What a file asks for.

    Attributes:
        name: Name of the campaign, and of its deployment.
        fields: Fields of the deployment.
        schedules: Its schedules, in the order of the file.
        on: What a person is told of.
        block: The notification block, and its id; None where nobody is told.
    """

    name: str
    fields: Mapping[str, Any]
    schedules: Sequence[DeploymentScheduleCreate]
    notify: Notify | None
    block: UUID | None


def deploy(files: Sequence[str]) -> Changes:
    """Write or update the deployments of campaigns' files; returns what was changed.

    Args:
        files: Paths of the files.

    Raises:
        InputError: Everything that is wrong in the files, with line and column; nothing was changed.
        UnreachableError: No Prefect server answers.
    """
    return asyncio.run(deploy_files(files))


async def deploy_files(files: Sequence[str]) -> Changes:
    """Do what `deploy` does."""
    await reach_server()
    faults: list[Fault] = []
    wanted: dict[str, tuple[str, _Wanted]] = {}
    for file in files:
        with gathering(faults):
            one = await _read(file)
            if one.name in wanted:
                raise InputError([Fault(file, f"is of the campaign {one.name}, as {wanted[one.name][0]} is")])
            wanted[one.name] = file, one
    async with get_client() as client:
        there = {name: await _find(client, name) for name in wanted}
        faults += [
            Fault(wanted[name][0], f"cannot be deployed: there is a deployment {FLOW}/{name} that `genmedia deploy` did not make")
            for name, one in there.items()
            if one and DEPLOYED not in one.labels
        ]
        if faults:
            raise InputError(faults)
        return {name: await _write(client, one, there[name]) for name, (_, one) in wanted.items()}


def undeploy(named: str) -> Changes:
    """Remove what `deploy` made of a campaign; returns what was removed.

    Args:
        named: The campaign's file, or its name.

    Raises:
        InputError: There is no such deployment, or `deploy` did not make it.
        UnreachableError: No Prefect server answers.
    """
    return asyncio.run(undeploy_campaign(named))


async def undeploy_campaign(named: str) -> Changes:
    """Do what `undeploy` does."""
    await reach_server()
    name = read_file(named).name if Path(named).is_file() else named
    async with get_client() as client:
        there = await _find(client, name)
        if there is None or DEPLOYED not in there.labels:
            mine = sorted(one.name for one in await client.read_deployments() if DEPLOYED in one.labels)
            raise InputError([Fault(named, f"is not deployed by `genmedia deploy`; there are {', '.join(mine) or 'none'}")])
        gone = [f"deployment {FLOW}/{name}"]
        if told := await read_campaign_automation(client, name, there.id):
            await client.delete_automation(told.id)
            gone.append(f"automation {told.name!r}")
        await client.delete_deployment(there.id)
    return {name: [f"{one}: removed" for one in gone]}


# Reading


async def _read(file: str) -> _Wanted:
    """Return what a file asks for.

    Raises:
        InputError: Everything that is wrong.
    """
    campaign, faults = read_file(file), list[Fault]()
    routine, schedules, block = Routine([], "queue", None), list[DeploymentScheduleCreate](), None
    with gathering(faults):
        routine = read_routine(campaign.source)
    for number, one in enumerate(routine.schedules):
        with gathering(faults):
            schedules.append(_schedule(campaign, number, one))
    steps = _pull_steps()
    path = Path(file).expanduser().resolve()
    inside = path.is_relative_to(PROJECT)
    if not inside and {_HERE} != {step for one in steps for step in one}:
        faults.append(Fault(file, "lies outside of the project, and by prefect.yaml (pull) its runs have the project alone"))
    if routine.notify:
        with gathering(faults):
            block = await _block(campaign, routine.notify)
    if faults:
        raise InputError(faults)
    fields = {
        "description": _about(path),
        "entrypoint": ENTRYPOINT,
        "pull_steps": steps,
        "parameters": {"campaign": str(path.relative_to(PROJECT) if inside else path)},
        "parameter_openapi_schema": producers_form(campaign.variables),
        "concurrency_limit": 1,
        "concurrency_options": ConcurrencyOptions(collision_strategy=_STRATEGIES[routine.overlap]),
    }
    return _Wanted(campaign.name, fields, schedules, routine.notify, block)


def _schedule(file: CampaignFile, number: int, asked: Schedule) -> DeploymentScheduleCreate:
    way = schedule_way(file.source, number)
    faults: list[Fault] = []
    try:
        parameters_of(form, without=("campaign",)).model_validate(asked.parameters)
    except ValidationError as error:
        faults += [
            Fault(file.source.place((*way, "parameters", *one.place.split(", ")), "schedule", one.place), one.what)
            for one in faults_in(error, asked.parameters)
        ]
    else:
        with gathering(faults):
            file.given(asked.parameters.get("variables", {}))
    try:
        when = _when(asked)
    except ValidationError as error:
        told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        faults.append(Fault(file.source.place((*way, asked.way), "schedule", asked.way), f"cannot be read: {told}"))
        raise InputError(faults) from None
    if faults:
        raise InputError(faults)
    return DeploymentScheduleCreate(schedule=when, parameters=asked.parameters, slug=f"file-{number + 1}")


def _when(asked: Schedule) -> SCHEDULE_TYPES:
    if asked.cron is not None:
        return CronSchedule(cron=asked.cron, timezone=asked.timezone)
    if asked.rrule is not None:
        return RRuleSchedule(rrule=asked.rrule, timezone=asked.timezone)
    anchor = _MIDNIGHT.replace(tzinfo=ZoneInfo(asked.timezone))
    return IntervalSchedule(interval=asked.every, anchor_date=anchor, timezone=asked.timezone)


async def _block(file: CampaignFile, notify: Notify) -> UUID:
    """Return the id of the block that notifies.

    Raises:
        InputError: There is none, or there are several of the name.
    """
    kind, _, name = notify.block.rpartition("/")
    found = {slug: block for slug, block in (await notification_blocks(name)).items() if kind in ("", slug)}
    if len(found) == 1:
        return next(iter(found.values()))
    several = f"is the name of several: {', '.join(f'{slug}/{name}' for slug in found)}"
    none = "is no notification block that is saved in Prefect; save one in its UI (Blocks), such as a Slack Webhook"
    raise InputError(
        [Fault(file.source.place((NOTIFY, "block"), NOTIFY, "block"), f"{notify.block} {several if found else none}")]
    )


def _pull_steps() -> list[dict[str, Any]]:
    """Return the steps of prefect.yaml by which runs get the project."""
    written = (PROJECT / "prefect.yaml").read_text(encoding="utf-8").replace("{{ $PWD }}", str(PROJECT))
    steps: Any = apply_values(yaml.safe_load(written)["pull"], {}, remove_notset=False)
    return steps


def _about(file: Path) -> str:
    """Return the comment that a file begins with, as the description of its deployment."""
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    comment = [line.lstrip("# ") for line in lines[: next((n for n, line in enumerate(lines) if line[:1] != "#"), len(lines))]]
    return " ".join(line for line in comment if not re.match(r"yaml-language-server:", line)).strip()


# Writing


async def _find(client: PrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return await client.read_deployment_by_name(f"{FLOW}/{name}")
    except ObjectNotFound:
        return None


async def _write(client: PrefectClient, wanted: _Wanted, there: DeploymentResponse | None) -> list[str]:
    """Make the deployment as it is wanted; returns what was changed."""
    if there is None:
        deployment, told = await _create(client, wanted), [f"deployment {FLOW}/{wanted.name}: created"]
        schedules: Mapping[str, DeploymentSchedule] = {}
    else:
        deployment, told = there.id, await _update(client, wanted, there)
        schedules = {one.slug: one for one in there.schedules if one.slug and re.fullmatch(r"file-\d+", one.slug)}
    told += await _write_schedules(client, deployment, wanted.schedules, schedules)
    return told + await _write_automation(client, deployment, wanted)


async def _create(client: PrefectClient, wanted: _Wanted) -> UUID:
    made = DeploymentCreate(
        name=wanted.name,
        flow_id=await client.create_flow_from_name(FLOW),
        tags=[f"campaign:{wanted.name}"],
        labels={DEPLOYED: wanted.name},
        work_pool_name=WORK_POOL,
        enforce_parameter_schema=True,
        **wanted.fields,
    )
    told = made.model_dump(mode="json", exclude_unset=True)
    answer = await client.request("POST", "/deployments/", json=told)  # the method for it takes no labels
    return UUID(answer.json()["id"])


async def _update(client: PrefectClient, wanted: _Wanted, there: DeploymentResponse) -> list[str]:
    limit, parameters = there.global_concurrency_limit, there.parameters
    now: dict[str, Any] = {name: getattr(there, name) for name in wanted.fields}
    now["concurrency_limit"] = limit and limit.limit
    now["parameters"] = {name: parameters.get(name) for name in wanted.fields["parameters"]}
    changed = {name: one for name, one in wanted.fields.items() if one != now[name]}
    if not changed:
        return []
    told = list(dict.fromkeys(_WORDS[name](now[name], one) for name, one in changed.items()))
    if "parameters" in changed:
        changed["parameters"] = {**parameters, **changed["parameters"]}
    await client.update_deployment(there.id, DeploymentUpdate.model_validate(changed))
    return told


def _fields_that_differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return the names of the variables whose fields are new, gone or changed."""
    old, new = (form.get("properties", {}).get("variables", {}).get("properties", {}) for form in (before, now))
    return ", ".join(name for name in {**old, **new} if old.get(name) != new.get(name)) or "the whole"


def _overlap(options: ConcurrencyOptions | None) -> str:
    return next((word for word, one in _STRATEGIES.items() if options and one is options.collision_strategy), "any")


_WORDS: Mapping[str, Callable[[Any, Any], str]] = {
    "description": lambda before, now: f"description: {before} → {now}",
    "entrypoint": lambda before, now: f"flow: {before} → {now}",
    "pull_steps": lambda before, now: f"project: {before} → {now}",
    "parameters": lambda before, now: f"file: {before['campaign']} → {now['campaign']}",
    "parameter_openapi_schema": lambda before, now: f"form: {_fields_that_differ(before, now)} changed",
    "concurrency_limit": lambda before, now: f"runs at once: {before} → {now}",
    "concurrency_options": lambda before, now: f"overlap: {_overlap(before)} → {_overlap(now)}",
}
"""What a changed field of a deployment is told as, by its values."""


async def _write_schedules(
    client: PrefectClient,
    deployment: UUID,
    wanted: Sequence[DeploymentScheduleCreate],
    there: Mapping[str, DeploymentSchedule],
) -> list[str]:
    told: list[str] = []
    for one in wanted:
        before = there.get(one.slug or "")
        if before is None:
            await client.create_deployment_schedules(deployment, [one])
            told.append(f"schedule: {_told(one)}")
        elif (before.schedule, before.parameters) != (one.schedule, one.parameters):
            await client.update_deployment_schedule(deployment, before.id, schedule=one.schedule, parameters=one.parameters)
            told.append(f"schedule: {_told(before)} → {_told(one)}{'' if before.active else ', paused as before'}")
    for slug in there.keys() - {one.slug for one in wanted}:
        await client.delete_deployment_schedule(deployment, there[slug].id)
        told.append(f"schedule: {_told(there[slug])}: removed")
    return told


def _told(one: DeploymentScheduleCreate | DeploymentSchedule) -> str:
    schedule = one.schedule
    if isinstance(schedule, CronSchedule):
        when = f"cron {schedule.cron}"
    elif isinstance(schedule, RRuleSchedule):
        when = f"rrule {schedule.rrule.splitlines()[-1]}"  # Prefect puts the beginning of all times before it
    elif isinstance(schedule, IntervalSchedule):
        when = f"each {schedule.interval}"
    else:
        return "none"
    given = f", {', '.join(f'{name}: {value}' for name, value in one.parameters.items())}" if one.parameters else ""
    return f"{when}, {schedule.timezone}{given}"


async def _write_automation(client: PrefectClient, deployment: UUID, wanted: _Wanted) -> list[str]:
    there = await read_campaign_automation(client, wanted.name, deployment)
    if wanted.notify is None or wanted.block is None:
        if there:
            await client.delete_automation(there.id)
        return ["notify: removed"] if there else []
    automation = campaign_automation(wanted.name, deployment, wanted.notify.on, wanted.block)
    told = f"notify: {', '.join(wanted.notify.on)}, by {wanted.notify.block}"
    if there is None:
        await client.create_automation(automation)
        return [told]
    if _compared(there) == _compared(automation):
        return []
    kept = {**automation.model_dump(exclude={"owner_resource"}), "enabled": there.enabled, "tags": there.tags}
    await client.update_automation(there.id, AutomationCore.model_validate(kept))
    return [f"{told}{'' if there.enabled else ', off as before'}"]


def _compared(one: AutomationCore) -> Any:
    """Return what tells two automations apart, without what a person may change."""
    trigger = one.trigger
    assert isinstance(trigger, EventTrigger)
    return one.description, trigger.model_dump(exclude={"id"}), one.actions
