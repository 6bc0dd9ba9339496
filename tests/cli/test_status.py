"""`genmedia status`: how campaigns stand, by the journal alone."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from flows.image_batch import image_batch
from genmedia.concurrency import end_task
from tests.commands import genmedia
from tests.sandboxes import Sandbox
from tests.studio import Studio, run_directly


@pytest.fixture
def studio(sandbox: Sandbox, tmp_path: Path) -> Studio:
    return Studio(sandbox, sandbox.new_account("genova", plan="Pro"), tmp_path)


async def buy(studio: Studio, name: str, *prompts: str) -> None:
    """Buy a picture of each prompt."""
    parameters = {"name": name, "prompts": list(prompts), **studio.parameters}
    await run_directly(image_batch, parameters, studio.store, lambda _provider, _name: studio.credentials)


def status(studio: Studio, *words: str) -> Any:
    return genmedia("status", *words, "--folder", str(studio.root), COLUMNS="200", PREFECT_API_URL="http://127.0.0.1:9/api")


async def test_a_campaign_is_told_with_what_is_stored_what_failed_and_what_it_cost(studio: Studio) -> None:
    await buy(studio, "cups", "a red cup", "a blue cup")
    studio.sandbox.fault(studio.account, "capture_failure")
    await buy(studio, "jugs", "a red jug")
    asked = studio.sandbox.requests(studio.account)

    cups, jugs, both = status(studio, "cups"), status(studio, "jugs"), status(studio)

    assert (cups.returncode, jugs.returncode, both.returncode) == (0, 1, 1)
    assert "2 items: 2 stored; charged: genova 2 credits" in cups.stdout
    assert "a-red-jug" in jugs.stdout
    assert "failed" in jugs.stdout
    assert "failed to capture result from page" in jugs.stdout
    assert [line.split()[:2] for line in both.stdout.splitlines()[1:]] == [["cups", "2"], ["jugs", "1"]]
    assert studio.sandbox.requests(studio.account) == asked, "a provider was asked"


async def test_what_runs_is_told_with_its_reserved_cost_and_another_campaign_with_those_that_are_known(studio: Studio) -> None:
    studio.sandbox.control(
        "POST",
        "/accounts",
        {"provider": "genova", "account": studio.name, "settings": {"queue": [0, 0], "run": [100_000, 100_000]}},
    )
    buying = asyncio.create_task(buy(studio, "cups", "a red cup"))
    while not studio.has_bound:
        await asyncio.sleep(0.05)

    told, unknown = status(studio, "cups", "--json"), status(studio, "jugs")
    await end_task(buying)

    (item,) = json.loads(told.stdout)
    assert (item["step"], item["reserved"], item["charged"]) == ("a-red-cup", 1, None)
    assert item["state"] in ("running", "waiting")
    assert told.returncode == 0
    assert unknown.returncode == 2
    assert "the journal knows no campaign jugs" in unknown.stderr


def test_a_journal_without_campaigns_says_so(studio: Studio) -> None:
    done = status(studio)

    assert done.returncode == 0
    assert "The journal knows no campaign." in done.stdout


async def test_what_was_paid_for_attempts_that_failed_is_counted(studio: Studio) -> None:
    studio.sandbox.fault(studio.account, "capture_failure")
    await buy(studio, "cups", "a red cup")
    await buy(studio, "cups", "a red cup")

    told = status(studio, "cups")

    ledger = genmedia("ledger", "--json", "--folder", str(studio.root), PREFECT_API_URL="http://127.0.0.1:9/api")
    (total,) = json.loads(ledger.stdout)["totals"]
    assert f"1 item: 1 stored; charged: genova {total['spent']:g} credits" in told.stdout
    assert total["spent"] == 2
