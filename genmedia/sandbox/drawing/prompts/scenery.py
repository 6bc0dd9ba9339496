"""Light and places: the sky, what stands far away, and the ground, each on a layer of its own."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from genmedia.sandbox.drawing.prompts.pen import mix, shade
from genmedia.sandbox.drawing.techniques.studio import Colour, Pixels, backdrop, blur, noise, picture, spotlight


@dataclass(frozen=True)
class Light:
    """The colours of a time of day: the sky from above to the horizon, the sun or moon, and the land from far to near."""

    high: Colour
    low: Colour
    sun: Colour
    far: Colour
    near: Colour
    water: Colour
    lamp: Colour = (255, 214, 130)


LIGHTS: dict[str, Light] = {
    "day": Light((58, 130, 212), (206, 232, 246), (255, 250, 224), (132, 166, 194), (82, 132, 78), (34, 112, 158)),
    "sunset": Light((62, 42, 108), (255, 158, 88), (255, 226, 150), (150, 84, 112), (58, 36, 62), (92, 54, 104)),
    "dawn": Light((128, 158, 212), (255, 214, 196), (255, 240, 214), (168, 160, 196), (96, 116, 120), (112, 142, 184)),
    "night": Light((10, 12, 38), (52, 58, 116), (242, 240, 216), (44, 50, 96), (16, 18, 40), (18, 28, 66)),
    "storm": Light((64, 74, 90), (170, 178, 186), (226, 230, 232), (112, 124, 136), (56, 66, 70), (58, 78, 92)),
}


@dataclass
class Stage:
    """Where a picture is painted.

    Attributes:
        width: Pixels across, more than the finished picture shows.
        height: Pixels down, likewise.
        light: The time of day.
        dark: Whether windows and lamps are lit.
        random: Draws what the prompt leaves open.
        horizon: Where land meets sky, 0 at the top to 1.
        sun: Where the sun or moon stands, across and down in 0..1.
    """

    width: int
    height: int
    light: Light
    dark: bool
    random: np.random.Generator
    horizon: float
    sun: tuple[float, float]

    def sheet(self) -> Image.Image:
        """An empty layer."""
        return Image.new("RGBA", (self.width, self.height))

    def spot(self) -> tuple[float, float]:
        """Any place on the stage."""
        return float(self.random.random()) * self.width, float(self.random.random()) * self.height

    def ridge(self, roughness: float, octaves: int) -> Pixels:
        """A line across the stage in -1..1: waves of falling height."""
        x = np.linspace(0, 1, self.width)
        line: Pixels = np.zeros(self.width)
        for octave in range(octaves):
            cells = 3 << octave
            knots = self.random.random(cells + 2) * 2 - 1
            line += np.interp(x * cells, np.arange(cells + 2), knots) * roughness**octave
        return (line / np.abs(line).max()).astype(np.float32)

    def below(self, line: Pixels, top: Colour, bottom: Colour) -> Image.Image:
        """A layer filled below a line given in pixels from the top, lighter at its upper edge."""
        rows = np.arange(self.height, dtype=np.float32)[:, None]
        depth = np.clip((rows - line[None, :]) / (self.height * 0.35), 0, 1)[..., None]
        colours = np.array(top, dtype=np.float32) * (1 - depth) + np.array(bottom, dtype=np.float32) * depth
        inside = np.clip((rows - line[None, :]) / 1.5, 0, 1)[..., None] * 255
        return Image.fromarray(np.concatenate([colours, inside], axis=2).astype(np.uint8))


Layers = list[tuple[float, Image.Image]]
Painter = Callable[[Stage], Layers]


def sky(stage: Stage) -> Image.Image:
    """The sky with its sun or moon, clouds or stars."""
    light, width, height = stage.light, stage.width, stage.height
    image = backdrop(width, height, light.high, light.low)
    if stage.dark:
        draw = ImageDraw.Draw(image)
        for _ in range(170):
            x, y, size = stage.random.random() * width, stage.random.random() ** 1.4 * height, stage.random.random() ** 3
            radius, tone = height * (0.0008 + 0.0026 * size), round(150 + 105 * stage.random.random())
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), (tone, tone, min(255, tone + 14)))
    x, y = stage.sun[0] * width, stage.sun[1] * height
    reach = min(width, height)
    for size, strength in ((1.7, 0.45), (0.8, 0.5), (0.36, 0.5)):
        round_ = spotlight(reach * size, reach * size, (255, 255, 255), (0, 0, 0)).convert("L")
        # At the middle of its sides the gradient still stands at 30 %.
        halo = round_.point([round(255 * strength * max(0.0, (value - 80) / 175) ** 2) for value in range(256)])
        image.paste(light.sun, (round(x - halo.width / 2), round(y - halo.height / 2)), halo)
    radius = reach * (0.06 if stage.dark else 0.075)
    disc = Image.new("L", (width, height))
    ImageDraw.Draw(disc).ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    image.paste(mix(light.sun, (255, 255, 255), 0.35), (0, 0), blur(disc, height / 500))
    cloud = noise(stage.random, width, max(2, height // 2), 3)
    fading = np.linspace(1, 0.15, cloud.shape[0], dtype=np.float32)[:, None]
    veil = picture(np.clip((cloud - 0.52) * 3.4, 0, 1) * fading * (0.25 if stage.dark else 0.75))
    image.paste(mix(light.low, (255, 255, 255), 0.1 if stage.dark else 0.6), (0, 0), veil)
    return image


def mountains(stage: Stage) -> Layers:
    """Three ranges, the farthest with snow."""
    layers: Layers = []
    for number, (rise, rough) in enumerate(((0.36, 0.52), (0.22, 0.5), (0.1, 0.46))):
        line = stage.height * (stage.horizon + 0.04 * number - rise * (0.62 + 0.38 * stage.ridge(rough, 7)))
        tone = mix(stage.light.far, stage.light.near, number / 2.4)
        layer = stage.below(line, shade(tone, 1.12), mix(tone, stage.light.low, 0.45))
        if number == 0:
            cap = stage.below(line, (255, 255, 255), (255, 255, 255)).getchannel("A")
            snow_line = stage.height * (stage.horizon - rise * 0.66) + stage.ridge(0.7, 8) * stage.height * 0.035
            free = stage.below(snow_line, (0, 0, 0), (0, 0, 0)).getchannel("A")
            snow = np.asarray(cap, dtype=np.int16) - np.asarray(free, dtype=np.int16)
            layer.paste(
                mix(stage.light.low, (255, 255, 255), 0.6), (0, 0), Image.fromarray(np.clip(snow, 0, 235).astype(np.uint8))
            )
        layers.append((0.15 + 0.15 * number, layer))
    ground = np.full(stage.width, stage.height * (stage.horizon + 0.1), dtype=np.float32)
    return [
        *layers,
        (0.7, stage.below(ground + stage.ridge(0.4, 4) * stage.height * 0.02, stage.light.near, shade(stage.light.near, 0.5))),
    ]


def city(stage: Stage) -> Layers:
    """Three rows of buildings with windows, and a street in front."""
    layers: Layers = []
    for row in range(3):
        layer = stage.sheet()
        draw, x = ImageDraw.Draw(layer), -stage.width * 0.02
        tone = mix(mix(stage.light.far, stage.light.low, 0.3), shade(stage.light.near, 0.9), row / 2)
        foot = stage.height * (stage.horizon + 0.2)
        while x < stage.width:
            wide = stage.width * stage.random.uniform(0.035, 0.085) * (1 + row * 0.25)
            tall = stage.height * stage.random.uniform(0.2, 0.56) * (1.15 - row * 0.24)
            wall = shade(tone, float(stage.random.uniform(0.88, 1.1)))
            draw.rectangle((x, foot - tall, x + wide * 0.94, stage.height), wall)
            if stage.random.random() < 0.3:
                draw.line((x + wide / 2, foot - tall * 1.16, x + wide / 2, foot - tall), wall, max(1, round(wide * 0.05)))
            step = max(3.0, stage.height * 0.02 * (1 + row * 0.2))
            for floor in np.arange(foot - tall + step, foot, step * 1.5):
                for left in np.arange(x + step * 0.6, x + wide * 0.9 - step * 0.5, step):
                    lit = stage.random.random() < (0.5 if stage.dark else 0.18)
                    pane = stage.light.lamp if lit else shade(wall, 0.8)
                    draw.rectangle((float(left), float(floor), float(left) + step * 0.45, float(floor) + step * 0.7), pane)
            x += wide
        layers.append((0.2 + 0.18 * row, layer))
    curb = stage.height * (stage.horizon + 0.19)
    street = stage.below(
        np.full(stage.width, curb, dtype=np.float32), shade(stage.light.near, 0.95), shade(stage.light.near, 0.45)
    )
    draw, middle = ImageDraw.Draw(street), stage.width / 2
    for number in range(7):
        y = curb + (stage.height - curb) * (0.08 + number**1.7 * 0.045)
        half, tall = stage.width * 0.004 * (1 + number), stage.height * 0.006 * (1 + number)
        draw.polygon([(middle - half, y), (middle + half, y), (middle + half * 1.3, y + tall), (middle - half * 1.3, y + tall)],
                     (*stage.light.lamp, 150))  # fmt: skip
    return [*layers, (0.7, street)]


def sea(stage: Stage) -> Layers:
    """Water to the horizon with the light's path on it."""
    line = np.full(stage.width, stage.height * stage.horizon, dtype=np.float32)
    layer = stage.below(line, mix(stage.light.water, stage.light.low, 0.55), shade(stage.light.water, 0.62))
    draw, top = ImageDraw.Draw(layer), stage.height * stage.horizon
    for _ in range(900):
        near = float(stage.random.random()) ** 1.6
        y = top + near * (stage.height - top)
        on_path = stage.random.random() < 0.42
        spread = stage.width * (0.012 + 0.11 * near)
        x = stage.sun[0] * stage.width + float(stage.random.normal()) * spread if on_path else stage.random.random() * stage.width
        long = stage.width * (0.004 + 0.03 * near * float(stage.random.random()))
        tone = stage.light.sun if on_path else mix(stage.light.water, stage.light.low, 0.3 + 0.4 * float(stage.random.random()))
        draw.line(
            (x - long, y, x + long, y), (*tone, 210 if on_path else 105), max(1, round(stage.height * (0.0015 + 0.003 * near)))
        )
    return [(0.35, layer)]


