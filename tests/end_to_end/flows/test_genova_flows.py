"""Genova's flows in Prefect, against the sandbox: states that say what happened, and one job whatever dies."""

import asyncio
from signal import SIGKILL, SIGTERM
from typing import Any

import pytest

from deployments.local_run import run_here
from flows.image_batch import image_batch
from flows.long_video import long_video
from genmedia.errors import InputError
from genmedia.purchasing.result import Result
from tests.end_to_end.flows.apart import strike
from tests.studio import Studio


async def batch(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await run_here(image_batch, {"name": "batch", "prompts": list(prompts), **studio.parameters, **parameters})


async def videos(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    shots = [{"prompt": prompt} for prompt in prompts]
    return await run_here(long_video, {"name": "videos", "shots": shots, **studio.parameters, **parameters})


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_an_item_that_fails_does_not_stop_the_others_and_says_why(genova: Studio) -> None:
    genova.sandbox.fault(genova.account, "capture_failure")

    ended = await batch(genova, "one", "two", "three")

    assert ended.name == "Partial"
    assert sorted(result.status for result in results(ended)) == ["Bought", "Bought", "Failed"]
    assert "failed to capture result from page" in ended.message


async def test_a_job_that_many_others_pushed_off_the_first_page_is_found_by_its_id(genova: Studio) -> None:
    genova.change(settings={"queue": [0, 0], "run": [900, 900]})
    waiting = asyncio.create_task(batch(genova, "the one among many"))
    while not genova.has_bound:
        await asyncio.sleep(0.1)
    genova.change(settings={"queue": [0, 0], "run": [0, 0]})
    async with genova.credentials.get_client() as client:
        for number in range(52):
            await client.create_job({"type": "image", "prompt": f"another {number}", "model": "nano_banana2"})

    ended = await waiting

    assert ended.name == "Completed", ended.message
    asked = [line for line in genova.sandbox.requests(genova.account) if line["route"] == "/api/jobs/{job_id}"]
    assert asked


async def test_a_name_is_taken_as_it_is_written_and_kept_as_one_that_folders_can_have(
    genova: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await run_here(image_batch, {"name": "Spring Sale 2026", "prompts": ["a cup"], **genova.parameters})

    assert ended.name == "Completed", ended.message
    assert "'Spring Sale 2026' is kept under the name spring-sale-2026" in caplog.text
    assert genova.stored[0].startswith("spring-sale-2026/")


async def test_the_json_form_of_the_download_is_followed_with_the_key_to_its_own_origin_only(genova: Studio) -> None:
    genova.change(switches={"download": "json"})

    ended = await batch(genova, "a paper boat")

    assert ended.name == "Completed", ended.message
    assert genova.sandbox.leaked(genova.account) == 0


@pytest.mark.usefixtures("slower_clock")
async def test_a_long_video_whose_process_dies_twice_is_one_job_one_file_one_charge(genova: Studio) -> None:
    genova.change(settings={"run": [1200, 1200], "queue": [1, 1]})
    parameters = {"name": "videos", "shots": [{"prompt": "a glacier through the year"}], **genova.parameters}
    for run, deadly in enumerate((SIGKILL, SIGTERM), 1):
        await strike(long_video, parameters, deadly, when=lambda run=run: genova.waited_for == run)
    assert [job["status"] for job in genova.jobs] == ["running"]
    genova.sandbox.control("POST", "/clock", {"advance": 1200})

    ended = await videos(genova, "a glacier through the year")

    assert [result.status for result in results(ended)] == ["Resumed"], ended.message
    assert [job["charged"] for job in genova.jobs] == [1]
    assert len([file for file in genova.stored if file.endswith(".mp4")]) == 1


async def test_what_the_form_refuses_names_every_field_and_nothing_is_bought(genova: Studio) -> None:
    five = ["photos/coffee.jpg"] * 5

    pictures = await batch(genova, "a cup", images_per_job=5, references=[{"files": five[:1]}, {"files": five}])
    clips = await run_here(
        long_video,
        {"name": "videos", "shots": [{"prompt": "a cup"}, {"prompt": "a cup", "references": five}], **genova.parameters},
    )

    for ended, faults in (
        (pictures, ("images_per_job: should be 4 or less", "reference 2, files: should have at most 4")),
        (clips, ("shot 2, references: should have at most 4",)),
    ):
        assert (ended.name, isinstance(ended.result, InputError)) == ("Refused", True)
        for words in faults:
            assert words in ended.message, ended.message
    assert genova.jobs == []
