"""A run that was a product of lists, as the gallery shows it: a table in the order of the request, whatever was done first."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from genmedia.campaign.marks import read_marks
from genmedia.forms.names import placed
from tests.end_to_end.browser.galleries import opened, tile
from tests.example_assets import draw_gallery, picture, times, write_asset

pytestmark = pytest.mark.browser

PROMPTS = ("The product on white marble, soft morning light", "The product on weathered wood by the sea")
SEEDS = (7, 8, 12)


@pytest.fixture
def page(tmp_path: Path, chromium: Browser) -> Generator[Page]:
    """Two prompts by three seeds of which one is missing and one was taken twice, done last to first; and a chain."""
    root = tmp_path / "media"
    made = [
        (p, s, take) for p in (1, 2) for s in (1, 2, 3) for take in (1, 2) if (p, s) != (2, 1) and (take == 1 or (p, s) == (1, 2))
    ]
    for minute, (p, s, take) in enumerate(reversed(made)):
        prompt, seed = PROMPTS[p - 1], SEEDS[s - 1]
        step = f"{p:02}-seed-{seed}-the-product"
        write_asset(
            root,
            f"sheet/{step}/result-{take}.png",
            picture(("teal", "olive", "navy")[s - 1]),
            step=step,
            place=placed(prompt=(p, prompt), model=(1, "stable"), seed=(s, str(seed))),
            labels={"client": "acme"} if p == 2 else {},
            request={"prompt": prompt, "seed": seed},
            output={"id": "result", "kind": "image"},
            take=take,
            times=times(minute),
        )
    photo = [{"id": "input_image", "sha256": "c" * 64, "from": "photos/mug-blue.jpg"}]
    write_asset(root, "coffee/blur/a.png", picture("red"), inputs=photo, place=placed(step=(1, "blur")), times=times(50))
    noise: list[str] = []
    with opened(draw_gallery(root), chromium, noise) as page:
        yield page


def test_prompts_are_rows_and_seeds_are_columns_in_the_order_of_the_request(page: Page) -> None:
    steps = page.locator(".tile .step").all_text_contents()
    labels = page.locator(".label").all_text_contents()
    boxes: dict[str, Any] = {
        path: tile(page, path).bounding_box()
        for path in (
            *(f"sheet/01-seed-{seed}-the-product/result-1.png" for seed in SEEDS),
            *(f"sheet/02-seed-{seed}-the-product/result-1.png" for seed in SEEDS[1:]),
            "sheet/01-seed-8-the-product/result-2.png",
        )
    }
    first, second, third, under_second, under_third, again = boxes.values()

    assert steps[0] == "blur"
    assert [one.partition("-the")[0] for one in steps[1:]] == [
        *("01-seed-7", "01-seed-8", "01-seed-12", "01-seed-8"),
        *("02-seed-8", "02-seed-12"),
    ]
    assert labels == ["seed 7", "seed 8", "seed 12", *PROMPTS]
    assert first["x"] < second["x"] < third["x"]
    assert first["y"] == second["y"] == third["y"] < again["y"] < under_second["y"] == under_third["y"]
    assert (second["x"], third["x"]) == (under_second["x"], under_third["x"]) == (again["x"], under_third["x"])


def test_on_a_phone_each_row_of_the_table_is_a_heading_and_what_is_below_it(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})

    expect(page.locator(".label")).to_have_text(list(PROMPTS))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_search_finds_labels_prompts_and_the_names_of_input_files(page: Page) -> None:
    for words, found in (("client=acme", 2), ("acme", 2), ("weathered", 2), ("mug-blue.jpg", 1), ("seed 12", 2), ("nothing", 0)):
        page.get_by_role("searchbox").fill(words)
        expect(page.locator(".tile")).to_have_count(found)


def test_a_tile_says_its_item_and_opens_by_its_caption(page: Page) -> None:
    blur = tile(page, "coffee/blur/a.png")
    expect(blur).not_to_contain_text("output_image")
    blur.locator(".step").click()
    expect(page.locator("#name")).to_have_text("blur")


def test_a_retake_of_what_has_a_seed_is_marked_with_another_one_that_a_person_may_change(page: Page, tmp_path: Path) -> None:
    path = "sheet/01-seed-7-the-product/result-1.png"
    tile(page, path).locator(".frame").click()
    facts = page.locator("#facts")
    expect(facts.get_by_label("with the seed")).to_be_hidden()
    facts.get_by_role("button", name="retake").click()
    expect(facts.get_by_label("with the seed")).to_have_value("1")
    facts.get_by_label("with the seed").fill("4711")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()

    download.value.save_as(tmp_path / "marks.json")
    (marked,) = read_marks(str(tmp_path / "marks.json")).assets

    assert (marked.path, marked.mark, marked.seed) == (path, "retake", 4711)
    assert json.loads((tmp_path / "marks.json").read_text())["marks"] == 1
