"""What the flows of all four providers leave behind tells where it came from, and is enough to go on from."""

import asyncio
import csv
import io
import json
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from prefect.client.orchestration import get_client

from blocks import AssetStore
from deployments.local_run import run_here
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image
from genmedia.journal import AttemptState, Journal
from genmedia.media.hashing import hash_file
from genmedia.provenance.lineage import Branch, Lineage
from genmedia.provenance.reading import Asset, read_assets
from genmedia.provenance.rebuild import Rebuilt, rebuild_journal
from genmedia.purchasing.result import Result
from genmedia.store import Place, Store
from genmedia.store.sidecar import read_sidecar
from tests.sandboxes import Sandbox
from tests.studio import Studio

PROJECT = Path(__file__).parents[3]
SCHEMA = json.loads((PROJECT / "docs" / "sidecar.schema.json").read_text(encoding="utf-8"))
CHAIN: dict[str, Any] = {
    "name": "poster",
    "steps": [
        {"name": "relight", "technique": "relight-technique", "inputs": [{"id": "input_image", "file": "FILE"}]},
        {"name": "visuals", "technique": "turn-any-product-into-4-ad-visuals", "inputs": [{"id": "input_image", "step": "relight"}]},
        {"name": "critique", "technique": "art-directors-critique", "inputs": [{"id": "input_image", "step": "relight"}]},
        {"name": "icons", "technique": "icon-pack", "inputs": [{"id": "prompt", "step": "critique", "output": "critique"}]},
    ],
}  # fmt: skip


def results(ended: Any) -> list[Result]:
    assert ended.name == "Completed", ended.message
    return ended.result


@dataclass(frozen=True)
class Made:
    """A store that the flows of all four providers have filled, the picture of one going into the others."""

    root: Path
    photo: str
    jobs: int
    again: list[Result]
    """What came of running one of the flows a second time, as another take."""


async def make(root: Path, sandbox: Sandbox) -> Made:
    studios = {provider: Studio(sandbox, sandbox.new_account(provider), root) for provider in ("algovera", "genova", "generio")}
    studios["flora"] = Studio(sandbox, sandbox.new_account(credits=1000, switches={"assets": True}), root)
    for studio in studios.values():
        await studio.save_blocks()

    async def run(flow: Any, provider: str, **parameters: Any) -> list[Result]:
        return results(await run_here(flow, {**parameters, **studios[provider].parameters}))

    sheet: dict[str, Any] = {"name": "sheet", "prompts": ["a red kite"], "seeds": [7, 8], "width": 128, "height": 128}
    await run(text_to_image, "algovera", **sheet)
    (photo,) = await run(image_batch, "genova", name="still-life", prompts=["a cup of tea"])
    picture = str(root / photo.assets[0].path)
    chain = json.loads(json.dumps(CHAIN).replace("FILE", picture))
    await run(technique_chain, "flora", chain=chain)
    low = {"template": "model_generate_fromimage", "parameters": {"quality": "low"}}
    smaller = {"template": "model_optimize", "parameters": {"polygon_count": 300}}
    await run(template_run, "generio", name="models", inputs=[{"file": picture}], steps=[low, smaller])
    again = await run(text_to_image, "algovera", **sheet, take=2)
    return Made(root, photo.assets[0].path, sum(len(studio.jobs) for studio in studios.values()), again)


