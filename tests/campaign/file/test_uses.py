"""Reusable chains: a step that uses a file stands for the steps of that file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import pytest
import yaml

from genmedia.campaign.file.delivery import Handover
from genmedia.campaign.file.schema import schema
from genmedia.campaign.forms.campaign import campaign
from genmedia.providers.drafts import Draft
from genmedia.store import Place, Store
from tests.drafting import Form

FILM = """\
variables:
  photo:
  mood: {choices: [soft, hard], default: soft}
  words: A cup
  times: 1
steps:
  - {name: still, model: imagen4, prompt: "{{ words }}, {{ mood }} light of {{ week }}", takes: "{{ times }}", references: [{step: photo}]}
  - {name: grade, model: imagen4, prompt: "Darker than {{ mood }}", references: [{step: still, take: 1}]}
"""
MUGS = """\
campaign: mugs
variables: {look: film}
rows: [{sku: a, words: "A mug"}, {sku: b, words: "A \\"jug\\" {% of %} {{ row.sku }}"}]
steps:
  - {name: hero, model: imagen4, prompt: "{{ row.sku }}"}
  - name: look
    use: "looks/{{ look }}.yaml"
    with: {photo: {step: hero}, words: "{{ row.words }}", times: 2}
  - {name: page, model: imagen4, prompt: x, references: [{step: look, row: all}]}
"""


class Desk:
    """A folder with a campaign's file and a chain that it uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "looks").mkdir()
        self.write("looks/film.yaml", FILM)
        self.write("mugs.yaml", MUGS)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    async def read(self, **values: Any) -> tuple[Draft, Handover | None]:
        brief = campaign(campaign=str(self.folder / "mugs.yaml"), variables=values)
        assert brief.draft
        with TemporaryDirectory() as folder:
            async with Store.lease(Place(folder)) as store:
                return await brief.draft(Form(store, begun=datetime(2026, 11, 30, 6, tzinfo=UTC))), brief.handover()

    async def faults(self) -> list[str]:
        return [f"{fault.place}: {fault.what}" for fault in (await self.read())[0].faults]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def fed_by(draft: Draft) -> dict[str, list[str]]:
    """What feeds each item: a step, or a file."""
    return {one.name: [getattr(source, "step", "") or source.file for source in one.references or ()] for one in draft.steps}


async def test_a_step_that_uses_a_file_stands_for_its_steps_with_what_it_gives_them(desk: Desk) -> None:
    draft, _ = await desk.read()

    assert not draft.faults
    assert fed_by(draft) == {
        "hero-a": [],
        "hero-b": [],
        "look-still-a": ["hero-a"],
        "look-still-a-take-2": ["hero-a"],
        "look-still-b": ["hero-b"],
        "look-still-b-take-2": ["hero-b"],
        "look-grade-a": ["look-still-a"],
        "look-grade-b": ["look-still-b"],
        "page": ["look-grade-a", "look-grade-b"],
    }
    prompts = {one.name: one.prompt for one in draft.steps}
    assert prompts["look-still-a"] == "A mug, soft light of 2026-W49"
    assert prompts["look-still-b"] == 'A "jug" {% of %} {{ row.sku }}, soft light of 2026-W49'
    assert draft.where["look-still-a"] == "looks/film.yaml:7:5, step look-still, row a, take 1"


async def test_the_file_that_is_used_may_be_chosen_by_the_run_and_may_use_others(desk: Desk) -> None:
    desk.write(
        "looks/twice.yaml",
        "variables: {photo: null, words: x, times: 1}\n"
        "steps:\n"
        "  - {name: one, use: film.yaml, with: {photo: {step: photo}, words: 'First {{ words }}', mood: hard, times: 2}}\n"
        "  - {name: two, use: film.yaml, with: {photo: {step: one}, times: '{{ times }}'}}\n",
    )

    draft, _ = await desk.read(look="twice")

    assert not draft.faults
    fed = fed_by(draft)
    assert fed["look-one-still-a"] == ["hero-a"]
    assert fed["look-two-still-a-take-2"] == ["look-one-grade-a"]
    assert fed["page"] == ["look-two-grade-a", "look-two-grade-b"]
    prompts = {one.name: one.prompt for one in draft.steps}
    assert prompts["look-one-still-a"] == "First A mug, hard light of 2026-W49"


