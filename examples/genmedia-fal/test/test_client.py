"""fal's client against its sandbox: the contract of all providers, a charge that is counted in units, and the two forms of a job's end."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genmedia import errors
from genmedia.jobs.job import Account, Job, JobStatus, Output
from genmedia.journal import Journal
from genmedia.journal.order import Order
from genmedia.purchasing.buy import Submit, buy
from genmedia.transport.session import Gate
from genmedia_fal.client import FalClient, FalRequest, JobRef, files_in
from tests.contract import CancellingContract
from tests.sandboxes import Sandbox

CUP = FalRequest(endpoint="fal-ai/flux/dev", arguments={"prompt": "a cup of coffee", "image_size": "square", "seed": 1})
KONTEXT = "fal-ai/flux-pro/kontext"
FILM = "fal-ai/ltx-2/image-to-video"


@pytest.fixture
def account(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.new_account("fal", settings={"advance": "looks", "looks": [0, 0]})


def lease(account: dict[str, Any], key: str | None = None) -> AbstractAsyncContextManager[FalClient]:
    whose = Account("fal", account["base_url"], account["account"])
    return FalClient.lease(whose, account["api_key"] if key is None else key)


@pytest.fixture
async def client(account: dict[str, Any]) -> AsyncGenerator[FalClient]:
    async with lease(account) as client:
        client.http.clock_scale = 50
        yield client


class TestContract(CancellingContract):
    """fal keeps the contract of all providers."""

    provider = "fal"
    price = 0.025
    wrong_key = "00000000-0000-4000-8000-000000000009:0123456789abcdef0123456789abcdef"
    names_links = True
    read_route = ("GET", "/{owner}/{app}/requests/{request_id}/status")
    purchase_route = ("POST", "/{endpoint:path}")
    looked_at: JobRef

    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[FalClient]:
        """Lease the client of an account of the sandbox."""
        return lease(account, key)

    async def make_ready(self, client: FalClient, sandbox: Sandbox) -> None:
        """Buy the job that `read` looks at: fal has no other call that costs nothing."""
        self.looked_at = await self.purchase(client, sandbox)

    async def read(self, client: FalClient) -> object:
        """Look at a job."""
        return await client.look(self.looked_at)

    async def purchase(self, client: FalClient, sandbox: Sandbox) -> JobRef:
        """Buy a picture."""
        del sandbox
        return client.ref(CUP.endpoint, await client.submit(CUP), CUP.arguments)

    async def refused(self, client: FalClient) -> object:
        """Send arguments that are not an object, which fal refuses."""
        return await client.submit(CUP.model_copy(update={"arguments": ["a cup"]}))

    async def unknown(self, client: FalClient) -> object:
        """Look at a job that does not exist."""
        return await client.look(JobRef(CUP.endpoint, "00000000-0000-4000-8000-000000000000"))

    async def cancel(self, client: FalClient, ref: JobRef) -> None:
        """Cancel a job by its reference."""
        await client.cancel(ref)


async def nobody(_: object) -> None:
    pass


async def done(client: FalClient, request: FalRequest) -> Job:
    ref = client.ref(request.endpoint, await client.submit(request), request.arguments)
    return await client.watcher.wait(ref, about="it", queue_seconds=1e6, run_seconds=1e6, seen=nobody)


async def test_a_job_is_charged_the_units_that_fal_counts_at_the_price_of_the_table(
    sandbox: Sandbox, account: dict[str, Any], client: FalClient
) -> None:
    two = FalRequest(endpoint=CUP.endpoint, arguments={**CUP.arguments, "num_images": 2})

    job = await done(client, two)

    assert (job.charged, job.unit) == (0.05, "USD")
    assert sandbox.account(account)["credits"] == pytest.approx(100 - 0.05)
    assert [(one.id, one.kind) for one in job.outputs] == [("image-1", "image"), ("image-2", "image")]


@pytest.mark.parametrize("said", ["nan", "-1", "many", ""])
async def test_units_that_are_no_number_leave_the_charge_unknown(
    sandbox: Sandbox, account: dict[str, Any], client: FalClient, said: str
) -> None:
    ref = client.ref(CUP.endpoint, await client.submit(CUP), CUP.arguments)
    sandbox.fault(account, "odd_header", header="x-fal-billable-units", value=said, times=None)

    job = await client.watcher.wait(ref, about="it", queue_seconds=1e6, run_seconds=1e6, seen=nobody)

    assert (job.status, job.charged) == (JobStatus.SUCCEEDED, None)


async def test_a_model_that_is_not_in_the_table_costs_what_nobody_knows(account: dict[str, Any]) -> None:
    async with FalClient.lease(Account("fal", account["base_url"], account["account"]), account["api_key"], ()) as client:
        assert (await done(client, CUP)).charged is None


async def test_a_picture_is_uploaded_and_goes_into_another_and_into_a_film(
    sandbox: Sandbox, client: FalClient, tmp_path: Path
) -> None:
    file = tmp_path / "a cup.png"
    Image.new("RGB", (64, 64), "red").save(file)
    address = await client.upload(file, "image/png")

    changed = await done(client, FalRequest(endpoint=KONTEXT, arguments={"prompt": "in snow", "image_url": address}))
    film = await done(client, FalRequest(endpoint=FILM, arguments={"prompt": "a slow push", "image_url": address}))

    assert (changed.charged, changed.outputs[0].kind) == (0.04, "image")
    assert (film.charged, [(one.id, one.kind) for one in film.outputs]) == (pytest.approx(0.36), [("video", "video")])
    assert sandbox.leaked() == 0


@pytest.mark.parametrize(
    ("endpoint", "arguments", "told"),
    [
        (CUP.endpoint, {"prompt": "", "num_images": 9}, ["prompt: ", "num_images: "]),
        (KONTEXT, {"prompt": "x", "image_url": "http://127.0.0.1:9/none.png"}, ["image_url: Could not load image"]),
    ],
)
async def test_what_a_model_finds_fault_with_comes_as_the_end_of_its_job(
    client: FalClient, endpoint: str, arguments: dict[str, Any], told: list[str]
) -> None:
    job = await done(client, FalRequest(endpoint=endpoint, arguments=arguments))

    assert (job.status, job.charged, job.content_refused) == (JobStatus.FAILED, None, False)
    assert all(one in job.error for one in told)


async def test_a_failure_of_fal_itself_costs_nothing(sandbox: Sandbox, account: dict[str, Any], client: FalClient) -> None:
    sandbox.fault(account, "fail", error_code="runner_disconnected", message="The runner disconnected unexpectedly")

    job = await done(client, CUP)

    assert (job.status, job.charged, job.code) == (JobStatus.FAILED, 0, "runner_disconnected")
    assert job.error == "runner_disconnected - The runner disconnected unexpectedly"


async def test_a_result_that_cannot_be_had_for_now_is_no_failure_of_the_job(
    sandbox: Sandbox, account: dict[str, Any], client: FalClient
) -> None:
    ref = client.ref(CUP.endpoint, await client.submit(CUP), CUP.arguments)
    sandbox.fault(account, "server_error", route="result", times=2)

    job = await client.watcher.wait(ref, about="it", queue_seconds=1e6, run_seconds=1e6, seen=nobody)

    assert job.status is JobStatus.SUCCEEDED


async def test_a_job_that_runs_is_asked_to_stop_and_one_that_has_ended_is_left_alone(sandbox: Sandbox) -> None:
    account = sandbox.new_account("fal", settings={"queue": [0, 0], "run": [3000, 3000]})
    async with lease(account) as client:
        client.http.clock_scale = 50
        ref = client.ref(CUP.endpoint, await client.submit(CUP), CUP.arguments)
        while (await client.look(ref)).status is not JobStatus.RUNNING:
            pass
        await client.cancel(ref)
        ended = await client.watcher.wait(ref, about="it", queue_seconds=1e6, run_seconds=1e6, seen=nobody)

        assert ended.status is JobStatus.CANCELLED
        with pytest.raises(errors.RefusedError):
            await client.cancel(ref)


async def test_a_lost_answer_is_in_doubt_and_nothing_is_bought_again(
    sandbox: Sandbox, account: dict[str, Any], client: FalClient, tmp_path: Path
) -> None:
    sandbox.fault(account, "lose_answer", route="submit")
    order = Order(client.account, "fal-ai/flux/dev", CUP.model_dump(), 0.025, "USD")

    async def prepare() -> Submit:
        async def submit(_: str, gate: Gate) -> str:
            return await client.submit(CUP, gate)

        return submit

    async def has(*_: object) -> bool:
        return False

    async with Journal.lease(f"sqlite:///{tmp_path}/journal.db") as journal:
        for _ in range(2):
            with pytest.raises(errors.InDoubtError, match="lists no jobs"):
                await buy(journal, order, prepare, has=has, recover=client.recover, repeat_pause=0, buyer=client.buyer)

    assert len(sandbox.jobs(account)) == 1


async def test_the_key_is_tried_for_nothing(sandbox: Sandbox, account: dict[str, Any], client: FalClient) -> None:
    await client.check()
    async with lease(account, TestContract.wrong_key) as stranger:
        with pytest.raises(errors.CredentialsError):
            await stranger.check()
    assert sandbox.jobs(account) == []


@pytest.mark.parametrize(
    ("endpoint", "request_id"),
    [("fal-ai", "1"), ("fal-ai/flux/dev", "../../other"), ("fal-ai/flux/dev", ""), ("https://x/y", "1")],
)
def test_what_cannot_be_a_job_is_asked_for_nowhere(endpoint: str, request_id: str) -> None:
    with pytest.raises(errors.NotFoundError):
        _ = JobRef(endpoint, request_id).path


def test_a_job_is_asked_for_under_its_app_and_its_namespace() -> None:
    assert JobRef("fal-ai/flux/dev/image-to-image", "7").path == "/fal-ai/flux/requests/7"
    assert JobRef("workflows/fal-ai/sdxl/x", "7").path == "/workflows/fal-ai/sdxl/requests/7"


@pytest.mark.parametrize(
    ("result", "files"),
    [
        ({"images": [{"url": "u", "content_type": None}]}, [Output("image", "image", "u")]),
        ({"video": {"url": "u", "content_type": "video/mp4"}, "seed": 1}, [Output("video", "video", "u")]),
        ({"model_mesh": {"url": "u", "content_type": "application/octet-stream"}}, [Output("model_mesh", "model", "u")]),
        ({"file": {"url": "u"}}, [Output("file", "file", "u")]),
        ({"images": [None, 7, {"url": None}], "text": "no file"}, []),
        ([], []),
    ],
)
def test_the_files_of_a_result_are_found_in_whatever_form_its_model_gives_it(result: Any, files: list[Output]) -> None:
    assert files_in(result) == files
