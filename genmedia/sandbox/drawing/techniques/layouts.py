"""Techniques that lay the picture out on a page (JPEG)."""

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Colour,
    Order,
    Recipe,
    backdrop,
    close_up,
    cut_out,
    fill,
    grade,
    luma,
    palette,
    pixels,
    place,
    polaroid,
    rounded,
    write,
)

_INK: Colour = (30, 28, 32)


def _critique(image: Image.Image) -> str:
    """What can be measured: contrast, balance, colour and sharpness."""
    light, colours = luma(image), pixels(image)
    contrast = "strong" if light.std() > 0.25 else "balanced" if light.std() > 0.15 else "too flat: deepen the shadows"
    half = light.shape[1] // 2
    lean = float(light[:, :half].mean() - light[:, half:].mean())
    balance = "centred" if abs(lean) < 0.05 else f"heavier on the {'right' if lean > 0 else 'left'}: move the subject"
    spread = float((colours.max(2) - colours.min(2)).mean())
    colour = "rich; let one hue lead" if spread > 0.35 else "restrained; add one accent" if spread > 0.15 else "nearly grey"
    detail = float(np.abs(np.diff(light, axis=1)).mean())
    focus = "crisp" if detail > 0.02 else "soft: sharpen the point of interest"
    return "\n".join((f"Contrast: {contrast}.", f"Balance: {balance}.", f"Colour: {colour}.", f"Focus: {focus}."))


def art_directors_critique(order: Order) -> list[Image.Image | str]:
    """The critique in words, then the asset laid out anew as a poster on a colour block."""
    width, height = round(order.size * 0.75), order.size
    unit, tones = height / 100, palette(order.picture, 6)
    page = Image.new("RGB", (width, height), (244, 239, 228))
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, unit * 30, width * 0.42, height), tones[2])
    draw.ellipse((width * 0.56, unit * 4, width * 1.1, unit * 42), (226, 74, 48))
    shot = fill(order.picture, width * 0.72, unit * 46, (0.4, 0.5))
    place(page, ImageEnhance.Contrast(shot).enhance(1.2).convert("RGBA"), width * 0.56, unit * 56, unit * 1.2)
    for line, text in enumerate(("less,", "but", "better.")):
        write(page, (unit * 5, unit * (9 + line * 8.5)), text, unit * 10, _INK, anchor="lm")
    write(page, (width - unit * 4, height - unit * 6), "redesign no. 1", unit * 3, _INK, anchor="rm")
    return [_critique(order.picture), page]


