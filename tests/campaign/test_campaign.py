"""A campaign over all four providers by plain calls, with a bucket of a real S3 server as its store."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from flows.campaign import campaign
from genmedia.errors import BudgetError, InputError
from genmedia.provenance.reading import read_assets
from genmedia.providers.handoff import HANDED_ON
from genmedia.store import Place, Store
from tests.buckets import Buckets
from tests.sandboxes import Sandbox, running_sandbox
from tests.studio import run_directly

PROVIDERS = ("algovera", "flora", "generio", "genova")
CUP = {"name": "cup", "model": "imagen4", "prompt": "a red cup", "ratio": "square"}
BLUR = {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "cup"}]}
MODEL = {"name": "model", "template": "model_generate_fromimage"}
SKETCH = {"name": "sketch", "base_model": "stable", "prompt": "a blue cup", "seed": 7}
FRAMED = {"name": "framed", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "sketch"}]}
FILM = {"name": "film", "model": "veo3_fast", "prompt": "steam rises", "references": [{"step": "cup"}]}


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
        self.store = AssetStore(
            root=place.root,
            journal=SecretStr(journal),
            s3_key=place.key,
            s3_secret=SecretStr(place.secret),
            s3_endpoint=place.endpoint,
        )

    def payer(self, provider: str, name: str) -> ProviderCredentials:
        assert name == self.name
        account = self.accounts[provider]
        more: dict[str, Any] = {"input_origins": [self.place.endpoint]} if provider == "flora" else {}
        more |= {"price": 1} if provider == "generio" else {}
        known = {"api_key": account["api_key"], "base_url": account["base_url"], "account": self.name}
        return CREDENTIALS[provider.upper()].model_validate(known | more)

    async def run(self, name: str, *steps: dict[str, Any], **parameters: Any) -> Any:
        accounts = dict.fromkeys(PROVIDERS, self.name)
        wish = {"campaign": {"name": name, "steps": steps}, "accounts": accounts, "store": self.name, **parameters}
        return await run_directly(campaign, wish, self.store, self.payer)

    @property
    def bought(self) -> int:
        return sum(len(self.world.jobs(account)) for account in self.accounts.values())

    def asked(self, provider: str, route: str) -> int:
        lines = self.world.requests(self.accounts[provider])
        return sum(line["count"] for line in lines if line["route"].endswith(route))


@pytest.fixture
def company(world: Sandbox, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.chdir(Path(__file__).parents[2])
    return Company(world, buckets.new(), f"sqlite:///{tmp_path}/journal.db")


async def test_a_step_with_several_inputs_is_fed_by_files_and_steps_and_generio_knows_whom_it_is_for(company: Company) -> None:
    account = company.accounts["generio"]
    company.world.control(
        "POST", "/accounts", {"provider": "generio", "account": account["account"], "switches": {"named_inputs": True}}
    )
    views = {
        "name": "figure",
        "template": "model_generate_fromviews",
        "inputs": [{"id": "front", "step": "sketch"}, {"id": "back", "file": "photos/coffee.jpg"}],
    }

    first = await company.run("views", SKETCH, views, labels={"client": "acme", "genmedia": "mine"})
    second = await company.run("views", SKETCH, views | {"inputs": views["inputs"][::-1]}, labels={"client": "tea"})

    assert first.name == "Completed", first.message
    assert [result.status for result in second.result] == ["Reused", "Reused"]
    (job,) = company.world.jobs(account)
    assert job["request"]["additional"]["labels"] == {"client": "acme", "genmedia": "mine"}
    assert job["request"]["additional"]["genmedia"].endswith(":1")
    assert sorted(one["additional"]["input"] for one in job["request"]["inputs"]) == ["back", "front"]
    async with Store.lease(company.place) as store:
        (figure,) = [one.sidecar for one in (await read_assets(store)).assets if one.sidecar.step == "figure"]
    assert sorted(one.id for one in figure.inputs) == ["back", "front"]


async def test_everything_that_does_not_fit_is_told_at_once_with_what_would_mend_it(company: Company) -> None:
    ended = await company.run(
        "faulty",
        {**CUP, "ratio": "16:9"},
        SKETCH | {"base_model": "nothing"},
        FILM | {"references": []},
        {"name": "still", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "film"}]},
        {"name": "chair", "template": "model_generate_fromimage", "input": {"text": "a chair"}, "parameters": {"quality": "odd"}},
        {"name": "bench", "template": "model_generate_fromimage", "input": {"step": "film"}},
        {"name": "late", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "store:gone.png"}]},
    )

    assert isinstance(ended.result, InputError)
    told = "\n".join(map(str, ended.result.faults))
    for part in (
        "step 1 (cup), aspect_ratio",
        "step 2 (sketch), base model nothing: is unknown to Algovera",
        "step 4 (still), input input_image: is video, but image is needed; `at` takes a picture from it",
        "step 5 (chair), parameter quality",
        "step 6 (bench), input input: is video",
        "step 7 (late), input input_image: store:gone.png is not there",
    ):
        assert part in told
    assert company.bought == 0


async def test_each_provider_has_a_cap_of_its_own(company: Company) -> None:
    ended = await company.run("capped", CUP, BLUR, max_credits={"flora": 1, "genova": 100})

    assert isinstance(ended.result, BudgetError)
    assert "blur" in str(ended.result)
    in_dollars = await company.run("capped", CUP, BLUR, max_usd=1)
    assert isinstance(in_dollars.result, BudgetError)
    assert str(in_dollars.result).startswith("flora names its prices in credits, of which the cap of 1 USD says nothing.")
    assert company.bought == 0
    assert (await company.run("cups", CUP, max_usd=1)).name == "Completed", (
        "it says nothing of a provider that never asks for dollars"
    )


async def test_an_asset_in_the_store_feeds_a_later_campaign(company: Company) -> None:
    (made,) = (await company.run("earlier", CUP)).result
    path = made.assets[0].path

    for name in (f"store:{path}", path, f"{company.place.root}/{path}"):
        ended = await company.run("later", {**BLUR, "inputs": [{"id": "input_image", "file": name}]})

        assert ended.name == "Completed", ended.message or ended.result
        assert ended.result[0].assets[0].sidecar.inputs[0].sha256 == made.assets[0].sha256
    assert company.asked("flora", "/assets") == 0
    assert company.bought == 2, "by each of its names it is the same"


async def test_a_photo_of_a_phone_goes_to_every_provider_by_any_of_its_names(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    phone, sample = "tests/media/photo.heic", company.world.sample

    ended = await company.run(
        "photos",
        CUP | {"model": "nano_banana2", "references": [{"file": phone}, {"file": sample}]},
        {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": Path(phone).absolute().as_uri()}]},
        {"name": "scan", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": "tests/media/photo-lzw.tiff"}]},
        {"name": "near", "technique": "studio-blur", "inputs": [{"id": "input_image", "file": sample}]},
        MODEL | {"input": {"file": f'"{phone}"'}},
    )

    assert ended.name == "Completed", ended.message or ended.result
    told = {record.message for record in caplog.records}
    assert "blur, input_image: turned into a JPEG, by a signed link to the store" in told
    assert "near, input_image: by its own address" in told
    assert "model, input: in the request, turned into a JPEG" in told
    async with Store.lease(company.place) as store:
        handed = [path async for path, *_ in store.files.walk() if path.startswith(HANDED_ON)]
        assert len(handed) == 2
        for path in handed:
            with Image.open(await store.files.copy(path)) as sent:
                assert (sent.format, sent.size) == ("JPEG", (360, 240))


async def test_what_others_give_is_known_not_to_reach_flora_before_the_first_credit(company: Company, tmp_path: Path) -> None:
    company.store = AssetStore(root=str(tmp_path / "media"))

    ended = await company.run("no-files", CUP, BLUR, SKETCH, FRAMED)

    assert isinstance(ended.result, InputError)
    assert [fault.place for fault in ended.result.faults] == ["step blur, input input_image", "step framed, input input_image"]
    assert company.bought == 0
    assert company.asked("flora", "/assets") == 1
