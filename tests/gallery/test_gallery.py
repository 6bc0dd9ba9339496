import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from genmedia.errors import StoreError
from genmedia.gallery.page import DATA, TEXT_CHARACTERS, Seen, make_page
from tests.example_assets import draw_gallery, pack_glb, picture, pyramid, times, write_asset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "media"


def script_of(page: Path) -> str:
    return (page.parent / DATA).read_text(encoding="ascii")


def data_of(page: Path) -> dict[str, Any]:
    """What the script beside the page sets: one string, which holds JSON."""
    _, _, string = script_of(page).partition(" = ")
    return json.loads(json.loads(string.removesuffix(";\n")))


def test_the_page_stands_beside_the_media_and_leads_to_them_by_relative_addresses(root: Path) -> None:
    content = picture("teal")
    digest = write_asset(root, "spring/my step/50% off?.png", content, thumbnail=picture("teal", form="WEBP"))
    page = draw_gallery(root)
    (asset,) = data_of(page)["assets"]
    assert page == root / "index.html"
    assert asset["path"] == "spring/my step/50% off?.png"
    assert asset["href"] == "spring/my%20step/50%25%20off%3F.png"
    assert asset["sidecar"] == "spring/my%20step/50%25%20off%3F.png.json"
    assert asset["thumbnail"] == f".genmedia/thumbnails/{digest}.webp"


def test_an_asset_without_a_thumbnail_names_none(root: Path) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    (asset,) = data_of(draw_gallery(root))["assets"]
    assert "thumbnail" not in asset


def test_the_place_of_an_asset_is_where_its_sidecar_stands_whatever_that_says(root: Path) -> None:
    file = {"sha256": "a" * 64, "bytes": 3, "media_type": "image/png", "path": "/etc/passwd"}
    write_asset(root, "spring/blur/a.png", picture("teal"), file=file)
    (asset,) = data_of(draw_gallery(root))["assets"]
    assert asset["path"] == asset["href"] == "spring/blur/a.png"


def test_campaigns_come_newest_first_and_their_steps_in_the_order_they_were_made(root: Path) -> None:
    for path, minute in (("old/z/1.png", 1), ("new/y/2.png", 5), ("old/a/3.png", 3), ("new/b/4.png", 9), ("new/y/5.png", 11)):
        write_asset(root, path, picture("teal"), times=times(minute))
    paths = [asset["path"] for asset in data_of(draw_gallery(root))["assets"]]
    assert paths == ["new/y/2.png", "new/y/5.png", "new/b/4.png", "old/z/1.png", "old/a/3.png"]


def test_a_hostile_text_neither_ends_the_script_nor_is_changed(root: Path) -> None:
    hostile = '</script><script>alert(1)</script><!-- %data% %nonce% " \\ ` ${1} \u2028 \u2029 é'
    write_asset(root, "spring/blur/a.png", picture("teal"), inputs=[{"id": "prompt", "text": hostile, "from": "the chain"}])
    page = draw_gallery(root)
    (asset,) = data_of(page)["assets"]
    assert asset["inputs"][0]["text"] == hostile
    assert "<" not in script_of(page)
    assert script_of(page).count("\n") == 1


def test_only_the_script_with_the_data_may_run_beside_the_pages_own_and_no_text_can_name_it(root: Path) -> None:
    pages: list[str] = []
    for text in ("first", "second"):
        write_asset(root, "spring/blur/a.png", picture("teal"), inputs=[{"id": "prompt", "text": text}])
        pages.append(draw_gallery(root).read_text("utf-8"))
    nonces = [re.findall(r"nonce[-=]\"?([0-9a-f]{32})", page) for page in pages]
    assert [len(found) for found in nonces] == [2, 2]  # in the policy, and on the script
    assert [len(set(found)) for found in nonces] == [1, 1]
    assert nonces[0] != nonces[1]


def test_the_page_does_not_grow_with_the_store(root: Path) -> None:
    empty = draw_gallery(root).stat().st_size
    for number in range(20):
        write_asset(root, f"spring/blur/{number}.png", picture("teal"))
    assert draw_gallery(root).stat().st_size == empty


def test_takes_of_the_same_request_share_a_wish_and_other_requests_do_not(root: Path) -> None:
    for take in (1, 2):
        write_asset(root, f"spring/blur/{take}.png", picture("teal"), take=take, request={"prompt": "a cup", "size": 512})
    write_asset(root, "spring/blur/3.png", picture("teal"), request={"size": 512, "prompt": "a cup"})
    write_asset(root, "spring/blur/4.png", picture("teal"), request={"prompt": "a bowl", "size": 512})
    write_asset(root, "spring/blur/5.png", picture("teal"), request={"prompt": "a cup", "size": 512}, operation="another")
    wishes = {asset["path"][-5]: asset["wish"] for asset in data_of(draw_gallery(root))["assets"]}
    assert wishes["1"] == wishes["2"] == wishes["3"]
    assert len(set(wishes.values())) == 3


