"""Techniques that answer with a clip (MP4): each gives a function from the time, 0..1, to the frame shown then."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageOps

from genmedia.sandbox.drawing.techniques.studio import (
    Order,
    backdrop,
    blur,
    curve,
    cut_out,
    fill,
    grade,
    grid,
    luma,
    noise,
    palette,
    picture,
    pixels,
    place,
    planes,
    spotlight,
    vignette,
    write,
)

FrameAt = Callable[[float], Image.Image]


@dataclass(frozen=True)
class Film:
    """A clip of `seconds`, drawn frame by frame by what `direct` prepares."""

    seconds: int
    direct: Callable[[Order], FrameAt]


def ease(time: float) -> float:
    """A movement from 0 to 1 that starts and ends gently."""
    return time * time * (3 - 2 * time)


def _even(length: float) -> int:
    """The nearest even length, for H.264 halves its colour planes."""
    return max(2, round(length / 2) * 2)


def _window(image: Image.Image, size: tuple[int, int], at: tuple[float, float], zoom: float) -> Image.Image:
    """What a camera sees that looks at a place in 0..1, `zoom` times as near as to show it all; it stays in the picture."""
    scale = min(image.width / size[0], image.height / size[1]) / zoom
    across, down = min(image.width, scale * size[0]), min(image.height, scale * size[1])
    left = max(0.0, min(image.width - across, at[0] * image.width - across / 2))
    top = max(0.0, min(image.height - down, at[1] * image.height - down / 2))
    box = (left, top, min(image.width, left + across), min(image.height, top + down))
    return image.resize(size, Image.Resampling.BILINEAR, box)


def product_animator(order: Order) -> FrameAt:
    """The product floats over a plinth while two coloured lights go round it."""
    width, height, unit = _even(order.size), _even(order.size * 0.75), order.size * 0.75 / 100
    product = ImageOps.contain(cut_out(order.picture), (round(unit * 84), round(unit * 64)), Image.Resampling.BICUBIC)
    stage = vignette(backdrop(width, height, (120, 110, 160), (64, 58, 96)), 150)
    ImageDraw.Draw(stage).ellipse((unit * 32, unit * 76, unit * 100, unit * 94), (170, 160, 200))
    x, y = grid(64, 64)

    def frame(time: float) -> Image.Image:
        turn = time * 2 * math.pi
        light = np.full((64, 64, 3), 0.3, dtype=np.float32)
        for phase, colour in ((0.0, (1.3, 0.75, 0.4)), (math.pi, (0.35, 0.6, 1.4))):
            u, v = 0.8 * math.cos(turn + phase), 0.5 * math.sin(turn + phase) - 0.1
            light += np.exp(-2.2 * ((x - u) ** 2 + (y - v) ** 2))[..., None] * planes(colour)
        scene = stage.copy()
        lift = math.sin(turn) * unit * 3
        squash = 1 + 0.06 * math.cos(turn * 2)
        turned = product.resize((max(1, round(product.width * squash)), product.height), Image.Resampling.BILINEAR)
        place(scene, turned, width / 2, unit * 86 - product.height / 2 - unit * 4 + lift)
        return ImageChops.multiply(scene, picture(light).resize((width, height), Image.Resampling.BICUBIC))

    return frame


def product_motion(order: Order) -> FrameAt:
    """Tall slats of the product slide past one another and click into place while a light sweeps across."""
    width, height, slats = _even(order.size), _even(order.size * 0.6), 6
    shot, tones = fill(order.picture, width, height), palette(order.picture, 5)
    paper = backdrop(width, height, tones[0], tones[2])
    lines, far = np.linspace(-1, 1, width, dtype=np.float32), height * 1.1

    def frame(time: float) -> Image.Image:
        scene = paper.copy()
        for slat in range(slats):
            left, right = slat * width // slats, (slat + 1) * width // slats
            away = 0.5 + 0.5 * math.cos(2 * math.pi * min(1.0, max(0.0, time * 1.25 - slat * 0.05)))
            shift = round((1 - away) * far * (0.5 if slat % 2 else -0.5))
            piece = shot.crop((left, 0, right, height))
            scene.paste(piece, (left, shift))
            scene.paste(ImageOps.flip(piece), (left, shift + (height if shift < 0 else -height)))
        beam = np.exp(-40 * (lines - (time * 3 - 1.5)) ** 2) * 0.55
        light = picture(np.broadcast_to(beam, (2, width))).resize((width, height))
        return ImageChops.screen(scene, Image.merge("RGB", (light, light, light)))

    return frame


def earth_zoom_out(order: Order) -> FrameAt:
    """From the scene up through its country to the whole planet among stars."""
    width, height, random = _even(order.size), _even(order.size * 9 / 16), order.random()
    scene, side = fill(order.picture, width, height), 512
    x, y = grid(side, side)
    reach = np.sqrt(x**2 + y**2)
    tones = planes([(24, 62, 120), (40, 96, 150), (108, 140, 84), (150, 132, 92), (96, 124, 70)]) / 255

    def land(cells: int) -> Image.Image:
        height_ = noise(random, side, side, cells)
        level = np.clip((height_ - 0.32) * 12, 0, 3.99)
        return picture(tones[level.astype(np.int64)] * (0.75 + height_[..., None] * 0.5))

    sphere = pixels(land(4)) * np.clip(1.15 - 0.55 * x - 0.3 * y - 0.5 * reach**4, 0.1, 1.3)[..., None]
    clouds = np.clip(noise(random, side, side, 6) * 3.2 - 1.7, 0, 0.85)[..., None]
    planet = picture(sphere * (1 - clouds) + clouds * np.clip(1.1 - 0.5 * x - 0.3 * y, 0.1, 1)[..., None]).convert("RGBA")
    planet.putalpha(picture(np.clip((1 - reach) * 60, 0, 1)))
    country = land(9).convert("RGBA")
    country.putalpha(picture(np.clip((1 - reach) * 3, 0, 1)))
    u, v = grid(width, height)
    ground = scene.convert("RGBA")
    ground.putalpha(picture(np.clip((1 - np.maximum(abs(u), abs(v)) ** 4) * 12, 0, 1)))
    space = Image.new("RGB", (width, height), (6, 8, 22))
    for _ in range(160):
        tone = int(random.integers(90, 255))
        space.putpixel((int(random.integers(width)), int(random.integers(height))), (tone, tone, tone))

    def layer(canvas: Image.Image, item: Image.Image, wide: float) -> None:
        scale = item.width / wide
        across, down = min(item.width, scale * width), min(item.height, scale * height)
        left, top = (item.width - across) / 2, (item.height - down) / 2
        shown = (max(1, round(across / scale)), max(1, round(down / scale)))
        seen = item.resize(shown, Image.Resampling.BILINEAR, (left, top, item.width - left, item.height - top))
        canvas.paste(seen, ((width - shown[0]) // 2, (height - shown[1]) // 2), seen)

    def frame(time: float) -> Image.Image:
        far = 80 ** -ease(time)
        canvas = space.copy()
        if far < 0.25:  # nearer than this the country fills the frame
            layer(canvas, planet, width * 40 * far)
        layer(canvas, country, width * 9 * far)
        layer(canvas, ground, width * 1.12 * far)
        return canvas

    return frame


def sigil(order: Order) -> FrameAt:
    """A glyph read from the picture's brightness along three rings draws itself in light over the dim picture."""
    side, unit = _even(order.size), order.size / 100
    light = luma(fill(blur(order.picture, unit * 2), 100, 100))
    strokes: list[list[tuple[float, float]]] = []
    for ring, radius in enumerate((14, 27, 40)):
        around = np.linspace(0, 2 * math.pi, 145)
        half = np.minimum(around, 2 * math.pi - around)
        read = light[(50 - radius * np.cos(half)).astype(int), (50 + radius * np.sin(half)).astype(int)]
        far = radius * (0.82 + 0.3 * read + 0.05 * np.cos(half * (3 + ring)))
        strokes.append(
            [
                (float(side / 2 + unit * r * math.sin(a)), float(side / 2 - unit * r * math.cos(a)))
                for r, a in zip(far, around, strict=True)
            ]
        )
    strokes += [[strokes[0][i * 24], strokes[1][(i * 24 + 36 * (i % 2)) % 144], strokes[2][i * 24]] for i in range(6)]
    lengths = [sum(math.dist(a, b) for a, b in itertools.pairwise(line)) for line in strokes]
    dim = grade(fill(order.picture, side, side), (14, 6, 34), (40, 20, 80), (96, 60, 150), 0.92)
    medallion = ImageChops.multiply(dim, spotlight(side, side, (230, 230, 230), (30, 20, 50)))

    def frame(time: float) -> Image.Image:
        drawn = Image.new("L", (side, side))
        draw, left = ImageDraw.Draw(drawn), sum(lengths) * min(1.0, 0.06 + time * 1.1)
        for line, length in zip(strokes, lengths, strict=True):
            shown = line[: max(2, round(len(line) * min(1.0, left / length)))] if left > 0 else []
            if shown:
                draw.line(shown, 255, max(2, round(unit * 0.9)), "curve")
                x, y = shown[-1]
                draw.ellipse((x - unit * 1.6, y - unit * 1.6, x + unit * 1.6, y + unit * 1.6), 255)
            left -= length
        pulse = 0.8 + 0.4 * math.sin(time * 9)
        soft = blur(drawn.resize((side // 4, side // 4)), unit * 0.5).resize((side, side), Image.Resampling.BILINEAR)
        halo = ImageOps.colorize(curve(soft, lambda value: value * 1.8 * pulse), "black", (120, 220, 255))
        lit = ImageChops.screen(medallion, halo)
        lit.paste((236, 252, 255), (0, 0), drawn)
        return lit

    return frame


def ugc_creation(order: Order) -> FrameAt:
    """A tall clip from a hand-held phone: it shakes, comes nearer, hunts for focus and shows its controls."""
    width, height = _even(order.size * 9 / 16), _even(order.size)
    unit, phase = height / 100, order.seed % 100 / 10
    bright = ImageEnhance.Color(order.picture).enhance(1.15)
    source = fill(bright, width, height)
    soft = blur(source, unit * 1.5)

    def frame(time: float) -> Image.Image:
        near = 1.12 + 0.3 * ease(min(1.0, max(0.0, time * 2 - 0.4)))
        x = 0.5 + 0.018 * math.sin(time * 23 + phase) + 0.01 * math.sin(time * 51)
        y = 0.5 + 0.016 * math.cos(time * 19 + phase) + 0.008 * math.sin(time * 43)
        hunting = max(0.0, 1 - abs(time - 0.45) * 9)
        seen = Image.blend(source, soft, hunting) if hunting else source
        shot = _window(seen.rotate(1.3 * math.sin(time * 13 + phase), Image.Resampling.BILINEAR), (width, height), (x, y), near)
        shot = ImageEnhance.Brightness(shot).enhance(1 + 0.06 * math.sin(time * 7))
        draw = ImageDraw.Draw(shot)
        if int(time * 6) % 2 == 0:
            draw.ellipse((unit * 3, unit * 3, unit * 5.4, unit * 5.4), (235, 50, 50))
        write(shot, (unit * 7, unit * 4.2), f"00:0{int(time * 3)}", unit * 2.8, (255, 255, 255), anchor="lm")
        reach = unit * (6 + 2 * hunting)
        box = (width / 2 - reach, height * 0.46 - reach, width / 2 + reach, height * 0.46 + reach)
        draw.rectangle(box, None, (255, 214, 60), max(1, round(unit * 0.25)))
        button = (width / 2 - unit * 4.5, height - unit * 13, width / 2 + unit * 4.5, height - unit * 4)
        draw.ellipse(button, (235, 50, 50), (255, 255, 255), max(2, round(unit * 0.8)))
        return shot

    return frame


def seamless_transition(order: Order) -> FrameAt:
    """The last frame runs into the first like ink, while both drift the same way."""
    first = order.pictures["first_frame"]
    width, height = _even(first.width), _even(first.height)
    before, after = fill(first, width, height), fill(order.pictures["last_frame"], width, height)
    x, y = grid(width, height)
    ramp = picture((x + 0.35 * y + 1.35) / 2.7 * 0.65 + noise(order.random(), width, height) * 0.35)

    def frame(time: float) -> Image.Image:
        flood = ease(time) * 1.25 * 255 - 32
        mask = curve(ramp, lambda value: (flood - value) * 8 + 128)
        old = _window(before, (width, height), (0.5 + 0.04 * time, 0.5), 1 + 0.15 * time)
        new = _window(after, (width, height), (0.5 - 0.04 * (1 - time), 0.5), 1.15 - 0.15 * time)
        return Image.composite(new, old, mask)

    return frame


def video_scene_builder(order: Order) -> FrameAt:
    """Three shots cut together, pushing in, panning and pulling out, with bars and the scene's words."""
    width, height = _even(order.size), _even(order.size * 9 / 16)
    unit = width / 100
    bar = round(unit * 5)
    moves = (((0.5, 0.5, 1.0), (0.5, 0.46, 1.5)), ((0.32, 0.42, 1.6), (0.68, 0.5, 1.6)), ((0.5, 0.5, 1.9), (0.5, 0.5, 1.0)))
    shots = [
        grade(fill(still, width, height), (10, 14, 30), (120, 112, 104), (255, 240, 214), 0.3)
        for still in order.pictures.values()
    ]

    def frame(time: float) -> Image.Image:
        scene = min(2, int(time * 3))
        part = time * 3 - scene
        start, end = moves[scene]
        x, y, zoom = (a + (b - a) * ease(part) for a, b in zip(start, end, strict=True))
        shot = _window(shots[scene], (width, height), (x, y), zoom)
        if scene and part < 0.12:
            shot = ImageEnhance.Brightness(shot).enhance(1 + (0.12 - part) * 12)
        draw = ImageDraw.Draw(shot)
        draw.rectangle((0, 0, width, bar), (8, 8, 10))
        draw.rectangle((0, height - bar, width, height), (8, 8, 10))
        write(shot, (unit * 3, height - bar / 2), order.text, unit * 2.8, (240, 236, 224), anchor="lm", width=width * 0.8)
        write(shot, (width - unit * 3, bar / 2), f"SCENE {scene + 1}/3", unit * 2.4, (240, 236, 224), anchor="rm")
        return shot

    return frame


RECIPES: dict[str, Film] = {
    "earth-zoom-out": Film(3, earth_zoom_out),
    "product-animator": Film(3, product_animator),
    "product-motion": Film(3, product_motion),
    "seamless-transition": Film(3, seamless_transition),
    "sigil": Film(3, sigil),
    "ugc-creation": Film(3, ugc_creation),
    "video-scene-builder": Film(3, video_scene_builder),
}
