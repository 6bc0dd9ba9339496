"""`genmedia run --without-prefect`: a flow in one process, against the sandbox, with no Prefect server to be asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands import genmedia
from tests.sandboxes import Sandbox

NO_SERVER = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}


@pytest.fixture
def keys(sandbox: Sandbox) -> dict[str, str]:
    """Accounts of the sandbox as the environment names them."""
    accounts = [sandbox.new_account(provider) for provider in ("genova", "generio")]
    return {
        f"{one['provider']}_{value}".upper(): one[value]
        for one in accounts
        for value in ("api_key", "base_url", "plan")
        if one.get(value)
    }


def run(*words: str, **environment: str) -> Any:
    return genmedia("run", *words, "--without-prefect", COLUMNS="200", **NO_SERVER, **environment)


def test_a_batch_is_bought_stored_told_and_not_bought_again(keys: dict[str, str], tmp_path: Path) -> None:
    words = ("image-batch", "--name", "kites", "--prompts", "a red kite", "--copies", "2", "--folder", str(tmp_path))

    first, second = run(*words, **keys), run(*words, **keys)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "2 bought; charged: genova 2 credits." in first.stdout
    assert "nothing was bought; everything is in the store already." in second.stdout
    assert f"Store    {tmp_path}" in first.stdout
    assert "Prefect" not in first.stdout
    told = json.loads((tmp_path / "kites" / "a-red-kite-2" / "result.png.json").read_text())
    assert (told["campaign"], told["step"]) == ("kites", "a-red-kite-2")
    assert (tmp_path / "index.html").exists()


def test_an_account_of_the_sandbox_pays_and_each_template_is_fed_with_the_model_before(sandbox: Sandbox, tmp_path: Path) -> None:
    steps = json.dumps(
        [
            {"template": "model_generate_fromprompt", "parameters": {"quality": "low"}},
            {"template": "model_optimize", "parameters": {"polygon_count": 300}},
        ]
    )

    done = run(
        *("template-run", "--name", "cups", "--inputs", '[{"text": "A red cup"}]', "--steps", steps),
        *("--account", "without-prefect", "--sandbox", sandbox.url, "--folder", str(tmp_path)),
    )

    assert done.returncode == 0, done.stderr
    assert "2 bought" in done.stdout


def test_what_fails_is_partial(sandbox: Sandbox, tmp_path: Path) -> None:
    account = sandbox.new_account("genova")
    sandbox.fault(account, "capture_failure")
    keys = {"GENOVA_API_KEY": account["api_key"], "GENOVA_BASE_URL": account["base_url"]}

    done = run("image-batch", "--name", "kites", "--prompts", "a red kite", "--folder", str(tmp_path), **keys)

    assert done.returncode == 1
    assert "Partial in " in done.stdout
    assert "failed to capture result from page" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ("image-batch", "--name", "k", "--prompts", "x", "--models", "imagen4", "--quality", "1K"),
            2,
            "model imagen4, quality: ",
        ),
        (
            ("image-batch", "--name", "k", "--prompts", "x", "--max-credits", "0"),
            2,
            "would cost 1 credit, more than the 0 allowed",
        ),
        (("variations",), 2, "nobody pays at algovera: there is no ALGOVERA_API_KEY"),
        (("variations", "--sandbox", "http://127.0.0.1:9"), 3, "no sandbox answers at http://127.0.0.1:9"),
        (("variations", "--sandbox", "http://127.0.0.1:9", "--account", "No Pe"), 2, "no account can be called 'No Pe'"),
        (("variations", "--sandbox", "sandbox"), 3, "and write the address that it prints, such as http://127.0.0.1:4280"),
        (("harvest",), 2, "buys nothing, and needs Prefect"),
    ],
)
def test_what_cannot_be_run_so_is_refused_with_the_same_words_and_exit_codes(
    keys: dict[str, str], tmp_path: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = run(*words, "--folder", str(tmp_path), **keys)

    assert done.returncode == code, done.stdout
    assert told in done.stderr
    assert "Nothing was bought." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "manifest.csv").exists()


def test_a_key_of_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    done = run("variations", "--folder", str(tmp_path), ALGOVERA_API_KEY="key\udcff")

    assert done.returncode == 3, done.stderr
    assert "has a space, a line break or a foreign letter in it. Nothing was bought." in done.stderr


def test_where_files_go_is_not_said_to_a_run_of_prefect(tmp_path: Path) -> None:
    done = genmedia("run", "variations", "--folder", str(tmp_path), **NO_SERVER)

    assert done.returncode == 2
    assert "--sandbox and --folder are for --without-prefect" in done.stderr
