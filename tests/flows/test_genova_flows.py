"""Genova's flows in Prefect, against the sandbox: within the plan, bought once, through outages, kills and a silent socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deployments.local_run import run_here
from flows.image_batch import image_batch
from flows.long_video import long_video
from genmedia.errors import BudgetError, InputError
from genmedia.results import Result
from tests.flows.studio import Studio
from tests.sandboxes import Sandbox, running_sandbox


@pytest.fixture
async def genova(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up on the Pro plan; the working directory is the project's folder."""
    monkeypatch.chdir(Path(__file__).parents[2])
    studio = Studio(sandbox, sandbox.new_account("genova", plan="Pro"), tmp_path)
    await studio.save_blocks()
    return studio


async def batch(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await run_here(image_batch, {"name": "batch", "prompts": list(prompts), **studio.parameters, **parameters})


async def videos(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    shots = [{"prompt": prompt} for prompt in prompts]
    return await run_here(long_video, {"name": "videos", "shots": shots, **studio.parameters, **parameters})


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_a_batch_is_bought_stored_and_not_bought_again(genova: Studio) -> None:
    first = await batch(genova, "a red kite over the sea", "a cup of tea", ratios=["landscape", "square"])
    second = await batch(genova, "a red kite over the sea", "a cup of tea", ratios=["landscape", "square"])

    assert (first.name, second.name) == ("Completed", "Completed")
    assert [result.status for result in results(first)] == ["Bought"] * 4
    assert [result.status for result in results(second)] == ["Reused"] * 4
    assert len(genova.jobs) == 4
    files = [asset.sidecar["file"] for result in results(first) for asset in result.assets]
    assert sorted(round(file["width"] / file["height"], 1) for file in files) == [1.0, 1.0, 1.8, 1.8]
    assert genova.sandbox.leaked(genova.account) == 0


async def test_references_are_prepared_from_any_picture(genova: Studio, tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    Image.effect_noise((8000, 5000), 60).save(big, compress_level=1)

    ended = await batch(
        genova,
        "a cup in this style",
        models=["freepik"],
        ratios=["1:1"],
        references=[{"files": [str(big), "photos/coffee.jpg"], "mode": "style"}],
    )

    assert ended.name == "Completed", ended.message
    assert genova.jobs[0]["request"]["settings"]["referenceImages"]["mode"] == "style"


async def test_an_item_that_fails_does_not_stop_the_others_and_says_why(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "capture_failure")

    ended = await batch(genova, "one", "two", "three")

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Bought", "Failed"]
    assert "failed to capture result from page" in ended.message


async def test_bad_input_is_refused_all_at_once_and_nothing_is_bought(genova: Studio, tmp_path: Path) -> None:
    ended = await batch(genova, "x" * 501, "fine", models=["imagen4"], ratios=["1:1", "landscape"], quality="1K")

    assert isinstance(ended.result, InputError)
    told = str(ended.result)
    for words in (
        "ratio 1:1: is one of none of the models imagen4",
        "prompt 1, imagen4, landscape, prompt",
        "quality is for freepik only",
    ):
        assert words in told
    assert genova.jobs == []


@pytest.mark.parametrize(("content", "words"), [(b"hello", "should be an image"), (None, "is not there")])
async def test_a_reference_that_is_no_picture_is_refused_and_nothing_is_bought(
    genova: Studio, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "it.png"
    if content:
        path.write_bytes(content)

    ended = await batch(genova, "a cup", references=[{"files": [str(path)]}])

    assert words in f"{ended.message} {ended.result}"
    assert genova.jobs == []


async def test_a_batch_over_its_cap_buys_nothing(genova: Studio) -> None:
    ended = await batch(genova, "one", "two", max_credits=1)

    assert isinstance(ended.result, BudgetError)
    assert genova.jobs == []


async def test_a_lost_answer_is_found_in_the_list_and_not_paid_twice(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "lose_answer", route="create_job")

    ended = await batch(genova, "a lost letter")

    assert results(ended)[0].status == "Bought", ended.message
    assert len(genova.jobs) == 1


async def test_a_request_that_never_arrived_is_sent_again_after_the_list_does_not_know_it(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "reset", route="create_job")

    ended = await batch(genova, "a letter never sent")

    assert results(ended)[0].status == "Bought", ended.message
    assert len(genova.jobs) == 1


async def test_waiting_survives_an_outage_and_a_silent_socket(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "silent_socket")
    for kind in ("server_error", "rate_limit", "broken_json"):
        genova.sandbox.fault(genova.account, kind, route="list_jobs", times=2)

    ended = await batch(genova, "a lighthouse in a storm")

    assert ended.name == "Completed", ended.message


async def test_a_vanished_job_is_named_as_that(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "vanish")

    ended = await batch(genova, "now you see it")

    assert ended.name == "Partial"
    assert "looks in a row did not find it" in ended.message
    assert "may have been charged" in ended.message


async def test_the_json_form_of_the_download_is_followed_with_the_key_to_its_own_origin_only(genova: Studio) -> None:
    genova.change(switches={"download": "json"})

    ended = await batch(genova, "a paper boat")

    assert ended.name == "Completed", ended.message
    assert genova.sandbox.leaked(genova.account) == 0


@pytest.fixture
def slower_sandbox() -> Generator[Sandbox]:
    """A sandbox ten times as fast as the world."""
    with running_sandbox('{"clock_scale": 10, "size": 128}') as running:
        yield running


@pytest.mark.timeout(240)
async def test_the_free_plan_is_kept_to(prefect: str, slower_sandbox: Sandbox, tmp_path: Path) -> None:
    """Twelve images of 30 s in two slots: no request is refused, and none is wasted on looking."""
    account = slower_sandbox.new_account("genova", plan="Free", settings={"queue": [0.5, 1], "run": [29, 30]})
    studio = Studio(slower_sandbox, account, tmp_path)
    await studio.save_blocks()

    ended = await batch(studio, *(f"picture {number}" for number in range(12)))

    requests = {
        (line["route"], line["status"]): line["count"]
        for line in slower_sandbox.requests(account)
        if line["route"].startswith("/api")
    }
    assert ended.name == "Completed", ended.message
    assert not any(status == 429 for _, status in requests), requests
    assert sum(requests.values()) <= 36, requests


async def test_a_video_is_a_real_one_with_a_poster(genova: Studio) -> None:
    ended = await videos(genova, "waves on a beach")

    (asset,) = results(ended)[0].assets
    assert ended.name == "Completed", ended.message
    assert asset.sidecar["file"]["media_type"] == "video/mp4"
    assert (genova.root / ".genmedia" / "thumbnails" / f"{asset.sha256}.webp").exists()


_PROGRAM = """
import asyncio, json, sys
from deployments.local_run import run_here
from flows.long_video import long_video
asyncio.run(run_here(long_video, json.loads(sys.argv[1])))
"""


@pytest.mark.timeout(240)
async def test_a_long_video_whose_worker_dies_twice_is_one_job_one_file_one_charge(genova: Studio, prefect: str) -> None:
    genova.change(settings={"run": [1200, 1200], "queue": [1, 1]})
    parameters = {"name": "videos", "shots": [{"prompt": "a glacier through the year"}], **genova.parameters}
    for deadly in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(parameters)], env={**os.environ, "PREFECT_API_URL": prefect}
        )
        while not (genova.has_bound and genova.jobs[0]["status"] == "running"):
            assert process.poll() is None
        os.kill(process.pid, deadly)
        process.wait()

    ended = await videos(genova, "a glacier through the year")

    assert [result.status for result in results(ended)] == ["Reattached"], ended.message
    assert [job["charged"] for job in genova.jobs] == [1]
    assert len([file for file in genova.stored if file.endswith(".mp4")]) == 1
