"""The form of a run that waits for review, in Prefect's own page: who does not program decides in it, and the run goes on by itself."""

from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.commands import genmedia_anew
from tests.end_to_end.browser.offices import Office, open_office
from tests.end_to_end.project.test_up import wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

CUPS = """\
campaign: cups
rows: [{sku: red}, {sku: blue}, {sku: green}]
steps:
  - {name: hero, model: nano_banana2, prompt: "A {{ row.sku }} cup on oak", review: true}
  - {name: page, model: imagen4, prompt: "A page about a {{ row.sku }} cup", references: [{step: hero}]}
"""
HEROES = {"A red cup on oak", "A blue cup on oak", "A green cup on oak"}
BRACES = "A {{ green }} cup on {elm}"
"""A prompt that would be a template, if anything took it for one."""


@pytest.fixture
def office(tmp_path: Path) -> Generator[Office]:
    with open_office(tmp_path) as office:
        yield office


def begin(office: Office) -> str:
    """Deploy the campaign and start a run; returns the run's id once it waits for review."""
    (office.folder / "cups.yaml").write_text(CUPS)
    done = genmedia_anew("deploy", str(office.folder / "cups.yaml"), cwd=office.checkout)
    assert done.returncode == 0, done.stderr
    (deployment,) = [one for one in office.ask("/deployments/filter", {}) if one["name"] == "cups"]
    run = office.ask(f"/deployments/{deployment['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
    assert office.wait(run, "Waiting for review")["message"].startswith("3 items wait for review; Resume")
    return run


def form_of(page: Page, office: Office, run: str, question: str) -> Locator:
    """Open the form that asks this, as the run's message says: by Resume, in the menu of the run's page."""

    def asked() -> bool:
        """Prefect tells that the run waits before it has its form."""
        keys = office.wait(run, "Waiting for review")["state_details"]["run_input_keyset"]
        told = office.ask(f"/flow_runs/{run}/input/filter", {"prefix": keys["description"]})
        return any(question in one["value"] for one in told)

    wait_for(f"the question {question}", 240, asked)
    page.goto(f"{office.addresses['Prefect']}/v2/runs/flow-run/{run}", wait_until="networkidle")
    page.locator("button[aria-haspopup=menu]").first.click()
    page.get_by_role("menuitem", name="Resume").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("Your name")).to_be_visible()
    return form


def choose(form: Locator, field: Locator, *names: str) -> None:
    """Choose names from the list of a field."""
    field.click()
    for name in names:
        form.page.get_by_role("option", name=name).click()
    if form.page.get_by_role("listbox").is_visible():
        form.page.keyboard.press("Escape")


def send(form: Locator) -> None:
    form.get_by_role("button", name="Resume").click()
    expect(form).to_be_hidden()


def test_who_fills_the_form_in_sees_the_pictures_chooses_from_lists_and_is_asked_again_where_the_answer_is_wrong(
    chromium: Browser, office: Office
) -> None:
    run = begin(office)
    with chromium.new_context(viewport={"width": 1280, "height": 1100}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        office.sign_in(page)

        form = form_of(page, office, run, "These wait for review: hero-red, hero-blue, hero-green.")
        sheet = form.get_by_role("img", name="Contact sheet")
        expect(sheet).to_be_visible()
        assert sheet.evaluate("picture => picture.naturalWidth") > 300, "the pictures themselves"
        choose(form, form.get_by_label("Keep"), "hero-red")
        choose(form, form.get_by_label("Reject"), "hero-red")
        send(form)

        form = form_of(page, office, run, "hero-red: is named more than once")
        expect(form).to_contain_text("Your name: is missing")
        assert set(office.prompts) == HEROES, "nothing is bought by a wrong answer"
        form.get_by_label("Your name").fill("Ann")
        choose(form, form.get_by_label("Keep"), "hero-red")
        choose(form, form.get_by_label("Reject"), "hero-blue")
        form.get_by_role("button", name="Add item").click()
        choose(form, form.get_by_label("Item"), "hero-green")
        form.get_by_label("Prompt").fill(BRACES)
        form.get_by_label("Why").fill("green is too pale")
        send(form)

        form = form_of(page, office, run, "These wait for review: hero-green.")
        assert set(office.prompts) == {*HEROES, BRACES, "A page about a red cup"}
        form.get_by_label("Your name").fill("Ann")
        choose(form, form.get_by_label("All others"), "keep")
        send(form)
    office.wait(run, "Completed")

    assert office.prompts.total() == len(HEROES) + 3
    assert office.prompts["A page about a green cup"] == 1
    assert "A page about a blue cup" not in office.prompts
