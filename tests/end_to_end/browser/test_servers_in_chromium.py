"""The servers that commands start, as pages in a browser find them: closed to every page but their own."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect
from prefect.flows import load_flow_from_entrypoint

from deployments.engines.ports import free_port
from genmedia.campaign.forms.campaign import read_file
from genmedia.cli.project import Project
from genmedia.cli.services import prefect_environment, prefect_key, prefect_service, running
from tests.commands import PROJECT, python_module
from tests.prefects import PrefectServer, give_tables
from tests.sandboxes import Sandbox

pytestmark = pytest.mark.browser

PLANTED = "sk_live_planted_for_strangers"
BLOCKS = {"include_secrets": True}


@dataclass(frozen=True)
class Guarded:
    """A Prefect server as commands start it, in which a key is saved.

    Attributes:
        url: Where it answers.
        password: What it asks for.
        folder: Where it keeps its state.
        way_out: Where whatever the server itself asks of other machines would arrive.
    """

    url: str
    password: str
    folder: Path
    way_out: socket.socket

    def post(self, path: str, body: object) -> httpx.Response:
        """What it answers to somebody who has the password, and asks once."""
        user, _, password = self.password.partition(":")
        return httpx.post(f"{self.url}/api{path}", json=body, auth=(user, password), timeout=60)

    def ask(self, path: str, body: object) -> Any:
        """What it answers where it refuses nothing."""
        return self.post(path, body).raise_for_status().json()


@pytest.fixture(scope="module")
def guarded(prefect_server: PrefectServer, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    give_tables(run_folder, folder)
    service = prefect_service(folder, PROJECT)
    service.port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        service.environment = {**service.environment, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        with running([service]):
            settings = {**prefect_environment(folder), "PREFECT_API_URL": f"{service.url}/api", "FLORA_API_KEY": PLANTED}
            saved = python_module("deployments.bootstrap", GENMEDIA_STORE=str(folder / "media"), **settings)
            assert saved.returncode == 0, saved.stderr
            yield Guarded(service.url, prefect_key(folder), folder, proxy)


@contextmanager
def foreign_page(chromium: Browser) -> Generator[Page]:
    """A page of another origin on this machine, on which any script may run."""

    class Blank(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page
        page.close()
        server.shutdown()


READ = """async ([url, body, type]) => {
    try {
        const answer = await fetch(url, {method: "POST", body, headers: type ? {"content-type": type} : {}});
        return await answer.text();
    } catch (refused) {
        return `${refused}`;
    }
}"""

SEND_FORM = """([url, name, value]) => {
    const form = Object.assign(document.createElement("form"), {method: "POST", action: url, enctype: "text/plain"});
    form.append(Object.assign(document.createElement("input"), {name, value}));
    document.body.append(form);
    form.submit();
}"""


def test_a_page_of_another_origin_reads_no_saved_key(chromium: Browser, guarded: Guarded) -> None:
    assert PLANTED in str(guarded.ask("/block_documents/filter", BLOCKS))
    with foreign_page(chromium) as page:
        for type_ in ("application/json", "text/plain", ""):
            read = page.evaluate(READ, [f"{guarded.url}/api/block_documents/filter", '{"include_secrets": true}', type_])
            assert read == "TypeError: Failed to fetch"


def test_a_page_of_another_origin_changes_nothing_in_prefect(chromium: Browser, guarded: Guarded) -> None:
    with foreign_page(chromium) as page:
        with page.expect_navigation():
            page.evaluate(SEND_FORM, [f"{guarded.url}/api/variables/", '{"name": "planted", "value": "', '"}'])
        assert "Unauthorized" in page.content()

    assert guarded.ask("/variables/filter", {}) == []


def test_a_page_of_another_origin_changes_nothing_in_the_sandbox(chromium: Browser, sandbox: Sandbox) -> None:
    account = sandbox.new_account(credits=7)
    order = f'{{"provider": "flora", "account": "{account["account"]}", "credits": 0, "settings": {{}}, "api_key": "'
    with foreign_page(chromium) as page:
        page.evaluate(READ, [f"{sandbox.url}/sandbox/accounts", f'{order}stolen"}}', "text/plain"])
        with page.expect_navigation():
            page.evaluate(SEND_FORM, [f"{sandbox.url}/sandbox/accounts", order, '"}'])
        assert "another origin" in page.content()

    now = sandbox.account(account)
    assert (now["credits"], now["api_key"]) == (7, account["api_key"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_person_types_the_password_once_and_the_browser_keeps_it(chromium: Browser, guarded: Guarded, host: str) -> None:
    address = guarded.url.replace("127.0.0.1", host)
    with chromium.new_context() as browser:
        page = browser.new_page()
        page.goto(address)
        page.locator("input[type=password]").fill(guarded.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Logout")).to_be_visible(timeout=60_000)

        later = browser.new_page()
        later.goto(f"{address}/v2/blocks")
        expect(later.get_by_role("button", name="Logout")).to_be_visible(timeout=60_000)
        expect(later.get_by_text("FLORA Credentials").first).to_be_visible(timeout=60_000)


SHOWN = "[...document.images].every(one => one.complete && one.naturalWidth)"


def test_prefects_pages_show_all_pictures_and_ask_no_other_machine(chromium: Browser, guarded: Guarded) -> None:
    with chromium.new_context() as browser:
        page = browser.new_page()
        asked: list[Request] = []
        page.on("request", lambda one: asked.append(one))  # noqa: PLW0108 # Playwright takes no method of a list
        page.goto(guarded.url)
        page.locator("input[type=password]").fill(guarded.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Logout")).to_be_visible(timeout=60_000)
        for name in ("blocks", "blocks/catalog", "work-pools/create"):
            page.goto(f"{guarded.url}/v2/{name}")
            expect(page.locator("img").first).to_be_visible(timeout=60_000)
            page.wait_for_function(SHOWN)
        expect(page.get_by_text("Upgrade")).to_be_hidden()

    sent = [one.url for one in asked if one.failure != "csp"]  # what the page's policy forbids was never sent
    assert [url for url in sent if not url.startswith((f"{guarded.url}/", "data:", "blob:"))] == []
    with pytest.raises(BlockingIOError):
        guarded.way_out.accept()


def test_the_catalogue_of_blocks_has_none_that_cannot_be_saved_not_even_of_before(guarded: Guarded) -> None:
    def slugs() -> set[str]:
        return {one["slug"] for one in guarded.ask("/block_types/filter", {})}

    assert {"flora-credentials", "asset-store"} <= slugs()
    assert "providercredentials" not in slugs()

    guarded.ask("/block_types/", {"name": "ProviderCredentials", "slug": "providercredentials"})
    settings = {**prefect_environment(guarded.folder), "PREFECT_API_URL": f"{guarded.url}/api"}
    saved = python_module("deployments.bootstrap", **settings)

    assert saved.returncode == 0, saved.stderr
    assert "providercredentials" not in slugs()


def test_answers_without_logos_come_as_prefect_sends_them(guarded: Guarded) -> None:
    from deployments.local_server import LOGO_ROUTES  # noqa: PLC0415 # it imports Prefect's server, in every process that collects tests

    user, _, password = guarded.password.partition(":")
    asked = {"sec-fetch-mode": "cors", "accept-encoding": "gzip"}

    answer = httpx.get(f"{guarded.url}/api/openapi.json", auth=(user, password), headers=asked, timeout=60)

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-encoding"] == "gzip"
    schema = answer.json()
    told = {name: json.dumps(one) for name, one in schema["components"]["schemas"].items()}
    with_logo = {name for name, one in told.items() if '"logo_url"' in one}
    while more := {name for name, one in told.items() if any(f'schemas/{known}"' in one for known in with_logo)} - with_logo:
        with_logo |= more
    answers = {path: json.dumps([one["responses"] for one in ways.values()]) for path, ways in schema["paths"].items()}
    found = {path for path, one in answers.items() if any(f'schemas/{known}"' in one for known in with_logo)}
    assert found
    assert [path for path in found if not f"/api{path}".startswith(LOGO_ROUTES)] == []


@pytest.mark.timeout(900)  # ten forms, one after another
def test_every_deployment_stands_on_one_page_and_takes_a_submission_of_its_form_as_it_opens(
    chromium: Browser, guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**prefect_environment(guarded.folder), "PREFECT_API_URL": f"{guarded.url}/api"}
    deployed = python_module("prefect", "--no-prompt", "deploy", "--all", **settings)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    declared = {one.name: one for one in Project(PROJECT).deployments}
    monkeypatch.chdir(PROJECT)
    with chromium.new_context() as browser:
        page = browser.new_page()
        page.goto(f"{guarded.url}/v2/deployments")
        page.locator("input[type=password]").fill(guarded.password)
        page.keyboard.press("Enter")
        for name in declared:
            expect(page.get_by_role("link", name=name, exact=True)).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Page 1 of 1")).to_be_visible()

        for one in guarded.ask("/deployments/filter", {"sort": "NAME_ASC"}):
            # The form's fields are loaded last and move the button: a click while it moves is none.
            page.goto(f"{guarded.url}/v2/deployments/deployment/{one['id']}/run", wait_until="networkidle")
            page.get_by_role("button", name="Submit").click(timeout=60_000)
            expect(page.get_by_text("scheduled to start now").first).to_be_visible(timeout=60_000)
            page.wait_for_url(f"**/deployment/{one['id']}*")

    runs = guarded.ask("/flow_runs/filter", {})
    submitted = {run["deployment_id"]: run for run in runs if not run["auto_scheduled"]}
    for one in guarded.ask("/deployments/filter", {}):
        flow = load_flow_from_entrypoint(one["entrypoint"], use_placeholder_flow=False)
        meant = flow.validate_parameters(one["parameters"])
        given = flow.validate_parameters(submitted[one["id"]]["parameters"])
        if isinstance(meant.get("campaign"), str):  # its form says the defaults of its variables
            file = read_file(meant["campaign"])
            assert file.given(given.pop("variables")) == file.given(meant.pop("variables"))
        assert {name: given[name] for name in meant} == meant, "an untouched form says what the deployment says"


def test_no_submission_is_refused_because_others_come_at_the_same_time(guarded: Guarded) -> None:
    flow = guarded.ask("/flows/", {"name": "any"})
    deployment = guarded.ask("/deployments/", {"name": "any", "flow_id": flow["id"]})
    order = f"/deployments/{deployment['id']}/create_flow_run"

    with ThreadPoolExecutor(8) as people:
        sent = [people.submit(guarded.post, order, {}) for _ in range(80)]

    assert Counter(one.result().status_code for one in sent) == {201: 80}


def test_a_request_without_the_password_or_for_another_host_is_refused(guarded: Guarded) -> None:
    def status(path: str, **headers: str) -> int:
        return httpx.post(f"{guarded.url}/api{path}", json=BLOCKS, headers=headers).status_code

    assert status("/block_documents/filter") == 401
    assert status("/block_documents/filter", authorization="Basic Z2VubWVkaWE6") == 401
    user, _, password = guarded.password.partition(":")
    own = httpx.BasicAuth(user, password)
    for host in ("evil.example", "evil.example:4200", "127.0.0.1.evil.example"):
        refused = httpx.post(f"{guarded.url}/api/block_documents/filter", json=BLOCKS, auth=own, headers={"host": host})
        assert refused.status_code == 400
    assert httpx.get(f"{guarded.url}/api/health").json() is True


def test_nobody_else_can_read_the_password(guarded: Guarded, tmp_path: Path) -> None:
    key = prefect_key(tmp_path / "own")

    assert prefect_key(tmp_path / "own") == key != guarded.password
    assert len(key) > 32
    assert (tmp_path / "own" / "prefect.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