def moodboard_maker(order: Order) -> Image.Image:
    """Prints of the picture's parts, swatches and words pinned on cork."""
    width, height = order.size, round(order.size * 0.8)
    unit, random, image = width / 100, order.random(), order.picture
    board = Image.new("RGB", (width, height), (204, 172, 132))
    speckle = Image.fromarray(random.integers(90, 165, (height // 2, width // 2), dtype=np.uint8)).resize(board.size)
    board = Image.blend(board, Image.merge("RGB", (speckle, speckle, speckle)), 0.18)
    tones = palette(image, 6)
    prints = (
        (image, 0.2, 0.27, 30, 0.8), (close_up(image, 0.4, 0.45, 0.35), 0.52, 0.22, 20, 1.1),
        (ImageOps.grayscale(image).convert("RGB"), 0.8, 0.3, 26, 0.75), (close_up(image, 0.6, 0.6, 0.25), 0.86, 0.74, 18, 1.2),
        (grade(image, tones[4], tones[1], tones[0], 0.9), 0.56, 0.62, 34, 0.7),
        (ImageOps.invert(close_up(image, 0.5, 0.3, 0.5)), 0.14, 0.75, 19, 1.0),
    )  # fmt: skip
    for part, x, y, wide, ratio in prints:
        shot = polaroid(part, unit * wide, random.uniform(-9, 9), ratio)
        place(board, shot, width * x, height * y, unit * 0.8)
        tape = Image.new("RGBA", (round(unit * 8), round(unit * 2.4)), (246, 232, 170, 190)).rotate(
            random.uniform(-20, 20), expand=True
        )
        place(board, tape, width * x, height * y - shot.height * 0.44)
    for i, tone in enumerate(tones[:5]):
        place(
            board,
            Image.new("RGBA", (round(unit * 6), round(unit * 6)), (*tone, 255)),
            unit * (30 + i * 7.2),
            height * 0.93,
            unit * 0.4,
        )
    strip = Image.new("RGB", (round(unit * 26), round(unit * 9)), (250, 246, 236))
    write(strip, (strip.width / 2, strip.height / 2), "mood", unit * 7.5, _INK)
    place(board, strip.convert("RGBA").rotate(4, Image.Resampling.BICUBIC, expand=True), width * 0.36, height * 0.47, unit * 0.5)
    return board


def product_lookbook_grid(order: Order) -> Image.Image:
    """Nine tiles on white: the product whole, near, cut out on colour, tinted, and two of type."""
    side, gap = order.size, max(1, round(order.size * 0.015))
    image, tones = order.picture, palette(order.picture, 6)
    cell = (side - gap * 4) // 3
    page = Image.new("RGB", (side, side), (250, 249, 246))
    product = ImageOps.contain(cut_out(image), (round(cell * 0.86), round(cell * 0.86)), Image.Resampling.BICUBIC)

    def on(colour: Colour) -> Image.Image:
        tile = Image.new("RGB", (cell, cell), colour)
        place(tile, product, cell / 2, cell / 2, cell / 40)
        return tile

    def type_(colour: Colour, ink: Colour, *lines: str) -> Image.Image:
        tile = Image.new("RGB", (cell, cell), colour)
        for i, line in enumerate(lines):
            write(tile, (cell * 0.1, cell * (0.22 + i * 0.24)), line, cell * 0.2, ink, anchor="lm", width=cell * 0.8)
        return tile

    tiles = (
        on((244, 226, 210)), close_up(image, 0.5, 0.5, 0.3), type_(_INK, (246, 240, 230), "look", "book", "no. 7"),
        grade(image, (20, 20, 60), tones[2], (255, 240, 230), 0.85), on((250, 196, 60)), ImageOps.grayscale(image).convert("RGB"),
        type_((222, 82, 60), (255, 246, 236), "autumn", "/", "winter"), close_up(image, 0.35, 0.4, 0.4), on((150, 190, 200)),
    )  # fmt: skip
    for i, tile in enumerate(tiles):
        page.paste(fill(tile, cell, cell), (gap + i % 3 * (cell + gap), gap + i // 3 * (cell + gap)))
    return page


def fit_checks(order: Order) -> Image.Image:
    """The person in a tall mirror on the left; the outfit taken apart on the right, each piece with its label."""
    width, height = order.size, round(order.size * 0.9)
    unit = width / 100
    person, outfit = order.pictures["person_image"], order.pictures["outfit_image"]
    page = backdrop(width, height, (232, 222, 236), (206, 214, 232))
    mirror = rounded(fill(person, width * 0.4, height * 0.86), unit * 18)
    place(
        page,
        rounded(Image.new("RGB", (mirror.width + round(unit * 3), mirror.height + round(unit * 3)), (184, 140, 84)), unit * 19),
        width * 0.26,
        height / 2,
        unit,
    )
    place(page, mirror, width * 0.26, height / 2)
    worn = cut_out(outfit)
    worn = ImageOps.contain(worn, (round(width * 0.3), round(height * 0.42)), Image.Resampling.BICUBIC)
    place(page, worn, width * 0.26, height * 0.92 - worn.height / 2, unit * 0.6)
    for i, (name, x, y) in enumerate((("top", 0.5, 0.35), ("layer", 0.42, 0.6), ("fabric", 0.6, 0.75), ("detail", 0.35, 0.85))):
        piece = fill(close_up(outfit, x, y, 0.3), width * 0.2, height * 0.32)
        piece = piece.filter(ImageFilter.SMOOTH)
        centre = (width * (0.62 + i % 2 * 0.25), height * (0.26 + i // 2 * 0.45))
        place(page, ImageOps.expand(piece, max(2, round(unit)), (255, 255, 255)).convert("RGBA"), *centre, unit * 0.8)
        write(page, (centre[0], centre[1] + height * 0.205), name, unit * 3.4, _INK)
    write(page, (width * 0.745, height * 0.045), "FIT CHECK", unit * 5, _INK, width=width * 0.46)
    return page


RECIPES: dict[str, Recipe] = {
    "art-directors-critique": art_directors_critique,
    "fit-checks": fit_checks,
    "moodboard-maker": moodboard_maker,
    "product-lookbook-grid": product_lookbook_grid,
}
