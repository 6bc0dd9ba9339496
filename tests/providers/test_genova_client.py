"""Genova's client against the sandbox: what is checked before buying, every shape of a job, one list for many, the socket as a hint."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from genmedia import errors
from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.journal import Attempt, Journal
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.hashing import hash_file
from genmedia.providers.base import at_desk
from genmedia.providers.genova.client import (
    RECOVER_LOOKS,
    RECOVER_PAUSE_SECONDS,
    GenovaClient,
    GenovaJob,
    JobRequest,
)
from genmedia.providers.genova.references import Reference, prepare_references
from genmedia.providers.genova.steps import GenovaStep, Jobs
from genmedia.providers.inputs import ResolvedInput
from genmedia.providers.steps import Operation
from genmedia.store import Place, Store
from genmedia.store.named_files import Files, NamedFile
from genmedia.transport.pace import ANSWER_SECONDS, asking_once
from tests.contract import CancellingContract
from tests.example_assets import picture
from tests.listening import listening, response
from tests.sandboxes import Sandbox


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("genova", plan="Business")


def lease(account: dict[str, Any], **options: Any) -> Any:
    payer = Account("genova", account["base_url"], account["account"])
    return GenovaClient.lease(payer, options.pop("key", account["api_key"]), plan=account["plan"], **options)


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[GenovaClient]:
    async with lease(account, push=False) as client:
        yield client


async def prepared(files: Mapping[str, Path]) -> Mapping[str, Reference]:
    found, _ = await prepare_references(Files({name: NamedFile(file) for name, file in files.items()}))
    return found


def image(prompt: str = "a cup", **fields: Any) -> JobRequest:
    return JobRequest.model_validate({"type": "image", "prompt": prompt, "model": "nano_banana2", **fields})


class TestContract(CancellingContract):
    """Genova keeps what all providers must."""

    provider = "genova"
    price = 1
    wrong_key = "af_wrong"
    names_links = True
    read_route = ("GET", "/api/user/me")
    purchase_route = ("POST", "/api/jobs")

    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[GenovaClient]:
        """By the list alone: without the socket every request is one that the test asked for."""
        return lease(account, key=key, push=False)

    async def read(self, client: GenovaClient) -> object:
        """Who the account is."""
        return await client.get_profile()

    async def purchase(self, client: GenovaClient, sandbox: Sandbox) -> str:
        """A picture."""
        del sandbox
        return (await client.create_job(image().fields())).job_id

    async def refused(self, client: GenovaClient) -> object:
        """A prompt that is longer than the document allows."""
        return await client.create_job(image().fields() | {"prompt": "x" * 501})

    async def unknown(self, client: GenovaClient) -> object:
        """A job of nobody."""
        return await client.get_job("00000000-0000-4000-8000-000000000000")

    async def cancel(self, client: GenovaClient, ref: str) -> None:
        """Genova gives the credit back while the job waits."""
        await client.cancel(ref)


async def nobody(_: object) -> None:
    pass


async def wait(client: GenovaClient, job_id: str) -> Job:
    return await client.watcher.wait(job_id, about=job_id, queue_seconds=1e6, run_seconds=1e6, seen=nobody)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "x" * 501}, "at most 500 characters"),
        ({"prompt": ""}, "has no visible character"),
        ({"aspect_ratio": "1:1"}, "aspect ratio 1:1 is not one of nano_banana2: landscape, portrait, square"),
        ({"model": "freepik", "aspect_ratio": "landscape"}, "aspect ratio landscape is not one of freepik"),
        ({"count": 5}, "less than or equal to 4"),
        ({"quality": "1K"}, "quality is for freepik only"),
        ({"references": 5}, "less than or equal to 4"),
        ({"references": 1, "reference_mode": "style"}, "reference mode style is not one of nano_banana2: ingredients"),
        ({"model": "veo3_fast"}, "veo3_fast makes videos, not a image"),
        ({"type": "video"}, "nano_banana2 makes images, not a video"),
        ({"type": "video", "model": "veo3_fast", "count": 2}, "a video job gives one video"),
        ({"model": "imagen9"}, "imagen4"),
    ],
)
def test_what_the_document_rules_out_is_refused_before_it_is_sent(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JobRequest.model_validate({"type": "image", "prompt": "a cup", "model": "nano_banana2", **fields})


def test_only_what_the_caller_set_is_asked_for() -> None:
    assert image(quality=None).fields() == {"type": "image", "prompt": "a cup", "model": "nano_banana2"}


@pytest.mark.parametrize("colours", [("red", "teal"), ("teal", "red"), ("red", "red")])
async def test_what_arrives_is_the_orders_request_with_the_pictures_that_it_names_by_hash(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient, tmp_path: Path, colours: tuple[str, str]
) -> None:
    files = {colour: tmp_path / f"{colour}.png" for colour in ("red", "teal")}
    for colour, file in files.items():
        file.write_bytes(picture(colour))
    jpegs = {hash_file(files[colour]): one.jpeg for colour, one in (await prepared(files)).items()}
    kind, references = Jobs(), [{"file": str(files[colour])} for colour in colours]
    step = {"name": "cup", "model": "imagen4", "prompt": "a cup", "ratio": "square", "priority": 3, "references": references}
    operation = kind.operation(GenovaStep.model_validate(step))
    assert isinstance(operation, Operation)
    inputs = [
        ResolvedInput(f"reference {number}", "image", file=files[colour], sha256=hash_file(files[colour]))
        for number, colour in enumerate(colours, 1)
    ]
    order = kind.order(operation, inputs, client.account, 1)

    async with Store.lease(Place(str(tmp_path / "store"))) as store, AsyncExitStack() as held:
        submit = await kind.deliver(client, store, operation, inputs, order, held)
        await submit("", nullcontext)

    (job,) = sandbox.jobs(account)
    asked = dict(order.request)
    assert asked.pop("priority") == 3, "Genova shows none"
    references = asked.pop("referenceImages")
    told = job["request"]["settings"] | job["request"]
    assert told.items() >= asked.items()
    arrived = told["referenceImages"]
    assert arrived["mode"] == references["mode"]
    sent = [base64.b64decode(one.partition(",")[2]) for one in arrived["images"]]
    assert sent == [jpegs[one["sha256"]] for one in references["images"]]


async def test_a_job_without_a_picture_that_its_request_names_is_not_sent(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient
) -> None:
    request = image().fields() | {"referenceImages": {"images": [media_reference("ab" * 32, "jpeg-512")], "mode": "ingredients"}}

    with pytest.raises(KeyError):
        await client.create_job(request, {("ab" * 32, "none"): b"another"})

    assert sandbox.jobs(account) == []


@pytest.mark.parametrize(
    ("shape", "status"),
    [
        ({"status": "completed", "settings": '{"model": "imagen4"}', "result_urls": '["a.png"]'}, JobStatus.SUCCEEDED),
        ({"status": "processing", "settings": None, "prompt": None, "result_urls": None}, JobStatus.RUNNING),
        ({"status": "pending"}, JobStatus.QUEUED),
        ({"status": "dreaming", "new_field": 1}, JobStatus.RUNNING),
        ({"status": "failed", "error_message": "Cancelled"}, JobStatus.CANCELLED),
        ({"status": "failed", "error_message": None}, JobStatus.FAILED),
    ],
)
def test_a_job_is_read_in_every_shape_that_was_seen(shape: dict[str, Any], status: JobStatus) -> None:
    assert GenovaJob.model_validate({"id": "j", **shape}).as_job().status is status


@pytest.mark.parametrize("fault", ["settings_as_string", "result_urls_as_string", "nulls", "extra_fields"])
async def test_a_job_comes_through_whatever_its_form(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient, fault: str
) -> None:
    sandbox.fault(account, fault, times=None)

    job = await wait(client, (await client.create_job(image().fields())).job_id)

    assert job.status is JobStatus.SUCCEEDED


async def test_one_list_request_serves_all_jobs_that_wait(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient
) -> None:
    created = [await client.create_job(image(f"cup {number}").fields()) for number in range(8)]

    jobs = await asyncio.gather(*(wait(client, one.job_id) for one in created))

    counts = {(line["method"], line["route"]): line["count"] for line in sandbox.requests(account)}
    assert all(job.status is JobStatus.SUCCEEDED for job in jobs)
    assert ("GET", "/api/jobs/{job_id}") not in counts
    assert counts["GET", "/api/jobs"] < 8


async def test_a_job_that_is_not_on_the_first_page_is_found(client: GenovaClient) -> None:
    first = await client.create_job(image("the first").fields())
    for number in range(55):
        try:
            await client.create_job(image(f"cup {number}").fields())
        except errors.RateLimitError:
            await asyncio.sleep(0)

    assert (await wait(client, first.job_id)).id == first.job_id


async def test_a_job_that_cannot_be_looked_at_hides_no_other(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient
) -> None:
    sandbox.fault(account, "server_error", route="get_job", times=None)
    good = await client.create_job(image().fields())
    bad = asyncio.create_task(wait(client, "00000000-0000-4000-8000-000000000000"))

    job = await wait(client, good.job_id)

    assert job.status is JobStatus.SUCCEEDED
    assert not bad.done()
    bad.cancel()
    await asyncio.wait([bad])


@asynccontextmanager
async def standing_in(
    *messages: str, jobs: Sequence[dict[str, Any]] = (), total: int | None = None, only_first_page: bool = False
) -> AsyncGenerator[str]:
    """The address of a Genova that lists these jobs, has any other by its id, and says this on its socket."""

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/ws/"):
            return None
        if request.path.startswith("/api/jobs/"):
            return connection.respond(200, json.dumps({**jobs[0], "id": unquote(request.path.rpartition("/")[2])}))
        if only_first_page and "offset=0" not in request.path:
            return connection.respond(500, "{}")
        listed = {"jobs": jobs, "total": len(jobs) if total is None else total}
        return connection.respond(200, json.dumps({"id": "somebody", **listed}))

    async def say(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)
        await socket.wait_closed()

    async with serve(say, "127.0.0.1", 0, process_request=answer) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@pytest.mark.parametrize("made", ["2999-12-31 23:59:59", "2999-12-31T23:59:59.5Z", "just now"])
async def test_a_lost_job_is_found_in_whatever_form_its_date_is(made: str, tmp_path: Path) -> None:
    job = {"id": "j1", "status": "queued", "type": "image", "prompt": "a lost cup", "created_at": made}
    async with (
        standing_in(jobs=[job]) as url,
        GenovaClient.lease(Account("genova", url), "af_key", plan="Free", push=False) as client,
        Journal.lease(Place(str(tmp_path)).journal_url()) as journal,
    ):
        assert await client.recover(await intend(client, journal, 1), journal) == "j1"


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "job_progress", "jobId": "j1", "progress": 1' + 400 * "0" + "}",
        '{"type": "job_progress", "jobId": "j1", "progress": Infinity}',
        100_000 * "[",
        '["job_progress"]',
        "\x00",
    ],
)
async def test_nothing_that_the_socket_says_ends_the_listening(message: str) -> None:
    told: list[Job] = []
    failed = asyncio.Event()

    def hint(ref: str, job: Job) -> None:
        del ref
        told.append(job)

    def look_soon(ref: str | None = None) -> None:
        if ref == "j2":
            failed.set()

    async with (
        standing_in(message, '{"type": "job_failed", "jobId": "j2"}') as url,
        GenovaClient.lease(Account("genova", url), "af_key", plan="Free") as client,
    ):
        client.watcher.hint, client.watcher.look_soon = hint, look_soon
        client.listen()
        await failed.wait()

    assert all(job.progress is None for job in told)


async def test_a_further_page_that_cannot_be_read_hides_nothing() -> None:
    job = {"status": "completed", "type": "image", "prompt": "a cup"}
    first = [{**job, "id": f"j{number}"} for number in range(50)]
    async with (
        standing_in(jobs=first, total=90, only_first_page=True) as url,
        GenovaClient.lease(Account("genova", url), "af_key", plan="Free", push=False) as client,
    ):
        jobs = await asyncio.gather(*(wait(client, ref) for ref in ("j1", "on page two", "on page two as well")))

    assert all(job.status is JobStatus.SUCCEEDED for job in jobs)


async def test_the_socket_brings_the_end_with_hardly_a_list_request(sandbox: Sandbox, account: dict[str, Any]) -> None:
    async with lease(account) as client:
        client.listen()
        created = await client.create_job(image().fields())
        job = await client.watcher.wait(created.job_id, about="", queue_seconds=1e6, run_seconds=1e6, seen=nobody, fresh=True)

    assert job.status is JobStatus.SUCCEEDED


async def test_the_client_closes_while_the_socket_brings_news(sandbox: Sandbox, account: dict[str, Any]) -> None:
    """Before Python 3.12 `asyncio.wait_for` lost the cancellation, and the run never ended."""
    async with lease(account) as client:
        client.listen()
        for _ in range(20):
            await client.create_job(image().fields())
        heard = asyncio.Event()

        def hear(*_: object) -> None:
            heard.set()

        client.watcher.hint = hear
        sandbox.control("POST", "/clock", {"advance": 10**5})
        await heard.wait()


async def test_a_token_serves_as_well_as_a_key(account: dict[str, Any]) -> None:
    async with lease(account, key=account["jwt"], push=False) as client:
        assert (await client.get_profile()).credits_remaining == 10_000


async def test_the_json_form_of_a_download_leads_to_the_file_at_the_api_itself(sandbox: Sandbox) -> None:
    account = sandbox.new_account("genova", plan="Pro", switches={"download": "json"})
    async with lease(account, push=False) as client:
        job = await wait(client, (await client.create_job(image().fields())).job_id)
        sink = io.BytesIO()
        fetched = await client.fetch_output(job.outputs[0], sink, 10**7)

    assert fetched.size == len(sink.getvalue())
    assert sink.getvalue().startswith(b"\x89PNG")
    assert sandbox.leaked(account) == 0


async def test_keys_are_made_listed_and_revoked(account: dict[str, Any], client: GenovaClient) -> None:
    made = await client.create_key("second")
    assert made.key
    async with lease(account, key=made.key, push=False) as second:
        assert made.id in [key.id for key in await second.list_keys()]
        await client.revoke_key(made.id)
        with pytest.raises(errors.CredentialsError):
            await second.get_profile()


async def test_profile_and_stats_are_read_and_the_name_changed(client: GenovaClient) -> None:
    await wait(client, (await client.create_job(image().fields())).job_id)

    assert (await client.update_profile("Studio North")).name == "Studio North"
    assert (await client.get_stats()).completed_jobs == 1


async def intend(client: GenovaClient, journal: Journal, take: int) -> Attempt:
    fields = image("a lost cup").fields()
    asked_at = client.http.server_time() - timedelta(minutes=1)
    order = Order(client.account, "image imagen4", fields, 1, "credits", take)
    attempt = await journal.intend(order, asked_at, client.counter)
    assert attempt is not None
    return attempt


async def test_a_lost_job_is_found_by_what_was_asked_for_and_not_by_its_looks(client: GenovaClient, tmp_path: Path) -> None:
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        await journal.bind(await intend(client, journal, 1), (await client.create_job(image("a lost cup").fields())).job_id)
        await client.create_job(image("another cup").fields())
        lost = await client.create_job(image("a lost cup").fields())

        assert await client.recover(await intend(client, journal, 2), journal) == lost.job_id


async def test_of_a_list_without_an_end_nothing_is_concluded(
    client: GenovaClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await client.create_job(image("another cup").fields())
    monkeypatch.setattr("genmedia.providers.genova.client.PAGE", 1)
    monkeypatch.setattr("genmedia.providers.genova.client.PAGES", 1)
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        with pytest.raises(errors.UnreadableAnswerError, match="list of jobs goes on after 1 pages"):
            await client.recover(await intend(client, journal, 1), journal)


async def test_of_two_jobs_that_may_be_the_lost_one_none_is_taken(client: GenovaClient, tmp_path: Path) -> None:
    both = [(await client.create_job(image("a lost cup").fields())).job_id for _ in range(2)]
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        with pytest.raises(errors.InDoubtError, match="2 jobs in Genova's list may be the one") as told:
            await client.recover(await intend(client, journal, 1), journal)
    assert all(job in str(told.value) for job in both)


async def test_a_lost_job_that_is_not_listed_is_in_doubt_if_its_credit_is_gone(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient, tmp_path: Path
) -> None:
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        await client.hear_account()
        await client.create_job(image("another cup").fields())
        attempt = await intend(client, journal, 1)
        assert await client.recover(attempt, journal) is None

        sandbox.fault(account, "vanish", at="creation")
        await client.create_job(image("a lost cup").fields())
        with pytest.raises(errors.InDoubtError, match="more was used than the jobs in the list account for: 1 credit"):
            await client.recover(attempt, journal)


@pytest.mark.parametrize("kind", ["nulls", "empty_id"])
async def test_a_job_that_does_not_say_what_it_is_may_be_the_lost_one(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient, tmp_path: Path, kind: str
) -> None:
    await client.create_job(image("a lost cup").fields())
    sandbox.fault(account, kind, route="list_jobs", times=3)
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        with pytest.raises(errors.InDoubtError, match="1 jobs in Genova's list may be the one: they do not say"):
            await client.recover(await intend(client, journal, 1), journal)


async def test_the_providers_own_clock_is_followed(client: GenovaClient) -> None:
    await client.get_profile()
    before = client.http.server_time()
    await client.get_profile()

    assert client.http.server_time() - before > timedelta(seconds=-2)


def test_a_job_tells_what_genova_says_was_asked_for() -> None:
    shown = {"id": "j1", "type": "image", "status": "completed", "prompt": "a cup", "settings": '{"aspectRatio": "landscape"}'}

    job = GenovaJob.model_validate(shown).as_job()

    assert job.echo == {"type": "image", "prompt": "a cup", "aspectRatio": "landscape"}


async def test_the_socket_follows_no_redirect() -> None:
    async with listening(response("200 OK", b"{}")) as (target, strayed):
        away = response("302 Found", b"", f"location: {target.replace('http', 'ws')}/ws/user?userId=u")
        async with (
            listening(response("200 OK", b'{"id": "u"}'), away) as (url, heads),
            GenovaClient.lease(Account("genova", url), "af_key") as client,
        ):
            client.http.clock_scale = 1000
            client.listen()
            while len(heads) < 3:
                await asyncio.sleep(0.01)
    assert strayed == []
    assert all(head.startswith(b"GET /ws/user?userId=u ") for head in heads[1:])


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "1",
        "[" * 100_000,
        '{"type": "job_completed"}',
        '{"type": "job_completed", "jobId": "' + "x" * 10**6 + '", "resultUrl": "https://xn--/"}',
        '{"type": "job_completed", "jobId": {"a": "\\u0000\\ud800"}, "resultUrl": ["a"]}',
        '{"type": "job_progress", "jobId": "j", "progress": 1e999}',
        '{"type": "job_progress", "jobId": "j", "progress": "much"}',
        '{"type": {"a": 1}, "jobId": 5}',
        b"\xff\xfe",
    ],
    ids=range(11),
)
async def test_whatever_a_socket_says_ends_no_listening_and_is_not_kept_without_bounds(message: str | bytes) -> None:
    async with GenovaClient.lease(Account("genova", "http://127.0.0.1:9"), "af_key") as client:
        client._hear(message)  # pyright: ignore[reportPrivateUsage] # no sandbox says such things
        kept = client.watcher._ended_early  # pyright: ignore[reportPrivateUsage] # what it remembers of them
    assert sum(len(str(one)) for one in kept) < 1000


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("429 Too Many Requests", errors.TooManyJobsError),
        ("403 Forbidden", errors.CredentialsError),
        ("400 Bad Request", errors.RefusedError),
    ],
)
async def test_only_what_is_too_many_for_now_is_told_as_that(status: str, expected: type[errors.ApiError]) -> None:
    body = b'{"error": "Not allowed", "details": "Your plan has no concurrent jobs"}'
    async with listening(response(status, body)) as (url, heads), GenovaClient.lease(Account("genova", url), "af_k") as client:
        with pytest.raises(errors.ApiError) as told, asking_once():
            await client.get_profile()
    assert (type(told.value), len(heads)) == (expected, 1)


def test_a_job_with_references_is_not_said_to_be_another_than_what_was_asked_for() -> None:
    job = GenovaJob.model_validate(
        {
            "id": "a",
            "type": "image",
            "status": "completed",
            "settings": {"model": "imagen4", "referenceImages": {"images": ["data:"]}},
        }
    )

    assert job.as_job().echo == {"type": "image", "model": "imagen4"}


async def test_a_lost_purchase_is_looked_for_as_long_as_its_answer_may_come() -> None:
    assert (RECOVER_LOOKS - 1) * RECOVER_PAUSE_SECONDS >= ANSWER_SECONDS


async def test_a_desk_that_closes_leaves_the_socket_to_the_desk_of_another_journal(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account("genova", plan="Pro")
    payer = Account("genova", account["base_url"], account["account"])
    async with (
        GenovaClient.lease(payer, account["api_key"], plan="Pro") as client,
        Journal.lease(f"sqlite:///{tmp_path / 'one.db'}") as one,
        Journal.lease(f"sqlite:///{tmp_path / 'two.db'}") as two,
        at_desk(client, one) as own,
    ):
        async with at_desk(client, two) as other, asyncio.timeout(60):
            while not (client._pushed and own.looks._listens and other.looks._listens):  # pyright: ignore[reportPrivateUsage]
                await asyncio.sleep(0.05)

        listener = client._listener  # pyright: ignore[reportPrivateUsage]
        assert listener
        assert not listener.done()
