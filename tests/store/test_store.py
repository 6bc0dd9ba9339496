"""The store: a paid file is there whole or not at all, under a name that nobody else's file takes, wherever the store is."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.engines.object_store import ACCESS_KEY, SECRET_KEY
from genmedia.errors import GenmediaError, SettingsError, StoreDeniedError, StoreError, StoreMissingError, StoreUnreachableError
from genmedia.gallery.page import write_gallery
from genmedia.journal import Journal
from genmedia.media.hashing import hash_file
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import read_assets
from genmedia.store import FIELDS, Place, Store
from genmedia.store.naming import may_be_sidecar
from genmedia.store.sidecar import Evidence, Sidecar
from genmedia.store.store import ORPHAN_SECONDS, thumbnail_path
from tests.buckets import Buckets
from tests.example_assets import make_evidence, sidecar_json

NAMES = {
    "campaign": "coffee",
    "step": "hero",
    "provider": "flora",
    "account": "default",
    "operation": "technique studio-blur",
    "output": "output_image",
    "take": "1",
    "key": "c0ffee00",
    "sha256": "",
    "date": "2030-01-02",
    "ext": "png",
}
PATH = "coffee/hero/output_image.png"


async def put(
    store: Store,
    content: bytes = b"bytes",
    *,
    key: str = "c0ffee00",
    output: str = "output_image",
    number: int | None = None,
    **names: str,
) -> str:
    with store.incoming() as incoming:
        incoming.path.write_bytes(content)
        digest = hash_file(incoming.path)
        told = {"id": output, **({} if number is None else {"number": number})}
        sidecar = make_sidecar(digest, len(content), submission_key=key, output=told)
        published = await store.publish(
            incoming, {**NAMES, "key": key[:8], "output": output, "sha256": digest[:8], **names}, sidecar
        )
        return published.file.path


def make_sidecar(digest: str = "ab" * 32, size: int = 5, **changes: Any) -> Sidecar:
    return Sidecar.model_validate(sidecar_json("coffee/hero/", digest, size, **changes))


async def files(store: Store) -> set[str]:
    """Every file below the root, without the store's own."""
    return {path async for path, *_ in store.files.walk()} - {".genmedia/publishing.lock"}


async def sidecar_of(store: Store, path: str) -> dict[str, Any]:
    return json.loads(await store.files.read(f"{path}.json"))


async def write(store: Store, path: str, content: bytes) -> None:
    """What somebody else puts there."""
    with store.incoming() as incoming:
        incoming.path.write_bytes(content)
        await store.files.put(incoming.path, path)


