"""`genmedia providers`: what accounts offer, and what is said of those that cannot be asked."""

from pathlib import Path

from tests.commands import genmedia
from tests.sandboxes import Sandbox


async def test_what_cannot_be_reached_or_is_refused_is_a_line_beside_the_others(
    sandbox: Sandbox, bare_prefect: str, tmp_path: Path
) -> None:
    account = sandbox.new_account("genova", plan="Pro")
    saved = {
        "GENMEDIA_STORE": str(tmp_path),
        "GENOVA_API_KEY": account["api_key"],
        "GENOVA_BASE_URL": account["base_url"],
        "FLORA_API_KEY": "sk_live_planted",
        "FLORA_BASE_URL": f"{sandbox.url}/flora",
        "ALGOVERA_API_KEY": "planted",
        "ALGOVERA_BASE_URL": "http://127.0.0.1:9",
        "PREFECT_API_URL": bare_prefect,
    }
    assert genmedia("setup", "--force", **saved).returncode == 3

    done = genmedia("providers", PREFECT_API_URL=bare_prefect, COLUMNS="160")

    assert done.returncode == 3
    assert "nano_banana2" in done.stdout
    assert "401 invalid_api_key" in done.stdout
    assert "the block default is of a sandbox at http://127.0.0.1:9, which does not run now. `make up` starts it." in done.stdout
    assert "planted" not in done.stdout + done.stderr
    assert account["api_key"] not in done.stdout + done.stderr


def test_without_accounts_it_says_how_to_save_one(bare_prefect: str) -> None:
    done = genmedia("providers", PREFECT_API_URL=bare_prefect)

    assert done.returncode == 2
    assert "genmedia setup" in done.stderr
