"""Text on pictures, in any script and both directions: wrapped, fitted into a box, each character in a font that has it.

Letters are shaped by libraqm through Pillow. What stands here is what that leaves out: lines, fonts, and the order of runs of several
fonts in a line, by the bidirectional algorithm of Unicode (UAX #9) without its explicit marks.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFont

from genmedia.errors import MediaLimitError
from genmedia.media.fonts import Font, signs
from genmedia.media.operations.encoding import colour, read_picture, write_picture

SMALLEST = 8
"""Smallest size of letters, in pixels, to which they are made smaller to fit into a box."""

_BEFORE_VOWEL = "เแโใไເແໂໃໄ"
"""Vowels of Thai and Lao that stand before the letter that they belong to."""
_JOINER, _BREAK = "\u200d", "\u200b"
Way = Literal["ltr", "rtl"]


@dataclass(frozen=True)
class Run:
    """Characters of one font and one direction, side by side in a line."""

    text: str
    font: Font
    way: Way


def text(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Write a text onto a picture.

    Raises:
        MediaError: It cannot be made, or the text does not fit into its box.
    """
    picture, format_ = read_picture(inputs[0])
    left, top, width, height = options.get("box", (0.05, 0.05, 0.9, 0.9))
    box = (
        round(left * picture.width),
        round(top * picture.height),
        max(1, round(width * picture.width)),
        max(1, round(height * picture.height)),
    )
    lettering = Lettering(options["text"], [Font(*one) for one in options["fonts"]])
    lines, size = lettering.fitted(box[2], box[3], options.get("size"))
    made = picture.convert("RGBA")
    sheet = Image.new("RGBA", made.size)
    lettering.draw(sheet, box, lines, size, options)
    made.alpha_composite(sheet)
    write_picture(made if picture.mode == "RGBA" else made.convert("RGB"), options, path, format_)