def forest(stage: Stage) -> Layers:
    """Three rows of firs in haze, and the clearing before them."""
    layers: Layers = []
    for row in range(3):
        layer = stage.sheet()
        draw, tone = (
            ImageDraw.Draw(layer),
            mix(mix(stage.light.far, stage.light.low, 0.35), shade(stage.light.near, 0.75), row / 2),
        )
        foot = stage.height * (stage.horizon + 0.06 + row * 0.06)
        for _ in range(26 - row * 6):
            x, tall = stage.random.random() * stage.width, stage.height * stage.random.uniform(0.2, 0.34) * (1 + row * 0.35)
            wall = shade(tone, float(stage.random.uniform(0.85, 1.12)))
            draw.rectangle((x - tall * 0.02, foot - tall * 0.1, x + tall * 0.02, foot + tall * 0.06), shade(wall, 0.6))
            for tier in range(5):
                y, half = foot - tall * (0.04 + 0.19 * tier), tall * (0.2 - 0.034 * tier)
                draw.polygon([(x - half, y), (x, y - tall * 0.27), (x + half, y)], shade(wall, 0.86 + 0.07 * tier))
        draw.rectangle((0, foot - stage.height * 0.01, stage.width, stage.height), shade(tone, 0.9))
        layers.append((0.25 + 0.2 * row, layer))
    return layers


