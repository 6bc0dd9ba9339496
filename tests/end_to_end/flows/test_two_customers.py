"""Two saved blocks under one account's name, with the keys of two customers: a run with the one does not give up the other's job."""

from pathlib import Path
from typing import Any

import pytest

from blocks import AssetStore
from deployments.local_run import run_here
from flows.harvest import harvest
from flows.image_batch import image_batch
from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture
async def blocks(
    prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Studio, Studio, dict[str, Any]]:
    """Of the customer who buys, and of the other; and the run's parameters."""
    monkeypatch.chdir(Path(__file__).parents[3])
    mine, other = (Studio(sandbox, sandbox.new_account("genova", settings={"run": [20000, 20000]}), tmp_path) for _ in range(2))
    for studio in (mine, other):
        await studio.credentials.model_copy(update={"account": mine.name}).asave(studio.name)
    await AssetStore(root=str(tmp_path)).asave(mine.name)
    return mine, other, {"name": "mugs", "prompts": ["a mug"], "store": mine.name}


async def test_a_run_with_another_customers_key_says_whose_job_it_is_and_buys_nothing(
    blocks: tuple[Studio, Studio, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    mine, other, parameters = blocks
    bought = await run_here(image_batch, {**parameters, "account": mine.name, "run_minutes": 0.05, "queue_minutes": 1})

    ended = await run_here(image_batch, {**parameters, "account": other.name})

    assert "is still paid for" in bought.result[0].error
    assert f"which the credentials block {mine.name!r} held" in ended.result[0].error
    assert f"Pay with the block {mine.name!r}" in ended.result[0].error
    assert (len(mine.jobs), other.jobs) == (1, [])
    both = f"the credentials blocks {' and '.join(sorted((mine.name, other.name)))} of genova are one account, {mine.name}"
    assert both in caplog.text
    caplog.clear()
    mine.sandbox.control("POST", "/clock", {"advance": 20100})
    recovered = await run_here(harvest, {"store": mine.name})
    assert recovered.message.endswith("1 stored; genova 1 credit saved")
    assert both in caplog.text
