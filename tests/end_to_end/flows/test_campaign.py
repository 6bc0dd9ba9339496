"""A campaign over all four providers, with a bucket of a real S3 server as its store."""

import asyncio
import hashlib
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks import AssetStore
from deployments.bootstrap import CREDENTIALS
from deployments.local_run import run_here
from flows.campaign import campaign
from genmedia.provenance.reading import read_assets
from genmedia.store import Place, Store
from tests.buckets import Buckets
from tests.end_to_end.flows.workers import bars_of
from tests.sandboxes import Sandbox, running_sandbox

PROVIDERS = ("algovera", "flora", "generio", "genova")
CUP = {"name": "cup", "model": "imagen4", "prompt": "a red cup", "ratio": "square"}
BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "cup"}]}
LIGHT = {"name": "light", "technique": "relight-technique", "inputs": [{"id": "input_image", "step": "blur"}]}
MODEL = {"name": "model", "template": "model_generate_fromimage", "input": {"step": "light"}}
SKETCH = {"name": "sketch", "base_model": "stable", "prompt": "a blue cup", "seed": 7}
FRAMED = {"name": "framed", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "sketch"}]}
FILM = {"name": "film", "model": "veo3_fast", "prompt": "steam rises", "references": [{"step": "cup"}]}
STILL = {"name": "still", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "film", "at": 0.5}]}
ALL = (CUP, BLUR, LIGHT, MODEL, SKETCH, FRAMED, FILM, STILL)


@pytest.fixture(scope="module")
def world(buckets: Buckets) -> Generator[Sandbox]:
    """A sandbox whose FLORA reads from the S3 server."""
    options = {"clock_scale": 50, "size": 256, "input_origins": [buckets.url]}
    with running_sandbox(json.dumps(options)) as sandbox:
        yield sandbox


class Company:
    """Accounts at all providers, and a bucket."""

    def __init__(self, world: Sandbox, place: Place, journal: str) -> None:
        self.world = world
        self.place = place
        self.accounts = {provider: world.new_account(provider) for provider in PROVIDERS}
        self.name = self.accounts["flora"]["account"]
        self._journal = journal

    async def save_blocks(self) -> None:
        for provider, account in self.accounts.items():
            more: dict[str, Any] = {"input_origins": [self.place.endpoint]} if provider == "flora" else {}
            more |= {"price": 1} if provider == "generio" else {}
            known = {"api_key": account["api_key"], "base_url": account["base_url"], "account": self.name}
            await CREDENTIALS[provider.upper()].model_validate(known | more).asave(self.name, overwrite=True)
        store = AssetStore(
            root=self.place.root,
            journal=SecretStr(self._journal),
            s3_key=self.place.key,
            s3_secret=SecretStr(self.place.secret),
            s3_endpoint=self.place.endpoint,
        )
        await store.asave(self.name, overwrite=True)

    async def run(self, name: str, *steps: dict[str, Any], **parameters: Any) -> Any:
        accounts = dict.fromkeys(PROVIDERS, self.name)
        wish = {"campaign": {"name": name, "steps": steps}, "accounts": accounts, "store": self.name, **parameters}
        return await run_here(campaign, wish)

    @property
    def bought(self) -> int:
        return sum(len(self.world.jobs(account)) for account in self.accounts.values())

    def asked(self, provider: str, route: str) -> int:
        lines = self.world.requests(self.accounts[provider])
        return sum(line["count"] for line in lines if line["route"].endswith(route))


@pytest.fixture
async def company(prefect: str, world: Sandbox, buckets: Buckets, tmp_path: Path) -> Company:
    made = Company(world, buckets.new(), f"sqlite:///{tmp_path}/journal.db")
    await made.save_blocks()
    return made


async def test_a_chain_over_all_four_providers_ends_in_the_bucket_whole_and_is_not_bought_again(company: Company) -> None:
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
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await company.run("linked", SKETCH, FRAMED)

    assert ended.name == "Completed", ended.message
    assert company.asked("flora", "/assets") == 0
    told = [record.message for record in caplog.records]
    handing_on = told.index("framed, input_image: by a signed link to the store")
    assert any("flora: 1 to buy for at most" in line for line in told[:handing_on]), "the plan is told first"
    assert not any("Bought" in line for line in told[:handing_on]), "it is told before anything is bought"
    assert company.place.secret not in caplog.text


async def test_without_such_a_store_inputs_are_put_up_at_flora(company: Company, tmp_path: Path) -> None:
    company.world.control(
        "POST", "/accounts", {"provider": "flora", "account": company.accounts["flora"]["account"], "switches": {"assets": True}}
    )
    await AssetStore(root=str(tmp_path / "media")).asave(company.name, overwrite=True)

    ended = await company.run("put-up", CUP, BLUR)

    assert ended.name == "Completed", ended.message or ended.result
    assert company.asked("flora", "/assets") == 2, "once whether it takes files, once with the file"
    assert await asyncio.to_thread((tmp_path / "media" / "index.html").is_file)
