"""What every provider's client must do, whatever its API looks like: one suite, which each provider's test module inherits.

A provider is described by a handful of hooks; the tests buy from its sandbox over real HTTP.
"""

import asyncio
import io
import json
import logging
import traceback
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from genmedia import errors
from genmedia.jobs.job import Job, JobStatus, Output
from genmedia.jobs.watcher import Trouble, Watcher
from genmedia.journal import AttemptState, Journal, add_up
from genmedia.journal.order import Order
from genmedia.media.facts import Candidate, MediaFacts
from genmedia.media.probe import inspect_files
from genmedia.purchasing.buy import Outcome, Submit, buy
from genmedia.purchasing.receive import receive_outputs
from genmedia.purchasing.resolve import Resolution, settle_doubt
from genmedia.store import Place, Store
from genmedia.text.plain import REASON_CHARACTERS
from genmedia.transport.session import Fetched, Gate, Session, waiting_out
from tests import hostile
from tests.sandboxes import Sandbox

FOR_EVER = 10.0**6
CLOCK = 50
"""How much faster the tests' sandbox runs, as its first answer will say."""


@dataclass(frozen=True)
class Fault:
    """One that the sandbox makes.

    Attributes:
        kind: Its name there.
        arguments: More about it.
        error: What a call that reads ends with while it lasts.
        passing: Whether that call is worth a repeat.
    """

    kind: str
    arguments: dict[str, Any]
    error: type[errors.ApiError]
    passing: bool = True


FAULTS: dict[str, Fault] = {
    "500": Fault("server_error", {"status": 500}, errors.ServerError),
    "503": Fault("server_error", {"status": 503}, errors.ServerError),
    "500 after the work": Fault("late_error", {"status": 500}, errors.ServerError),
    "html": Fault("html_error", {}, errors.ServerError),
    "reset": Fault("reset", {}, errors.NoAnswerError),
    "lost answer": Fault("lose_answer", {}, errors.NoAnswerError),
    "slow": Fault("slow", {"seconds": 30}, errors.NoAnswerError),
    "429": Fault("rate_limit", {}, errors.RateLimitError),
    "429 and come back at once": Fault("rate_limit", {"retry_after": 0}, errors.RateLimitError),
    "429 and a wait": Fault("rate_limit", {"retry_after": 1}, errors.RateLimitError),
    "endless": Fault("endless_body", {}, errors.UnreadableAnswerError, passing=False),
    "broken JSON": Fault("broken_json", {}, errors.UnreadableAnswerError, passing=False),
    "redirect": Fault("redirect", {"location": "http://127.0.0.1:9/"}, errors.UnreadableAnswerError, passing=False),
}
ACCEPTED = {"lose_answer", "late_error", "slow", "endless_body", "broken_json"}
"""Faults that hide an answer to a purchase that was accepted."""

ASKED: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
    "lasting": (list(FAULTS), ["503", "endless"]),
    "passing": ([name for name, fault in FAULTS.items() if fault.passing], ["429 and a wait"]),
    "header": (hostile.HEADERS, hostile.HEADERS[:1]),
    "wait": (hostile.WAITS, hostile.WAITS[:1]),
    "packed_answer": ([(1, 0, None), (1, 10**7, "more than"), (2, 0, "cannot be read")], [(2, 0, "cannot be read")]),
    "packed_file": (
        [
            (1, 0, None),
            (1, 40 * 10**6, errors.OversizeError),
            (2, 0, errors.BrokenDownloadError),
            (3, 10**6, errors.BrokenDownloadError),
        ],
        [(2, 0, errors.BrokenDownloadError)],
    ),
}
"""Parameters of tests about what the session does, which all clients share: those for one provider, and those for each other."""


