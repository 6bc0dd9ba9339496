"""A model is read by the letter of its format, and nothing in it is believed."""

import base64
import copy
import io
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError, MediaTypeError
from genmedia.media import model_picture
from genmedia.media.facts import Candidate, MediaFacts, SmallCopy
from genmedia.media.glb import JSON_BYTES, LIST_ITEMS
from genmedia.media.model import Model, read_model
from genmedia.media.model_picture import draw_model
from genmedia.media.probe import inspect_files
from tests.example_assets import pack_glb, picture, pyramid

Document = dict[str, Any]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Model]:
    """Read a document and its bytes, or a file, as a model."""

    def reading(document: Document | bytes, binary: bytes = b"") -> Model:
        file = tmp_path / "it.glb"
        file.write_bytes(document if isinstance(document, bytes) else pack_glb(document, binary))
        return read_model(file)

    return reading


def pixels(model: Model) -> np.ndarray[Any, np.dtype[np.int_]]:
    return np.asarray(draw_model(model, 240)).astype(int)


def with_texture(document: Document, binary: bytes, content: bytes) -> tuple[Document, bytes]:
    """The pyramid, all of it in the colour of one corner of a picture."""
    document["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 5, "type": "VEC2"})
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": 96, "byteLength": 40},
        {"buffer": 0, "byteOffset": 136, "byteLength": len(content)},
    ]
    document["buffers"] = [{"byteLength": 136 + len(content)}]
    document["images"] = [{"bufferView": 3, "mimeType": "image/png"}]
    document["textures"] = [{"source": 0}]
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 2
    return document, binary + np.full((5, 2), 0.75, np.float32).tobytes() + content


async def test_a_model_is_known_by_its_content_and_tells_its_triangles_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "it.bin").write_bytes(pack_glb(*pyramid()))

    (facts,) = await inspect_files([Candidate(tmp_path / "it.bin", "model", SmallCopy(tmp_path / "it.webp"))])

    assert isinstance(facts, MediaFacts)
    assert facts == MediaFacts("model/gltf-binary", triangles=6, vertices=5, extents=[2, 3, 4])
    assert facts.kind == "model"
    with Image.open(tmp_path / "it.webp") as small:
        assert (small.format, small.size) == ("WEBP", (480, 360))


async def test_a_model_that_lies_is_refused_with_the_reason_and_hurts_no_other(tmp_path: Path) -> None:
    document, binary = pyramid()
    (tmp_path / "good.glb").write_bytes(pack_glb(document, binary))
    document["accessors"][0]["count"] = 2**62
    (tmp_path / "bad.glb").write_bytes(pack_glb(document, binary))

    bad, good, picture_ = await inspect_files(
        [Candidate(tmp_path / "bad.glb"), Candidate(tmp_path / "good.glb"), Candidate(tmp_path / "good.glb", "image")]
    )

    assert isinstance(bad, DamagedMediaError)
    assert "accessor 0 reads up to byte" in bad.what
    assert isinstance(good, MediaFacts)
    assert isinstance(picture_, MediaTypeError)


def draco(view: int) -> dict[str, Any]:
    return {"KHR_draco_mesh_compression": {"bufferView": view, "attributes": {"POSITION": 0}}}


def meshopt(size: int) -> dict[str, Any]:
    return {"EXT_meshopt_compression": {"buffer": 0, "byteOffset": 0, "byteLength": size}}


def unsized(described: dict[str, Any]) -> None:
    described["bufferViews"][0].update(extensions=meshopt(4))
    del described["accessors"][0]["min"]


