"""Files that are broken, or mean harm, each with the verdict it deserves. Made here, the same each time, within seconds."""

import base64
import io
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pillow_heif
from av.video.stream import VideoStream
from PIL import Image

from genmedia.errors import DamagedMediaError, MediaError, MediaLimitError, MediaTypeError
from tests.example_assets import pack_glb, pyramid

pillow_heif.register_heif_opener()

FILMS = {"mp4": "libx264", "webm": "libvpx-vp9", "mov": "libx264"}
PICTURES = {
    "png": "PNG",
    "jpg": "JPEG",
    "webp": "WEBP",
    "gif": "GIF",
    "avif": "AVIF",
    "heic": "HEIF",
    "tif": "TIFF",
    "bmp": "BMP",
}
TYPES = {suffix: f"image/{form.lower()}" for suffix, form in PICTURES.items()} | {
    "heic": "image/heic",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "glb": "model/gltf-binary",
}


@dataclass(frozen=True)
class Specimen:
    """A file to look at.

    Attributes:
        make: Makes it in a folder, and says where.
        verdict: The error that is right, or the media type of what is passed.
        says: What is in the error's sentence, or in the only warning; a file that is passed without it has no warning.
        kind: What was asked for.
    """

    make: Callable[[Path], Path]
    verdict: type[MediaError] | str
    says: str = ""
    kind: str = ""


def noise(width: int = 96, height: int = 64, seed: int = 1) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def film(
    frames: Iterable[Image.Image] | None = None, suffix: str = "mp4", audio: bool = False, sound_seconds: float = 0.02
) -> bytes:
    """A film of the frames given, or two seconds of noise; silent, or with silence as sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"it.{suffix}")
        with av.open(str(path), "w") as made:
            stream: VideoStream | None = None
            sound = made.add_stream("libopus" if suffix == "webm" else "aac", 48_000) if audio else None
            for frame in frames if frames is not None else (noise(64, 48, seed) for seed in range(24)):
                if stream is None:
                    stream = cast("VideoStream", made.add_stream(FILMS[suffix], 12))
                    stream.width, stream.height, stream.pix_fmt = *frame.size, "yuv420p"
                made.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), "rgb24")))
            if stream:
                made.mux(stream.encode(None))
            if sound:
                for start in range(0, int(48_000 * sound_seconds), 960):
                    silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
                    silence.sample_rate, silence.pts = 48_000, start
                    made.mux(sound.encode(silence))
                made.mux(sound.encode(None))
        return path.read_bytes()


@cache
def good(suffix: str) -> bytes:
    """A small file that is sound."""
    if suffix in PICTURES:
        return encode(noise(), PICTURES[suffix])
    return pack_glb(*pyramid()) if suffix == "glb" else film(suffix=suffix)


def png(width: int, height: int, rows: bytes, *, bits: int = 1, colour: int = 0, packed: bool = True) -> bytes:
    """A PNG of a header and rows that need not fit one another."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, bits, colour, 0, 0, 0)
    rows = zlib.compress(rows, 9) if packed else rows
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif_of_many(width: int, height: int, frames: int) -> bytes:
    """Frames of one transparent pixel each on a large ground: 30 bytes for each picture shown."""
    frame = b"\x21\xf9\x04\x01\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3 + frame * frames + b";"


def animated(form: str, frames: int, side: int) -> bytes:
    pictures = [Image.new("RGB", (side, side), (number * 9, 0, 0)) for number in range(frames)]
    return encode(pictures[0], form, save_all=True, append_images=pictures[1:], lossless=True, method=0, compress_level=1)


