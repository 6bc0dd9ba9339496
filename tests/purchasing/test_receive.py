"""The end of a job: its outputs are fetched, verified and stored with their provenance, and nothing that is paid for is lost."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from genmedia import errors
from genmedia.campaign.executor import order_for, outputs_of, survey
from genmedia.campaign.marks import Selection
from genmedia.forms.names import placed
from genmedia.gallery.entries import read_refused
from genmedia.jobs.job import Account, Job, JobStatus, Output
from genmedia.journal import AttemptState, Duplicate, Journal, Purpose, StoredAsset, add_up
from genmedia.journal.order import Order
from genmedia.media.conformance import Expected
from genmedia.media.hashing import hash_file
from genmedia.provenance.manifest import make_manifest
from genmedia.provenance.reading import read_assets
from genmedia.provenance.rebuild import rebuild_journal
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.providers.flora.steps import KINDS
from genmedia.providers.handoff import file_of
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.steps import Operation, PlannedStep
from genmedia.purchasing.buy import Outcome, Purchase, Submit, buy
from genmedia.purchasing.receive import DUPLICATES, OUTPUTS, receive_outputs
from genmedia.purchasing.recover import Fate, harvest
from genmedia.purchasing.uses import tell_uses
from genmedia.store import Place, Store
from genmedia.store.named_files import files_at_hand
from genmedia.store.sidecar import Cost, coordinates, read_sidecar
from genmedia.text.plain import REASON_CHARACTERS
from genmedia.transport.session import Gate
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

    async def buy(
        self, slug: str = "studio-blur", price: float = 3, order: Order | None = None, purpose: Purpose = PURPOSE
    ) -> tuple[Purchase, Job]:
        """Buy a run and look at it until it has succeeded."""

        async def submit(key: str, gate: Gate) -> str:
            photo = RunInput(id="input_image", type="imageUrl", value=self.sandbox.sample)
            return (await self.client.create_run(slug, [photo], idempotency_key=key)).run_id

        async def prepare() -> Submit:
            return submit

        request = {"technique": slug, "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "ab" * 32}}]}
        order = order or Order(self.client.account, f"technique {slug}", request, price, "credits", purpose=purpose)
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
    monkeypatch.setattr("genmedia.transport.session.ATTEMPTS", 2)
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
    assert sidecar == asset.sidecar.write()
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

    (warning,) = asset.sidecar.warnings
    assert warning.startswith("asked for 8 x 8 pixels, came ")


async def test_a_job_that_the_provider_says_was_asked_for_otherwise_is_stored_with_a_warning(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()

    (asset,) = await receiver.receive(purchase, replace(job, echo={"technique": "product-motion", "mood": "calm"}))

    assert asset.sidecar.warnings == ("flora says that technique was product-motion, asked for was studio-blur",)


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
        about = asset.sidecar.file
        content = file.read_bytes()

        assert (asset.sha256, about.bytes) == (hash_file(file), len(content))
        assert about.original_sha256 == asset.came_as != asset.sha256
        assert purchase.key.encode() in content
        for digest in (asset.sha256, asset.came_as):
            assert await receiver.journal.paths_of(digest) == [asset.path]
            assert [duplicate.path for duplicate in (await receiver.journal.duplicates(digest, "another", 5))[0]] == [asset.path]
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

    assert made.sidecar.write()["inputs"] == [{**known, "asset": asset.path}, named, text, *PURPOSE.inputs]


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


async def test_a_text_is_stored_whole_however_long_and_without_what_nothing_takes(receiver: Receiver) -> None:
    receiver.sandbox.fault(receiver.account, "nul", route="get_run", times=None)
    purchase, job = await receiver.buy("art-directors-critique", 6)
    critique, redesign = job.outputs
    words = f"{critique.text}{'long ' * REASON_CHARACTERS}"

    assets = await receiver.receive(purchase, replace(job, outputs=(replace(critique, text=words), redesign)))

    assert (receiver.root / assets[0].path).read_text() == words
    assert "\0" not in words
    assert "\ufffd\ufffd" in words


async def test_a_text_that_is_larger_than_the_store_takes_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)
    monkeypatch.setattr(receiver.store, "max_bytes", 10)

    with pytest.raises(errors.OversizeError, match="the text has more than 10 bytes"):
        await receiver.receive(purchase, replace(job, outputs=job.outputs[:1]))


async def test_a_text_is_stored_as_a_text_file_beside_the_pictures(receiver: Receiver) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)

    critique, redesign = await receiver.receive(purchase, job)

    assert critique.path == "coffee/hero/critique.txt"
    assert (receiver.root / critique.path).read_text() == job.outputs[0].text
    assert (critique.sidecar.output.kind, critique.sidecar.output.source) == ("text", None)
    assert critique.sidecar.file.media_type == "text/plain"
    assert redesign.sidecar.file.media_type.startswith("image/")


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
    assert [asset.sidecar.file.media_type.split("/")[0] for asset in assets] == ["text", "image", "text"]
    assert [(receiver.root / assets[n].path).read_text() for n in (0, 2)] == ["first words", "other words"]


async def test_equal_outputs_with_one_name_are_stored_apart_reused_and_in_a_rebuilt_journal(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.sandbox.fault(receiver.account, "same_output_ids", times=None)
    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)

    assets = await receiver.receive(purchase, job)

    assert len({output.id for output in job.outputs}) == 1
    assert len({asset.path for asset in assets}) == 4
    assert len({asset.sha256 for asset in assets}) == 1
    assert [asset.number for asset in assets] == [1, 2, 3, 4]
    assert [len(asset.sidecar.warnings) for asset in assets] == [0, 1, 1, 1]
    assert await receiver.journal.assets(purchase.attempt) == [*assets]
    again, _ = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    assert (again.outcome, again.assets) == (Outcome.REUSED, assets)

    (receiver.root / assets[2].path).unlink()
    again, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    stored = await receiver.receive(again, job)
    assert [asset.path for asset in stored] == [asset.path for asset in assets]

    async with Journal.lease(f"sqlite:///{tmp_path}/rebuilt.db") as rebuilt:
        made = await rebuild_journal(receiver.store, rebuilt)
        assert (made.added, made.passed_over) == (4, {})
        attempt = await rebuilt.live_attempt(purchase.key)
        assert attempt is not None
        assert attempt.state is AttemptState.STORED
        assert [asset.path for asset in await rebuilt.assets(attempt.id)] == [asset.path for asset in assets]


async def test_outputs_that_are_listed_in_another_order_later_are_stored_over_themselves(receiver: Receiver) -> None:
    assets = await receiver.receive(*await receiver.buy("turn-any-product-into-4-ad-visuals", 8))
    (receiver.root / assets[1].path).unlink()

    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    again = await receiver.receive(purchase, replace(job, outputs=job.outputs[::-1]))

    assert [(asset.path, asset.sha256, asset.number) for asset in again] == [
        (asset.path, asset.sha256, asset.number) for asset in assets
    ]
    assert len(receiver.files("coffee")) == 8


async def test_an_output_that_is_named_no_more_stays_in_the_journal_and_is_told_where_its_file_is_gone(
    receiver: Receiver,
) -> None:
    assets = await receiver.receive(*await receiver.buy("turn-any-product-into-4-ad-visuals", 8))
    (receiver.root / assets[1].path).unlink()
    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)

    assert [one.path for one in await receiver.receive(purchase, replace(job, outputs=job.outputs[:3]))] == [
        one.path for one in assets
    ]
    (receiver.root / assets[3].path).unlink()
    with pytest.raises(errors.UnreadableAnswerError, match=rf"{assets[3].output} of the job is named no more"):
        await receiver.receive(purchase, replace(job, outputs=job.outputs[:3]))

    assert [one.path for one in await receiver.journal.assets(purchase.attempt)] == [one.path for one in assets]
    assert [one.key for one in await receiver.journal.paid_without_file()] == [purchase.key]


async def test_of_two_outputs_with_one_name_a_step_is_fed_with_the_first(receiver: Receiver) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)
    texts = tuple(Output("critique", "text", text=words) for words in ("first words", "other words"))

    assets = await receiver.receive(purchase, replace(job, outputs=texts))

    assert (await outputs_of("hero", assets, receiver.store, job))["critique"].text == "first words"
    assert "the same name, critique" in assets[1].sidecar.warnings[0]


async def test_of_a_job_that_gives_too_many_outputs_so_many_are_stored_and_the_rest_is_told(receiver: Receiver) -> None:
    purchase, job = await receiver.buy("art-directors-critique", 6)
    many = tuple(Output("critique", "text", text="the same words") for _ in range(OUTPUTS + 3))

    assets = await receiver.receive(purchase, replace(job, outputs=many))

    assert len({asset.path for asset in assets}) == OUTPUTS
    assert assets[0].sidecar.warnings == (f"the job gave {OUTPUTS + 3} outputs; the first {OUTPUTS} are stored",)
    assert await receiver.state(purchase) is AttemptState.STORED
    again, _ = await receiver.buy("art-directors-critique", 6)
    assert again.outcome is Outcome.REUSED


@pytest.mark.parametrize("embed", [False, True])
async def test_a_file_that_was_cut_short_is_fetched_again_and_what_was_left_of_it_is_kept(
    receiver: Receiver, tmp_path: Path, embed: bool
) -> None:
    async with Store.lease(Place(str(tmp_path)), embed_provenance=embed) as receiver.store:
        (asset,) = await receiver.receive(*await receiver.buy())
        file = receiver.root / asset.path
        whole = file.read_bytes()
        file.write_bytes(whole[:500])

        again, job = await receiver.buy()
        assert again.outcome is Outcome.REATTACHED
        (fetched,) = await receiver.receive(again, job)

        assert (fetched.path, file.read_bytes()) == (asset.path, whole)
        assert "was changed after it was stored" in fetched.sidecar.warnings[0]
        kept, evidence = receiver.files("quarantine")
        assert (receiver.root / "quarantine" / kept).read_bytes() == whole[:500]
        refused = read_refused(f"quarantine/{kept}", (receiver.root / "quarantine" / evidence).read_bytes())
        assert asset.path in refused["warnings"][0]
        assert len(receiver.sandbox.jobs(receiver.account)) == 1
        again, _ = await receiver.buy()
        assert again.outcome is Outcome.REUSED


async def test_a_file_that_was_cut_short_and_is_gone_at_the_provider_is_left_as_it_is_and_not_bought_again(
    receiver: Receiver,
) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    file = receiver.root / asset.path
    file.write_bytes(file.read_bytes()[:500])
    receiver.sandbox.fault(receiver.account, "expired", times=None)

    again, job = await receiver.buy()
    with pytest.raises(errors.ExpiredLinkError):
        await receiver.receive(again, job)

    assert file.stat().st_size == 500
    assert await receiver.state(again) is AttemptState.STORED
    assert len(receiver.sandbox.jobs(receiver.account)) == 1


async def test_a_stored_file_that_was_retouched_is_not_fed_on_under_its_old_hash(receiver: Receiver) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    file = receiver.root / asset.path
    content = file.read_bytes()
    (given,) = (await outputs_of("hero", [asset], receiver.store)).values()
    async with file_of(given, receiver.store) as there:
        assert there == file
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    with pytest.raises(errors.InputError) as refused:
        async with file_of(given, receiver.store):
            pass

    told = str(refused.value)
    assert f"{asset.path} was changed after it was stored (was SHA-256 {asset.sha256}, is {hash_file(file)})" in told
    assert f"`file: {file.as_uri()}`" in told
    assert "Nothing was bought for this step." in told
    async with files_at_hand([f"store:{asset.path}", file.as_uri()], receiver.store, None) as files:
        assert "was changed after it was stored" in files.wrong[f"store:{asset.path}"]
        assert files.found[file.as_uri()].path == file
    assert file.read_bytes()[:-1] == content[:-1]


@pytest.mark.parametrize("sidecar", ["{", "{}", '{"file": {"sha256": "IS_NOW"}}'])
async def test_what_was_retouched_is_known_by_the_journal_though_its_sidecar_is_broken_or_tells_the_new_hash(
    receiver: Receiver, sidecar: str
) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    file = receiver.root / asset.path
    file.write_bytes(bytes(file.stat().st_size))
    (receiver.root / f"{asset.path}.json").write_text(sidecar.replace("IS_NOW", hash_file(file)))
    (given,) = (await outputs_of("hero", [asset], receiver.store)).values()

    with pytest.raises(errors.InputError, match=f"was SHA-256 {asset.sha256}"):
        async with file_of(given, receiver.store):
            pass
    blur = Operation(KINDS[0], "studio-blur", 3, {}, {"output_image": "image"}, asked={"input_image": "imageUrl"})
    plan, payers = [PlannedStep("next", blur, (replace(given, id="input_image"),))], {"flora": receiver.client.account}
    with pytest.raises(errors.InputError, match=f"was SHA-256 {asset.sha256}"):
        await survey(plan, payers, 1, Selection(), receiver.journal, receiver.store, held=bool)


async def test_what_was_retouched_since_it_was_stored_is_told_before_anything_is_bought(receiver: Receiver) -> None:
    blur = Operation(KINDS[0], "studio-blur", 3, {}, {"output_image": "image"}, asked={"input_image": "imageUrl"})
    photo = ResolvedInput("input_image", "image", sha256="ab" * 32, source="photo.jpg")
    plan = [
        PlannedStep("hero", blur, (photo,)),
        PlannedStep("next", blur, (PendingInput("input_image", "image", "hero", "output_image"),)),
    ]
    payers = {"flora": receiver.client.account}

    async def to_buy() -> list[PlannedStep]:
        return (await survey(plan, payers, 1, Selection(), receiver.journal, receiver.store, held=bool)).to_buy

    order = replace(order_for(plan[0], [photo], receiver.client.account, 1), purpose=PURPOSE)
    (asset,) = await receiver.receive(*await receiver.buy(order=order))
    assert [run.name for run in await to_buy()] == ["next"]

    file = receiver.root / asset.path
    content = file.read_bytes()
    file.write_bytes(bytes(len(content)))
    with pytest.raises(errors.InputError, match=rf"step next, input input_image: {asset.path} was changed after it was stored"):
        await to_buy()

    file.write_bytes(content[:500])  # that is fetched again, as a file that is gone is
    (waits,) = await to_buy()
    assert [*waits.feeds] == ["hero"]


async def test_a_file_that_another_purchase_gave_is_stored_with_what_is_different_about_that(receiver: Receiver) -> None:
    (first,) = await receiver.receive(*await receiver.buy())
    mine, other = receiver.client.account, receiver.sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]})
    async with FloraClient.lease(replace(mine, name=other["account"]), other["api_key"]) as receiver.client:
        (again,) = await receiver.receive(*await receiver.buy())
        order = Order(receiver.client.account, "technique studio-blur", {"technique": "studio-blur", "inputs": []}, 3, "credits")
        (third,) = await receiver.receive(*await receiver.buy(order=order))

    same = f"the very same file came of the same request of another account, flora/{mine.name}: {first.path}"
    assert again.sidecar.warnings == (same,)
    assert list(third.sidecar.warnings) == [
        f"the very same file came of another request, with other inputs: {one.path}" for one in (again, first)
    ]


async def test_of_many_requests_that_gave_the_very_same_file_a_few_are_named(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def duplicates(_journal: Journal, _digest: str, _key: str, most: int) -> tuple[list[Duplicate], int]:
        return [Duplicate(f"tea/cup/{number}.png", "flora|x|studio", "technique blur", {}) for number in range(most)], 50_000

    monkeypatch.setattr(Journal, "duplicates", duplicates)
    purchase, job = await receiver.buy()

    (asset,) = await receiver.receive(purchase, job)

    told = asset.sidecar.warnings
    assert told[0] == "the very same file came of another request, for technique blur: tea/cup/0.png"
    assert told[DUPLICATES:] == (f"the very same file came of {50_000 - DUPLICATES} more purchases",)
    assert [one.path for one in (await read_assets(receiver.store)).assets] == [asset.path]


async def test_what_an_input_is_called_keeps_no_paid_file_out_of_the_store(receiver: Receiver) -> None:
    purpose = Purpose("coffee", "hero", [{"id": "input_image", "sha256": "ab" * 32, "from": os.fsdecode(b"caf\xe9.jpg")}])
    purchase, job = await receiver.buy(purpose=purpose)

    (asset,) = await receiver.receive(purchase, job)

    assert [one.path for one in (await read_assets(receiver.store)).assets] == [asset.path]


async def test_a_job_with_equal_outputs_that_nobody_works_on_is_brought_to_its_end(receiver: Receiver) -> None:
    receiver.sandbox.fault(receiver.account, "same_output_ids", times=None)
    await receiver.buy("turn-any-product-into-4-ad-visuals", 8)

    (found,) = await harvest(receiver.journal, receiver.store, [receiver.client])

    assert (found.fate, len({asset.path for asset in found.assets})) == (Fate.STORED, 4)


async def test_outputs_whose_links_have_expired_are_fetched_by_fresh_ones_in_the_same_run(receiver: Receiver) -> None:
    settings = {"advance": "looks", "looks": [0, 0], "link_lifetime": 1}
    change = {"provider": "flora", "account": receiver.account["account"], "settings": settings}
    receiver.sandbox.control("POST", "/accounts", change)
    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    async with httpx.AsyncClient() as anybody:
        while (await anybody.get(job.outputs[0].url or "")).status_code == 200:
            await asyncio.sleep(0.1)
    settings["link_lifetime"] = 600
    receiver.sandbox.control("POST", "/accounts", change)
    before = looks(receiver)

    assets = await receiver.receive(purchase, job)

    assert len(assets) == 4
    assert looks(receiver) == before + 1, "the fresh links of all were had at once"
    assert await receiver.state(purchase) is AttemptState.STORED


def looks(receiver: Receiver) -> int:
    """How often a run was looked at."""
    counted = receiver.sandbox.requests(receiver.account)
    return sum(one["count"] for one in counted if one["method"] == "GET" and one["route"].endswith("/runs/{run_id}"))


async def test_one_link_that_is_gone_does_not_fail_a_run_nor_its_recovery(receiver: Receiver) -> None:
    receiver.sandbox.fault(receiver.account, "expired", times=1, after=1)
    assert len(await receiver.receive(*await receiver.buy("turn-any-product-into-4-ad-visuals", 8))) == 4

    receiver.sandbox.fault(receiver.account, "expired", times=1)
    await receiver.buy()
    (found,) = await harvest(receiver.journal, receiver.store, [receiver.client])
    assert found.fate is Fate.STORED


async def test_fresh_links_may_be_listed_in_another_order(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    look = receiver.client.look

    async def look_from_behind(ref: Any) -> Job:
        now = await look(ref)
        return replace(now, outputs=now.outputs[::-1])

    purchase, job = await receiver.buy("turn-any-product-into-4-ad-visuals", 8)
    receiver.sandbox.fault(receiver.account, "expired", times=1, after=1)
    monkeypatch.setattr(receiver.client, "look", look_from_behind)

    assets = await receiver.receive(purchase, job)

    assert [asset.output for asset in assets] == [output.id for output in job.outputs]
    assert len({asset.sha256 for asset in assets}) == 4


async def test_a_file_whose_sidecar_in_the_journal_does_not_read_is_fetched_again_and_not_bought(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    (asset,) = await receiver.receive(purchase, job)
    (other,) = await receiver.receive(*await receiver.buy("relight-technique"))
    with closing(sqlite3.connect(receiver.root / ".genmedia" / "journal.db")) as journal, journal:
        journal.execute("UPDATE assets SET sidecar = ? WHERE path = ?", ('{"file": {}}', asset.path))

    again, job = await receiver.buy()
    (fetched,) = await receiver.receive(again, job)

    assert (again.outcome, again.job_id, fetched.path) == (Outcome.REATTACHED, purchase.job_id, asset.path)
    assert await receiver.journal.assets(again.attempt) == [fetched]
    assert (await receiver.buy("relight-technique"))[0].assets == (other,)
    assert len(receiver.sandbox.jobs(receiver.account)) == 2


async def test_where_the_job_cannot_be_asked_for_a_fresh_link_both_faults_are_told(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    receiver.sandbox.fault(receiver.account, "expired", times=None)
    receiver.sandbox.fault(receiver.account, "server_error", times=None)

    with pytest.raises(errors.ExpiredLinkError, match=r"answered 403; the job could not be asked for a fresh link: .*500"):
        await receiver.receive(purchase, job)

    assert await receiver.state(purchase) is AttemptState.BOUND


async def test_what_another_campaign_uses_too_says_so_and_stays_its_first_buyers(receiver: Receiver, tmp_path: Path) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    note = receiver.root / f"{asset.path}.json"
    assert "uses" not in json.loads(note.read_text())
    tea = Purpose("tea", "cover", labels={"client": "acme"})

    again, _ = await receiver.buy(purpose=tea)
    (used,) = (await tell_uses(receiver.store, receiver.journal, again)).assets

    assert again.outcome is Outcome.REUSED
    told = json.loads(note.read_text())
    assert (told["campaign"], told["step"]) == ("coffee", "hero")
    (use,) = told["uses"]
    assert {**use, "since": ""} == {"campaign": "tea", "step": "cover", "labels": {"client": "acme"}, "since": ""}
    assert used.sidecar.write() == told
    assert await receiver.journal.assets(again.attempt) == [used]
    contents = await read_assets(receiver.store)
    assert contents.assets[0].sidecar.used_by == [("coffee", "hero"), ("tea", "cover")]
    assert "coffee/hero; tea/cover" in make_manifest(contents.assets)
    (entry,) = await receiver.journal.entries()
    assert (entry.campaign, entry.used_by) == ("coffee", ("tea",))
    (line,) = add_up([entry], "campaign", UTC)
    assert (line.group, line.spent, line.used_by) == ("coffee", 3, ("tea",))

    async with Journal.lease(f"sqlite:///{tmp_path}/rebuilt.db") as rebuilt:
        await rebuild_journal(receiver.store, rebuilt)
        assert {(use.campaign, use.step) for use in await rebuilt.uses(again.key)} == {("coffee", "hero"), ("tea", "cover")}


async def test_a_run_that_uses_what_it_used_before_writes_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    tea = Purpose("tea", "cover")
    await tell_uses(receiver.store, receiver.journal, (await receiver.buy(purpose=tea))[0])
    note = receiver.root / f"{asset.path}.json"
    written, noted = note.stat().st_ino, await receiver.journal.uses(asset.sidecar.submission_key)

    async def refuse(*_: object) -> None:
        pytest.fail("it is written down already")

    monkeypatch.setattr(receiver.journal, "use", refuse)
    for purpose in (tea, PURPOSE):
        again, _ = await receiver.buy(purpose=purpose)
        await tell_uses(receiver.store, receiver.journal, again)

    assert note.stat().st_ino == written
    assert await receiver.journal.uses(again.key) == noted


async def test_what_is_reused_says_where_it_stands_in_what_its_campaign_asks_for_now(receiver: Receiver) -> None:
    first, later = (replace(PURPOSE, place=placed(prompt=(number, "a cup"))) for number in (1, 2))
    purchase, job = await receiver.buy(purpose=first)
    (asset,) = await receiver.receive(purchase, job)
    assert asset.sidecar.place == coordinates(first.place)

    for purpose in (replace(later, campaign="tea"), replace(later, step="02-hero")):
        await tell_uses(receiver.store, receiver.journal, (await receiver.buy(purpose=purpose))[0])

    (told,) = (await read_assets(receiver.store)).assets
    assert [one.number for one in told.sidecar.place] == [2]
    assert told.sidecar.used_by == [("coffee", "hero"), ("tea", "hero"), ("coffee", "02-hero")]
    assert (await receiver.journal.assets(purchase.attempt))[0].sidecar.place == coordinates(later.place)


async def test_a_job_that_another_campaign_takes_up_is_stored_as_its_buyers_and_told_as_used_by_both(receiver: Receiver) -> None:
    await receiver.buy()
    again, job = await receiver.buy(purpose=Purpose("tea", "cover"))

    (asset,) = await receiver.receive(again, job)

    assert again.outcome is Outcome.REATTACHED
    assert asset.path.startswith("coffee/hero/")
    assert (asset.sidecar.campaign, [use.campaign for use in asset.sidecar.uses]) == ("coffee", ["tea"])
    assert read_sidecar((receiver.root / f"{asset.path}.json").read_bytes()).uses[0].step == "cover"


async def test_campaigns_that_use_a_file_at_the_same_time_are_all_told(receiver: Receiver) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    parts = [Purpose(f"tea-{number}", "cover") for number in range(8)]

    async def use(purpose: Purpose) -> None:
        again, _ = await receiver.buy(purpose=purpose)
        await tell_uses(receiver.store, receiver.journal, again)

    await asyncio.gather(*map(use, parts))

    (told,) = (await read_assets(receiver.store)).assets
    assert {use.campaign for use in told.sidecar.uses} == {purpose.campaign for purpose in parts}
    assert asset.path == told.path


async def test_a_store_that_takes_no_file_keeps_nobody_from_using_what_is_in_it(receiver: Receiver) -> None:
    (asset,) = await receiver.receive(*await receiver.buy())
    folder = receiver.root / ".genmedia/incoming"
    folder.rmdir()
    folder.write_text("in the way")

    again, _ = await receiver.buy(purpose=Purpose("tea", "cover"))

    assert (await tell_uses(receiver.store, receiver.journal, again)).assets == (asset,)
    assert [use.campaign for use in await receiver.journal.uses(again.key)] == ["coffee", "tea"]


@pytest.mark.parametrize("says", ["nan", "infinite", "negative", "text"])
async def test_a_charge_that_is_no_amount_makes_a_sidecar_that_reads_and_the_reserve_counts(
    receiver: Receiver, says: str
) -> None:
    receiver.sandbox.fault(receiver.account, "no_amount", says=says, times=None)
    purchase, job = await receiver.buy()

    received = await receive_outputs(receiver.client, receiver.store, receiver.journal, purchase, job)

    (kept,) = (await read_assets(receiver.store)).assets
    assert (kept.sidecar.cost.price, kept.sidecar.cost.charged, kept.sidecar.warnings) == (3, None, ())
    assert received.charged == (await receiver.journal.attempt(purchase.attempt)).at_stake == 3


async def test_a_charge_above_the_price_is_a_warning_beside_the_file_and_holds_the_account(receiver: Receiver) -> None:
    receiver.sandbox.fault(receiver.account, "overcharge", factor=400)
    purchase, job = await receiver.buy()

    (asset,) = await receiver.receive(purchase, job)

    excess = f"job {job.id} was charged 1200 credits, and its price was 3 credits"
    assert excess in asset.sidecar.warnings
    assert asset.sidecar.cost == Cost(price=3, charged=1200, unit="credits")
    with pytest.raises(errors.HeldError, match=excess):
        await receiver.buy("relight-technique", 4)


async def test_a_charge_above_the_price_is_told_though_the_file_could_not_be_fetched(receiver: Receiver) -> None:
    receiver.sandbox.fault(receiver.account, "overcharge", factor=2)
    receiver.sandbox.fault(receiver.account, "truncated", times=None)
    purchase, job = await receiver.buy()

    with pytest.raises(
        errors.DownloadError, match="was charged 6 credits, and its price was 3 credits: the account is held"
    ) as failed:
        await receiver.receive(purchase, job)
    assert failed.value.charged == 6


async def test_of_a_job_that_is_fetched_in_two_goes_the_cost_is_told_once(receiver: Receiver) -> None:
    purchase, job = await receiver.buy()
    receiver.sandbox.fault(receiver.account, "truncated", times=2)
    with pytest.raises(errors.DownloadError) as failed:
        await receiver.receive(purchase, job)

    received = await receive_outputs(receiver.client, receiver.store, receiver.journal, purchase, job)

    assert (failed.value.charged, received.charged) == (3, 0)


async def test_a_campaign_whose_use_is_told_late_leaves_the_uses_of_others_that_were_told_meanwhile(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receiver.receive(*await receiver.buy())
    retell, first = receiver.store.retell, iter([True])

    async def retell_late(path: str, fields: Mapping[str, Any]) -> None:
        if next(first, False):
            other, _ = await receiver.buy(purpose=Purpose("tea-1", "cover"))
            await tell_uses(receiver.store, receiver.journal, other)
        await retell(path, fields)

    monkeypatch.setattr(receiver.store, "retell", retell_late)
    again, _ = await receiver.buy(purpose=Purpose("tea-0", "cover"))
    await tell_uses(receiver.store, receiver.journal, again)

    (told,) = (await read_assets(receiver.store)).assets
    assert {use.campaign for use in told.sidecar.uses} == {"tea-0", "tea-1"}
