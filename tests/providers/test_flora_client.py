"""FLORA's client against the sandbox: both spellings, its refusals, its lists, and files on their way in."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from genmedia import errors
from genmedia.jobs.job import Account, Job, JobStatus, Output
from genmedia.journal import Journal
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.providers.flora.client import FloraClient, Run, RunInput, RunRef, check_media_url
from genmedia.providers.flora.steps import submission
from genmedia.store import Place
from genmedia.text.plain import REASON_CHARACTERS
from genmedia.transport.origins import Origins
from tests.contract import ProviderContract
from tests.listening import listening, response
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
SLUG = "portrait-enhancer"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEWER = {"list_techniques": True, "list_runs": True, "assets": True}
TODAY = {**NEWER, "casing": "snake", "workspaces": 1, "idempotency": "openapi"}


def client_of(
    account: dict[str, Any], *, api_key: str | None = None, workspace: str = ""
) -> AbstractAsyncContextManager[FloraClient]:
    payer = Account("flora", account["base_url"], account["account"])
    return FloraClient.lease(payer, account["api_key"] if api_key is None else api_key, workspace=workspace)


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches=NEWER)


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[FloraClient]:
    async with client_of(account) as client:
        yield client


def photo(value: str, name: str = "input_image") -> list[RunInput]:
    return [RunInput(id=name, type="imageUrl", value=value)]


class TestContract(ProviderContract):
    """FLORA keeps what all providers must."""

    provider = "flora"
    in_full = True
    wrong_key = "sk_live_wrong"
    names_links = True
    read_route = ("GET", "/api/v1/techniques/{slug}")
    purchase_route = ("POST", "/api/v1/techniques/{slug}/runs")

    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[FloraClient]:
        """The account's client."""
        return client_of(account, api_key=key)

    async def read(self, client: FloraClient) -> object:
        """What a technique is."""
        return await client.get_technique(SLUG)

    async def purchase(self, client: FloraClient, sandbox: Sandbox) -> tuple[str, str]:
        """A run of a technique with one picture."""
        return SLUG, (await client.create_run(SLUG, photo(sandbox.sample), idempotency_key=uuid4().hex)).run_id

    async def refused(self, client: FloraClient) -> object:
        """A run without its input."""
        return await client.create_run(SLUG, [], idempotency_key="k")

    async def unknown(self, client: FloraClient) -> object:
        """A run of nobody."""
        return await client.get_run(SLUG, "j57none")


async def test_a_technique_says_what_it_takes_gives_and_costs(client: FloraClient) -> None:
    technique = await client.get_technique("art-directors-critique")

    assert technique.run_cost == 6
    assert [(one.id, one.type) for one in technique.inputs] == [("input_image", "imageUrl")]
    assert [(one.id, one.type) for one in technique.outputs] == [("critique", "text"), ("redesign", "imageUrl")]


@pytest.mark.parametrize(("casing", "cost", "unit"), [("camel", 5, "credits"), ("snake", 0.05, "USD")])
async def test_a_run_reads_the_same_in_both_spellings_which_tell_the_unit_of_its_cost(
    sandbox: Sandbox, casing: str, cost: float, unit: str
) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches={"casing": casing})
    async with client_of(account) as client:
        technique = await client.get_technique(SLUG)
        begun = await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="k")
        done = await client.get_run(SLUG, begun.run_id)

    assert technique.technique_id.startswith("tech_") == (casing == "snake")
    assert (begun.status, begun.progress, begun.outputs) == ("pending", 0, ())
    assert begun.run_id.startswith("run_") == (casing == "snake")
    assert (technique.run_cost, technique.unit) == (cost, unit)
    assert (done.status, done.charged_cost, done.unit, done.created_at) == ("completed", cost, unit, begun.created_at)
    assert done.started_at is not None
    assert done.completed_at is not None
    job = done.as_job()
    assert (job.id, job.status, job.progress, job.charged, job.error) == (begun.run_id, JobStatus.SUCCEEDED, 100, cost, "")
    assert {one: job.charged_in(one) for one in ("credits", "USD")} == {"credits": None, "USD": None, unit: cost}
    assert [(output.id, output.kind, output.text) for output in job.outputs] == [("output_image", "image", None)]
    assert list(job.times) == ["created", "started", "completed"]
    assert job.times["created"].endswith("+00:00")


