"""The items that a campaign's file becomes at some time."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from genmedia.campaign.forms.campaign import campaign
from genmedia.providers.drafts import Draft
from genmedia.providers.sources import Unreadable
from genmedia.store import Place, Store
from tests.drafting import Form

MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)
HEAD = """\
campaign: mugs
rows:
  - {sku: M-1, product: mug, film: "yes"}
  - {sku: M-2, product: vase, film: ""}
matrix: {ratio: [square, portrait], language: [de, en]}
steps:
"""
HERO = '  - {name: hero, model: nano_banana2, prompt: "{{ row.product }}, {{ ratio }}", ratio: "{{ ratio }}"}\n'


async def items_of(text: str, begun: datetime = MONDAY, **parameters: Any) -> Draft:
    """Return the items of a file."""
    draft = campaign(campaign=text, **parameters).draft
    assert draft
    with TemporaryDirectory() as folder:
        async with Store.lease(Place(folder)) as store:
            return await draft(Form(store, begun=begun))


def names(draft: Draft) -> list[str]:
    return [step.name for step in draft.steps]


def fed_by(draft: Draft) -> dict[str, list[str]]:
    """The steps that feed each item."""
    return {step.name: [one.step for one in step.references] for step in draft.steps if getattr(step, "references", None)}


async def test_a_step_is_made_once_for_each_row_and_each_value_that_it_names() -> None:
    logo = "  - {name: logo, model: imagen4, prompt: A logo}\n"
    page = '  - {name: page, model: imagen4, prompt: "in {{ language }}", references: [{step: logo}]}\n'

    draft = await items_of(HEAD + HERO + logo + page)

    assert not draft.faults
    assert names(draft) == [
        *("hero-M-1-square", "hero-M-1-portrait", "hero-M-2-square", "hero-M-2-portrait"),
        *("logo", "page-de", "page-en"),
    ]
    assert [step.prompt for step in draft.steps[:2]] == ["mug, square", "mug, portrait"]
    assert [dict(one) for one in draft.places["hero-M-2-portrait"]] == [
        {"name": "row", "number": 2, "value": "M-2"},
        {"name": "step", "number": 1, "value": "hero"},
        {"name": "ratio", "number": 2, "value": "portrait"},
    ]
    assert draft.where["hero-M-2-portrait"] == "campaign:7:5, step hero, row M-2, ratio portrait"


async def test_what_a_step_is_made_of_is_that_of_the_same_row_or_of_the_one_that_is_said_or_of_all() -> None:
    same = '  - {name: same, model: imagen4, prompt: "{{ language }}", references: [{step: hero}]}\n'
    given = '  - {name: given, model: imagen4, prompt: x, references: [{step: hero, row: "{{ campaign }}", ratio: square}]}\n'
    sheet = "  - {name: sheet, model: imagen4, prompt: x, references: [{step: hero, row: all, ratio: square}]}\n"
    rows = HEAD.replace("sku: M-2", "sku: mugs")

    draft = await items_of(rows + HERO + same + given + sheet)

    assert not draft.faults
    assert fed_by(draft)["same-M-1-portrait-en"] == ["hero-M-1-portrait"]
    assert fed_by(draft)["given"] == ["hero-mugs-square"]
    assert fed_by(draft)["sheet"] == ["hero-M-1-square", "hero-mugs-square"]
    assert len(names(draft)) == 4 + 8 + 1 + 1


async def test_a_step_may_begin_with_what_the_row_before_it_gave() -> None:
    fed = "[{step: hero, ratio: square}, {step: shot, row: previous}]"
    shot = f'  - {{name: shot, model: imagen4, prompt: "{{{{ row.product }}}}", references: {fed}}}\n'

    draft = await items_of(HEAD + HERO + shot)

    assert not draft.faults
    assert fed_by(draft) == {"shot-M-1": ["hero-M-1-square"], "shot-M-2": ["hero-M-2-square", "shot-M-1"]}


async def test_the_row_before_is_the_nearest_one_that_has_the_item() -> None:
    rows = "campaign: mugs\nrows: [{sku: a}, {sku: b, off: x}, {sku: c, off: ''}, {sku: d}]\n"
    shot = "{name: shot, model: imagen4, prompt: '{{ row.sku }}', if: \"{{ not row.off }}\", references: [{step: shot, row: previous}]}"

    draft = await items_of(f"{rows}steps:\n  - {shot}\n")

    assert not draft.faults
    assert fed_by(draft) == {"shot-c": ["shot-a"], "shot-d": ["shot-c"]}


async def test_takes_ask_for_the_same_several_times_and_what_they_feed_is_made_of_each() -> None:
    hero = HERO.replace("}\n", ", takes: 2}\n")
    film = "  - {name: film, model: imagen4, prompt: x, references: [{step: hero, ratio: square, row: M-1}]}\n"
    first = "  - {name: first, model: imagen4, prompt: x, references: [{step: hero, ratio: square, row: M-1, take: 1}]}\n"

    draft = await items_of(HEAD + hero + film + first)

    assert not draft.faults
    assert [(step.name, step.take) for step in draft.steps[:2]] == [("hero-M-1-square", 1), ("hero-M-1-square-take-2", 2)]
    assert fed_by(draft) == {
        "film": ["hero-M-1-square"],
        "film-take-2": ["hero-M-1-square-take-2"],
        "first": ["hero-M-1-square"],
    }


async def test_items_whose_if_is_not_met_are_left_out_with_what_they_would_feed() -> None:
    film = '  - {name: film, model: imagen4, prompt: x, references: [{step: hero, ratio: square}], if: "{{ row.film }}"}\n'
    cut = "  - {name: cut, model: imagen4, prompt: x, references: [{step: film}]}\n"
    sheet = "  - {name: sheet, model: imagen4, prompt: x, references: [{step: film, row: all}]}\n"

    draft = await items_of(HEAD + HERO + film + cut + sheet)

    assert not draft.faults
    assert names(draft)[4:] == ["film-M-1", "cut-M-1", "sheet"]
    assert fed_by(draft)["sheet"] == ["film-M-1"]


async def test_a_field_whose_template_makes_no_text_is_left_out() -> None:
    hero = '  - {name: hero, model: imagen4, prompt: "{{ row.product }}", ratio: "{{ row.film and \'square\' }}"}\n'

    draft = await items_of(HEAD + hero)

    assert [(step.name, step.ratio) for step in draft.steps] == [("hero-M-1", "square"), ("hero-M-2", None)]


async def test_an_edition_is_of_the_time_of_the_run() -> None:
    text = "edition: '{{ week }}'\n" + HEAD + HERO

    assert [(await items_of(text, at)).edition for at in (MONDAY, datetime(2027, 1, 1, tzinfo=UTC))] == ["2026-W49", "2026-W53"]


async def test_names_and_places_do_not_hang_on_the_order_of_rows_and_steps() -> None:
    other = "  - {name: logo, model: imagen4, prompt: A logo}\n"
    turned = HEAD.replace("  - {sku: M-1", "  - {sku: M-0, product: bowl}\n  - {sku: M-1")

    before, after = await items_of(HEAD + HERO + other), await items_of(turned + other + HERO)

    assert set(names(before)) < set(names(after))


async def test_names_that_are_too_long_differ_by_what_they_are_for() -> None:
    long = "x" * 50
    rows = f"campaign: mugs\nrows: [{{sku: {long}-a-b-c-d-e}}, {{sku: {long}-a-b-c-d-f}}]\nsteps:\n"

    made = names(await items_of(rows + '  - {name: hero-of-all, model: imagen4, prompt: "{{ row.sku }}"}\n'))

    assert len(set(made)) == 2
    assert all(len(name) <= 60 for name in made)


async def test_a_file_in_the_folder_of_the_campaign_is_found_from_everywhere(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    step = "{name: a, model: imagen4, prompt: x, references: [{file: '{{ row.file }}'}]}"
    text = f"campaign: mugs\nrows: {{files: 'photos/*.jpg'}}\nsteps:\n  - {step}\n"
    (tmp_path / "mugs.yaml").write_text(text)

    (made,) = (await items_of(str(tmp_path / "mugs.yaml"))).steps

    assert made.references[0].file == str(tmp_path / "photos" / "a.jpg")


async def test_what_the_file_has_and_does_not_use_is_told(caplog: pytest.LogCaptureFixture) -> None:
    await items_of(HEAD + "  - {name: logo, model: imagen4, prompt: A logo}\n")

    assert [record.message for record in caplog.records] == [
        "no step uses the rows",
        "no step uses ratio of the matrix",
        "no step uses language of the matrix",
    ]


async def test_a_fault_that_many_items_have_is_told_once_with_the_first_of_them() -> None:
    draft = await items_of(HEAD + HERO.replace("nano_banana2", "nano_bananas"))

    (fault,) = draft.faults
    assert fault.place == "campaign:7:25, step hero, 4 items, first row M-1, ratio square, model"
    assert fault.what.startswith("is 'nano_bananas', and can be ")
    assert all(isinstance(step, Unreadable) and not step.faults for step in draft.steps)


SHOTS = """\
campaign: mugs
rows: [{sku: a, film: "yes"}, {sku: b, film: "no"}, {sku: "Große Tasse", film: "yes"}, {sku: d, film: gone}]
steps:
  - {name: logo, model: imagen4, prompt: A logo}
  - {name: hero, model: imagen4, prompt: "{{ row.sku }}", takes: 2, review: true}
  - {name: shot, model: imagen4, prompt: "{{ row.sku }}", references: [{step: hero, take: 1}, {step: shot, row: previous}, {step: logo}]}
  - {name: pair, model: imagen4, prompt: "{{ row.sku }}", fallback: {model: freepik}, references: [{step: hero, row: b, take: all}]}
  - {name: film, model: veo3_fast, prompt: "{{ row.sku }}", ratio: landscape, if: "{{ row.film }}"}
  - {name: sheet, model: imagen4, prompt: x, references: [{step: hero, row: all, take: 1}]}
