"""A store of 5,000 assets in Chromium: looked through, filtered, compared and marked."""

import hashlib
import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from genmedia.campaign.marks import read_marks
from tests.end_to_end.browser.galleries import PLAYED, choice, opened, tile
from tests.example_assets import draw_gallery, film, pack_glb, picture, pyramid, times, write_asset

pytestmark = pytest.mark.browser

ASSETS = 5000
MOST_TILES = 150
"""Three windows full, and some; a page that keeps what it has shown passes it within a few turns of the wheel."""

SHAPES = {"teal": (96, 64), "navy": (64, 96), "orange": (96, 96), "grey": (128, 72)}
PROVIDERS = ("flora", "genova", "algovera", "generio")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten campaigns of pictures in three takes each, and one of a video and a model that was stored last."""
    folder = tmp_path_factory.mktemp("thousands")
    root = folder / "media"
    # Thumbnails are kept by content: one of each is enough.
    pictures = {colour: (picture(colour, size), picture(colour, size, "WEBP")) for colour, size in SHAPES.items()}
    for number in range(ASSETS - 2):
        colour = list(SHAPES)[number // 3 % len(SHAPES)]
        content, small = pictures[colour]
        width, height = SHAPES[colour]
        wish, take = divmod(number, 3)
        provider = PROVIDERS[wish % 4]
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "media_type": "image/png"}
        write_asset(
            root,
            f"campaign-{number // 500}/step-{wish % 40:02}/{wish:04}-{take + 1}.png",
            content,
            thumbnail=small if wish < len(SHAPES) else None,
            provider=provider,
            account=f"{provider}|https://api.example|default",
            request={"prompt": f"a {colour} cup, number {wish}"},
            take=take + 1,
            warnings=["it came twice"] if number % 1000 == 7 else [],
            file={**facts, "width": width, "height": height},
        )
    write_asset(
        root,
        "last/clip/clip.mp4",
        film(folder / "film.mp4"),
        "video/mp4",
        thumbnail=pictures["grey"][1],
        times=times(30),
    )
    write_asset(
        root, "last/model/pyramid.glb", pack_glb(*pyramid()), "model/gltf-binary", thumbnail=pictures["grey"][1], times=times(31)
    )
    return draw_gallery(root)


@pytest.fixture
def noise() -> list[str]:
    """What the page should not have done."""
    return []


@pytest.fixture
def page(index: Path, chromium: Browser, noise: list[str]) -> Generator[Page]:
    with opened(index, chromium, noise) as page:
        yield page


def shown_tiles(page: Page) -> int:
    count = page.locator(".tile").count()
    assert 0 < count < MOST_TILES
    return count


def test_the_first_pictures_are_painted_and_few_tiles_are_in_the_page(page: Page) -> None:
    expect(page.locator("#counts")).to_contain_text("5,000 assets · 11 campaigns")
    shown_tiles(page)
    first = page.locator(".tile img").first
    assert first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")


def test_scrolling_to_the_end_shows_every_part_with_as_few_tiles(page: Page) -> None:
    seen: set[str] = set()
    last = page.locator('.tile[aria-posinset="5000"]')
    page.mouse.move(700, 400)
    while not last.count():
        seen |= set(page.locator(".tile .frame").evaluate_all("(frames) => frames.map((frame) => frame.title)"))
        shown_tiles(page)
        before = page.evaluate("scrollY")
        page.mouse.wheel(0, 1900)  # less than the three windows that are drawn
        page.wait_for_function("(before) => scrollY > before", arg=before)
        # what the page draws on the way is drawn in the next frame
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seen |= set(page.locator(".tile .frame").evaluate_all("(frames) => frames.map((frame) => frame.title)"))
    assert len(seen) == ASSETS
    page.keyboard.press("Home")
    page.locator("body").press("ArrowRight")
    expect(tile(page, "last/clip/clip.mp4").locator(".frame")).to_be_focused()


def test_the_filter_counts_narrow_together_and_stand_in_the_link(
    page: Page, index: Path, chromium: Browser, noise: list[str]
) -> None:
    expect(choice(page, "Type", "image")).to_have_text("image 4,998")
    choice(page, "Campaign", "campaign-3").click()
    expect(page.locator("#counts")).to_contain_text("500 of 5,000 assets · 1 campaign")
    expect(choice(page, "Campaign", "campaign-4")).to_have_text("campaign-4 500")
    expect(choice(page, "Take", "2")).to_have_text("2 167")
    choice(page, "Take", "2").click()
    choice(page, "Provider", "genova").focus()
    page.keyboard.press("Enter")
    expect(choice(page, "Provider", "genova")).to_be_focused()
    expect(choice(page, "Provider", "genova")).to_have_attribute("aria-pressed", "true")
    told = page.locator("#counts").inner_text()
    assert re.match(r"4[12] of 5,000 assets", told)
    address = page.url.partition("#")[2]
    assert address == "campaign=campaign-3&provider=genova&take=2"
    with opened(index, chromium, noise, address=address) as another:
        expect(another.locator("#counts")).to_have_text(told)
        another.get_by_role("button", name="Clear filters").click()
        expect(another.locator("#counts")).to_contain_text("5,000 assets · 11 campaigns")
        assert another.url.endswith("#")


def test_what_was_warned_of_and_what_is_of_a_type_can_be_chosen(page: Page) -> None:
    choice(page, "Status", "warnings").click()
    expect(page.locator("#counts")).to_contain_text("5 of 5,000 assets")
    choice(page, "Status", "warnings").click()
    choice(page, "Type", "video").click()
    choice(page, "Type", "model").click()
    expect(page.locator(".tile")).to_have_count(2)


def test_prompts_and_names_are_searched(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("orange 1230")
    expect(page.locator("#counts")).to_contain_text("3 of 5,000 assets")
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_role("searchbox").fill("pyramid.glb")
    expect(page.locator(".tile")).to_have_count(1)
    assert page.url.endswith("#q=pyramid.glb")


def test_keys_move_open_turn_and_close(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    expect(tile(page, "last/clip/clip.mp4").locator(".frame")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".frame:focus")).to_have_attribute("title", re.compile("campaign-0/step-00/0000-[12].png"))
    page.keyboard.press("ArrowUp")
    expect(page.locator(".frame:focus")).to_have_attribute("title", re.compile("^last/"))
    page.keyboard.press("End")
    end = page.locator(".frame:focus")
    expect(end).to_be_in_viewport()
    expect(page.locator('.tile[aria-posinset="5000"] .frame')).to_be_focused()
    shown_tiles(page)
    page.keyboard.press("Enter")
    expect(page.locator("#position")).to_have_text("5,000 of 5,000")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#position")).to_have_text("1 of 5,000")
    page.keyboard.press("Escape")
    expect(page.locator("#detail")).to_be_hidden()
    expect(tile(page, "last/clip/clip.mp4").locator(".frame")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_tile_with_the_focus_stays_in_the_page_when_it_is_scrolled_away(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    expect(page.locator(".frame:focus")).not_to_be_in_viewport()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".frame:focus")).to_have_attribute("title", "last/model/pyramid.glb")
    expect(page.locator(".frame:focus")).to_be_in_viewport()


def test_the_video_plays_and_the_model_is_drawn(page: Page) -> None:
    tile(page, "last/clip/clip.mp4").locator(".frame").click()
    assert page.locator("#stage video").evaluate(PLAYED) > 0
    page.keyboard.press("Escape")
    tile(page, "last/model/pyramid.glb").locator(".frame").click()
    expect(page.locator(".turning iframe")).to_be_visible()


def test_an_open_asset_stands_in_the_link(page: Page, index: Path, chromium: Browser, noise: list[str]) -> None:
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#."), timeout=60_000)
    address = page.url.partition("#")[2]
    with opened(index, chromium, noise, address=address) as another:
        expect(another.locator("#facts")).to_contain_text("last/clip/clip.mp4", timeout=60_000)
        another.keyboard.press("Escape")
        expect(another).to_have_url(re.compile("#$"))


def part_shown(page: Page) -> list[str]:
    """Which part of its picture each pane shows: how near, and how far moved, as shares of the pane."""
    return page.locator("#panes .pane > img").evaluate_all("""(images) => images.map((image) => {
        const { a, e, f } = new DOMMatrix(getComputedStyle(image).transform);
        return [a, e / image.clientWidth, f / image.clientHeight].map((share) => share.toFixed(2)).join(" ");
    })""")


def test_takes_of_a_request_stand_side_by_side_and_are_looked_into_together(page: Page) -> None:
    page.get_by_role("searchbox").fill("number 1230")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    panes = page.locator("#panes figure")
    expect(panes).to_have_count(3)
    for take in (1, 2, 3):
        expect(panes.nth(take - 1)).to_contain_text(f"take {take}")
    assert len(set(part_shown(page))) == 1
    whole = part_shown(page)
    box = panes.nth(1).locator(".pane").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
    page.mouse.wheel(0, -500)
    page.wait_for_function("document.querySelector('#panes').classList.contains('near')")
    near = part_shown(page)
    assert len(set(near)) == 1
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5, steps=3)
    page.mouse.up()
    moved = part_shown(page)
    assert len(set(moved)) == 1
    assert moved != near
    page.keyboard.press("0")
    assert part_shown(page) == whole
    expect(panes.nth(1)).to_be_focused()  # the one that was dragged
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    expect(panes.nth(2).get_by_role("button", name="keep")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(tile(page, page.locator(".tile .frame").nth(2).get_attribute("title") or "")).to_have_attribute("data-mark", "keep")


def test_two_to_four_chosen_by_hand_are_compared(page: Page) -> None:
    for path in ("campaign-0/step-00/0000-1.png", "campaign-0/step-00/0000-2.png"):
        tile(page, path).hover()
        tile(page, path).get_by_role("button", name="Compare").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    expect(page.locator("#picked-count")).to_have_text("3 chosen")
    page.get_by_role("toolbar").get_by_role("button", name="Compare").click()
    expect(page.locator("#panes figure")).to_have_count(3)
    page.keyboard.press("Escape")
    page.get_by_role("toolbar").get_by_role("button", name="Clear").click()
    expect(page.get_by_role("toolbar")).to_be_hidden()


def test_marks_are_kept_shown_filtered_exported_and_imported(
    page: Page, index: Path, chromium: Browser, noise: list[str], tmp_path: Path
) -> None:
    expect(page.get_by_role("button", name="Export")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("x")
    expect(tile(page, "last/clip/clip.mp4").locator(".sign")).to_have_text("✓ keep")
    expect(tile(page, "last/model/pyramid.glb").locator(".sign")).to_have_text("↻ retake")
    page.reload()
    choice(page, "Mark", "retake").click()
    expect(page.locator(".tile")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "marks.json"
    file = tmp_path / "marks.json"
    download.value.save_as(file)
    marks = read_marks(str(file))
    assert [(asset.mark, asset.path) for asset in marks.assets] == [
        ("keep", "last/clip/clip.mp4"),
        ("retake", "last/model/pyramid.glb"),
    ]
    sidecar = json.loads((index.parent / "last/model/pyramid.glb.json").read_text())
    assert marks.retakes().keys() == {sidecar["submission_key"]}
    assert marks.assets[1].sha256 == sidecar["file"]["sha256"]
    assert marks.assets[1].output == sidecar["output"]["id"]
    with opened(index, chromium, noise) as another:
        expect(tile(another, "last/model/pyramid.glb").locator(".sign")).to_be_hidden()
        another.get_by_label("A file of marks").set_input_files(file)
        expect(tile(another, "last/model/pyramid.glb").locator(".sign")).to_have_text("↻ retake")
        expect(another.get_by_role("status")).to_contain_text("2 marks imported.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("no JSON", "marks.json cannot be imported", id="no JSON"),
        pytest.param('{"marks": 2, "assets": []}', "not a file of marks", id="of another form"),
        pytest.param(
            '{"marks": 1, "assets": [{"mark": "keep", "path": "gone.png", "sha256": ""}]}',
            "0 marks imported. 1 mark left out",
            id="of another store",
        ),
        pytest.param(
            '{"marks": 1, "assets": [{"mark": "__proto__", "path": "last/clip/clip.mp4"}]}', "there is no mark", id="an odd mark"
        ),
    ],
)
def test_marks_that_cannot_be_imported_are_said_and_change_nothing(page: Page, content: str, said: str) -> None:
    page.get_by_label("A file of marks").set_input_files(
        {"name": "marks.json", "mimeType": "application/json", "buffer": content.encode()}
    )
    expect(page.get_by_role("status")).to_contain_text(said)
    expect(page.get_by_role("button", name="Export")).to_be_disabled()
    assert page.evaluate("Object.keys(JSON.parse(localStorage.getItem('genmedia marks media') ?? '{}'))") == []


def test_marks_dropped_on_the_page_are_imported(page: Page) -> None:
    path = "last/clip/clip.mp4"
    page.evaluate(
        """async (path) => {
            const { file } = assets.find((asset) => asset.path === path);
            const content = JSON.stringify({ marks: 1, assets: [{ mark: "reject", path, sha256: file.sha256 }] });
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([content], "marks.json"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        path,
    )
    expect(tile(page, path).locator(".sign")).to_have_text("✕ reject")


def ground(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")


def test_the_switch_goes_round_light_and_dark_and_is_kept(page: Page) -> None:
    switch = page.get_by_title("Light or dark")
    light = ground(page)
    page.emulate_media(color_scheme="dark")
    dark = ground(page)
    assert light != dark
    switch.click()
    assert (switch.inner_text(), ground(page)) == ("☼ Light", light)
    page.reload()
    assert ground(page) == light
    switch.click()
    page.emulate_media(color_scheme="light")
    assert (switch.inner_text(), ground(page)) == ("☾ Dark", dark)


def test_on_a_narrow_window_the_filters_stand_behind_a_button(page: Page) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    expect(choice(page, "Type", "video")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    choice(page, "Type", "video").click()
    expect(page.locator(".tile")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
