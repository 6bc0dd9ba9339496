"""A week of a producer who does not program: a form, a review by two people, a delivered folder, and the next edition."""

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.commands import PROJECT, genmedia_anew
from tests.end_to_end.browser.offices import Office, open_office

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

TABLE = "sku,product,photo,ground,film\nCUP-7,red espresso cup,mug.jpg,white marble,yes\nJUG-8,glass jug,,a linen cloth,\n"
HEROES = {f"hero-{sku}-{ratio}" for sku in ("CUP-7", "JUG-8") for ratio in ("landscape", "square")}
CUP = {
    *(f"CUP-7/hero-{ratio}.png" for ratio in ("landscape", "square")),
    *(f"CUP-7/banner-{ratio}-{language}.png" for ratio in ("landscape", "square") for language in ("de", "en")),
    "CUP-7/film.mp4",
}
JUG = {"JUG-8/hero-landscape.png", "JUG-8/banner-landscape-de.png", "JUG-8/banner-landscape-en.png"}
REJECTED = {"JUG-8/hero-square.png", "JUG-8/banner-square-de.png", "JUG-8/banner-square-en.png"}


@pytest.fixture
def office(tmp_path: Path) -> Generator[Office]:
    (tmp_path / "photos").mkdir()
    shutil.copy(PROJECT / "photos" / "coffee.jpg", tmp_path / "photos" / "mug.jpg")
    (tmp_path / "table.csv").write_text(TABLE)
    with open_office(tmp_path) as office:
        yield office


@contextmanager
def person(chromium: Browser, office: Office, name: str) -> Generator[Callable[[str, str], None]]:
    """A person in the gallery, who has said a name; yields what decides on an item."""
    with chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{office.addresses['Gallery']}#campaign=product-set")
        page.get_by_label("Password").fill(office.addresses["Password"])
        page.get_by_role("button", name="Open").click()
        named: list[str] = []

        def decide(item: str, verdict: str) -> None:
            page.locator(".tile", has_text=item).locator(".frame").click()
            page.locator("#facts").get_by_role("button", name=verdict).click()
            if not named:
                page.get_by_label("Your name").fill(name)
                page.get_by_role("button", name="Go on").click()
                named.append(name)
            expect(page.locator(".said li").last).to_contain_text(f"{name} ", timeout=60_000)
            page.keyboard.press("Escape")

        yield decide


def fill_in(page: Page, office: Office, deployment: str) -> None:
    """Start the product set from its form."""
    office.sign_in(page)
    page.goto(f"{office.addresses['Prefect']}/v2/deployments/deployment/{deployment}/run", wait_until="networkidle")
    for label, value in (
        ("Table of products", office.folder / "table.csv"),
        ("Folder of photos", office.folder / "photos"),
        ("Budget", 30),
        ("Delivered to", office.delivered),
    ):
        page.get_by_label(label).fill(str(value))
    page.get_by_role("button", name="Submit").click(timeout=60_000)
    expect(page.get_by_text("scheduled to start now").first).to_be_visible(timeout=60_000)


def test_a_product_set_goes_from_its_form_over_two_people_into_a_folder_and_anew_in_another_week(
    chromium: Browser, office: Office
) -> None:
    (deployment,) = [one for one in office.ask("/deployments/filter", {}) if one["name"] == "product-set"]
    with chromium.new_context(viewport={"width": 1280, "height": 1200}) as context:
        fill_in(context.new_page(), office, deployment["id"])
    (run,) = [one for one in office.ask("/flow_runs/filter", {}) if one["deployment_id"] == deployment["id"]]
    assert office.wait(run["id"], "Waiting for review")["message"].startswith("4 items wait for review")
    assert office.prompts.total() == 4, "nothing is made of the stills before they are kept"

    with person(chromium, office, "Ann") as ann, person(chromium, office, "Ben") as ben:
        ann("hero-CUP-7-landscape", "keep")
        ben("hero-JUG-8-square", "reject")
        ann("hero-CUP-7-square", "keep")
        ben("hero-JUG-8-landscape", "keep")
    office.wait(run["id"], "Completed")
    bought = office.prompts

    (week,) = [folder.name for folder in office.delivered.iterdir()]
    year, number, _ = datetime.fromisoformat(run["expected_start_time"]).isocalendar()
    assert week == f"{year}-W{number:02}"
    assert office.files_of(week) == CUP | JUG
    assert bought.total() == len(HEROES) + 7
    assert bought["A slow push towards the red espresso cup"] == 1
    listed = (office.delivered / week / "manifest.csv").read_text()
    assert "CUP-7/film.mp4" in listed
    assert ",keep,Ann," in listed

    # A run that is late for another week makes that week's edition; what the other one bought stays as it is.
    other = datetime.fromisoformat(run["expected_start_time"]) - timedelta(days=7)
    late = {"type": "SCHEDULED", "state_details": {"scheduled_time": other.astimezone(UTC).isoformat()}}
    wish = {"parameters": run["parameters"], "state": late}
    again = office.ask(f"/deployments/{deployment['id']}/create_flow_run", wish)
    office.wait(again["id"], "Waiting for review")
    assert office.prompts.total() == bought.total() + len(HEROES)
    kept = genmedia_anew("keep", *(f"product-set/{hero}" for hero in HEROES), "--as", "Ann", cwd=office.checkout)
    assert kept.returncode == 0, kept.stderr
    office.wait(again["id"], "Completed")

    assert office.prompts.total() == bought.total() + 13
    assert office.files_of(week) == CUP | JUG
    (before,) = {folder.name for folder in office.delivered.iterdir()} - {week}
    assert office.files_of(before) == CUP | JUG | REJECTED
