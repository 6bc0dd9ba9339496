"""Algovera's flow by plain calls, against the sandbox: a sheet of variations, and in clear words what becomes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.text_to_image import text_to_image
from genmedia.errors import InputError
from genmedia.purchasing.result import Result
from tests.studio import Studio


async def sheet(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await studio.run(text_to_image, {"name": "sheet", "prompts": list(prompts), **parameters})


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_what_cannot_work_is_told_at_once_and_nothing_is_bought(algovera: Studio) -> None:
    ended = await sheet(algovera, "", "fine", base_models=["stable", "midnight"], seeds=[1, 1])

    assert isinstance(ended.result, InputError)
    for words in ("base model midnight: is unknown to Algovera; it has dalle, stable,", "prompt 1: ", "is asked for twice"):
        assert words in str(ended.result)
    assert algovera.jobs == []


async def test_a_marked_retake_of_a_fixed_seed_is_bought_with_the_seed_of_its_mark(algovera: Studio, tmp_path: Path) -> None:
    made = results(await sheet(algovera, "a kite", seeds=[1, 2]))
    marks = tmp_path / "marks-of-a-person.json"

    def mark(**seed: int) -> None:
        told = [
            {"mark": "retake", "path": asset.path, "sha256": asset.sha256, "output": asset.output}
            | {"submission_key": asset.sidecar.submission_key, **seed}
            for result in made
            for asset in result.assets
        ]
        marks.write_text(json.dumps({"marks": 1, "made": "2026-01-01T00:00:00Z", "assets": told[1:]}))

    mark()
    same = await sheet(algovera, "a kite", "another", seeds=[1, 2], marks=str(marks))
    mark(seed=77)
    other = await sheet(algovera, "a kite", "another", seeds=[1, 2], marks=str(marks))

    assert [result.status for result in results(same)] == ["Reused", "Not bought", "Not bought", "Not bought"]
    assert "made with the seed 2, which gives the same again" in same.message
    assert [result.status for result in results(other)] == ["Reused", "Bought", "Not bought", "Not bought"]
    assert results(other)[1].name == "seed-77-a-kite"
    assert sorted(job["request"]["seed"] for job in algovera.jobs) == [1, 2, 77]


async def test_a_job_that_fails_without_a_reason_says_that_there_is_none(algovera: Studio) -> None:
    algovera.sandbox.fault(algovera.account, "fail")

    assert "Algovera gives no reason" in (await sheet(algovera, "a cup", seeds=[1])).message


@pytest.mark.parametrize(
    ("change", "words"), [({"credits": 0}, "Insufficient credits"), ({"switches": {"user": "unknown"}}, "Unknown user")]
)
async def test_the_three_meanings_of_403_are_told_apart(algovera: Studio, change: dict[str, Any], words: str) -> None:
    algovera.change(**change)

    ended = await sheet(algovera, "a cup", seeds=[1])

    assert words in f"{ended.message} {ended.result}"
    assert algovera.jobs == []