@pytest.mark.parametrize("unit", [None, "EUR", "credits", 5])
def test_the_spelling_of_a_cost_alone_tells_its_unit(unit: Any) -> None:
    for told, cost in (
        ({"charged_cost": 0.05}, (0.05, "USD")),
        ({"chargedCost": 5}, (5, "credits")),
        ({"chargedCost": 5, "charged_cost": 0.05}, (0.05, "USD")),
    ):
        run = Run.model_validate({"run_id": "j57", "status": "completed", "unit": unit, **told})
        assert (run.charged_cost, run.unit) == cost


async def test_what_arrives_is_the_orders_request_with_an_address_for_each_file(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient
) -> None:
    technique = "cinematic-movie-generator"
    inputs = [
        {"id": "input_image", "type": "imageUrl", "file": media_reference("ab" * 32)},
        {"id": "scene", "type": "text", "text": "a harbour, é"},
    ]
    order = Order(client.account, f"technique {technique}", {"technique": technique, "inputs": inputs}, 8, "credits")

    addresses = {"input_image": sandbox.sample, "another": "https://media.flora.ai/another.png"}
    await submission(client, order, addresses)("k", nullcontext)

    (job,) = sandbox.jobs(account)
    assert job["request"]["technique"] == order.request["technique"]
    assert job["request"]["inputs"] == [
        {"id": "input_image", "type": "imageUrl", "value": sandbox.sample},
        {"id": "scene", "type": "text", "value": "a harbour, é"},
    ]
    with pytest.raises(KeyError):
        submission(client, order, {})


@pytest.mark.parametrize(
    ("base_url", "webhook_url", "sent"),
    [
        ("https://app.flora.ai", "https://hooks.example.com/flora", True),
        ("http://127.0.0.1:4280/flora", "http://127.0.0.1:4290/flora", True),
        ("http://127.0.0.1:4280/flora", "https://hooks.example.com/flora", True),
        ("https://app.flora.ai", "http://127.0.0.1:4290/flora", False),
        ("https://app.flora.ai", "", False),
    ],
)
async def test_an_address_on_this_machine_for_webhooks_is_told_to_a_sandbox_alone(
    base_url: str, webhook_url: str, sent: bool
) -> None:
    async with FloraClient.lease(Account("flora", base_url), "sk", webhook_url=webhook_url) as client:
        told = client._callback  # pyright: ignore[reportPrivateUsage] # no test reaches FLORA

    assert told == ({"callback_url": webhook_url} if sent else {})


async def test_the_words_of_a_text_output_are_no_link(sandbox: Sandbox, client: FloraClient) -> None:
    run = await client.create_run("art-directors-critique", photo(sandbox.sample), idempotency_key="k")

    critique, redesign = (await client.get_run("art-directors-critique", run.run_id)).as_job().outputs

    assert (critique.kind, critique.url) == ("text", None)
    assert len(critique.text or "") > 20
    assert (redesign.kind, redesign.text) == ("image", None)


def test_what_no_document_names_is_kept_or_passed_over() -> None:
    run = Run.model_validate(
        {
            "runId": "j57",
            "status": "wibble",
            "outputs": [{"outputId": "o", "type": "hologramUrl", "url": "https://a.example/o", "new": 1}],
            "errorCode": None,
            "wobble": {"a": [1, None]},
        }
    )
    assert run.as_job().status is JobStatus.RUNNING
    assert run.as_job().outputs == (Output("o", "hologramUrl", url="https://a.example/o"),)
    assert Run.model_validate({"run_id": "j57", "status": "failed", "outputs": None}).outputs == ()


