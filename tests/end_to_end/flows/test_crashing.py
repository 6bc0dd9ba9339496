"""Under a worker, a flow's process may die anywhere: the next run of the flow brings its job home, and buys nothing again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from flows.template_run import template_run
from flows.text_to_image import text_to_image
from genmedia.media.hashing import hash_file
from tests.crashes.scenes import BY_LOOKS
from tests.end_to_end.flows.workers import PROJECT, start, until
from tests.sandboxes import Sandbox
from tests.studio import Studio

pytestmark = pytest.mark.timeout(900)

FLOWS = {"algovera": text_to_image, "flora": technique_chain, "generio": template_run, "genova": image_batch}
STEP = {"name": "s1", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}
PATIENCE = {"queue_minutes": 900, "run_minutes": 900}
WISHES: dict[str, dict[str, Any]] = {
    "algovera": {"name": "sheet", "prompts": ["a red kite"], "seeds": [1], "width": 128, "height": 128, "minutes": 900},
    "flora": {"chain": {"name": "chain", "steps": [STEP]}, **PATIENCE},
    "generio": {
        "name": "models",
        "inputs": [{"text": "a red cup"}],
        "steps": [{"template": "model_generate_fromprompt", "parameters": {"quality": "low"}}],
        **PATIENCE,
    },
    "genova": {"name": "batch", "prompts": ["a red kite"], **PATIENCE},
}


CELLS = [
    ("flora", "after the intent", "Bought"),
    ("genova", "answer lost", "Bought"),
    ("generio", "in waiting", "Resumed"),
    ("algovera", "after the id is bound", "Resumed"),
    ("flora", "in download", "Resumed"),
    ("genova", "published without sidecar", "Resumed"),
]


ENDED = ("Completed", "Partial", "Failed", "Crashed")


async def test_a_run_that_dies_is_finished_by_the_next_one(
    prefect: str, pool: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)

    async def studio(provider: str) -> Studio:
        switches = {"assets": True} if provider == "flora" else {}
        settings = BY_LOOKS if provider == "generio" else {}  # so that it is seen waiting
        account = sandbox.new_account(provider, credits=100, switches=switches, settings=settings)
        made = Studio(sandbox, account, tmp_path / account["account"])
        await made.save_blocks()
        return made

    async def cell(studio: Studio, death: str) -> dict[str, Any]:
        provider = studio.account["provider"]
        flow, parameters = FLOWS[provider], {**WISHES[provider], **studio.parameters}
        died = await start(prefect, pool, flow, parameters, module="tests.crashes.dying", GENMEDIA_TEST_DEATH=death)
        await until(lambda: died.state in ENDED)
        after = await start(prefect, pool, flow, parameters)
        await until(lambda: after.state in ENDED)
        notes = [json.loads((studio.root / name).read_text())["file"] for name in studio.stored if name.endswith(".json")]
        whole = [hash_file(studio.root / note["path"]) == note["sha256"] for note in notes]
        return {
            "died": died.state,
            "told": after.message.partition(";")[0] if after.state == "Completed" else after.message,
            "jobs": len(studio.jobs),
            "whole": whole,
        }

    studios = [await studio(provider) for provider, _, _ in CELLS]
    ended = await asyncio.gather(*(cell(one, death) for one, (_, death, _) in zip(studios, CELLS, strict=True)))

    assert ended == [{"died": "Crashed", "told": f"1 {met.lower()}", "jobs": 1, "whole": [True]} for _, _, met in CELLS]
