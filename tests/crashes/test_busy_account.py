"""Processes that share one account, and nothing else, wait for its limits: every wish is bought once and comes home."""

import asyncio
from pathlib import Path

import pytest

from tests.crashes.scenes import Scene, ended
from tests.sandboxes import Sandbox


@pytest.mark.parametrize(("plan", "pictures"), [("Free", 12), ("Pro", 40)])
async def test_two_processes_on_one_account_lose_no_picture_to_its_limits(
    sandbox: Sandbox, tmp_path: Path, plan: str, pictures: int
) -> None:
    # A job is open until it was looked at a few times: however slow the machine is, both processes have jobs open at once.
    account = sandbox.new_account("genova", plan=plan, credits=100, settings={"advance": "looks", "looks": [0, 2]})
    scenes = [Scene(sandbox, tmp_path / name) for name in ("one", "two")]  # a store and a journal each
    for number in range(pictures):
        scenes[number % 2].add(account, wish=f"A red cup, number {number}")

    codes = await asyncio.gather(*(ended(scene.start()) for scene in scenes))

    assert codes == [0, 0]
    refused = [line["count"] for line in sandbox.requests(account) if line["status"] == 429]
    assert sum(refused) > 0, "the limits were never met"
    assert len(sandbox.jobs(account)) == pictures
    assert [await scene.faults() for scene in scenes] == [[], []]
