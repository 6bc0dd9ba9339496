"""Local steps as task runs of Prefect: each named by its operation and step, in a state that says whether the file was made now."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey, FlowRunFilter, FlowRunFilterId

from blocks import AssetStore
from deployments.local_run import run_here
from flows.campaign import campaign

STORY = {"name": "story", "local": "resize", "input": {"file": "photos/coffee.jpg"}, "width": 108, "height": 192}
TINY = {"name": "tiny", "local": "convert", "input": {"step": "story"}, "format": "jpg", "max_bytes": 10}
WEB = {"name": "web", "local": "convert", "input": {"step": "story"}, "format": "webp"}


ENDS = {"resize story": "Made", "convert tiny": "Failed", "convert web": "Made"}


async def ends_of(run: str) -> dict[str, str | None]:
    """Names of the states of a flow run's task runs, by their own names without keys, once all that the run has are there."""
    ends: dict[str, str | None] = {}
    mine = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(run)]))
    async with get_client() as client:
        # They reach the server a little after they ended, each in its own time; pytest's timeout bounds this.
        while not ENDS.items() <= ends.items():
            found = await client.read_task_runs(flow_run_filter=mine)
            ends = {one.name.rpartition(" ")[0]: one.state_name for one in found}
            await asyncio.sleep(0.1)
    return ends


async def test_local_steps_are_task_runs_that_need_no_account(prefect: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    await AssetStore(root=str(tmp_path / "media")).asave("local-steps", overwrite=True)
    wish = {"campaign": {"name": "local-steps", "steps": [STORY, TINY, WEB]}, "store": "local-steps"}

    first, second = await run_here(campaign, wish), await run_here(campaign, wish)

    assert (first.name, second.name) == ("Partial", "Partial")
    assert {one.name: one.status for one in first.result} == {"story": "Made", "tiny": "Failed", "web": "Made"}
    assert {one.name: one.status for one in second.result} == {"story": "Reused", "tiny": "Failed", "web": "Reused"}
    ends = await ends_of(first.page.rpartition("/")[2])
    assert ENDS.items() <= ends.items()
    async with get_client() as client:
        (plan,) = await client.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["local-steps-plan"])), limit=1
        )
    assert "| this machine | 0 | free | " in str(plan.data)
    assert "| story | local resize | " in str(plan.data)
