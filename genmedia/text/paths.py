"""Names of files and folders that every file system and object store takes, made from texts that people and providers wrote."""

import re
import unicodedata
from pathlib import PurePosixPath

from slugify import slugify

NAME_LENGTH = 150
"""Longest name of a file or folder, in characters. File systems take 255, some object stores less; an ending that is added needs some."""

DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, whatever their ending."""

_SMALL = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "å": "a", "ł": "l", "đ": "d", "œ": "oe"}
SPELLED = str.maketrans(_SMALL | {one.upper(): two.capitalize() for one, two in _SMALL.items() if one != "ß"})
"""Letters that are spelled with others, as those who use them do."""


def apart_from_devices(name: str) -> str:
    """Return a name, with a dash in it where Windows would take it for a device."""
    first, dot, rest = name.partition(".")
    return f"{first}-{dot}{rest}" if DEVICE.fullmatch(name) else name


def portable(text: str, most: int = NAME_LENGTH) -> str:
    """Return a text as the name of a file or folder: letters, digits, `.`, `-` and `_`, none of the first three at its ends.

    Letters of other scripts are written as they sound, everything else becomes a dash. A name of more than `most` characters is cut before
    its suffix. It is empty if the text has no letter and no digit.
    """
    spelled = unicodedata.normalize("NFC", text).translate(SPELLED)
    name = slugify(
        spelled, lowercase=False, entities=False, decimal=False, hexadecimal=False, regex_pattern="[^A-Za-z0-9._-]+"
    ).strip(".-")
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix) <= most // 2 else ""
    stem = name.removesuffix(suffix)[: most - len(suffix)].rstrip(".-")
    return apart_from_devices(f"{stem}{suffix}")