class Client(Protocol):
    """What all clients have in common."""

    http: Session
    watcher: Watcher[Any]

    async def look(self, ref: Any) -> Job:
        """A job as it is now."""
        ...

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
        names_refusals: Whether it says of a job that ended that its content was refused.
        switches: What the sandbox's account is switched to.
        names_links: Whether its answers say where files are; else the client knows.
        in_full: Whether it is asked all that the session does, which all clients share; one provider is enough. Each is asked what may
            become of a purchase.
        price: What a job is charged by the document alone, whatever answers say; None where the provider has to say it.
    """

    provider: ClassVar[str]
    wrong_key: ClassVar[str]
    read_route: ClassVar[tuple[str, str]]
    purchase_route: ClassVar[tuple[str, str]]
    names_refusals: ClassVar[bool] = True
    switches: ClassVar[dict[str, Any]] = {}
    names_links: ClassVar[bool] = False
    in_full: ClassVar[bool] = False
    price: ClassVar[float | None] = None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Ask of one provider everything, and of each other a part; see `ASKED`."""
        for name, (everything, part) in ASKED.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, everything if self.in_full else part)

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
        if callspec and "slow" in callspec.params.values():  # nobody else may be cut short by a busy machine
            monkeypatch.setattr("genmedia.transport.session.ANSWER_SECONDS", 3.0)
        monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 3)
        monkeypatch.setattr("genmedia.transport.session.WAIT_SECONDS", 20.0)
        monkeypatch.setattr("genmedia.transport.session.ANSWER_BYTES", 100_000)

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

    @pytest.mark.parametrize(
        ("kind", "arguments"),
        [("refused", {"at": "end"}), ("fail", {"error_code": "safety_timeout", "message": "The safety check timed out."})],
    )
    async def test_a_job_that_ends_because_its_content_is_refused_is_told_from_one_that_failed(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, kind: str, arguments: dict[str, Any]
    ) -> None:
        sandbox.fault(account, kind, **arguments)

        job = await self.wait(client, await self.purchase(client, sandbox))

        assert job.status is JobStatus.FAILED
        assert job.content_refused == (self.names_refusals and kind == "refused")

    def tells_why(self, job: Job, reason: str) -> None:
        """A provider that gives no reasons overrides this."""
        assert reason in job.error

    async def test_a_job_that_vanishes_is_named_as_that(self, sandbox: Sandbox, account: dict[str, Any], client: Client) -> None:
        sandbox.fault(account, "vanish")

        with pytest.raises(errors.JobVanishedError, match="looks in a row did not find it"):
            await self.wait(client, await self.purchase(client, sandbox))

    async def test_a_job_that_succeeds_and_gives_no_file_is_paid_for_told_kept_and_ended_by_a_person(
        self, sandbox: Sandbox, account: dict[str, Any], client: Any, tmp_path: Path
    ) -> None:
        sandbox.fault(account, "no_outputs")
        order = Order(
            client.account, "operation", {"prompt": "a cup"}, 10, "credits"
        )  # as much as any of them takes, so that no charge holds the account
        bought: list[Hashable] = []

        async def submit(key: str, gate: Gate) -> str:
            del key, gate
            bought.append(await self.purchase(client, sandbox))
            return str(sandbox.jobs(account)[-1]["id"])

        async def prepare() -> Submit:
            return submit

        place = Place(str(tmp_path / "store"))
        async with Journal.lease(place.journal_url()) as journal, Store.lease(place) as store:
            purchase = await buy(journal, order, prepare, has=store.has, recover=client.recover)
            job = await self.wait(client, bought[0])
            with pytest.raises(errors.GenmediaError, match="paid for") as failed:
                await receive_outputs(client, store, journal, purchase, job)
            (attempt,) = await journal.paid_without_file()
            assert (job.status, attempt.state, attempt.remote_id) == (JobStatus.SUCCEEDED, AttemptState.BOUND, purchase.job_id)
            assert "genmedia journal resolve" in str(failed.value)
            assert f'"job": "{job.id}", "status": "succeeded"' in (attempt.last_answer or "")
            assert failed.value.what in (attempt.last_answer or "")

            assert Resolution.LOST.fits(attempt)
            assert "counts as spent" in await settle_doubt(journal, attempt, Resolution.LOST)

            assert await journal.live_attempt(order.key) is None
            (line,) = add_up(await journal.entries(), "", UTC)
            assert (line.jobs, line.spent, line.reserved) == (1, attempt.at_stake, 0)
            again = await buy(journal, order, prepare, has=store.has, recover=client.recover)
            assert (again.outcome, len(bought)) == (Outcome.BOUGHT, 2)

    async def test_fields_and_states_that_no_document_names_do_no_harm(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "extra_fields", times=None)
        ref = await self.purchase(client, sandbox)
        sandbox.fault(account, "unknown_status", times=2)

        assert (await self.wait(client, ref)).status is JobStatus.SUCCEEDED

    @pytest.mark.parametrize("says", ["nan", "infinite", "negative", "text"])
    async def test_a_charge_that_is_no_amount_is_unknown_and_the_job_ends_all_the_same(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, says: str
    ) -> None:
        await self.make_ready(client, sandbox)
        sandbox.fault(account, "no_amount", says=says, times=None)
        await self.read(client)

        job = await self.wait(client, await self.purchase(client, sandbox))

        assert job.status is JobStatus.SUCCEEDED
        assert job.charged in (None, self.price)
        assert job.progress in (None, 100)

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

    def keeps_the_key(self, account: dict[str, Any], error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        """The account's key stands in no error and no log."""
        shown = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        assert account["api_key"] not in "\n".join(shown)
        assert account["api_key"] not in caplog.text + "".join(str(vars(record)) for record in caplog.records)
        assert caplog.records

    async def test_a_lasting_fault_ends_as_the_class_of_its_cause_and_shows_no_key(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, caplog: pytest.LogCaptureFixture, lasting: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        fault = FAULTS[lasting]
        await self.make_ready(client, sandbox)
        sandbox.fault(account, fault.kind, times=None, **fault.arguments)

        with pytest.raises(errors.ApiError, match=f"^{self.provider}: {self.read_route[0]} /") as failed:
            await self.read(client)

        assert type(failed.value) is fault.error
        self.keeps_the_key(account, failed.value, caplog)
        sandbox.control("DELETE", f"/faults?account={account['account']}")
        if fault.kind != "slow":  # the sandbox counts a request once it has answered
            asked = times_asked(sandbox, account, self.read_route)
            assert asked > 3 if fault.kind == "rate_limit" else asked == (3 if fault.passing else 1)

    async def test_a_passing_fault_does_not_hurt_a_call_that_may_be_repeated(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, passing: str
    ) -> None:
        fault = FAULTS[passing]
        await self.make_ready(client, sandbox)
        sandbox.fault(account, fault.kind, times=2, **fault.arguments)

        assert await self.read(client)

    @pytest.mark.parametrize("name", FAULTS)
    async def test_a_purchase_is_sent_again_only_after_a_rate_limit_and_shows_no_key(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, caplog: pytest.LogCaptureFixture, name: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        fault = FAULTS[name]
        sandbox.fault(account, fault.kind, **fault.arguments)

        if fault.kind == "rate_limit":
            await self.submit(client, sandbox)
            assert await self.made(client, sandbox, account) == 1
            return
        with pytest.raises(fault.error) as failed:
            await self.submit(client, sandbox)
        self.keeps_the_key(account, failed.value, caplog)
        sandbox.control("DELETE", f"/faults?account={account['account']}")
        if fault.kind != "slow":
            assert times_asked(sandbox, account, self.purchase_route) == 1
        assert await self.made(client, sandbox, account) == (1 if fault.kind in ACCEPTED else 0)

    async def test_too_many_requests_are_waited_out_and_never_a_try(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "rate_limit", times=12, retry_after=2)
        told: list[str] = []

        with waiting_out(100, told.append):
            await self.submit(client, sandbox)

        assert await self.made(client, sandbox, account) == 1
        assert told == [f"waiting: too many requests at {self.provider}"]

    async def test_a_file_is_fetched_when_requests_are_taken_again(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        job = await self.wait(client, await self.purchase(client, sandbox))
        sandbox.fault(account, "rate_limit", times=4, retry_after=1)

        assert await self.download(client, job)

    async def test_an_empty_id_is_no_answer_to_a_purchase(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "empty_id", route=" ".join(self.purchase_route))

        with pytest.raises(errors.UnreadableAnswerError, match="without a readable"):
            await self.submit(client, sandbox)
        assert times_asked(sandbox, account, self.purchase_route) == 1
        assert await self.made(client, sandbox, account) == 1

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

    async def test_a_purchase_whose_content_is_refused_is_told_from_one_that_is_at_fault(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "refused")

        with pytest.raises(errors.ContentRefusedError, match=r"Change the prompt or the inputs"):
            await self.purchase(client, sandbox)
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

    async def test_a_file_whose_link_is_gone_is_had_by_one_more_look_at_its_job(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        ref = await self.purchase(client, sandbox)
        job = await self.wait(client, ref)
        sandbox.fault(account, "expired")
        with pytest.raises(errors.ExpiredLinkError):
            await self.download(client, job)

        again = await client.look(ref)

        assert [output.id for output in again.outputs] == [output.id for output in job.outputs]
        assert await self.download(client, again)

    # What answers hold

    async def try_to_download(self, sandbox: Sandbox, account: dict[str, Any], client: Client, job: Job) -> Exception | None:
        """What a download ends with; whatever was scripted for it is over then."""
        try:
            await self.download(client, job)
        except Exception as error:  # noqa: BLE001 # which it is, is what the tests are about
            return error
        finally:
            sandbox.control("DELETE", f"/faults?account={account['account']}")
        return None

    async def test_a_file_that_is_said_to_be_nowhere_ends_as_an_error_of_ours(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        job = await self.wait(client, await self.purchase(client, sandbox))
        ended: dict[str, Exception | None] = {}
        for link in filter(None, hostile.LINKS):
            sandbox.fault(account, "redirect", route="download", location=link, times=None)
            ended[link[:60]] = await self.try_to_download(sandbox, account, client, job)

        assert [link for link, error in ended.items() if not isinstance(error, errors.GenmediaError)] == []
        assert await self.download(client, job)
        assert sandbox.leaked(account) == 0

    async def test_a_link_that_is_no_address_hurts_the_job_that_it_is_in_at_most(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        ref = await self.purchase(client, sandbox)
        await self.wait(client, ref)
        ended: dict[str, Exception | None] = {}
        for link in filter(None, [*(json.dumps(link)[1:-1] for link in hostile.LINKS), *hostile.UNWRITABLE]):
            sandbox.fault(account, "bad_links", location=link, times=None)
            job = await client.look(ref)  # a wait may join a look that was under way before
            ended[link[:60]] = await self.try_to_download(sandbox, account, client, job)

        expected = errors.GenmediaError if self.names_links else type(None)
        assert [link for link, error in ended.items() if not isinstance(error, expected)] == []
        assert await self.download(client, await self.wait(client, ref))

    async def test_a_header_that_nobody_can_read_costs_no_answer(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, header: tuple[str, str]
    ) -> None:
        name, value = header
        odd = f"{value},{sandbox.media_url}" if name == "x-sandbox-origins" else value
        sandbox.fault(account, "odd_header", header=name, value=odd, times=None)

        ref = await self.purchase(client, sandbox)
        job = await self.wait(client, ref)

        assert job.status is JobStatus.SUCCEEDED
        assert await self.download(client, job)
        assert [one["id"] for one in sandbox.jobs(account)] == [job.id]
        assert isinstance(client.http.server_time().isoformat(), str)

    async def test_a_wait_that_nobody_can_keep_to_is_as_good_as_none(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, wait: str
    ) -> None:
        await self.make_ready(client, sandbox)
        sandbox.fault(account, "rate_limit")
        sandbox.fault(account, "odd_header", header="retry-after", value=wait)

        assert await self.read(client)

    async def test_what_no_database_takes_is_in_no_text_of_a_job(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "fail", message="the brush broke")
        ref = await self.purchase(client, sandbox)
        sandbox.fault(account, "nul", times=None)

        job = await self.wait(client, ref)

        told = json.dumps(asdict(job), default=str, ensure_ascii=False)
        assert job.status is JobStatus.FAILED
        self.tells_why(job, "the brush broke")
        assert not set(told) & {"\0", "\x1b", "\ud800"}
        assert "\\u0000" not in told

    async def test_a_reason_is_kept_as_far_as_a_person_reads(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "fail", message="the brush broke " + "x" * 50_000)

        job = await self.wait(client, await self.purchase(client, sandbox))

        assert len(job.error) <= REASON_CHARACTERS
        self.tells_why(job, "the brush broke")

    async def test_a_job_of_which_too_much_is_said_to_be_read_keeps_no_other_from_its_end(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client
    ) -> None:
        sandbox.fault(account, "fail", message="the brush broke " + "x" * 150_000, error_code="x" * 150_000)
        bad, good = await self.purchase(client, sandbox), await self.purchase(client, sandbox)

        waiting = [asyncio.create_task(self.wait(client, ref)) for ref in (bad, good)]

        assert (await asyncio.wait_for(waiting[1], 60)).status is JobStatus.SUCCEEDED
        waiting[0].cancel()
        await asyncio.wait(waiting)

    async def test_an_answer_is_unpacked_once_and_within_its_limit(
        self, sandbox: Sandbox, account: dict[str, Any], client: Client, packed_answer: tuple[int, int, str | None]
    ) -> None:
        layers, zeros, expected = packed_answer
        await self.make_ready(client, sandbox)
        sandbox.fault(account, "nested_gzip", layers=layers, zeros=zeros, times=None)

        if expected is None:
            assert await self.read(client)
            return
        with pytest.raises(errors.UnreadableAnswerError, match=expected):
            await self.read(client)

    async def test_a_file_is_unpacked_once_and_within_its_limit(
        self,
        sandbox: Sandbox,
        account: dict[str, Any],
        client: Client,
        packed_file: tuple[int, int, type[Exception] | None],
    ) -> None:
        layers, zeros, expected = packed_file
        job = await self.wait(client, await self.purchase(client, sandbox))
        whole = await self.download(client, job)
        sandbox.fault(account, "nested_gzip", route="download", layers=layers, zeros=zeros, times=None)

        if expected is None:
            assert await self.download(client, job) == whole
            return
        with pytest.raises(expected, match="paid for"):
            await self.download(client, job)

    # Secrets

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
