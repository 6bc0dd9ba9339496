"""The document's own lines for listening to jobs, run by a browser: what they print while the sandbox works."""

from collections import deque
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from tests.sandbox.genova_customers import END, GenovaCustomer
from tests.sandboxes import Sandbox, running_sandbox

pytestmark = pytest.mark.browser

# The document's text to the byte.
EXAMPLE = """\
const ws = new WebSocket(
'wss://autoflow-api.aboessa101.workers.dev/ws/user?userId=YOUR_USER_ID'
);
ws.onmessage = (event) => {
const msg = JSON.parse(event.data);
console.log(msg.type, msg);
// msg.type can be:
// "welcome" — connection confirmed
// "job_started" — extension picked up your job
// "job_progress" — progress update with percentage
// "job_completed" — job done, includes resultUrl
// "job_failed" — job failed, includes error message
};"""
DOCUMENTED = "wss://autoflow-api.aboessa101.workers.dev"

# The document's table of messages from the server.
FIELDS = {
    "welcome": {"type", "userId"},
    "job_started": {"type", "jobId"},
    "job_progress": {"type", "jobId", "progress", "message"},
    "job_completed": {"type", "jobId", "resultUrl", "resultUrls"},
    "job_failed": {"type", "jobId", "error"},
    "pong": {"type"},
}


class Console:
    """What a page prints: for each message the values of its arguments."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._unread: deque[ConsoleMessage] = deque()
        page.on("console", self._hear)

    def until(self, *kinds: str) -> list[list[Any]]:
        """What was printed since the last call, up to the first message that begins with one of these."""
        printed: list[list[Any]] = []
        while not printed or printed[-1][0] not in kinds:
            while not self._unread:
                self.page.wait_for_event("console")
            message = self._unread.popleft()
            assert message.type == "log", message.text
            printed.append([argument.json_value() for argument in message.args])
        return printed

    def _hear(self, message: ConsoleMessage) -> None:
        self._unread.append(message)


@pytest.fixture(scope="module")
def unhurried() -> Generator[Sandbox]:
    """A sandbox at the world's pace: the example sends no pings, and a fast clock would soon close its silent line."""
    with running_sandbox('{"size": 256}') as running:
        yield running


@pytest.fixture
def genova(unhurried: Sandbox) -> Generator[GenovaCustomer]:
    """A customer whose jobs move by looks."""
    account = unhurried.new_account("genova", settings={"advance": "looks"})
    with httpx.Client(base_url=account["base_url"], headers={"x-api-key": account["api_key"]}, timeout=60) as http:
        yield GenovaCustomer(unhurried, account, http)


@pytest.fixture
def console(chromium: Browser, genova: GenovaCustomer) -> Generator[Console]:
    """The console of a blank page on which the document's example has just been greeted."""
    example = EXAMPLE
    for old, new in (
        (DOCUMENTED, genova.account["base_url"].replace("http", "ws", 1)),
        ("YOUR_USER_ID", genova.account["user_id"]),
    ):
        assert example.count(old) == 1
        example = example.replace(old, new)
    with chromium.new_context() as context:
        page = context.new_page()
        console = Console(page)
        page.add_script_tag(content=example)
        greeting = {"type": "welcome", "userId": genova.account["user_id"]}
        assert console.until("welcome") == [["welcome", greeting]]
        yield console


def test_the_documents_example_prints_a_job_from_start_to_end(console: Console, genova: GenovaCustomer) -> None:
    job_id = genova.buy(count=2)
    job = genova.finish(job_id)
    printed = console.until(*END)
    assert [kind for kind, _ in printed] == ["job_started", "job_progress", "job_progress", "job_completed"]
    for kind, message in printed:
        assert (message["type"], message["jobId"], message.keys()) == (kind, job_id, FIELDS[kind])
    percents = [message["progress"] for kind, message in printed if kind == "job_progress"]
    assert 0 < percents[0] < percents[1] < 100
    completed = printed[-1][1]
    assert (completed["resultUrl"], completed["resultUrls"]) == (job["result_url"], job["result_urls"])
    assert len(completed["resultUrls"]) == 2


def test_the_documents_example_prints_why_a_job_failed(console: Console, genova: GenovaCustomer) -> None:
    genova.sandbox.fault(genova.account, "capture_failure")
    job_id = genova.buy()
    reason = genova.finish(job_id)["error_message"]
    assert reason == "Generation completed but failed to capture result from page."
    kind, message = console.until(*END)[-1]
    assert (kind, message) == ("job_failed", {"type": "job_failed", "jobId": job_id, "error": reason})
    assert message.keys() == FIELDS[kind]


def test_the_documents_example_prints_the_answer_to_a_ping(console: Console) -> None:
    # The example only listens; the ping is the table's, said on the example's own socket.
    console.page.evaluate("ws.send(JSON.stringify({ type: 'ping' }))")
    assert console.until("pong") == [["pong", {"type": "pong"}]]
