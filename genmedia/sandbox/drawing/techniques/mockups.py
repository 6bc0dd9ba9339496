"""Techniques that put the picture into a scene built around it: a book, a room, a street, a hoarding (JPEG)."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Colour,
    Order,
    Recipe,
    backdrop,
    blur,
    close_up,
    curve,
    cut_out,
    fill,
    grid,
    palette,
    picture,
    pixels,
    place,
    rounded,
    spotlight,
    vignette,
    warp,
    write,
)


def _book(cover: Image.Image, cloth: Colour, size: int, turn: int) -> Image.Image:
    """A book standing on a table, its spine on the left (turn 1) or on the right (turn -1)."""
    dark = (cloth[0] // 3, cloth[1] // 3, cloth[2] // 3)
    scene = backdrop(size, size, (232, 226, 218), (206, 196, 184))
    ImageDraw.Draw(scene).rectangle((0, size * 0.74, size, size), (178, 160, 140))
    shade = Image.new("L", (size, size))
    ImageDraw.Draw(shade).polygon([(size * x, size * y) for x, y in ((0.2, 0.86), (0.78, 0.82), (0.99, 0.9), (0.4, 0.96))], 150)
    scene.paste((60, 46, 40), (0, 0), blur(shade, size / 40))
    face = [(size * x, size * y) for x, y in ((0.32, 0.12), (0.8, 0.17), (0.8, 0.82), (0.32, 0.9))]
    spine = [(size * x, size * y) for x, y in ((0.22, 0.16), (0.32, 0.12), (0.32, 0.9), (0.22, 0.84))]
    for side, corners in ((Image.new("RGB", (40, 400), dark), spine), (cover, face)):
        panel = warp(side, corners, size, size)
        scene.paste(panel, (0, 0), panel)
    light = warp(curve(Image.linear_gradient("L").rotate(90), lambda value: 70 - value / 4), face, size, size)
    scene.paste((255, 250, 240), (0, 0), ImageChops.multiply(light.convert("L"), light.getchannel("A")))
    return scene if turn > 0 else ImageOps.mirror(scene)


def book_drop(order: Order) -> list[Image.Image]:
    """Both covers on a standing book: the front with a title band, the back with a blurb and a bar code."""
    size = order.size
    front, back = (fill(image, size * 0.6, size * 0.86) for image in order.pictures.values())
    unit, cloth = size / 100, palette(front, 4)[0]
    band = Image.new("RGB", (front.width, round(unit * 17)), cloth)
    ink = (24, 22, 22) if sum(cloth) > 400 else (250, 244, 232)
    write(band, (band.width / 2, unit * 6.5), "A QUIET HOUR", unit * 8, ink, width=band.width * 0.86)
    write(band, (band.width / 2, unit * 12.5), "a novel", unit * 4, ink)
    front.paste(band, (0, round(unit * 8)))
    back = Image.blend(back, Image.new("RGB", back.size, cloth), 0.55)
    draw, random = ImageDraw.Draw(back), order.random()
    for line in range(9):
        draw.rectangle((unit * 6, unit * (10 + line * 4), unit * (6 + random.uniform(36, 47)), unit * (11.2 + line * 4)), ink)
    draw.rectangle((unit * 34, unit * 68, unit * 54, unit * 80), (252, 252, 252))
    for bar in range(22):
        left = unit * (35.5 + bar * 0.8)
        draw.rectangle((left, unit * 69.5, left + unit * random.uniform(0.1, 0.5), unit * 78.5), (20, 20, 20))
    return [_book(front, cloth, size, 1), _book(ImageOps.mirror(back), cloth, size, -1)]


def room_render(order: Order) -> Image.Image:
    """The plan laid out as the floor of a furnished room, with the sun coming in at the window."""
    width, height = order.size, round(order.size * 0.75)
    plan, tones = order.picture, palette(order.picture, 5)
    wall = tuple(int(200 + tone * 0.2) for tone in tones[1])
    room = backdrop(width, height, (250, 248, 244), (224, 218, 210))
    draw = ImageDraw.Draw(room)

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x * width, y * height) for x, y in points]

    draw.polygon(at((0, 0), (0.22, 0.14), (0.22, 0.6), (0, 0.98)), (wall[0], wall[1], wall[2]))
    draw.polygon(at((1, 0), (0.78, 0.14), (0.78, 0.6), (1, 0.98)), (206, 200, 194))
    draw.rectangle((0.22 * width, 0.14 * height, 0.78 * width, 0.6 * height), (238, 234, 228))
    floor = warp(plan, at((0.22, 0.6), (0.78, 0.6), (1.06, 1.0), (-0.06, 1.0)), width, height)
    room.paste(floor, (0, 0), floor)
    room.paste(backdrop(0.24 * width, 0.3 * height, (150, 200, 240), (236, 244, 240)), (round(0.5 * width), round(0.18 * height)))
    for left, top, right, foot in ((0.5, 0.18, 0.74, 0.48), (0.62, 0.18, 0.62, 0.48), (0.5, 0.33, 0.74, 0.33)):
        draw.rectangle((left * width, top * height, right * width, foot * height), None, (255, 255, 255), max(1, width // 120))
    cloth, dark = tones[2], tuple(tone // 2 for tone in tones[2])
    for box, tone in (
        ((0.24, 0.47, 0.48, 0.62), cloth),
        ((0.22, 0.56, 0.5, 0.68), (dark[0], dark[1], dark[2])),
        ((0.22, 0.51, 0.26, 0.68), cloth),
        ((0.46, 0.51, 0.5, 0.68), cloth),
    ):
        left, top, right, foot = box
        draw.rounded_rectangle((left * width, top * height, right * width, foot * height), width / 60, tone)
    draw.line(at((0.84, 0.78), (0.84, 0.34)), (70, 62, 56), max(1, width // 140))
    draw.polygon(at((0.8, 0.36), (0.82, 0.24), (0.86, 0.24), (0.88, 0.36)), (250, 226, 170))
    sun = Image.new("L", room.size)
    ImageDraw.Draw(sun).polygon(at((0.46, 0.68), (0.7, 0.64), (0.62, 0.92), (0.3, 0.96)), 120)
    room.paste((255, 240, 200), (0, 0), blur(sun, width / 90))
    return vignette(room, 150)


def studio_shot(order: Order) -> Image.Image:
    """The subject alone on a seamless backdrop between two soft boxes, with its reflection in the floor."""
    side, unit = order.size, order.size / 100
    tone = palette(order.picture, 4)[1]
    edge = (tone[0] // 4 + 20, tone[1] // 4 + 20, tone[2] // 4 + 24)
    left, top = round(side * 0.25), round(side * 0.3)
    scene = spotlight(side * 1.5, side * 1.5, (255, 253, 250), edge).crop((left, top, left + side, top + side))
    draw = ImageDraw.Draw(scene)
    for box in (unit * 3, unit * 83):
        draw.rectangle((box, unit * 6, box + unit * 14, unit * 40), (255, 255, 255), (30, 30, 34), max(1, round(unit)))
        draw.line((box + unit * 7, unit * 40, box + unit * 7, unit * 78), (30, 30, 34), max(1, round(unit * 0.8)))
    product = ImageOps.contain(cut_out(order.picture), (round(unit * 62), round(unit * 56)), Image.Resampling.BICUBIC)
    bright = ImageEnhance.Contrast(ImageEnhance.Brightness(product).enhance(1.15)).enhance(1.1)
    bright.putalpha(product.getchannel("A"))
    mirror = ImageOps.flip(bright)
    mirror.putalpha(
        ImageChops.multiply(
            mirror.getchannel("A"),
            curve(Image.linear_gradient("L").resize(mirror.size), lambda value: (255 - value) * 0.4),
        )
    )
    foot = unit * 74
    place(scene, blur(mirror, unit * 0.6), side / 2, foot + product.height / 2 - unit * 3)
    place(scene, bright, side / 2, foot - product.height / 2, unit * 1.5)
    return scene


_SHIRT = (
    (0.36, 0.12), (0.43, 0.16), (0.57, 0.16), (0.64, 0.12), (0.82, 0.2), (0.95, 0.44), (0.8, 0.5),
    (0.75, 0.4), (0.74, 0.9), (0.5, 0.93), (0.26, 0.9), (0.25, 0.4), (0.2, 0.5), (0.05, 0.44), (0.18, 0.2),
)  # fmt: skip


def sketch_to_garment(order: Order) -> Image.Image:
    """The sketch printed on a finished shirt, with folds and seams, and pinned beside it as a pencil drawing."""
    side, unit = order.size, order.size / 100
    scene = spotlight(side, side, (240, 238, 232), (196, 192, 186))
    shape = Image.new("L", (side, side))
    outline = [(x * side, y * side) for x, y in _SHIRT]
    ImageDraw.Draw(shape).polygon(outline, 255)
    shape = curve(blur(shape, unit * 0.8), lambda value: (value - 100) * 5)
    x, y = grid(side, side)
    folds = 0.86 + 0.12 * np.sin(x * 16 + 2.5 * np.sin(y * 3)) * np.clip(y + 0.6, 0, 1) - 0.25 * x**2
    cloth = picture(pixels(fill(order.picture, side, side)) * folds[..., None]).convert("RGBA")
    cloth.putalpha(shape)
    place(scene, cloth, side / 2, side / 2, unit * 2)
    draw = ImageDraw.Draw(scene)
    for seam in (
        ((0.25, 0.4), (0.28, 0.24)),
        ((0.75, 0.4), (0.72, 0.24)),
        ((0.27, 0.87), (0.5, 0.9)),
        ((0.5, 0.9), (0.73, 0.87)),
    ):
        draw.line([(u * side, v * side) for u, v in seam], (40, 36, 40), max(1, round(unit * 0.35)))
    draw.arc((unit * 36, unit * 4, unit * 64, unit * 20), 10, 170, (40, 36, 40), max(1, round(unit * 1.4)))
    grey = fill(order.picture, unit * 20, unit * 26).convert("L")
    pencil = ImageOps.autocontrast(ImageOps.invert(grey.filter(ImageFilter.FIND_EDGES))).convert("RGB")
    place(scene, ImageOps.expand(pencil, 2, (90, 90, 96)).convert("RGBA").rotate(6, expand=True), unit * 14, unit * 80, unit)
    return scene


def live_like_an_amsterdammer(order: Order) -> Image.Image:
    """The subject on a quay before canal houses painted in the picture's own colours, with water and a bicycle."""
    width, height = order.size, round(order.size * 0.8)
    unit, random = width / 100, order.random()
    scene = backdrop(width, height, (142, 182, 214), (238, 232, 214))
    draw, paint, left = ImageDraw.Draw(scene), palette(order.picture, 8), 0.0
    bricks = [(124, 58, 44), (70, 50, 48), (164, 96, 66), (96, 76, 60), *paint[:4]]
    for house in range(9):
        wide, top = unit * random.uniform(10.5, 13.5), height * random.uniform(0.1, 0.26)
        base, right = height * 0.66, left + wide
        step, peak = wide / 6, unit * 6
        gable = [(left, top), (left + step, top), (left + step, top - peak / 2), (left + 2 * step, top - peak / 2)]
        gable += [(left + 2.4 * step, top - peak), (right - 2.4 * step, top - peak), (right - 2 * step, top - peak / 2)]
        gable += [(right - step, top - peak / 2), (right - step, top), (right, top)]
        draw.polygon([*gable, (right, base), (left, base)], bricks[(house * 3 + order.seed) % len(bricks)])
        for row in range(5):
            for column in range(3):
                x, y = left + wide * (0.14 + column * 0.28), top + (base - top) * (0.06 + row * 0.18)
                lit = (255, 222, 140) if random.random() < 0.3 else (214, 226, 232)
                draw.rectangle((x, y, x + wide * 0.17, y + height * 0.06), lit, (250, 248, 240), max(1, round(unit * 0.3)))
        left = right
    shore = round(height * 0.66)
    water = ImageOps.flip(scene.crop((0, shore - round(height * 0.22), width, shore))).filter(ImageFilter.BoxBlur(unit))
    scene.paste(Image.blend(water, Image.new("RGB", water.size, (40, 66, 74)), 0.45), (0, shore))
    for ripple in range(14):
        y, x = shore + unit * (1 + ripple), random.uniform(0, width)
        draw.line((x, y, x + unit * 12, y), (150, 176, 180), max(1, round(unit * 0.25)))
    draw.rectangle((0, height * 0.86, width, height), (112, 98, 90))
    for cobble in range(24):
        draw.line((unit * cobble * 5, height * 0.86, unit * (cobble * 6 - 12), height), (88, 76, 70), max(1, round(unit * 0.3)))
    hub, ink = height * 0.84, (24, 24, 28)
    for x in (unit * 12, unit * 26):
        draw.ellipse((x - unit * 5.5, hub - unit * 5.5, x + unit * 5.5, hub + unit * 5.5), None, ink, max(1, round(unit * 0.7)))
    frame = [(12, 0), (16.5, -7), (24, -7), (18.5, 0), (12, 0), (18.5, 0), (16, -9), (14.5, -9), (17.5, -9)]
    draw.line([(unit * x, hub + unit * y) for x, y in frame], (190, 40, 30), max(1, round(unit * 0.9)))
    draw.line([(unit * x, hub + unit * y) for x, y in ((26, 0), (23.5, -10), (21, -10.5))], ink, max(1, round(unit * 0.8)))
    figure = ImageOps.contain(cut_out(order.picture), (round(unit * 52), round(height * 0.6)), Image.Resampling.BICUBIC)
    place(scene, figure, width * 0.64, height * 0.97 - figure.height / 2, unit)
    return scene


