"""A person removes an asset for good: everything of it goes, what others need stays, and nobody fetches or buys it again."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from genmedia import errors
from genmedia.campaign.executor import order_for, outputs_of, survey
from genmedia.campaign.marks import Selection
from genmedia.gallery.forget import Traces, find_traces, forget
from genmedia.gallery.page import DATA, write_gallery
from genmedia.jobs.job import Account, Job
from genmedia.journal import AttemptState, Journal, Purpose, StoredAsset
from genmedia.journal.order import Order
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import read_assets
from genmedia.provenance.rebuild import rebuild_journal
from genmedia.providers.flora.client import FloraClient, RunInput
from genmedia.providers.flora.steps import KINDS
from genmedia.providers.handoff import check_unchanged, handed_on
from genmedia.providers.inputs import PendingInput, ResolvedInput
from genmedia.providers.steps import Operation, PlannedStep
from genmedia.purchasing.budget import Outlook
from genmedia.purchasing.buy import Outcome, Purchase, Submit, buy
from genmedia.purchasing.receive import receive_outputs
from genmedia.store import Place, Store
from genmedia.store.store import thumbnail_path
from genmedia.transport.session import Gate
from tests.buckets import Buckets
from tests.databases import Postgres
from tests.sandboxes import Sandbox

SECRET = "the unreleased amber teapot"
VISUALS = Operation(
    KINDS[0], "turn-any-product-into-4-ad-visuals", 8, {}, {"billboard": "image"}, asked={"input_image": "imageUrl"}
)
BLUR = Operation(KINDS[0], "studio-blur", 3, {}, {"output_image": "image"}, asked={"input_image": "imageUrl"})


@dataclass
class Keeper:
    """An account, its journal and its store."""

    sandbox: Sandbox
    account: dict[str, Any]
    client: FloraClient
    journal: Journal
    store: Store

    async def buy(self, operation: Operation = BLUR, order: Order | None = None) -> tuple[Purchase, Job]:
        async def submit(key: str, gate: Gate) -> str:
            photo = RunInput(id="input_image", type="imageUrl", value=self.sandbox.sample)
            return (await self.client.create_run(operation.name, [photo], idempotency_key=key)).run_id

        async def prepare() -> Submit:
            return submit

        purpose = Purpose("coffee", "hero", [{"id": "note", "text": SECRET}, {"id": "input_image", "sha256": "ab" * 32}])
        wished = {"technique": operation.name, "inputs": [{"id": "note", "type": "text", "text": SECRET}]}
        order = order or Order(self.client.account, f"technique {operation.name}", wished, operation.price, "credits")
        order = replace(order, purpose=purpose)
        purchase = await buy(self.journal, order, prepare, has=self.store.has, recover=self.client.recover)
        return purchase, (await self.client.get_run(operation.name, purchase.job_id)).as_job()

    async def receive(self, purchase: Purchase, job: Job) -> tuple[StoredAsset, ...]:
        return (await receive_outputs(self.client, self.store, self.journal, purchase, job)).assets

    async def forget(self, path: str) -> Traces:
        traces = await find_traces(self.store, self.journal, path)
        await forget(self.store, self.journal, traces)
        return traces

    async def draw(self) -> None:
        contents = await read_assets(self.store)
        await write_gallery(self.store, contents)
        await write_manifest(self.store, contents.assets)

    @property
    def root(self) -> Path:
        return Path(self.store.label)

    def holding(self, words: bytes) -> set[str]:
        """The files below the root in which these words stand."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        return {path.relative_to(self.root).as_posix() for path in files if words in path.read_bytes()}


@pytest.fixture
async def keeper(sandbox: Sandbox, tmp_path: Path) -> AsyncGenerator[Keeper]:
    account = sandbox.new_account(settings={"advance": "looks", "looks": [0, 0]})
    payer = Account("flora", account["base_url"], account["account"])
    place = Place(str(tmp_path / "media"))
    async with (
        FloraClient.lease(payer, account["api_key"]) as client,
        Journal.lease(place.journal_url()) as journal,
        Store.lease(place) as store,
    ):
        yield Keeper(sandbox, account, client, journal, store)


