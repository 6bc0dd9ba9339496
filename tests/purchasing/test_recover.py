"""What nobody works on any more is brought to its end, and nothing is bought."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import pytest

from genmedia.concurrency import end_task
from genmedia.errors import InDoubtError, JobVanishedError
from genmedia.jobs.durations import UNKNOWN, Durations
from genmedia.jobs.job import Account, Job, Output
from genmedia.jobs.watcher import Trouble
from genmedia.journal import Attempt, AttemptState, Journal, Purpose
from genmedia.journal.order import Order
from genmedia.providers.base import at_desk, looking_for
from genmedia.providers.genova.client import GenovaClient, JobRequest
from genmedia.providers.genova.steps import job_order
from genmedia.purchasing.buy import Outcome, Purchase
from genmedia.purchasing.calls import wait_for_job
from genmedia.purchasing.patience import Patience
from genmedia.purchasing.recover import Fate, Harvested, harvest
from genmedia.purchasing.resolve import Resolution, settle_doubt
from genmedia.store import Place, Store
from genmedia.text.plain import REASON_CHARACTERS
from genmedia.transport.session import Fetched
from tests.buyers import Studio
from tests.sandboxes import Sandbox, running_sandbox


@dataclass
class Yard:
    """An account of Genova whose buyers have all died."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: GenovaClient
    journal: Journal
    store: Store
    _prompts: list[str] = field(default_factory=list[str])

    async def intended(self, *, accepted: bool = True, run: str = "") -> tuple[Attempt, str]:
        """An attempt whose process died before it knew the job's id, and the job."""
        self._prompts.append(f"cup number {len(self._prompts)}")
        request = JobRequest(type="image", model="imagen4", prompt=self._prompts[-1])
        await self.client.get_profile()  # tells the provider's time
        order = replace(job_order(request, [], self.client.account, 1), purpose=Purpose(run=run))
        attempt = await self.journal.intend(order, self.client.http.server_time())
        assert attempt is not None
        job = (await self.client.create_job(request.fields())).job_id if accepted else ""
        await self.journal.release(attempt)
        return attempt, job

    async def bought(self, run: str = "") -> tuple[Attempt, str]:
        """An attempt whose process died while it waited for the job."""
        attempt, job = await self.intended(run=run)
        await self.journal.bind(attempt, job)
        return attempt, job

    def change(self, **options: Any) -> None:
        self.sandbox.control("POST", "/accounts", {"provider": "genova", "account": self.account["account"], **options})

    async def harvest(self, **runs: Any) -> list[Harvested]:
        return await harvest(self.journal, self.store, [self.client], **runs)

    @property
    def files(self) -> list[Path]:
        return [file for file in Path(self.store.label).rglob("*.png") if ".genmedia" not in file.parts]


@pytest.fixture
async def yard(sandbox: Sandbox, journal: Journal, tmp_path: Path) -> AsyncGenerator[Yard]:
    account = sandbox.new_account("genova", settings={"advance": "looks", "looks": [0, 0]})
    payer = Account("genova", account["base_url"], account["account"])
    place = Place(str(tmp_path / "media"))
    async with GenovaClient.lease(payer, account["api_key"], push=False) as client, Store.lease(place) as store:
        yield Yard(sandbox, account, client, journal, store)


