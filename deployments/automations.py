"""The automation that notifies a person of runs that did not end complete; it is off until a notification block is named.

A run with missing results ends in a failed state named `Partial`: a trigger on `Failed` alone does not match it.
"""

from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from genmedia.cli.project import Project
from genmedia.errors import SettingsError

NAME = "genmedia: a run needs a person"
STATES = ("Partial", "Refused", "Failed", "Crashed", "TimedOut", "Paused")
"""Names of the states that a person has to know of; a run pauses to ask about purchases in doubt."""

SUBJECT = "{{ flow.name }} {{ flow_run.name }}: {{ flow_run.state.name }}"
BODY = "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}"


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
    async with get_client() as client:
        try:
            block = await client.read_block_document_by_name(name, kind, include_secrets=False)
        except ObjectNotFound:
            block = None
    if not block or not block.block_schema or "notify" not in block.block_schema.capabilities:
        raise SettingsError(
            f"no notification block is saved as {notify!r}",
            advice="Save one in the Prefect UI (Blocks), and name it in GENMEDIA_NOTIFY as its type's slug and its name, "
            "such as slack-webhook/team.",
        )
    return SendNotification(block_document_id=block.id, subject=SUBJECT, body=BODY)