async def test_everything_of_it_goes_and_it_is_neither_fetched_nor_bought_again(keeper: Keeper) -> None:
    purchase, job = await keeper.buy()
    keeper.sandbox.fault(keeper.account, "wrong_bytes")
    with pytest.raises(errors.MediaError):
        await keeper.receive(purchase, job)
    (asset,) = await keeper.receive(*await keeper.buy())
    copy = f"{handed_on(asset.came_as)}{'cd' * 32}.png"
    await keeper.store.write(copy, ["a picture that was taken from it"])
    await keeper.draw()
    assert keeper.holding(SECRET.encode())

    traces = await keeper.forget(asset.path)

    assert {asset.path, f"{asset.path}.json", thumbnail_path(asset.sha256), copy} < {*traces.files}
    assert len([path for path in traces.files if path.startswith("quarantine/")]) == 2
    assert not [path for path in traces.files if (keeper.root / path).exists()]
    assert traces.pages == ["index.html", "manifest.csv"]
    assert keeper.holding(SECRET.encode()) == set()
    for page in (DATA, "manifest.csv"):
        assert asset.path not in (keeper.root / page).read_text()

    again, _ = await keeper.buy()
    (left,) = again.assets
    assert again.outcome is Outcome.REUSED
    assert left.sidecar.warnings == (
        f"forgotten on {(left.forgotten_at or '')[:10]} by a person: it is neither fetched nor bought again",
    )
    assert (left.sha256, left.sidecar.cost) == (asset.sha256, asset.sidecar.cost)
    assert await keeper.receive(again, job) == (left,)
    assert len(keeper.sandbox.jobs(keeper.account)) == 1
    (entry,) = await keeper.journal.entries()
    assert (entry.charged, entry.campaign) == (3, "coffee")
    assert await keeper.journal.paths_of(asset.sha256) == []


async def test_a_journal_that_is_made_again_knows_that_it_was_forgotten(keeper: Keeper, tmp_path: Path) -> None:
    assets = await keeper.receive(*await keeper.buy(VISUALS))
    saved = (keeper.root / f"{assets[1].path}.json").read_bytes()
    await keeper.forget(assets[1].path)
    (keeper.root / "put-back.png.json").write_bytes(saved)

    async with Journal.lease(f"sqlite:///{tmp_path}/rebuilt.db") as keeper.journal:
        rebuilt = await rebuild_journal(keeper.store, keeper.journal)
        again, job = await keeper.buy(VISUALS)
        stored = await keeper.receive(again, job)

    assert rebuilt.passed_over == {"put-back.png": "a person has removed it for good"}
    assert again.outcome is Outcome.REUSED
    assert [asset.path for asset in stored if not asset.forgotten_at] == [assets[n].path for n in (0, 2, 3)]
    assert not (keeper.root / assets[1].path).exists()


async def test_a_journal_from_a_backup_is_told_by_a_rebuild_what_was_forgotten_since(keeper: Keeper, tmp_path: Path) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    await keeper.journal.copy_to(tmp_path / "backup.db")
    await keeper.forget(asset.path)

    async with Journal.lease(f"sqlite:///{tmp_path}/backup.db") as keeper.journal:
        await rebuild_journal(keeper.store, keeper.journal)
        again, _ = await keeper.buy()

    assert again.outcome is Outcome.REUSED
    assert again.assets[0].forgotten_at
    assert SECRET.encode() not in (tmp_path / "backup.db").read_bytes()


