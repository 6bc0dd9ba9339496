"""The gallery beside Prefect's page: signed in once, kept up to date, linked with the runs both ways, with uploads, and on a phone."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Page, expect

from deployments.engines.ports import free_port
from genmedia.cli.services import addresses_of, prefect_environment, prefect_key, prefect_service, running
from tests.commands import PROJECT, genmedia, python_module
from tests.end_to_end.browser.galleries import PLAYED, tile
from tests.example_assets import film, pack_glb, picture, pyramid, times, write_asset
from tests.prefects import PrefectServer, give_tables
from tests.sandboxes import Sandbox

pytestmark = pytest.mark.browser

CAMPAIGN = "variations"
"""A preset and what it makes."""

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}


@dataclass(frozen=True)
class Server:
    """What `genmedia up` starts, with a store of its own and an account of the sandbox."""

    url: str
    password: str
    media: Path
    environment: dict[str, str]

    @property
    def gallery(self) -> str:
        return f"{self.url}/gallery/default/"

    def ask(self, path: str, body: object) -> Any:
        user, _, password = self.password.partition(":")
        return httpx.post(f"{self.url}/api{path}", json=body, auth=(user, password), timeout=60).raise_for_status().json()


@pytest.fixture(scope="module")
def server(
    prefect_server: PrefectServer, run_folder: Path, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox
) -> Generator[Server]:
    folder = tmp_path_factory.mktemp("served")
    give_tables(run_folder, folder)
    service = prefect_service(folder, PROJECT)
    service.port = free_port()
    account = sandbox.new_account("algovera")
    with running([service]):
        environment = {
            **prefect_environment(folder),
            **addresses_of(service),
            "ALGOVERA_API_KEY": account["api_key"],
            "ALGOVERA_BASE_URL": account["base_url"],
        }
        saved = python_module("deployments.bootstrap", GENMEDIA_STORE=str(folder / "media"), **environment)
        assert saved.returncode == 0, saved.stderr
        write_asset(folder / "media", "tea/cup/old.png", picture("teal"), times=times(1))
        yield Server(service.url, prefect_key(folder), folder / "media", environment)


@contextmanager
def browsing(chromium: Browser, server: Server, **settings: Any) -> Generator[Page]:
    """A page in a browser of its own; at the end there must be no request to elsewhere, and no error that the gallery's page wrote."""
    noise: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        refused = (
            "status of 401" in message.text or "status of 422" in message.text
        )  # for want of the password; what is no picture
        if message.type == "error" and "/gallery/" in message.location.get("url", "") and not refused:
            noise.append(message.text)

    with chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin", **settings) as context:
        context.on("console", hear)
        context.on("weberror", lambda error: noise.append(str(error.error)))
        context.on(
            "request",
            lambda request: None if request.url.startswith((f"{server.url}/", "blob:", "data:")) else noise.append(request.url),
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page
        assert not noise


def sign_in(page: Page, server: Server) -> None:
    page.get_by_label("Password").fill(server.password)
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".tile").first).to_be_visible()


