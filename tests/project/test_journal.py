"""The commands about what is open, as they are typed: a person says what nobody else can tell."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genmedia.journal import AttemptState, Journal, Purpose, Wish
from genmedia.store import Place
from tests.project.checkouts import genmedia

WISH = Wish(
    "ab" * 32, "algovera|https://api.algovera.ai|studio", "txt2img stable", {}, 1, 3, "credits", purpose=Purpose("tea", "cup")
)
BOUND = Wish("ac" * 32, "genova|https://genova.example|studio", "image imagen4", {}, 1, 1, "credits")


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store with a purchase in doubt, and a job under way."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        attempt = await journal.intend(WISH, datetime.now(UTC))
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

    assert "abababababab" in table
    assert "3 credits" in table
    assert "job-7" in table


async def test_what_a_person_says_was_bought_is_that_job(folder: Path) -> None:
    done = genmedia("journal", "resolve", "abab", "--job", "job-1", "--folder", str(folder))

    assert (done.returncode, await state(folder)) == (0, (AttemptState.BOUND, "job-1", 3))
    assert "is job job-1" in done.stdout
    assert listed(folder, "--in-doubt") == []


async def test_what_was_not_bought_costs_nothing(folder: Path) -> None:
    done = genmedia("journal", "resolve", "ab", "--not-bought", "--folder", str(folder))

    assert "costs nothing" in done.stdout
    assert (await state(folder))[0] is AttemptState.REFUSED


async def test_what_is_written_off_counts_as_spent(folder: Path) -> None:
    done = genmedia("journal", "resolve", "ab", "--lost", "--folder", str(folder))

    assert "counts as spent" in done.stdout
    assert await state(folder) == (AttemptState.FAILED, None, 3)
    assert json.loads(genmedia("ledger", "--json", "--folder", str(folder)).stdout)["totals"][0]["spent"] == 3


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
        (["ab"], "Name one of --job ID"),
        (["ab", "--lost", "--not-bought"], "Name one of --job ID"),
        (["ac", "--lost"], "no purchase in doubt has a key that begins with 'ac'"),
    ],
)
async def test_what_cannot_be_resolved_is_told_in_a_line_and_changes_nothing(folder: Path, words: list[str], told: str) -> None:
    done = genmedia("journal", "resolve", *words, "--folder", str(folder))

    assert done.returncode != 0
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert (await state(folder))[0] is AttemptState.IN_DOUBT


async def test_the_job_of_another_purchase_answers_for_none(folder: Path) -> None:
    other = WISH.account, "job-2"
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        attempt = await journal.intend(Wish("ad" * 32, other[0], "txt2img stable", {}, 1, 3, "credits"), datetime.now(UTC))
        assert attempt
        await journal.bind(attempt, other[1])

    done = genmedia("journal", "resolve", "ab", "--job", other[1], "--folder", str(folder))

    assert done.returncode != 0
    assert "belongs to another purchase" in " ".join(done.stderr.split())
    assert (await state(folder))[0] is AttemptState.IN_DOUBT
