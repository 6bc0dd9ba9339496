"""Provenance and labels inside files: every reader of XMP finds them, and not a pixel has changed."""

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zlib import crc32

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin

from genmedia.media.glb import split_glb
from genmedia.media.probe import inspect_file
from genmedia.provenance.containers import CONTAINERS
from genmedia.provenance.labels import (
    MADE_BY_MACHINE,
    NAMESPACE,
    SIGNED,
    SOURCES,
    Label,
    embed,
    is_signed,
    labelled,
    make_packet,
    write_label,
)
from genmedia.store.sidecar import Sidecar
from tests.example_assets import film, pack_glb, pyramid, sidecar_json, times

HOSTILE = 'a <cup> & \x00\x1b ]]> "tea" é 茶 🍵 {provider}'
SIDECAR: dict[str, Any] = sidecar_json(
    "coffee/hero/a.png",
    operation="technique studio-blur",
    submission_key="ab" * 32,
    request={"technique": "studio-blur"},
    inputs=[{"id": "prompt", "text": HOSTILE}],
)


def packet(**changes: Any) -> bytes:
    return make_packet(Sidecar.model_validate(SIDECAR | changes))


PACKET = packet()
NAMES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "own": NAMESPACE,
}


def picture(mode: str = "RGB") -> Image.Image:
    rows, columns = np.mgrid[0:45, 0:67]
    layers = [rows * 5, columns * 3, rows + columns, 255 - columns * 3]
    channels = len(Image.new(mode, (1, 1)).getbands())
    return Image.fromarray(np.dstack(layers[:channels]).astype(np.uint8).squeeze(), mode)


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture(mode).save(buffer, form, **options)
    return buffer.getvalue()


