import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from genmedia.campaign.marks import REJECTED, UNMARKED, Selection, read_marks
from genmedia.errors import InputError
from genmedia.forms.names import placed
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.providers.genova.steps import KINDS
from genmedia.store import Place

CUP = Order(Account("genova", "https://genova.example"), "image nano_banana2", {"prompt": "a cup"}, 1, "credits", stride=20)
JUG = replace(CUP, request={"prompt": "a jug"})
SEEDED = Order(Account("algovera", "https://algovera.example"), "txt2img stable", {"prompt": "a cup", "seed": 7}, 1, "credits")


reword = KINDS[0].reword


def marked(mark: str = "keep", key: str = "a", **changes: Any) -> dict[str, Any]:
    asset = {"mark": mark, "path": "spring/blur/a.png", "sha256": "c" * 64, "submission_key": key * 64, "output": "image"}
    return asset | changes


def written(folder: Path, *assets: dict[str, Any], **changes: Any) -> str:
    path = folder / "marks.json"
    path.write_text(json.dumps({"marks": 1, "made": "2026-03-01T12:00:00.000Z", "assets": assets, **changes}))
    return str(path)


def test_marks_are_read_with_their_assets(tmp_path: Path) -> None:
    marks = read_marks(written(tmp_path, marked("keep"), marked("reject", "b")))
    assert [(asset.mark, asset.path, asset.submission_key[0]) for asset in marks.assets] == [
        ("keep", "spring/blur/a.png", "a"),
        ("reject", "spring/blur/a.png", "b"),
    ]
    assert marks.made.isoformat() == "2026-03-01T12:00:00+00:00"


def test_marks_are_read_as_they_were_copied_and_a_fault_in_them_has_its_place(tmp_path: Path) -> None:
    copied = Path(written(tmp_path, marked("retake"))).read_text()
    assert read_marks(f"  {copied}\n").retakes().keys() == {"a" * 64}
    with pytest.raises(InputError) as caught:
        read_marks(copied.replace("retake", "maybe"))
    assert [fault.place for fault in caught.value.faults] == ["marks, assets[0].mark"]


def test_a_submission_is_retaken_once_when_any_of_its_outputs_is_marked_so(tmp_path: Path) -> None:
    both = [marked("keep", "a", output="banner"), marked("retake", "a", output="story"), marked("retake", "a", output="poster")]
    marks = read_marks(written(tmp_path, *both, marked("reject", "b"), marked("retake", "d")))
    assert marks.retakes().keys() == {"a" * 64, "d" * 64}


def test_a_file_without_marks_retakes_nothing(tmp_path: Path) -> None:
    assert read_marks(written(tmp_path)).retakes() == {}


