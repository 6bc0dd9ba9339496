"""The automation that tells a person: off until a block is named, kept as a person left it, and heard by runs that end as Partial."""

import asyncio
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.flows import Flow
from prefect.states import Failed

from blocks import AssetStore
from deployments.automations import NAME, save_automation
from genmedia.errors import SettingsError
from tests.commands import PROJECT, python_module

pytestmark = pytest.mark.usefixtures("bare_prefect")


async def saved() -> list[Automation]:
    async with get_client() as client:
        return await client.read_automations_by_name(NAME)


def ending_as_partial(name: str) -> Flow[[], Any]:
    @flow(name=name)
    async def run() -> State[Any]:
        return Failed(name="Partial", message="1 bought, 1 failed; 3 credits charged. step hero: the brush broke")

    return run


async def test_it_is_saved_once_and_off_and_stays_as_a_person_leaves_it(tmp_path: Path, bare_prefect: str) -> None:
    for _ in range(2):
        done = python_module(
            "deployments.bootstrap", PREFECT_API_URL=bare_prefect, GENMEDIA_BLOCKS="told", GENMEDIA_STORE=str(tmp_path)
        )
        assert done.returncode == 0, done.stderr
    (off,) = await saved()
    async with get_client() as client:
        known = off.model_dump(exclude={"id", "owner_resource"})
        changed = AutomationCore.model_validate({**known, "enabled": True, "description": "mine"})
        await client.update_automation(off.id, changed)

    assert await save_automation(PROJECT, "") == "is there, on"

    (kept,) = await saved()
    assert (off.enabled, kept.enabled, kept.description) == (False, True, "mine")


@pytest.mark.parametrize("block", ["slack-webhook/nobody", "asset-store/tells-nobody", "slack-webhook"])
async def test_a_block_that_is_not_saved_or_cannot_notify_is_told(tmp_path: Path, block: str) -> None:
    await AssetStore(root=str(tmp_path)).asave("tells-nobody", overwrite=True)

    with pytest.raises(SettingsError, match=f"no notification block is saved as '{block}'"):
        await save_automation(PROJECT, block)

    assert await saved() == []


async def test_a_run_that_ends_as_partial_is_told_by_the_block_that_is_named(told: tuple[str, "Queue[str]"]) -> None:
    address, heard = told
    block = CustomWebhookNotificationBlock.model_validate(
        {"name": "genmedia", "url": address, "json_data": {"subject": "{{subject}}", "body": "{{body}}"}}
    )
    await block.asave("people", overwrite=True)
    await save_automation(PROJECT, "")

    assert await save_automation(PROJECT, "custom-webhook/people") == "on, by custom-webhook/people"
    first = ""
    while not first:  # the server takes a moment to listen for it
        await ending_as_partial("somebody-elses")(return_state=True)
        await ending_as_partial("image-batch")(return_state=True)
        with suppress(Empty):
            first = await asyncio.to_thread(heard.get, timeout=10)

    assert "image-batch" in first
    assert "Partial" in first
    assert "the brush broke" in first
    assert len(await saved()) == 1