def test_addresses_are_shown_without_what_is_signed_and_other_fields_not_at_all(root: Path) -> None:
    signed = "https://user:pass@media.example/cup.jpg?X-Amz-Signature=5ec7e7#top"
    write_asset(
        root,
        "spring/blur/a.png",
        picture("teal"),
        request={"image": signed, "more": [{"deep": f"see {signed} and https://plain.example/a"}]},
        inputs=[{"id": "image", "sha256": "c" * 64, "from": signed}],
        api_key="5ec7e7",
    )
    (asset,) = data_of(draw_gallery(root))["assets"]
    bare = "https://media.example/cup.jpg"
    assert asset["request"] == {"image": bare, "more": [{"deep": f"see {bare} and https://plain.example/a"}]}
    assert asset["inputs"][0]["from"] == bare
    assert asset["account"] == "flora|https://app.flora.ai|default"
    assert not [secret for secret in ("5ec7e7", "user:pass") if secret in json.dumps(asset)]


def test_a_page_is_made_of_entries_alone() -> None:
    data, page = make_page("media", Seen([], [{"name": "a.json", "why": "it is <b>odd</b>"}], {}))
    assert "<b>" not in data
    assert f'<script src="{DATA}?' in page


def test_a_text_stands_in_the_page_up_to_a_limit(root: Path) -> None:
    write_asset(root, "spring/critique/short.txt", "Mehr Licht. \u00e9".encode(), "text/plain")
    write_asset(root, "spring/critique/long.txt", b"x" * (TEXT_CHARACTERS + 1), "text/plain")
    write_asset(root, "spring/critique/odd.txt", b"caf\xe9", "text/plain")
    texts = {asset["path"]: asset["text"] for asset in data_of(draw_gallery(root))["assets"]}
    assert texts["spring/critique/short.txt"] == "Mehr Licht. \u00e9"
    assert len(texts["spring/critique/long.txt"]) == TEXT_CHARACTERS
    assert texts["spring/critique/odd.txt"] == "caf\ufffd"


@pytest.mark.parametrize(
    "sidecar",
    [
        pytest.param(b'{"genmedia": "0.1.0", "campaign": "spr', id="cut short"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b'{"genmedia": "0.1.0"}', id="nothing in it"),
    ],
)
def test_a_sidecar_that_does_not_read_is_left_out_and_named(root: Path, sidecar: bytes) -> None:
    write_asset(root, "spring/blur/good.png", picture("teal"))
    write_asset(root, "spring/blur/bad.png", picture("teal"))
    (root / "spring/blur/bad.png.json").write_bytes(sidecar)
    data = data_of(draw_gallery(root))
    assert [asset["path"] for asset in data["assets"]] == ["spring/blur/good.png"]
    assert [one["name"] for one in data["left_out"]] == ["spring/blur/bad.png.json"]


def test_what_another_program_wrote_beside_its_file_is_no_concern_of_the_page(root: Path) -> None:
    write_asset(root, "spring/blur/theirs.png", picture("teal"))
    (root / "spring/blur/theirs.png.json").write_bytes(b'{"title": "somebody else\'s"}')
    assert data_of(draw_gallery(root)) == {"root": "media", "assets": [], "left_out": []}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cost": {"charged": float("nan"), "unit": "credits"}}, id="a cost that is no number"),
        pytest.param({"file": {"sha256": "../../etc/passwd", "bytes": 1, "media_type": "image/png"}}, id="a hash that is a path"),
        pytest.param({"times": {"stored": "yesterday"}}, id="a time that is none"),
        pytest.param({"campaign": None}, id="no campaign"),
        pytest.param({"request": {"strength": float("inf")}}, id="a request that no key can be made of"),
    ],
)
def test_a_sidecar_with_an_impossible_value_is_left_out(root: Path, changes: dict[str, Any]) -> None:
    write_asset(root, "spring/blur/bad.png", picture("teal"), **changes)
    data = data_of(draw_gallery(root))
    assert not data["assets"]
    assert len(data["left_out"]) == 1


def test_a_sidecar_without_its_file_is_left_out_with_that_reason(root: Path) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    (root / "spring/blur/a.png").unlink()
    data = data_of(draw_gallery(root))
    assert data["left_out"] == [{"name": "spring/blur/a.png.json", "why": "there is no file beside it"}]