@pytest.fixture(scope="module")
def made(prefect: str, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Generator[Made]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield asyncio.run(make(tmp_path_factory.mktemp("media"), sandbox))


async def assets_of(root: Path) -> list[Asset]:
    async with Store.lease(str(root)) as store:
        contents = await read_assets(store)
    assert contents.left_out == []
    return contents.assets


def files_of(root: Path) -> set[str]:
    """Every file that was bought."""
    found = {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.suffix != ".json"}
    return {str(path) for path in found if path.parts[0] not in (".genmedia", "index.html", "manifest.csv")}


async def test_every_sidecar_is_as_the_published_schema_says_and_has_no_field_that_nobody_reads(made: Made) -> None:
    validator = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
    assets = await assets_of(made.root)
    assert {asset.sidecar.provider for asset in assets} == {"algovera", "flora", "generio", "genova"}
    for asset in assets:
        told = json.loads((made.root / f"{asset.path}.json").read_bytes())
        validator.validate(told)
        assert asset.sidecar.write() == told


async def test_the_list_beside_the_gallery_has_a_line_for_every_file_and_no_name_has_a_hash_but_where_two_want_it(
    made: Made,
) -> None:
    lines = list(csv.DictReader(io.StringIO((made.root / "manifest.csv").read_text(encoding="utf-8-sig"))))
    there = files_of(made.root)
    twice = {asset.path for result in made.again for asset in result.assets}

    assert {line["path"] for line in lines} == there
    assert len(lines) == made.jobs + 3 + 1  # four visuals of one job, and a picture beside the critique
    for line in lines:
        file = made.root / line["path"]
        assert (line["sha256"], int(line["bytes"])) == (hash_file(file), file.stat().st_size)
        key = read_sidecar(Path(f"{file}.json").read_bytes()).submission_key
        assert key[:8] not in line["path"]
        assert (line["sha256"][:8] in line["path"]) == (line["path"] in twice)
    kite = next(line for line in lines if line["step"] == "seed-7-a-red-kite" and line["take"] == "1")
    assert kite["path"] == "sheet/seed-7-a-red-kite/image.jpg"
    assert (kite["prompt"], kite["provider"], kite["width"], kite["charged"]) == ("a red kite", "algovera", "128", "1.0")
    assert next(line for line in lines if line["step"] == "relight")["inputs"] == made.photo


async def test_a_file_is_followed_back_to_its_words_and_forth_to_all_that_was_made_of_it(made: Made) -> None:
    lineage = Lineage(await assets_of(made.root))
    icons = next(path for path in files_of(made.root) if path.startswith("poster/icons/"))

    (back,) = map(lineage.before, lineage.find(icons))
    (forth,) = map(lineage.after, lineage.find(made.photo))

    way, branch = [back.operation], back
    while branch.branches:
        (branch,) = branch.branches
        way.append(branch.operation if branch.kind == "asset" else branch.name)
    assert way == [
        "technique icon-pack",
        "technique art-directors-critique",
        "technique relight-technique",
        "image nano_banana2",
        "a cup of tea",
    ]
    assert {branch.provider for branch in forth.branches} == {"flora", "generio"}
    assert sorted(names(forth)) == sorted(
        [made.photo, *(path for path in files_of(made.root) if path.startswith(("poster/", "models/")))]
    )


def names(branch: Branch) -> list[str]:
    return [branch.name, *(name for one in branch.branches for name in names(one))]


async def test_each_stored_file_is_an_event_in_prefect_that_names_its_flow_run_and_its_parents(made: Made) -> None:
    (optimized,) = [asset.sidecar for asset in await assets_of(made.root) if asset.sidecar.step.endswith("2-model_optimize")]
    resource = f"genmedia.asset.{optimized.file.sha256}"
    asked = {"filter": {"event": {"name": ["genmedia.asset.stored"]}, "resource": {"id": [resource]}}}
    found: list[dict[str, Any]] = []
    async with get_client() as client:
        while not found:  # events are written in batches
            found = (await client.request("POST", "/events/filter", json=asked)).json()["events"]
    (event,) = found
    roles = {one["prefect.resource.role"]: one["prefect.resource.id"] for one in event["related"]}
    assert event["payload"]["path"] == optimized.file.path
    assert roles["input"] == f"genmedia.asset.{optimized.inputs[0].sha256}"
    assert roles["flow-run"].startswith("prefect.flow-run.")


# The journal


TWO_STEPS = [
    {"name": "relight", "technique": "relight-technique", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]},
    {"name": "visuals", "technique": "turn-any-product-into-4-ad-visuals", "inputs": [{"id": "input_image", "step": "relight"}]},
]


