"""What people write for a provider: cleaned, refused where nothing can be seen of it, told apart where it looks alike."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from genmedia.campaign.steps import Campaign
from genmedia.errors import InputError
from genmedia.forms.names import Labels, Name, slug
from genmedia.forms.prompts import clean, look_alike, prompt_of, with_prompt
from genmedia.forms.validation import Reading
from genmedia.jobs.job import Account
from genmedia.providers.algovera.client import AlgoveraClient
from genmedia.providers.algovera.variations import plan_variations
from genmedia.providers.generio.forms import TemplateInput
from genmedia.providers.genova.batch import plan_images, plan_videos
from genmedia.providers.genova.forms import Shot
from genmedia.store import Store
from tests.drafting import Form
from tests.sandboxes import Sandbox

UNSEEN = ["", " ", "\n", "\u200b", "\u200b \ufeff", "\u0301", "\u2060\u0303", "\u3164", "\u00ad", "\ufe0f"]
CONTROLLED = ["\0", "a\0b", "a cup\x07", "a\x1b[31mcup", "a\rcup", "\ud800", "a\x85cup"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("  A cup\t\n", "A cup"),
        ("A cup\r\nand a spoon", "A cup\nand a spoon"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("A\tcup", "A\tcup"),
        ("👩‍🍳", "👩‍🍳"),
        ("一杯", "一杯"),
        ("?", "?"),
        ("\ue000", "\ue000"),
    ],
)
def test_a_prompt_is_trimmed_and_composed_and_else_left_as_it_is(written: str, sent: str) -> None:
    assert clean(written) == sent


@pytest.mark.parametrize("text", UNSEEN)
def test_a_prompt_that_shows_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="has no visible character"):
        clean(text)


@pytest.mark.parametrize("text", CONTROLLED)
def test_a_control_character_is_named_with_its_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"has the control character U\+[0-9A-F]{4} as its character \d"):
        clean(text)


@pytest.fixture
async def form(sandbox: Sandbox, tmp_path: Path) -> AsyncGenerator[Form]:
    """What a form asks; Algovera, which tells its models, is the sandbox's."""
    account = sandbox.new_account("algovera")
    payer = Account("algovera", account["base_url"], account["account"])
    async with Store.lease(str(tmp_path)) as store, AlgoveraClient.lease(payer, account["api_key"]) as algovera:
        yield Form(store, {"algovera": algovera})


async def told(prompt: str, provider: str, form: Form) -> str:
    """What is said of a prompt wherever a flow takes it, before anything is bought."""
    steps: dict[str, Any] = {
        "genova step": {"name": "s", "model": "imagen4", "prompt": prompt},
        "algovera step": {"name": "s", "base_model": "stable", "prompt": prompt},
        "generio step": {"name": "s", "template": "t", "input": {"text": prompt}},
        "flora step": {"name": "s", "technique": "t", "inputs": [{"id": "a", "text": prompt}]},
    }
    settings: dict[str, Any] = {"models": ["imagen4"], "ratios": ["square"], "references": [], "copies": 1, "images_per_job": 1}
    try:
        match provider:
            case "image-batch":
                await plan_images(form, prompts=["fine", prompt], **settings, quality=None, priority=None)
            case "long-video":
                await plan_videos(form, [Shot(prompt="fine"), Shot(prompt=prompt)], priority=None)
            case "text-to-image":
                await plan_variations(form, prompts=["fine", prompt], seeds=[1], base_models=["stable"], settings={})
            case "template-run":
                TemplateInput(text=prompt)
            case _:
                Campaign.model_validate({"name": "c", "steps": [steps[provider]]})
    except InputError as error:
        return str(error)
    except ValidationError as error:
        return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return ""


PLACES = {
    "image-batch": "prompt 2, prompt: ",
    "long-video": "prompt: ",
    "text-to-image": "prompt 2: ",
    "template-run": "text: ",
    "genova step": "steps.0.model.prompt: ",
    "algovera step": "steps.0.base_model.prompt: ",
    "generio step": "steps.0.template.input.text.text: ",
    "flora step": "steps.0.technique.inputs.0.text.text: ",
}


@pytest.mark.parametrize("provider", PLACES)
async def test_wherever_a_prompt_is_taken_one_that_shows_nothing_is_refused_with_its_place(provider: str, form: Form) -> None:
    assert await told("fine too", provider, form) == ""
    for text, why in (("\u200b", "has no visible character"), ("a\0b", "has the control character U+0000")):
        said = await told(text, provider, form)
        assert PLACES[provider] in said
        assert why in said


async def test_prompts_that_differ_by_the_space_around_them_are_one_wish(form: Form) -> None:
    settings: dict[str, Any] = {"models": ["imagen4"], "ratios": ["square"], "references": [], "copies": 1, "images_per_job": 1}
    with pytest.raises(InputError, match="is asked for more than once"):
        await plan_images(form, prompts=["A cup", " A cup\n"], **settings, quality=None, priority=None)