def xmp_of(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return found.encode() if isinstance(found, str) else found or b""


def pixels(content: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(content)) as image:
        frames: list[bytes] = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            frames.append(image.convert("RGBA").tobytes())
        return frames


EXIF = Image.Exif()
EXIF[0x0112] = 6
FORMS = {
    "jpeg": saved("JPEG"),
    "jpeg with exif and a profile": saved("JPEG", exif=EXIF, icc_profile=b"profile" * 20),
    "progressive grey jpeg": saved("JPEG", "L", progressive=True),
    "png": saved("PNG"),
    "transparent png": saved("PNG", "RGBA"),
    "webp": saved("WEBP"),
    "lossless webp": saved("WEBP", lossless=True),
    "transparent lossless webp": saved("WEBP", "RGBA", lossless=True),
    "transparent webp": saved("WEBP", "RGBA"),
    "webp with exif": saved("WEBP", exif=EXIF),
    "animated webp": saved("WEBP", save_all=True, append_images=[picture().rotate(90)]),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_picture_tells_who_made_it_and_its_pixels_are_as_they_came(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(content)

    assert embed(file, PACKET)

    written = file.read_bytes()
    assert pixels(written) == pixels(content)
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(written)) as after:
        assert (after.size, after.mode, after.info.get("icc_profile")) == (
            before.size,
            before.mode,
            before.info.get("icc_profile"),
        )
        assert dict(after.getexif()) == dict(before.getexif())
    told = ET.fromstring(xmp_of(written).strip(b"\0"))
    values = {
        tag: told.findtext(f".//{tag}", namespaces=NAMES) for tag in ("dc:source", "xmp:CreatorTool", "ext:DigitalSourceType")
    }
    assert values == {
        "dc:source": "flora job j57abc",
        "xmp:CreatorTool": "flora technique studio-blur",
        "ext:DigitalSourceType": MADE_BY_MACHINE,
    }
    assert told.findtext(".//dc:description/rdf:Alt/rdf:li", namespaces=NAMES) == HOSTILE.replace("\x00\x1b", "")
    assert told.findtext(".//own:submission_key", namespaces=NAMES) == "ab" * 32


def test_the_longest_prompt_still_fits_into_a_jpeg(tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(FORMS["jpeg"])

    assert embed(file, packet(request={"prompt": "&" * 100_000}))

    assert pixels(file.read_bytes()) == pixels(FORMS["jpeg"])
    assert xmp_of(file.read_bytes()).count(b"&amp;") == 10_000


def own_xmp() -> dict[str, bytes]:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<mine/>")
    signed = bytes.fromhex("ffeb0004") + b"JP"
    return {
        "a jpeg with xmp": saved("JPEG", xmp=b"<mine/>"),
        "a png with xmp": saved("PNG", pnginfo=text),
        "a webp with xmp": saved("WEBP", xmp=b"<mine/>"),
        "a signed jpeg": FORMS["jpeg"][:2] + signed + FORMS["jpeg"][2:],
        "a gif": saved("GIF", "L"),
        "half a jpeg": FORMS["jpeg"][:30],
        "half a png": FORMS["png"][:18],
        "half a webp": FORMS["webp"][:15],
        "a webp without a width": FORMS["webp"][:26] + b"\0\0" + FORMS["webp"][28:],
        "nothing": b"",
    }


@pytest.mark.parametrize("content", own_xmp().values(), ids=own_xmp())
def test_a_file_that_has_its_own_or_is_none_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(content)

    assert not embed(file, PACKET)

    assert file.read_bytes() == content


def test_the_same_output_gets_the_same_packet() -> None:
    assert packet(times=times(9), genmedia="9") == PACKET


LABEL = Label(creator="Acmé & Söhne <GmbH>", rights="© 2026 Acme", title="Tasse 茶\x00", source=MADE_BY_MACHINE)
FIELDS = {"creator": "Acmé & Söhne <GmbH>", "rights": "© 2026 Acme", "title": "Tasse 茶", "DigitalSourceType": MADE_BY_MACHINE}
TYPES = {"jpeg": "image/jpeg", "jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "tif": "image/tiff"}


def type_of(name: str) -> str:
    return next(media_type for word, media_type in TYPES.items() if word in name)


def fields_in(packet: bytes) -> dict[str, str | None]:
    told = ET.fromstring(packet.strip(b"\0"))
    forms = {"creator": "dc:creator/rdf:Seq/rdf:li", "rights": "dc:rights/rdf:Alt/rdf:li", "title": "dc:title/rdf:Alt/rdf:li"}
    forms["DigitalSourceType"] = "ext:DigitalSourceType"
    found = {name: [one.text for one in told.findall(f".//{path}", NAMES)] for name, path in forms.items()}
    assert all(len(texts) < 2 for texts in found.values()), found
    return {name: texts[0] for name, texts in found.items() if texts}


@pytest.mark.parametrize("name", [*FORMS, "tif", "tif packed", "tif of two pages"])
def test_a_label_is_in_a_picture_and_its_pixels_are_as_they_came(name: str, tmp_path: Path) -> None:
    tiffs = {
        "tif": saved("TIFF"),
        "tif packed": saved("TIFF", compression="tiff_lzw"),
        "tif of two pages": saved("TIFF", save_all=True, append_images=[picture().rotate(90)]),
    }
    content, file = {**FORMS, **tiffs}[name], tmp_path / "picture"
    file.write_bytes(content)

    assert write_label(file, type_of(name), LABEL) == ""
    assert write_label(file, type_of(name), LABEL) == "", "again, in the place of the first"

    assert pixels(file.read_bytes()) == pixels(content)
    assert fields_in(xmp_of(file.read_bytes())) == FIELDS


def test_a_jpeg_has_the_older_fields_as_well_and_keeps_those_that_it_had(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    old = b"\x1c\x02\x05\x00\x03old" + b"\x1c\x02\x19\x00\x05caf\xe9s"  # a title, and a keyword in Latin-1
    body = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(old).to_bytes(4) + old + b"\0" * (len(old) % 2)
    body += b"8BIM\x03\xf3\0\0\0\0\0\2ab"
    plain = FORMS["jpeg"]
    file.write_bytes(plain[:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2) + body + plain[2:])

    assert write_label(file, "image/jpeg", replace(LABEL, creator="é" * 40)) == ""

    with Image.open(file) as image:
        told: Any = IptcImagePlugin.getiptcinfo(image)
        resources: Any = image.info["photoshop"]
    assert told[1, 90] == b"\x1b%G"
    assert (told[2, 5], told[2, 25], told[2, 80], told[2, 116]) == (
        "Tasse 茶".encode(),
        "cafés".encode(),
        ("é" * 16).encode(),
        "© 2026 Acme".encode(),
    )
    assert resources[0x03F3] == b"ab"
    assert pixels(file.read_bytes()) == pixels(plain)


def test_what_a_file_says_already_stays_beside_a_label_unless_the_label_says_it(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    source = f"{SOURCES}compositeWithTrainedAlgorithmicMedia"
    theirs = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:rights="theirs" xmlns:q="urn:q" q:kept="yes"'
        f' xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType="{source}">'
        "<dc:creator><rdf:Seq><rdf:li>them</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
    )

    def told(label: Label) -> str:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", theirs, zip=True)
        file.write_bytes(saved("PNG", pnginfo=text))
        assert write_label(file, "image/png", label) == ""
        return xmp_of(file.read_bytes()).decode()

    gentle, firm = told(LABEL), told(replace(LABEL, overrules=True))

    for packet in (gentle, firm):
        assert 'q:kept="yes"' in packet
        assert "theirs" not in packet
        assert ">them<" not in packet
        assert fields_in(packet.encode())["creator"] == FIELDS["creator"]
    assert source in gentle
    assert MADE_BY_MACHINE not in gentle
    assert source not in firm
    assert MADE_BY_MACHINE in firm


@pytest.mark.parametrize("resources", [b"junk", b"8BIM\x04\x04\0\0\0", b"8BIM\x04\x04\0\0\0\0\0\7\x1c\x02\x05\x00\x09ab\0"])
def test_a_jpeg_whose_older_fields_are_not_in_order_has_the_newer_ones_and_says_so(resources: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    body = b"Photoshop 3.0\0" + resources
    file.write_bytes(FORMS["jpeg"][:2] + b"\xff\xed" + (len(body) + 2).to_bytes(2) + body + FORMS["jpeg"][2:])

    assert "without the older fields" in write_label(file, "image/jpeg", LABEL)

    assert fields_in(xmp_of(file.read_bytes())) == FIELDS
    assert body in file.read_bytes()


@pytest.mark.parametrize(
    "packet",
    [
        b"<mine/>",
        b"<broken",
        b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY e "x">]><x xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>',
    ],
)
def test_a_packet_that_cannot_be_read_is_replaced(packet: bytes) -> None:
    assert fields_in(labelled(packet, LABEL)) == FIELDS


@pytest.mark.parametrize("name", ["a signed jpeg", "a signed png", "a signed webp", "a signed tif", "a signed film"])
def test_content_credentials_are_kept_and_told(name: str, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    png, webp = FORMS["png"], FORMS["webp"]
    chunk = b"caBX" + b"jumb"
    signed = {
        "a signed jpeg": own_xmp()["a signed jpeg"],
        "a signed png": png[:33] + b"\0\0\0\4" + chunk + crc32(chunk).to_bytes(4) + png[33:],
        "a signed webp": b"RIFF" + (len(webp) + 4).to_bytes(4, "little") + webp[8:] + b"C2PA\4\0\0\0jumb",
        "a signed tif": saved("TIFF", tiffinfo={52545: b"jumb", 305: "x"}),
        "a signed film": film(tmp_path / "a.mp4")
        + b"\0\0\0\x1cuuid"
        + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
        + b"jumb",
    }[name]
    media_type = "video/mp4" if "film" in name else type_of(name)
    file.write_bytes(signed)

    assert is_signed(file, media_type)
    assert write_label(file, media_type, LABEL) == SIGNED

    assert file.read_bytes() == signed


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("fragments", [False, True], ids=["whole", "in fragments"])
async def test_a_film_is_labelled_at_its_end_and_plays_as_before(suffix: str, fragments: bool, tmp_path: Path) -> None:
    file = tmp_path / f"film.{suffix}"
    options = {"movflags": "frag_keyframe+empty_moov"} if fragments else {}
    file.write_bytes(film(file, options))
    plain, before = file.read_bytes(), await inspect_file(file)

    assert write_label(file, before.media_type, LABEL) == ""
    once = file.read_bytes()
    assert write_label(file, before.media_type, replace(LABEL, title="another")) == ""

    assert await inspect_file(file) == before
    if not fragments:
        assert once.startswith(plain)
    held = CONTAINERS[before.media_type].look(file)
    assert held.packet
    assert fields_in(held.packet)["title"] == "another"
    assert once.count(b"adobe:ns:meta/") == 1


async def test_a_model_is_labelled_in_its_document_and_nothing_else_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.glb"
    document, binary = pyramid()
    file.write_bytes(pack_glb(document, binary))
    before = await inspect_file(file)

    assert write_label(file, "model/gltf-binary", LABEL) == ""
    assert write_label(file, "model/gltf-binary", replace(LABEL, title="another")) == ""

    assert await inspect_file(file) == before
    told = json.loads(split_glb(file)[0])
    assert file.read_bytes().endswith(binary)
    (packet,) = told["extensions"]["KHR_xmp_json_ld"]["packets"]
    assert packet["dc:creator"] == {"@list": [FIELDS["creator"]]}
    assert packet["dc:title"]["rdf:_1"]["@value"] == "another"
    assert packet["Iptc4xmpExt:DigitalSourceType"] == MADE_BY_MACHINE
    assert (told["asset"]["copyright"], told["extensionsUsed"]) == (FIELDS["rights"], ["KHR_xmp_json_ld"])
    assert {name: told[name] for name in document if name != "asset"} == {
        name: value for name, value in document.items() if name != "asset"
    }


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("half a jpeg", "image/jpeg"),
        ("half a png", "image/png"),
        ("half a webp", "image/webp"),
        ("a webp without a width", "image/webp"),
        ("nothing", "image/tiff"),
        ("nothing", "video/mp4"),
        ("half a jpeg", "video/mp4"),
        ("nothing", "model/gltf-binary"),
        ("a gif", "image/gif"),
        ("a gif", "text/plain"),
    ],
)
def test_a_file_that_can_hold_no_label_is_left_as_it_is_and_says_why(name: str, media_type: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(own_xmp()[name])

    assert "label" in write_label(file, media_type, LABEL)

    assert file.read_bytes() == own_xmp()[name]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "mp4"])
def test_exiftool_reads_a_label(suffix: str, tmp_path: Path) -> None:
    if not (exiftool := shutil.which("exiftool")):
        pytest.skip("no exiftool is installed (Debian: libimage-exiftool-perl)")
    file = tmp_path / f"a.{suffix}"
    content = film(file) if suffix == "mp4" else saved({"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    file.write_bytes(content)
    write_label(file, "video/mp4" if suffix == "mp4" else type_of(suffix), LABEL)

    done = subprocess.run([exiftool, "-j", "-G1", "-XMP:all", "-IPTC:all", file], capture_output=True, check=True)

    (told,) = json.loads(done.stdout)
    assert {name: told[f"XMP-dc:{name.title()}"] for name in ("creator", "rights", "title")} == {
        name: FIELDS[name] for name in ("creator", "rights", "title")
    }
    assert told["XMP-iptcExt:DigitalSourceType"] == MADE_BY_MACHINE
    if suffix == "jpg":
        assert (told["IPTC:By-line"], told["IPTC:ObjectName"]) == (FIELDS["creator"], FIELDS["title"])
