"""fal's own client for Python, run against the sandbox unchanged except for the addresses that it calls."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import do_without
from tests.sandboxes import Sandbox

VERSION = "1.0.3"
PROGRAM = Path(__file__).with_name("fal_client_program.py.txt")
PHOTO = Path(__file__).parents[3] / "photos" / "coffee.jpg"


@pytest.fixture(scope="module")
def told(sandbox: Sandbox) -> dict[str, Any]:
    """Return the results that the program prints; it ends with an error where anything is not as the client needs it."""
    try:
        assert importlib.metadata.version("fal-client") == VERSION
    except importlib.metadata.PackageNotFoundError:
        do_without("fal's client for Python is not here; `make sdks` installs it")
    account = sandbox.new_account("fal", settings={"advance": "looks", "max_running": 4})
    done = subprocess.run(
        [sys.executable, PROGRAM, account["base_url"], PHOTO],
        env={**os.environ, "FAL_KEY": account["api_key"]},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"account": sandbox.account(account), "media": sandbox.media_url}


def test_it_subscribes_to_a_picture_and_sees_it_queued_running_and_done(told: dict[str, Any]) -> None:
    (image,) = told["subscribed"]["images"]

    assert told["states"] == ["Queued", "InProgress", "Completed"]
    assert [line["source"] for line in told["logs"]] == ["RUNNER"]
    assert told["metrics"]["inference_time"] >= 0
    assert image["url"].startswith(told["media"])
    assert (image["content_type"], told["subscribed"]["seed"]) == ("image/jpeg", 1)


def test_it_submits_looks_and_fetches_by_the_id_alone(told: dict[str, Any]) -> None:
    assert told["same"]
    assert told["looked at"] == "Completed"
    assert told["too late"][0] == 400


def test_it_uploads_a_file_by_either_way_and_makes_something_of_it(told: dict[str, Any]) -> None:
    assert told["uploads"][0].startswith(told["media"])
    assert "/storage/files/" in told["uploads"][1]
    assert told["changed"]["images"][0]["content_type"] == "image/jpeg"
    assert told["inline"]["images"][0]["content_type"] == "image/jpeg"
    assert told["film"]["video"]["content_type"] == "video/mp4"


def test_it_tells_every_error_as_fals_own(told: dict[str, Any]) -> None:
    status, kind, detail = told["wrong arguments"]
    assert (status, kind, detail[0]["loc"], detail[0]["type"]) == (422, None, ["body", "prompt"], "string_too_short")
    assert told["no such model"][0] == 404
    assert told["no such job"][0] == 404
    assert told["wrong key"][0] == 401


def test_it_works_at_once_and_takes_a_job_out_of_the_queue_unpaid(told: dict[str, Any]) -> None:
    assert told["at once"] == [4, "client_cancelled"]
    pictures, changed, film = 2 + 4, 2, 1
    assert told["account"]["credits"] == pytest.approx(100 - pictures * 0.025 - changed * 0.04 - film * 6 * 0.06)
