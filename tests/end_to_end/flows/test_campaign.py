"""A campaign over all four providers, with a bucket of a real S3 server as its store."""

import asyncio
import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client

from blocks import AssetStore
from deployments.local_run import run_here
from flows.campaign import campaign
from genmedia.provenance.reading import read_assets
from genmedia.store import Store
from tests.buckets import Buckets
from tests.companies import BLUR, CUP, FILM, FRAMED, SKETCH, Company, running_world
from tests.end_to_end.flows.workers import bars_of
from tests.sandboxes import Sandbox

LIGHT = {"name": "light", "technique": "relight-technique", "inputs": [{"id": "input_image", "step": "blur"}]}
MODEL = {"name": "model", "template": "model_generate_fromimage", "input": {"step": "light"}}
STILL = {"name": "still", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "film", "at": 0.5}]}
ALL = (CUP, BLUR, LIGHT, MODEL, SKETCH, FRAMED, FILM, STILL)


@pytest.fixture(scope="module")
def world(buckets: Buckets) -> Generator[Sandbox]:
    """A sandbox whose FLORA reads from the S3 server."""
    with running_world(buckets) as sandbox:
        yield sandbox


class PrefectCompany(Company):
    """A company whose campaigns are flow runs of Prefect."""

    async def save_blocks(self) -> None:
        for provider in self.accounts:
            await self.payer(provider, self.name).asave(self.name, overwrite=True)
        await self.store.asave(self.name, overwrite=True)

    async def run(self, name: str, *steps: dict[str, Any], **parameters: Any) -> Any:
        return await run_here(campaign, self.wish(name, steps, parameters))


@pytest.fixture
async def company(prefect: str, world: Sandbox, buckets: Buckets, tmp_path: Path) -> PrefectCompany:
    made = PrefectCompany(world, buckets.new(), f"sqlite:///{tmp_path}/journal.db")
    await made.save_blocks()
    return made


async def test_a_chain_over_all_four_providers_ends_in_the_bucket_whole_and_is_not_bought_again(
    company: PrefectCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.bars.LONG_SECONDS", 0.0)
    first = await company.run("all-four", *ALL)
    bought = company.bought
    second = await company.run("all-four", *ALL)

    assert first.name == "Completed", first.message or first.result
    told = "charged: algovera 1 credit, flora 13 credits, generio 1 credit, genova 2 credits"
    assert told in first.message, "what two providers took is never added"
    assert {result.name: result.status for result in first.result} == {str(step["name"]): "Bought" for step in ALL}
    assert {result.status for result in second.result} == {"Reused"}
    assert bought == company.bought == len(ALL)
    assert await bars_of(first.page.rpartition("/")[2]) == [(100, "succeeded")] * len(ALL)
    assert company.world.leaked() == 0
    async with Store.lease(company.place) as store:
        contents = await read_assets(store)
        sidecars: dict[str, dict[str, Any]] = {asset.sidecar.step: asset.sidecar.write() for asset in contents.assets}
        assert sidecars.keys() == {str(step["name"]) for step in ALL}
        for sidecar in sidecars.values():
            content = await store.files.read(sidecar["file"]["path"])
            assert hashlib.sha256(content).hexdigest() == sidecar["file"]["sha256"]
            assert len(content) == sidecar["file"]["bytes"]
        assert "index.html" in contents.there
    fed = {step: [one.get("sha256") for one in sidecar["inputs"]] for step, sidecar in sidecars.items()}
    made = {step: sidecar["file"]["sha256"] for step, sidecar in sidecars.items()}
    assert fed == {
        "cup": [],
        "blur": [made["cup"]],
        "light": [made["blur"]],
        "model": [made["light"]],
        "sketch": [],
        "framed": [made["sketch"]],
        "film": [made["cup"]],
        "still": [made["film"]],
    }
    assert sidecars["still"]["inputs"][0]["at"] == "0.5"
    assert sidecars["model"]["file"]["media_type"] == "model/gltf-binary"


async def test_what_flora_can_read_by_a_signed_link_is_not_put_up_and_the_log_tells_it_before(
    company: PrefectCompany, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await company.run("linked", SKETCH, FRAMED)

    assert ended.name == "Completed", ended.message
    assert company.asked("flora", "/assets") == 0
    told = [record.message for record in caplog.records]
    handing_on = told.index("framed, input_image: by a signed link to the store")
    assert any("flora: 1 to buy for at most" in line for line in told[:handing_on]), "the plan is told first"
    assert not any("Bought" in line for line in told[:handing_on]), "it is told before anything is bought"
    assert company.place.secret not in caplog.text


async def test_without_such_a_store_inputs_are_put_up_at_flora(company: PrefectCompany, tmp_path: Path) -> None:
    company.world.control(
        "POST", "/accounts", {"provider": "flora", "account": company.accounts["flora"]["account"], "switches": {"assets": True}}
    )
    await AssetStore(root=str(tmp_path / "media")).asave(company.name, overwrite=True)

    ended = await company.run("put-up", CUP, BLUR)

    assert ended.name == "Completed", ended.message or ended.result
    assert company.asked("flora", "/assets") == 2, "once whether it takes files, once with the file"
    assert await asyncio.to_thread((tmp_path / "media" / "index.html").is_file)


async def test_a_campaign_s_file_is_a_run_with_its_name_and_wrong_lines_are_told_in_its_state(company: PrefectCompany) -> None:
    text = f"""\
campaign: Two cups
accounts: {{genova: {company.name}}}
store: {company.name}
rows: [{{sku: red}}, {{sku: blue}}]
steps:
  - {{name: cup, model: imagen4, prompt: "a {{{{ row.sku }}}} cup"}}
"""

    ended = await run_here(campaign, {"campaign": text})
    wrong = await run_here(campaign, {"campaign": text.replace("row.sku", "row.colour")})

    assert ended.name == "Completed", ended.message
    assert {result.name: result.status for result in ended.result} == {"cup-red": "Bought", "cup-blue": "Bought"}
    async with get_client() as client:
        assert (await client.read_flow_run(UUID(ended.page.rpartition("/")[2]))).name == "Two cups"
    assert wrong.name == "Refused"
    assert "campaign:6:41, step cup: names row.colour, which is not there; there are name, sku" in wrong.message