def test_a_file_with_three_faults_names_all_of_them_with_their_places(tmp_path: Path) -> None:
    path = written(tmp_path, marked("maybe"), marked(), marked(sha256="short", colour="red"))
    with pytest.raises(InputError) as caught:
        read_marks(path)
    places = [fault.place for fault in caught.value.faults]
    assert places == [f"{path}, assets[0].mark", f"{path}, assets[2].sha256", f"{path}, assets[2].colour"]
    assert "Nothing was bought." in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"marks": 2}, "marks", id="of a later version"),
        pytest.param({"made": "2026-03-01T12:00:00"}, "made", id="a time without its zone"),
        pytest.param({"assets": {}}, "assets", id="no list of assets"),
    ],
)
def test_a_file_of_another_form_is_refused_at_the_field(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_marks(path)
    assert [fault.place for fault in caught.value.faults] == [f"{path}, {place}"]


def test_what_is_no_json_is_refused_under_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    path.write_text("keep everything")
    with pytest.raises(InputError) as caught:
        read_marks(str(path))
    assert [fault.place for fault in caught.value.faults] == [str(path)]


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 fault") as caught:
        read_marks(str(tmp_path / "none.json"))
    assert "cannot be read: No such file" in str(caught.value)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncGenerator[Journal]:
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        yield journal


async def selected(ledger: Journal, folder: Path, *marks: tuple[Order | str, str | dict[str, Any]], **changes: Any) -> Selection:
    """What a run of the campaign `spring` may buy by marks of these wishes, which are bought, or of these letters, which nobody knows."""
    told = [
        marked(key=one[0]) if isinstance(one, str) else marked(path=f"{one.request['prompt']}.png", submission_key=one.key)
        for one, _ in marks
    ]
    for one, _ in marks:
        if isinstance(one, Order) and await ledger.live_attempt(one.key) is None:
            await ledger.intend(one, datetime.now(UTC))
    given = [mark if isinstance(mark, dict) else {"mark": mark} for _, mark in marks]
    read = read_marks(written(folder, *(asset | mark for asset, mark in zip(told, given, strict=True))))
    return Selection("spring", read, await ledger.latest(read.retakes().keys() | read.rejects()), **changes)


async def test_a_run_by_marks_may_buy_what_is_marked_retake_and_nothing_else(tmp_path: Path, ledger: Journal) -> None:
    fresh, kept = replace(CUP, request={"prompt": "new"}), replace(CUP, request={"prompt": "kept"})
    selection = await selected(ledger, tmp_path, (CUP, "retake"), (JUG, "reject"), (kept, "keep"))

    chosen = [selection.choose(order, reword) for order in (CUP, JUG, kept, fresh)]

    assert [(one.take, one.withheld) for one in chosen] == [(21, ""), (1, REJECTED), (1, UNMARKED), (1, UNMARKED)]
    assert selection.tell() == "1 retake, 1 of it known here"
    assert Selection().choose(fresh, reword) == fresh, "without marks everything may be bought"


async def test_a_run_that_is_told_to_buys_the_unmarked_as_well_but_never_the_rejected(tmp_path: Path, ledger: Journal) -> None:
    elsewhere = replace(JUG, account=Account("genova", "https://genova.example", "demo"))
    selection = await selected(ledger, tmp_path, (CUP, "reject"), (elsewhere, "reject"), buy_unmarked=True)

    chosen = [selection.choose(order, reword) for order in (replace(CUP, request={"prompt": "new"}), CUP, JUG)]

    assert [one.withheld for one in chosen] == ["", REJECTED, REJECTED]


async def test_a_mark_of_a_further_take_is_met_though_the_first_is_not_marked_any_more(tmp_path: Path, ledger: Journal) -> None:
    second = replace(CUP, take=21)

    chosen = (await selected(ledger, tmp_path, (CUP, "reject"), (second, "retake"))).choose(CUP, reword)

    assert (chosen.take, chosen.withheld) == (41, "")


async def test_a_mark_of_a_fed_step_counts_though_its_item_was_called_by_its_place_before(
    tmp_path: Path, ledger: Journal
) -> None:
    first, numbered = placed(input=(1, "01-cup"), step=(2, "optimize")), placed(step=(1, "01-jug-2-optimize"))
    item = replace(CUP, purpose=Purpose("spring", "01-cup-2-optimize", place=first))
    step = replace(JUG, purpose=Purpose("spring", "01-jug-2-optimize", place=numbered))
    selection = await selected(ledger, tmp_path, (item, "retake"), (step, "retake"))

    steps = ("cup-2-optimize", "01-cup-2-optimize", "01-jug-2-optimize", "jug-2-optimize", "mug-2-optimize")

    assert [one for one in steps if selection.may_buy(one)] == list(steps[:3]), "what a person called 01-jug is no other step"


async def test_retakes_that_are_not_the_runs_are_told_with_the_reason(tmp_path: Path, ledger: Journal) -> None:
    elsewhere = replace(CUP, account=Account("genova", "https://genova.example", "demo"))
    winter = replace(JUG, purpose=Purpose("winter", "01-a-jug"))
    selection = await selected(ledger, tmp_path, (elsewhere, "retake"), (winter, "retake"), ("b", "retake"))

    assert selection.choose(CUP, reword).withheld == UNMARKED
    assert selection.tell() == (
        "3 retakes, 0 of them known here: a cup.png was bought by genova/demo, and this run pays with genova/default, "
        "a jug.png was made for winter · 01-a-jug, and is not what this run asks for, "
        "spring/blur/a.png is unknown to the journal of this store"
    )


async def test_a_retake_with_a_fixed_seed_is_bought_with_another_and_else_told_to_give_the_same(
    tmp_path: Path, ledger: Journal
) -> None:
    model = replace(SEEDED, operation="template x", request={"prompt": "a chair", "parameters": {"seed": 3, "quality": "high"}})
    selection = await selected(ledger, tmp_path, (SEEDED, "retake"), (model, {"mark": "retake", "seed": 9}))

    withheld, other = selection.choose(SEEDED, reword), selection.choose(model, reword)

    assert "a cup.png was made with the seed 7, which gives the same again: nothing is bought for it" in withheld.withheld
    assert '"seed": ' in withheld.withheld
    assert selection.tell().endswith(withheld.withheld)
    assert (other.request["parameters"], other.take, other.withheld) == ({"seed": 9, "quality": "high"}, 1, "")


async def test_marks_that_give_each_other_their_seeds_come_to_an_end(tmp_path: Path, ledger: Journal) -> None:
    other = replace(SEEDED, request={"prompt": "a cup", "seed": 8})
    marks = [(SEEDED, {"mark": "retake", "seed": 8}), (other, {"mark": "retake", "seed": 7})]

    assert (await selected(ledger, tmp_path, *marks)).choose(SEEDED, reword) == SEEDED


async def test_a_marked_step_is_bought_though_what_feeds_it_is_another_take_now(tmp_path: Path, ledger: Journal) -> None:
    first = replace(CUP, purpose=Purpose("spring", "light"))
    selection = await selected(ledger, tmp_path, (first, "retake"))
    anew = replace(CUP, request={"prompt": "another input"})

    assert (selection.choose(anew, reword, "light").withheld, selection.choose(anew, reword, "film").withheld) == ("", UNMARKED)
    assert selection.tell() == "1 retake, 1 of it known here"
