"""The media type of a file by its first bytes, and the message for a type that is not taken."""

import re
from typing import Any

import puremagic

from genmedia.media.facts import SUFFIXES

_FIRST = {
    b"glTF": "model/gltf-binary",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"II+\0": "image/tiff",
    b"MM\0+": "image/tiff",
    b"\xff\x0a": "image/jxl",
    b"PK\3\4": "application/zip",
    b"\0\0\0\x0cjP  ": "image/jp2",
    **dict.fromkeys((b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR"), "image/x-raw"),
    b"Kaydara FBX": "model/fbx",
    b"solid ": "model/stl",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ply\n": "model/ply",
    b"ply\r": "model/ply",
}
"""Signatures that puremagic does not know, or takes for another type."""

_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/avi", b"WAVE": "audio/wav"}
_BRANDS = {
    "image/avif": re.compile(rb"avif|avis"),
    "image/heic": re.compile(rb"hei[cxms]|hev[cxms]|mif1|msf1"),
    "image/x-raw": re.compile(rb"crx "),
    "audio/mp4": re.compile(rb"M4[AB] "),
}
"""Brands of ISO media files that are no films, by media type; puremagic takes some of them for films."""

_FILM = re.compile(rb"iso.|mp4\d|avc1|dash")
_ALIASES = {"image/x-ms-bmp": "image/bmp"}
_CALLED = {
    "image/jpeg": "a JPEG picture",
    "image/x-raw": "a raw photo, as cameras keep it",
    "image/vnd.adobe.photoshop": "a Photoshop file",
    "image/svg+xml": "an SVG drawing",
    "image/jxl": "a JPEG XL picture",
    "image/jp2": "a JPEG 2000 picture",
    "image/x-exr": "an OpenEXR picture",
    "application/pdf": "a PDF document",
    "application/zip": "an archive, or an office document",
    "application/octet-stream": "of no known type",
    "text/html": "a web page",
    "text/plain": "a text",
    "video/x-matroska": "a Matroska film",
    "video/avi": "an AVI film",
    "model/fbx": "an FBX model",
    "model/stl": "an STL model",
    "model/ply": "a PLY model",
}
_KINDS = {"image": "a picture", "video": "a film", "audio": "a sound", "model": "a model"}
_ADVICE = {
    "image": "save it as JPEG or PNG",
    "video": "convert it to MP4",
    "model": "export it as GLB",
}
_TAKEN = (
    "pictures are taken as JPEG, PNG, WebP, GIF, AVIF, HEIC, TIFF or BMP, films as MP4, WebM or QuickTime, models as GLB, "
    "sounds as MP3, WAV, FLAC, Ogg or M4A"
)


def media_type_of(start: bytes) -> str:
    """Return the media type of a file by its first 64 KiB; `of no known type` where it is unknown, `empty` where there are no bytes."""
    own = [name for first, name in _FIRST.items() if start.startswith(first)]
    if start[4:8] == b"ftyp":
        brands = start[8 : int.from_bytes(start[:4])]
        own += [name for name, brand in _BRANDS.items() if brand.search(brands)]
    elif start[:4] == b"RIFF":
        own.append(_RIFF.get(start[8:12], "application/octet-stream"))
    elif start[:2] == b"II" and start[8:11] == b"CR\2":
        own.insert(0, "image/x-raw")
    elif start.startswith(b"\x1aE\xdf\xa3") and b"webm" not in start[:64]:
        own.append("video/x-matroska")  # WebM is the part of Matroska that browsers play
    if own or not start:
        return own[0] if own else "empty"
    try:
        matches: list[Any] = puremagic.magic_string(start)
    except (puremagic.PureError, ValueError):
        matches = []
    found = [_ALIASES.get(name, name) for match in matches if (name := str(match.mime_type or ""))]
    if not found and start[4:8] == b"ftyp" and _FILM.search(start[8 : int.from_bytes(start[:4])]):
        found = ["video/mp4"]  # puremagic knows few of the major brands and none of the compatible ones
    return next((name for name in found if name in SUFFIXES), found[0] if found else "of no known type")


def why_not_taken(media_type: str, expected: str) -> str:
    """Return the message that refuses a file of this type; empty where the type is taken.

    Args:
        media_type: As `media_type_of` names it.
        expected: `image`, `video` or `model`; empty for any.
    """
    kind = "image" if media_type == "application/pdf" else media_type.partition("/")[0]
    if expected and kind != expected:
        return f"it should be {_a(expected)}, but is {_called(media_type)}"
    if media_type == "empty":
        return "it is empty"
    if media_type in SUFFIXES and kind != "text":
        return ""
    return f"it is {_called(media_type)}, {f'which is not taken: {_ADVICE[kind]}' if kind in _ADVICE else f'but {_TAKEN}'}"


def _called(media_type: str) -> str:
    name = _CALLED.get(media_type) or _KINDS.get(media_type.partition("/")[0])
    if "/" not in media_type:
        return media_type
    return f"{name} ({media_type})" if name else media_type


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
