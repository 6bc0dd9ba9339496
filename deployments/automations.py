"""The automations that notify a person: that of the project, which is off until a notification block is named, and those of campaigns.

The first tells of all runs that did not end complete; the others of what their campaign's file names under `notify`. A run with missing
results ends in a failed state named `Partial`: a trigger on `Failed` alone does not match it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from genmedia.campaign.file.routine import News
from genmedia.cli.project import Project
from genmedia.errors import SettingsError
from genmedia.purchasing.result import WAITING

NAME = "genmedia: a run needs a person"
STATES = ("Partial", "Refused", "Failed", "Crashed", "TimedOut", "Paused", WAITING)
"""Names of the states that a person has to know of; a run pauses to ask about purchases in doubt."""

SUBJECT = "{{ flow.name }} {{ flow_run.name }}: {{ flow_run.state.name }}"
BODY = "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}"

EVENTS: Mapping[News, Iterable[str]] = {
    "review": ["genmedia.review.wanted"],
    "partial": ["prefect.flow-run.Partial"],
    "failed": [f"prefect.flow-run.{state}" for state in ("Failed", "Refused", "Crashed", "TimedOut")],
    "budget": ["genmedia.budget.short", "genmedia.budget.reached"],
    "in doubt": ["genmedia.item.in_doubt"],
}
"""The events that a campaign's file listens to, by its word for them; the third of a run that a budget refuses comes under both."""

_SUBJECT = "{{ flow_run.name }}: {{ event.event|replace('prefect.flow-run.', '')|replace('genmedia.', '') }}"
_BODY = "{{ event.payload.told or flow_run.state.message }}\n{{ flow_run|ui_url }}"


async def save_automation(project: Path, notify: str) -> str:
    """Save the automation; an existing one stays as it is unless a block is named. Returns what was done.

    Args:
        project: The checkout; the automation listens to its flows.
        notify: A saved notification block, as its type's slug and its name, such as `slack-webhook/team`; empty for none.

    Raises:
        SettingsError: There is no such block.
    """
    flows = sorted({one.flow_name for one in Project(project).presets})
    async with get_client() as client:
        there = await client.read_automations_by_name(NAME)
        if there and not notify:
            return f"is there, {'on' if there[0].enabled else 'off'}"
        wanted = AutomationCore(
            name=NAME,
            description=f"Tells of runs of this project that end as {', '.join(STATES)}.",
            enabled=bool(notify),
            trigger=EventTrigger(
                expect={f"prefect.flow-run.{state}" for state in STATES},
                match=ResourceSpecification.model_validate({"prefect.resource.id": "prefect.flow-run.*"}),
                match_related=ResourceSpecification.model_validate(
                    {"prefect.resource.role": "flow", "prefect.resource.name": flows}
                ),
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=[await _telling(notify) if notify else DoNothing()],
        )
        if there:
            await client.update_automation(there[0].id, wanted)
        else:
            await client.create_automation(wanted)
    return f"on, by {notify}" if notify else "off; name a notification block with GENMEDIA_NOTIFY, such as slack-webhook/team"


async def _telling(notify: str) -> SendNotification:
    kind, _, name = notify.partition("/")
    found = await notification_blocks(name)
    if kind not in found or not name:
        raise SettingsError(
            f"no notification block is saved as {notify!r}",
            advice="Save one in the Prefect UI (Blocks), and name it in GENMEDIA_NOTIFY as its type's slug and its name, "
            "such as slack-webhook/team.",
        )
    return SendNotification(block_document_id=found[kind], subject=SUBJECT, body=BODY)


async def notification_blocks(name: str) -> dict[str, UUID]:
    """Return the saved notification blocks of this name: the id of each, by the slug of its type."""
    asked = {"block_documents": {"name": {"any_": [name]}}, "include_secrets": False}
    async with get_client() as client:
        answer = await client.request("POST", "/block_documents/filter", json=asked)
    found = [BlockDocument.model_validate(one) for one in answer.json()]
    return {
        one.block_type.slug: one.id
        for one in found
        if one.block_type and one.block_schema and "notify" in one.block_schema.capabilities
    }


def campaign_automation(campaign: str, deployment: UUID, on: Iterable[News], block: UUID) -> AutomationCore:
    """Return the automation that tells of a campaign's runs.

    Args:
        campaign: Name of the campaign.
        deployment: Id of its deployment, whose runs are listened to.
        on: What is told.
        block: Id of the notification block.
    """
    resource = f"prefect.deployment.{deployment}"
    return AutomationCore(
        name=automation_name(campaign),
        description=f"Tells of runs of the campaign {campaign}: {', '.join(on)}. Its file says so; `genmedia deploy` writes it.",
        trigger=EventTrigger(
            expect={event for one in on for event in EVENTS[one]},
            match_related=ResourceSpecification.model_validate(
                {"prefect.resource.role": "deployment", "prefect.resource.id": resource}
            ),
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[SendNotification(block_document_id=block, subject=_SUBJECT, body=_BODY)],
        owner_resource=resource,
    )


def automation_name(campaign: str) -> str:
    """Return the name of a campaign's automation."""
    return f"genmedia: the campaign {campaign} needs a person"


async def read_campaign_automation(client: PrefectClient, campaign: str, deployment: UUID) -> Automation | None:
    """Return the automation of a campaign's deployment; None where it has none."""
    related = await client.read_resource_related_automations(f"prefect.deployment.{deployment}")
    return next((one for one in related if one.name == automation_name(campaign)), None)