async def test_a_file_that_is_given_begins_in_the_folder_where_it_is_written(desk: Desk) -> None:
    for folder in ("photos", "looks/photos"):
        (desk.folder / folder).mkdir()
        (desk.folder / folder / "a.jpg").write_bytes(b"x")
    desk.write("mugs.yaml", MUGS.replace("{step: hero}", '{file: "photos/{{ row.sku }}.jpg"}').replace(", sku: b", ", sku: a2"))
    desk.write("looks/film.yaml", FILM.replace("[{step: photo}]", "[{step: photo}, {file: photos/a.jpg}]"))

    draft, _ = await desk.read()

    assert not draft.faults
    assert fed_by(draft)["look-still-a"] == [str(desk.folder / "photos/a.jpg"), str(desk.folder / "looks/photos/a.jpg")]


async def test_what_is_delivered_of_a_step_that_uses_a_file_is_its_last_step(desk: Desk) -> None:
    desk.write("mugs.yaml", MUGS + "deliver: {to: out, names: '{step}-{row.sku}.{ext}', steps: [look]}\n")

    draft, handover = await desk.read()

    assert not draft.faults
    assert handover
    assert handover.steps == {"look-grade-a", "look-grade-b"}


WRONG_USES = {
    "a file that is not there": (
        ("mugs.yaml", "{{ look }}", "gone"),
        "mugs.yaml:7:10, step look, ",
        "cannot be read: No such file",
    ),
    "a path that reads a row": (("mugs.yaml", "{{ look }}", "{{ row.sku }}"), "mugs.yaml:7:10, step look", "names row"),
    "an input that is not there": (
        ("mugs.yaml", 'words: "{{ row', 'word: "{{ row'),
        "mugs.yaml:8:39, step look",
        "is no variable of",
    ),
    "an input that is missing": (("mugs.yaml", "photo: {step: hero}, ", ""), "mugs.yaml:8:11, step look, photo", "is not given"),
    "a wrong choice": (("mugs.yaml", "times: 2", "mood: sof"), "mugs.yaml:8:65, step look, mood", "did you mean soft?"),
    "a wrong type": (("mugs.yaml", "times: 2", "times: many"), "mugs.yaml:8:66, step look, times", "should be a number"),
    "a step that comes later": (("mugs.yaml", "{step: hero}", "{step: page}"), "mugs.yaml:8:26, step look", "no earlier step"),
    "a missing column": (("mugs.yaml", "{{ row.words }}", "{{ row.wrods }}"), "mugs.yaml:8:40, step look", "did you mean words?"),
    "a field beside it": (
        ("mugs.yaml", "name: look", "name: look\n    take: 2"),
        "mugs.yaml:7:11, step look, take",
        "is no field of",
    ),
    "a value where a picture is needed": (
        ("mugs.yaml", "{step: hero}", "hero.jpg"),
        "looks/film.yaml:7:125, step look-still",
        "takes photo, which is given as the value 'hero.jpg'; give {step: …} or {file: …}",
    ),
    "a picture where a value is read": (
        ("looks/film.yaml", "Darker than", "{{ photo }}"),
        "looks/film.yaml:8:43, step look-grade",
        "reads photo, which is given as a reference; write {step: photo}",
    ),
    "a step of the campaign": (
        ("looks/film.yaml", "{step: still", "{step: hero"),
        "looks/film.yaml:8:82, step look-grade",
        "uses step 'hero', which is no earlier step; there are still, photo",
    ),
    "a row of the campaign": (("looks/film.yaml", "{{ words }}", "{{ row.sku }}"), "looks/film.yaml:7:43", "names row, which is"),
    "a field of a campaign": (("looks/film.yaml", "steps:", "rows: a.csv\nsteps:"), "looks/film.yaml:6:7", "rows is no field of"),
    "no steps": (("looks/film.yaml", "steps:", "variable:"), "looks/film.yaml:1:1", "has no steps"),
    "a misspelt field": (
        ("looks/film.yaml", 'model: imagen4, prompt: "D', 'model: imagen4, promt: "D'),
        "looks/film.yaml:8:",
        "is no field",
    ),
    "a way out of a template": (
        ("looks/film.yaml", "Darker", "{{ ''.__class__ }}"),
        "looks/film.yaml:8:",
        "reads what is not there",
    ),
    "a cycle": (
        ("looks/film.yaml", "steps:", "steps:\n  - {name: again, use: film.yaml, with: {photo: {step: photo}}}"),
        "looks/film.yaml:7:24, step look-again",
        "uses film.yaml, by which it is used itself",
    ),
    "tabs": (("looks/film.yaml", "  - {name: grade", "\t- {name: grade"), "mugs.yaml:7:10, step look, film.yaml:8:", "tab"),
}


