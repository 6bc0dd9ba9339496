"""Fonts for a text in any script: a font of the project, and those of Noto that are installed for what it has no signs of."""

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import features

FOLDERS = (
    *(Path.home() / one for one in (".local/share/fonts", ".fonts", "Library/Fonts")),
    *map(Path, ("/usr/local/share/fonts", "/usr/share/fonts", "/Library/Fonts", "/opt/homebrew/share/fonts")),
)
"""Folders in which installed fonts are looked for, with all folders in them."""

PACKAGES = "on Debian: apt-get install fonts-noto-core fonts-noto-cjk"
"""How the fonts of Noto are got."""

RAQM = "the wheels of Pillow on PyPI have it, and need FriBiDi: on Debian: apt-get install libfribidi0"
"""How libraqm is got."""

FAMILY = "Noto Sans"
SUFFIXES = (".ttf", ".otf", ".ttc")
_OTHERS = ("Symbols", "Symbols2", "Math")
_EAST_ASIA = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH", "BOPOMOFO"}
_OF_JAPAN, _OF_KOREA, _OF_CHINA = "JP", "KR", "SC"
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"}
"""Categories of characters that a text can do without: spaces, marks that shape or join others, directions."""


class Font(NamedTuple):
    """A font.

    Attributes:
        path: Its file.
        number: Its number in the file, from 0; some files have several.
    """

    path: str
    number: int = 0


class NoFontError(Exception):
    """There is no font for a text; the message says what is missing and how to get it."""


@cache
def signs(font: Font) -> frozenset[int]:
    """Return the characters that a font has signs of, as numbers.

    Raises:
        NoFontError: It is no font that can be read.
    """
    try:
        with Path(font.path).open("rb") as file, TTFont(file, fontNumber=font.number, lazy=True) as read:
            return frozenset(read.getBestCmap() or ())
    except (OSError, TTLibError, AssertionError, ValueError, LookupError) as error:
        raise NoFontError(f"{font.path} is no font that can be read: {getattr(error, 'strerror', None) or error}") from None


def fonts_for(text: str, wanted: str = "", *, bold: bool = False) -> list[Font]:
    """Return the fonts with which a text is written: of each character the first that has a sign of it.

    Args:
        text: The text.
        wanted: Path of a font's file, or the name of an installed family of Noto such as `Noto Serif`; empty for Noto Sans.
        bold: True for the bold fonts of Noto; a font's file is taken as it is.

    Raises:
        NoFontError: There is no such font, or none for a character, or nothing that puts letters together.
    """
    if not features.check("raqm"):
        raise NoFontError(f"needs libraqm, which this Pillow was built without; {RAQM}")
    family = FAMILY if not wanted or wanted.lower().endswith(SUFFIXES) else wanted
    style = "Bold" if bold else "Regular"
    chosen = list(_first(wanted, family, style))
    if missing := [one for one in dict.fromkeys(text) if not _is_optional(one) and not _has(chosen, one)]:
        for font in _further(missing, text, family, style):
            if any(ord(one) in signs(font) for one in missing):
                chosen.append(font)
                missing = [one for one in missing if ord(one) not in signs(font)]
            if not missing:
                break
    if missing:
        named = f"{missing[0]!r} (U+{ord(missing[0]):04X}, {unicodedata.name(missing[0], 'without a name')})"
        raise NoFontError(f"has {named}, and no font here has a sign of it; Noto's fonts have most, {PACKAGES}")
    return chosen


def _first(wanted: str, family: str, style: str) -> Iterator[Font]:
    if wanted.lower().endswith(SUFFIXES):
        path = Path(wanted).expanduser().absolute()
        if not path.is_file():
            raise NoFontError(f"{wanted} is not there")
        signs(Font(str(path)))
        yield Font(str(path))
    elif found := _file(family.replace(" ", ""), style):
        yield Font(found)
    elif wanted:
        raise NoFontError(f"{wanted} is not installed; fonts of Noto can be named, or the path of a font's file; {PACKAGES}")
    elif not _installed():
        raise NoFontError(f"needs a font, and none of Noto's is installed: name the path of a font's file, or {PACKAGES}")


def _is_optional(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN


def _has(fonts: Sequence[Font], character: str) -> bool:
    return any(ord(character) in signs(font) for font in fonts)


def _further(missing: Sequence[str], text: str, family: str, style: str) -> Iterator[Font]:
    """Yield the fonts that may have signs of characters, the likeliest first."""
    base = family.replace(" ", "") if family.startswith("Noto") else FAMILY.replace(" ", "")
    for word in dict.fromkeys(unicodedata.name(one, "").partition(" ")[0].partition("-")[0] for one in missing):
        if word in _EAST_ASIA:
            yield from _of_east_asia(text, base, style)
        elif found := _file(f"{base}{word.title()}", style) or _file(f"NotoSans{word.title()}", style):
            yield Font(found)
    yield from (Font(found) for one in _OTHERS if (found := _file(f"NotoSans{one}", style)))
    yield from _of_east_asia(text, base, style)
    yield from (Font(path) for name, path in sorted(_installed().items()) if name.startswith("NotoSans") and ".ttc" not in path)


def _of_east_asia(text: str, base: str, style: str) -> Iterator[Font]:
    """Yield the font of Chinese, Japanese or Korean: these write some characters differently, and other letters tell which it is."""
    names = {unicodedata.name(one, "").partition(" ")[0] for one in text}
    place = _OF_JAPAN if names & {"HIRAGANA", "KATAKANA"} else _OF_KOREA if "HANGUL" in names else _OF_CHINA
    if path := _file(f"{base}CJK", style) or _file("NotoSansCJK", style):
        for number, family in enumerate(_families(path)):
            if family.endswith(f"CJK {place}") and "Mono" not in family:
                yield Font(path, number)
    elif path := _file(f"{base}{place}", style) or _file(f"NotoSans{place}", style):
        yield Font(path)


@cache
def _families(path: str) -> tuple[str, ...]:
    with TTCollection(path, lazy=True) as read:
        fonts: list[Any] = list(read)
        return tuple(str(one["name"].getBestFamilyName()) for one in fonts)


def _file(name: str, style: str) -> str:
    """Return the path of an installed font; the regular one where there is none of the style, empty where there is none at all."""
    fonts = _installed()
    return fonts.get(f"{name}-{style}") or fonts.get(f"{name}-Regular") or fonts.get(name) or ""


@cache
def _installed() -> dict[str, str]:
    """Return the paths of all installed fonts of Noto, by the names of their files without suffix and without axes such as `[wght]`."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted(folder.rglob("Noto*")) if folder.is_dir() else ():
            if path.suffix.lower() in SUFFIXES:
                found.setdefault(path.stem.partition("[")[0], str(path))
    return found
