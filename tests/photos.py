"""Photos as phones, cameras and editors write them: each of the same two halves, red on the left, blue on the right."""

import io
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageCms, ImageOps

from tests.corpus import encode, png

RED, BLUE = (200, 30, 20), (20, 40, 190)
SIZE = (96, 64)


def photo(size: tuple[int, int] = SIZE) -> Image.Image:
    made = Image.new("RGB", size, RED)
    made.paste(BLUE, (size[0] // 2, 0, *size))
    return made


jpeg = partial(encode, photo(), "JPEG", quality=95)


def two_pictures() -> bytes:
    """MPO, as phones and cameras write it: a smaller picture, or what a second lens saw, stands behind the first."""
    return encode(photo(), "MPO", save_all=True, append_images=[Image.new("RGB", SIZE, "green")], quality=95)


def gain_map() -> bytes:
    """Ultra HDR: what the picture is on a brighter screen stands behind it, and XMP says so."""
    note = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><r hdrgm:Version="1.0"/></x:xmpmeta>'
    content = two_pictures()
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + content[2:]


def motion_photo() -> bytes:
    """A film of a second behind the picture, with more bytes in it that begin a scan than the picture has rows."""
    return jpeg() + b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\xff\xda\0" * 300_000


def with_adobe(transform: int, channels: Image.Image) -> bytes:
    content = bytearray(encode(channels, "JPEG", quality=95))
    content[content.index(b"Adobe") + 11] = transform
    return bytes(content)


def ycck() -> bytes:
    """Luminance and two differences of ink, as Photoshop keeps what is to be printed."""
    kept = [one.point(lambda value: 255 - value) for one in ImageOps.invert(photo()).convert("YCbCr").split()]
    return with_adobe(2, Image.merge("CMYK", [*kept, Image.new("L", SIZE)]))


def without_adobe() -> bytes:
    content = encode(photo().convert("CMYK"), "JPEG", quality=95)
    at = content.index(b"Adobe") - 4
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4]) :]


def of_sixteen_bits(form: str, order: str = "<") -> bytes:
    """RGB of 16 bits, which Pillow does not write: as PNG, or as TIFF in a byte order."""
    rows = (np.asarray(photo(), np.uint16) * 257).astype(f"{order}u2")
    if form == "PNG":
        return png(*SIZE, b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows), bits=16, colour=2)
    data, width, height = rows.tobytes(), *SIZE
    tags = [(256, width), (257, height), (258, 16), (259, 1), (262, 2), (273, 8), (277, 3), (278, height), (279, len(data))]
    mark = b"II*\0" if order == "<" else b"MM\0*"
    at = 8 + len(data)
    behind = at + 2 + len(tags) * 12 + 4
    listed = [
        struct.pack(
            f"{order}HHII", tag, *((3, 3, behind) if tag == 258 else (4, 1, value))
        )  # three numbers stand behind the list
        for tag, value in tags
    ]
    end = struct.pack(f"{order}IHHH", 0, 16, 16, 16)
    return mark + struct.pack(f"{order}I", at) + data + struct.pack(f"{order}H", len(tags)) + b"".join(listed) + end


PHOTOS: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "jpeg in colours of a wide gamut": lambda: wide("JPEG", quality=95),
    "jpeg, progressive": partial(jpeg, progressive=True),
    "jpeg of two pictures": two_pictures,
    "jpeg with a gain map": gain_map,
    "jpeg with a film behind it": motion_photo,
    "jpeg, CMYK": lambda: encode(photo().convert("CMYK"), "JPEG", quality=95),
    "jpeg, CMYK, without Adobe's marker": without_adobe,
    "jpeg, YCCK": ycck,
    "heic": lambda: encode(photo(), "HEIF", quality=95),
    "heic in colours of a wide gamut": lambda: wide("HEIF", quality=95),
    "tiff": lambda: encode(photo(), "TIFF"),
    "tiff, LZW": lambda: encode(photo(), "TIFF", compression="tiff_lzw"),
    "tiff, LZW, in colours of a wide gamut": lambda: wide("TIFF", compression="tiff_lzw"),
    "tiff, CMYK": lambda: encode(photo().convert("CMYK"), "TIFF", compression="tiff_lzw"),
    "tiff, LAB": lambda: encode(_lab(), "TIFF"),
    "tiff of 16 bits": lambda: of_sixteen_bits("TIFF"),
    "tiff of 16 bits, the other way round": lambda: of_sixteen_bits("TIFF", ">"),
    "bmp": lambda: encode(photo(), "BMP"),
    "bmp of a palette": lambda: encode(photo().quantize(2), "BMP"),
    "avif": lambda: encode(photo(), "AVIF", quality=95),
    "png": lambda: encode(photo(), "PNG"),
    "png of 16 bits": lambda: of_sixteen_bits("PNG"),
    "png in colours of a wide gamut": lambda: wide("PNG"),
    "webp in colours of a wide gamut": lambda: wide("WEBP", lossless=True),
    "gif": lambda: encode(photo(), "GIF"),
}
"""What makes each, by what it is."""


def wide(form: str, **options: Any) -> bytes:
    """The photo in Display P3, as phones and screens have it."""
    with Image.open(Path(__file__).parent / "media" / "p3.png") as picture:
        profile: bytes = picture.info["icc_profile"]
    return encode(_turned(ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGB"), form, icc_profile=profile, **options)


def _lab() -> Image.Image:
    return _turned(cast("Any", ImageCms.createProfile("LAB")), "LAB")


def _turned(profile: Any, mode: str) -> Image.Image:
    """The photo in the colours of a profile."""
    change = ImageCms.buildTransform(cast("Any", ImageCms.createProfile("sRGB")), profile, "RGB", mode)
    made = ImageCms.applyTransform(photo(), change)
    assert made
    return made
