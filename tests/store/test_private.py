"""Whose the files are that hold prompts and what was bought, under a umask that lets everybody read what it makes."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from genmedia.errors import StoreDeniedError
from genmedia.gallery.page import write_gallery
from genmedia.journal import Journal
from genmedia.journal.locks import own_name
from genmedia.provenance.manifest import write_manifest
from genmedia.provenance.reading import read_assets
from genmedia.store import Place, Store
from genmedia.store.naming import FIELDS
from genmedia.store.private import make_folder, opener, own_folder
from tests.example_assets import make_evidence, picture, stored_asset


@pytest.fixture(autouse=True)
def umask() -> Generator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that a person shares with a group on purpose."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def readable(tmp_path: Path) -> Path:
    """A folder as the umask makes it."""
    folder = tmp_path / "readable"
    folder.mkdir()
    return folder


async def fill(root: Path) -> None:
    """Leave in a store everything that a run does."""
    place = Place(str(root))
    key = "ab" * 32
    names = dict.fromkeys(FIELDS, "x") | {"campaign": "mugs", "step": "hero", "ext": "png"}
    async with Store.lease(place) as store, Journal.lease(place.journal_url()) as journal:
        await journal.copy_to(root / "copy.db")
        own_name(root / ".genmedia" / "owners")
        with store.incoming() as good, store.incoming() as bad:
            for incoming in (good, bad):
                incoming.path.write_bytes(picture("teal"))
                incoming.thumbnail.write_bytes(picture("teal"))
            await store.publish(good, names, stored_asset(submission_key=key).sidecar)
            await store.quarantine(bad, make_evidence(key, "image"))
        contents = await read_assets(store)
        await write_manifest(store, contents.assets)
        await write_gallery(store, contents)


def modes(root: Path) -> dict[str, int]:
    return {path.relative_to(root).as_posix(): path.stat().st_mode & 0o7777 for path in sorted(root.rglob("*"))}


async def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    root = tmp_path / "new" / "media"

    await fill(root)

    found = modes(tmp_path)
    assert {"new/media/manifest.csv", "new/media/index.html", "new/media/.genmedia/journal.db"} <= set(found)
    assert {path: oct(mode) for path, mode in found.items() if mode != (0o700 if (tmp_path / path).is_dir() else 0o600)} == {}


async def test_in_a_folder_that_is_there_files_are_their_owners_and_the_folder_keeps_its_mode(readable: Path) -> None:
    await fill(readable)

    assert readable.stat().st_mode & 0o777 == 0o755
    assert {path: oct(mode) for path, mode in modes(readable).items() if mode & 0o077} == {}


async def test_in_a_folder_that_a_group_may_write_everything_is_the_groups_too(shared: Path) -> None:
    await fill(shared)

    assert shared.stat().st_mode & 0o7777 == 0o2770
    group = {path: mode & 0o770 for path, mode in modes(shared).items()}
    owners = {path for path in group if path.startswith(".genmedia/owners/")}
    assert {mode for path, mode in group.items() if (shared / path).is_file()} == {0o660}
    assert {mode for path, mode in group.items() if (shared / path).is_dir()} == {0o770}
    assert owners
    assert not [path for path, mode in modes(shared).items() if mode & 0o007]


def test_a_folder_that_everybody_may_write_is_not_taken_for_a_groups(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)

    make_folder(public / "own" / "below")
    with open(public / "note", "w", opener=opener):
        pass

    assert modes(public) == {"note": 0o600, "own": 0o700, "own/below": 0o700}


def test_a_folder_that_somebody_else_has_made_first_is_not_used(tmp_path: Path) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.mkdir(mode=0o755)
    link.symlink_to(mine)

    assert own_folder(mine) == mine
    assert mine.stat().st_mode & 0o777 == 0o700
    with pytest.raises(PermissionError, match="is another user's, or no folder"):
        own_folder(link)


def test_a_store_in_a_bucket_does_not_work_in_a_strangers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"genmedia-{os.getuid()}").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreDeniedError, match="is another user's, or no folder"):
        Place("memory://bucket/media").open()


async def test_a_file_that_others_could_read_is_closed_to_them_when_it_is_written(readable: Path, shared: Path) -> None:
    for folder, mode in ((readable, 0o600), (shared, 0o660)):
        for name in ("state.json", "journal.db"):
            (folder / name).touch()
            (folder / name).chmod(0o644)

        with open(folder / "state.json", "w", opener=opener) as file:
            file.write("{}")
        async with Journal.lease(f"sqlite:///{folder}/journal.db"):
            pass

        assert {name: (folder / name).stat().st_mode & 0o777 for name in ("state.json", "journal.db")} == dict.fromkeys(
            ("state.json", "journal.db"), mode
        )


def test_what_is_no_file_keeps_its_mode_when_it_is_written(readable: Path) -> None:
    os.mkfifo(readable / "pipe", 0o644)
    reading = os.open(readable / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    with open(readable / "pipe", "w", opener=opener):
        pass

    os.close(reading)
    assert (readable / "pipe").stat().st_mode & 0o777 == 0o644
