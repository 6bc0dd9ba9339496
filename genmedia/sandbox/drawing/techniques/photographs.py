"""Techniques that keep the photograph and change its light, colour or surface (JPEG)."""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Colour,
    Order,
    Pixels,
    Recipe,
    backdrop,
    blur,
    close_up,
    fill,
    glow,
    grade,
    grid,
    luma,
    palette,
    picture,
    pixels,
    planes,
    rounded,
    subject,
    vignette,
    write,
)


def relight(order: Order) -> Image.Image:
    """One warm lamp from the upper left and a cold room; the relief is read from the picture's own brightness."""
    image = order.picture
    slope_y, slope_x = np.gradient(luma(blur(image, order.size / 90)) * order.size / 8)
    x, y = grid(*image.size)
    lamp = np.exp(-0.9 * ((x + 0.8) ** 2 + (y + 0.7) ** 2))
    shade = lamp * np.clip(0.9 - 0.5 * slope_x - 0.4 * slope_y, 0.25, 2.2)
    warm, cold = planes([2.0, 1.5, 0.95]), planes([0.16, 0.22, 0.42])
    lit = picture(pixels(image) * (cold + shade[..., None] * warm) + (lamp**4)[..., None] * warm * 0.12)
    return glow(lit, order.size / 25, 0.25)


