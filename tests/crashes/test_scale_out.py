"""Over three workers on PostgreSQL, Redis and S3, one is killed and one is restarted: everything is stored, and bought once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from benchmarks.scale_out import run_trial, scaled_out
from deployments.bootstrap import PROJECT
from deployments.engines.installed import missing_packages
from tests.conftest import do_without

ITEMS = 100


@pytest.mark.timeout(900)
async def test_items_are_stored_and_bought_once_though_one_worker_of_three_is_killed_and_one_restarted() -> None:
    if packages := missing_packages():
        do_without(f"servers are not installed (Debian: {packages})")

    with (
        scaled_out("--size", "128", "--clock-scale", "2", "--recovery", "15") as one,
        temporary_settings({PREFECT_API_URL: one.api, PREFECT_API_AUTH_STRING: one.told["Password"]}),
    ):
        trial = await run_trial(one, ITEMS, run_seconds=10, clock_scale=2)

    assert trial.faults == []
    assert trial.starts > sum(trial.parts.values())  # so that a part was really cut off
    assert (one.process.returncode, Path(one.told["Logs"]).exists()) == (0, False)


def test_what_is_not_installed_is_told_before_anything_is_started() -> None:
    command = [sys.executable, str(PROJECT / "deployments" / "scale-out" / "start.py")]
    done = subprocess.run(
        command, check=False, env={**os.environ, "PATH": "/nonexistent"}, capture_output=True, text=True, timeout=120
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "redis-server ceph-mon ceph-osd radosgw ceph-common" in done.stderr
    assert "Traceback" not in done.stderr
