"""The store: a paid file is there whole or not at all, under a name that nobody else's file takes."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmedia.errors import SettingsError, StoreError
from genmedia.keys import hash_file
from genmedia.store import FIELDS, ORPHAN_SECONDS, Store

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
PATH = "coffee/hero/output_image-c0ffee00.png"


async def put(
    store: Store, content: bytes = b"bytes", *, key: str = "c0ffee00", output: str = "output_image", **names: str
) -> str:
    with store.incoming() as incoming:
        incoming.path.write_bytes(content)
        digest = hash_file(incoming.path)
        sidecar = {
            "genmedia": "0",
            "submission_key": key,
            "output": {"id": output},
            "file": {"sha256": digest, "bytes": len(content)},
        }
        return await store.publish(incoming, {**NAMES, "key": key[:8], "output": output, "sha256": digest[:8], **names}, sidecar)


def files(store: Store) -> set[str]:
    """Every file below the root, without the store's own."""
    return {str(file.relative_to(store.root)) for file in store.root.rglob("*") if file.is_file()} - {".genmedia/publishing.lock"}


def sidecar_of(store: Store, path: str) -> dict[str, Any]:
    return json.loads((store.root / f"{path}.json").read_text())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "media"))


# Publishing


async def test_a_file_gets_its_name_and_a_sidecar_that_knows_it(store: Store) -> None:
    path = await put(store, b"bytes")

    assert path == PATH
    assert (store.root / path).read_bytes() == b"bytes"
    assert sidecar_of(store, path)["file"] == {"sha256": hash_file(store.root / path), "bytes": 5, "path": path}
    assert files(store) == {path, f"{path}.json"}
    assert store.has(path)


async def test_a_thumbnail_is_kept_by_the_hash_of_what_it_shows(store: Store) -> None:
    with store.incoming() as incoming:
        incoming.path.write_bytes(b"film")
        incoming.thumbnail.write_bytes(b"small")
        await store.publish(incoming, NAMES, {"file": {"sha256": "ab" * 32}})

    assert store.thumbnail("ab" * 32).read_bytes() == b"small"


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


async def test_a_reader_never_sees_half_a_file_nor_a_sidecar_before_its_file(store: Store) -> None:
    content = os.urandom(2_000_000)
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READER, store.root, str(len(content)), "20", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reader.stdout is not None
    await reader.stdout.readline()
    for number in range(20):
        await put(store, content, step=f"step-{number}")

    _, complaint = await reader.communicate()

    assert (reader.returncode, complaint) == (0, b"")


async def test_another_file_under_the_same_name_is_kept_beside_it(store: Store) -> None:
    paths = [await put(store, content) for content in (b"one", b"two", b"one")]

    assert paths[0] == paths[2] == PATH
    assert (store.root / paths[0]).read_bytes() == b"one"
    assert (store.root / paths[1]).read_bytes() == b"two"
    assert paths[1] == f"coffee/hero/output_image-c0ffee00-{hash_file(store.root / paths[1])[:8]}.png"
    assert len(files(store)) == 4


async def test_equal_bytes_that_were_bought_twice_each_keep_their_own_file_and_sidecar(tmp_path: Path) -> None:
    store = Store(str(tmp_path), template="{campaign}/{output}.{ext}")

    paths = [await put(store, b"same", key=key) for key in ("aaaa", "bbbb", "cccc")]

    assert len(set(paths)) == 3
    assert [sidecar_of(store, path)["submission_key"] for path in paths] == ["aaaa", "bbbb", "cccc"]
    assert [await put(store, b"same", key=key) for key in ("aaaa", "bbbb", "cccc")] == paths


async def test_two_files_that_want_the_same_name_at_the_same_time_are_both_kept(tmp_path: Path) -> None:
    store = Store(str(tmp_path), template="{campaign}/{output}")

    paths = await asyncio.gather(*(put(store, str(number).encode()) for number in range(20)))

    assert sorted(int((store.root / path).read_text()) for path in paths) == list(range(20))


async def test_a_file_whose_process_died_before_its_sidecar_is_stored_over(store: Store) -> None:
    path = await put(store)
    (store.root / f"{path}.json").unlink()
    assert not store.has(path)

    assert await put(store) == path
    assert store.has(path)


async def test_what_is_given_up_on_the_way_in_leaves_nothing(store: Store) -> None:
    with suppress(RuntimeError), store.incoming() as incoming:
        incoming.path.write_bytes(b"half")
        incoming.thumbnail.write_bytes(b"small")
        raise RuntimeError
    assert files(store) == set()


# Names