"""


async def test_only_the_items_of_the_chosen_rows_are_made_and_what_they_are_made_of() -> None:
    first, second, third = [await items_of(SHOTS, only_rows=one) for one in (["a"], ["b"], ["b", "Große Tasse"])]

    assert not first.faults
    assert names(first) == ["logo", "hero-a", "hero-a-take-2", "hero-b", "hero-b-take-2", "shot-a", "pair-a", "film-a"]
    assert names(second) == ["logo", "hero-a", "hero-b", "hero-b-take-2", "shot-a", "shot-b", "pair-b"]
    assert {"film-grosse-tasse", "shot-grosse-tasse", "pair-b"} <= {*names(third)}
    assert first.approvals.keys() == {"hero-a", "hero-a-take-2", "hero-b", "hero-b-take-2"}
    assert first.policies.keys() == {"pair-a"}
    assert first.places.keys() == {*names(first)}


async def test_items_of_chosen_rows_are_those_of_the_whole() -> None:
    whole, part = await items_of(SHOTS.replace("film: gone", "film: 'no'")), await items_of(SHOTS, only_rows=["b"])

    assert {step.name: step for step in part.steps}.items() <= {step.name: step for step in whole.steps}.items()


async def test_faults_of_other_rows_keep_no_chosen_row_from_being_made() -> None:
    assert (await items_of(SHOTS, only_rows=["d"])).faults
    assert not (await items_of(SHOTS, only_rows=["a"])).faults


async def test_a_row_that_is_not_there_is_told_with_those_that_are_the_closest_first() -> None:
    rows = f"campaign: mugs\nrows: [{', '.join(f'{{sku: MUG-{number:02}}}' for number in range(1, 13))}]\n"

    draft = await items_of(
        f"{rows}steps:\n  - {{name: hero, model: imagen4, prompt: '{{{{ row.sku }}}}'}}\n", only_rows=["MUG-111"]
    )
    none = await items_of("campaign: mugs\nsteps: [{name: hero, model: imagen4, prompt: x}]\n", only_rows=["a"])

    (fault,) = draft.faults
    assert fault.place == "row MUG-111"
    assert fault.what.startswith("is none of this campaign; there are MUG-11, ")
    assert fault.what.endswith(" and 4 more")
    assert [(one.place, one.what) for one in none.faults] == [("row a", "is none of this campaign; there are none")]
