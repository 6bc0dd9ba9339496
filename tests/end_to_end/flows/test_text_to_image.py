"""Algovera's flow in Prefect, against the sandbox: a sheet of variations, each bought once, and a lost answer that stays in doubt."""

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.local_run import run_here
from flows.text_to_image import text_to_image
from genmedia.errors import BudgetError, InputError
from genmedia.purchasing.result import Result
from tests.sandboxes import Sandbox
from tests.studio import Studio


@pytest.fixture
async def algovera(prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A set-up; the working directory is the project's folder."""
    monkeypatch.chdir(Path(__file__).parents[3])
    studio = Studio(sandbox, sandbox.new_account("algovera"), tmp_path)
    await studio.save_blocks()
    return studio


async def sheet(studio: Studio, *prompts: str, **parameters: Any) -> Any:
    return await run_here(text_to_image, {"name": "sheet", "prompts": list(prompts), **studio.parameters, **parameters})


def results(ended: Any) -> list[Result]:
    assert not isinstance(ended.result, BaseException), ended.result
    return ended.result


async def test_a_sheet_of_prompts_seeds_and_models_is_bought_once(algovera: Studio) -> None:
    wish: dict[str, Any] = {"seeds": [7, 8], "base_models": ["stable", "dalle"], "width": 256, "height": 128}
    first = await sheet(algovera, "a red kite", **wish)
    second = await sheet(algovera, "a red kite", **wish)

    assert (first.name, second.name) == ("Completed", "Completed"), first.message
    assert {result.status for result in results(second)} == {"Reused"}
    assert len(algovera.jobs) == 4
    assert [result.name for result in results(first)] == [
        "seed-7-stable-a-red-kite",
        "seed-8-stable-a-red-kite",
        "seed-7-dalle-a-red-kite",
        "seed-8-dalle-a-red-kite",
    ]
    files = [result.assets[0].sidecar.file for result in results(first)]
    assert {(file.width, file.height, file.media_type) for file in files} == {(256, 128, "image/jpeg")}
    assert len({file.sha256 for file in files}) == 4
    places = [[(one.name, one.number) for one in result.assets[0].sidecar.place] for result in results(first)]
    assert places == [[("prompt", 1), ("model", model), ("seed", seed)] for model in (1, 2) for seed in (1, 2)]


async def test_what_cannot_work_is_told_at_once_and_nothing_is_bought(algovera: Studio) -> None:
    ended = await sheet(algovera, "", "fine", base_models=["stable", "midnight"], seeds=[1, 1])

    assert isinstance(ended.result, InputError)
    for words in ("base model midnight: is unknown to Algovera; it has dalle, stable,", "prompt 1: ", "is asked for twice"):
        assert words in str(ended.result)
    assert algovera.jobs == []


async def test_a_sheet_over_its_cap_buys_nothing(algovera: Studio) -> None:
    assert isinstance((await sheet(algovera, "a kite", seeds=[1, 2, 3], max_credits=2)).result, BudgetError)
    assert algovera.jobs == []


async def test_a_lost_answer_is_held_in_doubt_and_not_bought_again(algovera: Studio) -> None:
    algovera.sandbox.fault(algovera.account, "lose_answer", route="create_job")

    first = await sheet(algovera, "a letter", seeds=[1, 2])
    second = await sheet(algovera, "a letter", seeds=[1, 2])

    assert first.name == second.name == "Partial"
    assert "it is not known whether it was accepted" in first.message
    assert sorted(result.status for result in results(second)) == ["Failed", "Reused"]
    assert len(algovera.jobs) == 2


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
    assert [job["request"]["seed"] for job in algovera.jobs] == [1, 2, 77]


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
