"""Each flow test pays with an account of its own and stores in a folder of its own."""

from pathlib import Path

import pytest

from tests.flows.studio import Studio
from tests.sandboxes import Sandbox


@pytest.fixture
async def studio(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up with 1000 credits and the assets API; the working directory is the project's folder."""
    monkeypatch.chdir(Path(__file__).parents[2])
    account = sandbox.new_account(credits=1000, settings={"advance": "looks"}, switches={"assets": True})
    studio = Studio(sandbox, account, tmp_path)
    await studio.save_blocks()
    return studio
