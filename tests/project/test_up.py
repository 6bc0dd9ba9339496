"""`make up` on a machine with nothing running: servers, deployments and a worker that really runs one."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.project.checkouts import make_checkout


def wait_for(what: str, seconds: float, found: Any) -> Any:
    end = monotonic() + seconds
    while monotonic() < end:
        if value := found():
            return value
        sleep(0.2)
    pytest.fail(f"{what} did not come within {seconds} s")


def final_state(api: str, run_id: str) -> dict[str, Any] | None:
    state = httpx.get(f"{api}/flow_runs/{run_id}").json()["state"]
    return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None


@pytest.mark.timeout(300)
def test_up_offers_the_deployments_runs_them_and_leaves_nothing_behind(tmp_path: Path) -> None:
    checkout, log = make_checkout(tmp_path / "checkout"), tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genmedia", "up"], cwd=checkout, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_for("the worker", 120, lambda: b"started!" in log.read_bytes() or process.poll() is not None)
        addresses = dict(line.split()[:2] for line in log.read_text().splitlines() if line.startswith("  "))
        assert "Prefect" in addresses, log.read_text()
        api = f"{addresses['Prefect']}/api"
        deployments = {one["name"]: one for one in httpx.post(f"{api}/deployments/filter", json={}).json()}
        deployment = deployments["coffee"]
        run = httpx.post(f"{api}/deployments/{deployment['id']}/create_flow_run", json={}).json()
        ended = wait_for("the end of the run", 120, lambda: final_state(api, run["id"]))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)

    assert set(deployments) == {"coffee", "still-life", "poster", "teaser"}
    assert ended["type"] == "COMPLETED", ended["message"]
    assert ended["message"] == "5 bought; 32 credits charged"
    assert (checkout / "media" / "index.html").is_file()
    assert process.returncode == 0
    for name in ("Prefect", "Sandbox"):
        with pytest.raises(httpx.ConnectError):
            httpx.get(addresses[name])
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