@pytest.mark.parametrize(
    ("kind", "value", "is_link"),
    [
        ("richText", "A cup, in two words: very good.", False),
        ("number", "42", False),
        ("json", '{"colour": "https://a.example/red"}', False),
        ("list", "a: b", False),
        ("text", "https://a.example/words", False),
        ("hologram", "https://a.example/o", True),
        ("modelUrl", "nothing", True),
        ("image_url", "", True),
    ],
)
def test_an_output_of_a_type_that_no_document_names_is_a_text_unless_it_is_called_or_is_an_address(
    kind: str, value: str, is_link: bool
) -> None:
    run = Run.model_validate({"runId": "j57", "status": "completed", "outputs": [{"outputId": "o", "type": kind, "url": value}]})

    (output,) = run.as_job().outputs

    assert (output.url, output.text, output.kind == "text") == ((value, None, False) if is_link else (None, value, True))


@pytest.mark.parametrize(("told", "charged"), [({}, 0), ({"charged_cost": 2}, 2), ({"charged_cost": "some"}, None)])
def test_a_failed_run_costs_nothing_unless_flora_says_what(told: dict[str, Any], charged: float | None) -> None:
    assert Run.model_validate({"run_id": "j57", "status": "failed"} | told).as_job().charged == charged


# Refusals


async def test_an_unknown_technique_and_an_unknown_run_are_not_found(client: FloraClient) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.get_technique("no-such"),
        lambda: client.get_run(SLUG, "j57none"),
        lambda: client.create_run("no-such", [], idempotency_key="k"),
    ]
    for call in calls:
        with pytest.raises(errors.NotFoundError):
            await call()


@pytest.mark.parametrize("slug", [f"{SLUG}/runs/../../{SLUG}", f"../techniques/{SLUG}", f"{SLUG}?x=1", f"{SLUG}#x"])
async def test_a_slug_cannot_lead_to_another_route(client: FloraClient, slug: str) -> None:
    with pytest.raises(errors.NotFoundError):
        await client.get_technique(slug)


@pytest.mark.parametrize(
    ("inputs", "named"),
    [([], "input_image is missing"), (photo("https://example.com/a.jpg"), "supported host"), (photo("x", "y"), "'y'")],
)
async def test_inputs_that_flora_finds_fault_with_are_told_in_its_words(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, inputs: list[RunInput], named: str
) -> None:
    with pytest.raises(errors.RefusedError, match="input_validation_error") as refused:
        await client.create_run(SLUG, inputs, idempotency_key="k")
    assert named in str(refused.value)
    assert sandbox.jobs(account) == []


async def test_an_equal_idempotency_key_gives_the_run_that_exists(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient
) -> None:
    first, second = [await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="k") for _ in range(2)]
    other = await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="l")

    assert first.run_id == second.run_id != other.run_id
    assert len(sandbox.jobs(account)) == 2


async def test_a_key_that_was_used_for_something_else_is_told_as_a_duplicate(sandbox: Sandbox) -> None:
    account = sandbox.new_account(switches={"idempotency": "docs"})
    async with client_of(account) as client:
        await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="k")
        with pytest.raises(errors.DuplicateError, match="idempotency_conflict"):
            await client.create_run("studio-blur", photo(sandbox.sample), idempotency_key="k")


# Lists


async def test_all_techniques_are_listed_or_those_that_match(client: FloraClient) -> None:
    everything, blurring = await client.list_techniques(), await client.list_techniques("blur")

    assert len(everything) == 39
    assert {one.name for one in blurring} < {one.name for one in everything}
    assert "Studio Blur" in {one.name for one in blurring}