def test_whoever_opened_prefects_page_sees_the_gallery_and_what_comes_while_it_is_open(
    chromium: Browser, server: Server, tmp_path: Path
) -> None:
    with browsing(chromium, server, viewport={"width": 1200, "height": 700}) as page:
        page.goto(server.url)
        page.locator("input[type=password]").fill(server.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Logout")).to_be_visible()

        page.goto(f"{server.gallery}#campaign=tea")
        expect(tile(page, "tea/cup/old.png")).to_be_visible()
        assert page.url == f"{server.gallery}#campaign=tea"
        page.evaluate("globalThis.unloaded = false")

        write_asset(server.media, "tea/cup/new.mp4", film(tmp_path / "film.mp4"), "video/mp4", times=times(2))
        write_asset(server.media, "tea/cup/chair.glb", pack_glb(*pyramid()), "model/gltf-binary", times=times(3))
        write_asset(server.media, "other/cup/else.png", picture("red"), times=times(4))
        expect(tile(page, "tea/cup/new.mp4")).to_be_visible()
        expect(tile(page, "tea/cup/chair.glb")).to_be_visible()
        expect(tile(page, "other/cup/else.png")).to_have_count(0)
        expect(page.locator("#counts")).to_contain_text("3 of 4 assets")

        tile(page, "tea/cup/chair.glb").locator(".frame").click()
        expect(page.locator(".model.turning")).to_be_visible()
        page.keyboard.press("Escape")
        tile(page, "tea/cup/new.mp4").locator(".frame").click()
        assert page.locator("#stage video").evaluate(PLAYED) > 0

        for path in ("tea/cup/new.mp4", "tea/cup/new.mp4.json", "other/cup/else.png", "other/cup/else.png.json"):
            (server.media / path).unlink()
        expect(page.locator("#detail")).not_to_be_visible()
        expect(tile(page, "tea/cup/new.mp4")).to_have_count(0)
        assert page.evaluate("globalThis.unloaded") is False


def test_on_a_phone_everything_is_reachable_and_a_photo_becomes_an_input(chromium: Browser, server: Server) -> None:
    for number, colour in enumerate(("orange", "navy")):
        write_asset(server.media, f"phone/take/{colour}.png", picture(colour), take=number + 1, times=times(5))
    for provider in ("genova", "generio", "algovera"):
        account = f"{provider}|https://{provider}.example|default"
        write_asset(server.media, f"phone/{provider}/a.png", picture("teal"), provider=provider, account=account, times=times(5))
    with browsing(chromium, server, **PHONE, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{server.gallery}#campaign=phone")
        sign_in(page, server)
        assert page.url == f"{server.gallery}#campaign=phone"  # the link that was followed is not lost
        expect(tile(page, "tea/cup/old.png")).to_have_count(0)

        bar = [page.get_by_role("button", name=name, exact=True) for name in ("Filters", "Upload", "Keys")]
        for control in (*bar, page.locator("#theme"), page.get_by_role("searchbox")):
            box = control.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] < 60, "the bar is one row"
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        heading = page.locator(".head h2")
        assert heading.evaluate("(name) => name.scrollWidth <= name.clientWidth"), "the campaign's name is read whole"

        bar[2].tap()
        expect(page.locator("#keys")).to_be_visible()
        page.locator("#keys-close").tap()

        for colour in ("orange", "navy"):
            tile(page, f"phone/take/{colour}.png").locator(".pick").tap()
        page.get_by_role("button", name="Compare", exact=True).tap()
        expect(page.locator("#panes figure")).to_have_count(2)
        page.locator("#panes figure").first.get_by_role("button", name="keep").tap()
        page.get_by_label("Your name").fill("Ann")
        page.get_by_role("button", name="Go on").tap()
        expect(page.locator("#who")).to_be_hidden()
        page.locator("#compare-close").tap()
        expect(tile(page, "phone/take/orange.png").locator(".sign")).to_have_text("✓ keep")

        tile(page, "phone/take/navy.png").locator(".frame").tap()
        retake = page.locator("#facts").get_by_role("button", name="retake")
        retake.tap()
        expect(retake).to_have_attribute("aria-pressed", "true")
        page.locator("#close").tap()

        bar[0].tap()
        expect(page.get_by_role("button", name="Export")).to_be_in_viewport()
        bar[0].tap()

        photo: FilePayload = {"name": "IMG 0001.JPG", "mimeType": "image/jpeg", "buffer": picture("purple", (640, 480), "JPEG")}
        page.locator("#pictures").set_input_files([photo])
        expect(page.locator("#detail")).to_be_visible()
        page.get_by_role("button", name="Copy path").tap()
        assert page.evaluate("navigator.clipboard.readText()") == "store:uploads/img-0001.jpg"
        expect(page.locator("#notice:popover-open")).to_have_text("Copied: store:uploads/img-0001.jpg")  # above the dialog
        assert (server.media / "uploads/img-0001.jpg").read_bytes() == photo["buffer"]
        page.locator("#close").tap()

        page.locator("#pictures").set_input_files([{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}])
        expect(page.locator("#notice")).to_contain_text("notes.txt: cannot be used")


def test_a_run_leads_to_its_files_in_the_gallery_and_each_file_back_to_the_run(chromium: Browser, server: Server) -> None:
    done = genmedia("run", CAMPAIGN, **server.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    artifacts = {one["key"].partition(f"{CAMPAIGN}-")[2]: one for one in server.ask("/artifacts/filter", {})}
    sheet, table = artifacts["contact-sheet"], artifacts["results"]

    with browsing(chromium, server, viewport={"width": 1200, "height": 800}) as page:
        page.goto(f"{server.url}/artifacts/artifact/{sheet['id']}")
        page.locator("input[type=password]").fill(server.password)
        page.keyboard.press("Enter")
        page.goto(f"{server.url}/artifacts/artifact/{sheet['id']}")
        (address,) = re.findall(rf"\(({re.escape(server.gallery)}[^)]*)\)", sheet["data"])
        link = page.get_by_role("link", name="Open in the gallery")
        expect(link).to_have_attribute("href", address)

        page.goto(f"{server.url}/artifacts/artifact/{table['id']}")
        first = json.loads(table["data"])[0]["files"]
        name, target = re.fullmatch(r"\[(.+?)\]\((.+?)\)", first.split(" ")[0]).groups()  # type: ignore[union-attr]
        expect(page.get_by_role("link", name=name).first).to_have_attribute("href", target)

        page.goto(address)
        expect(page.locator(".tile").first).to_be_visible()
        expect(page.locator(".head h2")).to_have_count(1)  # this campaign alone
        page.goto(target)
        expect(page.locator("#detail")).to_be_visible()
        run = page.locator("#facts").get_by_role("link", name="Run", exact=True)
        expect(run).to_have_attribute("href", f"/runs/flow-run/{table['flow_run_id']}")
        with page.expect_popup() as opened:
            run.click()
        expect(opened.value.get_by_text(f"campaign:{CAMPAIGN}").first).to_be_visible(timeout=60_000)
