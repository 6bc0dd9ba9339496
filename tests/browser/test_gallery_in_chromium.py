import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from genmedia.gallery import write_gallery
from genmedia.store import Store
from tests.library.example_assets import film, picture, times, write_asset

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='taken'\">"

PLAYED = """(video) => new Promise((done) => {
    video.addEventListener("timeupdate", () => video.currentTime > 0 && done(video.currentTime));
})"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two campaigns: a chain of two steps with a video and a text, and one older picture with a hostile name."""
    store = Store(str(tmp_path / "my media"))
    lit = write_asset(
        store,
        "coffee/light/lit #1.png",
        picture("orange"),
        thumbnail=picture("orange", form="WEBP"),
        operation="technique:relight-technique",
        inputs=[{"id": "input_image", "sha256": "c" * 64, "from": "photos/cup.jpg"}],
        times=times(10),
    )
    fed = [{"id": "input_image", "sha256": lit, "from": "step light, output_image"}]
    write_asset(
        store,
        "coffee/clip/clip.mp4",
        film(tmp_path / "film.mp4"),
        "video/mp4",
        thumbnail=picture("grey", form="WEBP"),
        operation="technique:product-motion",
        inputs=[*fed, {"id": "prompt", "text": "slowly & calmly </script>", "from": "the chain"}],
        times=times(11),
        cost={"price": 0.5, "charged": 0.25, "unit": "USD"},
        output={"id": "output_video", "kind": "video"},
    )
    both: dict[str, Any] = {
        "submission_key": "d" * 64,
        "inputs": fed,
        "operation": "technique:art-directors-critique",
        "times": times(12),
    }
    write_asset(
        store, "coffee/critique/critique.txt", b"Warmer light.\nLess table.", "text/plain", output={"id": "critique"}, **both
    )
    write_asset(store, "coffee/critique/redesign.png", picture("navy"), output={"id": "redesign"}, **both)
    write_asset(store, "older/blur/blurred.png", picture("teal"), campaign=HOSTILE, times=times(1))
    (store.root / "coffee" / "notes.json").write_text("{}")
    return store


@pytest.fixture
def noise() -> list[str]:
    """What the page should not have done: errors it wrote, and requests for anything but files."""
    return []


@pytest.fixture
def page(store: Store, chromium: Browser, noise: list[str]) -> Generator[Page]:
    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            noise.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith("file:"):
            noise.append(request.url)

    with chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin", viewport={"width": 900, "height": 600}) as context:
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", watch)
        page.goto(write_gallery(store).as_uri())
        yield page
    assert not noise


@pytest.fixture
def card(page: Page) -> Callable[[str], None]:
    """Click the card of an asset."""

    def click(path: str) -> None:
        page.locator(f'.card[title="{path}"]').click()

    return click


def test_every_picture_is_shown_from_the_disk(page: Page) -> None:
    for image in page.locator("main img").all():
        image.scroll_into_view_if_needed()
    widths = page.locator("main img").evaluate_all(
        "(images) => Promise.all(images.map((image) => image.decode().then(() => image.naturalWidth)))"
    )
    assert len(widths) == 4
    assert all(widths)


def test_a_video_plays_when_pointed_at_and_stops_after(page: Page) -> None:
    page.locator('.card[title="coffee/clip/clip.mp4"]').hover()
    video = page.locator("main video")
    assert video.evaluate(PLAYED) > 0
    assert video.evaluate("(video) => video.muted")
    page.locator("h1").hover()
    expect(video).to_have_count(0)


def test_a_video_plays_with_controls_in_the_large_view(page: Page, card: Callable[[str], None]) -> None:
    card("coffee/clip/clip.mp4")
    video = page.locator("#stage video")
    assert video.evaluate("(video) => video.controls")
    video.evaluate("(video) => video.play()")
    assert video.evaluate(PLAYED) > 0
    assert video.evaluate("(video) => video.readyState") >= 2


