"""What a campaign's run tells in Prefect while it goes on: one table, its plan, and events for automations."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact

from deployments.local_run import Ended, run_here
from flows.campaign import campaign
from genmedia.errors import BudgetError, ContentRefusedError, GenmediaError, HeldError, InDoubtError, MediaTypeError
from genmedia.jobs.job import Account
from genmedia.journal.order import Order, Purpose
from tasks.events import ItemEvents
from tests.studio import Studio


def text_of(studio: Studio, name: str, more: str = "") -> str:
    return f"""\
campaign: {name}
accounts: {{genova: {studio.name}}}
store: {studio.name}
rows: [{{sku: red}}, {{sku: blue}}, {{sku: green}}]
max_credits: {{genova: 10}}
edition: first
steps:
  - {{name: cup, model: imagen4, prompt: "a {{{{ row.sku }}}} cup"}}
  - {{name: small, local: resize, input: {{step: cup}}, width: 64, height: 64}}
{more}"""


async def artifacts(key: str) -> list[Artifact]:
    async with get_client() as client:
        return await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))


async def events(campaign: str, *names: str, least: int = 1) -> list[dict[str, Any]]:
    """The events of a campaign under these names, once there are so many: they are written in batches."""
    asked = {"filter": {"event": {"name": list(names)}, "related": {"id": [f"genmedia.campaign.{campaign}"]}}}
    found: list[dict[str, Any]] = []
    async with get_client() as client:
        while len(found) < least:
            found = (await client.request("POST", "/events/filter", json=asked)).json()["events"]
            await asyncio.sleep(0.1)
    return found


async def test_one_table_tells_how_a_run_stands_while_it_goes_on_and_is_right_at_its_end(
    genova: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.overview.SECONDS", 0.01)
    genova.sandbox.fault(genova.account, "capture_failure")
    seen: list[str] = []

    async def look() -> None:
        while True:
            seen.extend(one.description or "" for one in await artifacts("told-progress"))
            await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    ended: Ended = await run_here(
        campaign,
        {"campaign": text_of(genova, "told", f'deliver: {{to: {genova.root}-out, names: "{{row.sku}}/{{step}}.{{ext}}"}}')},
    )
    looking.cancel()

    assert ended.name == "Partial", ended.message
    assert any(" running" in one for one in seen), "it was there while the run went on"
    (table,) = await artifacts("told-progress")
    assert str(table.flow_run_id) == ended.page.rpartition("/")[2]
    cup, small, whole = json.loads(str(table.data))
    counts = {"items": 3, "done": 2}
    assert cup == {"step": "cup", **counts, "failed": 1, "not made": 0, "spent": "genova 3 credits"}
    assert small == {"step": "small", **counts, "failed": 0, "not made": 1, "spent": ""}
    assert whole == {"step": "all", "items": 6, "done": 4, "failed": 1, "not made": 1, "spent": "genova 3 credits of 10 credits"}
    assert table.description == f"4 of 6 done, 1 failed, 1 not made. Its files are delivered to {genova.root}-out."
    (plan,) = await artifacts("told-plan")
    assert "Edition first. How long it takes is not known: 3 of the jobs never ran here before." in str(plan.data)
    assert f"Its files are delivered to {genova.root}-out." in str(plan.data)
    assert "| cup-red | genova image imagen4 | new | 1 credit |" in str(plan.data)


async def test_a_run_that_finds_everything_made_says_so_and_how_long_the_next_would_take(genova: Studio) -> None:
    await run_here(campaign, {"campaign": text_of(genova, "made-already")})
    await run_here(campaign, {"campaign": text_of(genova, "made-already")})

    tables = await artifacts("made-already-progress")
    assert [one.description for one in tables] == ["6 of 6 done. "] * 2
    assert {json.loads(str(one.data))[-1]["spent"] for one in tables} == {"genova 3 credits of 10 credits", "genova nothing"}


async def test_each_item_is_told_by_events_that_name_the_campaign_and_the_run(genova: Studio) -> None:
    ended: Ended = await run_here(campaign, {"campaign": text_of(genova, "heard")})

    bought = await events("heard", "genmedia.item.bought", least=3)
    stored = await events("heard", "genmedia.item.stored", least=6)
    assert sorted(one["payload"]["item"] for one in bought) == ["cup-blue", "cup-green", "cup-red"]
    assert len(stored) == 6, "what this machine makes is an item as well"
    first = next(one for one in bought if one["payload"]["item"] == "cup-red")
    assert first["resource"]["prefect.resource.id"] == "genmedia.item.heard.cup-red"
    assert (first["payload"]["provider"], first["payload"]["price"], first["payload"]["unit"]) == ("genova", 1, "credits")
    related = {one["prefect.resource.role"]: one["prefect.resource.id"] for one in first["related"]}
    assert related["flow-run"].removeprefix("prefect.flow-run.") == ended.page.rpartition("/")[2]


async def test_a_plan_that_cannot_be_paid_for_is_an_event_of_its_campaign(genova: Studio) -> None:
    text = text_of(genova, "dear").replace("genova: 10", "genova: 2")

    ended: Ended = await run_here(campaign, {"campaign": text})

    assert ended.name == "Refused"
    (short,) = await events("dear", "genmedia.budget.short")
    assert short["resource"]["prefect.resource.id"] == "genmedia.campaign.dear"
    assert "what is not bought yet would cost 3 credits, more than the 2 allowed" in short["payload"]["told"]
    assert await artifacts("dear-progress") == [], "nothing went on"


@pytest.mark.usefixtures("prefect")
async def test_what_ends_an_item_has_a_word_of_its_own_and_a_cap_is_told_once_for_all_items_that_it_ends() -> None:
    order = Order(Account("genova", "http://127.0.0.1", "me"), "image", {}, 1, "credits", purpose=Purpose("ended", "cup"))
    faults: list[GenmediaError] = [
        ContentRefusedError("not that"),
        MediaTypeError("no picture"),
        InDoubtError("nobody knows"),
        BudgetError("the cap"),
        HeldError("held"),
    ]

    @flow
    async def ends() -> None:
        told = ItemEvents()
        for fault in faults:
            with pytest.raises(type(fault)), told.of(order):
                raise fault

    await ends()

    names = [f"genmedia.item.{one}" for one in ("refused", "quarantined", "in_doubt")] + ["genmedia.budget.reached"]
    found = await events("ended", *names, least=4)
    assert sorted(one["event"] for one in found) == sorted(names)
    assert {one["payload"]["told"] for one in found} >= {"the cap. Nothing was bought.", str(faults[0])}
    assert UUID(next(one for one in found if "refused" in one["event"])["id"])
