"""Two people decide in one gallery at once: by keys and by touch, with comments and prompts, and each sees what the other does."""

import asyncio
import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from genmedia.journal import Journal
from genmedia.journal.reviews import Review
from genmedia.store import Place
from tests.cli.test_review import reviewing
from tests.commands import genmedia
from tests.end_to_end.browser.galleries import choice, tile
from tests.example_assets import picture, times, write_asset
from tests.sandboxes import Sandbox

pytestmark = pytest.mark.browser

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MARKUP = "<img src=x onerror=alert(1)>"
ONE, TWO, THREE = (f"mugs/hero/{number}.png" for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def patience() -> Generator[None]:
    """What another person did, and the first verdict, which makes a journal, may take longer on a busy machine."""
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    for number, path in enumerate((ONE, TWO, THREE), 1):
        write_asset(root, path, picture("teal", (60, 40 + number)), request={"prompt": "a mug"}, take=number, times=times(number))
    write_asset(root, "tea/cup/4.png", picture("red"), times=times(4))
    return root


@contextmanager
def person(chromium: Browser, link: str, **settings: Any) -> Generator[Page]:
    """A person's browser with the gallery; at the end there must be no error in it, and no request to elsewhere."""
    noise: list[str] = []
    own = link.partition("/media/")[0]
    with chromium.new_context(locale="en-GB", **settings) as context:
        context.on("console", lambda message: noise.append(message.text) if message.type in ("error", "warning") else None)
        context.on("weberror", lambda error: noise.append(str(error.error)))
        context.on("dialog", lambda dialog: noise.append(dialog.message))
        context.on("request", lambda request: None if request.url.startswith((own, "blob:")) else noise.append(request.url))
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(link)
        expect(page.locator(".tile").first).to_be_visible()
        yield page
        assert [one for one in noise if "503" not in one] == []


def history(folder: Path) -> list[Review]:
    async def read() -> list[Review]:
        async with Journal.lease(Place(str(folder)).journal_url()) as journal:
            return await journal.reviews.history()

    with ThreadPoolExecutor(1) as aside:  # Playwright holds the event loop of this thread
        return aside.submit(asyncio.run, read()).result()


def sign(page: Page, path: str) -> Any:
    return tile(page, path).locator(".sign")


def test_two_people_decide_at_once_by_keys_and_by_touch_and_see_each_other(chromium: Browser, folder: Path) -> None:
    with reviewing(folder, "mugs") as (link, _), person(chromium, link, **DESK) as ann, person(chromium, link, **PHONE) as ben:
        assert "token" not in ann.url
        assert ann.evaluate("document.cookie") == ""
        expect(tile(ann, "tea/cup/4.png")).to_have_count(0)  # the link shows this campaign

        # By keys alone; her name is asked for once.
        ann.keyboard.press("ArrowDown")
        ann.keyboard.press("k")
        expect(ann.locator("#who")).to_be_visible()
        ann.keyboard.type(f"Ann {MARKUP}")
        ann.keyboard.press("Enter")
        expect(sign(ann, ONE)).to_have_text("✓ keep")
        ann.keyboard.press("ArrowRight")
        ann.keyboard.press("x")
        expect(sign(ben, ONE)).to_have_text(f"✓ keep · Ann {MARKUP}")
        expect(sign(ben, TWO)).to_have_text(f"✕ reject · Ann {MARKUP}")

        # He agrees with one, which takes nothing back, and says why he does not with the other.
        tile(ben, ONE).locator(".frame").tap()
        ben.locator("#facts").get_by_role("button", name="keep").tap()
        ben.get_by_label("Your name").fill("Ben")
        ben.get_by_role("button", name="Go on").tap()
        expect(ben.locator(".said li")).to_have_count(2)
        ben.get_by_role("button", name="Next").tap()
        ben.get_by_label("Why, or a comment").fill(f"the handle is fine\n{MARKUP}")
        ben.locator("#facts").get_by_role("button", name="keep").tap()
        expect(ben.locator(".said li").last).to_contain_text("Ben ✓ keep")
        expect(ben.get_by_label("Why, or a comment")).to_have_value("")
        expect(sign(ann, TWO)).to_have_text("✓ keep · Ben · 1 comment")

        # What she types is hers until she says it, whatever comes in.
        ann.keyboard.press("Enter")
        expect(ann.locator("#detail")).to_be_visible()
        expect(ann.locator(".said")).to_contain_text(MARKUP)
        prompt = ann.get_by_label("Prompt of a retake")
        expect(prompt).to_have_value("a mug")
        prompt.fill("a mug, kxr?")
        ben.get_by_label("Why, or a comment").fill("sure?")
        ben.get_by_role("button", name="Comment", exact=True).tap()
        expect(ann.locator(".said li")).to_have_count(3)
        expect(prompt).to_have_value("a mug, kxr?")
        ann.locator("#facts").get_by_role("button", name="retake").click()
        expect(ben.locator(".said li").last).to_contain_text("with the prompt: a mug, kxr?")

        # Takes side by side.
        ann.keyboard.press("Escape")
        for path in (TWO, THREE):
            tile(ann, path).locator(".frame").focus()
            ann.keyboard.press("Space")
        ann.keyboard.press("c")
        expect(ann.locator("#panes figure")).to_have_count(2)
        ann.keyboard.press("ArrowRight")
        ann.keyboard.press("k")
        expect(ann.locator("#panes figure").last.get_by_role("button", name="keep")).to_have_attribute("aria-pressed", "true")
        ann.keyboard.press("Escape")
        expect(sign(ann, THREE)).to_have_text("✓ keep")
        tile(ann, THREE).locator(".frame").focus()
        ann.keyboard.press("k")  # her own, taken back
        expect(sign(ann, THREE)).to_be_hidden()

        # What finishes meanwhile shows by itself.
        write_asset(folder, "mugs/hero/5.png", picture("navy"), request={"prompt": "a mug"}, take=5, times=times(5))
        expect(tile(ann, "mugs/hero/5.png")).to_be_visible()
        ben.reload()
        expect(ben.locator("#detail")).to_be_visible()  # the address keeps what was open
        expect(ben.locator(".said li")).to_have_count(4)

    said = [(one.subject.path[-5], one.opinion.verdict, one.opinion.who[:3], one.opinion.why) for one in history(folder)]
    assert said == [
        ("1", "keep", "Ann", ""),
        ("2", "reject", "Ann", ""),
        ("1", "keep", "Ben", ""),
        ("2", "keep", "Ben", f"the handle is fine\n{MARKUP}"),
        ("2", None, "Ben", "sure?"),
        ("2", "retake", "Ann", ""),
        ("3", "keep", "Ann", ""),
        ("3", "withdrawn", "Ann", ""),
    ]
    assert history(folder)[5].opinion.prompt == "a mug, kxr?"


def test_a_verdict_that_does_not_arrive_is_taken_from_the_page_and_told(chromium: Browser, folder: Path) -> None:
    with reviewing(folder) as (link, _), person(chromium, link, **DESK) as page:
        page.evaluate("localStorage.setItem('genmedia name', 'Ann')")
        page.reload()
        tile(page, ONE).locator(".frame").focus()

        def refuse(route: Route) -> None:
            route.fulfill(status=503, body="The journal is away.")

        page.route("**/.genmedia/reviews", refuse)
        page.keyboard.press("k")
        expect(page.locator("#notice")).to_have_text("It is not decided: The journal is away.")
        expect(sign(page, ONE)).to_be_hidden()
        page.unroute("**/.genmedia/reviews")
        page.keyboard.press("k")
        expect(sign(page, ONE)).to_have_text("✓ keep")
        page.reload()
        expect(sign(page, ONE)).to_have_text("✓ keep")
        expect(choice(page, "Mark", "keep")).to_have_text(re.compile(r"keep\s*1"))
    assert [one.opinion.verdict for one in history(folder)] == ["keep"]


def test_what_is_decided_twice_in_a_row_arrives_in_that_order(chromium: Browser, folder: Path) -> None:
    held: list[Route] = []
    with reviewing(folder) as (link, _), person(chromium, link, **DESK) as page:
        page.evaluate("localStorage.setItem('genmedia name', 'Ann')")
        page.reload()
        tile(page, ONE).locator(".frame").focus()

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/.genmedia/reviews", hold)
        with page.expect_request("**/.genmedia/reviews"):
            page.keyboard.press("k")
        page.keyboard.press("x")
        expect(sign(page, ONE)).to_have_text("✕ reject")
        assert len(held) == 1
        with page.expect_request("**/.genmedia/reviews"):
            held[0].continue_()
        expect(sign(page, ONE)).to_have_text("✕ reject")  # the first one has been heard of, and does not show
        with page.expect_response("**/.genmedia/reviews"):
            held[1].continue_()
        page.reload()
        expect(sign(page, ONE)).to_have_text("✕ reject")
    assert [one.opinion.verdict for one in history(folder)] == ["keep", "reject"]


def test_whoever_says_no_name_decides_nothing_and_a_name_can_be_changed(chromium: Browser, folder: Path) -> None:
    with reviewing(folder) as (link, _), person(chromium, link, **DESK) as page:
        tile(page, ONE).locator(".frame").focus()
        page.keyboard.press("x")
        page.keyboard.press("Escape")
        expect(page.locator("#notice")).to_contain_text("say your name first")
        expect(sign(page, ONE)).to_be_hidden()
        page.keyboard.press("x")
        page.keyboard.type("Ann")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("#person")).to_have_text("You are Ann Change")
        expect(sign(page, ONE)).to_have_text("✕ reject")
        page.get_by_role("button", name="Change").click()
        page.get_by_label("Your name").fill("Ben")
        page.keyboard.press("Enter")
        expect(sign(page, ONE)).to_have_text("✕ reject · Ann")


