"""Under a worker, a flow's process may die anywhere: the next run of the flow brings its job home, and buys nothing again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow

from deployments.local_run import run_here
from flows.technique_chain import technique_chain
from flows.text_to_image import text_to_image
from genmedia.media.hashing import hash_file
from tests.end_to_end.flows.workers import PROJECT, start, until
from tests.sandboxes import Sandbox
from tests.studio import Studio

pytestmark = pytest.mark.timeout(900)

STEP = {"name": "s1", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}
CHAIN = {"chain": {"name": "chain", "steps": [STEP]}}
SHEET = {"name": "sheet", "prompts": ["a red kite"], "seeds": [1], "width": 128, "height": 128}
CELLS: list[tuple[str, Flow[..., Any], dict[str, Any], str, str]] = [
    ("flora", technique_chain, CHAIN, "after the intent", "Bought"),
    ("algovera", text_to_image, SHEET, "published without sidecar", "Resumed"),
]
ENDED = ("Completed", "Partial", "Failed", "Crashed")


async def test_a_run_that_dies_is_finished_by_the_next_one(
    prefect: str, pool: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)

    async def cell(provider: str, flow: Flow[..., Any], wish: dict[str, Any], death: str) -> dict[str, Any]:
        switches = {"assets": True} if provider == "flora" else {}
        account = sandbox.new_account(provider, credits=100, switches=switches)
        studio = Studio(sandbox, account, tmp_path / account["account"])
        await studio.save_blocks()
        parameters = {**wish, **studio.parameters}
        died = await start(prefect, pool, flow, parameters, module="tests.crashes.dying", GENMEDIA_TEST_DEATH=death)
        await until(lambda: died.state in ENDED)
        after = await run_here(flow, parameters)
        notes = [json.loads((studio.root / name).read_text())["file"] for name in studio.stored if name.endswith(".json")]
        return {
            "died": died.state,
            "told": [result.status for result in after.result] if after.name == "Completed" else after.message,
            "jobs": len(studio.jobs),
            "whole": [hash_file(studio.root / note["path"]) == note["sha256"] for note in notes],
        }

    ended = await asyncio.gather(*(cell(provider, flow, wish, death) for provider, flow, wish, death, _ in CELLS))

    assert ended == [{"died": "Crashed", "told": [met], "jobs": 1, "whole": [True]} for *_, met in CELLS]