@pytest.fixture
def often(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other faster than the plan allows: those that miss a job are awaited."""
    monkeypatch.setattr(yard.client.watcher, "_every", lambda: (1.0, 1.5))


async def test_what_was_paid_for_and_has_finished_is_stored_and_nothing_is_bought(yard: Yard) -> None:
    found = [(await yard.bought())[0] for _ in range(3)]

    harvested = await yard.harvest()

    assert [one.attempt.id for one in harvested] == [attempt.id for attempt in found]
    assert {one.fate for one in harvested} == {Fate.STORED}
    assert {one.attempt.state for one in harvested} == {AttemptState.STORED}
    assert len(yard.files) == 3
    assert len(yard.sandbox.jobs(yard.account)) == 3
    assert await yard.harvest() == []


async def test_two_that_harvest_at_once_store_each_file_once(yard: Yard) -> None:
    for _ in range(4):
        await yard.bought()

    await asyncio.gather(yard.harvest(), yard.harvest())

    assert len(yard.files) == 4
    assert await yard.journal.open_attempts() == []


async def test_a_lost_answer_is_asked_about_and_its_job_fetched(yard: Yard) -> None:
    _, job = await yard.intended()

    (harvested,) = await yard.harvest()

    assert (harvested.fate, harvested.attempt.remote_id) == (Fate.STORED, job)


async def test_what_was_never_accepted_is_not_bought(yard: Yard) -> None:
    await yard.intended(accepted=False)

    (harvested,) = await yard.harvest()

    assert (harvested.fate, harvested.attempt.state) == (Fate.NOT_BOUGHT, AttemptState.REFUSED)
    assert yard.sandbox.jobs(yard.account) == []


async def test_what_a_person_cancelled_is_ended_while_it_can_be(yard: Yard) -> None:
    yard.change(settings={"advance": "looks", "looks": [9, 9]})
    attempt, job = await yard.bought()
    await yard.journal.want(attempt.id, "the cancelled run")

    (harvested,) = await yard.harvest(cancelled={"the cancelled run"})

    assert (harvested.fate, harvested.attempt.at_stake) == (Fate.ABORTED, 0)
    assert [(one["id"], one["status"]) for one in yard.sandbox.jobs(yard.account)] == [(job, "cancelled")]


async def test_what_was_bought_for_a_run_that_is_cancelled_before_it_waits_is_ended(yard: Yard) -> None:
    yard.change(settings={"advance": "looks", "looks": [9, 9]})
    attempt, _ = await yard.bought(run="the cancelled run")

    assert [one.run for one in await yard.journal.waiters(attempt.id)] == ["the cancelled run"]
    (harvested,) = await yard.harvest(cancelled={"the cancelled run"})

    assert harvested.fate is Fate.ABORTED


async def test_what_a_living_run_waits_for_is_left_to_it(yard: Yard) -> None:
    attempt, _ = await yard.bought()
    await yard.journal.want(attempt.id, "the cancelled run")
    await yard.journal.want(attempt.id, "another run")

    (harvested,) = await yard.harvest(cancelled={"the cancelled run"})

    assert harvested.fate is Fate.IN_HAND


async def test_what_a_run_that_is_over_has_waited_for_is_fetched_though_its_process_lives_on(yard: Yard) -> None:
    attempt, _ = await yard.bought()
    await yard.journal.want(attempt.id, "a run")

    (harvested,) = await yard.harvest(over={"a run"})

    assert harvested.fate is Fate.STORED


async def test_a_job_that_a_person_named_and_that_nobody_knows_is_in_doubt_again(yard: Yard, often: None) -> None:
    attempt, _ = await yard.intended(accepted=False)
    mine = await yard.journal.take_over(replace(attempt, owner=None))
    assert mine
    await yard.journal.doubt(mine, "no answer")
    await settle_doubt(yard.journal, await yard.journal.attempt(attempt.id), Resolution.BOUGHT, " 00000000-typo ")

    (harvested,) = await yard.harvest()

    assert (harvested.attempt.state, harvested.attempt.remote_id) == (AttemptState.IN_DOUBT, None)
    assert "a person named the job, but" in harvested.attempt.reason
    assert harvested.fate is Fate.IN_DOUBT


async def test_a_job_that_the_provider_knows_no_more_is_marked_so(yard: Yard, often: None) -> None:
    yard.sandbox.fault(yard.account, "vanish")
    await yard.bought()

    (harvested,) = await yard.harvest()

    assert (harvested.fate, harvested.attempt.state) == (Fate.VANISHED, AttemptState.FAILED)


async def test_an_account_without_a_block_is_told(yard: Yard) -> None:
    await yard.bought()

    (harvested,) = await harvest(yard.journal, yard.store, [])

    assert harvested.fate is Fate.LEFT
    assert f"no credentials block that can be used is saved for genova/{yard.client.account.name}" in harvested.detail


async def test_a_job_that_runs_is_left_to_run(yard: Yard) -> None:
    yard.change(settings={"advance": "looks", "looks": [9, 9]})
    await yard.bought()

    (harvested,) = await yard.harvest()

    assert (harvested.fate, harvested.attempt.state) == (Fate.RUNNING, AttemptState.BOUND)


@asynccontextmanager
async def seen_by_another(yard: Yard, url: str, attempt: Attempt) -> AsyncGenerator[None]:
    """Have what stands for another process look at a job that is bound; it has seen it once when the block begins."""
    async with AsyncExitStack() as held:
        journal, client = Journal(url), GenovaClient(yard.client.account, yard.account["api_key"], push=False)
        held.push_async_callback(journal.aclose)
        held.push_async_callback(client.aclose)
        desk = await held.enter_async_context(at_desk(client, journal))
        held.enter_context(desk.looks.awaiting(attempt))
        while (await journal.attempt(attempt.id)).seen is None:
            await asyncio.sleep(0.5)  # a look that may have begun before the bind does not count
            await desk.looks.look(frozenset({client.reference(attempt)}), client._look)  # pyright: ignore[reportPrivateUsage] # as its watcher looks
        yield


async def test_a_job_that_another_process_looks_at_is_not_asked_about(yard: Yard, url: str) -> None:
    yard.change(settings={"advance": "looks", "looks": [9, 9]})
    attempt, _ = await yard.bought()
    attempt = await yard.journal.attempt(attempt.id)  # as it is with its job
    async with seen_by_another(yard, url, attempt):
        asked = yard.sandbox.requests(yard.account)

        (harvested,) = await yard.harvest()

        assert (harvested.fate, harvested.attempt.state) == (Fate.RUNNING, AttemptState.BOUND)
        assert harvested.attempt.sight
        assert harvested.attempt.sight.in_words == harvested.detail
        assert yard.sandbox.requests(yard.account) == asked


async def test_what_another_process_saw_of_a_job_is_told_to_a_run_though_it_is_read_just_as_that_begins_to_wait(
    yard: Yard, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.journal.looks.LEASE_SECONDS", 3600.0)
    monkeypatch.setattr("genmedia.journal.looks.OVERLAP_SECONDS", 0.0)
    yard.change(settings={"advance": "looks", "looks": [9, 9]})
    attempt, job = await yard.bought()
    attempt = await yard.journal.attempt(attempt.id)  # as it is with its job
    async with AsyncExitStack() as held:
        await held.enter_async_context(seen_by_another(yard, url, attempt))
        own = await held.enter_async_context(at_desk(yard.client, yard.journal))
        await own.looks.look(frozenset(), yard.client._look)  # pyright: ignore[reportPrivateUsage] # reads what was seen until now

        async def read_meanwhile(work: str) -> Durations:
            del work
            yard.client.watcher.deliver(await own.looks.look(frozenset(), yard.client._look), monotonic())  # pyright: ignore[reportPrivateUsage] # as above
            return UNKNOWN

        monkeypatch.setattr(yard.journal.running_times, "of", read_meanwhile)
        told = asyncio.Event()

        async def seen(_: Job | Trouble) -> None:
            told.set()

        order = Order(yard.client.account, attempt.operation, attempt.request, 1, "credits")
        purchase = Purchase(order, attempt.key, attempt.id, attempt.number, job, Outcome.REATTACHED)
        waiting = asyncio.create_task(
            wait_for_job(yard.client, yard.journal, purchase, "cup", Patience(20, 20), lambda: asyncio.sleep(0, result=seen))
        )
        held.push_async_callback(end_task, waiting)
        async with asyncio.timeout(60):
            await told.wait()


async def test_what_nobody_foresaw_at_one_job_leaves_that_one_and_brings_the_others_to_their_end(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [(await yard.bought())[1] for _ in range(3)]
    plain = yard.client.fetch_output

    async def fetch(output: Output, sink: BinaryIO, max_bytes: int) -> Fetched:
        if jobs[1] in (output.url or ""):
            raise ZeroDivisionError("s3cret")
        return await plain(output, sink, max_bytes)

    monkeypatch.setattr(yard.client, "fetch_output", fetch)

    harvested = await yard.harvest()

    assert [one.fate for one in harvested] == [Fate.STORED, Fate.LEFT, Fate.STORED]
    assert "ZeroDivisionError" in harvested[1].detail
    assert jobs[1] in harvested[1].detail
    assert "s3cret" not in harvested[1].detail
    assert len(yard.files) == 2
    monkeypatch.undo()
    assert [one.fate for one in await yard.harvest()] == [Fate.STORED]


@pytest.mark.parametrize("link", ["https://a.example:99999/a.png", "https://xn--/", "javascript:1", "https://a.example/\\ud800"])
async def test_a_link_that_is_no_address_leaves_its_job_and_brings_the_others_to_their_end(yard: Yard, link: str) -> None:
    for _ in range(3):
        await yard.bought()
    yard.sandbox.fault(yard.account, "bad_links", location=link, route="download_job")

    harvested = await yard.harvest()

    assert sorted(one.fate for one in harvested) == [Fate.LEFT, Fate.STORED, Fate.STORED]
    assert [one.fate for one in await yard.harvest()] == [Fate.STORED]


async def test_a_reason_that_no_database_takes_is_written_down_all_the_same(yard: Yard) -> None:
    yard.sandbox.fault(yard.account, "fail", message="the brush broke " + "x" * 10**6)
    attempt, _ = await yard.bought()
    yard.sandbox.fault(yard.account, "nul", times=None)

    (harvested,) = await yard.harvest()

    assert harvested.fate is Fate.FAILED
    reason = (await yard.journal.attempt(attempt.id)).reason
    assert "the brush broke" in reason
    assert "\0" not in reason
    assert len(reason) <= REASON_CHARACTERS


async def test_a_file_is_stored_though_its_job_says_what_no_database_takes(yard: Yard) -> None:
    await yard.bought()
    yard.sandbox.fault(yard.account, "nul", times=None)

    (harvested,) = await yard.harvest()

    assert harvested.fate is Fate.STORED
    (sidecar,) = [file for file in Path(yard.store.label).rglob("*.png.json") if ".genmedia" not in file.parts]
    assert "\\u0000" not in sidecar.read_text()


async def test_a_run_that_waits_for_a_job_that_a_person_misnamed_is_told_to_look_and_not_to_buy_again(yard: Yard) -> None:
    attempt, _ = await yard.intended(accepted=False)
    mine = await yard.journal.take_over(replace(attempt, owner=None))
    assert mine
    await yard.journal.doubt(mine, "no answer")
    await settle_doubt(yard.journal, await yard.journal.attempt(attempt.id), Resolution.BOUGHT, "00000000-typo")

    with pytest.raises(InDoubtError) as told:
        async with looking_for(yard.journal, yard.client, attempt.id, "00000000-typo"):
            raise JobVanishedError("looks in a row did not find it", job="this one")

    assert "run again to buy" not in str(told.value)
    assert "say what you find with `genmedia journal resolve`" in str(told.value)
    assert "(this one)" in str(told.value)


async def test_a_run_that_may_be_lost_is_in_doubt_where_the_date_of_answers_is_ahead_of_the_times_of_runs(tmp_path: Path) -> None:
    with running_sandbox('{"clock_scale": 1, "size": 128}') as sandbox:
        studio = Studio(sandbox, tmp_path, "flora", switches={"list_runs": True})
        ahead = format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)
        sandbox.fault(studio.account, "odd_header", route="get_technique", times=None, header="date", value=ahead)
        sandbox.fault(studio.account, "slow", route="create_run", seconds=600)
        buying = asyncio.create_task(studio.buy(studio.errand("A red cup")))
        while not sandbox.jobs(studio.account):
            await asyncio.sleep(0.05)
        await end_task(buying)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("genmedia.providers.flora.client.ANSWER_SECONDS", 1.0)
            harvested = await studio.harvest()

    assert [one.attempt.state for one in harvested] == [AttemptState.IN_DOUBT]