def desert(stage: Stage) -> Layers:
    """Dunes with a lit and a dark flank."""
    sand = mix((226, 178, 116), stage.light.far, 0.35 if stage.dark else 0.12)
    layers: Layers = []
    for number in range(3):
        line = stage.height * (stage.horizon + 0.02 + 0.13 * number + 0.06 * stage.ridge(0.28, 3))
        layers.append(
            (0.25 + 0.2 * number, stage.below(line, shade(sand, 1.12 - 0.1 * number), shade(sand, 0.68 - 0.08 * number)))
        )
    return layers


def reef(stage: Stage) -> Layers:
    """Under water: beams of light, corals and bubbles."""
    water = backdrop(stage.width, stage.height, (64, 178, 206), (8, 44, 92)).convert("RGBA")
    beams = Image.new("L", (stage.width, stage.height))
    draw = ImageDraw.Draw(beams)
    for _ in range(7):
        x, wide = stage.random.random() * stage.width, stage.width * stage.random.uniform(0.02, 0.07)
        draw.polygon([(x, 0), (x + wide, 0), (x + wide * 3, stage.height), (x + wide, stage.height)], 60)
    water.paste((222, 250, 255), (0, 0), blur(beams, stage.width / 60))
    layers: Layers = [(0.0, water)]
    for row in range(2):
        line = stage.height * (0.86 + 0.07 * row + 0.03 * stage.ridge(0.5, 5))
        layer = stage.sheet()
        draw = ImageDraw.Draw(layer)
        for _ in range(15):
            tone = mix(_CORALS[int(stage.random.integers(len(_CORALS)))], (10, 60, 110), 0.5 - 0.4 * row)
            foot = (stage.spot()[0], stage.height * (0.93 + 0.05 * row))
            _branch(draw, stage, foot, -math.pi / 2, 0.1 + row * 0.02, tone)
        layer.alpha_composite(stage.below(line, (186, 164, 128) if row else (66, 108, 130), (92, 78, 66)))
        layers.append((0.4 + 0.3 * row, layer))
    draw = ImageDraw.Draw(layers[-1][1])
    for _ in range(26):
        (x, y), radius = stage.spot(), stage.height * float(stage.random.uniform(0.003, 0.011))
        draw.ellipse(_around(x, y, radius), None, (226, 250, 255, 190), max(1, round(radius / 4)))
    return layers


