"""Photos of products by looks, as the steps that they come to, within one budget."""

from pathlib import Path

import pytest

from genmedia.campaign.products import photos_of, product_places, product_steps
from genmedia.errors import BudgetError, InputError
from genmedia.forms.names import placed
from genmedia.providers.flora.forms import Step
from genmedia.providers.genova.steps import GenovaStep
from genmedia.providers.sources import File
from genmedia.purchasing.budget import shares


def test_a_folder_stands_for_the_pictures_in_it_and_everything_else_for_itself(tmp_path: Path) -> None:
    for name in ("mug.jpg", "bowl.HEIC", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "old").mkdir()

    photos, others = photos_of([str(tmp_path), " store:cups/red.png ", "https://cdn.example.com/a.jpg", "gone.jpg", ""])

    assert photos == [
        str(tmp_path / "bowl.HEIC"),
        str(tmp_path / "mug.jpg"),
        "store:cups/red.png",
        "https://cdn.example.com/a.jpg",
        "gone.jpg",
    ]
    assert others == [str(tmp_path / "notes.txt")]
    with pytest.raises(InputError, match="has no picture in it"):
        photos_of([str(tmp_path / "old")])
    with pytest.raises(InputError, match="names none"):
        photos_of(["  "])


def test_a_folder_of_the_store_stands_for_the_pictures_that_are_in_it() -> None:
    stored = [
        "uploads/bowl.jpg",
        "uploads/bowl.jpg.json",
        "uploads/mug.heic",
        "uploads/old/jug.jpg",
        "uploads2/a.jpg",
        "films/a.mp4",
    ]

    assert photos_of(["store:uploads"], stored) == photos_of([" 'store:uploads/' "], stored)
    photos, others = photos_of(["store:uploads", "store:uploads2/a.jpg"], stored)

    assert photos == ["store:uploads/bowl.jpg", "store:uploads/mug.heic", "store:uploads2/a.jpg"]
    assert others == []
    with pytest.raises(InputError, match="has no picture in it"):
        photos_of(["store:films"], stored)


def test_each_result_is_named_by_its_photo_and_look_and_a_second_take_by_its_number() -> None:
    looks = ["On white marble, soft light", "studio-blur"]
    steps = product_steps(["a/Red Mug.jpg", "b/red-mug.png"], looks, takes=2, model="imagen4", ratio="square")

    assert [step.name for step in steps] == [
        "red-mug-on-white-marble-soft-l",
        "red-mug-on-white-marble-soft-l-take-2",
        "red-mug-studio-blur",
        "red-mug-studio-blur-take-2",
        "red-mug-2-on-white-marble-soft-l",
        "red-mug-2-on-white-marble-soft-l-take-2",
        "red-mug-2-studio-blur",
        "red-mug-2-studio-blur-take-2",
    ]
    assert [step.take for step in steps] == [1, 2] * 4
    places = product_places(steps, ["a/Red Mug.jpg", "b/red-mug.png"], looks, takes=2)
    assert places[steps[5].name] == placed(photo=(2, "red-mug.png"), look=(1, looks[0]), take=(2, "2"))
    prompted, technique = steps[0], steps[2]
    assert isinstance(prompted, GenovaStep)
    assert (prompted.prompt, prompted.references) == (looks[0], [File(file="a/Red Mug.jpg")])
    assert isinstance(technique, Step)
    assert technique.model_dump(exclude_unset=True)["inputs"] == [{"id": "input_image", "file": "a/Red Mug.jpg"}]


def test_results_have_names_of_their_own_whatever_their_photos_and_looks_are_called() -> None:
    photos = ["cup-2.jpg", "cup.jpg", "cup.png", "cup-blue.jpg"]
    steps = product_steps(photos, ["studio-blur", "blue-studio-blur"], takes=2, model="imagen4", ratio=None)

    names = [step.name for step in steps]
    assert len(set(names)) == len(steps) == 16
    assert names[::4] == ["cup-2-studio-blur", "cup-studio-blur", "cup-3-studio-blur", "cup-blue-studio-blur-2"]


def test_a_look_that_cannot_be_used_is_told_once_for_all_photos() -> None:
    with pytest.raises(InputError) as refused:
        product_steps(["a.jpg", "b.jpg"], ["too long " * 100], takes=1, model="imagen4", ratio=None)
    assert len(refused.value.faults) == 1
    with pytest.raises(InputError, match="looks: names none"):
        product_steps(["a.jpg"], [" "], takes=1, model="imagen4", ratio=None)


def test_one_budget_is_shared_so_that_all_providers_together_are_never_paid_more() -> None:
    assert shares(20, {"flora": [5, 5], "genova": [1], "generio": []}, {}) == {"flora": 14.5, "genova": 5.5, "generio": 0}
    assert shares(11, {"flora": [5, 5], "genova": [1]}, {}) == {"flora": 10, "genova": 1}
    assert shares(11, {"flora": [], "genova": []}, {}) == {"flora": 0, "genova": 0}
    with pytest.raises(BudgetError, match=r"would cost 11 credits, more than the 10 allowed.*flora 10, genova 1"):
        shares(10, {"flora": [5, 5], "genova": [1]}, {})
    with pytest.raises(BudgetError, match="generio names no price"):
        shares(10, {"generio": [None], "genova": [1]}, {})


def test_a_run_that_is_run_again_has_what_it_has_spent_in_its_budget() -> None:
    """Prefect's Retry runs the same run: its purchases of before count under the cap of each provider."""
    spent = {"flora": 10.0, "genova": 3.0}
    assert shares(20, {"flora": [5], "genova": [2]}, spent) == {"flora": 15, "genova": 5}
    assert shares(20, {"flora": [5], "genova": []}, spent) == {"flora": 17, "genova": 3}
    assert shares(5, {"flora": [], "genova": []}, spent) == {"flora": 10, "genova": 3}, "nothing more is bought"
    with pytest.raises(
        BudgetError, match="would cost 5 credits, more than the 17 allowed, of which this run has spent 13 already"
    ):
        shares(17, {"flora": [5], "genova": []}, spent)
