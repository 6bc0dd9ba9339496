"""The commands about money, as they are typed; with a folder they need neither Prefect nor a project."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genmedia.journal import Journal, Purpose, Wish
from genmedia.store import Place
from tests.project.checkouts import genmedia

ACCOUNT = "flora|https://app.flora.ai|studio"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store in which something was bought."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        wish = Wish("ab" * 32, ACCOUNT, "technique blur", {}, 1, 3, "credits", purpose=Purpose("tea", labels={"client": "acme"}))
        attempt = await journal.intend(wish, datetime.now(UTC))
        assert attempt
        await journal.bind(attempt, "job")
        await journal.charge(attempt.id, 4)
    return tmp_path


def test_caps_are_set_shown_and_taken_away(folder: Path) -> None:
    where = ("--folder", str(folder))
    assert genmedia("caps", *where).stdout == "no account has a cap\n"
    assert genmedia("caps", "set", "flora", "--day", "50", "--month", "500", *where).stdout == f"{ACCOUNT}: day 50, month 500\n"
    assert json.loads(genmedia("caps", "--json", *where).stdout) == {ACCOUNT: {"day": 50, "month": 500}}
    assert ACCOUNT in genmedia("caps", *where, COLUMNS="200").stdout
    assert genmedia("caps", "remove", "flora/studio", "day", *where).stdout == f"{ACCOUNT}: month 500\n"
    assert genmedia("caps", "remove", ACCOUNT, *where).stdout == f"{ACCOUNT}: no cap\n"


def test_an_account_is_held_and_released(folder: Path) -> None:
    where = ("--folder", str(folder))
    genmedia("hold", "flora/studio", "--reason", "the key leaked", *where)
    (held,) = json.loads(genmedia("hold", "--json", *where).stdout)
    assert (held["account"], held["reason"]) == (ACCOUNT, "the key leaked")
    assert genmedia("hold", "--release", "flora/studio", *where).returncode == 0
    assert genmedia("hold", "--release", "flora/studio", *where).returncode == 1
    assert genmedia("hold", *where).stdout == "no account is held\n"


def test_the_ledger_is_a_table_json_or_csv(folder: Path) -> None:
    where = ("--folder", str(folder))
    told = json.loads(genmedia("ledger", "--by", "client", "--json", *where).stdout)
    assert told["lines"][0] | {"group": "acme", "unit": "flora credits", "spent": 4, "above": 1} == told["lines"][0]
    assert told["totals"][0]["counted"] == 4
    (line,) = csv.DictReader(genmedia("ledger", "--by", "campaign", "--csv", *where).stdout.splitlines())
    assert (line["campaign"], line["spent"]) == ("tea", "4.0")
    assert "flora credits" in genmedia("ledger", *where, COLUMNS="200").stdout
    assert json.loads(genmedia("ledger", "--until", "2000-01-01", "--json", *where).stdout)["lines"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["caps", "set", "nobody", "--day", "1"], "'nobody' is no account"),
        (["caps", "set", "flora"], "no cap is named"),
        (["caps", "set", "flora", "--day", "-1"], "cannot be below 0"),
        (["hold", "--release"], "nobody is named"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(folder: Path, words: list[str], told: str) -> None:
    done = genmedia(*words, "--folder", str(folder))

    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
