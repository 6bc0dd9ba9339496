"""The commands about what is open, as they are typed: a person says what nobody else can tell."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genmedia.jobs.job import Account, Job, JobStatus
from genmedia.journal import AttemptState, Journal, Purpose
from genmedia.journal.order import Order
from genmedia.journal.records import Sight
from genmedia.store import Place
from tests.commands import genmedia

PAYER = Account("algovera", "https://api.algovera.ai", "studio")
DOUBTED = Order(PAYER, "txt2img stable", {}, 3, "credits", purpose=Purpose("tea", "cup"))
BOUND = Order(Account("genova", "https://genova.example", "studio"), "image imagen4", {}, 1, "credits")
ANOTHER = replace(BOUND, take=2)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with a purchase in doubt, and a job under way."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        attempt = await journal.intend(DOUBTED, datetime.now(UTC))
        assert attempt
        await journal.doubt(attempt, "the connection broke")
        other = await journal.intend(BOUND, datetime.now(UTC))
        assert other
        await journal.bind(other, "job-7")
    return tmp_path


async def state(folder: Path) -> tuple[str, str | None, float | None]:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        attempt = await journal.attempt(1)
    return attempt.state, attempt.remote_id, attempt.at_stake


def listed(folder: Path, *words: str) -> list[dict[str, object]]:
    return json.loads(genmedia("journal", "--json", *words, "--folder", str(folder)).stdout)


def test_what_is_open_is_shown_with_what_is_at_stake(folder: Path) -> None:
    told = listed(folder)
    assert [(one["state"], one["at_stake"]) for one in told] == [("in_doubt", 3), ("bound", 1)]
    assert [(one["campaign"], one["step"], one["reason"]) for one in listed(folder, "--in-doubt")] == [
        ("tea", "cup", "the connection broke")
    ]

    table = genmedia("journal", "--folder", str(folder), COLUMNS="200").stdout

    assert DOUBTED.key[:12] in table
    assert "3 credits" in table
    assert "1 credit " in table
    assert "job-7" in table


async def test_what_a_look_saw_of_an_open_job_is_shown(folder: Path) -> None:
    sight = Sight(job=Job("job-7", JobStatus.RUNNING, progress=40)).model_dump_json(exclude_defaults=True)
    with closing(sqlite3.connect(folder / ".genmedia" / "journal.db")) as journal, journal:
        journal.execute("UPDATE attempts SET seen = ?, seen_at = unixepoch() - 5 WHERE remote_id = 'job-7'", (sight,))

    assert [one.get("seen") for one in listed(folder)] == [None, "running 40 %"]
    assert "running 40 %, " in genmedia("journal", "--folder", str(folder), COLUMNS="200").stdout


async def test_what_a_person_says_was_bought_is_that_job(folder: Path) -> None:
    done = genmedia("journal", "resolve", DOUBTED.key[:4], "--job", "job-1", "--folder", str(folder))

    assert (done.returncode, await state(folder)) == (0, (AttemptState.BOUND, "job-1", 3))
    assert "is job job-1" in done.stdout
    assert listed(folder, "--in-doubt") == []


async def test_what_was_not_bought_costs_nothing(folder: Path) -> None:
    done = genmedia("journal", "resolve", DOUBTED.key, "--not-bought", "--folder", str(folder))

    assert "costs nothing" in done.stdout
    assert (await state(folder))[0] is AttemptState.REFUSED


async def test_what_is_written_off_counts_as_spent(folder: Path) -> None:
    done = genmedia("journal", "resolve", DOUBTED.key, "--lost", "--folder", str(folder))

    assert "counts as spent" in done.stdout
    assert await state(folder) == (AttemptState.FAILED, None, 3)
    assert json.loads(genmedia("ledger", "--json", "--folder", str(folder)).stdout)["totals"][0]["spent"] == 3


async def test_what_is_paid_for_and_gives_no_file_is_listed_and_written_off(folder: Path) -> None:
    nothing = genmedia("journal", "--paid-without-file", "--folder", str(folder)).stdout
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        await journal.note(2, "job-7", "no outputs; token=sk_live_planted")

    (told,) = listed(folder, "--paid-without-file")
    table = genmedia("journal", "--paid-without-file", "--folder", str(folder), COLUMNS="200").stdout
    done = genmedia("journal", "resolve", BOUND.key, "--lost", "--folder", str(folder))

    assert nothing == "everything that is paid for has its file\n"
    assert (told["remote_id"], told["state"], told["last_answer"]) == ("job-7", "bound", "no outputs; token=[hidden]")
    assert "job-7" in table
    assert "no outputs" in table
    assert "is written off, and counts as spent: run it again to buy it anew" in done.stdout
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        assert await journal.live_attempt(BOUND.key) is None
    (over,) = listed(folder, "--paid-without-file")
    assert (over["state"], over["reason"]) == ("failed", "written off by a person; it was job job-7, of which there is no file")


async def test_what_a_living_run_waits_for_is_not_written_off(folder: Path) -> None:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        await journal.want(2, "run-1")
        done = genmedia("journal", "resolve", BOUND.key, "--lost", "--folder", str(folder))

        assert done.returncode != 0
        assert "the run run-1 waits for it" in " ".join(done.stderr.split())
        assert (await journal.attempt(2)).state is AttemptState.BOUND


async def test_what_was_begun_and_nobody_can_be_asked_about_is_written_off_once_nobody_works_on_it(folder: Path) -> None:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        attempt = await journal.intend(ANOTHER, datetime.now(UTC))
        assert attempt
        held = genmedia("journal", "resolve", ANOTHER.key, "--lost", "--folder", str(folder))
        await journal.release(attempt)
        done = genmedia("journal", "resolve", ANOTHER.key, "--lost", "--folder", str(folder))
        now = await journal.attempt(attempt.id)

    assert "somebody works on it" in " ".join(held.stderr.split())
    assert "is written off, and counts as spent" in done.stdout
    assert (now.state, now.at_stake) == (AttemptState.FAILED, 1)
    assert now.reason == "written off by a person; it was begun, and nobody has found out whether it was accepted"


async def test_what_was_refused_for_its_content_and_charged_nothing_is_written_off_as_that(folder: Path) -> None:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        attempt = await journal.intend(ANOTHER, datetime.now(UTC))
        assert attempt
        await journal.refuse_content(attempt, "flagged")

    done = genmedia("journal", "resolve", ANOTHER.key, "--lost", "--folder", str(folder))

    assert "is written off, and costs nothing: run it again to buy it anew" in done.stdout


async def test_a_backup_knows_what_was_bought_before_it_and_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"

    done, again = (genmedia("journal", "backup", str(copy), "--folder", str(folder)) for _ in range(2))

    assert (done.returncode, again.returncode != 0) == (0, True), done.stderr
    assert "is there already" in " ".join(again.stderr.split())
    async with Journal.lease(f"sqlite+aiosqlite:///{copy}") as journal:
        assert [one.remote_id for one in await journal.open_attempts()] == [None, "job-7"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([DOUBTED.key], "Name one of --job ID"),
        ([DOUBTED.key, "--lost", "--not-bought"], "Name one of --job ID"),
        (["", "--not-bought"], "no purchase is named"),
        ([" ", "--job", "job-1"], "no purchase is named"),
        ([BOUND.key[:9], "--not-bought"], f"no purchase in doubt has a key that begins with '{BOUND.key[:9]}'"),
        (["ff", "--lost"], "no purchase in doubt or paid for without a file has a key that begins with 'ff'"),
        (["%", "--lost"], "no purchase in doubt or paid for without a file has a key that begins with '%'"),
    ],
)
async def test_what_cannot_be_resolved_is_told_in_a_line_and_changes_nothing(folder: Path, words: list[str], told: str) -> None:
    done = genmedia("journal", "resolve", *words, "--folder", str(folder))

    assert done.returncode != 0
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert (await state(folder))[0] is AttemptState.IN_DOUBT


async def test_the_job_of_another_purchase_answers_for_none(folder: Path) -> None:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        attempt = await journal.intend(replace(DOUBTED, take=2), datetime.now(UTC))
        assert attempt
        await journal.bind(attempt, "job-2")

    done = genmedia("journal", "resolve", DOUBTED.key, "--job", "job-2", "--folder", str(folder))

    assert done.returncode != 0
    assert "belongs to another purchase" in " ".join(done.stderr.split())
    assert (await state(folder))[0] is AttemptState.IN_DOUBT
