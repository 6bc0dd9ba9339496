"""Delivery: names, labels and forms, again and again without harm, to a folder, a bucket and another file system."""

import asyncio
import csv
import hashlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile
from zlib import crc32

import pytest
from PIL import Image

from flows.text_to_image import text_to_image
from genmedia.campaign.delivery import Form, Item, Report, Wish, deliver
from genmedia.campaign.delivery.manifest import BEGUN
from genmedia.campaign.delivery.stored import stored_items
from genmedia.campaign.marks import read_marks
from genmedia.errors import InputError, SettingsError, StoreError
from genmedia.provenance.containers import CONTAINERS
from genmedia.provenance.reading import read_assets
from genmedia.store import Place, Store
from tests.buckets import Buckets
from tests.commands import PROJECT
from tests.example_assets import film, pack_glb, picture, pyramid, write_asset
from tests.studio import Studio

WISH = Wish(campaign="mugs", names="{client}/{step}-{n}.{ext}", creator="Acme", rights="© Acme")


def fill(root: Path) -> None:
    """Put a picture, a photo that lies on its side, a film, a model and a text of one campaign into a store."""
    root.mkdir(exist_ok=True)
    labels = {"client": "Acme & Co"}
    small = picture("teal", form="WEBP")
    write_asset(root, "mugs/hero/a.png", picture("teal"), labels=labels, request={"prompt": "=a <b>mug</b>"}, thumbnail=small)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.effect_noise((90, 60), 50).convert("RGB").save(buffer, "JPEG", exif=exif)
    photo = buffer.getvalue()
    told = {"sha256": hashlib.sha256(photo).hexdigest(), "bytes": len(photo), "media_type": "image/jpeg"}
    write_asset(root, "mugs/photo/b.jpg", photo, "image/jpeg", labels=labels, file={**told, "width": 60, "height": 90})
    write_asset(root, "mugs/film/c.mp4", film(root / "c.mp4"), "video/mp4", labels=labels)
    write_asset(root, "mugs/model/d.glb", pack_glb(*pyramid()), "model/gltf-binary", labels=labels)
    write_asset(root, "mugs/words/e.txt", b"a mug", "text/plain", labels=labels)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store]:
    root = tmp_path / "media"
    fill(root)
    async with Store.lease(str(root)) as opened:
        yield opened


@pytest.fixture(params=["folder", "bucket", "memory"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Store]:
    where = Place(str(tmp_path / "out"))
    if request.param == "bucket":
        buckets: Buckets = request.getfixturevalue("buckets")
        where = buckets.new()
    elif request.param == "memory":
        where = Place(f"memory://{tmp_path}/out")
    async with Store.lease(where) as opened:
        yield opened


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Store]:
    async with Store.lease(str(tmp_path / "out")) as opened:
        yield opened


async def items_of(store: Store) -> list[Item]:
    return stored_items((await read_assets(store)).assets, "mugs")


async def delivered(store: Store, place: Store, wish: Wish = WISH, **options: bool) -> Report:
    return await deliver(await items_of(store), wish, store, place, **options)


async def versions(place: Store) -> dict[str, str]:
    return {path: version async for path, _, version in place.files.walk()}


async def manifest(place: Store) -> dict[str, Any]:
    return json.loads(await place.files.read("manifest.json"))


def counts(report: Report) -> tuple[int, ...]:
    return tuple(map(len, (report.copied, report.changed, report.left, report.withdrawn, report.pruned, report.faults)))


NAMES = [f"Acme-Co/{name}" for name in ("film-1.mp4", "hero-1.png", "model-1.glb", "photo-1.jpg", "words-1.txt")]


async def test_files_go_to_any_place_whole_and_named_and_a_second_run_moves_nothing(store: Store, place: Store) -> None:
    first = await delivered(store, place, replace(WISH, package=True))
    before = await versions(place)
    second = await delivered(store, place, replace(WISH, package=True))

    assert (counts(first), counts(second)) == ((5, 0, 0, 0, 0, 0), (0, 0, 5, 0, 0, 0))
    assert sorted(before) == [*NAMES, "index.html", "manifest.csv", "manifest.json", "mugs.zip"]
    assert await versions(place) == before
    for one in (await manifest(place))["files"]:
        assert hashlib.sha256(await place.files.read(one["name"])).hexdigest() == one["sha256"]
        assert one["bytes"] == await place.files.size(one["name"])