WRONG: dict[str, tuple[Callable[[Document], object], type[MediaError], str]] = {
    "a buffer one byte too long": (lambda d: d["buffers"][0].update(byteLength=97), DamagedMediaError, "buffer 0"),
    "a buffer too long": (lambda d: d["buffers"][0].update(byteLength=2**40), DamagedMediaError, "buffer 0"),
    "less than nothing": (lambda d: d["buffers"][0].update(byteLength=-1), DamagedMediaError, "byteLength"),
    "a view too long": (lambda d: d["bufferViews"][1].update(byteLength=37), DamagedMediaError, "view 1 ends"),
    "a view outside": (lambda d: d["bufferViews"][1].update(byteOffset=2**63), DamagedMediaError, "view 1 ends"),
    "no such buffer": (lambda d: d["bufferViews"][1].update(buffer=3), DamagedMediaError, "buffer 3 of 1"),
    "items that overlap": (lambda d: d["bufferViews"][0].update(byteStride=4), DamagedMediaError, "4 apart"),
    "items too far apart": (lambda d: d["bufferViews"][0].update(byteStride=16), DamagedMediaError, "accessor 0"),
    "one number too many": (lambda d: d["accessors"][1].update(count=19), DamagedMediaError, "accessor 1"),
    "an offset too far": (lambda d: d["accessors"][1].update(byteOffset=1), DamagedMediaError, "accessor 1"),
    "counted from the end": (lambda d: d["accessors"][1].update(bufferView=-1), DamagedMediaError, "bufferView"),
    "no such number": (lambda d: d["accessors"][1].update(componentType=7), DamagedMediaError, "componentType"),
    "a flat vertex": (lambda d: d["accessors"][0].update(type="VEC2"), DamagedMediaError, "VEC2, not VEC3"),
    "endless bounds": (lambda d: d["accessors"][0].update(max=[1e999, 0, 0]), DamagedMediaError, "max"),
    "bounds of no number": (lambda d: d["accessors"][0].update(min=[float("nan")] * 3), DamagedMediaError, "min"),
    "a vertex too few": (lambda d: d["accessors"][0].update(count=4), DamagedMediaError, "vertex 4 of 4"),
    "too large to say": (lambda d: d["nodes"][0].update(scale=[1e39] * 3), DamagedMediaError, "no finite size"),
    "a point": (lambda d: d["nodes"][0].update(scale=[0, 0, 0]), DamagedMediaError, "in one place"),
    "no such mesh": (lambda d: d["nodes"][0].update(mesh=1), DamagedMediaError, "mesh 1 of 1"),
    "a node below itself": (lambda d: d["nodes"][0].update(children=[0]), DamagedMediaError, "node 0 is in two"),
    "an empty scene": (lambda d: d["nodes"][0].pop("mesh"), DamagedMediaError, "shows no triangles"),
    "no mesh at all": (lambda d: d.pop("meshes"), DamagedMediaError, "mesh 0 of 0"),
    "lines": (lambda d: d["meshes"][0]["primitives"][0].update(mode=1), DamagedMediaError, "no triangles"),
    "odd indices": (lambda d: d["meshes"][0]["primitives"][0].update(indices=0), DamagedMediaError, "numbers of"),
    "no material": (lambda d: d["meshes"][0]["primitives"][0].update(material=9), DamagedMediaError, "material 9"),
    "odd normals": (lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(NORMAL=1), DamagedMediaError, "NORMAL"),
    "no such scene": (lambda d: d.update(scene=1), DamagedMediaError, "scene 1 of 1"),
    "an old version": (lambda d: d["asset"].update(version="1.0"), DamagedMediaError, "asset.version"),
    "nodes that are no list": (lambda d: d.update(nodes={}), DamagedMediaError, "nodes"),
    "bytes elsewhere": (lambda d: d["buffers"][0].update(uri="it.bin"), MediaTypeError, "another file"),
    "a picture elsewhere": (lambda d: d.update(images=[{"uri": "http://127.0.0.1/a.png"}]), MediaTypeError, "another"),
    "a picture nowhere": (lambda d: d.update(images=[{}]), DamagedMediaError, "a picture is not there"),
    "not base64": (lambda d: d.update(images=[{"uri": "data:;base64,?"}]), DamagedMediaError, "not base64"),
    "packed, but is not": (lambda d: d["meshes"][0]["primitives"][0].update(extensions=draco(0)), DamagedMediaError, "Draco"),
    "packed nowhere": (lambda d: d["meshes"][0]["primitives"][0].update(extensions=draco(7)), DamagedMediaError, "view 7"),
    "packed behind the end": (lambda d: d["bufferViews"][1].update(extensions=meshopt(10**6)), DamagedMediaError, "view 1 ends"),
    "packed, of no size": (unsized, DamagedMediaError, "how large"),
    "too many nodes": (lambda d: d.update(nodes=[{}] * (LIST_ITEMS + 1)), MediaLimitError, f"more than {LIST_ITEMS} nodes"),
    "too much JSON": (lambda d: d.update(extras="x" * JSON_BYTES), MediaLimitError, "its JSON"),
}