def test_requests_that_differ_only_by_spaces_or_capitals_are_named_both() -> None:
    account = str(Account("genova", "https://example.com"))
    requests = {
        "01": (account, {"prompt": "A red cup", "model": "imagen4"}),
        "02": (account, {"prompt": "a  RED\ncup", "model": "imagen4"}),
        "03": (account, {"prompt": "a red cup.", "model": "imagen4"}),
        "04": (account, {"prompt": "A red cup", "model": "freepik"}),
        "05": (f"{account} 2", {"prompt": "a red cup", "model": "imagen4"}),
        "06": (account, {"prompt": "A red cup", "model": "imagen4"}),
    }

    assert look_alike(requests) == ["02: differs only by spaces or capitals from 01"]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Spring Sale 2026", "spring-sale-2026"),
        ("Frühling", "fruehling"),
        ("Fru\u0308hling", "fruehling"),
        ("Größe_2", "groesse_2"),
        ("café olé!", "cafe-ole"),
        ("v1.2, the last & best", "v1.2-the-last-best"),
        ("春", "chun"),
        ("a\nb", "a-b"),
        (".hidden", "hidden"),
        ("../../etc", "etc"),
        ("a" * 61, "a" * 60),
    ],
)
def test_a_name_is_taken_as_people_write_it_and_stands_for_one_that_folders_can_have(written: str, name: str) -> None:
    reading = Reading()

    assert TypeAdapter(Name).validate_python(written, context=reading) == name
    assert reading.renamed == {written: name}


@pytest.mark.parametrize(("name", "said"), [("", "is empty"), (" ", "is empty"), ("🎉", "'🎉' has no letter and no digit")])
def test_a_name_of_which_nothing_is_left_is_refused_in_words(name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("name", ["spring-sale-2026", "A.b_c-9", "7"])
def test_a_name_that_will_do_stays_as_it_is(name: str) -> None:
    reading = Reading()

    assert TypeAdapter(Name).validate_python(name, context=reading) == name
    assert reading.renamed == {}


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"Client": "acme"}, "'Client' has 'C'; it can have small letters from a to z, digits and underscores: client would do"),
        ({"Kosten Stelle": "7"}, ": kosten_stelle would do"),
        ({"client": "a\nb"}, "has a line break, which no label can have"),
        ({"client": ""}, "is empty"),
    ],
)
def test_a_label_that_will_not_do_is_refused_in_words(label: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Labels).validate_python(label)

    assert said in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A red kite, over the sea!", "a-red-kite-over-the-sea"),
        ("Ein Krug, ganz schön", "ein-krug-ganz-sch-n"),
        ("красный змей", "krasnyi-zmei"),
        ("一杯", "yi-bei"),
        ("كوب قهوة", "kwb-qhw"),
        ("2026", "2026"),
        ("👩‍🍳", "untitled"),
    ],
)
def test_what_is_made_of_words_is_called_by_them_in_any_script(text: str, name: str) -> None:
    assert slug(text) == name


async def test_a_prompt_that_is_put_in_renames_no_other(form: Form) -> None:
    settings: dict[str, Any] = {"models": ["imagen4"], "ratios": ["square"], "references": [], "copies": 1, "images_per_job": 1}

    async def names(*prompts: str) -> list[str]:
        draft = await plan_images(form, prompts=prompts, **settings, quality=None, priority=None)
        return [step.name for step in draft.steps]

    before, after = await names("A cup", "A jug"), await names("A kite", "A cup", "A jug")
    alike, turned = await names("A cup!", "A cup?"), await names("A cup?", "A cup!")

    assert (before, after) == (["a-cup", "a-jug"], ["a-kite", "a-cup", "a-jug"])
    assert alike == turned[::-1]
    assert len({*alike}) == 2
    assert all(re.fullmatch("a-cup-[0-9a-f]{8}", one) for one in alike)


async def test_shots_of_the_same_words_are_told_apart_by_what_else_they_are(form: Form) -> None:
    shots = [Shot(prompt="A cup"), Shot(prompt="A cup", ratio="square")]

    one, other = (await plan_videos(form, shots, priority=None)).steps
    with pytest.raises(InputError, match="is asked for more than once"):
        await plan_videos(form, [shots[0], shots[0]], priority=None)

    assert one.name != other.name
    assert {one.name[:6], other.name[:6]} == {"a-cup-"}


@pytest.mark.parametrize(
    ("request_", "prompt"),
    [
        ({"prompt": "a cup", "seed": 7}, "a cup"),
        ({"inputs": [{"id": "image", "file": {"sha256": "ab"}}, {"id": "words", "text": "a cup"}]}, "a cup"),
        ({"prompt": {"of": "another kind"}, "inputs": [{"text": "a cup"}]}, "a cup"),
        ({"inputs": [{"text": "a cup"}, {"text": "a jug"}]}, None),
        ({"inputs": "none"}, None),
        ({}, None),
    ],
)
def test_the_prompt_of_a_request_is_its_own_or_the_only_text_among_its_inputs(
    request_: dict[str, Any], prompt: str | None
) -> None:
    assert prompt_of(request_) == prompt
    if prompt:
        changed = with_prompt(request_, "a bowl")
        assert prompt_of(changed) == "a bowl"
        assert with_prompt(changed, prompt) == request_
