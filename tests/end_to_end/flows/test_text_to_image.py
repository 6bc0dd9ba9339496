"""Algovera's flow in Prefect, against the sandbox: a sheet of variations, each bought once, and a lost answer that stays in doubt."""

from pathlib import Path
from typing import Any

import pytest

from deployments.local_run import run_here
from flows.text_to_image import text_to_image
from genmedia.errors import BudgetError
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