def _billboard(order: Order) -> Image.Image:
    width, height = order.size, round(order.size * 0.62)
    unit, random = width / 100, order.random()
    scene = backdrop(width, height, (24, 26, 66), (238, 140, 96))
    draw = ImageDraw.Draw(scene)
    for block in range(14):
        left, top = block * unit * 7.4, height * random.uniform(0.4, 0.72)
        draw.rectangle((left, top, left + unit * 7, height), (22, 20, 40))
        for window in range(10):
            x, y = left + unit * (1 + window % 3 * 2), top + unit * (1.5 + window // 3 * 3)
            if random.random() < 0.6:
                draw.rectangle((x, y, x + unit, y + unit * 1.4), (250, 206, 120))
    for x in (unit * 32, unit * 68):
        draw.rectangle((x - unit, height * 0.7, x + unit, height), (40, 40, 46))
    board = fill(order.picture, unit * 74, unit * 38, (0.5, 0.4))
    board.paste(Image.new("RGB", (round(unit * 26), board.height), palette(board, 4)[0]))
    for line, text in enumerate(("MADE", "FOR", "NOW.")):
        write(board, (unit * 3, unit * (9 + line * 9)), text, unit * 9, (255, 252, 244), anchor="lm", width=unit * 22)
    place(scene, ImageOps.expand(board, max(2, round(unit)), (18, 18, 22)).convert("RGBA"), width / 2, height * 0.42, unit)
    return scene


def _story(order: Order) -> Image.Image:
    width, height = round(order.size * 9 / 16), order.size
    unit, tones = height / 100, palette(order.picture, 5)
    page = backdrop(width, height, tones[0], tones[3])
    shot = rounded(fill(order.picture, width * 0.82, unit * 52), unit * 3)
    place(page, shot, width / 2, unit * 48, unit * 1.5)
    write(page, (width / 2, unit * 13), "Just landed", unit * 7, (255, 255, 255))
    button = rounded(Image.new("RGB", (round(width * 0.6), round(unit * 7)), (255, 255, 255)), unit * 3.5)
    place(page, button, width / 2, unit * 86, unit / 2)
    write(page, (width / 2, unit * 86), "Shop now", unit * 3.6, (30, 28, 32))
    return page


def _banner(order: Order) -> Image.Image:
    width, height = order.size, round(order.size * 0.3)
    page = Image.new("RGB", (width, height), (248, 240, 226))
    product = ImageOps.contain(cut_out(order.picture), (round(width * 0.45), round(height * 0.9)), Image.Resampling.BICUBIC)
    ImageDraw.Draw(page).ellipse((width * 0.56, -height * 0.3, width * 1.04, height * 1.3), palette(order.picture, 4)[1])
    place(page, product, width * 0.8, height / 2, height / 40)
    write(page, (width * 0.05, height * 0.42), "The one you keep.", height * 0.24, (32, 28, 30), anchor="lm", width=width * 0.52)
    write(
        page,
        (width * 0.05, height * 0.7),
        "Now in all the good places",
        height * 0.11,
        (96, 86, 84),
        anchor="lm",
        width=width * 0.5,
    )
    return page


def _poster(order: Order) -> Image.Image:
    width, height = round(order.size * 0.75), order.size
    page = fill(close_up(order.picture, 0.5, 0.5, 0.8), width, height)
    page.paste(
        backdrop(width, height // 2, (0, 0, 0), (0, 0, 0)),
        (0, height // 2),
        Image.linear_gradient("L").resize((width, height // 2)),
    )
    write(page, (width / 2, height * 0.86), "SIMPLY GOOD", height * 0.1, (255, 250, 240))
    write(page, (width / 2, height * 0.94), "every single day", height * 0.04, (255, 250, 240))
    return page


def four_ads(order: Order) -> list[Image.Image]:
    """A campaign: a billboard at dusk, a story for the phone, a web banner and a poster."""
    return [_billboard(order), _story(order), _banner(order), _poster(order)]


RECIPES: dict[str, Recipe] = {
    "book-drop": book_drop,
    "live-like-an-amsterdammer": live_like_an_amsterdammer,
    "room-render": room_render,
    "sketch-to-garment": sketch_to_garment,
    "studio-shot": studio_shot,
    "turn-any-product-into-4-ad-visuals": four_ads,
}