def studio_blur(order: Order) -> Image.Image:
    """The subject sharp, the surroundings far out of focus, their lights spread to discs."""
    image = order.picture
    far = image.resize((image.width // 6 + 1, image.height // 6 + 1)).filter(ImageFilter.MaxFilter(7))
    far = blur(far, order.size / 200).resize(image.size, Image.Resampling.BICUBIC)
    far = vignette(Image.blend(far, blur(image, order.size / 25), 0.45), 40)
    near = image.filter(ImageFilter.UnsharpMask(2, 120))
    return Image.composite(near, ImageEnhance.Brightness(far).enhance(0.8), subject(image))


def _regions(image: Image.Image) -> tuple[Pixels, Pixels]:
    blocks = pixels(image.resize((96, 96))).reshape(4, 24, 4, 24, 3)
    return blocks.mean((1, 3)), blocks.std((1, 3))


def color_transfer(order: Order) -> Image.Image:
    """The mean and the spread of every colour, taken from the same region of the reference."""
    image = order.picture

    def spread(values: Pixels) -> Pixels:
        return pixels(picture(values).resize(image.size, Image.Resampling.BICUBIC))

    mean, deviation = (spread(values) for values in _regions(image))
    wanted_mean, wanted_deviation = (spread(values) for values in _regions(order.pictures["reference_image"]))
    return picture((pixels(image) - mean) * (wanted_deviation + 0.08) / (deviation + 0.08) + wanted_mean)


def texture_matchers(order: Order) -> Image.Image:
    """The reference's surface, tiled without seams, over the picture's own shapes."""
    image, reference = order.picture, order.pictures["reference_image"]
    side = order.size // 6
    patch = fill(close_up(reference, 0.42, 0.8, 0.22), side, side)
    tile = Image.new("RGB", (side * 2, side * 2))
    for i, part in enumerate((patch, ImageOps.mirror(patch))):
        tile.paste(part, (i * side, 0))
        tile.paste(ImageOps.flip(part), (i * side, side))
    cloth = Image.new("RGB", image.size)
    for left in range(0, image.width, side * 2):
        for top in range(0, image.height, side * 2):
            cloth.paste(tile, (left, top))
    shape = luma(ImageOps.autocontrast(image.convert("L"), 2))[..., None]
    return picture(pixels(cloth) * (0.25 + 1.6 * shape) + 0.3 * (shape - 0.5))


def portrait_enhancer(order: Order) -> Image.Image:
    """Smoother skin, clear eyes, open shadows and a soft light on the middle."""
    image = order.picture
    smooth = Image.blend(image, image.filter(ImageFilter.MedianFilter(3)), 0.8)
    clear = ImageOps.autocontrast(smooth.filter(ImageFilter.UnsharpMask(order.size / 150, 90, 2)), 1)
    warm = grade(clear, (28, 14, 20), (170, 130, 112), (255, 248, 238), 0.22)
    return vignette(ImageEnhance.Brightness(ImageEnhance.Color(warm).enhance(1.2)).enhance(1.18), 120)


def glam_shots(order: Order) -> Image.Image:
    """A beauty advertisement: a tall crop in pink light, sparkles where it shines, a lipstick and one word."""
    width, height = round(order.size * 0.8), order.size
    unit = height / 100
    image = glow(fill(order.picture, width, height), unit * 4, 0.55)
    image = vignette(grade(image, (70, 10, 50), (236, 130, 160), (255, 244, 236), 0.45), 170)
    draw = ImageDraw.Draw(image)
    light = np.asarray(image.convert("L").resize((12, 15)))
    random = order.random()
    for place in np.argsort(light.ravel())[-21::3]:
        x, y = (place % 12 + random.random()) * width / 12, (place // 12 + random.random()) * height / 15
        long, short = unit * random.uniform(1.5, 5), unit * 0.3
        for across, down in ((long, short), (short, long)):
            draw.polygon([(x - across, y), (x, y - down), (x + across, y), (x, y + down)], (255, 255, 255))
    left, foot = width - unit * 16, height - unit * 8
    draw.rectangle((left, foot - unit * 14, left + unit * 9, foot), (24, 18, 24))
    draw.rectangle((left + unit, foot - unit * 22, left + unit * 8, foot - unit * 14), (212, 172, 96))
    lip = [(1.6, -22), (1.6, -30), (5, -34), (7.4, -31), (7.4, -22)]
    draw.polygon([(left + x * unit, foot + y * unit) for x, y in lip], (190, 18, 66))
    write(image, (width / 2, unit * 10), "G L A M", unit * 13, (255, 250, 248))
    write(image, (unit * 6, height - unit * 6), "the soft light edition", unit * 3.4, (255, 250, 248), anchor="lm")
    return image


_MATERIALS: dict[str, tuple[Colour, Colour, float, float]] = {
    "brick": ((176, 84, 60), (214, 200, 184), 7.0, 2.6),
    "timber": ((168, 116, 66), (74, 46, 26), 24.0, 3.0),
    "glass": ((96, 160, 190), (226, 240, 246), 9.0, 12.0),
    "copper": ((74, 150, 128), (44, 84, 76), 5.0, 9.0),
    "marble": ((226, 222, 216), (150, 146, 142), 18.0, 11.0),
}


def facade_swap(order: Order) -> Image.Image:
    """New cladding laid in courses over the old shapes: the named material, or one chosen by the inputs."""
    image, asked, unit = order.picture, order.text.lower(), order.size / 100
    known = next((name for name in _MATERIALS if name in asked), list(_MATERIALS)[order.seed % len(_MATERIALS)])
    body, joint, across, down = _MATERIALS[known]
    width, height = image.size
    random = order.random()
    wall = Image.new("RGB", image.size, joint)
    draw = ImageDraw.Draw(wall)
    for row in range(int(height / (down * unit)) + 1):
        for column in range(-1, int(width / (across * unit)) + 1):
            left, top = (column + row % 2 / 2) * across * unit, row * down * unit
            tone = random.uniform(0.8, 1.15)
            box = (left, top, left + (across - 0.45) * unit, top + (down - 0.45) * unit)
            draw.rectangle(box, (int(min(255, body[0] * tone)), int(min(255, body[1] * tone)), int(min(255, body[2] * tone))))
    shape = luma(ImageOps.autocontrast(blur(image, unit / 3).convert("L"), 2))
    _, slope = np.gradient(luma(blur(image, unit)) * order.size / 20)
    x, y = grid(width, height)
    sun = 0.95 + 0.3 * np.cos(9 * x + 1) - 0.25 * y  # bays that stand out and step back
    return picture(pixels(wall) * ((0.42 + 0.8 * shape - 0.5 * slope) * sun)[..., None])


_PHRASES = {
    "french": ("Fraîchement préparé", "À emporter", "Merci de votre visite"),
    "german": ("Frisch zubereitet", "Zum Mitnehmen", "Danke für Ihren Besuch"),
    "spanish": ("Recién preparado", "Para llevar", "Gracias por su visita"),
    "italian": ("Appena preparato", "Da portare via", "Grazie della visita"),
    "dutch": ("Vers bereid", "Om mee te nemen", "Bedankt voor uw bezoek"),
    "portuguese": ("Preparado na hora", "Para levar", "Obrigado pela visita"),
}


def auto_translate(order: Order) -> Image.Image:
    """A translator's overlay: labels in the asked language over the busiest places of the picture."""
    image, unit = order.picture.copy(), order.size / 100
    image = ImageChops.multiply(image, backdrop(*image.size, (215, 222, 236), (120, 130, 160)))
    width, height = image.size
    lines = _PHRASES.get(order.text.lower(), (order.text, f"[{order.text}]", order.text.upper()))
    detail = np.asarray(order.picture.convert("L").filter(ImageFilter.FIND_EDGES).resize((3, 3), Image.Resampling.BOX))
    paper, ink = palette(order.picture, 6)[0], (255, 255, 255)
    for row, line in enumerate(lines):
        x = (int(detail[row].argmax()) * 0.22 + 0.28) * width
        y = (0.2 + row * 0.26) * height
        label = Image.new("RGB", (round(unit * 46), round(unit * 10)), (250, 250, 252) if row % 2 == 0 else paper)
        write(label, (label.width / 2, label.height / 2), line, unit * 5, (24, 28, 40) if row % 2 == 0 else ink)
        label = rounded(label, unit * 2)
        image.paste(label, (round(x - label.width / 2), round(y - label.height / 2)), label)
    bar = rounded(Image.new("RGB", (round(width * 0.7), round(unit * 8)), (34, 92, 220)), unit * 4)
    image.paste(bar, (round(width * 0.15), round(height - unit * 11)), bar)
    write(image, (width / 2, height - unit * 7), f"Detected  >  {order.text}", unit * 4.2, ink, width=width * 0.62)
    return image


RECIPES: dict[str, Recipe] = {
    "auto-translate": auto_translate,
    "color-transfer": color_transfer,
    "facade-swap": facade_swap,
    "glam-shots": glam_shots,
    "portrait-enhancer": portrait_enhancer,
    "relight-technique": relight,
    "studio-blur": studio_blur,
    "texture-matchers": texture_matchers,
}
