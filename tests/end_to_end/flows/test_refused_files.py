"""What a refused file and a store that fails look like in Prefect; tests/campaign has what they mean for a purchase."""

import logging
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from blocks import AssetStore
from deployments.local_run import run_here
from flows.image_batch import image_batch
from flows.technique_chain import technique_chain
from tests.studio import Studio

BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "photos/coffee.jpg"}]}


async def test_a_flow_run_buys_a_refused_file_once_more_where_its_saved_store_says_so(genova: Studio) -> None:
    """Its tasks are run a second time with the same inputs in the same run, and are not taken from a cache."""
    await AssetStore(root=str(genova.root), if_refused="buy again").asave(genova.name, overwrite=True)
    genova.sandbox.fault(genova.account, "wrong_bytes", times=1)

    ended = await run_here(image_batch, {"name": "again", "prompts": ["a cup"], **genova.parameters})

    assert ended.name == "Completed", ended.message
    assert len(genova.jobs) == 2
    assert sum(result.charged for result in ended.result) == sum(job["charged"] for job in genova.jobs)


async def shown(ended: Any) -> set[str]:
    """The kinds of artifacts that a flow run has in the Prefect UI."""
    chosen = {"artifacts": {"flow_run_id": {"any_": [ended.page.rsplit("/", 1)[1]]}}}
    async with get_client() as client:
        artifacts = (await client.request("POST", "/artifacts/filter", json=chosen)).json()
    return {one["type"] for one in artifacts}


@pytest.mark.parametrize("unwritable", ["index.html", "manifest.csv"])
async def test_a_page_that_cannot_be_written_hides_no_result_and_is_a_warning(
    studio: Studio, caplog: pytest.LogCaptureFixture, unwritable: str
) -> None:
    (studio.root / unwritable / "in the way").mkdir(parents=True)

    ended = await run_here(technique_chain, {"chain": {"name": "unseen", "steps": [BLUR]}, **studio.parameters})

    assert ended.name == "Completed", ended.message
    assert {"table", "markdown"} <= await shown(ended)
    (told,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"{unwritable} could not be stored" in told
    assert "`genmedia gallery`" in told