class Lettering:
    """A text, and the fonts that have its characters.

    Args:
        text: The text; it may have several lines.
        fonts: The fonts, of which the first that has a character writes it.
    """

    def __init__(self, text: str, fonts: Sequence[Font]) -> None:
        self.fonts = fonts
        self._paragraphs: list[tuple[str, Way]] = [(one.replace("\t", " "), way_of(one)) for one in text.split("\n")]

    def fitted(self, width: int, height: int, size: int | None = None) -> tuple[list[tuple[str, Way]], int]:
        """Return the lines, each with the direction of its paragraph, and the largest size at which they fit.

        Args:
            width: Pixels that a line may be wide.
            height: Pixels that all lines together may be high.
            size: Largest size of the letters, in pixels; None for as large as fits.

        Raises:
            MediaLimitError: They do not fit, however small.
        """
        low, high = SMALLEST, min(size or height, height)
        best: tuple[list[tuple[str, Way]], int] | None = None
        while low <= high:
            middle = (low + high + 1) // 2
            if lines := self._lines(width, height, middle):
                best, low = (lines, middle), middle + 1
            else:
                high = middle - 1
        if best is None:
            raise MediaLimitError(
                f"the text does not fit into {width} x {height} pixels, not even at a size of {SMALLEST} pixels"
            )
        return best

    def _lines(self, width: int, height: int, size: int) -> list[tuple[str, Way]]:
        """Return the lines at this size; none if they do not fit. A word is broken where no size lets it fit into a line."""
        lines: list[tuple[str, Way]] = []
        for paragraph, way in self._paragraphs:
            line = ""
            for piece in pieces(paragraph):
                if self.width(f"{line}{piece}".rstrip(f" {_BREAK}"), way, size) <= width:
                    line += piece
                    continue
                if line:
                    lines.append((line.rstrip(f" {_BREAK}"), way))
                line = piece
                if self.width(piece.rstrip(f" {_BREAK}"), way, size) > width:
                    if size > SMALLEST and not _may_break(piece):
                        return []
                    *full, line = self._broken(piece, way, width, size)
                    lines.extend((one, way) for one in full)
            lines.append((line.rstrip(f" {_BREAK}"), way))
            if sum(map(sum, (self.metrics(line, size) for line, _ in lines))) > height:
                return []
        return [] if any(self.width(line, way, size) > width for line, way in lines) else lines

    def _broken(self, word: str, way: Way, width: int, size: int) -> list[str]:
        """Break a word between characters that stand for themselves, where it is longer than a line."""
        parts = [""]
        for cluster in clusters(word):
            if parts[-1] and self.width(parts[-1] + cluster.rstrip(), way, size) > width:
                parts.append("")
            parts[-1] += cluster
        return parts

    def width(self, line: str, way: Way, size: int) -> float:
        """Width of a line in pixels."""
        return sum(_loaded(run.font, size).getlength(run.text, direction=run.way) for run in self.runs(line, way))

    def metrics(self, line: str, size: int) -> tuple[int, int]:
        """Height of a line above and below its base, in pixels."""
        used = {self._font_of(one) for one in clusters(line)} or {self.fonts[0]}
        heights = [_loaded(font, size).getmetrics() for font in used]
        return max(one for one, _ in heights), max(one for _, one in heights)

    def runs(self, line: str, way: Way) -> list[Run]:
        """Return the runs of a line, from left to right."""
        found: list[tuple[Run, int]] = []
        levels, place = embedding_levels(line, way), 0
        for cluster in clusters(line):
            level, font = levels[place], self._font_of(cluster)
            place += len(cluster)
            shown = cluster.replace(_BREAK, "")
            last = found[-1] if found else None
            if last and last[1] == level and (last[0].font == font or not shown.strip()):
                found[-1] = Run(last[0].text + shown, last[0].font, last[0].way), level
            else:
                found.append((Run(shown, font, "rtl" if level % 2 else "ltr"), level))
        return [run for run, _ in _in_order(found)]

    def _font_of(self, cluster: str) -> Font:
        needed = [ord(one) for one in cluster if unicodedata.category(one) not in ("Cf", "Zs")]
        whole = (font for font in self.fonts if all(one in signs(font) for one in needed))
        part = (font for font in self.fonts if needed and needed[0] in signs(font))
        return next(whole, None) or next(part, self.fonts[0])

    def draw(
        self,
        sheet: Image.Image,
        box: tuple[int, int, int, int],
        lines: Sequence[tuple[str, Way]],
        size: int,
        options: dict[str, Any],
    ) -> None:
        """Draw lines into a box: its left, top, width and height, in pixels."""
        left, top, width, height = box
        heights = [self.metrics(line, size) for line, _ in lines]
        whole = sum(map(sum, heights))
        y = top + {"top": 0, "middle": (height - whole) // 2, "bottom": height - whole}[options.get("vertical", "middle")]
        align, pen = options.get("align", "center"), ImageDraw.Draw(sheet)
        widths = [self.width(line, way, size) for line, way in lines]
        starts = [
            left + {"left": 0, "center": (width - one) / 2, "right": width - one}[_side(align, way)]
            for one, (_, way) in zip(widths, lines, strict=True)
        ]
        if ground := options.get("background"):
            around = size // 4
            edges = min(starts) - around, y - around, max(map(sum, zip(starts, widths, strict=True))) + around, y + whole + around
            pen.rectangle(edges, colour(ground))
        ink, outline = colour(options.get("colour", "white")), options.get("outline")
        stroke: dict[str, Any] = {"stroke_width": max(1, size // 16), "stroke_fill": colour(outline)} if outline else {}
        for (line, way), (above, below), start in zip(lines, heights, starts, strict=True):
            x = start
            for run in self.runs(line, way):
                font = _loaded(run.font, size)
                pen.text((x, y + above), run.text, ink, font, "ls", direction=run.way, **stroke)
                x += font.getlength(run.text, direction=run.way)
            y += above + below


def _side(align: str, way: Way) -> str:
    """Side of the box at which lines stand; `start` and `end` follow their direction."""
    if align in ("start", "end"):
        return "left" if (align == "start") == (way == "ltr") else "right"
    return align


@lru_cache(256)
def _loaded(font: Font, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font.path, size, font.number, layout_engine=ImageFont.Layout.RAQM)


def clusters(line: str) -> list[str]:
    """Return the characters of a line, each with the marks that belong to it: parts that are never torn apart."""
    found: list[str] = []
    for one in line:
        mark = unicodedata.category(one) in ("Mn", "Me", "Mc", "Cf") and one != _BREAK
        joined = found and (found[-1][-1] == _JOINER or found[-1][-1] in _BEFORE_VOWEL or _is_virama(found[-1][-1]))
        if found and (mark or joined):
            found[-1] += one
        else:
            found.append(one)
    return found


def _is_virama(one: str) -> bool:
    return unicodedata.combining(one) == 9


def _is_east_asian(one: str) -> bool:
    return unicodedata.east_asian_width(one) in ("W", "F") and not "\uac00" <= one <= "\ud7a3"


def _may_not_begin(one: str) -> bool:
    """True for a character with which no line of Chinese or Japanese begins: closing and other punctuation, small letters, long vowels."""
    name = unicodedata.name(one, "")
    small = name.startswith(("HIRAGANA LETTER SMALL", "KATAKANA LETTER SMALL", "KATAKANA-HIRAGANA PROLONGED"))
    return small or unicodedata.category(one) in ("Pe", "Pf", "Po")


def _may_break(word: str) -> bool:
    """True if a word may be broken at any size: of a script that has no spaces between words, which ends lines between letters."""
    return any("\u0e00" <= one <= "\u0eff" or "\u1000" <= one <= "\u109f" or "\u1780" <= one <= "\u17ff" for one in word)


def pieces(paragraph: str) -> list[str]:
    """Return the parts of a paragraph after each of which a line may end: words with their spaces, characters of Chinese and Japanese."""
    found: list[str] = []
    for cluster in clusters(paragraph):
        last = found[-1][-1] if found else ""
        east = last and (_is_east_asian(last) or _is_east_asian(cluster[0]))
        between = east and not _may_not_begin(cluster[0]) and unicodedata.category(last) not in ("Ps", "Pi")
        ended = (last in (" ", _BREAK) or (last and unicodedata.category(last) == "Pd")) and cluster not in (" ", _BREAK)
        if not found or (ended and not (last == "-" and cluster[0].isdigit())) or (between and cluster != " "):
            found.append(cluster)
        else:
            found[-1] += cluster
    return found


def way_of(paragraph: str) -> Way:
    """Direction of a paragraph: that of its first letter (rules P2 and P3)."""
    strong = (unicodedata.bidirectional(one) for one in paragraph)
    return "rtl" if next((one for one in strong if one in ("L", "R", "AL")), "L") != "L" else "ltr"


def embedding_levels(line: str, way: Way) -> list[int]:
    """Return the level of each character: even from left to right, odd from right to left (rules W1 to W7, N1, N2, I1, I2 and L1)."""
    base = 1 if way == "rtl" else 0
    edge = "R" if base else "L"
    kinds = [_strong(unicodedata.bidirectional(one) or "L") for one in line]
    _weak(kinds, edge)
    _neutral(kinds, edge)
    levels = [base] * len(kinds)
    for place, kind in enumerate(kinds):
        if base:
            levels[place] = 2 if kind in ("L", "EN", "AN") else 1
        else:
            levels[place] = {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)
    for place in reversed(range(len(line))):
        if not line[place].isspace():
            break
        levels[place] = base
    return levels


def _strong(kind: str) -> str:
    return "ON" if kind in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B", "S", "WS") else kind


def _weak(kinds: list[str], edge: str) -> None:
    before, strong = edge, edge
    for place, kind in enumerate(kinds):  # W1 to W3: marks, numbers after Arabic letters, Arabic letters
        kind = before if kind in ("NSM", "BN") else kind  # noqa: PLW2901 # each rule works on what those before it left
        before = kind
        strong = kind if kind in ("L", "R", "AL") else strong
        kinds[place] = "AN" if kind == "EN" and strong == "AL" else kind
    for place in range(1, len(kinds) - 1):  # W4: a sign between two numbers
        around = {kinds[place - 1], kinds[place + 1]}
        if (kinds[place] in ("ES", "CS") and around == {"EN"}) or (kinds[place] == "CS" and around == {"AN"}):
            kinds[place] = around.pop()
    for order in (range(len(kinds)), reversed(range(len(kinds)))):  # W5: signs such as % beside a number
        beside = ""
        for place in order:
            kinds[place] = "EN" if kinds[place] == "ET" and beside == "EN" else kinds[place]
            beside = kinds[place]
    strong = edge
    for place, kind in enumerate(kinds):  # W6 and W7: other signs, numbers after Latin letters
        kinds[place] = "ON" if kind in ("ES", "ET", "CS") else "R" if kind == "AL" else kind
        strong = kinds[place] if kinds[place] in ("L", "R") else strong
        if kinds[place] == "EN" and strong == "L":
            kinds[place] = "L"


def _neutral(kinds: list[str], edge: str) -> None:
    """Give neutral characters the direction of those around them, or that of the line (N1 and N2)."""
    place = 0
    while place < len(kinds):
        end = place
        while end < len(kinds) and kinds[end] == "ON":
            end += 1
        if end > place:
            sides = {_as_strong(one) for one in (kinds[place - 1] if place else edge, kinds[end] if end < len(kinds) else edge)}
            kinds[place:end] = [sides.pop() if len(sides) == 1 else edge] * (end - place)
        place = end + 1


def _as_strong(kind: str) -> str:
    return "R" if kind in ("EN", "AN") else kind


def _in_order(found: Sequence[tuple[Run, int]]) -> Iterable[tuple[Run, int]]:
    """Put runs into the order in which they are seen, from left to right (rule L2)."""
    order = list(found)
    for level in range(max((one for _, one in order), default=0), 0, -1):
        place = 0
        while place < len(order):
            end = place
            while end < len(order) and order[end][1] >= level:
                end += 1
            order[place:end] = reversed(order[place:end])
            place = max(end, place + 1)
    return order
