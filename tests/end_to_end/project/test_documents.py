"""What the documents tell people to type works as it stands there."""

from pathlib import Path

import pytest

from tests.checkouts import make_checkout
from tests.commands import python, python_module


def test_bootstrap_and_deploy_work_as_the_readme_says(bare_prefect: str, tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path)
    own_server = {
        "PREFECT_API_URL": bare_prefect,
        "FLORA_API_KEY": "sk_live_x",
        "GENMEDIA_BLOCKS": "readme",
        "PWD": str(checkout),
    }

    bootstrapped = python_module("deployments.bootstrap", cwd=checkout, **own_server)
    deployed = python("-m", "prefect", "--no-prompt", "deploy", "--all", cwd=checkout, **own_server)

    assert bootstrapped.returncode == 0, bootstrapped.stderr
    assert f"Asset Store block readme: {checkout / 'media'}" in bootstrapped.stdout
    assert "sk_live_x" not in bootstrapped.stdout
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr


@pytest.mark.parametrize("wrong", ["http://app.flora.ai", "flora"])
def test_bootstrap_tells_a_wrong_address_in_a_line(bare_prefect: str, wrong: str) -> None:
    done = python_module(
        "deployments.bootstrap",
        PREFECT_API_URL=bare_prefect,
        FLORA_API_KEY="sk_live_x",
        FLORA_BASE_URL=wrong,
        GENMEDIA_BLOCKS="wrong",
    )

    assert done.returncode == 2
    assert "cannot be a base URL" in done.stderr
    assert "Traceback" not in done.stderr
