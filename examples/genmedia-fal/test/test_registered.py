"""The provider is known where its package is installed, and unknown where it is not: by the entry point alone."""

import json
import os
import subprocess
import sys

import httpx
import pytest

PROGRAM = """
import json
from genmedia.campaign.steps import Campaign
from genmedia.providers.registry import providers
from blocks import CREDENTIALS
from genmedia.campaign.forms.accounts import Accounts
schema = json.dumps(Campaign.model_json_schema())
blocks = [kind.provider for kind in CREDENTIALS]
print(json.dumps([list(providers()), blocks, "fal-ai/flux/dev" in schema, list(Accounts.model_fields)]))
"""


@pytest.mark.parametrize("installed", [True, False])
def test_the_form_of_campaigns_the_blocks_and_the_sandbox_have_it_where_it_is_installed(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not installed:
        monkeypatch.delenv("PYTHONPATH")
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=os.environ)
    # A new process, as the one above: what the copies of tests are made of has read the installed packages already.
    with subprocess.Popen(
        [sys.executable, "-m", "genmedia", "sandbox", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().removeprefix("sandbox ready: ").strip()
            served = httpx.get(f"{address}/sandbox").json()["providers"]
        finally:
            process.terminate()

    assert said.returncode == 0, said.stderr
    known, blocks, in_form, payers = json.loads(said.stdout)
    assert ["fal" in known, "fal" in blocks, in_form, "fal" in payers, "fal" in served] == [installed] * 5
    assert {"algovera", "flora", "generio", "genova"} <= set(known) & set(blocks) & set(payers) & set(served)
