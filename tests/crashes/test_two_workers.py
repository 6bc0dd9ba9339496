"""Two workers on one journal want the same, and one is killed: the other brings everything home, and nothing is bought twice."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.crashes.errands import DEATHS, GENERIO_DEATHS
from tests.crashes.scenes import BY_LOOKS, KILLED, Scene, ended
from tests.databases import Postgres
from tests.sandboxes import Sandbox

LEASE_SECONDS = 4.0
"""For so long what a dead worker had begun is left alone."""


@pytest.mark.parametrize("round_", range(3))
async def test_what_a_killed_worker_had_begun_is_brought_home_by_the_other(
    sandbox: Sandbox, postgres: Postgres, tmp_path: Path, round_: int
) -> None:
    death = random.choice([death for death in DEATHS if death not in GENERIO_DEATHS])  # only where each of the six comes by
    scene = Scene(sandbox, tmp_path, postgres.journal())
    for provider, wishes in (("algovera", 1), ("flora", 1), ("flora", 1), ("generio", 1), ("genova", 2)):
        account = sandbox.new_account(provider, settings=BY_LOOKS)
        for _ in range(wishes):
            scene.add(account)

    killed = scene.start(death=death, lease=LEASE_SECONDS)
    while killed.is_alive() and not all(sandbox.requests(errand.account) for errand in scene.errands):
        await asyncio.sleep(0.01)  # so that it is at its work before the other comes
    survivor = scene.start(lease=LEASE_SECONDS)
    codes = await ended(killed), await ended(survivor)

    assert (*codes, await scene.faults(("algovera",))) == (KILLED, 0, []), death