async def test_runs_are_listed_beyond_the_first_page_newest_first_and_a_list_without_an_end_is_given_up(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [99, 1]}, switches=NEWER)
    async with client_of(account) as client:
        bought = [await client.create_run(SLUG, photo(sandbox.sample), idempotency_key=str(number)) for number in range(103)]
        listed = await client.list_runs()
        failed = await client.list_runs(status="failed")
        monkeypatch.setattr("genmedia.providers.flora.client.PAGES", 1)
        with pytest.raises(errors.UnreadableAnswerError, match="goes on after 1 pages"):
            await client.list_runs()

    assert [run.run_id for run in listed] == [run.run_id for run in reversed(bought)]
    assert failed == []


async def ended(client: FloraClient, refs: Iterable[RunRef]) -> list[Job]:
    async def see(_: object) -> None:
        pass

    waits = (client.watcher.wait(ref, about="", queue_seconds=1e6, run_seconds=1e6, seen=see) for ref in refs)
    return await asyncio.gather(*waits)


def asked(sandbox: Sandbox, account: dict[str, Any]) -> Counter[str]:
    """How often it was looked into the list, and at a run by its id."""
    names = {"/api/v1/technique-runs": "list", "/api/v1/techniques/{slug}/runs/{run_id}": "id"}
    return Counter({names[one["route"]]: one["count"] for one in sandbox.requests(account) if one["route"] in names})


async def test_many_runs_are_looked_at_by_the_pages_of_the_list_and_none_by_its_id(sandbox: Sandbox) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches=NEWER)
    async with client_of(account) as client:
        bought = [await client.create_run(SLUG, photo(sandbox.sample), idempotency_key=str(number)) for number in range(230)]

        jobs = await ended(client, [(SLUG, run.run_id) for run in bought])

    assert {(job.status, job.charged, len(job.outputs)) for job in jobs} == {(JobStatus.SUCCEEDED, 5, 1)}
    assert asked(sandbox, account) == {"list": 3}


async def test_few_runs_below_many_others_are_looked_at_by_their_ids(sandbox: Sandbox) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches=NEWER)
    async with client_of(account) as client:
        bought = [await client.create_run(SLUG, photo(sandbox.sample), idempotency_key=str(number)) for number in range(103)]

        await ended(client, [(SLUG, run.run_id) for run in bought[:3]])

    assert asked(sandbox, account) == {"list": 1, "id": 3}


async def test_a_run_whose_end_the_list_does_not_tell_in_full_is_looked_at_by_its_id() -> None:
    whole = {
        "runId": "whole",
        "status": "completed",
        "chargedCost": 3,
        "outputs": [{"outputId": "o", "type": "text", "url": "a"}],
    }
    unpriced = {**whole, "runId": "unpriced", "chargedCost": None}
    page = {"techniqueRuns": [whole, unpriced]}
    answers = [response("200 OK", json.dumps(one).encode()) for one in (page, {**whole, "runId": "unpriced"})]
    async with listening(*answers) as (url, heard), FloraClient.lease(Account("flora", url, "in full"), "sk") as client:
        jobs = await ended(client, [("x", "whole"), ("x", "unpriced")])

    assert [(job.id, job.charged) for job in jobs] == [("whole", 3), ("unpriced", 3)]
    assert len(heard) == 2


async def test_of_many_runs_that_may_be_the_lost_one_as_many_are_named_as_a_person_reads(tmp_path: Path) -> None:
    runs = json.dumps({"techniqueRuns": [{"runId": f"{number:0200}", "status": "running"} for number in range(3000)]})
    answers = [response("200 OK", body.encode()) for body in ('{"techniqueId": "t", "runCost": 3}', runs)]
    async with (
        listening(*answers) as (url, _),
        FloraClient.lease(Account("flora", url), "sk_live_key") as client,
        Journal.lease(Place(str(tmp_path)).journal_url()) as journal,
    ):
        attempt = await journal.intend(Order(client.account, "technique x", {"technique": "x"}, 1, "credits"), LONG_AGO)
        assert attempt
        with pytest.raises(errors.InDoubtError, match="3000 runs") as told:
            await client.recover(attempt, journal)

    assert len(str(told.value)) < 4 * REASON_CHARACTERS


