"""The end of a job: its outputs are fetched, verified and stored with their provenance, and nothing that is paid for is lost."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from genmedia import errors
from genmedia.buying import Order, Outcome, Purchase, Submit, buy
from genmedia.http import Gate
from genmedia.inspection.expectations import Expected
from genmedia.jobs import Account, Job, JobStatus, Output
from genmedia.journal import AttemptState, Journal, Purpose, StoredAsset
from genmedia.keys import hash_file
from genmedia.provenance.reading import read_assets
from genmedia.provenance.sidecar import read_sidecar
from genmedia.providers.flora import FloraClient, RunInput
from genmedia.receiving import receive_outputs
from genmedia.store import Place, Store
from tests.sandboxes import Sandbox

PURPOSE = Purpose("coffee", "hero", [{"id": "input_image", "sha256": "ab" * 32, "from": "photo.jpg"}])


@dataclass
class Receiver:
    """An account, its journal and its store."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: FloraClient
    journal: Journal
    store: Store

    async def buy(self, slug: str = "studio-blur", price: float = 3) -> tuple[Purchase, Job]:
        """Buy a run and look at it until it has succeeded."""

        async def submit(key: str, gate: Gate) -> str:
            photo = RunInput(id="input_image", type="imageUrl", value=self.sandbox.sample)
            return (await self.client.create_run(slug, [photo], idempotency_key=key)).run_id

        async def prepare() -> Submit:
            return submit

        request = {"technique": slug, "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "ab" * 32}}]}
        order = Order(self.client.account, f"technique {slug}", request, price, "credits", purpose=PURPOSE)
        purchase = await buy(self.journal, order, prepare, has=self.store.has, recover=self.client.recover)
        return purchase, (await self.client.get_run(slug, purchase.job_id)).as_job()

    async def receive(self, purchase: Purchase, job: Job) -> tuple[StoredAsset, ...]:
        return (await receive_outputs(self.client, self.store, self.journal, purchase, job)).assets

    @property
    def root(self) -> Path:
        return Path(self.store.label)

    async def state(self, purchase: Purchase) -> AttemptState:
        attempt = await self.journal.live_attempt(purchase.key)
        assert attempt is not None
        return attempt.state

    def files(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).rglob("*") if path.is_file())


@pytest.fixture
async def receiver(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Receiver]:
    monkeypatch.setattr("genmedia.http.ATTEMPTS", 2)
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]})
    payer = Account("flora", account["base_url"], account["account"])
    place = Place(str(tmp_path))
    async with (
        FloraClient.lease(payer, account["api_key"]) as client,
        Journal.lease(place.journal_url()) as journal,
        Store.lease(place) as store,
    ):
        yield Receiver(sandbox, account, client, journal, store)