async def chain(studio: Studio, **parameters: Any) -> dict[str, str]:
    ended = await run_here(technique_chain, {"chain": {"name": "kept", "steps": TWO_STEPS}, **studio.parameters, **parameters})
    return {result.name: result.status for result in results(ended)}


def lose_journal(root: Path) -> None:
    for file in (root / ".genmedia").glob("journal.db*"):
        file.unlink()


async def rebuild(root: Path) -> Rebuilt:
    place = Place(str(root))
    async with Store.lease(place) as store, Journal.lease(place.journal_url()) as journal:
        return await rebuild_journal(store, journal)


async def test_a_lost_journal_buys_everything_again_unless_it_is_made_again_from_the_sidecars(
    prefect: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    account = sandbox.new_account("algovera")
    kept, copy = (Studio(sandbox, account, tmp_path / name) for name in ("kept", "copy"))

    async def sheet(studio: Studio, **parameters: Any) -> list[str]:
        await studio.save_blocks()
        chosen = {"name": "sheet", "prompts": ["a red kite"], "seeds": [7, 8], **studio.parameters, **parameters}
        return [result.status for result in results(await run_here(text_to_image, chosen))]

    await sheet(kept)
    await sheet(kept, take=2)
    shutil.copytree(kept.root, copy.root)
    for root in (kept.root, copy.root):
        lose_journal(root)

    rebuilt, once_more = await rebuild(kept.root), await rebuild(kept.root)

    assert (rebuilt.found, rebuilt.added, rebuilt.passed_over, rebuilt.left_out) == (4, 4, {}, [])
    assert (once_more.added, set(once_more.passed_over.values())) == (0, {"the journal knows its purchase"})
    assert [await sheet(kept), await sheet(kept, take=2)] == [["Reused", "Reused"]] * 2
    assert len(kept.jobs) == 4
    assert await sheet(copy) == ["Bought", "Bought"]
    assert len(kept.jobs) == 6


async def test_a_chain_goes_on_from_a_journal_that_was_made_again(studio: Studio) -> None:
    await chain(studio)
    lose_journal(studio.root)

    rebuilt = await rebuild(studio.root)

    assert (rebuilt.found, rebuilt.added) == (5, 5)
    assert await chain(studio) == {"relight": "Reused", "visuals": "Reused"}


async def test_a_store_that_begins_to_write_into_its_pictures_buys_nothing_again(studio: Studio) -> None:
    await chain(studio)
    (relit,) = [path for path in studio.stored if "relight/" in path and not path.endswith(".json")]
    (studio.root / relit).unlink()
    await AssetStore(root=str(studio.root), embed_provenance=True).asave(studio.name, overwrite=True)

    assert await chain(studio) == {"relight": "Resumed", "visuals": "Reused"}
    assert b"submission_key" in (studio.root / relit).read_bytes()
    assert len(studio.jobs) == 2


async def test_a_purchase_of_which_an_output_is_missing_is_taken_up_again_and_not_bought(studio: Studio) -> None:
    await chain(studio)
    lost = next(path for path in studio.stored if "visuals/" in path and not path.endswith(".json"))
    for name in (lost, f"{lost}.json"):
        (studio.root / name).unlink()
    lose_journal(studio.root)

    rebuilt = await rebuild(studio.root)
    key = next(asset.sidecar.submission_key for asset in await assets_of(studio.root) if asset.sidecar.step == "visuals")
    async with Journal.lease(Place(str(studio.root)).journal_url()) as journal:
        attempt = await journal.live_attempt(key)
    ended = await chain(studio)

    assert rebuilt.added == 4
    assert attempt is not None
    assert attempt.state is AttemptState.BOUND
    assert ended == {"relight": "Reused", "visuals": "Resumed"}
    assert (studio.root / lost).is_file()
    assert len(studio.jobs) == 2
