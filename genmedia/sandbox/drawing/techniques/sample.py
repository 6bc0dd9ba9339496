"""A photograph that needs no camera, so that a run can be tried with nothing at hand."""

import io

import numpy as np
from PIL import ImageDraw

from genmedia.sandbox.drawing.techniques.studio import backdrop, blur, grain, grid, noise, picture, pixels, planes, vignette


def sample_photo(size: int = 768) -> bytes:
    """One still life by a window, always the same, as a JPEG: a vase of flowers and two fruits on a table.

    `size` is its longest side in pixels; it is three parts wide and two high.
    """
    width, height = size, round(size * 2 / 3)
    random = np.random.default_rng(7)
    sky = pixels(backdrop(width, height, (112, 156, 202), (246, 222, 190)))
    clouds = np.clip(noise(random, width, height, 4) * 2 - 0.9, 0, 0.3)[..., None]
    scene = blur(picture(sky * (1 - clouds) + clouds * planes([1, 0.98, 0.95])), size / 120)
    table = round(height * 0.64)
    wood = noise(random, width, 48, 6)[:, :, None].repeat(3, axis=2) * planes([0.3, 0.2, 0.14]) + planes([0.42, 0.28, 0.2])
    scene.paste(picture(wood).resize((width, height - table)), (0, table))
    ImageDraw.Draw(scene).rectangle((0, table, width, table + size // 160), (206, 160, 120))
    x, y = grid(width, height)
    for left, top, across, down, colour in (
        (-0.2, -0.42, 0.07, 0.16, (0.2, 0.45, 0.55)),
        (-0.2, 0.02, 0.17, 0.4, (0.2, 0.45, 0.55)),
        (0.2, 0.33, 0.15, 0.2, (0.9, 0.5, 0.14)),
        (0.46, 0.4, 0.13, 0.18, (0.78, 0.18, 0.16)),
    ):
        u, v = (x - left) / across, (y - top) / down
        shadow = np.clip(1.2 - ((x - left - across * 0.7) / (across * 1.5)) ** 2 - ((y - top - down * 0.95) / 0.09) ** 2, 0, 0.6)
        body = np.clip((1 - u**2 - v**2) * size / 12 * across, 0, 1)[..., None]
        shade = np.clip(0.85 - 0.45 * u - 0.25 * v, 0.12, 1.4) + 0.7 * np.exp(-18 * ((u + 0.4) ** 2 + (v + 0.4) ** 2))
        base = pixels(scene) * (1 - (shadow * (y > 0.29))[..., None])
        scene = picture(base * (1 - body) + body * shade[..., None] * planes(colour))
    draw = ImageDraw.Draw(scene)
    for stem, (tip, colour) in enumerate(
        (((0.29, 0.13), (232, 96, 110)), ((0.4, 0.09), (250, 214, 120)), ((0.49, 0.16), (240, 240, 246)))
    ):
        end = (width * tip[0], height * tip[1])
        draw.line((width * 0.4, height * 0.24, *end), (60, 104, 62), max(2, size // 150))
        for petal in range(6):
            angle, radius = petal * np.pi / 3 + stem, size * 0.02
            u, v = end[0] + np.cos(angle) * radius, end[1] + np.sin(angle) * radius
            draw.ellipse((u - radius, v - radius, u + radius, v + radius), colour)
        draw.ellipse((end[0] - size * 0.015, end[1] - size * 0.015, end[0] + size * 0.015, end[1] + size * 0.015), (210, 150, 50))
    photo = grain(vignette(blur(scene, size / 900), 190), random, 0.008)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
