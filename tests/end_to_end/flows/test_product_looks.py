"""A folder of product photos in looks, as Prefect shows it."""

import shutil
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client

from deployments.local_run import run_here
from flows.product_looks import product_looks
from tests.studio import Studio

PHOTOS = Path(__file__).parents[3] / "photos"


async def test_the_contact_sheet_of_looks_at_what_is_stored_has_what_this_run_bought_alone(
    studio: Studio, tmp_path: Path
) -> None:
    (folder := tmp_path / "products").mkdir()
    shutil.copy(PHOTOS / "coffee.jpg", folder / "Red Mug.jpg")
    wish: dict[str, Any] = {"looks": ["studio-blur"], "accounts": {"flora": studio.name}, "store": studio.name}

    bought = await run_here(product_looks, {**wish, "photos": [str(folder)], "takes": 2, "name": "looks"})
    of_store = await run_here(product_looks, {**wish, "photos": ["store:looks/red-mug-studio-blur"], "takes": 1, "name": "again"})
    async with get_client() as client:
        chosen = {"artifacts": {"flow_run_id": {"any_": [of_store.page.rsplit("/", 1)[1]]}}}
        artifacts = (await client.request("POST", "/artifacts/filter", json=chosen)).json()

    assert (bought.name, [len(result.assets) for result in bought.result]) == ("Completed", [1, 1]), bought.message
    assert [len(result.assets) for result in of_store.result] == [1]
    assert ["1 result in" in one["data"] for one in artifacts if one["key"].endswith("contact-sheet")] == [True]
