"""`genmedia setup`: keys are saved once the provider takes them, and a good one is not lost to a wrong one."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import PROJECT, genmedia, python_module
from tests.end_to_end.project.terminals import terminal
from tests.sandboxes import Sandbox

NO_KEYS = {f"{provider}_API_KEY": "" for provider in ("ALGOVERA", "FLORA", "GENERIO", "GENOVA")}


def payer(account: dict[str, Any], **changes: str) -> dict[str, str]:
    """An account as environment variables."""
    prefix = account["provider"].upper()
    values = {"API_KEY": account["api_key"], "BASE_URL": account["base_url"], **changes}
    return NO_KEYS | {f"{prefix}_{name}": value for name, value in values.items()}


def saved(api: str, slug: str) -> dict[str, Any]:
    """What is saved in the only block of a type."""
    (data,) = saved_by_name(api, slug).values()
    return data


def saved_by_name(api: str, slug: str) -> dict[str, dict[str, Any]]:
    """What is saved in each block of a type."""
    wish = {"block_types": {"slug": {"any_": [slug]}}, "include_secrets": True}
    blocks = httpx.post(f"{api}/block_documents/filter", json=wish).raise_for_status().json()
    return {block["name"]: block["data"] for block in blocks}


def change(api: str, slug: str, **values: Any) -> None:
    """Change a saved block as a person does in the Prefect UI."""
    wish = {"block_types": {"slug": {"any_": [slug]}}}
    (block,) = httpx.post(f"{api}/block_documents/filter", json=wish).raise_for_status().json()
    patch = {"data": values, "merge_existing_data": True}
    httpx.patch(f"{api}/block_documents/{block['id']}", json=patch).raise_for_status()


def test_a_wrong_key_is_not_saved_over_a_good_one_unless_forced(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    account = sandbox.new_account()
    environment = {"PREFECT_API_URL": bare_prefect, "GENMEDIA_STORE": str(tmp_path)}

    good = genmedia("setup", **environment, **payer(account))
    wrong = genmedia("setup", **environment, **payer(account, API_KEY="sk_live_planted"))
    kept = saved(bare_prefect, "flora-credentials")["api_key"]
    forced = genmedia("setup", "--force", **environment, **payer(account, API_KEY="sk_live_planted"))

    assert (good.returncode, wrong.returncode, forced.returncode) == (0, 3, 3), good.stdout + good.stderr
    assert "flora     ready, saved" in good.stdout
    assert "genova    no key: set GENOVA_API_KEY" in good.stdout
    assert "flora     NOT READY, not saved" in wrong.stdout
    assert "401" in wrong.stdout
    assert kept == account["api_key"]
    assert saved(bare_prefect, "flora-credentials")["api_key"] == "sk_live_planted"
    for done in (good, wrong, forced):
        assert account["api_key"] not in done.stdout + done.stderr
        assert "planted" not in done.stdout + done.stderr


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_key_that_no_request_can_carry_is_never_saved_nor_advised(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path, force: tuple[str, ...]
) -> None:
    account = sandbox.new_account()
    environment = {"PREFECT_API_URL": bare_prefect, "GENMEDIA_STORE": str(tmp_path)}
    genmedia("setup", **environment, **payer(account))

    for key in ("sk_live_plänted", "sk_live_\nplanted"):
        done = genmedia("setup", *force, **environment, **payer(account, API_KEY=key))

        assert done.returncode == 3
        assert "flora     NOT READY, not saved: " in done.stdout
        assert "--force" not in done.stdout
        assert saved(bare_prefect, "flora-credentials")["api_key"] == account["api_key"]


@pytest.mark.parametrize("root", ["file", "file/store"])
def test_a_store_that_cannot_be_written_is_told_and_fails(sandbox: Sandbox, bare_prefect: str, tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")

    done = genmedia("setup", PREFECT_API_URL=bare_prefect, GENMEDIA_STORE=str(tmp_path / root), **payer(sandbox.new_account()))

    assert done.returncode == 1
    assert "flora     ready, saved" in done.stdout
    assert f"store     NOT READY: {tmp_path / root} cannot be written: Not a directory. Name another place" in done.stdout


def test_a_new_key_leaves_the_accounts_name_its_settings_and_the_store_as_they_are(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    account = sandbox.new_account("generio")
    genmedia("setup", PREFECT_API_URL=bare_prefect, GENMEDIA_STORE=str(tmp_path), **payer(account))
    change(bare_prefect, "generio-credentials", account="studio", price=4)
    change(bare_prefect, "asset-store", max_asset_mb=7)
    sandbox.control("POST", "/accounts", {"provider": "generio", "account": account["account"], "api_key": "gn_rotated"})

    done = genmedia("setup", PREFECT_API_URL=bare_prefect, **payer(account, API_KEY="gn_rotated"))

    assert done.returncode == 0, done.stdout + done.stderr
    block = saved(bare_prefect, "generio-credentials")
    assert (block["api_key"], block["account"], block["price"]) == ("gn_rotated", "studio", 4)
    known = saved(bare_prefect, "asset-store")
    assert (known["root"], known["max_asset_mb"]) == (str(tmp_path), 7)


def test_the_keys_of_a_sandbox_make_every_provider_ready(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    name = sandbox.new_account()["account"]

    done = genmedia(
        "setup", "--sandbox", sandbox.url, "--name", name, PREFECT_API_URL=bare_prefect, GENMEDIA_STORE=str(tmp_path), **NO_KEYS
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == [*["ready,"] * 4, "ready"]
    assert saved(bare_prefect, "genova-credentials")["base_url"] == f"{sandbox.url}/genova"


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_the_keys_of_a_sandbox_go_over_no_key_that_a_person_saved(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path, force: tuple[str, ...]
) -> None:
    own = sandbox.new_account()
    environment = {"PREFECT_API_URL": bare_prefect, "GENMEDIA_STORE": str(tmp_path), **payer(own)}
    genmedia("setup", **environment)

    over = genmedia("setup", "--sandbox", sandbox.url, *force, **environment)
    left = saved(bare_prefect, "flora-credentials")
    beside = genmedia("setup", "--sandbox", sandbox.url, "--name", "sandbox", **environment)
    again = genmedia("setup", "--sandbox", sandbox.url, "--name", "sandbox", **environment)

    assert (over.returncode, beside.returncode, again.returncode) == (2, 0, 0), over.stdout + over.stderr + beside.stderr
    assert "the block default holds a key of yours for flora, and the sandbox's go over none" in over.stderr
    assert "genmedia setup --sandbox ADDRESS --name sandbox" in over.stderr
    assert own["api_key"] not in over.stdout + over.stderr
    assert left["api_key"] == own["api_key"]
    blocks = saved_by_name(bare_prefect, "flora-credentials")
    assert blocks["default"] == left
    assert (blocks["sandbox"]["api_key"], blocks["sandbox"]["account"]) == ("sk_live_sandbox", "default")


def test_on_a_terminal_keys_are_asked_for_and_not_shown(sandbox: Sandbox, bare_prefect: str, tmp_path: Path) -> None:
    account = sandbox.new_account("genova", plan="Pro")
    environment = payer(account, API_KEY="") | {"PREFECT_API_URL": bare_prefect, "GENMEDIA_STORE": str(tmp_path)}

    with terminal("setup", cwd=PROJECT, **environment) as screen:
        for provider, key in (("Algovera", ""), ("Flora", ""), ("Generio", ""), ("Genova", account["api_key"])):
            screen.read_until(f"{provider} API key")
            screen.type(f"{key}\n")
        code = screen.end()

    assert code == 0, screen.shown
    assert "genova    ready, saved" in screen.shown
    assert account["api_key"] not in screen.shown
    assert saved(bare_prefect, "genova-credentials")["api_key"] == account["api_key"]


def test_without_a_key_and_a_terminal_it_says_what_to_set(bare_prefect: str, tmp_path: Path) -> None:
    done = genmedia("setup", PREFECT_API_URL=bare_prefect, GENMEDIA_STORE=str(tmp_path), **NO_KEYS)

    assert done.returncode == 2
    assert "set FLORA_API_KEY" in done.stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Spring Sale 2026", "has 'S'; it can have small letters from a to z, digits and dashes: spring-sale-2026 would do"),
        ("Frühling", "fruehling would do"),
        ("a_b", "has '_'"),
        ("", "is empty"),
        ("a" * 61, "is longer than 60 characters"),
    ],
)
def test_a_name_that_no_block_can_have_is_told_in_words_before_anything_is_done(
    sandbox: Sandbox, bare_prefect: str, name: str, words: str
) -> None:
    done = genmedia("setup", "--name", name, "--sandbox", sandbox.url, PREFECT_API_URL=bare_prefect)
    also = python_module("deployments.bootstrap", PREFECT_API_URL=bare_prefect, GENMEDIA_BLOCKS=name or "-")

    for one in (done, also):
        assert one.returncode == 2
        assert "pattern" not in one.stderr
    assert words in done.stderr
    assert name not in [one["account"] for one in sandbox.control("GET", "/accounts")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"FLORA_BASE_URL": "http://app.flora.ai"}, "cannot be a base URL"),
        ({"GENOVA_API_KEY": "af_planted", "GENOVA_PLAN": "Gold"}, "plan"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_without_a_traceback(bare_prefect: str, given: dict[str, str], words: str) -> None:
    done = genmedia("setup", PREFECT_API_URL=bare_prefect, **(NO_KEYS | {"FLORA_API_KEY": "sk_live_planted"} | given))

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "planted" not in done.stdout + done.stderr