async def test_what_is_in_a_bucket_goes_to_a_folder(folder: Store, buckets: Buckets, tmp_path: Path) -> None:
    fill(tmp_path / "media")
    async with Store.lease(buckets.new()) as store:
        for file in [one for one in (tmp_path / "media").rglob("*") if one.is_file()]:
            with store.incoming() as incoming:
                incoming.path.write_bytes(file.read_bytes())
                await store.files.put(incoming.path, str(file.relative_to(tmp_path / "media")))

        first, second = await delivered(store, folder), await delivered(store, folder)

    assert (counts(first), counts(second)) == ((5, 0, 0, 0, 0, 0), (0, 0, 5, 0, 0, 0))
    assert "data:image/webp;base64," in (tmp_path / "out/index.html").read_text()


async def test_only_what_changed_moves_and_what_was_withdrawn_goes_only_when_pruned(store: Store, place: Store) -> None:
    await delivered(store, place)
    stranger = "Acme-Co/hers.txt"
    await place.write(stranger, ["hers"])
    before = await versions(place)
    items = [replace(one, title="Mug") if one.step == "hero" else one for one in await items_of(store) if one.step != "film"]

    foreseen = await deliver(items, WISH, store, place, prune=True, dry_run=True)
    assert await versions(place) == before
    changed = await deliver(items, WISH, store, place)
    after = await versions(place)
    pruned = await deliver(items, WISH, store, place, prune=True)

    assert (counts(foreseen), counts(changed)) == ((0, 1, 3, 0, 1, 0), (0, 1, 3, 1, 0, 0))
    assert changed.changed == ["Acme-Co/hero-1.png"]
    assert changed.withdrawn == pruned.pruned == foreseen.pruned == ["Acme-Co/film-1.mp4"]
    moved = {name for name in before if before[name] != after.get(name)}
    assert moved == {"Acme-Co/hero-1.png", "index.html", "manifest.csv", "manifest.json"}
    left = await versions(place)
    assert "Acme-Co/film-1.mp4" not in left
    assert left[stranger] == before[stranger]
    assert (await manifest(place))["withdrawn"] == []


