"""A campaign over all four providers by plain calls, with a bucket of a real S3 server as its store."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from blocks import AssetStore
from flows.campaign import campaign
from genmedia.errors import BudgetError, InputError
from genmedia.provenance.reading import read_assets
from genmedia.providers.handoff import HANDED_ON
from genmedia.store import Store
from tests.buckets import Buckets
from tests.companies import BLUR, CUP, FILM, FRAMED, SKETCH, Company, running_world
from tests.sandboxes import Sandbox
from tests.studio import run_directly

MODEL = {"name": "model", "template": "model_generate_fromimage"}


@pytest.fixture(scope="module")
def world(buckets: Buckets) -> Generator[Sandbox]:
    """A sandbox whose FLORA reads from the S3 server."""
    with running_world(buckets) as sandbox:
        yield sandbox


class DirectCompany(Company):
    """A company whose campaigns are carried out in this process."""

    async def run(self, name: str, *steps: dict[str, Any], **parameters: Any) -> Any:
        return await run_directly(campaign, self.wish(name, steps, parameters), self.store, self.payer)


@pytest.fixture
def company(world: Sandbox, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectCompany:
    monkeypatch.chdir(Path(__file__).parents[2])
    return DirectCompany(world, buckets.new(), f"sqlite:///{tmp_path}/journal.db")


async def test_a_step_with_several_inputs_is_fed_by_files_and_steps_and_generio_knows_whom_it_is_for(
    company: DirectCompany,
) -> None:
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


async def test_everything_that_does_not_fit_is_told_at_once_with_what_would_mend_it(company: DirectCompany) -> None:
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


async def test_each_provider_has_a_cap_of_its_own(company: DirectCompany) -> None:
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


async def test_an_asset_in_the_store_feeds_a_later_campaign(company: DirectCompany) -> None:
    (made,) = (await company.run("earlier", CUP)).result
    path = made.assets[0].path

    for name in (f"store:{path}", path, f"{company.place.root}/{path}"):
        ended = await company.run("later", {**BLUR, "inputs": [{"id": "input_image", "file": name}]})

        assert ended.name == "Completed", ended.message or ended.result
        assert ended.result[0].assets[0].sidecar.inputs[0].sha256 == made.assets[0].sha256
    assert company.asked("flora", "/assets") == 0
    assert company.bought == 2, "by each of its names it is the same"


async def test_a_photo_of_a_phone_goes_to_every_provider_by_any_of_its_names(
    company: DirectCompany, caplog: pytest.LogCaptureFixture
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


async def test_what_others_give_is_known_not_to_reach_flora_before_the_first_credit(
    company: DirectCompany, tmp_path: Path
) -> None:
    company.store = AssetStore(root=str(tmp_path / "media"))

    ended = await company.run("no-files", CUP, BLUR, SKETCH, FRAMED)

    assert isinstance(ended.result, InputError)
    assert [fault.place for fault in ended.result.faults] == ["step blur, input input_image", "step framed, input input_image"]
    assert company.bought == 0
    assert company.asked("flora", "/assets") == 1
