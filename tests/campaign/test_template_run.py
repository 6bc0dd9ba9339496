"""Generio's flow by plain calls, against the sandbox: any template, a chain of them, nothing paid twice."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from prefect import Flow

from blocks import AssetStore, GenerioCredentials
from blocks.credentials import ProviderCredentials
from flows.campaign import campaign
from flows.template_run import template_run
from genmedia.errors import BudgetError, HeldError, InputError
from genmedia.journal import Journal, Scope
from genmedia.providers.generio.steps import Material, flow_order, given_as
from genmedia.providers.generio.templates import TemplateStep
from genmedia.purchasing.result import Result
from genmedia.store import Place
from tests.processes import PROCESSES
from tests.studio import Studio, run_directly

PHOTO = {"file": "photos/coffee.jpg"}
FROM_IMAGE = {"template": "model_generate_fromimage", "parameters": {"quality": "low"}}
FROM_PROMPT = {"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}
OPTIMIZE = {"template": "model_optimize", "parameters": {"polygon_count": 300}}


async def models(
    studio: Studio,
    inputs: list[dict[str, str]],
    *steps: dict[str, Any],
    payer: ProviderCredentials | None = None,
    **parameters: Any,
) -> Any:
    return await studio.run(template_run, {"name": "models", "inputs": inputs, "steps": list(steps), **parameters}, payer)


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_a_retake_buys_what_is_made_of_it_only_where_that_is_marked_too(generio: Studio, tmp_path: Path) -> None:
    made = results(await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE))
    marks = tmp_path / "marks-of-a-person.json"

    async def retake(*which: Result) -> Any:
        told = [
            {"mark": "retake", "path": asset.path, "sha256": asset.sha256, "output": asset.output}
            | {"submission_key": asset.sidecar.submission_key}
            for result in which
            for asset in result.assets
        ]
        marks.write_text(json.dumps({"marks": 1, "made": "2026-01-01T00:00:00Z", "assets": told}))
        return await models(generio, [PHOTO, {"file": "photos/astronaut.jpg"}], FROM_IMAGE, OPTIMIZE, marks=str(marks))

    first, both = await retake(made[0]), await retake(*made)

    assert [result.status for result in results(first)] == ["Bought", "Not bought", "Not bought", "Not bought"]
    assert [result.status for result in results(both)] == ["Reused", "Bought", "Not bought", "Not bought"]
    assert (first.name, both.name, len(generio.jobs)) == ("Completed", "Completed", 4)
    assert "2 retakes, 2 of them known here" in both.message


async def test_a_model_that_was_changed_since_it_was_stored_is_told_before_the_next_step_is_bought_with_it(
    generio: Studio,
) -> None:
    (made,) = results(await models(generio, [PHOTO], FROM_IMAGE))
    file = generio.root / made.assets[0].path
    content = file.read_bytes()
    file.write_bytes(bytes(len(content)))

    changed = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)
    assert isinstance(changed.result, InputError), changed.message
    assert "was changed after it was stored" in str(changed.result)
    assert len(generio.jobs) == 1

    file.write_bytes(content)
    mended = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)
    assert [result.status for result in results(mended)] == ["Reused", "Bought"]


async def test_a_photo_of_a_phone_and_one_behind_an_address_become_models(generio: Studio) -> None:
    phone = Path("tests/media/photo.heic").absolute().as_uri()

    ended = await models(generio, [{"file": phone}, {"file": generio.sandbox.sample}], FROM_IMAGE)

    assert ended.name == "Completed", ended.message or ended.result
    inputs = [result.assets[0].sidecar.inputs[0].source for result in results(ended)]
    assert inputs == [str(Path("tests/media/photo.heic").absolute()), generio.sandbox.sample]


async def test_a_step_that_fails_ends_the_way_of_its_model(generio: Studio) -> None:
    generio.sandbox.fault(generio.account, "fail")

    ended = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)

    assert [result.status for result in results(ended)] == ["Failed", "Not started"]
    assert len(generio.jobs) == 1


async def test_steps_that_do_not_fit_each_other_are_told(generio: Studio) -> None:
    ended = await models(generio, [PHOTO], FROM_IMAGE, FROM_PROMPT)

    assert "step 2, input the model of step 1: is model/gltf-binary, but model_generate_fromprompt takes" in str(ended.result)


async def test_a_cap_needs_a_price_and_is_kept_to(generio: Studio) -> None:
    unknown = await models(generio, [PHOTO], FROM_IMAGE, max_credits=5)
    priced = generio.credentials.model_copy(update={"price": 3.0})
    over = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE, max_credits=5, payer=priced)
    within = await models(generio, [PHOTO], FROM_IMAGE, max_credits=3, payer=priced)
    half = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE, max_credits=3, payer=priced)

    assert isinstance(unknown.result, BudgetError)
    assert "names no price" in str(unknown.result)
    assert "what is not bought yet would cost 6 credits, more than" in str(over.result)
    assert [ended.name for ended in (within, half)] == ["Completed", "Completed"]


async def test_an_account_without_credits_is_told_and_the_next_run_buys_it(generio: Studio) -> None:
    generio.change(credits=0)
    refused = await models(generio, [PHOTO], FROM_IMAGE)
    generio.change(credits=5)
    again = await models(generio, [PHOTO], FROM_IMAGE)

    assert "Insufficient credits" in refused.message
    assert [result.status for result in results(again)] == ["Bought"]
    assert len(generio.jobs) == 1


async def test_a_flow_that_older_code_bound_before_its_start_is_bought_anew(generio: Studio) -> None:
    step = TemplateStep.model_validate(FROM_PROMPT)
    cup = Material("text/plain", text="A red cup")
    order = flow_order(generio.credentials.payer, step.template, step.parameters, [given_as(cup)], None, 1)
    async with (
        cast("GenerioCredentials", generio.credentials).get_client() as client,
        Journal.lease(Place(str(generio.root)).journal_url()) as journal,
    ):
        attempt = await journal.intend(order, datetime.now(UTC), buyer=client.buyer)
        assert attempt
        made = {"genmedia": f"{attempt.key}:{attempt.number}"}
        flow = await client.create_flow(step.template, step.parameters, additional=made)
        await journal.bind(attempt, flow.flow_id)
        await journal.money.hold(str(client.account), "the key leaked")
        held = await models(generio, [{"text": "A red cup"}], FROM_PROMPT)
        assert "the key leaked" in held.message
        assert generio.jobs == []
        assert await client.list_flows() == []
        await journal.money.release(str(client.account))

    ended = await models(generio, [{"text": "A red cup"}], FROM_PROMPT)

    assert [result.status for result in results(ended)] == ["Bought"]
    assert len(generio.jobs) == 1


async def test_a_picture_becomes_a_model_and_the_model_a_smaller_one_and_nothing_is_bought_again(generio: Studio) -> None:
    first = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)
    second = await models(generio, [PHOTO], FROM_IMAGE, OPTIMIZE)

    assert (first.name, second.name) == ("Completed", "Completed"), first.message
    assert [result.status for result in results(first)] == ["Bought", "Bought"]
    assert [result.status for result in results(second)] == ["Reused", "Reused"]
    assert len(generio.jobs) == 2
    large, small = (result.assets[0].sidecar.write() for result in results(first))
    assert large["file"]["media_type"] == small["file"]["media_type"] == "model/gltf-binary"
    assert small["file"]["triangles"] <= 300 < large["file"]["triangles"]
    assert large["inputs"][0]["from"].endswith("photos/coffee.jpg")
    assert small["inputs"][0] == {
        "id": "input",
        "sha256": large["file"]["sha256"],
        "asset": large["file"]["path"],
        "from": "step coffee-1-model_generate_fromimage, model",
    }


async def test_words_become_models_each_on_its_own(generio: Studio) -> None:
    generio.sandbox.fault(generio.account, "fail", message="no more clay")

    ended = await models(generio, [{"text": "A wooden chair"}, {"text": "A red cup"}], FROM_PROMPT)

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Failed"]
    assert "no more clay" in ended.message


async def test_everything_that_cannot_work_is_told_at_once_and_nothing_is_bought(generio: Studio, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture at all")

    ended = await models(
        generio,
        [PHOTO, {"text": "a chair"}, {"file": str(text)}, {"file": "photos/gone.jpg"}],
        {"template": "model_generate_fromimage", "parameters": {"quality": "best", "seed": "x", "wings": 2}},
        {"template": "model_paint"},
    )

    assert isinstance(ended.result, InputError)
    told = str(ended.result)
    for words in (
        "step 2, template model_paint: is unknown to Generio",
        "photos/gone.jpg is not there",
        f"input 3: {text} cannot be used: ",
        "step 1, parameter wings: is unknown to model_generate_fromimage",
        "step 1, parameter quality: is 'best', not one of",
        "step 1, parameter seed: is 'x', but integer is needed",
        "step 1, input a-chair: is text/plain, but model_generate_fromimage takes",
    ):
        assert words in told
    assert generio.jobs == []
    assert generio.sandbox.account(generio.account)["credits"] == generio.account["credits"]


@pytest.mark.parametrize("route", ["create_flow", "add_input", "control_flow"])
async def test_a_lost_answer_pays_for_nothing_twice(generio: Studio, route: str) -> None:
    generio.sandbox.fault(generio.account, "lose_answer", route=route)

    ended = await models(generio, [PHOTO], FROM_IMAGE)

    assert ended.name == "Completed", ended.message
    assert len(generio.jobs) == 1


async def test_a_flow_is_deleted_at_generio_when_asked_to_be_it_by_a_later_run(generio: Studio) -> None:
    bought = await models(generio, [{"text": "A red cup"}], FROM_PROMPT)
    generio.sandbox.fault(generio.account, "server_error", route="delete_flow")
    tries = [await models(generio, [{"text": "A red cup"}], FROM_PROMPT, delete_after=True) for _ in range(3)]

    deleted = {line["status"] for line in generio.sandbox.requests(generio.account) if line["method"] == "DELETE"}
    assert bought.name == "Completed", bought.message
    assert deleted == {500, 200, 404}
    assert [result.status for ended in tries for result in results(ended)] == ["Reused"] * 3


MODEL = {"name": "cup", "template": "model_generate_fromprompt", "input": {"text": "A red cup"}, "parameters": {"quality": "low"}}


def by_template(studio: Studio, cap: float | None) -> dict[str, Any]:
    return {"name": "models", "inputs": [{"text": "A red cup"}], "steps": [FROM_PROMPT], "max_credits": cap, **studio.parameters}


def by_campaign(studio: Studio, cap: float | None) -> dict[str, Any]:
    payer, caps = {"generio": studio.name}, {"generio": cap}
    return {"campaign": {"name": "models", "steps": [MODEL]}, "accounts": payer, "max_credits": caps, "store": studio.name}


def _buy(flow: str, parameters: dict[str, Any], store: AssetStore, payer: ProviderCredentials) -> None:
    """What the process does that is killed."""
    asyncio.run(
        run_directly({one.name: one for one in (campaign, template_run)}[flow], parameters, store, lambda _provider, _name: payer)
    )


@pytest.mark.parametrize(("flow", "parameters"), [(template_run, by_template), (campaign, by_campaign)])
async def test_a_flow_that_was_made_and_never_started_is_not_started_while_nothing_may_be_spent(
    generio: Studio, flow: Flow[..., Any], parameters: Callable[[Studio, float | None], dict[str, Any]]
) -> None:
    payer = generio.credentials.model_copy(update={"price": 1.0})
    generio.sandbox.fault(generio.account, "slow", route="add_input", seconds=60)
    account = str(generio.credentials.payer)

    async def run(cap: float | None) -> Any:
        return await run_directly(flow, parameters(generio, cap), generio.store, lambda _provider, _name: payer)

    async with cast("GenerioCredentials", generio.credentials).get_client() as client:

        async def made() -> bool:
            flows = await client.list_flows()
            return bool(flows and await client.list_inputs(flows[0].flow_id))

        process = PROCESSES.Process(target=_buy, args=(flow.name, parameters(generio, None), generio.store, payer))
        process.start()
        while not await made():
            assert process.exitcode is None
            await asyncio.sleep(0.05)  # it works in another process
        process.kill()
        process.join()
        async with Journal.lease(Place(str(generio.root)).journal_url()) as journal:
            over = await run(0)
            await journal.money.hold(account, "the key leaked")
            held = await run(None)
            await journal.money.release(account)
            await journal.money.set_caps(account, {Scope.TOTAL: 0})
            capped = await run(None)

            assert isinstance(over.result, BudgetError), over.message
            assert "what is not bought yet would cost 1 credit" in str(over.result)
            assert isinstance(held.result, HeldError), held.message
            assert "the key leaked" in str(held.result)
            assert "the cap of 0 credits for all time leaves 0" in capped.message
            assert generio.jobs == []
            assert generio.sandbox.account(generio.account)["credits"] == generio.account["credits"]
            assert [one.state for one in await client.list_flows()] == ["created"]

            await journal.money.set_caps(account, {Scope.TOTAL: 1})
            assert [result.status for result in results(await run(1))] == ["Bought"]
            assert [one.state for one in await client.list_flows()] == ["completed"]
    assert len(generio.jobs) == 1