NOT_WHOLE: dict[str, tuple[Callable[[bytes], bytes], type[MediaError], str]] = {
    "a byte less": (lambda it: it[:-1], DamagedMediaError, "but has"),
    "half": (lambda it: it[: len(it) // 2], DamagedMediaError, "but has"),
    "more than it says": (lambda it: it + bytes(4), DamagedMediaError, "but has"),
    "less than a header": (lambda it: it[:9], DamagedMediaError, "header"),
    "the first version": (lambda it: it[:4] + struct.pack("<I", 1) + it[8:], MediaTypeError, "version 1"),
    "a chunk not in fours": (lambda it: it[:12] + struct.pack("<I", 7) + it[16:], DamagedMediaError, "in fours"),
    "a chunk too long": (lambda it: it[:12] + struct.pack("<I", 2**31) + it[16:], DamagedMediaError, "are left"),
    "no JSON first": (lambda it: it[:16] + b"BIN\0" + it[20:], DamagedMediaError, "begin with its JSON"),
    "broken JSON": (lambda it: it.replace(b"asset", b'as"et'), DamagedMediaError, "not glTF"),
    "half a chunk": (lambda it: struct.pack("<4sII", b"glTF", 2, len(it) + 4) + it[12:] + bytes(4), DamagedMediaError, "head"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_document_says_wrongly_is_refused(read: Callable[..., Model], wrong: str) -> None:
    change, error, what = WRONG[wrong]
    document, binary = pyramid()
    change(document)
    with pytest.raises(error, match=what):
        read(document, binary)


@pytest.mark.parametrize("fault", NOT_WHOLE)
def test_a_file_that_is_not_whole_is_refused(read: Callable[..., Model], fault: str) -> None:
    spoil, error, what = NOT_WHOLE[fault]
    with pytest.raises(error, match=what):
        read(spoil(pack_glb(*pyramid())))


def test_a_number_that_is_none_among_the_vertices_is_refused(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    with pytest.raises(DamagedMediaError, match="no finite size"):
        read(document, struct.pack("<f", math.nan) + binary[4:])


def test_json_that_nests_without_end_is_refused(read: Callable[..., Model]) -> None:
    whole = pack_glb({"asset": {"version": "2.0"}, "extras": "@" * 400_000})
    with pytest.raises(DamagedMediaError):
        read(whole.replace(b'"' + b"@" * 400_000 + b'"', b"[" * 400_002))


def test_a_mesh_that_few_bytes_show_very_often_is_refused(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    document["nodes"] = [{"mesh": 0}] * 50_000
    document["scenes"] = [{"nodes": list(range(50_000))}]
    document["meshes"][0]["primitives"] *= 10_000
    with pytest.raises(MediaLimitError, match="100000 parts"):
        read(document, binary)


def test_zeros_that_take_no_bytes_are_not_made_room_for(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    del document["accessors"][0]["bufferView"]
    document["accessors"][0]["count"] = 2**62
    with pytest.raises(MediaLimitError):
        read(document, binary)


def test_bytes_in_the_document_itself_count_as_its_own(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{base64.b64encode(binary).decode()}"
    assert read(document).extents == [2, 3, 4]


@pytest.mark.parametrize(
    ("nodes", "extents"),
    [
        ([{"mesh": 0, "scale": [2, 1, 0.5]}], [4, 3, 2]),
        ([{"mesh": 0, "rotation": [0, math.sqrt(0.5), 0, math.sqrt(0.5)]}], [4, 3, 2]),
        ([{"mesh": 0, "matrix": [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 9, 9, 9, 1]}], [3, 2, 4]),
        ([{"children": [1], "scale": [10, 10, 10]}, {"mesh": 0, "translation": [5, 5, 5]}], [20, 30, 40]),
        ([{"mesh": 0, "children": [1]}, {"mesh": 0, "translation": [8, 0, 0]}], [10, 3, 4]),
    ],
)
def test_a_model_is_as_large_as_its_nodes_make_it(
    read: Callable[..., Model], nodes: list[Document], extents: list[float]
) -> None:
    document, binary = pyramid()
    model = read({**document, "nodes": nodes}, binary)
    assert model.extents == pytest.approx(extents)
    assert model.triangles == 6 * sum("mesh" in node for node in nodes)


def test_without_a_scene_all_that_stands_on_its_own_is_shown(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    del document["scenes"]
    assert read({**document, "nodes": [{"mesh": 0}, {"children": [0]}]}, binary).triangles == 6


@pytest.mark.parametrize(("mode", "triangles"), [(4, 6), (5, 16), (6, 16)])
def test_strips_and_fans_of_triangles_are_triangles(read: Callable[..., Model], mode: int, triangles: int) -> None:
    document, binary = pyramid()
    document["meshes"][0]["primitives"][0]["mode"] = mode
    model = read(document, binary)
    assert model.triangles == triangles
    assert model.faces(model.parts[0].primitive).shape == (triangles, 3)


def test_vertices_without_indices_are_taken_in_threes(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    del document["meshes"][0]["primitives"][0]["indices"]
    assert read(document, binary).triangles == 1


def test_a_sparse_change_moves_a_vertex(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": 96, "byteLength": 4},
        {"buffer": 0, "byteOffset": 100, "byteLength": 12},
    ]
    sparse = {"count": 1, "indices": {"bufferView": 2, "componentType": 5125}, "values": {"bufferView": 3}}
    document["accessors"][0]["sparse"] = sparse
    document["buffers"] = [{"byteLength": 112}]
    assert read(document, binary + struct.pack("<Ifff", 4, 0, 7, 0)).extents == [2, 7, 4]
    with pytest.raises(DamagedMediaError, match="accessor 0 changes"):
        read(document, binary + struct.pack("<Ifff", 5, 0, 7, 0))
    sparse["count"] = 2
    with pytest.raises(DamagedMediaError, match="accessor 0 reads"):
        read(document, binary + struct.pack("<Ifff", 4, 0, 7, 0))


def test_whole_numbers_that_stand_for_fractions_are_read_as_fractions(read: Callable[..., Model]) -> None:
    document, binary = pyramid()
    corners = (np.frombuffer(binary[:60], np.float32).reshape(5, 3) / 4 * 127).astype(np.int8)
    document["accessors"][0] |= {"componentType": 5120, "normalized": True}
    document["bufferViews"][0]["byteStride"] = 4
    padded = np.pad(corners, ((0, 0), (0, 1))).tobytes()
    assert read(document, padded.ljust(60, b"\0") + binary[60:]).extents == pytest.approx([0.5, 0.75, 1], abs=0.02)


@pytest.mark.parametrize("lit", [(1, 0, 0), (0, 0.6, 0), (0, 0, 1)])
def test_a_picture_of_a_model_has_its_colour_in_the_middle_and_a_neutral_ground(
    read: Callable[..., Model], lit: tuple[float, float, float]
) -> None:
    drawn = pixels(read(*pyramid(lit)))
    middle, edge = drawn[70:110, 110:130].reshape(-1, 3), np.concatenate([drawn[0], drawn[-1]])
    assert middle.mean(axis=0).argmax() == np.argmax(lit)
    assert (np.sort(middle.mean(axis=0))[:2] < 40).all()
    assert np.ptp(edge, axis=1).max() == 0
    assert edge.min() > 90


def test_the_colours_of_vertices_are_seen(read: Callable[..., Model]) -> None:
    document, binary = pyramid((1, 1, 1))
    document["accessors"].append({"bufferView": 2, "componentType": 5121, "normalized": True, "count": 5, "type": "VEC3"})
    document["bufferViews"].append({"buffer": 0, "byteOffset": 96, "byteLength": 20, "byteStride": 4})
    document["buffers"] = [{"byteLength": 116}]
    document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = 2
    drawn = pixels(read(document, binary + bytes([0, 0, 255, 0] * 4 + [255, 0, 0, 0])))
    red = drawn[:, :, 0] - drawn[:, :, 2]
    assert red[:60].max() > 100  # the tip
    assert red[120:].min() < -100  # the foot


def test_a_texture_is_seen(read: Callable[..., Model]) -> None:
    drawn = pixels(read(*with_texture(*pyramid(), picture("lime"))))
    assert drawn[70:110, 110:130].reshape(-1, 3).mean(axis=0).argmax() == 1


def test_what_is_nearer_hides_what_is_behind(read: Callable[..., Model]) -> None:
    document, binary = pyramid((0, 0, 1))
    document["materials"].append({"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}})
    document["meshes"].append({"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 1}]})
    behind = {"mesh": 1, "scale": [0.2, 0.2, 0.2], "translation": [0, 0.5, 0]}
    drawn = pixels(read({**document, "nodes": [{"mesh": 0, "children": [1]}, behind]}, binary))
    assert (drawn[:, :, 0] - drawn[:, :, 2]).max() < 10


def test_a_model_without_light_from_normals_still_has_form(read: Callable[..., Model]) -> None:
    """Two sides of a white pyramid differ in brightness."""
    drawn = pixels(read(*pyramid((0.8, 0.8, 0.8))))[:, :, 0]
    assert abs(int(drawn[110, 90]) - int(drawn[110, 150])) > 25


@pytest.mark.parametrize("limit", ["PARTS", "SIZE", "FRAGMENTS", "TEXTURE_PIXELS"])
def test_of_what_is_too_much_to_draw_a_part_is_drawn(
    read: Callable[..., Model], monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    document, binary = with_texture(*pyramid(), picture("lime"))
    nodes = [{"children": [1, 2]}, {"mesh": 0}, {"mesh": 0, "translation": [9, 0, 0]}]
    model = read({**document, "nodes": nodes}, binary)
    whole = pixels(model)
    monkeypatch.setattr(model_picture, limit, 1)
    assert (pixels(model) != whole).any()


async def look_at(tmp_path: Path, picture_on_it: bytes) -> MediaFacts | MediaError:
    (tmp_path / "it.glb").write_bytes(pack_glb(*with_texture(*pyramid(), picture_on_it)))
    (verdict,) = await inspect_files([Candidate(tmp_path / "it.glb", "model", SmallCopy(tmp_path / "it.webp"))])
    return verdict


async def test_a_damaged_picture_on_a_model_damages_it(tmp_path: Path) -> None:
    verdict = await look_at(tmp_path, picture("lime", (400, 400))[:-40])
    assert isinstance(verdict, DamagedMediaError)
    assert verdict.what.startswith("picture 0 on it")


async def test_a_picture_on_a_model_that_unfolds_to_too_much_is_not_decoded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(buffer, "PNG")
    assert isinstance(await look_at(tmp_path, buffer.getvalue()), MediaLimitError)


async def test_a_picture_that_only_graphics_cards_decode_leaves_the_surface_plain(tmp_path: Path) -> None:
    assert isinstance(await look_at(tmp_path, b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(100)), MediaFacts)


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each part of a document."""
    items: list[tuple[Any, Any]] = []
    if isinstance(part, dict):
        items = list(cast("dict[Any, Any]", part).items())
    elif isinstance(part, list):
        items = list(enumerate(cast("list[Any]", part)))
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


DOCUMENT, BINARY = with_texture(*pyramid(), picture("lime", (8, 8)))
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [-1, 0, 1, 2, 3, 5, 255, 2**31, 2**63, 2**70, 1e300, -0.5, 1e-30, True, None, "x", "", [], {}, [0], [[]], [1e38] * 16]
)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.sampled_from(places(DOCUMENT)[1:]), ODD), max_size=3),
    bytes_at=st.lists(st.tuples(st.integers(0, len(BINARY) - 1), st.integers(0, 255)), max_size=4),
)
@example(changes=[(("accessors", 1, "componentType"), 5121), (("nodes", 0, "mesh"), True)], bytes_at=[])
def test_whatever_is_changed_in_a_model_it_is_read_and_drawn_or_refused(
    tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]], bytes_at: list[tuple[int, int]]
) -> None:
    document, binary = copy.deepcopy(DOCUMENT), bytearray(BINARY)
    for path, value in changes:
        part: Any = document
        try:
            for key in path[:-1]:
                part = part[key]
            part[path[-1]] = value
        except (LookupError, TypeError):
            continue  # an earlier change took that place away
    for place, value in bytes_at:
        binary[place] = value
    (tmp_path / "it.glb").write_bytes(pack_glb(json.loads(json.dumps(document)), bytes(binary)))
    try:
        model = read_model(tmp_path / "it.glb")
    except MediaError:
        return
    try:
        assert draw_model(model, 32).size == (32, 24)
    except OSError:
        assert bytes(binary) != BINARY  # the picture on it: whoever looks at the file decodes that first
