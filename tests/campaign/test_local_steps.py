"""Steps that this machine does: free of charge, found again by their content, before and after steps that are paid for."""

import asyncio
import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from blocks import AssetStore
from blocks.credentials import ProviderCredentials
from deployments.bootstrap import CREDENTIALS
from flows.campaign import campaign
from genmedia.errors import InputError, SettingsError
from genmedia.journal import Journal
from genmedia.media.fonts import fonts_for
from genmedia.provenance.lineage import Lineage
from genmedia.provenance.reading import read_assets
from genmedia.provenance.rebuild import rebuild_journal
from genmedia.store import Store
from tests import corpus
from tests.commands import PROJECT
from tests.processes import Program
from tests.sandboxes import Sandbox
from tests.studio import run_directly

PHOTO = "photos/coffee.jpg"
STORY = {"name": "story", "local": "resize", "input": {"file": PHOTO}, "width": 108, "height": 192, "focus": [0.3, 0.5]}
WEB = {"name": "web", "local": "convert", "input": {"step": "story"}, "format": "webp", "quality": 60}


@dataclass
class Shop:
    """A folder, and accounts that are made when a step asks for one."""

    root: Path
    sandbox: Sandbox | None = None
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    embed: bool = False

    @property
    def store(self) -> AssetStore:
        return AssetStore(root=str(self.root / "media"), embed_provenance=self.embed)

    @property
    def journal(self) -> Path:
        return self.root / "media" / ".genmedia" / "journal.db"

    def payer(self, provider: str, name: str) -> ProviderCredentials:
        if self.sandbox is None:
            raise SettingsError(f"nobody is called {name} at {provider}")
        if provider not in self.accounts:
            switches = {"switches": {"assets": True}} if provider == "flora" else {}
            self.accounts[provider] = self.sandbox.new_account(provider, **switches)
        kind = CREDENTIALS[provider.upper()]
        asked = {**self.accounts[provider]}
        return kind.model_validate({one: asked[one] for one in ("api_key", "base_url", "account", "plan") if asked.get(one)})

    async def run(self, *steps: dict[str, Any], **parameters: Any) -> Any:
        asked = {"campaign": {"name": "shop", "steps": list(steps)}, **parameters}
        return await run_directly(campaign, asked, self.store, self.payer)

    @property
    def files(self) -> dict[str, bytes]:
        """All files in the store that a person sees, with their content."""
        root = self.root / "media"
        found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        return {path: content for path, content in found.items() if not path.startswith(".genmedia")}

    def sidecar(self, step: str) -> dict[str, Any]:
        (path,) = (self.root / "media" / "shop" / step).glob("*.json")
        return json.loads(path.read_text())

    @property
    def attempts(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.journal)) as connection:
            return connection.execute("SELECT account, state, price, charged, unit FROM attempts ORDER BY id").fetchall()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop without any account, in the project's folder."""
    monkeypatch.chdir(PROJECT)
    return Shop(tmp_path)


@pytest.fixture
def paying(shop: Shop, sandbox: Sandbox) -> Shop:
    """A shop with an account wherever one is needed."""
    shop.sandbox = sandbox
    return shop


def statuses(ended: Any) -> dict[str, str]:
    assert not isinstance(ended.result, Exception), ended.message
    return {result.name: result.status for result in ended.result}


async def test_a_campaign_of_local_steps_needs_no_account_and_does_nothing_twice(shop: Shop) -> None:
    first = await shop.run(STORY, WEB, labels={"client": "acme"})
    files = shop.files
    second = await shop.run(STORY, WEB, labels={"client": "acme"})

    assert (first.name, statuses(first)) == ("Completed", {"story": "Made", "web": "Made"})
    assert "2 made; nothing charged" in first.message
    assert statuses(second) == {"story": "Reused", "web": "Reused"}
    assert shop.files == files
    assert shop.attempts == [("local||", "stored", 0.0, 0.0, "")] * 2
    with Image.open(shop.root / "media" / "shop" / "web" / "result.webp") as made:
        assert (made.format, made.size) == ("WEBP", (108, 192))


