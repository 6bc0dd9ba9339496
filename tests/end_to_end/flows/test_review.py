"""A run of a campaign with a review, on a worker: it waits for people without a process, and goes on by what they decide."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError

from blocks import AssetStore
from flows.campaign import campaign
from genmedia.journal.reviews import Opinion, Review
from genmedia.purchasing.result import WAITING
from tasks.events import REVIEW_WANTED
from tasks.review import look_after_reviews
from tests.commands import genmedia
from tests.end_to_end.flows.reviewed_parts import reviewed_parts
from tests.end_to_end.flows.test_parts import parts_of
from tests.end_to_end.flows.workers import Run, start, until
from tests.studio import Studio

pytestmark = pytest.mark.timeout(600)

MUGS = """\
campaign: {name}
store: {name}
accounts: {{genova: {name}}}
rows: [{{sku: M-1, product: mug}}, {{sku: M-2, product: vase}}]
steps:
  - {{name: hero, model: nano_banana2, prompt: "A {{{{ row.product }}}} on oak", review: true}}
  - {{name: page, model: imagen4, prompt: A page, references: [{{step: hero}}]}}
"""


class Work:
    """A run of a campaign's file, and people who decide."""

    def __init__(self, studio: Studio, run: Run) -> None:
        self.studio = studio
        self.run = run

    async def store(self, name: str) -> AssetStore:
        assert name == self.studio.name
        return self.studio.store

    async def say(self, name: str, opinion: Opinion) -> None:
        async with self.studio.store.get_journal() as journal:
            (found,) = [one for one in await journal.standings(self.studio.name) if one.step == name]
            files = await journal.assets_of([found.attempt.id])
            await journal.reviews.give([(opinion, one.path, one.sidecar) for one in files[found.attempt.id]])

    async def look(self) -> None:
        """What recovery does every quarter of an hour, and a gallery soon after a verdict."""
        await look_after_reviews(self.store, logging.getLogger(__name__))

    async def question(self) -> str:
        """What stands above the form; Prefect tells of the state before it has the form."""
        async with get_client() as client:
            while True:
                run = await client.read_flow_run(self.run.id)
                assert run.state is not None
                assert run.state.state_details.run_input_keyset is not None
                with suppress(PrefectHTTPStatusError):
                    return await client.read_flow_run_input(run.id, run.state.state_details.run_input_keyset["description"])
                await asyncio.sleep(0.2)

    async def answer(self, answer: Mapping[str, Any]) -> str:
        """Answer in the form as Prefect's page does; returns what the server says to it."""
        await self.question()
        async with get_client() as client:
            return (await client.resume_flow_run(self.run.id, run_input=dict(answer))).status.value

    async def verdicts(self) -> list[Review]:
        async with self.studio.store.get_journal() as journal:
            return await journal.reviews.history(self.studio.name)

    @property
    def prompts(self) -> list[str]:
        return sorted(job["request"]["prompt"] for job in self.studio.jobs)


@pytest.fixture
async def work(prefect: str, pool: str, genova: Studio) -> Work:
    return await begun(prefect, pool, genova, campaign)


async def begun(prefect: str, pool: str, genova: Studio, flow: Flow[..., Any], module: str = "") -> Work:
    """A run that waits for review."""
    run = await start(prefect, pool, flow, {"campaign": MUGS.format(name=genova.name)}, module=module)
    await until(lambda: run.state == WAITING or run.has_ended)
    assert run.state == WAITING, run.message
    return Work(genova, run)


def events_of(api: str, name: str) -> list[dict[str, Any]]:
    wish = {"filter": {"event": {"name": [name]}}}
    return httpx.post(f"{api}/events/filter", json=wish).raise_for_status().json()["events"]


