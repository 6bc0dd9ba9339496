"""A contact sheet: many pictures in a grid, each whole, with a caption below."""

from math import ceil, sqrt
from pathlib import Path
from typing import Any

from PIL import Image

from genmedia.errors import MediaLimitError
from genmedia.media.fonts import Font
from genmedia.media.making import LARGEST_SIDE
from genmedia.media.operations.encoding import colour, read_picture, write_picture
from genmedia.media.operations.lettering import Lettering


def contact_sheet(inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Draw pictures into a grid, in the order of the inputs; each is shown whole in a square cell.

    Raises:
        MediaError: It cannot be made.
    """
    columns = min(len(inputs), options.get("columns") or ceil(sqrt(len(inputs))))
    rows, side = ceil(len(inputs) / columns), options.get("cell", 480)
    captions: list[str] = options.get("captions", [])
    gap = side // 24
    below = side // 6 if captions else 0
    size = columns * (side + gap) + gap, rows * (side + below + gap) + gap
    if max(size) > LARGEST_SIDE:
        raise MediaLimitError(f"it would have {size[0]} x {size[1]} pixels, more than {LARGEST_SIDE} on a side")
    ground = colour(options.get("background", "white"))
    made = Image.new("RGBA", size, ground)
    ink = {"align": "center", "vertical": "top", "colour": options.get("colour") or _against(ground)}
    for number, one in enumerate(inputs):
        picture, _ = read_picture(one)
        picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
        left, top = gap + number % columns * (side + gap), gap + number // columns * (side + below + gap)
        made.alpha_composite(picture.convert("RGBA"), (left + (side - picture.width) // 2, top + (side - picture.height) // 2))
        if captions and captions[number]:
            lettering = Lettering(captions[number], [Font(*font) for font in options["fonts"]])
            lines, height = lettering.fitted(side, below, side // 16)
            lettering.draw(made, (left, top + side, side, below), lines, height, ink)
    write_picture(made if ground[3] < 255 else made.convert("RGB"), options, path, "png" if ground[3] < 255 else "jpg")


def _against(ground: tuple[int, int, int, int]) -> str:
    """Return the colour, black or white, that stands out from another."""
    red, green, blue, _ = ground
    return "black" if red * 299 + green * 587 + blue * 114 > 128_000 else "white"