def _around(x: float, y: float, across: float, down: float | None = None) -> tuple[float, float, float, float]:
    """The box of an ellipse by its middle and its radii."""
    tall = across if down is None else down
    return x - across, y - tall, x + across, y + tall


_CORALS: tuple[Colour, ...] = ((240, 104, 96), (246, 160, 90), (214, 96, 164), (248, 206, 110), (140, 110, 206))


def _branch(draw: ImageDraw.ImageDraw, stage: Stage, foot: tuple[float, float], angle: float, long: float, tone: Colour) -> None:
    tip = (foot[0] + math.cos(angle) * long * stage.height, foot[1] + math.sin(angle) * long * stage.height)
    draw.line((*foot, *tip), tone, max(2, round(long * stage.height * 0.2)), "curve")
    if long > 0.025:
        for turn in (-0.45, 0.1, 0.55):
            _branch(draw, stage, tip, angle + turn * float(stage.random.uniform(0.7, 1.2)), long * 0.66, shade(tone, 1.05))
    else:
        radius = stage.height * 0.006
        draw.ellipse((tip[0] - radius, tip[1] - radius, tip[0] + radius, tip[1] + radius), shade(tone, 1.2))


def space(stage: Stage) -> Layers:
    """A nebula and a ringed planet."""
    image = Image.new("RGB", (stage.width, stage.height), (8, 8, 24))
    for tone in ((120, 60, 170), (40, 110, 180), (200, 90, 120)):
        veil = noise(stage.random, stage.width, stage.height, 3)
        image.paste(tone, (0, 0), picture(np.clip((veil - 0.5) * 2.6, 0, 0.8)))
    draw = ImageDraw.Draw(image)
    for _ in range(320):
        size = 0.6 + stage.height * 0.003 * float(stage.random.random()) ** 3
        draw.ellipse(_around(*stage.spot(), size), (255, 250, 240))
    layer = stage.sheet()
    draw, radius = ImageDraw.Draw(layer), min(stage.width, stage.height) * 0.19
    x, y, tone = stage.sun[0] * stage.width, stage.height * 0.34, _CORALS[int(stage.random.integers(len(_CORALS)))]
    for ring in range(24):
        shift = ring * radius * 0.014
        draw.ellipse(_around(x - shift, y - shift, radius * (1 - ring * 0.035)), shade(tone, 0.4 + ring * 0.034))
    draw.arc(_around(x, y, radius * 1.9, radius * 0.45), -12, 192, (236, 222, 196), max(2, round(radius * 0.07)))
    return [(0.0, image.convert("RGBA")), (0.3, layer)]