async def test_the_sidecar_tells_operation_inputs_step_campaign_and_labels(shop: Shop) -> None:
    await shop.run(STORY, WEB, labels={"client": "acme"})

    story, web = shop.sidecar("story"), shop.sidecar("web")
    assert (story["provider"], story["operation"], story["campaign"], story["step"]) == ("local", "resize", "shop", "story")
    assert story["labels"] == {"client": "acme"}
    assert story["cost"] == {"price": 0.0, "charged": 0.0, "unit": ""}
    assert story["request"]["focus"] == [0.3, 0.5]
    assert story["inputs"][0]["from"] == PHOTO
    assert [one["sha256"] for one in web["inputs"]] == [story["file"]["sha256"]]
    assert web["inputs"][0]["asset"] == story["file"]["path"]


async def test_only_what_changed_is_made_anew_whatever_its_step_is_called(shop: Shop) -> None:
    await shop.run(STORY, WEB)

    renamed = await shop.run({**STORY, "name": "tall"}, {**WEB, "input": {"step": "tall"}})
    said_in_full = await shop.run({**STORY, "fit": "cover", "background": "white"}, {**WEB, "quality": 50})

    assert statuses(renamed) == {"tall": "Reused", "web": "Reused"}
    assert statuses(said_in_full) == {"story": "Reused", "web": "Made"}, "what is the default changes nothing"
    assert {use["step"] for use in shop.sidecar("story")["uses"]} == {"tall"}


async def test_two_steps_that_ask_for_the_same_have_one_file(shop: Shop) -> None:
    ended = await shop.run(STORY, {**STORY, "name": "again"})

    assert sorted(statuses(ended).values()) == ["Made", "Reused"]
    assert len(shop.attempts) == 1


async def test_a_step_feeds_a_paid_one_and_is_fed_by_it(paying: Shop) -> None:
    steps = (
        STORY,
        {"name": "hero", "model": "nano_banana2", "prompt": "a red cup", "references": [{"step": "story"}]},
        {"name": "wide", "local": "resize", "input": {"step": "hero"}, "width": 64, "height": 64},
        {"name": "blur", "technique": "studio-blur", "inputs": [{"id": "input_image", "step": "wide"}]},
        {"name": "final", "local": "convert", "input": {"step": "blur"}, "format": "jpg"},
    )

    first, second = await paying.run(*steps), await paying.run(*steps)

    assert first.name == "Completed", first.message
    assert statuses(first) == {"story": "Made", "hero": "Bought", "wide": "Made", "blur": "Bought", "final": "Made"}
    assert set(statuses(second).values()) == {"Reused"}
    assert [len(paying.sandbox.jobs(paying.accounts[one])) for one in ("genova", "flora") if paying.sandbox] == [1, 1]
    async with Store.lease(str(paying.root / "media")) as store:
        lineage = Lineage((await read_assets(store)).assets)
    (final,) = lineage.find("shop/final/result.jpg")
    tree, operations = lineage.before(final), list[str]()
    while tree.kind == "asset":
        operations.append(f"{tree.provider} {tree.operation}")
        tree = next(one for one in tree.branches if one.kind != "text")
    assert operations == [
        "local convert",
        "flora technique studio-blur",
        "local resize",
        "genova image nano_banana2",
        "local resize",
    ]
    assert tree.name == PHOTO


async def test_no_budget_hold_or_cap_keeps_a_step_from_being_made_and_none_is_asked(paying: Shop) -> None:
    ended = await paying.run(STORY, max_credits={"genova": 0}, max_usd=0.0)

    assert statuses(ended) == {"story": "Made"}
    async with Journal.lease(f"sqlite:///{paying.journal}") as journal:
        assert await journal.entries() == []
        assert await journal.purchases() == []
        assert await journal.money.accounts() == []
        assert await journal.open_attempts() == []
        assert await journal.paid_without_file() == []


