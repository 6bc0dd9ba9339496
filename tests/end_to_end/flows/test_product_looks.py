"""A folder of product photos in looks of two providers: bought once, within one budget, named by photo and look."""

import shutil
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client

from deployments.local_run import run_here
from flows.product_looks import product_looks
from genmedia.errors import BudgetError
from tests.studio import Studio

PHOTOS = Path(__file__).parents[3] / "photos"


async def test_photos_by_looks_are_bought_within_one_budget_and_named_by_them(studio: Studio, tmp_path: Path) -> None:
    (folder := tmp_path / "products").mkdir()
    shutil.copy(PHOTOS / "coffee.jpg", folder / "Red Mug.jpg")
    shutil.copy(PHOTOS / "README.md", folder)
    painter = Studio(studio.sandbox, studio.sandbox.new_account("genova", plan="Pro"), studio.root)
    await painter.credentials.asave(studio.name, overwrite=True)
    wish: dict[str, Any] = {"photos": [str(folder)], "looks": ["On white marble", "studio-blur"], "takes": 2, "name": "looks"}
    wish |= {"accounts": {"flora": studio.name, "genova": studio.name}, "store": studio.name}

    refused = await run_here(product_looks, {**wish, "budget": 5})
    bought_for_nothing = len(studio.jobs) + len(painter.jobs)
    ended = await run_here(product_looks, {**wish, "budget": 30})
    one_more = await run_here(product_looks, {**wish, "looks": [*wish["looks"], "In a forest"], "budget": 2})

    of_store = await run_here(
        product_looks,
        wish | {"photos": ["store:looks/red-mug-studio-blur"], "looks": ["studio-blur"], "takes": 1, "name": "again"},
    )
    async with get_client() as client:
        chosen = {"artifacts": {"flow_run_id": {"any_": [of_store.page.rsplit("/", 1)[1]]}}}
        artifacts = (await client.request("POST", "/artifacts/filter", json=chosen)).json()

    assert [len(result.assets) for result in of_store.result] == [1]
    assert ["1 result in" in one["data"] for one in artifacts if one["key"].endswith("contact-sheet")] == [True]
    assert isinstance(refused.result, BudgetError)
    assert "would cost 8 credits, more than the 5 allowed" in str(refused.result)
    assert bought_for_nothing == 0
    assert ended.name == "Completed", ended.message or ended.result
    assert [result.name for result in ended.result] == [
        "red-mug-on-white-marble",
        "red-mug-on-white-marble-take-2",
        "red-mug-studio-blur",
        "red-mug-studio-blur-take-2",
    ]
    assert {path.split("/")[1] for path in studio.stored if path.startswith("looks/")} == {
        result.name for result in ended.result
    } | {
        "red-mug-in-a-forest",
        "red-mug-in-a-forest-take-2",
    }
    assert [result.status for result in one_more.result] == ["Reused"] * 4 + ["Bought"] * 2
    assert (len(studio.jobs), len(painter.jobs)) == (3, 4)
