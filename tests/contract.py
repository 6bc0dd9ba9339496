"""What every provider's client must do, whatever its API looks like: one suite, which each provider's test module inherits.

A provider is described by a handful of hooks; the tests buy from its sandbox over real HTTP.
"""

import asyncio
import io
import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from genmedia import errors
from genmedia.http import Fetched, Session
from genmedia.inspection.media import Candidate, MediaFacts, inspect_files
from genmedia.jobs import Job, JobStatus, Output
from genmedia.watching import Trouble, Watcher
from tests.sandboxes import Sandbox

FOR_EVER = 10.0**6
CLOCK = 50
"""How much faster the tests' sandbox runs, as its first answer will say."""

# A kind of fault, its arguments, what a read call ends with, and whether it is worth a repeat.
TROUBLES: list[Any] = [
    pytest.param("server_error", {"status": 500}, errors.ServerError, True, id="500"),
    pytest.param("server_error", {"status": 503}, errors.ServerError, True, id="503"),
    pytest.param("late_error", {"status": 500}, errors.ServerError, True, id="500 after the work"),
    pytest.param("html_error", {}, errors.ServerError, True, id="html"),
    pytest.param("reset", {}, errors.NoAnswerError, True, id="reset"),
    pytest.param("lose_answer", {}, errors.NoAnswerError, True, id="lost answer"),
    pytest.param("slow", {"seconds": 30}, errors.NoAnswerError, True, id="slow"),
    pytest.param("rate_limit", {}, errors.RateLimitError, True, id="429"),
    pytest.param("rate_limit", {"retry_after": 0}, errors.RateLimitError, True, id="429 and come back at once"),
    pytest.param("rate_limit", {"retry_after": 1}, errors.RateLimitError, True, id="429 and a wait"),
    pytest.param("endless_body", {}, errors.UnreadableAnswerError, False, id="endless"),
    pytest.param("broken_json", {}, errors.UnreadableAnswerError, False, id="broken JSON"),
    pytest.param("redirect", {"location": "http://127.0.0.1:9/"}, errors.UnreadableAnswerError, False, id="redirect"),
]
PASSING = [trouble for trouble in TROUBLES if trouble.values[3]]
ACCEPTED = {"lose_answer", "late_error", "slow", "endless_body", "broken_json"}
"""Faults that hide an answer to a purchase that was accepted."""


class Client(Protocol):
    """What all clients have in common."""

    http: Session
    watcher: Watcher[Any]

    async def fetch_output(self, output: Output, sink: io.BytesIO, max_bytes: int) -> Fetched:
        """Stream a file output into a sink."""
        ...