async def test_a_failure_ends_the_step_and_what_depends_on_it_and_nothing_else(paying: Shop, tmp_path: Path) -> None:
    ended = await paying.run(
        STORY,
        {"name": "tiny", "local": "convert", "input": {"step": "story"}, "format": "jpg", "max_bytes": 10},
        {"name": "after", "model": "imagen4", "prompt": "a cup", "references": [{"step": "tiny"}]},
        WEB,
    )

    assert ended.name == "Partial"
    assert statuses(ended) == {"story": "Made", "tiny": "Failed", "after": "Not started", "web": "Made"}
    (failed,) = [result for result in ended.result if result.status == "Failed"]
    assert "more than 10 (local convert)" in failed.error
    assert "quarantine" not in failed.error
    assert not paying.accounts or paying.sandbox is None or not paying.sandbox.jobs(paying.accounts["genova"])


async def test_all_faults_are_told_at_once_before_anything_is_bought_or_made(paying: Shop, noto: None, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(corpus.good("mp4"))
    film, photo = {"file": str(tmp_path / "film.mp4")}, {"file": PHOTO}

    ended = await paying.run(
        {"name": "hero", "model": "imagen4", "prompt": "a cup"},
        {"name": "a", "local": "resize", "input": photo},
        {"name": "b", "local": "resize", "input": film, "width": 10},
        {"name": "c", "local": "resize", "input": photo, "width": 10, "fit": "pad"},
        {"name": "d", "local": "convert", "input": photo, "format": "png", "quality": 80},
        {"name": "e", "local": "trim", "input": photo, "start": 3, "end": 2},
        {"name": "f", "local": "text", "input": photo, "text": "Mug \ue123"},
        {"name": "g", "local": "text", "input": photo, "text": "Mug", "font": "fonts/none.ttf", "box": [0.5, 0, 0.9, 1]},
        {"name": "h", "local": "contact-sheet", "inputs": [photo, photo], "captions": ["one"]},
        {"name": "i", "local": "sound", "input": film},
        {"name": "j", "local": "resiz", "input": photo},
        {"name": "k", "local": "overlay", "input": photo, "logo": {"file": "none.png"}},
        {"name": "l", "local": "frame", "input": film, "at": "middle"},
        {"name": "m", "local": "resize", "input": photo, "widht": 3, "colour": "odd"},
        {"name": "n", "local": "overlay", "input": photo, "logo": photo, "opacity": 2},
        {"name": "o", "local": "resize", "input": photo, "width": 10, "height": 10, "background": "rosy"},
    )

    assert isinstance(ended.result, InputError)
    told = [str(fault) for fault in ended.result.faults]
    for part in (
        "step 2 (a), width: is missing, and so is height; one of them is needed",
        "step 3 (b), input input: is video, but image is needed; `at` takes a picture from it",
        "step 4 (c), fit: pad needs both width and height",
        "step 5 (d), quality: is not for png",
        "step 6 (e), end: should be after the start, 3",
        "step 7 (f), text: has '\\ue123' (U+E123",
        "step 8 (g), box: goes beyond the picture",
        "step 8 (g), text: fonts/none.ttf is not there",
        "step 9 (h), captions: has 1 texts for 2 inputs",
        "step 10 (i), sound: is missing; or say mute: true",
        "step 11 (j): asks for local 'resiz', and can ask for resize,",
        "step 12 (k), input logo: none.png is not there",
        "step 13 (l), at",
        "step 14 (m), widht: is no field; there are name, local, input, width",
        "step 15 (n), opacity: should be 1.0 or less",
        "step 16 (o), background: is no colour",
    ):
        assert any(part in one for one in told), (part, told)
    assert paying.files == {}
    assert not paying.sandbox or not paying.sandbox.jobs(paying.accounts["genova"])


async def test_every_output_of_a_step_is_worked_on_or_goes_onto_one_sheet(paying: Shop) -> None:
    ended = await paying.run(
        {
            "name": "ads",
            "technique": "turn-any-product-into-4-ad-visuals",
            "inputs": [{"id": "input_image", "file": PHOTO}],
        },
        {"name": "small", "local": "resize", "input": {"step": "ads", "output": "*"}, "width": 32},
        {"name": "sheet", "local": "contact-sheet", "inputs": [{"step": "small", "output": "*"}, {"file": PHOTO}], "cell": 64},
    )

    assert ended.name == "Completed", ended.message
    small = [name for name in statuses(ended) if name.startswith("small")]
    assert len(small) == 4
    assert [one["id"] for one in paying.sidecar("sheet")["inputs"]] == [
        *(f"input 1.{number}" for number in range(1, len(small) + 1)),
        "input 2.1",
    ]


async def test_a_picture_of_a_video_goes_into_a_step_and_a_video_comes_out_of_one(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(corpus.good("mp4"))

    ended = await shop.run(
        {"name": "half", "local": "trim", "input": {"file": str(tmp_path / "film.mp4")}, "end": 1},
        {"name": "twice", "local": "concatenate", "inputs": [{"step": "half"}, {"step": "half"}]},
        {"name": "still", "local": "frame", "input": {"step": "twice"}, "at": "last"},
        {"name": "end", "local": "resize", "input": {"step": "twice", "at": "last"}, "width": 32},
    )

    assert statuses(ended) == dict.fromkeys(("half", "twice", "still", "end"), "Made")
    assert shop.sidecar("twice")["file"]["duration"] == 2.0
    assert shop.sidecar("end")["inputs"][0]["at"] == "last"


async def test_a_file_that_is_gone_is_made_again_where_it_was(shop: Shop) -> None:
    await shop.run(STORY, WEB)
    before = shop.files
    (shop.root / "media" / "shop" / "web" / "result.webp").unlink()

    ended = await shop.run(STORY, WEB)

    assert statuses(ended) == {"story": "Reused", "web": "Made"}
    assert shop.files.keys() == before.keys()
    assert shop.files["shop/web/result.webp"] == before["shop/web/result.webp"]
    assert len(shop.attempts) == 2


async def test_a_process_that_died_before_it_could_write_the_file_down_loses_nothing(shop: Shop) -> None:
    await shop.run(STORY)
    before = shop.files
    with closing(sqlite3.connect(shop.journal)) as connection, connection:
        for table in ("assets", "uses", "attempts", "submissions"):
            connection.execute(f"DELETE FROM {table}")

    ended = await shop.run(STORY)

    assert statuses(ended) == {"story": "Made"}
    assert shop.files.keys() == before.keys()
    assert shop.files["shop/story/result.jpg"] == before["shop/story/result.jpg"]
    assert shop.attempts == [("local||", "stored", 0.0, 0.0, "")]


MAKER = """
import asyncio, json, sys
from pathlib import Path
from flows.campaign import campaign
from tests.campaign.test_local_steps import Shop

ended = asyncio.run(Shop(Path(sys.argv[1])).run(*json.loads(sys.argv[2])))
print(ended.name, ended.message)
"""


def sizes(number: int) -> list[dict[str, Any]]:
    """A chain of steps, each of which makes the picture before it wider."""
    first = {"name": "s0", "local": "resize", "input": {"file": PHOTO}, "width": 400}
    return [
        first,
        *(
            {"name": f"s{one}", "local": "resize", "input": {"step": f"s{one - 1}"}, "width": 400 + one}
            for one in range(1, number)
        ),
    ]


async def test_a_run_that_is_killed_at_any_moment_leaves_no_half_file_and_the_next_one_ends_it(shop: Shop) -> None:
    media = shop.root / "media"
    moments = (
        lambda: any((media / ".genmedia" / "incoming").glob("*")),
        (media / "shop" / "s1").exists,
        (media / "shop" / "s3" / "result.jpg.json").exists,
    )
    for moment in moments:
        with Program(MAKER, shop.root, json.dumps(sizes(6))) as maker:
            while not moment() and maker.process.is_alive():
                await asyncio.sleep(0.005)
            maker.kill()
        for path, content in shop.files.items():
            if path.endswith(".json"):
                told = json.loads(content)["file"]
                assert hashlib.sha256(shop.files[path.removesuffix(".json")]).hexdigest() == told["sha256"]

    ended = await shop.run(*sizes(6))

    assert ended.name == "Completed", ended.message
    assert sorted(path for path in shop.files if path.startswith(("shop", "quarantine"))) == sorted(
        f"shop/s{one}/result.jpg{suffix}" for one in range(6) for suffix in ("", ".json")
    )
    assert len(shop.attempts) == 6


async def test_two_processes_that_make_the_same_end_with_one_file_of_each(shop: Shop) -> None:
    with Program(MAKER, shop.root, json.dumps(sizes(4))) as one, Program(MAKER, shop.root, json.dumps(sizes(4))) as other:
        said = [one.rest(), other.rest()]

    assert [line.split()[0] for line in said] == ["Completed", "Completed"], said
    assert len(shop.attempts) == 4
    assert len([path for path in shop.files if path.endswith("result.jpg")]) == 4


async def test_a_journal_made_of_sidecars_knows_what_was_made(shop: Shop) -> None:
    await shop.run(STORY, WEB)
    shutil.rmtree(shop.journal.parent)

    async with Store.lease(str(shop.root / "media")) as store, shop.store.get_journal() as journal:
        assert (await rebuild_journal(store, journal)).added == 2
        assert await journal.entries() == []
    assert set(statuses(await shop.run(STORY, WEB)).values()) == {"Reused"}


async def test_a_picture_made_of_bought_ones_says_so_in_itself_and_one_of_a_photo_does_not(paying: Shop) -> None:
    paying.embed = True

    ended = await paying.run(
        STORY,
        {"name": "hero", "model": "imagen4", "prompt": "a red cup"},
        {"name": "square", "local": "resize", "input": {"step": "hero"}, "width": 64},
        {"name": "web", "local": "convert", "input": {"step": "square"}, "format": "webp"},
    )

    assert ended.name == "Completed", ended.message
    pictures = {
        path: content for path, content in paying.files.items() if path.startswith("shop/") and not path.endswith(".json")
    }
    labelled = {path.split("/")[1]: b"trainedAlgorithmicMedia" in content for path, content in pictures.items()}
    assert labelled == {"story": False, "hero": True, "square": True, "web": True}


async def test_marks_withhold_no_step_that_costs_nothing(paying: Shop) -> None:
    marks = json.dumps({"marks": 1, "made": "2026-11-30T00:00:00+00:00", "assets": []})

    ended = await paying.run(STORY, WEB, {"name": "hero", "model": "imagen4", "prompt": "a cup"}, marks=marks)

    assert statuses(ended) == {"story": "Made", "web": "Made", "hero": "Not bought"}


async def test_a_font_of_the_project_counts_by_its_content(shop: Shop, noto: None, tmp_path: Path) -> None:
    (own,) = fonts_for("Mug")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(own.path, tmp_path / folder / "own.ttf")
    titled = {"name": "titled", "local": "text", "input": {"file": PHOTO}, "text": "Mug"}

    first = await shop.run({**titled, "font": str(tmp_path / "one" / "own.ttf")})
    second = await shop.run({**titled, "font": str(tmp_path / "two" / "own.ttf")})

    assert [statuses(one)["titled"] for one in (first, second)] == ["Made", "Reused"]
    assert str(tmp_path) not in json.dumps(shop.sidecar("titled")["request"])


async def test_the_example_in_the_documents_runs_as_it_stands_there(shop: Shop, noto: None) -> None:
    example = yaml.safe_load((PROJECT / "examples" / "local-steps.yaml").read_text(encoding="utf-8"))

    ended = await run_directly(campaign, {"campaign": example}, shop.store, shop.payer)

    assert ended.name == "Completed", ended.message
    assert set(statuses(ended).values()) == {"Made"}