def many_scans(times: int) -> bytes:
    """A progressive JPEG whose last scan, of a few bytes, is drawn again and again."""
    content = encode(Image.new("RGB", (6000, 4000), "teal"), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * times + content[-2:]


def resized_jpeg(width: int, height: int) -> bytes:
    content = good("jpg")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def heic_of(width: int, height: int) -> bytes:
    """A HEIC whose header lies about its size."""
    content = bytearray(good("heic"))
    at = content.index(b"ispe") + 8
    content[at : at + 8] = struct.pack(">II", width, height)
    return bytes(content)


def tiff(*changes: tuple[int, int, int]) -> bytes:
    """A TIFF with other tags, and other numbers in them: each was this tag, and is that one with that number."""
    content = bytearray(good("tif"))
    first = int.from_bytes(content[4:8], "little") + 2
    for was, tag, value in changes:
        at = next(at for at in range(first, len(content), 12) if int.from_bytes(content[at : at + 2], "little") == was)
        content[at : at + 12] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(content)


def tiff_of(tags: dict[int, Any]) -> bytes:
    return encode(noise(), "TIFF", tiffinfo=tags)


def tiff_in_a_circle() -> bytes:
    """Its second page is its first once more."""
    content = bytearray(good("tif"))
    first = int.from_bytes(content[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    content[end : end + 4] = struct.pack("<I", len(content))
    return bytes(content) + bytes(content[first:end]) + struct.pack("<I", first)


def bmp_of(width: int, height: int) -> bytes:
    content = bytearray(good("bmp"))
    content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


def webp_of(width: int, height: int) -> bytes:
    """A lossless WebP whose header lies about its size."""
    content = bytearray(encode(noise(), "WEBP", lossless=True))
    content[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    return bytes(content)


def atom(content: bytes, name: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A film with what is in one of its boxes changed; it stays as long."""
    at = content.index(name)
    size = struct.unpack_from(">I", content, at - 4)[0] - 8
    body = change(content[at + 4 : at + 4 + size])
    return content[: at + 4] + body[:size].ljust(size, b"\0") + content[at + 4 + size :]


def document(change: Callable[[dict[str, Any]], object]) -> bytes:
    described, binary = pyramid()
    change(described)
    return pack_glb(described, binary)


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("run.sh", "#!/bin/sh\n")
    return content + buffer.getvalue()


def gif_and_script() -> bytes:
    """Its width and height are the beginning of a comment."""
    content = good("gif")
    return content[:6] + b"/*" + content[8:] + b"*/=1;alert(1)"


def plain(byte: bytes) -> list[Image.Image]:
    return [Image.frombytes("RGB", (64, 48), byte * 3 * 64 * 48)] * 24


def _write(content: Callable[[], bytes], name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(content())
    return path


def _at(name: str, content: bytes | Callable[[], bytes]) -> Callable[[Path], Path]:
    return partial(_write, content if callable(content) else lambda: content, name)


def _sparse(name: str, size: int, start: bytes = b"") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(start)
        os.truncate(path, size)
        return path

    return make


def _folder(folder: Path) -> Path:
    (folder / "it.png").mkdir()
    return folder / "it.png"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "it.png")
    return folder / "it.png"


def _link(target: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "good.png").write_bytes(good("png"))
        (folder / "it.png").symlink_to(target)
        return folder / "it.png"

    return make


def _outside(folder: Path) -> Path:
    (folder / "in").mkdir()
    (folder / "it.png").write_bytes(good("png"))
    return folder / "in" / ".." / "it.png"


def _texts() -> dict[str, Specimen]:
    texts = {
        "html": (b"<!doctype html><html><title>Please sign in</title></html>", "text/html"),
        "json": (b'{"error": {"code": "expired"}}', "application/json"),
        "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "xml"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "svg"),
        "playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", ""),
        "list of films": (b"ffconcat version 1.0\nfile /etc/passwd\n", ""),
    }
    return {
        f"{text} named {suffix}": Specimen(_at(f"it.{suffix}", content), MediaTypeError, says)
        for text, (content, says) in texts.items()
        for suffix in ("png", "mp4", "glb")
    }


def _cut_short() -> dict[str, Specimen]:
    found: dict[str, Specimen] = {}
    for suffix in TYPES:
        for name, end in (("half", 2), ("20 bytes less", 0)):

            def cut(suffix: str = suffix, end: int = end) -> bytes:
                content = good(suffix)
                return content[: len(content) // end] if end else content[:-20]

            found[f"{suffix}, {name}"] = Specimen(_at(f"it.{suffix}", cut), DamagedMediaError)
    return found


def _unfolding() -> dict[str, Specimen]:
    return {
        "png of 400 megapixels": Specimen(
            _at("it.png", lambda: png(20_000, 20_000, bytes(2501 * 20_000))), MediaLimitError, "20000"
        ),
        "png as large as is passed": Specimen(
            _at("it.png", lambda: png(8192, 6144, bytes((8192 * 4 + 1) * 6144), bits=8, colour=6)), "image/png", "transparent"
        ),
        "png of 16 bits, as large as is passed": Specimen(
            _at("it.png", lambda: png(8192, 6144, bytes((8192 * 2 + 1) * 6144), bits=16)), "image/png", "one colour"
        ),
        "png one row larger": Specimen(_at("it.png", lambda: png(8192, 6145, b"", bits=8, colour=6)), MediaLimitError),
        "png of 2**31 pixels across": Specimen(_at("it.png", png(2**31 - 1, 1, b"")), MediaLimitError),
        "png of less than no pixels": Specimen(_at("it.png", png(-1, -1, b"")), MediaLimitError),
        "png of no pixels": Specimen(_at("it.png", png(0, 0, b"")), DamagedMediaError),
        "png with too few rows": Specimen(_at("it.png", lambda: png(4000, 4000, bytes(100))), DamagedMediaError),
        "png with rows that are not packed": Specimen(_at("it.png", png(64, 64, b"no rows", packed=False)), DamagedMediaError),
        "png with far too many rows": Specimen(_at("it.png", lambda: png(8, 8, bytes(200 * 2**20))), "image/png", "one colour"),
        "png with a text that unfolds": Specimen(_at("it.png", _png_with_a_long_text), DamagedMediaError),
        "png of many pictures": Specimen(_at("it.png", lambda: animated("PNG", 12, 3000)), "image/png", "first 8 frames"),
        "gif of 65535 x 65535": Specimen(_at("it.gif", gif_of_many(65535, 65535, 1)), MediaLimitError, "65535"),
        "gif of 10000 large pictures": Specimen(_at("it.gif", gif_of_many(4096, 4096, 10_000)), "image/gif", "first 4 frames"),
        "gif of 200000 small pictures": Specimen(_at("it.gif", gif_of_many(8, 8, 200_000)), "image/gif", "first 1000 frames"),
        "webp of 16383 x 16383": Specimen(
            _at("it.webp", lambda: webp_of(16383, 16383)),
            MediaLimitError,
            "16383",
        ),
        "webp as large as is passed": Specimen(
            _at("it.webp", lambda: encode(Image.new("RGBA", (4096, 4096)), "WEBP", lossless=True, method=0)),
            "image/webp",
            "transparent",
        ),
        "webp that is smaller than it says": Specimen(_at("it.webp", lambda: webp_of(900, 900)), DamagedMediaError),
        "webp of many pictures": Specimen(_at("it.webp", lambda: animated("WEBP", 12, 3000)), "image/webp", "first 8 frames"),
        "avif of 20 megapixels": Specimen(
            _at("it.avif", lambda: encode(Image.new("L", (5000, 4000)), "AVIF", speed=10)), MediaLimitError
        ),
        "heic that is larger than it says": Specimen(_at("it.heic", lambda: heic_of(64, 64)), DamagedMediaError),
        "heic of 30 megapixels": Specimen(_at("it.heic", lambda: heic_of(6000, 5000)), MediaLimitError, "6000"),
        "heic that is smaller than it says": Specimen(_at("it.heic", lambda: heic_of(5000, 5000)), DamagedMediaError),
        "tiff of 100000 x 100000": Specimen(
            _at("it.tif", lambda: tiff((256, 256, 100_000), (257, 257, 100_000))), MediaLimitError, "100000"
        ),
        "tiff with fewer strips than rows": Specimen(
            _at("it.tif", lambda: tiff((257, 257, 100_000))), DamagedMediaError, "strips"
        ),
        "tiff with a tile of 2**31": Specimen(
            _at("it.tif", lambda: tiff((273, 324, 140), (284, 322, 2**31 - 16), (278, 323, 2**31 - 16))),
            MediaLimitError,
            "decode",
        ),
        "tiff as large as is passed": Specimen(
            _at("it.tif", lambda: encode(Image.new("RGB", (7000, 6000)), "TIFF", compression="tiff_lzw")),
            "image/tiff",
            "one colour",
        ),
        "tiff whose pages go round": Specimen(_at("it.tif", tiff_in_a_circle), "image/tiff", "first"),
        "tiff of a preview and a raw photo": Specimen(
            _at("it.tif", lambda: tiff_of({50706: b"\1\4\0\0"})), MediaTypeError, "raw"
        ),
        "bmp of 60000 x 60000": Specimen(_at("it.bmp", lambda: bmp_of(60_000, 60_000)), MediaLimitError, "60000"),
        "bmp as large as is passed": Specimen(
            _at("it.bmp", lambda: encode(Image.new("L", (8192, 6144)), "BMP")), "image/bmp", "one colour"
        ),
        "jpeg of 65500 x 65500": Specimen(_at("it.jpg", lambda: resized_jpeg(65500, 65500)), MediaLimitError, "65500"),
        "jpeg of 90 megapixels without rows": Specimen(_at("it.jpg", lambda: resized_jpeg(9500, 9500)), "image/jpeg"),
        "jpeg drawn a thousand times": Specimen(_at("it.jpg", lambda: many_scans(1000)), MediaLimitError, "times over"),
        "jpeg of nothing but one row": Specimen(_at("it.jpg", lambda: encode(noise(60_000, 1), "JPEG")), "image/jpeg"),
    }


def _png_with_a_long_text() -> bytes:
    """100 MB of text in a chunk of 100 kB, before the picture."""
    text = b"Comment\0\0" + zlib.compress(bytes(100 * 2**20), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return good("png")[:33] + chunk + good("png")[33:]


def _several_at_once() -> dict[str, Specimen]:
    return {
        "gif and script": Specimen(_at("it.gif", gif_and_script), "image/gif"),
        "gif with a script behind it": Specimen(_at("it.gif", lambda: good("gif") + b"<script>alert(1)</script>"), "image/gif"),
        "jpeg and zip": Specimen(_at("it.jpg", lambda: zipped(good("jpg"))), "image/jpeg"),
        "png and zip": Specimen(_at("it.png", lambda: zipped(good("png"))), "image/png"),
        "png and html": Specimen(_at("it.png", lambda: good("png") + b"<html><script>alert(1)</script>"), "image/png"),
        "pdf before a jpeg": Specimen(_at("it.jpg", lambda: b"%PDF-1.7\n" + good("jpg")), MediaTypeError, "pdf"),
        "glb and zip": Specimen(_at("it.glb", lambda: zipped(good("glb"))), DamagedMediaError, "should have"),
        "mp4 and playlist": Specimen(_at("it.mp4", lambda: good("mp4") + b"#EXTM3U\nfile:///etc/passwd\n"), "video/mp4"),
        "playlist with the head of an mp4": Specimen(
            _at("it.mp4", b"\0\0\0\x10ftypisom\0\0\0\0#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), DamagedMediaError
        ),
    }


def _films() -> dict[str, Specimen]:
    moving = partial(good, "mp4")
    zeros = bytes(4096)
    return {
        "film without pictures": Specimen(_at("it.mp4", lambda: atom(moving(), b"stbl", lambda _: zeros)), DamagedMediaError),
        "sound without a film": Specimen(_at("it.mp4", lambda: film((), audio=True)), MediaTypeError, "without a picture"),
        "webm of sound": Specimen(_at("it.webm", lambda: film((), "webm", audio=True)), MediaTypeError, "without a picture"),
        "film that lasts no time": Specimen(_at("it.mp4", _no_time), DamagedMediaError),
        "film whose pictures lie outside": Specimen(
            _at("it.mp4", lambda: atom(moving(), b"stco", lambda it: it[:4] + it[4:8] + b"\x7f" * len(it[8:]))), DamagedMediaError
        ),
        "film whose pictures are its index": Specimen(
            _at("it.mp4", lambda: atom(moving(), b"stco", lambda it: it[:8] + bytes(len(it) - 8))), DamagedMediaError
        ),
        "film that says it has 2**31 pictures": Specimen(
            _at("it.mp4", lambda: atom(moving(), b"stsz", lambda it: it[:4] + struct.pack(">II", 1, 2**31 - 1))),
            DamagedMediaError,
        ),
        "film of 2**31 pictures of no bytes": Specimen(_at("it.mp4", _endless), DamagedMediaError),
        "film that says in one place that it lasts for hours": Specimen(
            _at("it.mp4", lambda: atom(moving(), b"mvhd", lambda it: it[:16] + struct.pack(">I", 2**31) + it[20:])),
            "video/mp4",
        ),
        "film with a box longer than itself": Specimen(
            _at("it.mp4", lambda: moving().replace(moving()[moving().index(b"moov") - 4 :][:4], b"\x7f\xff\xff\xff")),
            DamagedMediaError,
        ),
        "film of zeros": Specimen(_at("it.mp4", lambda: atom(moving(), b"mdat", lambda it: bytes(len(it)))), DamagedMediaError),
        "webm of zeros": Specimen(_at("it.webm", lambda: good("webm")[:64] + zeros), DamagedMediaError),
        "head of an mp4": Specimen(_at("it.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"), DamagedMediaError),
        "black film": Specimen(_at("it.mp4", lambda: film(plain(b"\0"))), "video/mp4", "one colour"),
        "white film with sound": Specimen(_at("it.mp4", lambda: film(plain(b"\xff"), audio=True)), "video/mp4", "one colour"),
        "film that stands still": Specimen(_at("it.mp4", lambda: film([noise(64, 48)] * 24)), "video/mp4", "nothing moves"),
        "film of a single picture": Specimen(_at("it.mp4", lambda: film([noise(64, 48)])), "video/mp4"),
        "webm that stands still": Specimen(
            _at("it.webm", lambda: film([noise(64, 48)] * 24, "webm")), "video/webm", "nothing moves"
        ),
    }


def _no_time() -> bytes:
    content = atom(good("mp4").replace(b"ctts", b"free"), b"mvhd", lambda it: it[:16] + bytes(4) + it[20:])
    content = atom(content, b"mdhd", lambda it: it[:16] + bytes(4) + it[20:])
    return atom(content, b"stts", lambda it: it[:4] + struct.pack(">III", 1, 24, 0))


def _endless() -> bytes:
    content = atom(good("mp4"), b"stsz", lambda it: it[:4] + struct.pack(">II", 1, 2**31 - 1))
    content = atom(content, b"stts", lambda it: it[:4] + struct.pack(">III", 1, 2**31 - 1, 1))
    return atom(content, b"stsc", lambda it: it[:4] + struct.pack(">IIII", 1, 1, 2**31 - 1, 1))


def _models() -> dict[str, Specimen]:
    whole = partial(good, "glb")
    black = encode(Image.new("1", (20_000, 20_000)), "PNG")
    return {
        "glb longer than it says": Specimen(_at("it.glb", lambda: whole() + bytes(4)), DamagedMediaError, "should have"),
        "glb of another version": Specimen(
            _at("it.glb", lambda: whole()[:4] + struct.pack("<I", 1) + whole()[8:]), MediaTypeError, "version 1"
        ),
        "glb with a chunk of 4 GB": Specimen(
            _at("it.glb", lambda: whole()[:12] + b"\xfc\xff\xff\xff" + whole()[16:]), DamagedMediaError, "are left"
        ),
        "glb with a chunk of no kind": Specimen(
            _at("it.glb", lambda: whole()[:16] + b"XXXX" + whole()[20:]), DamagedMediaError, "begin with its JSON"
        ),
        "glb of 2**62 vertices": Specimen(
            _at("it.glb", lambda: document(lambda it: it["accessors"][0].update(count=2**62))), DamagedMediaError, "accessor 0"
        ),
        "glb of 2**62 vertices of no bytes": Specimen(
            _at("it.glb", lambda: document(lambda it: it["accessors"].__setitem__(0, _nowhere(2**62)))), MediaLimitError
        ),
        "glb of 49 million vertices of no bytes": Specimen(
            _at("it.glb", lambda: document(lambda it: it["accessors"].__setitem__(0, _nowhere(49_000_000)))), MediaLimitError
        ),
        "glb with a view before its buffer": Specimen(
            _at("it.glb", lambda: document(lambda it: it["bufferViews"][0].update(byteOffset=-4))), DamagedMediaError
        ),
        "glb of five million numbers in its JSON": Specimen(
            _at("it.glb", lambda: document(lambda it: it.update(extras=[0] * 5_000_000))), MediaLimitError
        ),
        "glb that shows one mesh 100000 times": Specimen(_at("it.glb", lambda: document(_shown_often)), MediaLimitError, "parts"),
        "glb with a picture that unfolds": Specimen(
            _at("it.glb", lambda: document(lambda it: it.update(images=[{"uri": _inline(black)}]))), MediaLimitError, "picture 0"
        ),
        "glb with many pictures": Specimen(
            _at("it.glb", lambda: document(lambda it: it.update(images=_many_pictures()))), MediaLimitError, "together"
        ),
        "glb with one picture 200 times": Specimen(
            _at("it.glb", lambda: document(lambda it: it.update(images=[{"uri": _inline(good("png"))}] * 200))),
            "model/gltf-binary",
        ),
        "glb that leans on a file": Specimen(
            _at("it.glb", lambda: document(lambda it: it["buffers"][0].update(uri="../../etc/passwd"))),
            MediaTypeError,
            "another file",
        ),
        "glb of nothing but 3 GB": Specimen(
            _sparse("it.glb", 3 * 2**30, struct.pack("<4sII", b"glTF", 2, 3 * 2**30)), MediaLimitError
        ),
    }


def _nowhere(count: int) -> dict[str, Any]:
    return {"componentType": 5126, "count": count, "type": "VEC3"}


def _shown_often(described: dict[str, Any]) -> None:
    described["nodes"] = [{"mesh": 0}] * 20_000
    described["scenes"] = [{"nodes": list(range(20_000))}]
    described["meshes"][0]["primitives"] *= 10


def _many_pictures() -> list[dict[str, str]]:
    return [{"uri": _inline(encode(Image.new("L", (4000, 4000), shade), "PNG"))} for shade in range(9)]


def _inline(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _names_and_places() -> dict[str, Specimen]:
    return {
        "no bytes": Specimen(_at("it.png", b""), MediaTypeError, "empty"),
        "one byte": Specimen(_at("it.mp4", b"\xff"), MediaTypeError),
        "a picture for a film": Specimen(_at("it.mp4", lambda: good("png")), MediaTypeError, "should be a video", "video"),
        "a film for a picture": Specimen(_at("it.png", lambda: good("mp4")), MediaTypeError, "should be an image", "image"),
        "a picture for a model": Specimen(_at("it.glb", lambda: good("jpg")), MediaTypeError, "should be a model", "model"),
        "a program": Specimen(_at("it.png", b"\x7fELF" + bytes(100)), MediaTypeError),
        "a name with newlines": Specimen(_at("a\nb\r\n: x.png", lambda: good("png")), "image/png"),
        "a name that is no text": Specimen(_at(os.fsdecode(b"\xff\xfe.mp4"), lambda: good("mp4")), "video/mp4"),
        "a name that looks like an address": Specimen(_at("concat:a|b.mp4", lambda: good("mp4")), "video/mp4"),
        "a name of 255 bytes": Specimen(_at("x" * 251 + ".png", lambda: good("png")), "image/png"),
        "a name of 256 bytes": Specimen(lambda folder: folder / ("x" * 256), DamagedMediaError, "cannot be read"),
        "a name with a zero in it": Specimen(lambda folder: folder / "a\0.png", DamagedMediaError, "cannot be read"),
        "no file": Specimen(lambda folder: folder / "it.png", DamagedMediaError, "cannot be read"),
        "a way that goes up": Specimen(_outside, "image/png"),
        "a folder": Specimen(_folder, MediaTypeError, "folder"),
        "a pipe": Specimen(_pipe, MediaTypeError, "pipe"),
        "a link to a file": Specimen(_link("good.png"), "image/png"),
        "a link to zeros without end": Specimen(_link("/dev/zero"), MediaTypeError, "device"),
        "a link to itself": Specimen(_link("it.png"), DamagedMediaError, "cannot be read"),
        "5 GB of nothing": Specimen(_sparse("it.png", 5 * 2**30), MediaTypeError),
        "5 GB behind a png": Specimen(_sparse("it.png", 5 * 2**30, good("png")), MediaLimitError, "bytes"),
        "5 GB behind half a film": Specimen(_sparse("it.mp4", 5 * 2**30, good("mp4")[:2000]), DamagedMediaError),
    }


CORPUS = {
    **_texts(),
    **_cut_short(),
    **_unfolding(),
    **_several_at_once(),
    **_films(),
    **_models(),
    **_names_and_places(),
}
"""Each by what it is."""