async def test_the_other_outputs_of_its_job_stay_and_are_still_fetched_when_they_are_gone(keeper: Keeper) -> None:
    assets = await keeper.receive(*await keeper.buy(VISUALS))

    traces = await keeper.forget(assets[1].path)

    assert [*traces.kept] == [assets[n].path for n in (0, 2, 3)]
    assert any(line.startswith("stays  what the journal knows of its prompt") for line in traces.told)
    again, _ = await keeper.buy(VISUALS)
    assert [asset.forgotten_at is None for asset in again.assets] == [True, False, True, True]

    (keeper.root / assets[0].path).unlink()
    again, job = await keeper.buy(VISUALS)
    stored = await keeper.receive(again, job)

    assert again.outcome is Outcome.REATTACHED
    assert [asset.number for asset in stored] == [1, 2, 3, 4]
    assert [(keeper.root / asset.path).exists() for asset in assets] == [True, False, True, True]
    assert len(keeper.sandbox.jobs(keeper.account)) == 1
    for one in (0, 2, 3):
        await keeper.forget(assets[one].path)
    assert keeper.holding(SECRET.encode()) == set()


async def test_what_a_page_that_was_removed_has_left_behind_goes_too(keeper: Keeper) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    await keeper.draw()
    (keeper.root / "index.html").unlink()

    traces = await keeper.forget(asset.path)

    assert DATA in traces.files
    assert keeper.holding(SECRET.encode()) == set()


async def test_it_does_not_come_back_when_the_outputs_are_listed_in_another_order(keeper: Keeper) -> None:
    assets = await keeper.receive(*await keeper.buy(VISUALS))
    await keeper.forget(assets[0].path)
    (keeper.root / assets[1].path).unlink()

    purchase, job = await keeper.buy(VISUALS)
    await keeper.receive(purchase, replace(job, outputs=job.outputs[::-1]))

    assert not (keeper.root / assets[0].path).exists()
    assert (keeper.root / assets[1].path).exists()


async def test_it_is_gone_although_it_was_being_fetched_again_at_that_moment(keeper: Keeper) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    (keeper.root / asset.path).unlink()
    purchase, job = await keeper.buy()

    await asyncio.gather(keeper.receive(purchase, job), keeper.forget(asset.path))

    assert not (keeper.root / asset.path).exists()
    (known,) = await keeper.journal.assets(purchase.attempt)
    assert known.forgotten_at is not None


async def test_the_same_content_that_another_purchase_gave_stays_with_what_shows_it(keeper: Keeper) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    other = json.loads((keeper.root / f"{asset.path}.json").read_text()) | {"submission_key": "ef" * 32}
    (keeper.root / "tea.jpg").write_bytes((keeper.root / asset.path).read_bytes())
    (keeper.root / "tea.jpg.json").write_text(json.dumps(other))

    traces = await keeper.forget(asset.path)

    assert traces.equal == ["tea.jpg"]
    assert {path.name for path in keeper.root.glob("tea*")} == {"tea.jpg", "tea.jpg.json"}
    assert (keeper.root / thumbnail_path(asset.sha256)).exists()


async def test_a_step_that_would_be_fed_with_it_is_told_so_before_anything_is_bought(keeper: Keeper) -> None:
    photo = ResolvedInput("input_image", "image", sha256="ab" * 32, source="photo.jpg")
    plan = [
        PlannedStep("hero", BLUR, (photo,)),
        PlannedStep("next", BLUR, (PendingInput("input_image", "image", "hero", "output_image"),)),
    ]
    payers = {"flora": keeper.client.account}
    (asset,) = await keeper.receive(*await keeper.buy(order=order_for(plan[0], [photo], keeper.client.account, 1)))
    await keeper.forget(asset.path)

    with pytest.raises(
        errors.InputError, match=r"step next, input input_image: step hero, output_image was forgotten on 20.* by a person"
    ):
        await survey(plan, payers, 1, Selection(), keeper.journal, keeper.store, held=bool)
    found = await survey(plan[:1], payers, 1, Selection(), keeper.journal, keeper.store, held=bool)
    assert (found.to_buy, found.outlook, list(found.stored)) == ([], {"hero": Outlook.REUSED}, ["hero"])
    again, _ = await keeper.buy(order=order_for(plan[0], [photo], keeper.client.account, 1))
    (given,) = (await outputs_of("hero", again.assets, keeper.store)).values()
    with pytest.raises(errors.InputError, match="was forgotten on"):
        await check_unchanged(given, keeper.store)