async def test_a_run_waits_without_a_process_and_goes_on_by_verdicts_that_were_given_elsewhere(work: Work, prefect: str) -> None:
    assert work.run.message == "2 items wait for review; Resume, in the menu ⋮ of the run's page, opens a form"
    assert work.prompts == ["A mug on oak", "A vase on oak"]
    await until(lambda: any(one["payload"]["campaign"] == work.studio.name for one in events_of(prefect, REVIEW_WANTED)))
    (told,) = [one for one in events_of(prefect, REVIEW_WANTED) if one["payload"]["campaign"] == work.studio.name]
    assert (told["payload"]["count"], told["payload"]["told"]) == (2, "2 items wait for review: hero-M-1, hero-M-2")
    assert f"prefect.flow-run.{work.run.id}" in [one["prefect.resource.id"] for one in told["related"]]

    await work.look()
    await work.say("hero-M-1", Opinion("keep", "Ann"))
    await work.look()
    assert work.run.state == WAITING, "the other may be decided on in a moment"
    await work.say("hero-M-2", Opinion("retake", "Ben", prompt="A vase on elm"))
    await work.look()
    await until(lambda: work.prompts == ["A mug on oak", "A page", "A vase on elm", "A vase on oak"])
    await until(lambda: work.run.state == WAITING)
    assert work.run.message == "1 item waits for review; Resume, in the menu ⋮ of the run's page, opens a form"

    hero = f"{work.studio.name}/hero-M-2"
    typed = "reject", hero, "--why", "no elm", "--as", "Ben", "--store", work.studio.name
    told = await asyncio.to_thread(genmedia, *typed, PREFECT_API_URL=prefect)
    assert told.returncode == 0, told.stderr
    await until(lambda: work.run.has_ended)

    assert work.run.state == "Completed", work.run.message
    assert len(work.prompts) == 4


async def test_the_form_asks_again_where_the_answer_is_wrong_and_its_answer_is_a_verdict_of_the_person(work: Work) -> None:
    assert "These wait for review: hero-M-1, hero-M-2." in await work.question()

    assert await work.answer({"keep": "all"}) == "REJECT", "what is no answer at all is refused by Prefect itself"
    assert await work.answer({"name": "Ann", "keep": ["hero-M-9"]}) == "REJECT", "names are chosen from those that wait"
    assert await work.answer({"keep": ["hero-M-1"], "reject": ["hero-M-1"]}) == "ACCEPT"
    await until(lambda: work.run.starts == 2 and work.run.state == WAITING)
    again = await work.question()
    assert "**hero-M-1: is named more than once; keep it, reject it or make it again**" in again
    assert "**Your name: is missing" in again
    assert await work.verdicts() == []

    right = {"name": "Ann", "retake": [{"item": "hero-M-2", "prompt": "A vase on elm"}], "rest": "keep", "why": "too dark"}
    assert await work.answer(right) == "ACCEPT"
    await until(lambda: work.run.starts == 3 and work.run.state == WAITING)
    assert {(one.subject.step, one.opinion.verdict, one.opinion.who, one.opinion.prompt) for one in await work.verdicts()} == {
        ("hero-M-1", "keep", "Ann", ""),
        ("hero-M-2", "retake", "Ann", "A vase on elm"),
    }
    assert work.prompts == ["A mug on oak", "A page", "A vase on elm", "A vase on oak"]

    assert await work.answer({"name": "Ben", "rest": "keep"}) == "ACCEPT"
    await until(lambda: work.run.has_ended)
    assert work.run.state == "Completed", work.run.message
    assert work.prompts.count("A page") == 2


async def test_a_run_that_is_cut_into_parts_waits_as_a_whole_and_is_cut_anew_for_what_is_kept(
    prefect: str, pool: str, genova: Studio
) -> None:
    work = await begun(prefect, pool, genova, reviewed_parts, "tests.end_to_end.flows.reviewed_parts")
    parts = {part["name"]: part["state_name"] for part in parts_of(prefect, work.run)}
    assert set(parts.values()) == {WAITING}, parts
    assert work.prompts == ["A mug on oak", "A vase on oak"]

    assert await work.answer({"name": "Ann", "rest": "keep"}) == "ACCEPT"
    await until(lambda: work.run.has_ended)

    assert work.run.state == "Completed", work.run.message
    assert [part["state_name"] for part in parts_of(prefect, work.run)] == [WAITING] * 2 + ["Completed"] * 2
    assert work.prompts == ["A mug on oak", "A page", "A page", "A vase on oak"]