@pytest.fixture(params=["folder", "memory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a store may be; for every test a new one."""
    if request.param == "folder":
        return Place(str(tmp_path / "media"))
    if request.param == "memory":
        return Place(f"memory://{tmp_path}/media")
    buckets: Buckets = request.getfixturevalue("buckets")
    return buckets.new()


@pytest.fixture
async def store(place: Place) -> AsyncGenerator[Store]:
    async with Store.lease(place) as opened:
        yield opened


@pytest.mark.parametrize("listed", [1, 100])
async def test_many_assets_are_looked_for_at_once_with_the_same_result_as_one_by_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    monkeypatch.setattr("genmedia.store.remote.LISTED", listed)
    one = await put(store)
    other = await put(store, b"other", campaign="tea", step="late")
    bare = await put(store, b"without a sidecar", key="decade00", output="other")
    await store.files.remove(f"{bare}.json")
    paths = [one, other, bare, "coffee/hero/nothing.png", "nowhere/at/all.png"]

    has = await store.those_there(paths)

    for path in paths:
        for size in (None, 5, 17):
            assert await has(path, size) == await store.has(path, size), (path, size)
    assert await has(one, 5)
    assert not await has(bare, 17)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
async def local(folder: Path) -> AsyncGenerator[Store]:
    async with Store.lease(str(folder)) as opened:
        yield opened


# Publishing


async def test_a_file_gets_its_name_and_a_sidecar_that_knows_it(store: Store) -> None:
    path = await put(store, b"bytes")

    assert path == PATH
    assert await store.files.read(path) == b"bytes"
    file = (await sidecar_of(store, path))["file"]
    assert (file["sha256"], file["bytes"], file["path"]) == (await store.files.digest(path), 5, path)
    assert await files(store) == {path, f"{path}.json"}
    assert await store.has(path)


async def test_a_thumbnail_is_kept_by_the_hash_of_what_it_shows(store: Store) -> None:
    with store.incoming() as incoming:
        incoming.path.write_bytes(b"film")
        incoming.thumbnail.write_bytes(b"small")
        await store.publish(incoming, NAMES, make_sidecar("ab" * 32))

    assert await store.files.read(thumbnail_path("ab" * 32)) == b"small"


_READER = """
import sys
from pathlib import Path
root, size, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
done = 0
while done < count:
    done = 0
    for file in list(root.glob("coffee/*/*")):
        if file.suffix == ".json":
            assert file.read_text().endswith("}\\n"), "half a sidecar"
            assert file.with_suffix("").exists(), "a sidecar before its file"
            done += 1
        else:
            assert file.stat().st_size == size, "half a file"
"""


async def test_a_reader_of_a_folder_never_sees_half_a_file_nor_a_sidecar_before_its_file(local: Store, folder: Path) -> None:
    content = os.urandom(2_000_000)
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READER, folder, str(len(content)), "20", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reader.stdout is not None
    await reader.stdout.readline()
    for number in range(20):
        await put(local, content, step=f"step-{number}")

    _, complaint = await reader.communicate()

    assert (reader.returncode, complaint) == (0, b"")


async def test_another_file_under_the_same_name_is_kept_beside_it(store: Store) -> None:
    paths = [await put(store, content) for content in (b"one", b"two", b"one")]

    assert paths[0] == paths[2] == PATH
    assert await store.files.read(paths[0]) == b"one"
    assert await store.files.read(paths[1]) == b"two"
    assert paths[1] == f"coffee/hero/output_image-{str(await store.files.digest(paths[1]))[:8]}.png"
    assert len(await files(store)) == 4


async def test_equal_bytes_that_were_bought_twice_each_keep_their_own_file_and_sidecar(place: Place) -> None:
    async with Store.lease(place, template="{campaign}/{output}.{ext}") as store:
        paths = [await put(store, b"same", key=key) for key in ("aaaa", "bbbb", "cccc")]

        assert len(set(paths)) == 3
        assert [(await sidecar_of(store, path))["submission_key"] for path in paths] == ["aaaa", "bbbb", "cccc"]
        assert [await put(store, b"same", key=key) for key in ("aaaa", "bbbb", "cccc")] == paths


async def test_equal_bytes_of_two_outputs_with_one_name_are_two_assets_and_each_is_stored_over_itself(store: Store) -> None:
    numbers = (1, 2, 3)

    paths = [await put(store, b"same", number=number) for number in numbers]

    assert len(set(paths)) == 3
    assert [(await sidecar_of(store, path))["output"]["number"] for path in paths] == [*numbers]
    assert [await put(store, b"same", number=number) for number in numbers] == paths
    assert len(await files(store)) == 6


async def test_an_output_whose_sidecar_tells_no_number_is_stored_over_itself(store: Store) -> None:
    assert {await put(store), await put(store, number=2)} == {PATH}


async def test_many_equal_outputs_of_one_job_each_find_their_name_after_a_few_looks(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    size_of = local.files.size

    async def size(path: str) -> int | None:
        nonlocal looks
        looks += 1
        return await size_of(path)

    monkeypatch.setattr(local.files, "size", size)

    paths = [await put(local, b"same", number=number) for number in range(1, 61)]

    assert len(set(paths)) == 60
    assert looks <= 60 * 5


async def test_what_a_person_changed_is_kept_aside_before_the_jobs_own_file_takes_its_place(store: Store) -> None:
    path = await put(store, b"bytes", number=1)
    await write(store, path, b"by")
    assert await store.has(path)
    assert not await store.has(path, 5)

    assert await put(store, b"bytes", number=1) == path

    assert await store.files.read(path) == b"bytes"
    (kept,) = {one for one in await files(store) if one.startswith("quarantine/") and not one.endswith(".json")}
    assert await store.files.read(kept) == b"by"
    assert "was changed after it was stored" in (await sidecar_of(store, kept))["what"]
    (warning,) = (await sidecar_of(store, path))["warnings"]
    assert kept in warning


async def test_a_file_in_a_folders_way_and_a_folder_in_a_files_way_keep_nothing_out(place: Place) -> None:
    async with Store.lease(place, template="{campaign}/{step}.png") as store:
        first = await put(store, b"first")
    async with Store.lease(place, template="{campaign}/{step}.png/{output}.{ext}") as store:
        below = [await put(store, b"below", key="other") for _ in range(2)]
        other = await put(store, b"other", key="another", campaign="tea")
    async with Store.lease(place, template="{campaign}/{step}.png") as store:
        beside = [await put(store, b"beside", key="last", campaign="tea") for _ in range(2)]

        assert len({*below}) == len({*beside}) == 1
        assert len({first, below[0], other, beside[0]}) == 4
        for path, content in ((first, b"first"), (below[0], b"below"), (other, b"other"), (beside[0], b"beside")):
            assert await store.files.read(path) == content
            assert (await sidecar_of(store, path))["file"]["path"] == path
            assert await store.has(path)


@pytest.mark.parametrize("there", ["a link to nothing", "a pipe", "a folder for a sidecar", "a link to nothing for a folder"])
async def test_what_is_no_file_in_a_folder_keeps_no_paid_file_out(local: Store, folder: Path, there: str) -> None:
    place = folder / PATH
    place.parent.mkdir(parents=True)
    match there:
        case "a link to nothing":
            place.symlink_to("nothing")
        case "a pipe":
            os.mkfifo(place)
        case "a folder for a sidecar":
            Path(f"{place}.json").mkdir()
        case _:
            place.parent.rmdir()
            place.parent.symlink_to("nothing")

    path = await put(local, b"bytes")

    assert path in ("coffee/hero/output_image-.png", "coffee/hero-/output_image.png")
    assert await local.has(path)
    assert await put(local, b"bytes") == path


async def test_a_file_is_looked_at_before_it_is_trusted(store: Store) -> None:
    path = await put(store, b"bytes")
    assert await store.why_changed(path) == ""
    assert await store.has(path, 5)

    await write(store, path, b"bytez")
    why = await store.why_changed(path)

    assert why.startswith(
        f"{path} was changed after it was stored (was SHA-256 {(await sidecar_of(store, path))['file']['sha256']}"
    )
    assert "is fetched again, not bought again" in why
    assert await store.why_changed("gone.png") == "gone.png is not there"


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"submission_key": 3, "output": []}', b"\xff\xfe", b"not JSON"])
async def test_what_somebody_else_has_put_where_a_sidecar_would_stand_is_left_alone(store: Store, content: bytes) -> None:
    await write(store, f"{PATH}.json", content)

    assert await put(store) != PATH
    assert await store.files.read(f"{PATH}.json") == content


async def test_what_is_far_too_long_for_a_sidecar_is_not_read_where_one_would_stand(
    local: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "coffee/hero").mkdir(parents=True)
    with (folder / f"{PATH}.json").open("wb") as huge:
        huge.truncate(6 * 10**9)
    read: list[str] = []
    read_of = local.files.read

    async def reading(path: str, most: int | None = None) -> bytes:
        read.append(path)
        return await read_of(path, most)

    monkeypatch.setattr(local.files, "read", reading)

    assert await put(local) != PATH
    assert f"{PATH}.json" not in read


async def test_files_that_want_the_same_name_at_the_same_time_are_all_kept(place: Place) -> None:
    async with Store.lease(place, template="{campaign}/{output}.{ext}") as store:
        paths = await asyncio.gather(*(put(store, str(number).encode()) for number in range(20)))

        assert sorted([int(await store.files.read(path)) for path in paths]) == list(range(20))
        assert await files(store) == {*paths, *(f"{path}.json" for path in paths)}, "no claim is left"


_PUBLISHER = """
import asyncio, sys
from genmedia.store import Place, Store
from tests.store.test_store import put
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    async with Store.lease(Place(*sys.argv[3:]), template="{campaign}/{output}-{step}.{ext}") as store:
        for step in range(10):
            print(await put(store, sys.argv[1].encode(), key=sys.argv[2], step=str(step)))
asyncio.run(main())
"""


@pytest.mark.parametrize("key", ["same", "other"])
async def test_two_processes_that_publish_under_the_same_names_lose_nothing(place: Place, key: str) -> None:
    if place.root.startswith("memory:"):
        pytest.skip("memory belongs to one process")
    known = [place.root, place.key, place.secret, place.endpoint]
    content = {"same": "content", "other": "contents"}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PUBLISHER, content[name], name, *known, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in ("same", key)
    ]
    for process in processes:
        assert process.stdout
        await process.stdout.readline()
    ended = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    paths = [path for stdout, _ in ended for path in stdout.decode().split()]

    async with Store.lease(place) as store:
        assert len(paths) == 20
        assert len(set(paths)) == (10 if key == "same" else 20)
        assert sorted({await store.files.read(path) for path in paths}) == sorted({b"content", content[key].encode()})
        assert await files(store) == {*paths, *(f"{path}.json" for path in paths)}


async def test_a_file_whose_process_died_before_its_sidecar_is_stored_over(store: Store) -> None:
    await write(store, PATH, b"bytes")
    assert not await store.has(PATH)

    assert await put(store) == PATH
    assert await store.has(PATH)


async def test_a_sidecar_without_its_file_keeps_the_place_for_it(store: Store) -> None:
    await write(store, f"{PATH}.json", (json.dumps({"submission_key": "aaaa", "output": {"id": "output_image"}})).encode())

    assert await put(store, b"other", key="bbbb") != PATH
    assert await put(store, b"again", key="aaaa") == PATH


async def test_what_somebody_else_has_put_there_is_left_alone(store: Store) -> None:
    await write(store, PATH, b"not ours")

    path = await put(store)

    assert path != PATH
    assert await store.files.read(PATH) == b"not ours"


async def test_a_large_file_arrives_as_it_was(store: Store) -> None:
    content = os.urandom(20_000_000)

    path = await put(store, content)

    assert await store.files.digest(path) == (await sidecar_of(store, path))["file"]["sha256"]
    assert hash_file(await store.files.copy(path)) == (await sidecar_of(store, path))["file"]["sha256"]


@pytest.mark.parametrize(
    "path", ["../secret.txt", "a/../../secret.txt", "/etc/passwd", "", ".genmedia/check.txt", "quarantine/x"]
)
async def test_an_asset_is_never_outside_the_store_nor_among_what_is_its_own(store: Store, path: str) -> None:
    await store.check()
    await write(store, "quarantine/x", b"refused")

    with pytest.raises(FileNotFoundError):
        await store.asset(path)


async def test_a_copy_is_of_what_is_there_now(store: Store) -> None:
    for content in (b"first", b"other"):
        await write(store, "a.txt", content)

        assert (await store.files.copy("a.txt")).read_bytes() == content
    with pytest.raises(FileNotFoundError):
        await store.files.copy("gone.txt")
    with pytest.raises(FileNotFoundError):
        await store.files.read("gone.txt")


async def test_what_is_removed_is_gone_with_its_copy_and_can_be_removed_again(store: Store) -> None:
    await write(store, "a/b.txt", b"words")
    copy = await store.files.copy("a/b.txt")

    for _ in range(2):
        await store.files.remove("a/b.txt")

    assert await store.files.size("a/b.txt") is None
    assert not copy.exists()


@pytest.mark.parametrize("root", ["s3:/bucket", "s3:bucket/media", "S3:/bucket", "s3://", "s3:///media", "gs:/bucket"])
def test_an_address_without_a_bucket_is_refused_and_not_taken_for_a_folder(root: str) -> None:
    with pytest.raises(SettingsError, match="names no bucket") as refused:
        Place(root)
    assert "://bucket/folder" in str(refused.value)


@pytest.mark.parametrize(
    ("root", "words"),
    [("~nobody-here/media", "in no user's home"), ("a\0b", "control"), ("a\nb", "control"), ("a\udcff", "no UTF-8")],
)
def test_a_folder_that_cannot_be_one_is_refused_in_words(root: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Place(root).below(Path("/srv"))


@pytest.mark.parametrize("root", ["http://127.0.0.1:9/media", "zip://{here}"])
async def test_an_address_that_cannot_be_written_is_told_as_that(tmp_path: Path, root: str) -> None:
    with pytest.raises(GenmediaError, match=r"could not be claimed|cannot be a store"):
        async with Store.lease(Place(root.format(here=tmp_path))) as store:
            await store.check()


@pytest.mark.parametrize("endpoint", ["localhost:9000", "minio", "//minio:9000", "s3://minio", "http://", "http://:9000"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="is no address") as refused:
        Place("s3://bucket/media", endpoint=endpoint)
    assert "http://localhost:9000" in str(refused.value)


@pytest.mark.parametrize("root", ["media", "a:b", "/srv/s3:/media", "file:///srv/media", "memory://", "s3://bucket"])
def test_a_folder_or_an_address_is_a_place(root: str) -> None:
    assert Place(root, endpoint="https://minio.example:9000/").root == root


async def test_what_is_given_up_on_the_way_in_leaves_nothing(store: Store) -> None:
    with suppress(RuntimeError), store.incoming() as incoming:
        incoming.path.write_bytes(b"half")
        incoming.thumbnail.write_bytes(b"small")
        raise RuntimeError
    assert await files(store) == set()
    assert not list(store.files.scratch.iterdir())


# Names


ids = st.one_of(
    st.text(),
    st.sampled_from(["..", "../../etc/passwd", "/etc/passwd", ".genmedia", "quarantine", "a/../..", "C:\\x", "\0", "."]),
)


@settings(max_examples=60, deadline=None)
@given(names=st.fixed_dictionaries(dict.fromkeys(("output", "operation", "account", "campaign", "step"), ids)))
def test_names_from_a_provider_never_become_paths(names: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "media")

        async def publish() -> tuple[str, set[str]]:
            async with Store.lease(str(root), template="{campaign}/{step}/{account}-{operation}/{output}.{ext}") as store:
                path = await put(store, b"bytes", **names)
                return path, await files(store)

        path, found = asyncio.run(publish())

        assert len(Path(path).parts) == 4
        assert (root / path).resolve().is_relative_to(root.resolve())
        assert Path(path).parts[0] not in {".genmedia", "quarantine", "..", "."}
        assert found == {path, f"{path}.json"}
        assert {str(file.relative_to(folder)).split("/")[0] for file in Path(folder).rglob("*")} == {"media"}


async def test_a_long_name_is_cut_so_that_the_disk_takes_it(store: Store) -> None:
    assert len(Path(await put(store, output="x" * 5000)).name) < 255


@pytest.mark.parametrize(
    "template",
    [
        "",
        "/{output}",
        "../{output}",
        "a/../{output}",
        "{nonsense}",
        "{output",
        "{}",
        "{0}",
        ".genmedia/{output}",
        "quarantine/{output}",
        "{output.x}",
        "{campaign}/{output}/",
        "./{output}.{ext}",
        "{campaign}//{output}",
        "index.html",
        "Index.HTML",
        "{output}",
        "{campaign}/{output}-{ext}",
        "{campaign}/{output}.{take}",
        "{output}.json",
        "{campaign}/{output}.JSON",
        "QUARANTINE/{output}.{ext}",
        "manifest.csv/{output}.{ext}",
        "coffee.png.json/{output}.{ext}",
        "CON/{output}.{ext}",
        "a\\b/{output}.{ext}",
        "a\n/{output}.{ext}",
        "{campaign}./{output}.{ext}",
    ],
)
async def test_a_template_that_names_something_unknown_or_leaves_the_root_is_refused(folder: Path, template: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a path template") as refused:
        async with Store.lease(str(folder), template=template):
            pass
    assert "{campaign}" in str(refused.value)


OURS = [
    "index.html",
    "INDEX.html",
    "manifest.csv",
    "MANIFEST.CSV",
    ".genmedia",
    "Quarantine",
    "x.png.json",
    "x.png.JSON",
    "con",
    "nul.png",
]


@pytest.mark.parametrize(
    "template", ["{output}.{ext}", "{campaign}/{output}.{ext}", "{campaign}/{step}/{output}.html", "{step}.csv"]
)
async def test_no_name_that_anybody_gives_is_taken_for_what_is_the_stores_own(place: Place, template: str) -> None:
    async with Store.lease(place, template="{output}.{ext}") as first:
        kept = {await put(first, b"x", output="x"): b"x"}
    async with Store.lease(place, template=template) as store:
        for number, name in enumerate(OURS):
            named: dict[str, Any] = {
                "campaign": name,
                "step": name.partition(".")[0],
                "output": name.partition(".")[0] if "{ext}" in template else name,
            }
            content = str(number).encode()
            kept[await put(store, content, key=f"{number:08x}", ext=name.rpartition(".")[2], **named)] = content
        await write_gallery(store, await read_assets(store))
        await write_manifest(store, [])

        assert len(kept) == len(OURS) + 1
        for path, content in kept.items():
            assert await store.files.read(path) == content
            assert (await sidecar_of(store, path))["file"]["path"] == path
        parts = [part for path in kept for part in path.lower().split("/")]
        assert not {"index.html", "manifest.csv", ".genmedia", "quarantine", "con", "nul.png"} & {*parts}
        assert not [part for part in parts if part.endswith((".json", "."))]
        for page in ("index.html", "manifest.csv"):
            assert len(await store.files.read(page)) > 20


async def test_a_template_may_use_every_field(place: Place) -> None:
    *names, _, date, ext = FIELDS
    async with Store.lease(place, template="/".join(f"{{{field}}}" for field in (*names, date)) + f".{{{ext}}}") as store:
        path = await put(store)
        assert path == "coffee/hero/flora/default/technique-studio-blur/output_image/1/c0ffee00/2030-01-02.png"


async def test_a_template_of_many_long_fields_still_makes_a_name_that_the_disk_takes(place: Place) -> None:
    async with Store.lease(place, template="{campaign}-{step}-{operation}-{account}.{ext}") as store:
        path = await put(store, campaign="x" * 80, step="x" * 80, operation="x" * 80, account="x" * 80)
        assert await store.has(path)
        assert path.endswith(".png")


async def test_a_folder_behind_a_link_is_listed(local: Store, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    folder.mkdir(exist_ok=True)
    (folder / "coffee").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "loop").symlink_to(folder)

    path = await put(local)

    assert [one async for one, *_ in local.files.walk() if not one.startswith(".genmedia/")] == [path, f"{path}.json"]


# The root


async def test_a_root_is_a_path_or_a_file_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for root in ("media", str(tmp_path / "media"), f"file://{tmp_path}/media"):
        assert Place(root).folder == tmp_path / "media"


async def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with Store.lease("media") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

        await put(store)

    assert (tmp_path / "media" / PATH).exists()


async def test_an_address_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="Use a local folder or s3://"):
        async with Store.lease("nonsense://media"):
            pass


async def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with Store.lease(str(tmp_path / "file" / "media")) as store:
        with pytest.raises(StoreError, match="cannot be written: Not a directory"), store.incoming():
            pass


async def test_a_disk_that_refuses_is_told_and_nothing_half_done_is_left(local: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("genmedia.store.local.os.fsync", refuse)
    with pytest.raises(StoreError, match=rf"{PATH} could not be stored: .+\. Check the store"):
        await put(local)
    assert await files(local) == set()


def test_the_journal_of_a_folder_is_in_it_unless_another_is_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert Place(str(folder)).journal_url() == f"sqlite:///{folder}/.genmedia/journal.db"
    assert Place(str(folder)).journal_url("sqlite:////data/j.db") == "sqlite:////data/j.db"
    monkeypatch.setenv("GENMEDIA_JOURNAL_URL", "sqlite:////data/k.db")
    assert Place("s3://bucket/folder").journal_url() == "sqlite:////data/k.db"


async def test_a_bucket_needs_a_journal_that_outlives_this_machine_and_what_is_advised_works(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing says where the journal .* is") as refused:
        Place("s3://bucket/folder").journal_url()
    advised = refused.value.advice.partition("such as ")[2].partition(",")[0]
    async with Journal.lease(advised.replace("/var/lib", str(tmp_path))) as journal:
        assert await journal.live_attempt("") is None


# Buckets


async def test_a_signed_link_is_read_by_anybody_until_it_ends(buckets: Buckets) -> None:
    async with Store.lease(buckets.new()) as store:
        path = await put(store)
        link, ended = await store.files.link(path, 60), await store.files.link(path, 1)
        async with httpx.AsyncClient() as anybody:
            read = await anybody.get(link)
            while (late := await anybody.get(ended)).status_code == 200:
                await asyncio.sleep(0.1)
            forged = await anybody.get(link.replace(path, f"{path}.json"))

    assert (read.status_code, read.content, read.headers["content-type"]) == (200, b"bytes", "image/png")
    assert (late.status_code, forged.status_code) == (403, 403)
    assert SECRET_KEY not in link


async def test_a_wrong_key_a_missing_bucket_and_a_silent_address_are_told_apart(buckets: Buckets) -> None:
    place, gone = buckets.new(), buckets.new()
    wrong = Place(place.root, key=ACCESS_KEY, secret="not-the-secret", endpoint=place.endpoint)
    missing = Place(f"{gone.root.replace('//', '//no-')}", key=ACCESS_KEY, secret=SECRET_KEY, endpoint=place.endpoint)
    nobody = Place(place.root, key=ACCESS_KEY, secret=SECRET_KEY, endpoint="http://127.0.0.1:9")
    for asked, told in ((wrong, StoreDeniedError), (missing, StoreMissingError), (nobody, StoreUnreachableError)):
        async with Store.lease(asked) as store:
            with pytest.raises(told) as refused:
                await put(store)
            assert "not-the-secret" not in str(refused.value)
            assert SECRET_KEY not in str(refused.value)


async def test_uploads_in_parts_that_nobody_ended_are_swept_once_they_are_old(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store.lease(buckets.new()) as store:
        fs: Any = store.files
        bucket, key, _ = fs.fs.split_path(f"{fs.base}/left/behind")
        await fs.fs._call_s3("create_multipart_upload", Bucket=bucket, Key=key)

        assert await store.sweep() == 0
        monkeypatch.setattr("genmedia.store.store.ORPHAN_SECONDS", -60)
        assert await store.sweep() == 1
        assert await store.sweep() == 0


# Quarantine and housekeeping


async def test_a_refused_file_is_kept_with_the_evidence(store: Store) -> None:
    evidence = make_evidence("c0ffee00" * 8, "../o")
    with store.incoming() as incoming:
        incoming.path.write_bytes(b"<html>")
        kept = await store.quarantine(incoming, evidence)

    assert kept.startswith("quarantine/c0ffee00-o-")
    assert await store.files.read(kept) == b"<html>"
    assert Evidence.model_validate(await sidecar_of(store, kept)) == evidence
    assert await files(store) == {kept, f"{kept}.json"}
    assert not may_be_sidecar(f"{kept}.json")


async def test_a_quarantine_that_cannot_be_written_is_told(local: Store, folder: Path) -> None:
    with local.incoming() as incoming:
        (folder / "quarantine").write_text("in the way")
        with pytest.raises(StoreError, match=r"quarantine/.+ could not be stored"):
            await local.quarantine(incoming, make_evidence("c0ffee00", "o"))


async def test_files_come_in_order(store: Store) -> None:
    paths = [await put(store, step=step) for step in ("b", "a")]

    found = [path async for path, *_ in store.files.walk() if not path.startswith(".genmedia/")]

    assert found == sorted([*paths, *(f"{path}.json" for path in paths)])


async def test_a_store_that_is_not_there_yet_has_no_files_and_nothing_to_sweep(store: Store) -> None:
    assert (await files(store), await store.sweep()) == (set(), 0)


async def test_a_sweep_removes_what_is_a_day_old_on_its_way_in_and_only_that(store: Store) -> None:
    path = await put(store)
    with store.incoming() as fresh, store.incoming() as old:
        os.utime(old.path, times=(time.time(), time.time() - ORPHAN_SECONDS - 60))

        assert await store.sweep() == 1
        assert fresh.path.exists()
        assert not old.path.exists()
    assert await store.has(path)


async def test_uploads_of_others_in_a_bucket_without_a_folder_of_its_own_are_left_alone(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = buckets.new()
    bucket = place.root.removeprefix("s3://").partition("/")[0]
    monkeypatch.setattr("genmedia.store.store.ORPHAN_SECONDS", -60)
    async with Store.lease(replace(place, root=f"s3://{bucket}")) as store:
        fs: Any = store.files
        await fs.fs._call_s3("create_multipart_upload", Bucket=bucket, Key="backups/other.tar")

        await store.sweep()

        assert len((await fs.fs._call_s3("list_multipart_uploads", Bucket=bucket))["Uploads"]) == 1
