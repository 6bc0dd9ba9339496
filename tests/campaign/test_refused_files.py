"""What a file that is not what it should be means for a purchase: the store's block says. And what a store that fails means."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from blocks import AssetStore
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from genmedia.errors import MediaError, StoreError
from tests.sandboxes import Sandbox
from tests.studio import Studio

BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}
LIGHT = {"name": "light", "technique": "relight-technique", "inputs": [{"id": "input_image", "step": "blur"}]}


@pytest.fixture
def studios(flora: Studio, sandbox: Sandbox) -> tuple[Studio, Studio]:
    """Set-ups at FLORA and at Genova, in one folder."""
    return flora, Studio(sandbox, sandbox.new_account("genova"), flora.root)


def saying(studio: Studio, if_refused: Any) -> AssetStore:
    """The set-up's store, with what it does where a file is refused."""
    return AssetStore(root=str(studio.root), if_refused=if_refused)


async def chain(studio: Studio, name: str, store: AssetStore | None = None, **parameters: Any) -> Any:
    return await studio.run(technique_chain, {"chain": {"name": name, "steps": [BLUR, LIGHT]}, **parameters}, store=store)


async def batch(studio: Studio, name: str, store: AssetStore | None = None, **parameters: Any) -> Any:
    return await studio.run(image_batch, {"name": name, "prompts": ["a cup", "a jug"], **parameters}, store=store)


@pytest.mark.parametrize("which", [0, 1], ids=["chain", "batch"])
async def test_a_refused_file_is_bought_once_more_where_the_store_says_so(studios: tuple[Studio, Studio], which: int) -> None:
    studio, run = studios[which], (chain, batch)[which]
    store = saying(studio, "buy again")
    studio.sandbox.fault(studio.account, "wrong_bytes", times=1)

    ended = await run(studio, "again", store)

    assert ended.name == "Completed", ended.message
    assert len(studio.jobs) == 3
    assert sum(result.charged for result in ended.result) == sum(job["charged"] for job in studio.jobs)
    assert len([path for path in studio.stored if path.startswith("quarantine/")]) == 2


@pytest.mark.parametrize("which", [0, 1], ids=["chain", "batch"])
async def test_nothing_is_bought_again_beyond_the_cap(studios: tuple[Studio, Studio], which: int) -> None:
    studio, run = studios[which], (chain, batch)[which]
    store = saying(studio, "buy again")
    studio.sandbox.fault(studio.account, "wrong_bytes", times=1)
    plan = {0: 7, 1: 2}[which]

    ended = await run(studio, "capped", store, max_credits=plan)
    again = await run(studio, "capped", store, max_credits=plan)

    assert ended.name == "Partial"
    assert "quarantine/" in ended.message
    assert (again.name, len(studio.jobs)) == ("Completed", 2), "it is fetched once more, not bought again"


async def test_what_is_refused_twice_fails(studios: tuple[Studio, Studio]) -> None:
    _, genova = studios
    store = saying(genova, "buy again")
    genova.sandbox.fault(genova.account, "wrong_bytes", times=None)

    ended = await batch(genova, "hopeless", store)

    assert ended.name == "Partial"
    assert len(genova.jobs) == 4


async def test_a_flow_goes_on_without_refused_files_where_the_store_says_so(studios: tuple[Studio, Studio]) -> None:
    flora, genova = studios
    for studio in studios:
        studio.sandbox.fault(studio.account, "wrong_bytes", times=1)

    ended, broken = await batch(genova, "on", saying(genova, "go on")), await chain(flora, "on", saying(flora, "go on"))

    assert ended.name == "Completed"
    assert sorted(result.status for result in ended.result) == ["Bought", "Quarantined"]
    assert len(genova.jobs) == 2
    assert {result.name: result.status for result in broken.result} == {"blur": "Quarantined", "light": "Failed"}
    assert "has not given output_image" in broken.message, "a step that needs it cannot go on"


async def test_a_refused_file_fails_the_flow_by_default(studios: tuple[Studio, Studio]) -> None:
    _, genova = studios
    genova.sandbox.fault(genova.account, "wrong_bytes", times=1)

    ended = await batch(genova, "default")

    assert ended.name == "Partial"
    assert MediaError.__name__ not in ended.message
    assert len(genova.jobs) == 2


async def test_what_is_marked_retake_is_bought_as_the_next_take_once_and_nothing_else(studios: tuple[Studio, Studio]) -> None:
    flora, genova = studios
    first, made = await batch(genova, "marked"), await chain(flora, "marked")
    sidecars = [first.result[0].assets[0].sidecar.write(), made.result[0].assets[0].sidecar.write()]
    told = [
        {"mark": "retake", "path": one["file"]["path"], "sha256": one["file"]["sha256"], "submission_key": one["submission_key"]}
        | {"output": one["output"]["id"]}
        for one in sidecars
    ]
    file = studio_file(flora.root, {"marks": 1, "made": "2026-01-01T00:00:00Z", "assets": told})
    more: dict[str, Any] = {"prompts": ["a cup", "a jug", "a new one"]}

    retaken = [await batch(genova, "marked", marks=file, **more), await chain(flora, "marked", marks=file)]
    again = [await batch(genova, "marked", marks=file, **more), await chain(flora, "marked", marks=file)]

    assert [result.status for result in retaken[0].result] == ["Bought", "Reused", "Not bought"]
    assert retaken[0].result[0].assets[0].sidecar.take > 1
    assert {result.name: result.status for result in retaken[1].result} == {"blur": "Bought", "light": "Reused"}
    assert [result.status for ended in again for result in ended.result] == ["Reused", "Reused", "Not bought", "Reused", "Reused"]
    assert {ended.name for ended in (*retaken, *again)} == {"Completed"}
    assert "2 retakes, 1 of them known here" in retaken[0].message
    assert "not bought: 1 not made before, and nobody asked for a retake of it" in retaken[0].message
    assert (len(genova.jobs), len(flora.jobs)) == (3, 3)


def studio_file(root: Path, content: Any) -> str:
    file = root / "marks-of-a-person.json"
    file.write_text(json.dumps(content))
    return str(file)


# A store that fails


async def test_a_store_that_takes_no_file_is_refused_before_anything_is_bought(flora: Studio, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    journal = f"sqlite:///{tmp_path}/journal.db"
    store = AssetStore.model_validate({"root": str(tmp_path / "file" / "media"), "journal": journal})

    ended = await flora.run(technique_chain, {"chain": {"name": "nowhere", "steps": [BLUR]}}, store=store)

    assert isinstance(ended.result, StoreError), ended.result
    assert "cannot be written: Not a directory. Nothing was bought." in str(ended.result)
    assert flora.jobs == []


async def test_what_cannot_be_cleared_away_ends_no_flow(flora: Studio, caplog: pytest.LogCaptureFixture) -> None:
    stuck = flora.root / ".genmedia" / "incoming" / "a folder"
    stuck.mkdir(parents=True)
    os.utime(stuck, (0, 0))

    ended = await flora.run(technique_chain, {"chain": {"name": "swept", "steps": [BLUR]}})

    assert ended.name == "Completed", ended.message
    assert "was not cleared away: " in caplog.text