async def test_a_run_whose_request_was_under_way_when_its_buyer_ended_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.providers.flora.client.ANSWER_SECONDS", 0.1)
    told: list[dict[str, Any]] = [
        {"techniqueId": "t", "runCost": 3},
        {"techniqueRuns": []},
        {"techniqueRuns": [{"runId": "late", "status": "running"}]},
    ]
    answers = [response("200 OK", json.dumps(one).encode()) for one in told]
    async with (
        listening(*answers) as (url, _),
        FloraClient.lease(Account("flora", url, "late"), "sk") as client,
        Journal.lease(Place(str(tmp_path)).journal_url()) as journal,
    ):
        attempt = await journal.intend(Order(client.account, "technique x", {"technique": "x"}, 1, "credits"), LONG_AGO)
        assert attempt

        assert await client.recover(attempt, journal) == "late"


async def test_a_listed_run_without_an_id_hides_no_other_and_may_be_the_lost_one(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, tmp_path: Path
) -> None:
    begun = client.http.server_time()
    first = await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="first")
    await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="lost")
    order = Order(client.account, f"technique {SLUG}", {"technique": SLUG}, 1, "credits")
    sandbox.fault(account, "empty_id", route="list_runs", times=2)

    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        bought = await journal.intend(replace(order, take=2), begun)
        lost = await journal.intend(order, begun)
        assert bought
        assert lost
        await journal.bind(bought, first.run_id)
        with pytest.raises(errors.InDoubtError, match="1 runs in FLORA's list cannot be read, and may be the one"):
            await client.recover(lost, journal)
    assert [run.run_id for run in await client.list_runs()] == [first.run_id]


@pytest.mark.parametrize("meta", ["more", [1], 5, True, {"next_cursor": {"a": 1}}, None])
async def test_a_list_that_does_not_say_how_it_goes_on_ends_there(meta: Any) -> None:
    page = json.dumps({"techniques": [{"techniqueId": "t1", "slug": "blur"}], "meta": meta}).encode()
    async with listening(response("200 OK", page)) as (url, _), FloraClient.lease(Account("flora", url, "a"), "sk") as client:
        assert {one.slug for one in await client.list_techniques()} == {"blur"}


async def test_the_beta_has_no_lists_and_no_assets(sandbox: Sandbox) -> None:
    async with client_of(sandbox.new_account()) as client:
        calls: list[Callable[[], Any]] = [client.list_techniques, client.list_runs, lambda: client.upload(PHOTO, "image/jpeg")]
        for call in calls:
            with pytest.raises(errors.NotFoundError):
                await call()


# Files


@pytest.mark.parametrize(
    ("switches", "direct_bytes", "method"),
    [
        pytest.param(NEWER, 4 * 10**6, "", id="at once"),
        pytest.param(NEWER, 0, "POST", id="to a reserved address"),
        pytest.param(TODAY, 4 * 10**6, "", id="today at once"),
        pytest.param(TODAY, 0, "POST", id="today to a reserved address"),
        pytest.param({**TODAY, "signed_upload": "put"}, 0, "PUT", id="today the bytes alone"),
    ],
)
async def test_a_local_file_goes_up_to_where_a_run_reads_it_and_no_key_goes_with_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, switches: dict[str, Any], direct_bytes: int, method: str
) -> None:
    monkeypatch.setattr("genmedia.providers.flora.client.DIRECT_UPLOAD_BYTES", direct_bytes)
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches=switches)

    async with client_of(account) as client:
        assert await client.takes_files()
        url = await client.upload(PHOTO, "image/jpeg")
        run = await client.create_run(SLUG, photo(url), idempotency_key="k")
        assert (await client.get_run(SLUG, run.run_id)).status == "completed"

    assert url.startswith(sandbox.media_url)
    assert sandbox.http.get(url).content == PHOTO.read_bytes()
    assert {line["method"] for line in sandbox.requests(account) if line["route"] == "/uploads/{token}"} == set(
        filter(None, [method])
    )
    assert sandbox.leaked(account) == 0


