"""The commands a newcomer types, as they are typed."""

import re
from pathlib import Path

import pytest

from tests.checkouts import make_checkout
from tests.commands import genmedia_anew
from tests.sandboxes import Sandbox


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project folder of the test's own, with the rooms of this one."""
    return make_checkout(tmp_path)


def test_the_demo_buys_once_shows_what_it_made_and_buys_nothing_the_second_time(
    checkout: Path, sandbox: Sandbox, prefect: str
) -> None:
    accounts = [
        sandbox.new_account(credits=100, switches={"assets": True}),
        sandbox.new_account("genova", plan="Pro"),
        sandbox.new_account("algovera"),
        sandbox.new_account("generio"),
    ]
    payer = {"PREFECT_API_URL": prefect, "GENOVA_PLAN": "Pro"}
    for account in accounts:
        name = account["provider"].upper()
        payer |= {f"{name}_API_KEY": account["api_key"], f"{name}_BASE_URL": account["base_url"]}

    first = genmedia_anew("demo", "--live", cwd=checkout, **payer)
    second = genmedia_anew("demo", "--live", cwd=checkout, **payer)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "15 bought; charged: algovera 4 credits, flora 41 credits, genova 2 credits; generio unknown" in first.stdout
    assert "motion: stored" in first.stdout
    assert "nothing was bought" in second.stdout
    assert [len(sandbox.jobs(account)) for account in accounts] == [7, 2, 4, 2]
    pictures = {job["request"]["inputs"][0].get("value", "") for job in sandbox.jobs(accounts[0])}
    assert len(pictures) == 5  # two pictures feed two techniques each; the poster begins with Genova's picture
    gallery = re.search(r"Gallery +file://(\S+)", first.stdout)
    assert gallery is not None
    assert Path(gallery[1]).is_file()
    for account in accounts:
        assert account["api_key"] not in first.stdout + first.stderr + second.stdout + second.stderr


def test_a_demo_that_fails_says_which_step_and_why(checkout: Path, sandbox: Sandbox, prefect: str) -> None:
    account = sandbox.new_account(credits=100, switches={"assets": True})
    sandbox.fault(account, "fail", error_code="safety_blocked", message="not this one")
    payer = {"FLORA_API_KEY": account["api_key"], "FLORA_BASE_URL": account["base_url"], "PREFECT_API_URL": prefect}

    done = genmedia_anew("demo", "--live", cwd=checkout, **payer)

    assert done.returncode == 1
    assert "relight: the job failed: safety_blocked - not this one" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
