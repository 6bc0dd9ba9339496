"""`make up` on a machine with nothing running: servers, deployments and a worker that really runs one."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
import yaml

from genmedia.cli.object_store import missing_programs
from tests.project.checkouts import PROJECT, genmedia, make_checkout


def wait_for(what: str, seconds: float, found: Any) -> Any:
    end = monotonic() + seconds
    while monotonic() < end:
        if value := found():
            return value
        sleep(0.2)
    pytest.fail(f"{what} did not come within {seconds} s")


def answered(method: str, url: str) -> Any:
    """What Prefect answers; None while its database is busy, as it may be with SQLite."""
    response = httpx.request(method, url, json=None if method == "GET" else {}, timeout=60)
    if response.status_code == 503:
        return None
    return response.raise_for_status().json()


def final_state(api: str, run_id: str) -> dict[str, Any] | None:
    run = answered("GET", f"{api}/flow_runs/{run_id}")
    state = run["state"] if run else {"type": "UNKNOWN"}
    return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None


@contextmanager
def up(checkout: Path, log: Path, *words: str) -> Generator[tuple[subprocess.Popen[bytes], dict[str, str]]]:
    """The command while it runs, and the addresses that it prints."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genmedia", "up", *words], cwd=checkout, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_for("the worker", 240, lambda: b"started!" in log.read_bytes() or process.poll() is not None)
        addresses = dict(line.split()[:2] for line in log.read_text().splitlines() if line.startswith("  "))
        assert "Prefect" in addresses, log.read_text()
        yield process, addresses
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.mark.timeout(900)
def test_up_offers_the_deployments_runs_them_and_leaves_nothing_behind(tmp_path: Path) -> None:
    checkout, log = make_checkout(tmp_path / "checkout"), tmp_path / "log"
    with up(checkout, log) as (process, addresses):
        api = f"{addresses['Prefect']}/api"
        listed = wait_for("the list of deployments", 60, lambda: answered("POST", f"{api}/deployments/filter"))
        deployments = {one["name"]: one for one in listed}
        order = f"{api}/deployments/{deployments['coffee']['id']}/create_flow_run"
        run = wait_for("the flow run", 60, lambda: answered("POST", order))
        ended = wait_for("the end of the run", 240, lambda: final_state(api, run["id"]))

    declared = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert set(deployments) == {one["name"] for one in declared}
    assert ended["type"] == "COMPLETED", ended["message"]
    assert ended["message"] == "5 bought; 32 credits charged"
    assert (checkout / "media" / "index.html").is_file()
    assert process.returncode == 0
    for name in ("Prefect", "Sandbox"):
        with pytest.raises(httpx.ConnectError):
            httpx.get(addresses[name])
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.skipif(bool(missing_programs()), reason="no S3 server is installed")
@pytest.mark.timeout(900)
def test_every_command_knows_the_bucket_of_up_and_the_next_up_has_the_folder_again(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    with up(checkout, tmp_path / "log", "--s3") as (_, addresses):
        api = f"{addresses['Prefect']}/api"
        ran = genmedia("run", "still-life", cwd=checkout, PREFECT_API_URL=api)
        listed = genmedia("manifest", cwd=checkout, PREFECT_API_URL=api)
        (path,) = [line.partition(",")[0] for line in listed.stdout.splitlines()[1:] if line.startswith("still-life/")]
        followed = genmedia("lineage", path, cwd=checkout, PREFECT_API_URL=api)
        drawn = genmedia("gallery", cwd=checkout, PREFECT_API_URL=api)
        known = genmedia("journal", "rebuild", cwd=checkout, PREFECT_API_URL=api)

    assert addresses["Media"] == "s3://genmedia/media"
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 bought" in ran.stdout
    assert path in followed.stdout
    assert drawn.stdout == "Gallery  s3://genmedia/media/index.html\n", drawn.stderr
    assert "0 added to the journal, 1 passed over" in known.stdout, known.stderr

    with up(checkout, tmp_path / "log") as (_, addresses):
        assert addresses["Media"] == str(checkout / "media")
