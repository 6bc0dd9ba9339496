"""`genmedia doctor` where there is no server, or no project."""

import json
import subprocess
import sys
from pathlib import Path

from tests.commands import genmedia


def examined(api: str, *words: str, **environment: str) -> tuple[int, list[dict[str, str]], str]:
    """The exit code, the findings, and all output."""
    done = genmedia("doctor", "--json", *words, PREFECT_API_URL=api, **environment)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


def of(findings: list[dict[str, str]], status: str) -> dict[str, str]:
    """What is said of the checks with this status."""
    return {one["check"]: f"{one['what']}. {one['advice']}" for one in findings if one["status"] == status}


def test_without_a_server_the_rest_is_told_all_the_same(tmp_path: Path) -> None:
    code, findings, _ = examined("", PREFECT_HOME=str(tmp_path))

    assert code == 1
    assert "genmedia up" in of(findings, "failure")["prefect"]
    assert {"genmedia", "media", "project", "store"} <= set(of(findings, "ok"))


def test_outside_a_project_it_says_what_to_clone(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "genmedia", "doctor"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Clone the genmedia repository" in done.stdout