SHOTS = """\
campaign: film
rows: [{name: dawn, still: A lighthouse}, {name: stairs, still: The keeper}, {name: lamp, still: The lamp}]
steps:
  - {name: still, model: nano_banana2, prompt: "{{ row.still }}", ratio: landscape, review: true}
  - {name: shot, model: veo3_fast, prompt: A slow push, ratio: landscape, references: [{step: still}]}
"""


def test_films_are_bought_of_the_stills_that_two_people_keep_in_the_gallery(
    chromium: Browser, sandbox: Sandbox, tmp_path: Path
) -> None:
    account = sandbox.new_account("genova", plan="Business")
    keys = {f"GENOVA_{value}".upper(): account[value] for value in ("api_key", "base_url", "plan")}
    file, store = tmp_path / "film.yaml", tmp_path / "media"
    file.write_text(SHOTS)

    def apply() -> tuple[int, list[str]]:
        done = genmedia("apply", str(file), "--without-prefect", "--yes", "--folder", str(store), **keys)
        return done.returncode, sorted(job["request"]["prompt"] for job in sandbox.jobs(account))

    assert apply() == (4, ["A lighthouse", "The keeper", "The lamp"])
    with reviewing(store, "film") as (link, _), person(chromium, link, **DESK) as ann, person(chromium, link, **DESK) as ben:
        for page, name, number, key, word in (
            (ann, "Ann", 0, "k", "keep"),
            (ben, "Ben", 1, "k", "keep"),
            (ben, "Ben", 2, "x", "reject"),
        ):
            page.evaluate("name => localStorage.setItem('genmedia name', name)", name)
            page.reload()
            page.locator(".tile .frame").nth(number).focus()
            page.keyboard.press(key)
            expect(page.locator(".tile .sign").nth(number)).to_contain_text(word)
        expect(ann.locator(".tile .sign").nth(1)).to_contain_text("Ben")
        assert apply() == (0, ["A lighthouse", *["A slow push"] * 2, "The keeper", "The lamp"])
        expect(ann.locator(".tile")).to_have_count(5)
    assert apply() == (0, ["A lighthouse", *["A slow push"] * 2, "The keeper", "The lamp"])
