"""The commands about money, as they are typed; with a folder they need neither Prefect nor a project."""

import csv
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blocks import GenovaCredentials
from genmedia.cli.money import check_ledger
from genmedia.cli.printing import Console
from genmedia.cli.where import Where
from genmedia.jobs.job import Account
from genmedia.journal import Journal, Purpose
from genmedia.journal.order import Order
from genmedia.providers.offers import Saved
from genmedia.store import Place
from tests.commands import genmedia
from tests.sandboxes import Sandbox

PAYER = Account("flora", "https://app.flora.ai", "studio")
ACCOUNT = str(PAYER)
ORDER = Order(PAYER, "technique blur", {}, 3, "credits", purpose=Purpose("tea", labels={"client": "acme"}))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A store in which something was bought."""
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        attempt = await journal.intend(ORDER, datetime.now(UTC))
        assert attempt
        await journal.bind(attempt, "job")
        await journal.charge(attempt.id, "job", 4)
    return tmp_path


def test_caps_are_set_shown_and_taken_away(folder: Path) -> None:
    where = ("--folder", str(folder))
    none, told = genmedia("caps", *where).stdout.splitlines()
    assert none == "no account has a cap"
    assert "Budgets by label stand in the files of campaigns (budget: per)" in told
    assert genmedia("caps", "set", "flora", "--day", "50", "--month", "500", *where).stdout == "flora/studio: day 50, month 500\n"
    assert json.loads(genmedia("caps", "--json", *where).stdout) == {ACCOUNT: {"day": 50, "month": 500}}
    assert "flora/studio  " in genmedia("caps", *where, COLUMNS="200").stdout
    assert genmedia("caps", "remove", "flora/studio", "day", *where).stdout == "flora/studio: month 500\n"
    assert genmedia("caps", "remove", ACCOUNT, *where).stdout == "flora/studio: no cap\n"


def test_caps_in_usd_are_told_as_that_and_not_mixed_with_those_in_credits(folder: Path) -> None:
    where = ("--folder", str(folder))
    in_usd = genmedia("caps", "set", "flora", "--day", "5", "--failures", "3", "--unit", "USD", *where)
    assert in_usd.stdout == "flora/studio: day 5 USD, failures 3\n"
    assert json.loads(genmedia("caps", "--json", *where).stdout) == {ACCOUNT: {"day": 5, "failures": 3, "unit": "USD"}}
    assert "USD" in genmedia("caps", *where, COLUMNS="200").stdout
    mixed = genmedia("caps", "set", "flora", "--month", "50", *where)
    assert mixed.returncode == 2
    assert "are in USD" in mixed.stderr
    assert genmedia("caps", "set", "flora", "--day", "50", *where).stdout == "flora/studio: day 50, failures 3\n"


def test_an_account_is_held_and_released(folder: Path) -> None:
    where = ("--folder", str(folder))
    genmedia("hold", "--release", "flora/studio", *where)  # a charge above the price has held it
    genmedia("hold", "flora/studio", "--reason", "the key leaked", *where)
    (held,) = json.loads(genmedia("hold", "--json", *where).stdout)
    assert (held["account"], held["reason"]) == (ACCOUNT, "the key leaked")
    assert genmedia("hold", "--release", "flora/studio", *where).returncode == 0
    assert genmedia("hold", "--release", "flora/studio", *where).returncode == 1
    assert genmedia("hold", *where).stdout == "no account is held\n"


def test_the_ledger_is_a_table_json_or_csv(folder: Path) -> None:
    where = ("--folder", str(folder))
    told = json.loads(genmedia("ledger", "--by", "client", "--json", *where).stdout)
    assert told["lines"][0] | {"group": "acme", "unit": "flora credits", "spent": 4, "overcharged": 1} == told["lines"][0]
    assert told["totals"][0]["counted"] == 4
    (line,) = csv.DictReader(genmedia("ledger", "--by", "campaign", "--csv", *where).stdout.splitlines())
    assert (line["campaign"], line["spent"]) == ("tea", "4.0")
    assert "flora credits" in genmedia("ledger", *where, COLUMNS="200").stdout
    assert json.loads(genmedia("ledger", "--until", "2000-01-01", "--json", *where).stdout)["lines"] == []


async def test_a_cost_that_nobody_tells_is_unknown_and_never_nothing(tmp_path: Path) -> None:
    async with Journal.lease(Place(str(tmp_path)).journal_url()) as journal:
        order = Order(Account("generio", "https://api.generio.ai"), "template optimize", {}, None, "credits")
        bought = await journal.intend(order, datetime.now(UTC))
        assert bought
        await journal.bind(bought, "flow-1")
    where = ("--folder", str(tmp_path))

    (line,) = json.loads(genmedia("ledger", "--json", *where).stdout)["totals"]
    (cells,) = csv.DictReader(genmedia("ledger", "--csv", *where).stdout.splitlines())
    (each,) = csv.DictReader(genmedia("ledger", "--each", "--csv", *where).stdout.splitlines())
    table = genmedia("ledger", *where, COLUMNS="200").stdout.splitlines()

    assert (line["spent"], line["unknown"], cells["spent"]) == (None, 1, "unknown")
    assert (each["price"], each["charged"], each["ended"]) == ("unknown", "unknown", "")
    assert table[-1].split()[:3] == ["total", "1", "unknown"]


async def test_each_purchase_has_a_line_with_what_a_claim_for_a_refund_needs(folder: Path) -> None:
    async with Journal.lease(Place(str(folder)).journal_url()) as journal:
        await journal.money.release(ACCOUNT)  # it was held for the charge above the price
        purpose = Purpose("\n=tea", "hero", labels={"client": "=1+1"})
        other = await journal.intend(replace(ORDER, take=2, purpose=purpose), datetime.now(UTC))
        assert other
        await journal.bind(other, "=job-2")
        await journal.note(other.id, "=job-2", "it gave nothing")
        await journal.fail(other.id, "=job-2", "@the brush broke")
        refused = await journal.intend(replace(ORDER, take=3), datetime.now(UTC))
        assert refused
        await journal.refuse(refused, "no credits")

    where = ("ledger", "--each", "--folder", str(folder))
    first, second = csv.DictReader(genmedia(*where, "--csv").stdout.splitlines(keepends=True))
    told = json.loads(genmedia(*where, "--json").stdout)
    shown = genmedia(*where, COLUMNS="200").stdout

    assert (first["provider"], first["account"], first["job"], first["submission"]) == ("flora", ACCOUNT, "job", ORDER.key)
    assert (first["take"], first["campaign"], first["labels"], first["state"]) == ("1", "tea", "client=acme", "bound")
    assert (first["price"], first["charged"], first["unit"], first["ended"]) == ("3.0", "4.0", "credits", "")
    assert first["asked"] <= first["bought"] <= second["ended"]
    assert (second["job"], second["campaign"], second["reason"]) == ("'=job-2", "'\n'=tea", "'@the brush broke")
    assert (second["take"], second["step"], second["state"], second["last_answer"]) == ("2", "hero", "failed", "it gave nothing")
    assert [one["job"] for one in told] == ["job", "=job-2"]
    assert "=job-2" in shown
    assert json.loads(genmedia(*where, "--json", "--until", "2000-01-01").stdout) == []


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


@dataclass(frozen=True)
class Saving(Where):
    """A store whose accounts are these, and not those of a Prefect server."""

    saved: tuple[Saved, ...] = ()

    async def accounts(self) -> list[Saved]:
        """These."""
        return [*self.saved]


def checked(folder: Path, account: dict[str, Any], keys: dict[str, str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """How `ledger --check` ends, and what it says, where blocks with these keys are saved for one account."""
    kind: Any = GenovaCredentials
    known = {"base_url": account["base_url"], "account": account["account"]}
    saved = [Saved("genova", name, kind(api_key=key, **known)) for name, key in keys.items()]
    code = check_ledger(Saving("", folder, None, tuple(saved)), as_json=True, console=Console())
    return code, json.loads(capsys.readouterr().out)


def test_what_is_gone_and_nobody_bought_is_told_once_of_an_account_that_several_blocks_hold(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    account = sandbox.new_account("genova", credits=50)
    keys = {"default": account["api_key"], "sandbox": account["api_key"]}

    code, (first,) = checked(tmp_path, account, keys, capsys)
    assert (code, first["balance"], "gone" in first) == (0, 50, False)
    asked = sum(line["count"] for line in sandbox.requests(account))
    sandbox.control("POST", "/accounts", {"provider": "genova", "account": account["account"], "credits": 47})
    code, (second,) = checked(tmp_path, account, keys, capsys)

    assert (code, second["gone"], second["unexplained"]) == (1, 3, 3)
    assert sum(line["count"] for line in sandbox.requests(account)) == 2 * asked


def test_the_balances_of_two_customers_under_one_accounts_name_are_not_compared(
    tmp_path: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = sandbox.new_account("genova", credits=50), sandbox.new_account("genova", credits=20)

    code, (told,) = checked(tmp_path, mine, {"default": mine["api_key"], "other": other["api_key"]}, capsys)

    assert code == 3
    assert "default and other of genova are one account" in told["error"]
