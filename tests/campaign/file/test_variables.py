"""Variables of a campaign's file: declared, given by a run, and read by templates anywhere in the file."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from genmedia.campaign.brief import Brief
from genmedia.campaign.file.campaign import read_campaign
from genmedia.campaign.forms.campaign import campaign
from genmedia.campaign.steps import Campaign
from genmedia.errors import InputError
from genmedia.providers.drafts import Draft
from genmedia.store import Place, Store
from tests.drafting import Form

MUGS = """\
campaign: mugs
variables:
  product: {title: The product, description: As the prompt says it, default: mug}
  photos: photos
  budget: {type: number, default: 40}
  look: {choices: [soft, hard], default: soft}
  film: no
  again: {type: yes_no}
  tries: 2
rows: {files: "{{ photos }}/*.jpg"}
matrix: {tone: ["{{ look }}", "very {{ look }}"]}
edition: "{{ product }}-{{ week }}"
max_credits: {genova: "{{ budget * 2 }}"}
labels: {client: "{{ product }}", spent: "{{ budget }}"}
steps:
  - name: hero
    model: imagen4
    prompt: "A {{ product }} in {{ tone }} light: {{ row.stem }}"
    takes: "{{ tries }}"
    if: "{{ again }}"
deliver: {to: "out/{{ product }}", names: "{row.stem}-{product}-{tone}-{take}.{ext}", creator: "Acme {{ product }}"}
"""


def brief_of(folder: Path, text: str = MUGS, **values: Any) -> Brief:
    (folder / "photos").mkdir(exist_ok=True)
    (folder / "photos" / "a.jpg").write_bytes(b"x")
    (folder / "mugs.yaml").write_text(text)
    return campaign(campaign=str(folder / "mugs.yaml"), variables=values)


async def items_of(brief: Brief) -> Draft:
    assert brief.draft
    with TemporaryDirectory() as folder:
        async with Store.lease(Place(folder)) as store:
            return await brief.draft(Form(store, begun=datetime(2026, 11, 30, 6, tzinfo=UTC)))


def faults_of(folder: Path, text: str = MUGS, **values: Any) -> list[str]:
    with pytest.raises(InputError) as told:
        brief_of(folder, text, **values)
    return [f"{fault.place}: {fault.what}" for fault in told.value.faults]


async def test_what_a_run_gives_goes_before_the_defaults_wherever_the_file_reads_it(tmp_path: Path) -> None:
    brief = brief_of(tmp_path, again=True, product="cup", budget=7.5, look="hard", tries="3")

    draft = await items_of(brief)

    assert not draft.faults
    assert isinstance(brief.max_credits, Mapping)
    assert brief.max_credits["genova"] == 15
    assert brief.labels == {"client": "cup", "spent": "7.5"}
    assert draft.edition == "cup-2026-W49"
    assert [step.name for step in draft.steps] == [
        *("hero-a-hard", "hero-a-hard-take-2", "hero-a-hard-take-3"),
        *("hero-a-very-hard", "hero-a-very-hard-take-2", "hero-a-very-hard-take-3"),
    ]
    assert draft.steps[3].prompt == "A cup in very hard light: a"
    handover = brief.handover()
    assert handover
    assert handover.place.root == str(tmp_path / "out" / "cup")
    assert handover.wish.creator == "Acme cup"


async def test_yes_and_no_decide_whether_an_item_is_made(tmp_path: Path) -> None:
    made = [len((await items_of(brief_of(tmp_path, again=given))).steps) for given in ("yes", "no", True, False)]

    assert made == [4, 0, 4, 0]


def test_a_file_tells_its_variables_with_their_types_defaults_and_choices() -> None:
    told = read_campaign(MUGS, ["max_credits", "labels"]).variables

    assert {name: (one.title, one.type, one.default, one.choices) for name, one in told.items()} == {
        "product": ("The product", "text", "mug", []),
        "photos": ("Photos", "text", "photos", []),
        "budget": ("Budget", "number", 40, []),
        "look": ("Look", "text", "soft", ["soft", "hard"]),
        "film": ("Film", "text", "no", []),
        "again": ("Again", "yes_no", None, []),
        "tries": ("Tries", "number", 2, []),
    }
    assert told["product"].description == "As the prompt says it"


async def test_a_value_is_no_template_whatever_is_in_it(tmp_path: Path) -> None:
    draft = await items_of(brief_of(tmp_path, again=True, product="{{ ''.__class__ }} {{ row.stem }}"))

    assert not draft.faults
    assert draft.steps[0].prompt == "A {{ ''.__class__ }} {{ row.stem }} in soft light: a"


def test_wrong_values_of_a_run_are_told_at_once(tmp_path: Path) -> None:
    assert faults_of(tmp_path, produkt="cup", budget="much", look="softer", film=[1]) == [
        (
            "variable produkt: is none of this campaign; there are product, photos, budget, look, film, again, tries; "
            "did you mean product?"
        ),
        "variable budget: is 'much', and should be a number",
        "variable look: is 'softer', and can be soft, hard; did you mean soft?",
        "variable film: is [1], and should be a text",
        "mugs.yaml:8:10, variable again: has no default, so each run gives a value, such as --set again=VALUE",
    ]


@pytest.mark.parametrize(
    ("declared", "place", "what"),
    [
        ("[product]", "mugs.yaml:2:12", "should be values by name, such as {product: mug}"),
        ("{week: 3}", "mugs.yaml:2:19", "week cannot be the name of a variable; use letters, digits"),
        ("{not: 3}", "mugs.yaml:2:18", "not cannot be the name of a variable"),
        ("{my look: soft}", "mugs.yaml:2:22", "my look cannot be the name of a variable"),
        ("{a: {defualt: 3}}", "mugs.yaml:2:26, variable a, defualt", "is no field; there are title, description, type, default"),
        ("{a: {type: text, default: [3]}}", "mugs.yaml:2:38, variable a, default", "should be"),
        ("{a: {type: number, default: many}}", "mugs.yaml:2:16, variable a", "is 'many', and should be a number"),
        ("{a: {type: colour}}", "mugs.yaml:2:23, variable a, type", "is 'colour', and can be text, number, yes_no"),
        ("{a: {choices: [x, y], default: z}}", "mugs.yaml:2:16, variable a", "is 'z', and can be x, y"),
        ("{a: 1e999}", "mugs.yaml:2:16, variable a", "should be a number with an end"),
        ('{a: "{{ week }}"}', "mugs.yaml:2:16, variable a", "has the template '{{ week }}'; a variable is what templates read"),
    ],
)
def test_a_variable_that_is_declared_wrong_is_told_with_its_place(tmp_path: Path, declared: str, place: str, what: str) -> None:
    text = f"campaign: mugs\nvariables: {declared}\nsteps:\n  - {{name: a, model: imagen4, prompt: x}}\n"

    assert any(fault.startswith(f"{place}: ") and what in fault for fault in faults_of(tmp_path, text)), faults_of(tmp_path, text)


async def test_a_list_of_the_matrix_cannot_have_the_name_of_a_variable(tmp_path: Path) -> None:
    draft = await items_of(brief_of(tmp_path, MUGS.replace("tone: [", "look: ["), again=True))

    assert [fault.place for fault in draft.faults] == ["mugs.yaml:11:16", "mugs.yaml:18:13, step hero"]
    assert "look cannot be the name of a list" in draft.faults[0].what


async def test_a_template_that_reads_what_is_not_there_is_told_in_each_part_of_the_file(tmp_path: Path) -> None:
    assert faults_of(tmp_path, MUGS.replace("budget * 2", "bugdet"), again=True) == [
        (
            "mugs.yaml:13:23: names bugdet, which is not there; there are again, budget, campaign, film, look, photos, product, tries; "
            "did you mean budget?"
        )
    ]
    draft = await items_of(
        brief_of(
            tmp_path, MUGS.replace("{{ photos }}", "{{ photo }}").replace("Acme {{ product }}", "{{ row.stem }}"), again=True
        )
    )
    assert [fault.place for fault in draft.faults if "which is not there" in fault.what] == ["mugs.yaml:10:15", "mugs.yaml:21:96"]


def test_steps_without_a_file_have_no_variables() -> None:
    steps: Any = {"name": "mugs", "steps": [{"name": "a", "model": "imagen4", "prompt": "x"}]}

    with pytest.raises(InputError, match="steps have none"):
        campaign(campaign=Campaign.model_validate(steps), variables={"product": "cup"})
