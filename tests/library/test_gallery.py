import json
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import StoreError
from genmedia.gallery import TEXT_CHARACTERS, write_gallery
from genmedia.store import Store
from tests.library.example_assets import picture, times, write_asset


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "media"))


def data_of(page: Path) -> dict[str, Any]:
    _, _, rest = page.read_text(encoding="utf-8").partition('<script type="application/json" id="data">')
    return json.loads(rest.partition("</script>")[0])


def test_the_page_stands_beside_the_media_and_leads_to_them_by_relative_addresses(store: Store) -> None:
    content = picture("teal")
    digest = write_asset(store, "spring/my step/50% off?.png", content, thumbnail=picture("teal", form="WEBP"))
    page = write_gallery(store)
    (asset,) = data_of(page)["assets"]
    assert page == store.root / "index.html"
    assert asset["path"] == "spring/my step/50% off?.png"
    assert asset["href"] == "spring/my%20step/50%25%20off%3F.png"
    assert asset["sidecar"] == "spring/my%20step/50%25%20off%3F.png.json"
    assert asset["thumbnail"] == f".genmedia/thumbnails/{digest}.webp"


def test_an_asset_without_a_thumbnail_names_none(store: Store) -> None:
    write_asset(store, "spring/blur/a.png", picture("teal"))
    (asset,) = data_of(write_gallery(store))["assets"]
    assert "thumbnail" not in asset


def test_the_place_of_an_asset_is_where_its_sidecar_stands_whatever_that_says(store: Store) -> None:
    file = {"sha256": "a" * 64, "bytes": 3, "media_type": "image/png", "path": "/etc/passwd"}
    write_asset(store, "spring/blur/a.png", picture("teal"), file=file)
    (asset,) = data_of(write_gallery(store))["assets"]
    assert asset["path"] == asset["href"] == "spring/blur/a.png"


def test_campaigns_come_newest_first_and_their_steps_in_the_order_they_were_made(store: Store) -> None:
    for path, minute in (("old/z/1.png", 1), ("new/y/2.png", 5), ("old/a/3.png", 3), ("new/b/4.png", 9), ("new/y/5.png", 11)):
        write_asset(store, path, picture("teal"), times=times(minute))
    paths = [asset["path"] for asset in data_of(write_gallery(store))["assets"]]
    assert paths == ["new/y/2.png", "new/y/5.png", "new/b/4.png", "old/z/1.png", "old/a/3.png"]


def test_a_hostile_text_neither_ends_the_script_nor_is_changed(store: Store) -> None:
    hostile = "</script><script>alert(1)</script><!-- %data% \u2028 \u2029 é"
    write_asset(store, "spring/blur/a.png", picture("teal"), inputs=[{"id": "prompt", "text": hostile, "from": "the chain"}])
    page = write_gallery(store)
    (asset,) = data_of(page)["assets"]
    assert asset["inputs"][0]["text"] == hostile
    assert "alert(1)<" not in page.read_text(encoding="utf-8")


def test_a_text_stands_in_the_page_up_to_a_limit(store: Store) -> None:
    write_asset(store, "spring/critique/short.txt", "Mehr Licht. \u00e9".encode(), "text/plain")
    write_asset(store, "spring/critique/long.txt", b"x" * (TEXT_CHARACTERS + 1), "text/plain")
    write_asset(store, "spring/critique/odd.txt", b"caf\xe9", "text/plain")
    texts = {asset["path"]: asset["text"] for asset in data_of(write_gallery(store))["assets"]}
    assert texts["spring/critique/short.txt"] == "Mehr Licht. \u00e9"
    assert len(texts["spring/critique/long.txt"]) == TEXT_CHARACTERS
    assert texts["spring/critique/odd.txt"] == "caf\ufffd"


@pytest.mark.parametrize(
    "sidecar",
    [
        pytest.param(b'{"genmedia": "0.1.0", "campaign": "spr', id="cut short"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b'["genmedia"]', id="a list"),
        pytest.param(b'{"title": "somebody else\'s"}', id="of another program"),
    ],
)
def test_a_sidecar_that_does_not_read_is_left_out_and_named(store: Store, sidecar: bytes) -> None:
    write_asset(store, "spring/blur/good.png", picture("teal"))
    write_asset(store, "spring/blur/bad.png", picture("teal"))
    (store.root / "spring/blur/bad.png.json").write_bytes(sidecar)
    data = data_of(write_gallery(store))
    assert [asset["path"] for asset in data["assets"]] == ["spring/blur/good.png"]
    assert [one["name"] for one in data["left_out"]] == ["spring/blur/bad.png.json"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cost": {"charged": float("nan"), "unit": "credits"}}, id="a cost that is no number"),
        pytest.param({"file": {"sha256": "../../etc/passwd", "bytes": 1, "media_type": "image/png"}}, id="a hash that is a path"),
        pytest.param({"times": {"stored": "yesterday"}}, id="a time that is none"),
        pytest.param({"campaign": None}, id="no campaign"),
    ],
)
def test_a_sidecar_with_an_impossible_value_is_left_out(store: Store, changes: dict[str, Any]) -> None:
    write_asset(store, "spring/blur/bad.png", picture("teal"), **changes)
    data = data_of(write_gallery(store))
    assert not data["assets"]
    assert len(data["left_out"]) == 1


def test_a_sidecar_without_its_file_is_left_out_with_that_reason(store: Store) -> None:
    write_asset(store, "spring/blur/a.png", picture("teal"))
    (store.root / "spring/blur/a.png").unlink()
    data = data_of(write_gallery(store))
    assert data["left_out"] == [{"name": "spring/blur/a.png.json", "why": "there is no file beside it"}]


def test_what_is_in_quarantine_is_not_shown(store: Store) -> None:
    write_asset(store, "quarantine/blur/a.png", picture("teal"))
    data = data_of(write_gallery(store))
    assert not data["assets"]
    assert not data["left_out"]


def test_an_empty_store_gets_a_page(store: Store) -> None:
    assert data_of(write_gallery(store)) == {"root": "media", "assets": [], "left_out": []}


def test_writing_again_replaces_the_page_and_leaves_nothing_behind(store: Store) -> None:
    write_gallery(store)
    write_asset(store, "spring/blur/a.png", picture("teal"))
    assert len(data_of(write_gallery(store))["assets"]) == 1
    assert not list((store.root / ".genmedia" / "incoming").iterdir())


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="media"):
        write_gallery(Store(str(tmp_path / "media")))


def test_the_page_may_reach_nothing_but_files(store: Store) -> None:
    page = write_gallery(store).read_text(encoding="utf-8")
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
