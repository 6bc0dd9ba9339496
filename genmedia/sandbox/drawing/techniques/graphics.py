"""Techniques that answer with flat graphics rather than a photograph (PNG)."""

import colorsys
import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Colour,
    Order,
    Recipe,
    backdrop,
    blur,
    curve,
    cut_out,
    fill,
    glow,
    luma,
    palette,
    picture,
    place,
    spotlight,
    write,
)


def _hue(turn: float, saturation: float = 0.65, value: float = 0.95) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(turn % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def color_mapping(order: Order) -> Image.Image:
    """Every region in a flat colour of its own, outlined, with a legend of how much of the picture it covers."""
    image, unit, count = order.picture, order.size / 100, 7
    calm = image.resize((image.width // 3, image.height // 3)).filter(ImageFilter.MedianFilter(5))
    regions = Image.fromarray(np.asarray(calm.quantize(count, Image.Quantize.MEDIANCUT, kmeans=3))).filter(
        ImageFilter.ModeFilter(7)
    )
    regions = regions.resize(image.size, Image.Resampling.NEAREST)
    codes = np.asarray(regions)
    order_of = np.argsort([0.37, 0.9, 0.1, 0.55, 0.73, 0.2, 0.02])
    colours = [_hue(0.05 + int(rank) / count, 0.7, 0.95 if rank % 2 else 0.6) for rank in order_of]
    flat = Image.fromarray(np.array(colours, dtype=np.uint8)[codes])
    edge = curve(curve(regions, lambda value: value * 30).filter(ImageFilter.FIND_EDGES), lambda value: 255 * (value > 8))
    flat.paste((250, 250, 250), (0, 0), edge)
    draw = ImageDraw.Draw(flat)
    draw.rectangle((0, 0, unit * 17, unit * (count * 5 + 3)), (20, 20, 26))
    for i, colour in enumerate(colours):
        y = unit * (4 + i * 5)
        draw.rectangle((unit * 2, y - unit * 1.6, unit * 5.2, y + unit * 1.6), colour)
        write(flat, (unit * 6.6, y), f"{(codes == i).mean():.0%}", unit * 3.4, (250, 250, 250), anchor="lm")
    return flat


def palette_pull(order: Order) -> Image.Image:
    """The picture over its six main colours, each with its hex code."""
    width, height = round(order.size * 0.8), order.size
    page = Image.new("RGB", (width, height), (252, 251, 248))
    page.paste(fill(order.picture, width, height * 0.46), (0, 0))
    tones = sorted(palette(order.picture, 6), key=sum)
    draw, top, cell = ImageDraw.Draw(page), height * 0.49, width / 3
    for i, tone in enumerate(tones):
        left, y = (i % 3) * cell, top + (i // 3) * height * 0.255
        draw.rounded_rectangle((left + cell * 0.08, y, left + cell * 0.92, y + height * 0.19), cell * 0.08, tone)
        write(page, (left + cell / 2, y + height * 0.217), "#{:02X}{:02X}{:02X}".format(*tone), height * 0.03, (40, 40, 44))
    return page


def wireframe(order: Order) -> Image.Image:
    """The picture's edges in white line on a blueprint, with dimensions."""
    unit = order.size / 100
    margin = round(unit * 7)
    grey = blur(order.picture.convert("L"), unit / 4)
    slope_y, slope_x = np.gradient(luma(grey))
    lines = picture((np.hypot(slope_x, slope_y) * order.size / 700 - 0.01) * 22)
    sheet = Image.new("RGB", (lines.width + margin * 2, lines.height + margin * 2), (18, 58, 122))
    draw = ImageDraw.Draw(sheet)
    for step in range(0, max(sheet.size), max(4, round(unit * 3))):
        tone = (34, 78, 146) if step // max(4, round(unit * 3)) % 5 else (58, 104, 172)
        draw.line((step, 0, step, sheet.height), tone)
        draw.line((0, step, sheet.width, step), tone)
    sheet.paste((236, 244, 255), (margin, margin), lines)
    right, foot = sheet.width - margin, sheet.height - margin
    draw.rectangle((margin, margin, right, foot), None, (236, 244, 255), max(1, round(unit * 0.3)))
    draw.line((margin, foot + margin / 2, right, foot + margin / 2), (236, 244, 255))
    draw.rectangle((sheet.width / 2 - unit * 7, foot + unit, sheet.width / 2 + unit * 7, sheet.height - unit), (18, 58, 122))
    write(sheet, (sheet.width / 2, foot + margin / 2), f"{lines.width} mm", unit * 3.4, (236, 244, 255))
    return sheet


def memoji_me(order: Order) -> Image.Image:
    """The subject in a few bright flat tones with a thick outline, in a pastel disc."""
    side, unit = order.size, order.size / 100
    head = ImageOps.contain(cut_out(order.picture), (round(side * 0.78), round(side * 0.78)), Image.Resampling.BICUBIC)
    shape = curve(blur(head.getchannel("A"), unit), lambda value: 255 * (value > 110))
    small = head.convert("RGB").resize((head.width // 2, head.height // 2)).filter(ImageFilter.MedianFilter(5))
    tones = small.quantize(7, Image.Quantize.MEDIANCUT, kmeans=2).convert("RGB").filter(ImageFilter.ModeFilter(5))
    toy = ImageEnhance.Brightness(ImageEnhance.Color(tones).enhance(1.4)).enhance(1.15).resize(head.size)
    sticker = Image.new("RGBA", (head.width + round(unit * 8), head.height + round(unit * 8)))
    ring = ImageOps.expand(shape, round(unit * 4), 0)
    sticker.paste((255, 255, 255, 255), (0, 0), curve(blur(ring, unit * 1.6), lambda value: 255 * (value > 20)))
    sticker.paste(toy, (round(unit * 4), round(unit * 4)), shape)
    page = Image.new("RGB", (side, side), (250, 250, 252))
    disc = backdrop(side, side, _hue(order.seed % 100 / 100, 0.35, 1.0), _hue(order.seed % 100 / 100 + 0.12, 0.5, 0.95))
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((unit * 4, unit * 4, unit * 96, unit * 96), 255)
    page.paste(disc, (0, 0), mask)
    place(page, sticker, side / 2, side * 0.52, unit)
    return page


def logo_stylist(order: Order) -> Image.Image:
    """The logo's outline as neon tubes on a dark wall; the style's words choose the colours and stand below."""
    side, unit = order.size, order.size / 100
    wall = Image.new("RGB", (side, side), (26, 20, 34))
    draw = ImageDraw.Draw(wall)
    for row in range(25):
        for column in range(-1, 13):
            left = unit * (column * 8 + row % 2 * 4)
            draw.rectangle((left, unit * row * 4, left + unit * 7.6, unit * (row * 4 + 3.6)), (38, 28, 46))
    mark = blur(ImageOps.contain(order.picture, (round(side * 0.84), round(side * 0.66))).convert("L"), unit * 0.9)
    mark = ImageOps.equalize(mark)
    tubes = Image.new("RGB", (side, side))
    turn = order.seed % 100 / 100
    corner = (round((side - mark.width) / 2), round(side * 0.4 - mark.height / 2))
    for i, level in enumerate((70, 130, 190)):
        shape = picture((luma(mark) * 255 > level).astype(np.float32))
        line = shape.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.MaxFilter(3))
        tubes.paste(_hue(turn + i * 0.16, 0.75, 1.0), corner, line)
    write(tubes, (side / 2, side * 0.86), order.text, unit * 8, _hue(turn + 0.5, 0.6, 1.0))
    lit = ImageChops.add(ImageChops.multiply(wall, spotlight(side, side, (255, 255, 255), (90, 90, 90))), tubes)
    return glow(glow(lit, unit * 1.2, 1.0), unit * 5, 1.2)


# Each glyph is a row of strokes: a tool, whether it is filled, and its points in a square from -1 to 1. Boxes, rings, domes and
# arcs take two corners; the others take a path.
_Stroke = tuple[str, bool, tuple[tuple[float, float], ...]]
_STAR = tuple((r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate((0.95, 0.42) * 5))
_RAYS: tuple[_Stroke, ...] = tuple(
    (
        "line",
        False,
        (
            (math.cos(i * math.pi / 4) * 0.6, math.sin(i * math.pi / 4) * 0.6),
            (math.cos(i * math.pi / 4) * 0.95, math.sin(i * math.pi / 4) * 0.95),
        ),
    )
    for i in range(8)
)
_GLYPHS: tuple[tuple[_Stroke, ...], ...] = (
    (
        ("box", True, ((-0.8, -0.3), (0.5, 0.8))),
        ("arc", False, ((0.3, -0.1), (0.95, 0.5))),
        ("line", False, ((-0.3, -0.9), (-0.3, -0.5))),
        ("line", False, ((0.1, -0.9), (0.1, -0.5))),
    ),
    (("path", True, _STAR),),
    (("path", True, ((-0.9, -0.05), (0, -0.9), (0.9, -0.05))), ("box", False, ((-0.65, -0.05), (0.65, 0.85)))),
    (
        ("box", True, ((-0.9, -0.5), (0.9, 0.75))),
        ("ring", False, ((-0.4, -0.28), (0.4, 0.52))),
        ("box", True, ((-0.3, -0.75), (0.3, -0.5))),
    ),
    (("ring", True, ((-0.85, -0.85), (0.85, 0.85))), ("line", False, ((0, -0.5), (0, 0), (0.4, 0.2)))),
    (
        (
            "path",
            True,
            ((0, 0.9), (-0.9, -0.1), (-0.75, -0.65), (-0.35, -0.8), (0, -0.45), (0.35, -0.8), (0.75, -0.65), (0.9, -0.1)),
        ),
    ),
    (("ring", True, ((-0.85, -0.85), (0.35, 0.35))), ("line", False, ((0.2, 0.2), (0.85, 0.85)))),
    (("path", True, ((0.2, -0.95), (-0.6, 0.15), (-0.05, 0.15), (-0.2, 0.95), (0.6, -0.2), (0.05, -0.2))),),
    (("box", True, ((-0.85, -0.6), (0.85, 0.6))), ("line", False, ((-0.8, -0.55), (0, 0.15), (0.8, -0.55)))),
    (("ring", True, ((-0.4, -0.4), (0.4, 0.4))), *_RAYS),
    (
        ("dome", True, ((-0.7, -0.9), (0.7, 0.9))),
        ("box", True, ((-0.85, 0), (0.85, 0.5))),
        ("ring", False, ((-0.2, 0.5), (0.2, 0.9))),
    ),
    (
        ("path", True, ((-0.9, 0.8), (-0.3, -0.5), (0.1, 0.2), (0.35, -0.15), (0.9, 0.8))),
        ("ring", False, ((0.3, -0.85), (0.75, -0.4))),
    ),
)


def _icon(draw: ImageDraw.ImageDraw, glyph: tuple[_Stroke, ...], at: tuple[float, float], half: float, ink: Colour) -> None:
    """One glyph in line and white around `at`, `half` its width to each side."""
    line = max(2, round(half * 0.14))
    for tool, filled, points in glyph:
        inside = (255, 255, 255) if filled else None
        path = [(at[0] + x * half, at[1] + y * half) for x, y in points]
        match tool:
            case "box":
                draw.rounded_rectangle(path, half * 0.12, inside, ink, line)
            case "ring":
                draw.ellipse(path, inside, ink, line)
            case "dome":
                draw.pieslice(path, 180, 360, inside, ink, line)
            case "arc":
                draw.arc(path, -90, 90, ink, line)
            case "line":
                draw.line(path, ink, line)
            case _:
                draw.polygon(path, inside, ink, line)


def icon_pack(order: Order) -> Image.Image:
    """Nine matched icons on one sheet, their glyphs and colours drawn from the prompt."""
    side, unit, random = order.size, order.size / 100, order.random()
    chosen: list[int] = random.permutation(len(_GLYPHS)).tolist()
    turn = float(random.random())
    page = Image.new("RGB", (side, side), _hue(turn, 0.06, 0.99))
    draw, ink = ImageDraw.Draw(page), _hue(turn + 0.55, 0.6, 0.28)
    for i, kind in enumerate(chosen[:9]):
        x, y = unit * (20 + i % 3 * 30), unit * (18 + i // 3 * 28)
        box = (x - unit * 12, y - unit * 12, x + unit * 12, y + unit * 12)
        draw.rounded_rectangle(box, unit * 5, _hue(turn + i % 3 * 0.07, 0.2 + i // 3 * 0.22, 0.97))
        _icon(draw, _GLYPHS[kind], (x, y), unit * 7, ink)
    write(page, (side / 2, unit * 94), order.text, unit * 4.4, ink)
    return page


_CARDS = (
    ("THE SUN", "what you look for is already in plain sight"),
    ("THE MOON", "wait one night before you answer"),
    ("THE STAR", "a small light is enough to go on"),
    ("THE WHEEL", "it turns, and it turns again"),
    ("THE TOWER", "let it fall and build it better"),
    ("THE LOVERS", "choose with the whole heart or not at all"),
)


def tarot_pull(order: Order) -> list[Image.Image | str]:
    """One card drawn for the question, gold line on night blue, and its reading in words."""
    width, height = round(order.size * 0.6), order.size
    unit, random, gold, night = height / 100, order.random(), (226, 186, 104), (22, 20, 58)
    name, reading = _CARDS[order.seed % len(_CARDS)]
    card = spotlight(width, height, (70, 48, 120), night)
    draw, (x, y) = ImageDraw.Draw(card), (width / 2, height * 0.4)
    for inset in (2.0, 3.2):
        draw.rounded_rectangle(
            (unit * inset, unit * inset, width - unit * inset, height - unit * inset),
            unit * 3,
            None,
            gold,
            max(1, round(unit * 0.4)),
        )
    points, radius = 8 + order.seed % 5, unit * 11
    for ray in range(points * 2):
        angle, long = math.pi * ray / points, radius * (2.1 if ray % 2 == 0 else 1.6)
        tip, foot = (x + math.sin(angle) * long, y - math.cos(angle) * long), 0.1 if ray % 2 == 0 else 0.06
        sides = [(x + math.sin(angle + turn) * radius * 1.1, y - math.cos(angle + turn) * radius * 1.1) for turn in (-foot, foot)]
        draw.polygon([tip, *sides], gold)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), (248, 222, 150), gold, max(1, round(unit * 0.5)))
    if order.seed % 2:
        draw.ellipse((x - radius * 0.45, y - radius, x + radius * 1.3, y + radius * 0.75), (70, 48, 120))
    else:
        draw.arc(
            (x - radius * 0.5, y - radius * 0.3, x + radius * 0.5, y + radius * 0.6), 20, 160, night, max(1, round(unit * 0.6))
        )
        for eye in (-0.35, 0.35):
            draw.ellipse((x + radius * (eye - 0.1), y - radius * 0.35, x + radius * (eye + 0.1), y - radius * 0.15), night)
    for _ in range(40):
        u, v, r = random.uniform(0.1, 0.9) * width, random.uniform(0.06, 0.7) * height, unit * random.uniform(0.15, 0.5)
        draw.ellipse((u - r, v - r, u + r, v + r), (250, 240, 214))
    hills = [
        (width * 0.07, height * 0.82),
        (width * 0.3, height * 0.72),
        (width * 0.5, height * 0.78),
        (width * 0.74, height * 0.7),
        (width * 0.93, height * 0.8),
    ]
    draw.polygon([*hills, (width * 0.93, height * 0.84), (width * 0.07, height * 0.84)], (44, 92, 96), gold)
    write(card, (width / 2, height * 0.885), name, unit * 6, gold)
    write(card, (width / 2, height * 0.94), order.text, unit * 3, (236, 226, 240), width=width * 0.82)
    return [card, f"{name.title()}. You asked: {order.text} The card says: {reading}."]


RECIPES: dict[str, Recipe] = {
    "color-mapping": color_mapping,
    "icon-pack": icon_pack,
    "logo-stylist": logo_stylist,
    "memoji-me": memoji_me,
    "palette-pull": palette_pull,
    "tarot-pull": tarot_pull,
    "wireframe": wireframe,
}