class ProviderContract(ABC):
    """The suite; a subclass named `Test…` says how its provider is called.

    Attributes:
        provider: Its name in the sandbox.
        wrong_key: A key that opens nothing.
        read_route: Method and path template of the call that `read` makes.
        purchase_route: Method and path template of the purchase.
        switches: What the sandbox's account is switched to.
    """

    provider: ClassVar[str]
    wrong_key: ClassVar[str]
    read_route: ClassVar[tuple[str, str]]
    purchase_route: ClassVar[tuple[str, str]]
    switches: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def lease(self, account: dict[str, Any], key: str) -> AbstractAsyncContextManager[Any]:
        """A client for an account of the sandbox."""

    @abstractmethod
    async def read(self, client: Any) -> object:
        """Make one call that costs nothing and may be repeated."""

    async def make_ready(self, client: Any, sandbox: Sandbox) -> None:  # noqa: B027 # a hook that most leave as it is
        """Bring about what `read` needs; most need nothing."""

    @abstractmethod
    async def purchase(self, client: Any, sandbox: Sandbox) -> Hashable:
        """Buy one job for one file output, and return its reference as the watcher knows it."""

    async def submit(self, client: Any, sandbox: Sandbox) -> object:
        """Make the one call that must never reach the provider twice; where a purchase takes several calls, that which makes the job."""
        return await self.purchase(client, sandbox)

    async def made(self, client: Any, sandbox: Sandbox, account: dict[str, Any]) -> int:
        """How many times the provider has made what `submit` asks for."""
        del client
        return len(sandbox.jobs(account))

    @abstractmethod
    def refused(self, client: Any) -> Awaitable[object]:
        """A purchase that the provider must refuse, though its client sends it."""

    @abstractmethod
    def unknown(self, client: Any) -> Awaitable[object]:
        """A look at a job that is not there."""

    # What the tests stand on

    @pytest.fixture(autouse=True)
    def small_limits(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        callspec = getattr(request.node, "callspec", None)
        if callspec and callspec.params.get("kind") == "slow":  # nobody else may be cut short by a busy machine
            monkeypatch.setattr("genmedia.http.ANSWER_SECONDS", 3.0)
        monkeypatch.setattr("genmedia.http.ATTEMPTS", 3)
        monkeypatch.setattr("genmedia.http.ANSWER_BYTES", 100_000)

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"advance": "looks"}

    @pytest.fixture
    def account(self, sandbox: Sandbox, settings: dict[str, Any]) -> dict[str, Any]:
        return sandbox.new_account(self.provider, settings=settings, switches=self.switches)

    @pytest.fixture
    async def client(self, account: dict[str, Any]) -> AsyncGenerator[Client]:
        async with self.lease(account, account["api_key"]) as client:
            client.http.clock_scale = CLOCK
            yield client

    async def wait(self, client: Client, ref: Hashable, seen: Callable[[Job | Trouble], None] = lambda _: None) -> Job:
        async def see(news: Job | Trouble) -> None:
            seen(news)

        return await client.watcher.wait(ref, about=f"job {ref}", queue_seconds=FOR_EVER, run_seconds=FOR_EVER, seen=see)

    async def download(self, client: Client, job: Job) -> bytes:
        sink = io.BytesIO()
        (output,) = job.outputs
        fetched = await client.fetch_output(output, sink, 20 * 10**6)
        assert fetched.size == len(sink.getvalue())
        return sink.getvalue()

    # The way of a job

    async def test_a_job_is_bought_once_watched_to_its_end_and_its_file_fetched(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, tmp_path: Path
    ) -> None:
        statuses: list[JobStatus] = []

        def seen(news: Job | Trouble) -> None:
            assert isinstance(news, Job)
            statuses.append(news.status)

        ref = await self.purchase(client, sandbox)
        job = await self.wait(client, ref, seen)
        file = tmp_path / "output"
        file.write_bytes(await self.download(client, job))

        (facts,) = await inspect_files([Candidate(file, job.outputs[0].kind)])
        assert isinstance(facts, MediaFacts)
        assert statuses == sorted(statuses, key=list(JobStatus).index)
        assert (job.status, job.error) == (JobStatus.SUCCEEDED, "")
        assert [one["id"] for one in sandbox.jobs(account)] == [job.id]
        assert sandbox.leaked(account) == 0

    async def test_a_job_that_fails_says_so_in_the_providers_words(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "fail", message="the brush broke")

        job = await self.wait(client, await self.purchase(client, sandbox))

        assert job.status is JobStatus.FAILED
        assert job.outputs == ()
        self.tells_why(job, "the brush broke")

    def tells_why(self, job: Job, reason: str) -> None:
        """A provider that gives no reasons overrides this."""
        assert reason in job.error

    async def test_a_job_that_vanishes_is_named_as_that(self, sandbox: Sandbox, account: dict[str, Any], client: Client) -> None:
        sandbox.fault(account, "vanish")

        with pytest.raises(errors.JobVanishedError, match="looks in a row did not find it"):
            await self.wait(client, await self.purchase(client, sandbox))

    async def test_fields_and_states_that_no_document_names_do_no_harm(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "extra_fields", times=None)
        ref = await self.purchase(client, sandbox)
        sandbox.fault(account, "unknown_status", times=2)

        assert (await self.wait(client, ref)).status is JobStatus.SUCCEEDED

    @pytest.mark.parametrize("kind", ["server_error", "reset", "broken_json", "rate_limit", "html_error"])
    async def test_waiting_outlasts_an_outage(self, sandbox: Sandbox, account: dict[str, Any], client: Client, kind: str) -> None:
        ref = await self.purchase(client, sandbox)
        sandbox.fault(account, kind, times=5)
        troubles: list[str] = []

        job = await self.wait(client, ref, lambda news: troubles.append(news.what) if isinstance(news, Trouble) else None)

        assert job.status is JobStatus.SUCCEEDED
        assert len(troubles) == 1, "an outage is told once"
        assert troubles[0].startswith(f"{self.provider}: GET ")

    async def test_a_job_that_was_left_alone_is_taken_up_by_another_process(
        self, sandbox: Sandbox, account: dict[str, Any]
    ) -> None:
        async with self.lease(account, account["api_key"]) as first:
            ref = await self.purchase(first, sandbox)
        async with self.lease(account, account["api_key"]) as second:
            assert second is not first
            job = await self.wait(second, ref)
            assert await self.download(second, job)

        assert len(sandbox.jobs(account)) == 1

    def test_an_account_is_served_on_one_event_loop_after_another(self, sandbox: Sandbox, account: dict[str, Any]) -> None:
        async def buy() -> Hashable:
            async with self.lease(account, account["api_key"]) as client:
                return await self.purchase(client, sandbox)

        async def take(ref: Hashable) -> Job:
            async with self.lease(account, account["api_key"]) as client:
                return await self.wait(client, ref)

        assert asyncio.run(take(asyncio.run(buy()))).status is JobStatus.SUCCEEDED

    async def test_two_leases_share_one_client_which_is_closed_with_the_last(
        self, sandbox: Sandbox, account: dict[str, Any]
    ) -> None:
        async with self.lease(account, account["api_key"]) as first:
            await self.make_ready(first, sandbox)
            async with self.lease(account, account["api_key"]) as second:
                assert second is first
            await self.read(first)
        with pytest.raises(RuntimeError, match="closed"):
            await self.read(first)

    async def test_another_key_gets_a_client_of_its_own(self, account: dict[str, Any]) -> None:
        async with self.lease(account, account["api_key"]) as first, self.lease(account, self.wrong_key) as second:
            assert second is not first

    # What can go wrong with a call

    @pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
    async def test_a_lasting_trouble_ends_as_the_class_of_its_cause(
        self,
        sandbox: Sandbox,
        account: dict[str, Any],
        client: Client,
        kind: str,
        arguments: dict[str, Any],
        expected: type[Exception],
        passing: bool,
    ) -> None:
        await self.make_ready(client, sandbox)
        sandbox.fault(account, kind, times=None, **arguments)

        with pytest.raises(errors.ApiError, match=f"^{self.provider}: {self.read_route[0]} /") as failed:
            await self.read(client)

        assert type(failed.value) is expected
        sandbox.control("DELETE", f"/faults?account={account['account']}")
        if kind != "slow":  # the sandbox counts a request once it has answered
            assert times_asked(sandbox, account, self.read_route) == (3 if passing else 1)

    @pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), PASSING)
    async def test_a_passing_trouble_does_not_hurt_a_call_that_may_be_repeated(
        self,
        sandbox: Sandbox,
        account: dict[str, Any],
        client: Client,
        kind: str,
        arguments: dict[str, Any],
        expected: object,
        passing: object,
    ) -> None:
        del expected, passing
        await self.make_ready(client, sandbox)
        sandbox.fault(account, kind, times=2, **arguments)

        assert await self.read(client)

    @pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
    async def test_a_purchase_is_sent_again_only_after_a_rate_limit(
        self,
        sandbox: Sandbox,
        account: dict[str, Any],
        client: Client,
        kind: str,
        arguments: dict[str, Any],
        expected: type[Exception],
        passing: object,
    ) -> None:
        del passing
        sandbox.fault(account, kind, **arguments)

        if kind == "rate_limit":
            await self.submit(client, sandbox)
            assert await self.made(client, sandbox, account) == 1
            return
        with pytest.raises(expected):
            await self.submit(client, sandbox)
        sandbox.control("DELETE", f"/faults?account={account['account']}")
        if kind != "slow":
            assert times_asked(sandbox, account, self.purchase_route) == 1
        assert await self.made(client, sandbox, account) == (1 if kind in ACCEPTED else 0)

    async def test_a_wrong_key_buys_nothing_and_is_told(self, sandbox: Sandbox, account: dict[str, Any]) -> None:
        async with self.lease(account, self.wrong_key) as client:
            with pytest.raises(errors.CredentialsError, match="Put a valid key into the credentials block"):
                await self.purchase(client, sandbox)
        assert sandbox.jobs(account) == []

    async def test_an_account_without_credits_buys_nothing(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.control("POST", "/accounts", {"provider": self.provider, "account": account["account"], "credits": 0})

        with pytest.raises(errors.CreditsError, match="This call bought nothing"):
            await self.purchase(client, sandbox)
        assert sandbox.jobs(account) == []

    async def test_what_the_provider_finds_fault_with_is_told_and_nothing_is_bought(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        with pytest.raises(errors.RefusedError, match="This call bought nothing"):
            await self.refused(client)
        assert sandbox.jobs(account) == []

    async def test_a_job_that_is_not_there_is_not_found(self, client: Client) -> None:
        with pytest.raises(errors.NotFoundError):
            await self.unknown(client)

    # Files

    async def test_a_transfer_that_breaks_off_is_begun_anew(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        job = await self.wait(client, await self.purchase(client, sandbox))
        whole = await self.download(client, job)
        sandbox.fault(account, "truncated", times=2)

        assert await self.download(client, job) == whole

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("truncated", errors.BrokenDownloadError), ("endless", errors.OversizeError), ("expired", errors.ExpiredLinkError)],
    )
    async def test_a_file_that_cannot_be_had_is_told_as_what_it_is(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, kind: str, expected: type[Exception]
    ) -> None:
        job = await self.wait(client, await self.purchase(client, sandbox))
        sandbox.fault(account, kind, times=None)

        with pytest.raises(expected, match="paid for"):
            await self.download(client, job)
        assert sandbox.leaked(account) == 0

    # Secrets

    @pytest.mark.parametrize(("kind", "arguments", "expected", "passing"), TROUBLES)
    async def test_the_key_stands_in_no_error_and_no_log(
        self,
        sandbox: Sandbox,
        account: dict[str, Any],
        client: Client,
        caplog: pytest.LogCaptureFixture,
        kind: str,
        arguments: dict[str, Any],
        expected: type[Exception],
        passing: object,
    ) -> None:
        del passing
        caplog.set_level(logging.DEBUG)
        await self.make_ready(client, sandbox)
        sandbox.fault(account, kind, times=None, **arguments)

        with pytest.raises(expected) as failed:
            await self.read(client)

        shown = [str(failed.value), repr(failed.value), repr(vars(failed.value)), *traceback.format_exception(failed.value)]
        assert account["api_key"] not in "\n".join(shown)
        assert account["api_key"] not in caplog.text + "".join(str(vars(record)) for record in caplog.records)
        assert caplog.records

    @pytest.mark.parametrize("key", ["", " ", "{}\n", "a {}", "ï{}"])
    async def test_a_key_that_was_pasted_wrongly_is_told_before_anything_is_sent(
        self, sandbox: Sandbox, account: dict[str, Any], key: str
    ) -> None:
        with pytest.raises(errors.CredentialsError, match="the key is empty, or has"):
            async with self.lease(account, key.format(self.wrong_key)):
                pass
        assert sandbox.requests(account) == []


class CancellingContract(ProviderContract):
    """The suite for a provider that can cancel a job before it starts."""

    @abstractmethod
    async def cancel(self, client: Any, ref: Any) -> None:
        """Cancel a job."""

    @pytest.mark.parametrize("settings", [{"queue": [3000, 3000]}])
    async def test_a_job_that_has_not_started_is_cancelled_and_costs_nothing(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        ref = await self.purchase(client, sandbox)

        await self.cancel(client, ref)

        assert (await self.wait(client, ref)).status is JobStatus.CANCELLED
        assert sandbox.account(account)["credits"] == account["credits"]


def times_asked(sandbox: Sandbox, account: dict[str, Any], route: tuple[str, str]) -> int:
    """How often the account called a route, given as method and path template."""
    return sum(line["count"] for line in sandbox.requests(account) if (line["method"], line["route"]) == route)