ids = st.one_of(
    st.text(),
    st.sampled_from(["..", "../../etc/passwd", "/etc/passwd", ".genmedia", "quarantine", "a/../..", "C:\\x", "\0", "."]),
)


@settings(max_examples=60, deadline=None)
@given(names=st.fixed_dictionaries(dict.fromkeys(("output", "operation", "account", "campaign", "step"), ids)))
def test_names_from_a_provider_never_become_paths(names: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/media", template="{campaign}/{step}/{account}-{operation}/{output}.{ext}")

        path = asyncio.run(put(store, b"bytes", **names))

        assert len(Path(path).parts) == 4
        assert (store.root / path).resolve().is_relative_to(store.root.resolve())
        assert Path(path).parts[0] not in {".genmedia", "quarantine", "..", "."}
        assert files(store) == {path, f"{path}.json"}
        assert {str(file.relative_to(folder)).split("/")[0] for file in Path(folder).rglob("*")} == {"media"}
        assert [one["file"]["path"] for one in store.sidecars()] == [path]


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
    ],
)
def test_a_template_that_names_something_unknown_or_leaves_the_root_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a path template") as refused:
        Store(str(tmp_path), template=template)
    assert "{campaign}" in str(refused.value)


async def test_a_template_may_use_every_field(tmp_path: Path) -> None:
    store = Store(str(tmp_path), template="/".join(f"{{{field}}}" for field in FIELDS))

    assert (await put(store)).startswith("coffee/hero/flora/default/technique-studio-blur/output_image/1/c0ffee00/")


# The root


async def test_a_root_is_a_path_or_a_file_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for root in ("media", str(tmp_path / "media"), f"file://{tmp_path}/media"):
        assert Store(root).root == tmp_path / "media"


async def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store("media")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    await put(store)

    assert (tmp_path / "media" / PATH).exists()


@pytest.mark.parametrize("root", ["memory://media", "nonsense://media"])
def test_a_root_that_is_not_local_is_refused(root: str) -> None:
    with pytest.raises(SettingsError, match="Use a local folder"):
        Store(root)


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(str(tmp_path / "file" / "media"))

    with pytest.raises(StoreError, match="cannot be written: Not a directory"), store.incoming():
        pass


async def test_a_disk_that_refuses_is_told_and_nothing_half_done_is_left(store: Store) -> None:
    with store.incoming():
        (store.root / "coffee").write_text("a file where a folder should be")

    with pytest.raises(StoreError, match=rf"{PATH} could not be stored: .+\. Check the store's folder"):
        await put(store)
    assert files(store) == {"coffee"}


# Quarantine and housekeeping


async def test_a_refused_file_is_kept_with_the_evidence(store: Store) -> None:
    evidence = {"submission_key": "c0ffee00" * 8, "output": "../o", "what": "it does not decode"}
    with store.incoming() as incoming:
        incoming.path.write_bytes(b"<html>")
        kept = await store.quarantine(incoming, evidence)

    assert kept.startswith("quarantine/c0ffee00-o-")
    assert (store.root / kept).read_bytes() == b"<html>"
    assert json.loads((store.root / f"{kept}.json").read_text()) == evidence
    assert files(store) == {kept, f"{kept}.json"}
    assert list(store.sidecars()) == []


async def test_a_quarantine_that_cannot_be_written_is_told(store: Store) -> None:
    with store.incoming() as incoming:
        (store.root / "quarantine").write_text("in the way")
        with pytest.raises(StoreError, match="could not be kept"):
            await store.quarantine(incoming, {"submission_key": "c0ffee00", "output": "o"})


async def test_sidecars_come_in_order_and_other_peoples_files_are_passed_over(store: Store) -> None:
    paths = [await put(store, step=step) for step in ("b", "a")]
    for name, content in {
        "mine.json": b"[1]",
        "broken.json": b"{",
        "latin.json": b"\xff",
        "other.json": b'{"genmedia-like": 1}',
    }.items():
        (store.root / name).write_bytes(content)

    assert [sidecar["file"]["path"] for sidecar in store.sidecars()] == sorted(paths)


async def test_a_store_that_is_not_there_yet_has_no_sidecars_and_nothing_to_sweep(store: Store) -> None:
    assert (list(store.sidecars()), store.sweep()) == ([], 0)


async def test_a_sweep_removes_what_is_a_day_old_and_only_that(store: Store) -> None:
    path = await put(store)
    with store.incoming() as fresh, store.incoming() as old:
        for file in (old.path, store.root / path, store.root / f"{path}.json"):
            os.utime(file, times=(time.time(), time.time() - ORPHAN_SECONDS - 60))

        assert store.sweep() == 1
        assert fresh.path.exists()
        assert not old.path.exists()
    assert store.has(path)