def room(stage: Stage) -> Layers:
    """A wall in soft light, a picture or a window on it, and a table top."""
    wall = mix((178, 140, 118), stage.light.far, 0.45) if not stage.dark else (58, 36, 58)
    image = spotlight(stage.width * 1.2, stage.height * 1.2, shade(wall, 1.35), shade(wall, 0.45))
    layer = image.crop((round(stage.width * 0.1), 0, round(stage.width * 0.1) + stage.width, stage.height)).convert("RGBA")
    draw, unit = ImageDraw.Draw(layer), min(stage.width, stage.height) / 100
    left, top = stage.width * float(stage.random.uniform(0.08, 0.62)), stage.height * 0.08
    if stage.dark:
        glow = Image.new("L", layer.size)
        for lamp in range(3):
            x = stage.width * (0.2 + 0.3 * lamp)
            draw.line((x, 0, x, unit * (16 + lamp % 2 * 6)), (20, 14, 20), max(1, round(unit * 0.5)))
            y = unit * (18 + lamp % 2 * 6)
            draw.pieslice((x - unit * 5, y - unit * 4, x + unit * 5, y + unit * 4), 180, 360, (28, 20, 28))
            ImageDraw.Draw(glow).ellipse((x - unit * 3, y - unit * 1, x + unit * 3, y + unit * 4), 255)
        layer.paste(stage.light.lamp, (0, 0), blur(glow, unit * 5))
        layer.paste((255, 246, 214), (0, 0), blur(glow, unit * 0.8))
    else:
        pane = backdrop(unit * 34, unit * 42, stage.light.high, stage.light.low)
        draw.rectangle((left - unit * 2, top - unit * 2, left + unit * 36, top + unit * 44), (250, 244, 232))
        layer.paste(pane, (round(left), round(top)))
        draw.line((left + unit * 17, top, left + unit * 17, top + unit * 42), (250, 244, 232), max(1, round(unit * 1.4)))
        draw.line((left, top + unit * 20, left + unit * 34, top + unit * 20), (250, 244, 232), max(1, round(unit * 1.4)))
    wood = (124, 84, 58) if not stage.dark else (66, 42, 44)
    table = np.full(stage.width, stage.height * 0.74, dtype=np.float32)
    board = stage.below(table, shade(wood, 1.25), shade(wood, 0.62))
    grain = ImageDraw.Draw(board)
    for _ in range(60):
        y, x = stage.height * (0.745 + 0.255 * float(stage.random.random())), stage.random.random() * stage.width
        grain.line((x, y, x + stage.width * 0.2, y), (*shade(wood, 0.75), 90), max(1, round(unit * 0.3)))
    return [(0.15, layer), (0.6, board)]


def field(stage: Stage) -> Layers:
    """Rolling land with flowers near by."""
    layers: Layers = []
    for number in range(3):
        line = stage.height * (stage.horizon + 0.1 * number + 0.05 * stage.ridge(0.3, 3))
        tone = mix(mix(stage.light.far, stage.light.near, 0.45), stage.light.near, number / 2)
        layers.append((0.25 + 0.2 * number, stage.below(line, shade(tone, 1.14), shade(tone, 0.74))))
    draw = ImageDraw.Draw(layers[-1][1])
    for _ in range(240):
        near = float(stage.random.random()) ** 0.7
        x, y = stage.spot()[0], stage.height * (stage.horizon + 0.24 + 0.3 * near)
        tone = mix(_CORALS[int(stage.random.integers(len(_CORALS)))], stage.light.near, 0.35)
        draw.ellipse(_around(x, y, stage.height * 0.0016 * (1 + 3 * near)), tone)
    return layers


PLACES: dict[str, Painter] = {
    "city": city,
    "desert": desert,
    "field": field,
    "forest": forest,
    "mountains": mountains,
    "reef": reef,
    "room": room,
    "sea": sea,
    "space": space,
}
"""How each place is painted, by its name, as layers from far (0) to near (1)."""
ENCLOSED = {"reef", "room", "space"}
"""Places that bring their own background instead of a sky, and bear no other beside them."""


def weather(kind: str | None, size: tuple[int, int], random: np.random.Generator) -> Callable[[Image.Image, float], None]:
    """What draws rain or snow on a frame at a time in 0..1."""
    width, height = size
    drops = random.random((150, 3))

    def fall(frame: Image.Image, time: float) -> None:
        if kind is None:
            return
        veil = Image.new("L", size)
        draw = ImageDraw.Draw(veil)
        for across, down, near in drops:
            speed = (6 if kind == "rain" else 1.2) * (0.5 + near)
            y = (down + time * speed) % 1.1 * height - height * 0.05
            x = (across + (0.12 * math.sin(6 * (time + near)) if kind == "snow" else -0.2 * time)) % 1 * width
            if kind == "rain":
                draw.line((x, y, x - width * 0.006, y + height * 0.035 * (0.5 + near)), 150, max(1, round(height * 0.002)))
            else:
                radius = height * 0.006 * (0.35 + near)
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), 225)
        frame.paste((240, 246, 252), (0, 0), veil)

    return fall