def test_a_click_shows_where_an_asset_came_from(page: Page, card: Callable[[str], None]) -> None:
    card("coffee/light/lit #1.png")
    facts = page.locator("#facts")
    for known in (
        *("output_image", "coffee · light", "flora", "relight-technique", "3 credits", "cup.jpg", "29 s", "j57abc"),
        *("1 Mar 2026, 13:10:31", "image/png", "96 \N{MULTIPLICATION SIGN} 64", "coffee/light/lit #1.png"),
    ):
        expect(facts).to_contain_text(known)
    assert page.locator("#stage img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 96
    sidecar = page.get_by_role("link", name="Open sidecar")
    assert (sidecar.get_attribute("href") or "").endswith("lit%20%231.png.json")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.locator('.card[title="coffee/light/lit #1.png"]')).to_be_focused()


def test_an_input_leads_to_the_asset_it_was_and_back(page: Page, card: Callable[[str], None]) -> None:
    card("coffee/clip/clip.mp4")
    expect(page.locator("#facts")).to_contain_text("slowly & calmly </script>")
    page.get_by_role("button", name="light · output_image").click()
    expect(page.locator("#facts")).to_contain_text("coffee · light")
    page.get_by_role("button", name="clip · output_video").click()
    expect(page.locator("#facts")).to_contain_text("product-motion")


def test_arrow_keys_and_buttons_turn_the_pages_round(page: Page, card: Callable[[str], None]) -> None:
    card("coffee/light/lit #1.png")
    position = page.locator("#position")
    expect(position).to_have_text("1 of 5")
    page.keyboard.press("ArrowRight")
    expect(position).to_have_text("2 of 5")
    page.get_by_role("button", name="Next").click()
    expect(position).to_have_text("3 of 5")
    expect(page.locator("#stage pre")).to_have_text("Warmer light.\nLess table.")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(position).to_have_text("5 of 5")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#viewer")).to_be_hidden()


def test_the_head_adds_what_was_charged_once_a_job_and_each_unit_for_itself(page: Page) -> None:
    expect(page.locator("#counts")).to_have_text("5 assets · 2 campaigns · 9 credits · 0.25 USD")


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("coffee", "4 of 5 assets · 1 campaign · 6 credits · 0.25 USD"),
        ("Product-Mo", "1 of 5 assets · 1 campaign · 0.25 USD"),
        ("coffee critique", "2 of 5 assets · 1 campaign · 3 credits"),
    ],
)
def test_the_filter_narrows_by_campaign_step_and_technique(page: Page, words: str, left: str) -> None:
    page.get_by_role("searchbox").fill(words)
    expect(page.locator("#counts")).to_have_text(left)
    expect(page.locator(".card:visible")).to_have_count(int(left[0]))


def test_a_filter_that_nothing_fits_says_so(page: Page) -> None:
    page.get_by_role("searchbox").fill("no such thing")
    expect(page.locator("#nothing")).to_have_text("Nothing here fits the filter.")
    expect(page.locator(".campaign:visible")).to_have_count(0)


@pytest.mark.parametrize(("kind", "count"), [("Images", 3), ("Videos", 1), ("Texts", 1), ("All", 5)])
def test_a_chip_shows_one_kind(page: Page, kind: str, count: int) -> None:
    chip = page.get_by_role("button", name=kind, exact=True)
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".card:visible")).to_have_count(count)


def test_a_hostile_name_is_shown_as_it_is(page: Page) -> None:
    expect(page.locator("h2").filter(has_text="onerror")).to_have_text(HOSTILE)
    expect(page).to_have_title("my media")


def test_what_was_left_out_is_counted_and_named(page: Page) -> None:
    page.get_by_text("1 file left out").click()
    expect(page.locator("#left-out")).to_contain_text("coffee/notes.json")


def test_code_that_is_not_the_pages_own_does_not_run(page: Page, noise: list[str]) -> None:
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.taken = 1' }))")
    assert page.evaluate("window.taken") is None
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    assert refused
    assert len(noise) >= 2
    assert all(re.search("Content Security Policy|Fetch API cannot load", line) for line in noise), noise
    noise.clear()
