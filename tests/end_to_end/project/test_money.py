"""The commands about money, as they are typed; with a folder they need neither Prefect nor a project."""

import json
from pathlib import Path

from tests.commands import genmedia, python_module
from tests.sandboxes import Sandbox


def test_what_is_set_for_an_account_holds_whichever_saved_store_it_buys_for(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    account = sandbox.new_account("genova")
    key = {"PREFECT_API_URL": bare_prefect, "GENOVA_API_KEY": account["api_key"], "GENOVA_BASE_URL": account["base_url"]}
    for name in ("default", "second", "third"):  # the third has the second's place
        genmedia("setup", "--name", name, GENMEDIA_STORE=str(tmp_path / ("second" if name == "third" else name)), **key)
    whose = f"genova|{sandbox.url}|default"

    held = genmedia("hold", "genova/default", "--reason", "the key leaked", PREFECT_API_URL=bare_prefect)
    capped = genmedia("caps", "set", "genova/default", "--day", "5", PREFECT_API_URL=bare_prefect)

    assert (held.returncode, capped.returncode) == (0, 0), held.stderr + capped.stderr
    told = "genova/default is held: it spends nothing until it is released, in the journal of"
    assert held.stdout.splitlines() == [f"{told} default", f"{told} second, third"]
    assert "genova/default: day 5, in the journal of second, third" in capped.stdout
    for name in ("default", "second"):
        where = ("--folder", str(tmp_path / name))
        assert [one["reason"] for one in json.loads(genmedia("hold", "--json", *where).stdout)] == ["the key leaked"]
        assert json.loads(genmedia("caps", "--json", *where).stdout) == {whose: {"day": 5}}

    assert genmedia("hold", "--release", whose, "--store", "second", PREFECT_API_URL=bare_prefect).returncode == 0
    listed = genmedia("hold", "--json", PREFECT_API_URL=bare_prefect)
    assert [one["account"] for one in json.loads(listed.stdout)] == [whose]
    assert "The holds differ between the journals of default and second, third" in listed.stderr


def test_an_account_that_several_blocks_pay_with_is_named_by_any_of_them(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    account = sandbox.new_account("genova")
    key = {"PREFECT_API_URL": bare_prefect, "GENOVA_API_KEY": account["api_key"], "GENOVA_BASE_URL": account["base_url"]}
    # It saves the account twice, as default and as sandbox.
    python_module("deployments.bootstrap", GENMEDIA_STORE=str(tmp_path), GENMEDIA_SANDBOX="1", **key)
    genmedia("setup", "--name", "demo", GENMEDIA_STORE=str(tmp_path), **key)
    for name in ("genova", "genova/default", "genova/sandbox"):
        assert genmedia("caps", "set", name, "--day", "5", PREFECT_API_URL=bare_prefect).stdout.startswith(
            "genova/default: day 5"
        )


def test_a_journal_that_cannot_be_reached_does_not_keep_an_account_from_being_held_in_the_others(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    account = sandbox.new_account("genova")
    key = {"PREFECT_API_URL": bare_prefect, "GENOVA_API_KEY": account["api_key"], "GENOVA_BASE_URL": account["base_url"]}
    genmedia("setup", GENMEDIA_STORE=str(tmp_path), **key)
    genmedia("setup", "--name", "bucket", GENMEDIA_STORE="s3://bucket/media", **key)

    held = genmedia("hold", "genova/default", PREFECT_API_URL=bare_prefect)

    assert held.returncode == 3
    assert "genova/default is held" in held.stdout
    assert "NOT DONE in the journal of bucket: the store is s3://bucket/media, and nothing says where the journal" in held.stderr
    assert json.loads(genmedia("hold", "--json", "--folder", str(tmp_path)).stdout)
