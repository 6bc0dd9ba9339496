"""Contact sheets: one small picture of many results, for places that can only show a picture."""

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genmedia.store.sidecar import Coordinate

MAX_BYTES = 140_000
"""Largest sheet, in bytes: it leaves room for base64 and some text in a Prefect artifact of at most 200 kB."""

MOST_TILES = 160
"""Most tiles of a sheet; of more results the last tile tells the number that is not shown."""

_LARGEST_TILE = 320
_MOST_PIXELS = 1_500_000
_QUALITIES = (82, 62)
_BACKGROUND, _MISSING, _INK = (32, 33, 36), (72, 74, 79), (214, 216, 220)
"""A dark neutral: pictures stand out from it, and it suits light and dark pages alike."""


def columns_of(places: Sequence[Sequence[Coordinate]]) -> int | None:
    """Number of columns in which a product of lists is a table, with a row for each value of the first list that varies.

    Returns:
        None if the places are no complete table.
    """
    numbers = {tuple(one.number for one in place) for place in places}
    if len({tuple(one.name for one in place) for place in places}) != 1 or len(numbers) < len(places):
        return None
    varied = [values for values in map(set, zip(*numbers, strict=True)) if len(values) > 1]
    whole = len(varied) > 1 and len(numbers) % len(varied[0]) == 0 and math.prod(map(len, varied)) == len(numbers)
    return len(numbers) // len(varied[0]) if whole else None


def make_contact_sheet(
    entries: Sequence[tuple[str, Path | None]], *, columns: int | None = None, max_bytes: int = MAX_BYTES
) -> bytes:
    """Draw all results into one WebP picture: a grid of thumbnails, each with its label below.

    Quality is lowered first, then size, until the picture fits. Of very many results the first are shown, and the rest counted.

    Args:
        entries: A label and a thumbnail for each result; one that is missing or does not decode gets a grey tile.
        columns: Number of columns; None for the best fit.
        max_bytes: The most bytes the picture may have.

    Raises:
        ValueError: There are no entries, or `max_bytes` is too small for any picture.
    """
    if not entries:
        raise ValueError("a contact sheet needs at least one entry")
    shown = entries if len(entries) <= MOST_TILES else entries[: MOST_TILES - 1]
    more = [(f"and {len(entries) - len(shown)} more", None)] if len(shown) < len(entries) else []
    count = len(shown) + len(more)
    rows = math.ceil(count / (columns or math.ceil(math.sqrt(1.5 * count))))
    columns = columns or math.ceil(count / rows)
    side = min(_LARGEST_TILE, math.isqrt(_MOST_PIXELS // (columns * rows)))
    tiles = [*((label, _open(path, side)) for label, path in shown), *more]
    while side:
        sheet, size = _draw(tiles, columns, rows, side), 0
        for quality in _QUALITIES:
            encoded = BytesIO()
            sheet.save(encoded, "WEBP", quality=quality, method=2)
            size = encoded.tell()
            if size <= max_bytes:
                return encoded.getvalue()
        side = int(side * min(0.9, max(0.5, math.sqrt(max_bytes / size))))
    raise ValueError(f"no contact sheet fits into {max_bytes} bytes")


def _open(path: Path | None, side: int) -> Image.Image | None:
    if path is None:
        return None
    try:
        with Image.open(path) as picture:
            picture.thumbnail((side, side))
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _draw(tiles: Sequence[tuple[str, Image.Image | None]], columns: int, rows: int, side: int) -> Image.Image:
    gap, text = max(2, side // 20), max(9, side // 16)
    font = ImageFont.load_default(text)
    width, height = side + gap, side + 2 * gap + text
    sheet = Image.new("RGB", (columns * width + gap, rows * height + gap), _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for index, (label, picture) in enumerate(tiles):
        left, top = gap + index % columns * width, gap + index // columns * height
        if picture is None:
            pen.rectangle((left, top, left + side - 1, top + side - 1), _MISSING)
        else:
            small = picture.copy()
            small.thumbnail((side, side))
            sheet.paste(small, (left + (side - small.width) // 2, top + (side - small.height) // 2))
        pen.text((left + side / 2, top + side + gap // 2), _cut(label, font, side), _INK, font, anchor="ma")
    return sheet


def _cut(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The label in one line, as much of it as fits."""
    label = " ".join(label.split())
    if font.getlength(label) <= width:
        return label
    while label and font.getlength(f"{label}…") > width:
        label = label[:-1]
    return f"{label.rstrip()}…"
