"""Techniques that take the picture again with another camera, lens or set (JPEG)."""

import re

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Order,
    Recipe,
    backdrop,
    blur,
    close_up,
    cut_out,
    fill,
    glow,
    grade,
    grain,
    grid,
    picture,
    pixels,
    place,
    planes,
    spotlight,
    vignette,
    warp,
    write,
)


def cctv_cam(order: Order) -> Image.Image:
    """A wide, noisy lens high on a wall: green-grey, scan lines, a barrel's bulge and a time stamp."""
    image = fill(order.picture, order.size, order.size * 0.75)
    width, height = image.size
    x, y = grid(width, height)
    bulge = 0.72 + 0.34 * (x**2 + y**2)
    column = np.clip((x * bulge + 1) / 2 * width, 0, width - 1).astype(np.int64)
    row = np.clip((y * bulge + 1) / 2 * height, 0, height - 1).astype(np.int64)
    coarse = image.convert("L").resize((width // 3, height // 3)).resize(image.size, Image.Resampling.NEAREST)
    seen = np.asarray(coarse, dtype=np.float32)[row, column] / 255
    seen += order.random().standard_normal(seen.shape, dtype=np.float32) * 0.07
    seen *= (0.8 + 0.2 * (np.arange(height) // 2 % 2))[:, None] * np.clip(1.35 - 0.5 * (x**2 + y**2), 0, 1)
    image = picture(np.stack([seen * 0.72, seen * 0.95, seen * 0.76], axis=-1))
    unit, ink, seconds = order.size / 100, (226, 245, 226), order.seed % 86_400
    ImageDraw.Draw(image).ellipse((unit * 4, unit * 4.4, unit * 6.4, unit * 6.8), (220, 40, 40))
    write(image, (unit * 8, unit * 5.6), "REC", unit * 4, ink, anchor="lm")
    write(image, (width - unit * 4, unit * 5.6), f"CAM {order.seed % 16 + 1:02d}", unit * 4, ink, anchor="rm")
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    write(image, (unit * 4, height - unit * 5), f"MON  {clock}", unit * 5, ink, anchor="lm")
    return image


def cinematic(order: Order) -> list[Image.Image]:
    """Three stills of one scene, wide, medium and close: teal shadows, warm lights, grain, bars and a subtitle."""
    random, unit, stills = order.random(), order.size / 100, list[Image.Image]()
    for part, x, text in ((1.0, 0.5, order.text), (0.7, 0.42, "Wait."), (0.45, 0.5, "...")):
        image = fill(close_up(order.picture, x, 0.5, part), order.size, order.size / 2.0)
        image = grade(image, (4, 20, 34), (120, 104, 92), (255, 222, 170), 0.55)
        image = grain(vignette(glow(image, unit * 2, 0.4), 70), random, 0.025)
        frame = ImageOps.expand(image, (0, round(unit * 3.2)), "black")
        write(frame, (frame.width / 2, frame.height - unit * 7.5), text, unit * 3.4, (246, 240, 214))
        stills.append(frame)
    return stills


def wonder_fy(order: Order) -> Image.Image:
    """A dream of the picture: violet shadows, bloom, a long lens flare and light leaking in from the right."""
    image, unit = order.picture, order.size / 100
    image = grade(ImageEnhance.Contrast(image).enhance(0.85), (32, 8, 72), (178, 84, 140), (255, 232, 176), 0.6)
    image = glow(image, unit * 5, 0.6)
    x, y = grid(*image.size)
    leak = np.clip(0.75 * x + 0.25 * np.sin(y * 3) + 0.35, 0, 1) ** 1.3
    streak = np.exp(-((y + 0.25) ** 2) * 220) * np.exp(-(x**2) * 0.6)
    light = leak[..., None] * planes([1.0, 0.45, 0.2]) + streak[..., None] * planes([0.35, 0.6, 1.0])
    return picture(pixels(image) * 0.85 + light * 0.9)


def quick_reframe(order: Order) -> Image.Image:
    """The whole picture in the asked aspect ratio ("W:H", else 9:16), the room around it filled out of focus."""
    asked = re.search(r"(\d+(?:\.\d+)?)\s*[:x/]\s*(\d+(?:\.\d+)?)", order.text)
    across, down = (float(asked[1]), float(asked[2])) if asked else (9.0, 16.0)
    ratio = min(4.0, max(0.25, across / down)) if across and down else 1.0
    width, height = order.size * min(1.0, ratio), order.size * min(1.0, 1 / ratio)
    frame = blur(fill(order.picture, width / 8, height / 8), order.size / 160).resize((round(width), round(height)))
    frame = ImageEnhance.Brightness(frame).enhance(0.7)
    whole = ImageOps.contain(order.picture, (round(width * 0.94), round(height * 0.94)), Image.Resampling.BICUBIC)
    place(frame, whole.convert("RGBA"), width / 2, height / 2, order.size / 60)
    return frame


def location_scouter(order: Order) -> list[Image.Image]:
    """Five takes on one place, each on a scout's card: wide, from above, from the street, a detail, at dusk."""
    image, unit = order.picture, order.size / 100
    width, height = order.size, round(order.size * 0.56)
    wide = Image.new("RGB", (image.width * 2, image.height))
    for left, part in ((-image.width // 2, ImageOps.mirror(image)), (image.width * 3 // 2, ImageOps.mirror(image))):
        wide.paste(part, (left, 0))
    wide.paste(image, (image.width // 2, 0))
    ground = fill(image, width, height)
    tilted = warp(
        ground, [(width * 0.3, height * 0.12), (width * 0.7, height * 0.12), (width, height), (0, height)], width, height
    )
    aerial = backdrop(width, height, (150, 190, 222), (214, 220, 214))
    aerial.paste(tilted, (0, 0), tilted)
    dusk = grade(fill(image, width, height), (6, 8, 40), (64, 66, 140), (255, 176, 120), 0.75)
    views = {
        "WIDE": fill(wide, width, height),
        "AERIAL": aerial,
        "STREET": fill(close_up(image, 0.5, 0.62, 0.7), width, height),
        "DETAIL": fill(close_up(image, 0.5, 0.5, 0.34), width, height),
        "DUSK": vignette(dusk, 70),
    }
    cards: list[Image.Image] = []
    for number, (name, view) in enumerate(views.items(), 1):
        card = ImageOps.expand(view, (round(unit * 3), round(unit * 3), round(unit * 3), round(unit * 11)), (244, 240, 230))
        write(card, (unit * 4, card.height - unit * 5.5), f"LOCATION {number}/5", unit * 4, (40, 40, 44), anchor="lm")
        write(card, (card.width - unit * 4, card.height - unit * 5.5), name, unit * 5, (200, 60, 40), anchor="rm")
        cards.append(card)
    return cards


def mugshot(order: Order) -> Image.Image:
    """Hard flash before a height chart, with a placard."""
    width, height = round(order.size * 0.8), order.size
    unit, number = height / 100, f"{order.seed % 900_000 + 100_000}"
    wall = spotlight(width, height, (214, 212, 204), (128, 128, 126))
    draw = ImageDraw.Draw(wall)
    for step in range(10):
        y = unit * (6 + step * 9)
        draw.line((0, y, width, y), (84, 84, 88), 1 + round(unit * (0.45 if step % 2 == 0 else 0.1)))
        if step % 2 == 0:
            write(wall, (unit * 4, y + unit * 3), f"{200 - step * 10}", unit * 4, (50, 50, 54), anchor="lm")
            write(wall, (width - unit * 4, y + unit * 3), f"{200 - step * 10}", unit * 4, (50, 50, 54), anchor="rm")
    figure = ImageOps.contain(cut_out(order.picture), (round(width * 0.82), round(height * 0.66)), Image.Resampling.BICUBIC)
    flash = ImageEnhance.Contrast(ImageOps.grayscale(figure.convert("RGB")).convert("RGB")).enhance(1.35)
    flash.putalpha(figure.getchannel("A"))
    place(wall, flash, width / 2, height * 0.76 - figure.height / 2, unit * 2)
    board = Image.new("RGB", (round(width * 0.62), round(unit * 18)), (22, 22, 26))
    write(board, (board.width / 2, unit * 5), "GENMEDIA COUNTY", unit * 4.2, (236, 236, 232))
    write(board, (board.width / 2, unit * 12), number, unit * 8, (236, 236, 232))
    place(wall, board.convert("RGBA"), width / 2, height * 0.86, unit)
    return wall


_TURNS = (
    ("FRONT", 0.0, 0.0),
    ("3/4 LEFT", -0.16, 0.0),
    ("3/4 RIGHT", 0.16, 0.0),
    ("LEFT", -0.3, 0.0),
    ("RIGHT", 0.3, 0.0),
    ("HIGH", 0.0, 0.22),
)


def character_lock(order: Order) -> list[Image.Image]:
    """The same figure six times on the same floor, turned a little further each time."""
    side, unit = order.size, order.size / 100
    figure = ImageOps.contain(cut_out(order.picture), (round(side * 0.8), round(side * 0.72)), Image.Resampling.BICUBIC)
    sheets: list[Image.Image] = []
    for name, turn, tilt in _TURNS:
        sheet = ImageChops.multiply(
            backdrop(side, side, (236, 236, 240), (178, 184, 196)), spotlight(side, side, (255, 255, 255), (200, 204, 214))
        )
        floor = Image.new("RGBA", (side, side))
        ImageDraw.Draw(floor).ellipse((side * 0.14, side * 0.74, side * 0.86, side * 0.9), (70, 76, 92, 150))
        sheet.paste(floor, (0, 0), blur(floor, unit * 2))
        wide = figure.width * (1 - abs(turn))
        left, right = (side - wide) / 2, (side + wide) / 2
        top, foot = side * 0.84 - figure.height, side * 0.84
        squeeze = turn * figure.height * 0.4
        lean = tilt * figure.width * 0.5
        corners = [
            (left - min(0, tilt) - lean, top + max(0.0, squeeze) + tilt * figure.height * 0.4),
            (right + lean, top + max(0.0, -squeeze) + tilt * figure.height * 0.4),
            (right - lean, foot - max(0.0, -squeeze)),
            (left + lean, foot - max(0.0, squeeze)),
        ]
        turned = warp(figure, corners, side, side)
        sheet.paste(turned, (0, 0), turned)
        write(sheet, (unit * 5, unit * 6), name, unit * 5, (70, 76, 92), anchor="lm")
        sheets.append(sheet)
    return sheets


RECIPES: dict[str, Recipe] = {
    "cctv-cam": cctv_cam,
    "character-lock": character_lock,
    "cinematic-movie-generator": cinematic,
    "location-scouter": location_scouter,
    "mugshot": mugshot,
    "quick-reframe": quick_reframe,
    "wonder-fy": wonder_fy,
}