async def test_where_an_account_has_several_workspaces_one_is_to_be_named(sandbox: Sandbox) -> None:
    account = sandbox.new_account(switches={**TODAY, "workspaces": 2})
    async with client_of(account) as client:
        first, second = await client.list_workspaces()
        for ask in (client.takes_files, lambda: client.upload(PHOTO, "image/jpeg")):
            with pytest.raises(errors.SettingsError, match="has several workspaces") as several:
                await ask()
    for part in ("Nothing was bought", "FLORA Credentials block", first.workspace_id, f"{second.workspace_id} (Workspace 2)"):
        assert part in str(several.value)

    for chosen in (second.workspace_id, second.name):
        async with client_of(account, workspace=chosen) as client:
            assert await client.workspace() == second.workspace_id
            assert (await client.upload(PHOTO, "image/jpeg")).startswith(sandbox.media_url)
    async with client_of(account, workspace="Atelier") as client:
        with pytest.raises(errors.SettingsError, match="has no workspace 'Atelier'"):
            await client.upload(PHOTO, "image/jpeg")


@pytest.mark.parametrize("told", [5, "ws_1", {"workspace_id": "ws_1"}])
async def test_workspaces_that_are_no_list_are_told_as_an_unreadable_answer(told: Any) -> None:
    page = response("200 OK", json.dumps({"workspaces": told}).encode())
    async with listening(page) as (url, _), FloraClient.lease(Account("flora", url, "a"), "sk") as client:
        with pytest.raises(errors.UnreadableAnswerError):
            await client.workspace()


async def test_a_workspace_that_cannot_be_read_hides_no_other() -> None:
    page = response("200 OK", json.dumps({"workspaces": [{"name": "new"}, {"workspace_id": "ws_1"}, None]}).encode())
    async with listening(page) as (url, _), FloraClient.lease(Account("flora", url, "a"), "sk") as client:
        assert await client.workspace() == "ws_1"


