"""FLORA's own client for Node, run against the sandbox as FLORA is today."""

import io
import json
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import do_without
from tests.sandboxes import Sandbox, running_sandbox

PROJECT = Path(__file__).parents[2]
SDK = PROJECT / ".genmedia" / "sdks" / "node_modules" / "@flora-ai" / "flora"
"""Where `make sdks` puts it; the tests themselves fetch nothing."""
VERSION = "0.11.0"
PROGRAM = Path(__file__).with_name("flora_sdk.mjs")
PHOTO = PROJECT / "photos" / "coffee.jpg"


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with the client at hand."""
    program = shutil.which("node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout if program else "v0"
    if program is None or int(version.removeprefix("v").partition(".")[0]) < 18:
        do_without("no Node of version 18 or newer is installed (Debian: nodejs npm)")
    if not SDK.exists():
        do_without("FLORA's client for Node is not here; `make sdks` installs it")
    assert json.loads((SDK / "package.json").read_text())["version"] == VERSION
    return program


@pytest.fixture(scope="module")
def today() -> Generator[Sandbox]:
    with running_sandbox('{"clock_scale": 50, "size": 128, "profile": "today"}') as running:
        yield running


@pytest.mark.parametrize("signed_upload", ["form", "put"])
def test_floras_own_client_uploads_runs_and_lists_as_it_does_at_flora(
    today: Sandbox, node: str, tmp_path: Path, signed_upload: str
) -> None:
    account = today.new_account(switches={"signed_upload": signed_upload})
    large, wrong = tmp_path / "large.png", tmp_path / "wrong.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (1300, 1300, 3), dtype=np.uint8)).save(large)
    assert large.stat().st_size > 4 * 2**20
    wrong.write_text("not a picture")

    done = subprocess.run(
        [node, PROGRAM, SDK, f"{account['base_url']}/api/v1", account["api_key"], PHOTO, large, wrong, today.sample],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    saw: dict[str, Any] = json.loads(done.stdout)
    uploads = saw["uploads"]
    assert {name: one["status"] for name, one in uploads.items()} == {"path": "ready", "large": "ready", "link": "ready"}
    assert [one["uploaded_via"] for one in uploads.values()] == ["direct", "signed_url", "url"]
    assert [one["content_type"] for one in uploads.values()] == ["image/jpeg", "image/png", "image/jpeg"]
    assert httpx.get(uploads["path"]["url"]).content == PHOTO.read_bytes()
    assert httpx.get(uploads["large"]["url"]).content == large.read_bytes()
    assert httpx.get(uploads["link"]["url"]).content == httpx.get(today.sample).content

    (workspace,) = saw["workspaces"]
    assert saw["project"] in saw["projects"]
    assert {one["workspace_id"] for one in (*saw["assets"], *saw["projects"], *saw["runs"])} == {workspace["workspace_id"]}
    assert len(saw["assets"]) == 4, "with the one that failed, beyond the first page"
    assert saw["refused"]["no workspace"]["code"] == "input_validation_error"
    assert "cannot be read as image/jpeg" in saw["refused"]["no picture"]["message"]
    assert (saw["refused"]["the same key"]["status"], saw["refused"]["the same key"]["code"]) == (409, "idempotency_duplicate")

    run, technique = saw["run"], saw["technique"]
    assert (run["status"], run["charged_cost"], technique["run_cost"]) == ("completed", 0.05, 0.05)
    assert max(Image.open(io.BytesIO(httpx.get(run["outputs"][0]["url"]).content)).size) == 128
    (listed,) = saw["runs"]
    assert listed["run_id"] == run["run_id"]
    assert listed["technique"] == {"technique_id": technique["technique_id"], "name": technique["name"]}
    assert len(saw["techniques"]) == 39
    assert len(today.jobs(account)) == 1
    assert today.leaked(account) == 0
