"""FLORA's client against the sandbox: both spellings, its refusals, its lists, and files on their way in."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from genmedia import errors
from genmedia.jobs import Account, JobStatus, Output
from genmedia.origins import Origins
from genmedia.providers.flora import FloraClient, Run, RunInput, check_media_url
from tests.contract import ProviderContract
from tests.sandboxes import Sandbox

PHOTO = Path(__file__).parents[2] / "photos" / "coffee.jpg"
SLUG = "portrait-enhancer"
NEWER = {"list_techniques": True, "list_runs": True, "assets": True}


def client_of(account: dict[str, Any], *, api_key: str | None = None) -> AbstractAsyncContextManager[FloraClient]:
    return FloraClient.lease(
        Account("flora", account["base_url"], account["account"]), account["api_key"] if api_key is None else api_key
    )


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
    wrong_key = "sk_live_wrong"
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
        return SLUG, (await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="k")).run_id

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


@pytest.mark.parametrize("casing", ["camel", "snake"])
async def test_a_run_reads_the_same_in_both_spellings(sandbox: Sandbox, casing: str) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]}, switches={"casing": casing})
    async with client_of(account) as client:
        technique = await client.get_technique(SLUG)
        begun = await client.create_run(SLUG, photo(sandbox.sample), idempotency_key="k")
        done = await client.get_run(SLUG, begun.run_id)

    assert technique.technique_id.startswith("tech_") == (casing == "snake")
    assert (begun.status, begun.progress, begun.outputs) == ("pending", 0, ())
    assert begun.run_id.startswith("run_") == (casing == "snake")
    assert (done.status, done.charged_cost, done.created_at) == ("completed", 5, begun.created_at)
    assert done.started_at is not None
    assert done.completed_at is not None
    job = done.as_job()
    assert (job.id, job.status, job.progress, job.charged, job.error) == (begun.run_id, JobStatus.SUCCEEDED, 100, 5, "")
    assert [(output.id, output.kind, output.text) for output in job.outputs] == [("output_image", "image", None)]
    assert list(job.times) == ["created", "started", "completed"]
    assert job.times["created"].endswith("+00:00")


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


@pytest.mark.parametrize(("told", "charged"), [({}, 0), ({"charged_cost": 2}, 2)])
def test_a_failed_run_costs_nothing_unless_flora_says_what(told: dict[str, Any], charged: float) -> None:
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


async def test_runs_are_listed_beyond_the_first_page_newest_first(sandbox: Sandbox) -> None:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [99, 1]}, switches=NEWER)
    async with client_of(account) as client:
        bought = [await client.create_run(SLUG, photo(sandbox.sample), idempotency_key=str(number)) for number in range(103)]
        listed = await client.list_runs()
        failed = await client.list_runs(status="failed")

    assert [run.run_id for run in listed] == [run.run_id for run in reversed(bought)]
    assert failed == []


async def test_the_beta_has_no_lists_and_no_assets(sandbox: Sandbox) -> None:
    async with client_of(sandbox.new_account()) as client:
        calls: list[Callable[[], Any]] = [client.list_techniques, client.list_runs, lambda: client.upload(PHOTO, "image/jpeg")]
        for call in calls:
            with pytest.raises(errors.NotFoundError):
                await call()


# Files


@pytest.mark.parametrize("direct_bytes", [4 * 10**6, 0])
async def test_a_local_file_goes_up_to_where_a_run_reads_it_and_no_key_goes_with_it(
    sandbox: Sandbox, account: dict[str, Any], client: FloraClient, monkeypatch: pytest.MonkeyPatch, direct_bytes: int
) -> None:
    monkeypatch.setattr("genmedia.providers.flora.DIRECT_UPLOAD_BYTES", direct_bytes)
    leaked = sandbox.leaked()

    url = await client.upload(PHOTO, "image/jpeg")
    run = await client.create_run(SLUG, photo(url), idempotency_key="k")

    assert url.startswith(sandbox.media_url)
    assert (await client.get_run(SLUG, run.run_id)).status == "completed"
    ways = {line["route"] for line in sandbox.requests(account)}
    assert ("/uploads/{token}" in ways) == (direct_bytes == 0)
    assert sandbox.leaked() == leaked


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
        ("http://127.0.0.1:4281/files/a.png", "must be an https address, not http"),
    ],
)
def test_flora_reads_from_nowhere_else(url: str, wrong: str) -> None:
    assert check_media_url(url, Origins("https://app.flora.ai")).startswith(wrong)