async def test_a_run_ends_in_the_store_with_a_sidecar_and_in_the_journal(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()

    (asset,) = await receiver.receive(purchase, job)

    file = receiver.root / asset.path
    assert asset.path == f"coffee/hero/output_image{file.suffix}"
    assert asset.sha256 == hash_file(file)
    sidecar = json.loads((receiver.root / f"{asset.path}.json").read_text())
    assert sidecar == asset.sidecar
    assert sidecar["campaign"] == "coffee"
    assert sidecar["step"] == "hero"
    assert sidecar["provider"] == "flora"
    assert sidecar["account"] == str(receiver.client.account)
    assert sidecar["operation"] == "technique studio-blur"
    assert sidecar["remote_id"] == job.id
    assert sidecar["submission_key"] == purchase.key
    assert (sidecar["attempt"], sidecar["take"]) == (1, 1)
    assert sidecar["request"] == purchase.order.request
    assert sidecar["inputs"] == PURPOSE.inputs
    assert sidecar["cost"] == {"price": 3, "charged": 3, "unit": "credits"}
    assert sidecar["times"].keys() == {"created", "started", "completed", "stored"}
    assert (sidecar["output"]["id"], sidecar["output"]["kind"]) == ("output_image", "image")
    assert (sidecar["file"]["sha256"], sidecar["file"]["bytes"]) == (asset.sha256, file.stat().st_size)
    assert max(sidecar["file"]["width"], sidecar["file"]["height"]) == 256
    assert await receiver.store.thumbnail(asset.sha256)

    attempt = await receiver.journal.live_attempt(purchase.key)
    assert attempt is not None
    assert (attempt.state, attempt.charged) == (AttemptState.STORED, 3)
    assert await receiver.journal.assets(purchase.attempt) == [asset]


async def test_a_file_of_another_size_than_asked_for_is_stored_with_a_warning(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    asked = replace(purchase, order=replace(purchase.order, expects=Expected(width=8, height=8)))

    (asset,) = await receiver.receive(asked, job)

    (warning,) = asset.sidecar["warnings"]
    assert warning.startswith("asked for 8 x 8 pixels, came ")


async def test_a_job_that_the_provider_says_was_asked_for_otherwise_is_stored_with_a_warning(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()

    (asset,) = await receiver.receive(purchase, replace(job, echo={"technique": "product-motion", "mood": "calm"}))

    assert asset.sidecar["warnings"] == ["flora says that technique was product-motion, asked for was studio-blur"]


async def test_the_same_wish_is_then_met_from_the_store(receiver: Receiver) -> None:
    assets = await receiver.receive(*await receiver.buy())

    again, _ = await receiver.buy()

    assert (again.outcome, again.assets) == (Outcome.REUSED, assets)
    assert len(receiver.sandbox.jobs(receiver.account)) == 1


async def test_a_picture_with_its_provenance_in_it_is_known_by_what_it_is_and_by_what_it_came_as(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with Store.lease(Place(str(tmp_path / "told")), embed_provenance=True) as receiver.store:
        purchase, job = await receiver.buy()
        (asset,) = await receiver.receive(purchase, job)
        file = receiver.root / asset.path
        about = asset.sidecar["file"]
        content = file.read_bytes()

        assert (asset.sha256, about["bytes"]) == (hash_file(file), len(content))
        assert about["original_sha256"] == asset.came_as != asset.sha256
        assert purchase.key.encode() in content
        for digest in (asset.sha256, asset.came_as):
            assert await receiver.journal.paths_of(digest) == [asset.path]
            assert await receiver.journal.twins(digest, "another") == [asset.path]
        assert await receiver.store.thumbnail(asset.sha256)
        again, _ = await receiver.buy()
        assert (again.outcome, again.assets) == (Outcome.REUSED, (asset,))

        file.unlink()
        again, job = await receiver.buy()
        (fetched,) = await receiver.receive(again, job)
        assert (again.outcome, fetched.path, fetched.sha256) == (Outcome.REATTACHED, asset.path, asset.sha256)


async def test_an_input_that_is_an_asset_is_told_with_its_path(receiver: Receiver) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    purchase, job = await receiver.buy("relight-technique")
    known = {"id": "input_image", "sha256": asset.sha256, "from": "photo.jpg"}
    named, text = {**known, "asset": "of/another.png"}, {"id": "prompt", "text": "a cup"}
    purpose = Purpose("coffee", "next", [known, named, text, *PURPOSE.inputs])
    wanted = replace(purchase, order=replace(purchase.order, purpose=purpose))

    ((made,), _) = await receive_outputs(receiver.client, receiver.store, receiver.journal, wanted, job)

    assert made.sidecar["inputs"] == [{**known, "asset": asset.path}, named, text, *PURPOSE.inputs]


async def test_a_time_that_is_none_is_left_out_so_that_the_sidecar_reads(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    odd = replace(job, times={"created": "2026-03-01T12:00:00", "started": "yesterday", "completed": "2026-03-01T12:00:09+02:00"})

    (asset,) = await receiver.receive(purchase, odd)

    told = read_sidecar((receiver.root / f"{asset.path}.json").read_bytes()).times
    assert told.started is None
    assert told.created == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert told.completed == datetime(2026, 3, 1, 10, 0, 9, tzinfo=UTC)


async def test_no_key_and_no_signature_is_left_in_the_store(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    leaked = receiver.sandbox.leaked()
    signed = replace(job, outputs=tuple(replace(one, url=f"{one.url}?X-Amz-Signature=5167a7e#x") for one in job.outputs))
    wrong = replace(signed.outputs[0], id="wrong", kind="video")

    with pytest.raises(errors.MediaTypeError):
        await receiver.receive(purchase, replace(signed, outputs=(*signed.outputs, wrong)))

    (kept,) = (await read_assets(receiver.store)).assets
    assert kept.sidecar.output.source == (job.outputs[0].url or "")
    left = b"".join(path.read_bytes() for path in receiver.root.rglob("*") if path.is_file())
    assert b"5167a7e" not in left
    assert receiver.account["api_key"].encode() not in left
    assert receiver.sandbox.leaked() == leaked


async def test_a_text_is_stored_as_a_text_file_beside_the_pictures(receiver: Receiver) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)

    critique, redesign = await receiver.receive(purchase, job)

    assert critique.path == "coffee/hero/critique.txt"
    assert (receiver.root / critique.path).read_text() == job.outputs[0].text
    assert (critique.sidecar["output"]["kind"], critique.sidecar["output"]["source"]) == ("text", None)
    assert critique.sidecar["file"]["media_type"] == "text/plain"
    assert redesign.sidecar["file"]["media_type"].startswith("image/")


@pytest.mark.parametrize(("fault", "error"), [("wrong_bytes", "MediaTypeError"), ("cut_short", "DamagedMediaError")])
async def test_a_bad_output_is_kept_in_quarantine_and_the_good_ones_are_stored(
    receiver: Receiver, fault: str, error: str
) -> None:
    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    receiver.sandbox.fault(receiver.account, fault, after=1)

    with pytest.raises(errors.MediaError, match=r"output story is not what it should be: .* The job is paid for\.") as refused:
        await receiver.receive(purchase, job)

    assert type(refused.value).__name__ == error
    kept = (await read_assets(receiver.store)).assets
    assert {asset.sidecar.output.id for asset in kept} == {"billboard", "banner", "poster"}
    bad, evidence = receiver.files("quarantine")
    assert f"quarantine/{bad}" in str(refused.value)
    told = json.loads((receiver.root / "quarantine" / evidence).read_text())
    assert (told["output"], told["error"], told["remote_id"]) == ("story", error, job.id)
    assert told["sha256"] == hash_file(receiver.root / "quarantine" / bad)
    assert await receiver.state(purchase) is AttemptState.BOUND

    again, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    assert again.outcome is Outcome.REATTACHED
    assert len(await receiver.receive(again, job)) == 4
    assert await receiver.state(purchase) is AttemptState.STORED
    assert len(receiver.files("coffee")) == 8
    assert len(receiver.sandbox.jobs(receiver.account)) == 1


@pytest.mark.parametrize(
    ("fault", "arguments", "expected"),
    [
        ("truncated", {}, errors.BrokenDownloadError),
        ("expired", {}, errors.ExpiredLinkError),
        ("redirect", {"route": "download", "location": "https://10.0.0.5/a.png"}, errors.ForbiddenAddressError),
    ],
)
async def test_an_output_that_cannot_be_fetched_is_named_and_the_job_stays_bought(
    receiver: Receiver, fault: str, arguments: dict[str, Any], expected: type[Exception]
) -> None:
    purchase, job = await receiver.buy()
    receiver.sandbox.fault(receiver.account, fault, times=None, **arguments)

    with pytest.raises(expected, match=rf"\(flora technique studio-blur, job {job.id}, .*, output output_image\)"):
        await receiver.receive(purchase, job)

    assert await receiver.state(purchase) is AttemptState.BOUND
    assert receiver.files("coffee") == []
    assert receiver.files(".genmedia/incoming") == []


async def test_an_output_larger_than_the_store_takes_is_refused(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    receiver.store = Store(receiver.store.files, max_bytes=100)

    with pytest.raises(errors.OversizeError, match="more than 100 bytes"):
        await receiver.receive(purchase, job)


async def test_a_full_disk_is_told_as_the_stores_fault(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    purchase, job = await receiver.buy()
    name = UUID(int=1)
    monkeypatch.setattr("genmedia.store.store.uuid4", lambda: name)
    with receiver.store.incoming() as incoming:
        incoming.path.unlink()
    incoming.path.symlink_to("/dev/full")

    with pytest.raises(errors.StoreError, match="took no more"):
        await receiver.receive(purchase, job)
    assert await receiver.state(purchase) is AttemptState.BOUND


async def test_two_outputs_of_one_name_are_judged_and_kept_apart(receiver: Receiver) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)
    _, picture = job.outputs
    texts = [Output(picture.id, "text", text=words) for words in ("first words", "other words")]

    assets = await receiver.receive(purchase, Job(job.id, JobStatus.SUCCEEDED, outputs=(texts[0], picture, texts[1])))

    assert len({asset.path for asset in assets}) == 3
    assert [asset.sidecar["file"]["media_type"].split("/")[0] for asset in assets] == ["text", "image", "text"]
    assert [(receiver.root / assets[n].path).read_text() for n in (0, 2)] == ["first words", "other words"]