async def test_a_file_that_is_gone_or_was_cut_at_the_place_is_put_there_again(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    await delivered(store, folder)
    out = tmp_path / "out/Acme-Co"
    whole = (out / "hero-1.png").read_bytes()
    (out / "hero-1.png").write_bytes(b"cut")
    (out / "film-1.mp4").unlink()
    (tmp_path / "out/index.html").unlink()

    report = await delivered(store, folder)

    assert (report.copied, report.changed) == (["Acme-Co/film-1.mp4"], ["Acme-Co/hero-1.png"])
    assert (out / "hero-1.png").read_bytes() == whole
    assert (tmp_path / "out/index.html").exists()


async def test_names_that_clash_are_refused_all_at_once_before_anything_is_written(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    hero, photo, reel, model, words = sorted(await items_of(store), key=lambda one: "hero photo film model words".index(one.step))
    items = [
        replace(hero, values={"name": "mug.png", "sku": 7}),
        replace(photo, values={"name": "MUG.png", "sku": 8}),
        replace(reel, values={"name": "reel"}),
        replace(model, values={"name": "reel/a"}),
        replace(words, values={"name": "index.html"}),
        replace(words, values={"other": "x"}),
    ]

    with pytest.raises(InputError) as caught:
        await deliver(items, replace(WISH, names="{% for one in name.split %}{% endfor %}"), store, folder)
    assert "asks for name.split, but name has no parts" in str(caught.value)
    with pytest.raises(InputError) as caught:
        await deliver(items, replace(WISH, names="{% if name == 'reel/a' %}reel/a{% else %}{{ name }}{% endif %}"), store, folder)

    faults = {fault.place: fault.what for fault in caught.value.faults}
    assert "would be mugs/hero/a.png and mugs/photo/b.jpg; these tell them apart: " in faults["mug.png"]
    assert "{sku} (7, 8)" in faults["mug.png"]
    assert faults["reel/a"] == "would be mugs/model/d.glb, in a folder whose name a file has: mugs/film/c.mp4"
    assert faults["index.html"].endswith("this name is the delivery's own")
    assert any("names name, which is not there" in what for what in faults.values())
    assert not (tmp_path / "out").exists()


async def test_the_same_file_asked_for_twice_is_told_as_that(store: Store, folder: Store) -> None:
    items = await items_of(store)
    with pytest.raises(InputError, match="the same is asked for twice"):
        await deliver([*items, items[0]], WISH, store, folder)


async def test_pictures_come_in_the_forms_asked_for_upright_and_labelled_and_the_rest_as_it_is(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    wish = replace(WISH, names="{step}-{side}.{ext}", forms=[Form("jpg", 48), Form("webp"), Form("tif", 30)])

    report = await delivered(store, folder, wish)

    assert counts(report) == (9, 0, 0, 0, 0, 0)
    sizes: dict[str, tuple[int, int]] = {}
    for file in (tmp_path / "out").iterdir():
        if file.suffix in (".jpg", ".webp", ".tif"):
            with Image.open(file) as shown:
                sizes[file.name] = shown.size
    assert sizes == {
        "hero-48.jpg": (48, 32),
        "hero.webp": (96, 64),
        "hero-30.tif": (30, 20),
        "photo-48.jpg": (32, 48),
        "photo.webp": (60, 90),
        "photo-30.tif": (20, 30),
    }
    for one in (await manifest(folder))["files"]:
        container = CONTAINERS.get(one["media_type"])
        if container:
            packet = container.look(tmp_path / "out" / one["name"]).packet or b""
            assert b"Acme</rdf:li>" in packet
            assert b"trainedAlgorithmicMedia" in packet


async def test_a_picture_in_the_form_already_is_not_encoded_again(store: Store, folder: Store, tmp_path: Path) -> None:
    await delivered(store, folder, replace(WISH, forms=[Form("png", 96)], names="{step}.{ext}"))

    with Image.open(tmp_path / "out/hero.png") as now, Image.open(tmp_path / "media/mugs/hero/a.png") as before:
        assert now.tobytes() == before.tobytes()
    (entry,) = [one for one in (await manifest(folder))["files"] if one["step"] == "hero"]
    assert entry["source_sha256"] == hashlib.sha256((tmp_path / "media/mugs/hero/a.png").read_bytes()).hexdigest()


async def test_what_is_transparent_is_white_in_a_jpeg_and_a_lost_credential_is_told(folder: Store, tmp_path: Path) -> None:
    root = tmp_path / "clear"
    buffer = io.BytesIO()
    Image.new("RGBA", (40, 20), (255, 0, 0, 0)).save(buffer, "PNG")
    content = buffer.getvalue()
    chunk = b"caBXjumb"
    signed = content[:33] + b"\0\0\0\4" + chunk + crc32(chunk).to_bytes(4) + content[33:]
    write_asset(root, "mugs/logo/a.png", signed)
    async with Store.lease(str(root)) as store:
        made = await delivered(store, folder, Wish(campaign="mugs", names="{step}.{ext}", forms=[Form("jpg"), Form()]))

    with Image.open(tmp_path / "out/logo.jpg") as shown:
        assert shown.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
    assert (tmp_path / "out/logo.png").read_bytes() == signed
    told = {fault.place: fault.what for fault in made.notes if "C2PA" in fault.what}
    assert "are not in it" in told["logo.jpg"]
    assert "a label would break" in told["logo.png"]


async def test_a_file_that_is_gone_or_changed_is_told_and_the_others_are_delivered(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    await delivered(store, folder)
    again = replace(WISH, creator="Another")
    (tmp_path / "media/mugs/hero/a.png").write_bytes(picture("red"))
    (tmp_path / "media/mugs/film/c.mp4").unlink()

    report = await delivered(store, folder, again)

    faults = {fault.place: fault.what for fault in report.faults}
    assert faults.keys() == {"Acme-Co/hero-1.png", "Acme-Co/film-1.mp4"}
    assert "was changed in the store" in faults["Acme-Co/hero-1.png"]
    assert "not in the store any more" in faults["Acme-Co/film-1.mp4"]
    assert (len(report.changed), report.withdrawn) == (3, [])
    assert [one["name"] for one in (await manifest(folder))["files"]] == [
        one["name"] for one in (await manifest(folder))["files"]
    ]
    assert len((await manifest(folder))["files"]) == 5, "what was there before stays, and is listed"


async def test_what_others_put_under_a_name_is_not_written_over(store: Store, folder: Store, tmp_path: Path) -> None:
    hers = tmp_path / "out/Acme-Co/hero-1.png"
    hers.parent.mkdir(parents=True)
    hers.write_bytes(b"hers")

    for _ in range(2):
        report = await delivered(store, folder)
        assert [fault.place for fault in report.faults] == ["Acme-Co/hero-1.png"]
        assert "which no delivery put there" in report.faults[0].what
        assert hers.read_bytes() == b"hers"
    pruned = await deliver([], WISH, store, folder, prune=True)

    assert sorted(pruned.pruned) == [name for name in NAMES if "hero" not in name]
    assert hers.read_bytes() == b"hers"


@pytest.mark.parametrize("name", ["manifest.json", "index.html", "mugs.zip", "manifest.csv"])
async def test_a_place_that_holds_something_else_is_refused(store: Store, folder: Store, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("{}")

    with pytest.raises(SettingsError, match="Deliver to another folder"):
        await delivered(store, folder, replace(WISH, package=True))

    assert [file.name for file in (tmp_path / "out").iterdir()] == [name]


async def test_a_place_with_the_delivery_of_another_campaign_and_one_in_the_store_are_refused(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    await delivered(store, folder)

    with pytest.raises(SettingsError, match="holds the delivery of the campaign mugs"):
        await delivered(store, folder, replace(WISH, campaign="cups"))
    (tmp_path / "link").symlink_to(tmp_path / "media")
    for inside in ("media", "media/mugs", "", "link/new"):
        async with Store.lease(str(tmp_path / inside)) as place:
            with pytest.raises(SettingsError, match="is not apart from the store"):
                await delivered(store, place)


async def test_a_place_that_cannot_be_written_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file")
    async with Store.lease(str(tmp_path / "blocked/out")) as place:
        with pytest.raises(StoreError, match="cannot be written"):
            await delivered(store, place)


async def test_a_bucket_that_is_not_there_or_takes_no_such_key_is_told(store: Store, buckets: Buckets) -> None:
    there = buckets.new()
    for place in (replace(there, root="s3://nobody-has-it/out"), replace(there, secret="wrong")):
        async with Store.lease(place) as target:
            with pytest.raises(StoreError):
                await delivered(store, target)


async def test_the_list_opens_in_a_spreadsheet_and_starts_no_formula(store: Store, folder: Store, tmp_path: Path) -> None:
    items = [
        replace(one, values={"row": {"sku": "+1", "size": 3}}, verdict="keep", by="Ann", title="@x")
        for one in await items_of(store)
    ]
    await deliver(items, replace(WISH, names="{step}.{ext}"), store, folder)

    content = (tmp_path / "out/manifest.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfname,step,row.sku,row.size,title,prompt,")
    lines = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    hero = next(line for line in lines if line["step"] == "hero")
    assert (hero["row.sku"], hero["row.size"], hero["title"], hero["prompt"]) == ("'+1", "3", "'@x", "'=a <b>mug</b>")
    assert (hero["verdict"], hero["by"], hero["cost"], hero["unit"]) == ("keep", "Ann", "3.0", "credits")
    assert (hero["provider"], hero["operation"], hero["source"]) == ("flora", "technique:studio-blur", "mugs/hero/a.png")
    told = next(one for one in (await manifest(folder))["files"] if one["step"] == "hero")
    assert told["values"] == {"row": {"sku": "+1", "size": 3}}
    assert told["prompt"] == "=a <b>mug</b>"


async def test_the_page_shows_pictures_without_a_script_and_text_as_text(store: Store, folder: Store, tmp_path: Path) -> None:
    items = [replace(one, title="</title><script>alert(1)</script>") for one in await items_of(store)]
    await deliver(items, WISH, store, folder)

    page = (tmp_path / "out/index.html").read_text()
    assert "<script" not in page
    assert "=a &lt;b&gt;mug&lt;/b&gt;" in page
    assert page.count("data:image/webp;base64,") == 1
    assert 'src="Acme-Co/photo-1.jpg"' in page, "without a thumbnail the picture itself is shown"


async def test_a_zip_has_all_of_it_and_is_the_same_each_time(store: Store, folder: Store, tmp_path: Path) -> None:
    packed = replace(WISH, package=True)
    await delivered(store, folder, packed)
    first = (tmp_path / "out/mugs.zip").read_bytes()
    (tmp_path / "out/mugs.zip").unlink()
    await delivered(store, folder, packed)

    assert (tmp_path / "out/mugs.zip").read_bytes() == first
    with ZipFile(io.BytesIO(first)) as opened:
        assert sorted(opened.namelist()) == [*NAMES, "index.html", "manifest.csv", "manifest.json"]
        for name in (*NAMES, "index.html"):
            assert opened.read(name) == (tmp_path / "out" / name).read_bytes()


async def test_a_zip_that_is_out_of_date_is_withdrawn_and_made_anew_once_it_is_asked_for(
    store: Store, folder: Store, tmp_path: Path
) -> None:
    await delivered(store, folder, replace(WISH, package=True))
    other = replace(WISH, creator="Another")

    same = await delivered(store, folder)
    without = await delivered(store, folder, other)
    with_it = await delivered(store, folder, replace(other, package=True), prune=True)

    assert (same.withdrawn, without.withdrawn, with_it.withdrawn, with_it.pruned) == ([], ["mugs.zip"], [], [])
    with ZipFile(tmp_path / "out/mugs.zip") as opened:
        assert opened.read(NAMES[1]) == (tmp_path / "out" / NAMES[1]).read_bytes()


def many(root: Path, count: int) -> None:
    for number in range(count):
        write_asset(root, f"mugs/hero-{number:03}/a.png", picture("teal", (700, 500 + number)), labels={"client": "Acme & Co"})


async def test_a_delivery_that_is_killed_leaves_no_half_file_and_the_next_one_goes_on(tmp_path: Path) -> None:
    many(tmp_path / "media", 30)
    out = tmp_path / "out/Acme-Co"
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "genmedia",
            "deliver",
            "mugs",
            "--folder",
            str(tmp_path / "media"),
            "--to",
            str(tmp_path / "out"),
        ),
        *("--names", WISH.names, "--creator", WISH.creator, "--rights", WISH.rights),
        cwd=PROJECT,
    )
    while process.returncode is None and len(list(out.glob("*.png"))) < 5:
        await asyncio.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    left = {file.name: file.read_bytes() for file in out.glob("*.png")}
    assert 5 <= len(left) < 30
    assert not (tmp_path / "out/manifest.json").exists()

    async with Store.lease(str(tmp_path / "media")) as store, Store.lease(str(tmp_path / "out")) as place:
        fewer = [one for one in await items_of(store) if not one.path.endswith(f"{min(left)[:8]}/a.png")]
        foreseen = await deliver(fewer, WISH, store, place, dry_run=True)
        await deliver(fewer, replace(WISH, creator="Another"), store, place)
        report = await delivered(store, place)
        async with Store.lease(str(tmp_path / "clean")) as clean:
            await delivered(store, clean)

    assert foreseen.withdrawn == [f"Acme-Co/{min(left)}"]
    assert counts(report)[4:] == (0, 0)
    for file in (tmp_path / "clean").rglob("*.*"):
        assert (tmp_path / "out" / file.relative_to(tmp_path / "clean")).read_bytes() == file.read_bytes()
    assert {name: (out / name).read_bytes() for name in left} == left
    assert not (tmp_path / "out" / BEGUN).exists()


class KilledError(BaseException):
    """The end of a process."""


async def test_what_arrived_before_a_delivery_was_killed_is_not_sent_again(
    store: Store, folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genmedia.campaign.delivery.delivering.NOTED_SECONDS", 0.0)
    monkeypatch.setattr("genmedia.campaign.delivery.delivering.AT_ONCE", 1)
    put, arrived = folder.files.put, list[str]()

    async def killed(source: Path, path: str) -> None:
        if len(arrived) == 3:
            raise KilledError
        await put(source, path)
        if path in NAMES:
            arrived.append(path)

    with monkeypatch.context() as patched:
        patched.setattr(folder.files, "put", killed)
        with pytest.raises(KilledError):
            await delivered(store, folder)
    assert (tmp_path / "out" / BEGUN).exists()

    report = await delivered(store, folder)

    assert len(report.left) >= 2, "the last one may have come too late to be written down"
    assert {*report.left} <= {*arrived}
    assert sorted([*report.left, *report.copied, *report.changed]) == NAMES
    assert not (tmp_path / "out/.genmedia").exists()


_ON_A_FULL_DISK = """
import asyncio, subprocess, sys
from pathlib import Path
from genmedia.campaign.delivery import Wish, deliver
from genmedia.campaign.delivery.stored import stored_items
from genmedia.errors import StoreError
from genmedia.provenance.reading import read_assets
from genmedia.store import Store
async def main(media, out):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", out], check=True)
    junk = Path(out, "junk")
    junk.write_bytes(bytes(980_000))
    async with Store.lease(media) as store, Store.lease(out) as place:
        items = stored_items((await read_assets(store)).assets, "mugs")
        try:
            await deliver(items, Wish(campaign="mugs"), store, place)
        except StoreError as error:
            print(type(error).__name__)
        junk.unlink()
        print(len(list(Path(out).glob("*.png"))) < 20)
        report = await deliver(items, Wish(campaign="mugs"), store, place)
        print(len(report.faults), len(list(Path(out).glob("*.png"))))
asyncio.run(main(*sys.argv[1:]))
"""


def test_a_disk_that_is_full_is_told_and_the_delivery_goes_on_once_there_is_room(tmp_path: Path) -> None:
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    many(tmp_path / "media", 20)
    (tmp_path / "out").mkdir()
    command = [*unshare, sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path / "media"), str(tmp_path / "out")]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)

    assert done.stdout.splitlines() == ["StoreFullError", "True", "0 20"], done.stderr


def marked(items: Sequence[Item], **marks: str) -> str:
    told = [
        {"mark": marks[one.step], "path": one.path, "sha256": one.sidecar.file.sha256, "output": one.sidecar.output.id}
        | {"submission_key": one.sidecar.submission_key}
        for one in items
        if one.step in marks
    ]
    return json.dumps({"marks": 1, "made": "2026-01-01T00:00:00Z", "assets": told})


async def test_what_a_person_rejected_is_left_out_and_what_is_kept_says_so(store: Store) -> None:
    marks = read_marks(marked(await items_of(store), hero="keep", film="reject", photo="retake"))

    items = stored_items((await read_assets(store)).assets, "mugs", marks=marks)

    assert {one.step: one.verdict for one in items} == {"hero": "keep", "model": "", "words": ""}


async def test_a_campaign_has_what_it_uses_of_others_and_one_that_is_unknown_is_told(store: Store, tmp_path: Path) -> None:
    use = {"campaign": "mugs", "step": "ground", "labels": {"client": "x"}, "since": "2026-01-01T00:00:00Z"}
    write_asset(tmp_path / "media", "tea/cup/a.png", picture("red"), uses=[use])
    assets = (await read_assets(store)).assets

    (ground,) = stored_items(assets, "mugs", steps=["ground"])

    assert (ground.path, ground.values) == ("tea/cup/a.png", {"client": "x"})
    with pytest.raises(SettingsError, match="The campaigns are "):
        stored_items(assets, "nobody")
    with pytest.raises(SettingsError, match=r"no file of mugs is of a step nowhere\. The steps are "):
        stored_items(assets, "mugs", steps=["nowhere"])


async def test_a_sheet_that_was_bought_is_delivered_by_its_prompts_and_seeds(algovera: Studio, tmp_path: Path) -> None:
    ended = await algovera.run(text_to_image, {"name": "kites", "prompts": ["a red kite", "a blue kite"], "seeds": [7, 8]})
    assert not isinstance(ended.result, BaseException)

    async with Store.lease(str(algovera.root)) as store, Store.lease(str(tmp_path.with_name(f"{tmp_path.name}-out"))) as place:
        items = stored_items((await read_assets(store)).assets, "kites")
        report = await deliver(items, Wish(campaign="kites", names="{prompt}/{seed}.{ext}"), store, place)

    assert sorted(report.copied) == ["a-blue-kite/7.jpg", "a-blue-kite/8.jpg", "a-red-kite/7.jpg", "a-red-kite/8.jpg"]
    assert report.notes == []
