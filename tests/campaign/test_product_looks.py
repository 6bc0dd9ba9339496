"""A folder of product photos in looks of two providers, by plain calls: bought once, within one budget, named by photo and look."""

import shutil
from pathlib import Path
from typing import Any

from blocks.credentials import ProviderCredentials
from flows.product_looks import product_looks
from genmedia.errors import BudgetError
from tests.studio import Studio, run_directly

PHOTOS = Path(__file__).parents[2] / "photos"


async def test_photos_by_looks_are_bought_within_one_budget_and_named_by_them(flora: Studio, tmp_path: Path) -> None:
    (folder := tmp_path / "products").mkdir()
    shutil.copy(PHOTOS / "coffee.jpg", folder / "Red Mug.jpg")
    shutil.copy(PHOTOS / "README.md", folder)
    painter = Studio(flora.sandbox, flora.sandbox.new_account("genova", plan="Pro"), flora.root)
    payers = {"flora": flora.credentials, "genova": painter.credentials}
    wish: dict[str, Any] = {"photos": [str(folder)], "looks": ["On white marble", "studio-blur"], "takes": 2, "name": "looks"}
    wish |= {"accounts": {"flora": flora.name, "genova": flora.name}, "store": flora.name}

    def payer(provider: str, name: str) -> ProviderCredentials:
        assert name == flora.name
        return payers[provider]

    async def run(wish: dict[str, Any]) -> Any:
        return await run_directly(product_looks, wish, flora.store, payer)

    refused = await run({**wish, "budget": 5})
    bought_for_nothing = len(flora.jobs) + len(painter.jobs)
    ended = await run({**wish, "budget": 30})
    one_more = await run({**wish, "looks": [*wish["looks"], "In a forest"], "budget": 2})

    of_store = await run(
        wish | {"photos": ["store:looks/red-mug-studio-blur"], "looks": ["studio-blur"], "takes": 1, "name": "again"},
    )

    assert [len(result.assets) for result in of_store.result] == [1]
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
    assert {path.split("/")[1] for path in flora.stored if path.startswith("looks/")} == {
        result.name for result in ended.result
    } | {
        "red-mug-in-a-forest",
        "red-mug-in-a-forest-take-2",
    }
    assert [result.status for result in one_more.result] == ["Reused"] * 4 + ["Bought"] * 2
    assert (len(flora.jobs), len(painter.jobs)) == (3, 4)
