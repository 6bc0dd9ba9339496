"""An extension outside the sandbox does the work, and Genova's client buys it: nothing in between makes a picture."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import pytest
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.jobs.watcher import Trouble
from genmedia.providers.genova.client import GenovaClient, JobRequest
from tests.sandboxes import Sandbox, running_sandbox

WORKERS = [("flow", "nano_banana2"), ("freepik", "freepik")]


@pytest.fixture(scope="module")
def unhurried() -> Generator[Sandbox]:
    """A sandbox at the world's pace: a worker may think between two messages, and the clock is the test's to move."""
    with running_sandbox('{"size": 256}') as running:
        yield running


class Purchase:
    """A job that is waited for: its id, the news of it, and its end."""

    def __init__(self, client: GenovaClient, job_id: str, news: asyncio.Queue[Job | Trouble], end: asyncio.Task[Job]) -> None:
        self.client = client
        self.job_id = job_id
        self.end = end
        self._news = news

    async def until(self, wanted: Callable[[Job], bool]) -> None:
        """Wait for news like this."""
        while not (isinstance(news := await self._news.get(), Job) and wanted(news)):
            pass


@asynccontextmanager
async def buying(account: dict[str, Any], model: str) -> AsyncGenerator[Purchase]:
    """One picture bought by the client and waited for, by its socket: a look comes only when the socket gives a reason."""
    payer = Account("genova", account["base_url"], account["account"])
    async with GenovaClient.lease(payer, account["api_key"], plan=account["plan"]) as client, asyncio.TaskGroup() as group:
        client.listen()
        request = JobRequest.model_validate({"type": "image", "prompt": "a cup", "model": model})
        job_id = (await client.create_job(request.fields())).job_id
        news = asyncio.Queue[Job | Trouble]()
        end = client.watcher.wait(job_id, about=job_id, queue_seconds=1e6, run_seconds=1e6, seen=news.put, fresh=True)
        yield Purchase(client, job_id, news, group.create_task(end))


class Worker:
    """An extension's line."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line

    async def hear(self) -> dict[str, Any]:
        return json.loads(await self._line.recv())

    async def say(self, kind: str, job_id: str, **fields: Any) -> None:
        await self._line.send(json.dumps({"type": kind, "jobId": job_id, **fields}))


@asynccontextmanager
async def working(account: dict[str, Any], kind: str) -> AsyncGenerator[Worker]:
    address = f"{account['base_url'].replace('http', 'ws', 1)}/ws/extension"
    query = f"userId={account['user_id']}&token={account['jwt']}&extensionType={kind}"
    async with connect(f"{address}?{query}", proxy=None) as line:
        worker = Worker(line)
        assert await worker.hear() == {"type": "welcome", "userId": account["user_id"], "extensionType": kind}
        yield worker


def new_picture() -> bytes:
    """A picture that nobody else has: noise, and so large that it fills many frames."""
    buffer = io.BytesIO()
    Image.effect_noise((1500, 1200), 80).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "model"), WORKERS)
async def test_the_buyer_gets_exactly_what_an_outside_worker_made(unhurried: Sandbox, kind: str, model: str) -> None:
    account = unhurried.new_account("genova", switches={"workers": "extension"})
    made = new_picture()
    async with buying(account, model) as bought, working(account, kind) as worker:
        order = await worker.hear()
        assert (order["type"], order["job"]["id"], order["job"]["prompt"]) == ("new_job", bought.job_id, "a cup")
        assert order["job"]["settings"]["model"] == model
        # From here on the buyer's socket is surely open: it alone can have brought this.
        await bought.until(lambda job: job.status is JobStatus.RUNNING)
        for percent in (25, 70):
            await worker.say("job_progress", bought.job_id, progress=percent, message="painting")
            await bought.until(lambda job, percent=percent: job.progress == percent)
        await worker.say("job_completed", bought.job_id, result=f"data:image/png;base64,{base64.b64encode(made).decode()}")
        job = await bought.end
        assert job.status is JobStatus.SUCCEEDED
        [output] = job.outputs
        sink = io.BytesIO()
        fetched = await bought.client.fetch_output(output, sink, max_bytes=len(made))
    assert (fetched.size, fetched.sha256) == (len(made), sha256(made).hexdigest())
    assert sink.getvalue() == made
    assert unhurried.leaked(account) == 0


@pytest.mark.parametrize(("kind", "model"), WORKERS)
async def test_a_failure_reaches_the_buyer_in_the_workers_words(unhurried: Sandbox, kind: str, model: str) -> None:
    account = unhurried.new_account("genova", switches={"workers": "extension"})
    async with buying(account, model) as bought, working(account, kind) as worker:
        await worker.hear()
        await bought.until(lambda job: job.status is JobStatus.RUNNING)
        await worker.say("job_failed", bought.job_id, error="The page asked for a login.")
        job = await bought.end
    assert (job.status, job.error, job.outputs) == (JobStatus.FAILED, "The page asked for a login.", ())


@pytest.mark.parametrize("workers", ["extension", "none"])
async def test_without_a_worker_the_job_fails_after_thirty_minutes_and_its_credit_is_back(
    unhurried: Sandbox, workers: str
) -> None:
    account = unhurried.new_account("genova", switches={"workers": workers})
    async with buying(account, "nano_banana2") as bought:
        unhurried.control("POST", "/clock", {"advance": 1700})
        assert (await bought.client.get_job(bought.job_id)).as_job().status is JobStatus.QUEUED
        assert (await bought.client.get_profile()).credits_remaining == account["credits"] - 1
        unhurried.control("POST", "/clock", {"advance": 100})
        job = await bought.end
        assert (job.status, job.error) == (JobStatus.FAILED, "No worker took this job in time.")
        assert (await bought.client.get_profile()).credits_remaining == account["credits"]