@pytest.mark.parametrize("address", ["http://169.254.169.254/a", "https://a.example:99999/a", "https://xn--/", "file:///a"])
async def test_an_address_that_no_file_may_be_sent_to_is_told_before_anything_is_bought(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("genmedia.providers.flora.client.DIRECT_UPLOAD_BYTES", 0)
    said: list[dict[str, Any]] = [{"workspaces": []}, {"asset_id": "a", "status": "pending_upload", "upload_url": address}]
    pages = [response("200 OK", json.dumps(one).encode()) for one in said]
    async with listening(*pages) as (url, _), FloraClient.lease(Account("flora", url, "a"), "sk") as client:
        with pytest.raises(errors.ForbiddenAddressError, match=r"coffee\.jpg .* may not be called.* Nothing was bought") as told:
            await client.upload(PHOTO, "image/jpeg")
    assert "paid" not in str(told.value)


async def test_a_file_that_flora_cannot_use_is_told_in_its_words(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "cup.jpg").write_text("not a picture")
    async with client_of(sandbox.new_account(switches=TODAY)) as client:
        with pytest.raises(
            errors.RefusedError, match=r"cup.jpg: The file cannot be read as image/jpeg\. This call bought nothing"
        ):
            await client.upload(tmp_path / "cup.jpg", "image/jpeg")


async def test_a_file_that_is_not_ready_in_time_is_told_and_nothing_is_bought(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.providers.flora.client.ASSET_SECONDS", -1)
    async with client_of(sandbox.new_account(switches=TODAY)) as client:
        with pytest.raises(errors.NotAcceptedError, match=r"was not ready after .* bought nothing"):
            await client.upload(PHOTO, "image/jpeg")


async def test_a_file_of_a_type_that_flora_does_not_take_is_refused(client: FloraClient, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(errors.RefusedError, match="content_type"):
        await client.upload(tmp_path / "notes.txt", "text/plain")


async def test_a_link_can_be_used_while_it_lives_where_flora_reads_from(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient
) -> None:
    url = await client.upload(PHOTO, "image/jpeg")

    assert await client.reads(url)
    assert not await client.reads(f"{url}x")
    assert not await client.reads("https://example.com/a.jpg")
    sandbox.new_account(account=account["account"], settings={"output_lifetime": 0.001})
    run = await client.create_run(SLUG, photo(url), idempotency_key="k")
    (gone,) = (await client.get_run(SLUG, run.run_id)).outputs
    assert not await client.reads(gone.url)


# Checks before anything is bought


@pytest.mark.parametrize(
    "url",
    [
        "https://media.flora.ai/a.png",
        "https://storage.googleapis.com/bucket/a.png",
        "https://my-bucket.storage.googleapis.com/a.png",
        "https://my.bucket.s3.eu-west-1.amazonaws.com/a.png",
        "https://bucket.s3.amazonaws.com/a.png",
        "https://s3.eu-west-1.amazonaws.com/bucket/a.png",
        "https://s3-eu-west-1.amazonaws.com/bucket/a.png",
        "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a.png",
        "https://bucket.s3-accelerate.amazonaws.com/a.png",
        "https://bucket.s3-accelerate.dualstack.amazonaws.com/a.png",
        "https://ik.imagekit.io/me/a.png?tr=w-100",
        "https://named.example/a.png",
        "http://127.0.0.1:4281/files/a.png",
    ],
)
def test_flora_reads_from_the_documented_hosts_and_from_listed_origins(url: str) -> None:
    assert check_media_url(url, Origins("http://127.0.0.1:4281/flora", ("https://named.example",))) == ""


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://media.flora.ai/a.png", "must be an https address, not http"),
        ("photos/a.png", "must be an https address, not a bare name"),
        ("data:image/png;base64,AAAA", "must be an https address, not data"),
        ("https://example.com/a.png", "is on example.com, which FLORA does not read from"),
        ("https://media.flora.ai.example.com/a.png", "is on media.flora.ai.example.com, which"),
        ("https://s3.amazonaws.com.example/a.png", "is on s3.amazonaws.com.example, which"),
        ("https://ec2.amazonaws.com/a.png", "is on ec2.amazonaws.com, which"),
        ("https://a.example:port/x", "is not an address"),
        ("https://a.example:99999/x", "is not an address"),
        ("https://xn--/x", "is not an address"),
        ("https://media.flora.ai/\ud800", "is not an address"),
        ("https://bucket.s3-website-us-east-1.amazonaws.com/a.png", "is on bucket.s3-website-us-east-1.amazonaws.com, which"),
        (
            "https://bucket.s3-website.eu-central-1.amazonaws.com/a.png",
            "is on bucket.s3-website.eu-central-1.amazonaws.com, which",
        ),
        ("https://s3-outposts.eu-west-1.amazonaws.com/a.png", "is on s3-outposts.eu-west-1.amazonaws.com, which"),
        ("https://s3-anything.amazonaws.com/a.png", "is on s3-anything.amazonaws.com, which"),
        ("https://media.flora.ai:8443/a.png", "is on media.flora.ai:8443, which"),
        ("https://media.flora.ai./a.png", "is on media.flora.ai., which"),
        ("https://..storage.googleapis.com/a.png", "is on ..storage.googleapis.com, which"),
        ("https://user@media.flora.ai/a.png", "has a user"),
        ("https://media.flora.ai@example.com/a.png", "has a user"),
        ("https://media.flora.ai\\@example.com/a.png", "has a user"),
        ("http://127.0.0.1:4281/files/a.png", "must be an https address, not http"),
    ],
)
def test_flora_reads_from_nowhere_else(url: str, wrong: str) -> None:
    assert check_media_url(url, Origins("https://app.flora.ai")).startswith(wrong)
