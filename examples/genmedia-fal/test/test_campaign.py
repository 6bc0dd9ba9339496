"""A campaign that hands on between fal and FLORA, in the flow that genmedia has."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from blocks import AssetStore, FloraCredentials
from deployments.local_run import run_here
from flows.account_report import account_report
from flows.campaign import campaign
from genmedia.errors import BudgetError, InputError
from genmedia.provenance.reading import read_assets
from genmedia.store import Place, Store
from genmedia_fal.blocks import FalCredentials
from genmedia_fal.prices import PRICES
from tests.sandboxes import Sandbox

SQUARE = {"image_size": "square", "seed": 1}
CUP = {"name": "cup", "endpoint": "fal-ai/flux/dev", "prompt": "a red cup", "parameters": SQUARE}
BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "cup"}]}
SNOW = {"name": "snow", "endpoint": "fal-ai/flux-pro/kontext", "prompt": "in snow", "image": {"step": "blur"}}
FILM = {"name": "film", "endpoint": "fal-ai/ltx-2/image-to-video", "prompt": "a slow push", "image": {"step": "snow"}}
ALL = (CUP, BLUR, SNOW, FILM)


class Company:
    """Accounts at fal and FLORA, and a store in a folder."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.fal = sandbox.new_account("fal")
        self.flora = sandbox.new_account("flora", switches={"assets": True})
        self.name = self.fal["account"]
        self.place = Place(str(folder / "media"))

    async def save_blocks(self) -> None:
        for block, account in ((FalCredentials, self.fal), (FloraCredentials, self.flora)):
            known = {"api_key": account["api_key"], "base_url": account["base_url"], "account": self.name}
            await block.model_validate(known).asave(self.name, overwrite=True)
        await AssetStore(root=self.place.root).asave(self.name, overwrite=True)

    async def run(self, *steps: dict[str, Any], **parameters: Any) -> Any:
        accounts = dict.fromkeys(("fal", "flora"), self.name)
        wish = {"campaign": {"name": "cup", "steps": steps}, "accounts": accounts, "store": self.name, **parameters}
        return await run_here(campaign, wish)

    @property
    def bought(self) -> list[str]:
        return [job["operation"] for account in (self.fal, self.flora) for job in self.sandbox.jobs(account)]


@pytest.fixture
async def company(prefect: str, sandbox: Sandbox, tmp_path: Path) -> Company:
    made = Company(sandbox, tmp_path)
    await made.save_blocks()
    return made


async def test_fal_and_flora_hand_on_to_each_other_and_nothing_is_bought_again(company: Company) -> None:
    first = await company.run(*ALL)
    bought = company.bought
    second = await company.run(*ALL)

    assert first.name == "Completed", first.message or first.result
    assert "fal 0.425 USD, flora " in first.message
    assert {result.status for result in second.result} == {"Reused"}
    assert bought == company.bought
    assert len(bought) == len(ALL)
    async with Store.lease(company.place) as store:
        sidecars: dict[str, Any] = {asset.sidecar.step: asset.sidecar.write() for asset in (await read_assets(store)).assets}
        for sidecar in sidecars.values():
            assert hashlib.sha256(await store.files.read(sidecar["file"]["path"])).hexdigest() == sidecar["file"]["sha256"]
    made = {step: sidecar["file"]["sha256"] for step, sidecar in sidecars.items()}
    assert {step: [one["sha256"] for one in sidecar["inputs"]] for step, sidecar in sidecars.items()} == {
        "cup": [],
        "blur": [made["cup"]],
        "snow": [made["blur"]],
        "film": [made["snow"]],
    }
    assert sidecars["film"]["file"]["media_type"] == "video/mp4"
    assert company.sandbox.leaked() == 0


async def test_the_report_of_an_account_shows_the_models_that_it_may_buy(company: Company) -> None:
    ended = await run_here(account_report, {"provider": "fal", "account": company.name})

    assert ended.name == "Completed", ended.message
    assert ended.message == f"models: {len(PRICES)}"
    assert company.bought == []


async def test_a_cap_in_usd_is_kept_before_anything_is_bought(company: Company) -> None:
    ended = await company.run(CUP, BLUR, SNOW, max_credits={"fal": 0.05})

    assert isinstance(ended.result, BudgetError), ended.message
    assert company.bought == []


async def test_a_model_that_the_table_does_not_have_is_told_before_anything_is_bought(company: Company) -> None:
    ended = await company.run(CUP, {**SNOW, "endpoint": "fal-ai/other"}, BLUR)

    assert isinstance(ended.result, InputError), ended.message
    assert "fal-ai/other" in str(ended.result)
    assert "fal-ai/flux/dev" in str(ended.result), "those that it has are told"
    assert company.bought == []


async def test_a_lost_answer_holds_what_depends_on_it_and_is_not_bought_again(company: Company) -> None:
    company.sandbox.fault(company.fal, "lose_answer", route="submit")

    first = await company.run(CUP, BLUR)
    second = await company.run(CUP, BLUR)

    assert [first.name, second.name] == ["Partial", "Partial"], first.message
    assert company.bought == ["fal-ai/flux/dev"]