async def test_whoever_is_interrupted_forgets_it_again(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())

    async def refuse(path: str) -> None:
        raise errors.StoreError(f"{path} could not be removed")

    with monkeypatch.context() as broken:
        broken.setattr(keeper.store.files, "remove", refuse)
        with pytest.raises(errors.StoreError):
            await keeper.forget(asset.path)
    again, _ = await keeper.buy()
    assert again.assets[0].forgotten_at

    await keeper.forget(asset.path)

    assert not (keeper.root / asset.path).exists()
    assert keeper.holding(SECRET.encode()) == set()


async def test_a_file_that_is_merely_gone_is_still_fetched_and_can_be_forgotten_all_the_same(keeper: Keeper) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    (keeper.root / asset.path).unlink()
    again, job = await keeper.buy()
    assert again.outcome is Outcome.REATTACHED
    assert (await keeper.receive(again, job))[0].path == asset.path

    (keeper.root / asset.path).unlink()
    (keeper.root / f"{asset.path}.json").unlink()
    await keeper.forget(asset.path)

    again, _ = await keeper.buy()
    assert again.outcome is Outcome.REUSED
    attempt = await keeper.journal.attempt(again.attempt)
    assert (attempt.state, attempt.request, attempt.origin) == (AttemptState.STORED, {}, {"step": "hero"})


async def test_what_comes_to_stand_under_its_name_is_another_asset(keeper: Keeper) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    await keeper.forget(asset.path)
    order = Order(keeper.client.account, "technique studio-blur", {"technique": "studio-blur"}, 3, "credits", take=2)

    (another,) = await keeper.receive(*await keeper.buy(order=order))

    assert another.path == asset.path
    await keeper.forget(another.path)
    assert len([*(keeper.root / ".genmedia/forgotten").iterdir()]) == 2


async def test_what_is_no_asset_or_unknown_to_the_journal_is_not_forgotten(keeper: Keeper, tmp_path: Path) -> None:
    (asset,) = await keeper.receive(*await keeper.buy())
    for path in ("no/such.png", ".genmedia/journal.db", "../secret", f"{asset.path}.json"):
        with pytest.raises(errors.SettingsError, match="is no asset of the store"):
            await find_traces(keeper.store, keeper.journal, path)
    async with Journal.lease(f"sqlite:///{tmp_path}/lost.db") as lost:
        with pytest.raises(errors.SettingsError, match=r"the journal does not know .* Run `genmedia journal rebuild` first"):
            await find_traces(keeper.store, lost, asset.path)
    assert (keeper.root / asset.path).exists()


async def test_a_bucket_and_a_shared_journal_keep_no_word_of_it(keeper: Keeper, buckets: Buckets, postgres: Postgres) -> None:
    address = postgres.journal()
    async with Store.lease(buckets.new()) as keeper.store, Journal.lease(address) as keeper.journal:
        (asset,) = await keeper.receive(*await keeper.buy())
        await keeper.draw()
        copy = await keeper.store.asset(asset.path)

        await keeper.forget(asset.path)

        left = {path async for path, *_ in keeper.store.files.walk()}
        assert not copy.exists()
        assert not [path for path in left if SECRET.encode() in await keeper.store.files.read(path)]
        again, _ = await keeper.buy()
        assert again.outcome is Outcome.REUSED
        attempt = await keeper.journal.attempt(again.attempt)
        assert SECRET not in str(attempt)
        assert SECRET not in str(await keeper.journal.assets(again.attempt))
