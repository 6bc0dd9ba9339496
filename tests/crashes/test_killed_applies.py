"""Applies of a campaign with a review and a delivery, killed at random moments: nothing is bought twice or lost, and deliveries are whole."""

import random
from pathlib import Path

import pytest

from benchmarks.soak_apply import Soak
from tests.sandboxes import running_sandbox


@pytest.mark.timeout(600)
async def test_an_apply_that_is_killed_again_and_again_buys_once_and_delivers_whole(tmp_path: Path) -> None:
    with running_sandbox('{"clock_scale": 50, "size": 128}') as sandbox:
        soak = Soak(sandbox, tmp_path, random.Random(7))
        await soak.go_on(4)

    assert soak.faults == []
    assert soak.kills >= 4