@pytest.mark.parametrize(("change", "place", "what"), WRONG_USES.values(), ids=WRONG_USES)
async def test_what_is_wrong_in_a_use_is_told_once_with_its_place(
    desk: Desk, change: tuple[str, str, str], place: str, what: str
) -> None:
    name, old, new = change
    written = (desk.folder / name).read_text()
    assert old in written
    desk.write(name, written.replace(old, new))

    faults = await desk.faults()

    assert len(faults) == 1 or name.startswith("looks"), faults
    assert any(one.startswith(place) and what in one for one in faults), faults


async def test_files_that_use_each_other_many_times_are_refused_soon(desk: Desk) -> None:
    for number in range(5):
        uses = "".join(f"  - {{name: s{one}, use: f{number + 1}.yaml}}\n" for one in range(10))
        desk.write(f"looks/f{number}.yaml", f"steps:\n{uses}")
    desk.write("looks/f5.yaml", "steps:\n  - {name: last, model: imagen4, prompt: x}\n")
    desk.write("mugs.yaml", "campaign: mugs\nsteps:\n  - {name: look, use: looks/f0.yaml}\n")

    (fault,) = await desk.faults()

    assert "is one of more than 500 steps that use a file" in fault


def test_an_editor_that_knows_the_schema_finds_nothing_wrong_in_variables_and_uses() -> None:
    text = MUGS.replace("campaign: mugs\n", 'campaign: mugs\nmax_credits: {genova: "{{ 3 }}"}\nat_once: "{{ 2 }}"\n')

    jsonschema.validate(yaml.safe_load(text), json.loads(schema()))


async def test_all_steps_of_a_chain_are_left_out_where_the_if_of_the_step_that_uses_it_is_not_met(desk: Desk) -> None:
    rows = MUGS.replace("{sku: a,", "{sku: a, film: 'yes',").replace("{sku: b,", "{sku: b, film: 'no',")
    desk.write("mugs.yaml", rows.replace('"looks/{{ look }}.yaml"', '"looks/{{ look }}.yaml"\n    if: "{{ row.film }}"'))
    desk.write("looks/film.yaml", FILM + "  - {name: poster, model: imagen4, prompt: A poster}\n")

    draft, _ = await desk.read()

    assert not draft.faults
    assert [step.name for step in draft.steps if "look" in step.name] == [
        *("look-still-a", "look-still-a-take-2", "look-grade-a", "look-poster-a"),
    ]
    assert [one.step for one in draft.steps[-1].references] == ["look-poster-a"]


async def test_a_condition_of_a_chain_and_that_of_its_step_have_both_to_be_met(desk: Desk) -> None:
    own = FILM.replace("references: [{step: still, take: 1}]}", "if: \"{{ mood == 'hard' }}\", references: [{step: still}]}")
    desk.write("looks/film.yaml", own)
    desk.write(
        "mugs.yaml",
        MUGS.replace("times: 2}", "times: 1}\n    if: \"{{ row.sku == 'a' }}\"").replace("step: look,", "step: hero,"),
    )

    draft, _ = await desk.read()

    assert [step.name for step in draft.steps if "look" in step.name] == ["look-still-a"]


async def test_a_condition_of_a_chain_that_is_neither_yes_nor_no_is_told_where_it_stands(desk: Desk) -> None:
    desk.write("mugs.yaml", MUGS.replace("times: 2}", "times: 2}\n    if: Nein"))

    draft, _ = await desk.read()

    assert draft.faults
    assert all(
        fault.place.startswith("mugs.yaml:9:9, step look-") and fault.place.endswith("if of look") for fault in draft.faults
    )
    assert all(fault.what.startswith("is 'Nein', and should be yes or no") for fault in draft.faults)
