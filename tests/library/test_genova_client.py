"""Genova's client against the sandbox: what is checked before buying, every shape of a job, one list for many, the socket as a hint."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from genmedia import errors
from genmedia.jobs import Account, Job, JobStatus
from genmedia.providers.genova import GenovaClient, GenovaJob, JobRequest
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


def image(prompt: str = "a cup", **fields: Any) -> JobRequest:
    return JobRequest.model_validate({"type": "image", "prompt": prompt, "model": "nano_banana2", **fields})


async def nobody(_: Job) -> None:
    pass


async def wait(client: GenovaClient, job_id: str) -> Job:
    return await client.watcher.wait(job_id, about=job_id, queue_seconds=1e6, run_seconds=1e6, seen=nobody)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "x" * 501}, "at most 500 characters"),
        ({"prompt": ""}, "at least 1 character"),
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


def test_only_what_the_caller_set_is_sent() -> None:
    assert image().body([]) == {"type": "image", "prompt": "a cup", "model": "nano_banana2"}


def test_references_go_as_strings_or_as_objects() -> None:
    request = image(references=1, reference_mode="ingredients")

    assert request.body([b"\xff\xd8"])["referenceImages"] == {"images": ["data:image/jpeg;base64,/9g="], "mode": "ingredients"}
    assert request.body([b"\xff\xd8"], as_objects=True)["referenceImages"]["images"] == [
        {"name": "reference-1.jpg", "data": "data:image/jpeg;base64,/9g=", "mimeType": "image/jpeg"}
    ]


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

    job = await wait(client, (await client.create_job(image())).job_id)

    assert job.status is JobStatus.SUCCEEDED


async def test_one_list_request_serves_all_jobs_that_wait(
    sandbox: Sandbox, account: dict[str, Any], client: GenovaClient
) -> None:
    created = [await client.create_job(image(f"cup {number}")) for number in range(8)]

    jobs = await asyncio.gather(*(wait(client, one.job_id) for one in created))

    counts = {(line["method"], line["route"]): line["count"] for line in sandbox.requests(account)}
    assert all(job.status is JobStatus.SUCCEEDED for job in jobs)
    assert ("GET", "/api/jobs/{job_id}") not in counts
    assert counts["GET", "/api/jobs"] < 8


async def test_a_job_that_is_not_on_the_first_page_is_found(client: GenovaClient) -> None:
    first = await client.create_job(image("the first"))
    for number in range(55):
        try:
            await client.create_job(image(f"cup {number}"))
        except errors.RateLimitError:
            await asyncio.sleep(0)

    assert (await wait(client, first.job_id)).id == first.job_id


async def test_the_socket_brings_the_end_with_hardly_a_list_request(sandbox: Sandbox, account: dict[str, Any]) -> None:
    async with lease(account) as client:
        client.listen()
        created = await client.create_job(image())
        job = await client.watcher.wait(
            created.job_id, about="", queue_seconds=1e6, run_seconds=1e6, seen=nobody, first_after=1e5
        )

    assert job.status is JobStatus.SUCCEEDED


async def test_a_token_serves_as_well_as_a_key(account: dict[str, Any]) -> None:
    async with lease(account, key=account["jwt"], push=False) as client:
        assert (await client.get_profile()).credits_remaining == 10_000


async def test_a_job_that_has_not_started_is_cancelled_and_its_credit_comes_back(sandbox: Sandbox) -> None:
    account = sandbox.new_account("genova", plan="Pro", settings={"queue": [3000, 3000]})
    async with lease(account, push=False) as client:
        created = await client.create_job(image())
        await client.cancel_job(created.job_id)

        assert (await client.get_job(created.job_id)).as_job().status is JobStatus.CANCELLED
        assert (await client.get_profile()).credits_remaining == 2000


async def test_keys_are_made_listed_and_revoked(account: dict[str, Any], client: GenovaClient) -> None:
    made = await client.create_key("second")
    assert made.key
    async with lease(account, key=made.key, push=False) as second:
        assert made.id in [key.id for key in await second.list_keys()]
        await client.revoke_key(made.id)
        with pytest.raises(errors.CredentialsError):
            await second.get_profile()


async def test_profile_and_stats_are_read_and_the_name_changed(client: GenovaClient) -> None:
    await wait(client, (await client.create_job(image())).job_id)

    assert (await client.update_profile("Studio North")).name == "Studio North"
    assert (await client.get_stats()).completed_jobs == 1


async def test_a_lost_job_is_found_by_what_was_asked_for_and_not_by_its_looks(client: GenovaClient) -> None:
    older = await client.create_job(image("a lost cup"))
    other = await client.create_job(image("another cup"))
    lost = await client.create_job(image("a lost cup"))

    found = await client.find_jobs(image("a lost cup").fields(), age=60, owned={older.job_id})

    assert found == [lost.job_id]
    assert other.job_id not in found


async def test_the_providers_own_clock_is_followed(client: GenovaClient) -> None:
    await client.get_profile()
    before = client.http.server_time()
    await client.get_profile()

    assert client.http.server_time() - before > timedelta(seconds=-2)
