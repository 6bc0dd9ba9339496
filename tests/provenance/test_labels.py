"""Provenance inside pictures: every reader of XMP finds it, and not a pixel has changed."""

import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from genmedia.provenance.labels import MADE_BY_MACHINE, NAMESPACE, embed, make_packet
from genmedia.store.sidecar import Sidecar
from tests.example_assets import sidecar_json, times

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
