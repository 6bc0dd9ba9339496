"""Generio's steps of a campaign: one input or several, what is told before anything is bought, and what Generio is told of the purpose."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genmedia.campaign.executor import order_for
from genmedia.campaign.plan import plan_steps
from genmedia.errors import InputError, NotFoundError
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.media.facts import MediaFacts
from genmedia.media.hashing import hash_file
from genmedia.providers.generio.client import Asset, Flow, GenerioClient, Parameter, Template
from genmedia.providers.generio.steps import Flows, GenerioStep
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.steps import Operation, PlannedStep
from genmedia.store import Place, Store
from genmedia.store.named_files import Files, NamedFile
from tests.sandboxes import Sandbox

IMAGE, PROMPT, VIEWS = "model_generate_fromimage", "model_generate_fromprompt", "model_generate_fromviews"
PHOTOS = Path(__file__).parents[2] / "photos"
FRONT, BACK = PHOTOS / "coffee.jpg", PHOTOS / "astronaut.jpg"
FILES = Files(
    {str(photo): NamedFile(photo, sha256=hash_file(photo), facts=MediaFacts("image/jpeg", 600, 400)) for photo in (FRONT, BACK)}
)
HOME = Account("generio", "https://flows.generio.ai", "default")
TEMPLATES = [
    Template(name=IMAGE, input_types=("image/png", "image/jpeg"), parameters=(Parameter(name="seed", type="integer"),)),
    Template(name=PROMPT, input_types=("text/plain", "prompt")),
    Template.model_validate(
        {
            "name": VIEWS,
            "input_types": ["image/png", "image/jpeg"],
            "inputs": [
                {"id": "front", "types": ["image/png", "image/jpeg"]},
                {"id": "back", "types": ["image/png", "image/jpeg"], "required": False},
            ],
        }
    ),
]


def step(template: str, *inputs: dict[str, Any], name: str = "model", **more: Any) -> GenerioStep:
    return GenerioStep.model_validate({"name": name, "template": template, "inputs": inputs, **more})


def plan_of(*steps: GenerioStep, templates: Sequence[Template] = TEMPLATES) -> list[PlannedStep]:
    known = {one.name: one for one in templates}
    operations = {one.name: Flows().operation(one, known.get(one.template, NotFoundError("none")), 1) for one in steps}
    return plan_steps(steps, operations, FILES, {})


def faults(*steps: GenerioStep) -> list[str]:
    with pytest.raises(InputError) as refused:
        plan_of(*steps)
    return [str(fault) for fault in refused.value.faults]


def key_of(planned: PlannedStep) -> str:
    return order_for(planned, [one for one in planned.inputs if isinstance(one, ResolvedInput)], HOME, 1).key


@pytest.mark.parametrize(
    ("template", "given", "parameters", "key"),
    [
        (
            IMAGE,
            ResolvedInput("input", "image", sha256="ab" * 32, file=Path("photo.jpg"), media_type="image/jpeg", mode="RGB"),
            {"seed": 7},
            "9fe216bb7a2feb19c2b303797165df4e434cba24a756e89a7f9e1538e3378f6e",
        ),
        (
            IMAGE,
            ResolvedInput("input", "image", sha256="ab" * 32, file=Path("photo.heic"), media_type="image/heic", mode="RGB"),
            {},
            "5627f40cb008c3fcf29e553c313c3461400bc8cbcca4074b7fda61e5ee357d3a",
        ),
        (
            PROMPT,
            ResolvedInput("input", "text", text="A wooden chair"),
            {},
            "4856ec63d6aff1eda7b325dcfce498f7e85cd66e1dd29d87fdfd5d8b29e11a96",
        ),
    ],
)
def test_one_input_has_the_key_that_it_always_had_and_under_any_name(
    template: str, given: ResolvedInput, parameters: dict[str, Any], key: str
) -> None:
    """A changed key would buy everything again: if this fails, the change that made it fail is wrong."""
    described = next(one for one in TEMPLATES if one.name == template)
    for written in ({"input": {"text": "any"}}, {"inputs": [{"id": "chair", "text": "any"}]}):
        form = GenerioStep.model_validate({"name": "model", "template": template, "parameters": parameters, **written})
        operation = Flows().operation(form, described, 1)
        assert isinstance(operation, Operation)

        named = replace(given, id=next(iter(operation.takes)))
        assert Flows().order(operation, [named], HOME, 1).key == key


def test_the_order_in_which_several_inputs_are_written_makes_no_other_wish_and_their_names_do() -> None:
    front, back = {"id": "front", "file": str(FRONT)}, {"id": "back", "file": str(BACK)}

    keys = [
        key_of(*plan_of(step(VIEWS, *inputs)))
        for inputs in ([front, back], [back, front], [front | {"id": "back"}, back | {"id": "front"}], [front])
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_every_wrong_input_is_told_with_its_step_before_anything_is_bought() -> None:
    found = faults(
        step(VIEWS, {"id": "back", "file": str(BACK)}, {"id": "top", "file": str(FRONT)}, name="unknown"),
        step(VIEWS, {"id": "front", "text": "A chair"}, name="mistaken"),
        step(VIEWS, {"id": "front", "file": str(FRONT)}, {"id": "front", "file": str(BACK)}, name="twice"),
        step(VIEWS, name="alone", input={"file": str(FRONT)}),
        step(IMAGE, {"id": "chair", "file": str(FRONT)}, {"id": "words", "text": "A chair"}, name="words"),
        step(IMAGE, {"id": "a", "file": str(FRONT)}, {"id": "b", "file": str(BACK)}, name="both"),
        step(IMAGE, {"id": "again", "step": "both", "output": "c"}, name="after"),
    )

    front, back = "front (image)", "back (image)"
    assert found == [
        "step 1 (unknown), input front: is missing; it takes image",
        f"step 1 (unknown), input top: is unknown to template {VIEWS}; it takes {front}, {back}",
        "step 2 (mistaken), input front: is text, but image is needed",
        "step 3 (twice), input front: is given twice",
        "step 4 (alone), input front: is missing; it takes image",
        f"step 4 (alone), input input: is unknown to template {VIEWS}; it takes {front}, {back}",
        "step 5 (words), input words: is text, but image is needed",
        "step 7 (after), input again: asks for output 'c' of step 'both'; it gives a (model), b (model)",
    ]


@pytest.mark.parametrize("written", [{}, {"inputs": []}, {"input": {"text": "a"}, "inputs": [{"id": "a", "text": "a"}]}])
def test_a_step_with_no_input_or_in_both_forms_is_told(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give either input, or inputs with at least one"):
        GenerioStep.model_validate({"name": "model", "template": PROMPT, **written})


@pytest.mark.parametrize("told", [["image", "text"], {"front": "image"}, "two", [{"name": "front"}], None])
def test_a_template_that_tells_of_its_inputs_in_another_form_takes_any_number_of_its_types(told: Any) -> None:
    odd = Template.model_validate({"name": IMAGE, "input_types": ["image/jpeg"], "inputs": told})

    (planned,) = plan_of(step(IMAGE, {"id": "a", "file": str(FRONT)}, {"id": "b", "file": str(BACK)}), templates=[odd])

    assert planned.operation.gives == {"a": "model", "b": "model"}


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("generio", settings={"advance": "looks"}, switches={"named_inputs": True})


@asynccontextmanager
async def client_of(account: dict[str, Any]) -> AsyncGenerator[GenerioClient]:
    payer = Account("generio", account["base_url"], account["account"])
    async with GenerioClient.lease(payer, account["api_key"]) as client:
        yield client


async def described(client: GenerioClient, form: GenerioStep) -> PlannedStep:
    class Payer:
        price = 1.0

    return plan_steps([form], await Flows().describe(client, [form], Payer()), FILES, {})[0]


@asynccontextmanager
async def started(
    client: GenerioClient, folder: Path, form: GenerioStep, key: str, labels: Mapping[str, str] | None = None
) -> AsyncGenerator[tuple[Order, str]]:
    """The order of a step, and the flow that was started for it under this key."""

    @asynccontextmanager
    async def gate() -> AsyncGenerator[None]:
        yield

    async with Store.lease(Place(str(folder))) as store, AsyncExitStack() as held:
        planned = await described(client, form)
        inputs = [one for one in planned.inputs if isinstance(one, ResolvedInput)]
        order = replace(order_for(planned, inputs, client.account, 1), purpose=Purpose("cups", labels=labels or {}))
        submit = await Flows().deliver(client, store, planned.operation, inputs, order, held)
        yield order, await submit(key, gate)


async def ended(client: GenerioClient, flow_id: str) -> Job:
    job = await client.look(flow_id)
    while not job.status.terminal:
        job = await client.look(flow_id)
    assert job.status is JobStatus.SUCCEEDED, job.error
    return job


async def test_several_inputs_of_a_template_that_takes_them_make_one_model(account: dict[str, Any], tmp_path: Path) -> None:
    form = step(VIEWS, {"id": "back", "file": str(BACK)}, {"id": "front", "file": str(FRONT)}, parameters={"quality": "low"})

    async with client_of(account) as client, started(client, tmp_path, form, "key:1") as (_, flow_id):
        job = await ended(client, flow_id)
        inputs = await client.list_inputs(flow_id)

        assert [one.id for one in job.outputs] == ["model"] == list((await described(client, form)).operation.gives)
        assert {one.named for one in inputs} == {"front", "back"}


async def test_each_of_several_inputs_of_any_other_template_leads_to_a_model_under_its_name(
    account: dict[str, Any], tmp_path: Path
) -> None:
    form = step(PROMPT, {"id": "table", "text": "A table"}, {"id": "chair", "text": "A chair"}, parameters={"quality": "low"})

    async with client_of(account) as client, started(client, tmp_path, form, "key:1") as (_, flow_id):
        job = await ended(client, flow_id)

        assert sorted(one.id for one in job.outputs) == ["chair", "table"]
        assert (await described(client, form)).operation.gives.keys() == {"chair", "table"}


def test_of_several_models_the_one_that_is_left_keeps_its_name() -> None:
    flow = Flow.model_validate({"flow_id": "f", "state": "completed"})
    assets = [
        {"asset_id": "1", "status": "error", "additional": {"input": "chair"}},
        {"asset_id": "2", "status": "ready", "additional": {"input": "table"}},
    ]
    assert [one.id for one in flow.as_job([Asset.model_validate(one) for one in assets]).outputs] == ["table"]


LABELS = {"client": "acme", "genmedia": "mine", "labels": "x", "cost_centre": "c7"}


async def test_labels_travel_beside_the_key_which_they_neither_change_nor_overwrite(
    account: dict[str, Any], tmp_path: Path
) -> None:
    form = step(PROMPT, input={"text": "A chair"}, parameters={"quality": "low"})

    async with client_of(account) as client:
        async with started(client, tmp_path, form, "key:1", LABELS) as (labelled, with_labels):
            flow = await client.get_flow(with_labels)
        async with started(client, tmp_path, form, "key:1") as (plain, without):
            other = await client.get_flow(without)

    assert flow.additional == {"genmedia": "key:1", "labels": LABELS}
    assert other.additional == {"genmedia": "key:1"}
    assert labelled.key == plain.key


async def test_a_flow_with_labels_is_found_again_by_its_key(account: dict[str, Any], tmp_path: Path, journal: Journal) -> None:
    form = step(PROMPT, input={"text": "A chair"}, parameters={"quality": "low"})

    async with client_of(account) as client:
        async with started(client, tmp_path, form, "other:1", {"genmedia": "key:1"}) as (order, _):
            attempt = await journal.intend(order, datetime.now(UTC))
            assert attempt
        assert await client.recover(attempt, journal) is None
        async with started(client, tmp_path, form, f"{attempt.key}:{attempt.number}", LABELS) as (_, flow_id):
            assert await client.recover(attempt, journal) == flow_id