def refuse(root: Path, name: str, **changes: Any) -> None:
    """A file in quarantine, with the evidence."""
    known = {"provider": "genova", "account": "genova|https://genova.example|default", "operation": "image", "remote_id": "j1"}
    known |= {"submission_key": "e" * 64, "attempt": 1, "take": 2, "output": "result", "sha256": "a" * 64, "bytes": 12}
    folder = root / "quarantine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"<script></script>")
    (folder / f"{name}.json").write_text(
        json.dumps(known | {"source": "", "error": "DamagedMediaError", "what": "cut short", **changes})
    )


def test_a_file_in_quarantine_is_told_with_its_reason_and_cannot_be_opened(root: Path) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    refuse(root, "eeeeeeee-result-1")
    first, refused = data_of(draw_gallery(root))["assets"]
    assert "quarantined" not in first
    assert refused["quarantined"] is True
    assert refused["warnings"] == ["cut short"]
    assert (refused["path"], refused["output"]["id"], refused["take"]) == ("quarantine/eeeeeeee-result-1", "result", 2)
    assert refused["sidecar"] == "quarantine/eeeeeeee-result-1.json"
    assert not {"href", "thumbnail", "turns", "text"} & set(refused)


def test_evidence_that_does_not_read_is_left_out_and_named(root: Path) -> None:
    refuse(root, "eeeeeeee-result-1", sha256="../../etc/passwd")
    data = data_of(draw_gallery(root))
    assert not data["assets"]
    assert [one["name"] for one in data["left_out"]] == ["quarantine/eeeeeeee-result-1.json"]


def test_an_empty_store_gets_a_page(root: Path) -> None:
    assert data_of(draw_gallery(root)) == {"root": "media", "assets": [], "left_out": []}


def test_writing_again_replaces_the_page_and_leaves_nothing_behind(root: Path) -> None:
    draw_gallery(root)
    write_asset(root, "spring/blur/a.png", picture("teal"))
    assert len(data_of(draw_gallery(root))["assets"]) == 1
    assert not list((root / ".genmedia" / "incoming").iterdir())


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="media"):
        draw_gallery(tmp_path / "media")


def test_the_pages_may_reach_nothing_but_files_and_what_draws_models_not_even_these(root: Path) -> None:
    write_model(root, "spring/chair/a.glb")
    page = draw_gallery(root)
    pages = [page, *(root / ".genmedia" / "models").iterdir()]
    policies = [page.read_text("utf-8").partition('Content-Security-Policy" content="')[2].partition('"')[0] for page in pages]
    assert len(policies) == 3
    for policy in policies:
        assert policy.startswith("default-src 'none';")
        assert "script-src 'sha256-" in policy
        assert not [word for word in ("unsafe", "http", "%") if word in policy]
    assert ["file:" in policy for policy in policies] == [True, False, False]


def write_model(root: Path, path: str) -> str:
    content = pack_glb(*pyramid())
    facts = {"bytes": len(content), "media_type": "model/gltf-binary", "triangles": 6, "vertices": 5, "extents": [2, 3, 4]}
    return write_asset(root, path, content, "model/gltf-binary", file={"sha256": hashlib.sha256(content).hexdigest(), **facts})


def test_a_model_gets_a_page_with_its_bytes_named_by_its_content_and_written_once(root: Path) -> None:
    digest = write_model(root, "spring/chair/a.glb")
    write_model(root, "spring/chair/again.glb")
    first = draw_gallery(root).read_bytes()
    page = root / ".genmedia" / "models" / f"{digest}.html"
    written = page.stat()
    second = draw_gallery(root).read_bytes()
    bytes_in_it = page.read_text("utf-8").partition('id="data">')[2].partition("<")[0]
    assert base64.b64decode(bytes_in_it) == (root / "spring/chair/a.glb").read_bytes()
    assert (page.stat().st_ino, page.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert first == second
    assert {file.name for file in page.parent.iterdir()} == {page.name, "viewer.html"}


def test_a_models_triangles_and_size_and_its_page_are_told(root: Path) -> None:
    digest = write_model(root, "spring/chair/a.glb")
    (asset,) = data_of(draw_gallery(root))["assets"]
    assert (asset["file"]["triangles"], asset["file"]["vertices"], asset["file"]["extents"]) == (6, 5, [2, 3, 4])
    assert asset["turns"] == f".genmedia/models/{digest}.html"


def test_a_store_without_models_has_nothing_that_draws_them(root: Path) -> None:
    write_asset(root, "spring/blur/a.png", picture("teal"))
    draw_gallery(root)
    assert not (root / ".genmedia" / "models").exists()


def test_a_page_of_a_model_that_cannot_be_written_says_so(root: Path) -> None:
    write_model(root, "spring/chair/a.glb")
    (root / ".genmedia").mkdir()
    (root / ".genmedia" / "models").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="could not be stored"):
        draw_gallery(root)
