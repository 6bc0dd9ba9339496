"""The things and beings that prompts ask for, each drawn on a square from 0 to 100 with its feet towards 100."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from genmedia.sandbox.drawing.prompts.pen import Pen, Point, mix, shade, turned
from genmedia.sandbox.drawing.techniques.studio import Colour

Recipe = Callable[[Pen, Colour, np.random.Generator], None]

INK: Colour = (34, 30, 42)
CREAM: Colour = (248, 242, 230)
_FURS: tuple[Colour, ...] = ((226, 140, 70), (110, 112, 124), (58, 54, 66), (236, 216, 186))
_SKINS: tuple[Colour, ...] = ((244, 208, 178), (222, 170, 132), (172, 118, 84), (116, 76, 56))
_HAIRS: tuple[Colour, ...] = ((46, 32, 30), (98, 62, 38), (190, 138, 70), (30, 28, 36), (150, 62, 40))


def _mirrored(points: Sequence[Point]) -> list[Point]:
    return [(100 - x, y) for x, y in points]


def _cat(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    fur = _FURS[int(random.integers(len(_FURS)))]
    pen.line([(68, 94), (88, 93), (93, 76), (84, 60)], 8, shade(fur, 0.82))
    pen.blob([(50, 44), (66, 56), (75, 80), (70, 98), (50, 100), (30, 98), (25, 80), (34, 56)], fur)
    pen.disc(50, 72, 12, mix(fur, CREAM, 0.6), 20)
    for x in (41, 59):
        pen.disc(x, 96, 8, mix(fur, CREAM, 0.35), 4.5)
    for ear in ([(32, 28), (31, 5), (48, 17)], [(35, 23), (34.5, 11), (43, 17)]):
        tone = fur if ear[0][0] == 32 else (232, 160, 158)
        pen.shape(ear, tone)
        pen.shape(_mirrored(ear), tone)
    pen.disc(50, 32, 21, fur, 17.5)
    for x in (46, 50, 54):
        pen.line([(x, 16), (50 + (x - 50) * 0.7, 23)], 1.6, shade(fur, 0.7))
    pen.disc(50, 40, 9, mix(fur, CREAM, 0.6), 6.5)
    for x in (41, 59):
        pen.disc(x, 31, 4.8, mix(accent, (150, 220, 120), 0.6), 4.6)
        pen.disc(x, 31, 1.7, INK, 4.2)
        pen.disc(x + 1.2, 29.3, 1, CREAM)
        for rise in (-2, 1, 4):
            side = 1 if x > 50 else -1
            pen.line([(50 + side * 8, 40 + rise / 2), (50 + side * 27, 38 + rise * 1.6)], 0.6, CREAM)
    pen.shape([(47.6, 37), (52.4, 37), (50, 40)], (222, 120, 120))
    pen.line([(46, 43), (48.5, 43.6), (50, 41), (51.5, 43.6), (54, 43)], 0.8, shade(fur, 0.45))


def _dog(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    fur = _FURS[int(random.integers(len(_FURS)))]
    pen.line([(70, 90), (86, 82), (90, 66)], 6, fur)
    pen.blob([(50, 46), (68, 60), (74, 84), (68, 99), (50, 100), (32, 99), (26, 84), (32, 60)], fur)
    pen.disc(50, 74, 11, CREAM, 19)
    for x in (42, 58):
        pen.disc(x, 97, 8, CREAM, 4)
    pen.disc(50, 32, 20, fur, 19)
    ear = [(34, 18), (24, 24), (22, 44), (30, 48), (36, 34)]
    pen.blob(ear, shade(fur, 0.68))
    pen.blob(_mirrored(ear), shade(fur, 0.68))
    pen.disc(50, 41, 11, CREAM, 9)
    for x in (42, 58):
        pen.disc(x, 29, 3, INK)
        pen.disc(x + 0.8, 28, 1, CREAM)
    pen.disc(50, 36.5, 4, INK, 3)
    pen.line([(44, 44), (50, 47), (56, 44)], 1, INK)
    pen.box(33, 51.5, 67, 55.5, accent, 2)
    pen.disc(50, 57, 2.6, (236, 196, 90))


def _cup(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    china = mix(accent, CREAM, 0.35)
    pen.disc(47, 92, 42, shade(china, 0.86), 7)
    pen.disc(47, 90.6, 40, china, 6)
    pen.ring(79, 63, 13, 4.6, shade(china, 0.9))
    pen.blob([(17, 46), (18, 62), (24, 80), (34, 90), (47, 91.5), (60, 90), (70, 80), (76, 62), (77, 46), (47, 50)], china)
    pen.shape([(19, 66), (75, 66), (73, 73), (21, 73)], mix(china, CREAM, 0.75))
    pen.disc(47, 46, 30, mix(china, CREAM, 0.55), 7.6)
    pen.disc(47, 47, 26.4, (74, 44, 28), 5.8)
    pen.disc(47, 47.4, 17, (196, 150, 104), 3.4)
    pen.disc(47, 47.2, 9, (240, 220, 190), 1.9)
    for x, strength in ((36, 120), (48, 170), (59, 120)):
        pen.haze([(x, 40), (x - 5, 30), (x + 4, 20), (x - 2, 8)], 4.5, strength)


def _car(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    glass = (176, 208, 224)
    pen.blob([(4, 76), (7, 64), (20, 60), (31, 45), (48, 41), (64, 45), (76, 58), (93, 63), (97, 76), (94, 85), (6, 85)], accent)
    pen.shape([(34, 48), (47, 46), (47, 60), (26, 60)], glass)
    pen.shape([(50, 46), (62, 48), (72, 60), (50, 60)], glass)
    pen.shape([(40, 47), (44, 46.5), (38, 60), (33, 60)], shade(glass, 1.5))
    pen.line([(6, 70), (95, 70)], 0.9, shade(accent, 1.35), smooth=False)
    pen.line([(48.5, 62), (48.5, 84)], 0.6, shade(accent, 0.6), smooth=False)
    pen.box(52, 65, 58, 66.6, shade(accent, 0.5), 0.8)
    pen.disc(94, 69, 2.6, (255, 244, 190), 3.4)
    pen.disc(6, 69, 2, (220, 60, 50), 3.2)
    pen.box(3, 80, 97, 86, shade(accent, 0.55), 2.5)
    for x in (24, 76):
        pen.disc(x, 84, 11, INK)
        pen.disc(x, 84, 6.2, (190, 194, 204))
        for turn in range(5):
            pen.line([(x, 84), turned([(0, -5.6)], x, 84, turn * 72)[0]], 1.2, (110, 114, 126))


def _portrait(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    skin, hair = _SKINS[int(random.integers(len(_SKINS)))], _HAIRS[int(random.integers(len(_HAIRS)))]
    long = bool(random.random() < 0.6)
    if long:
        pen.blob([(50, 8), (72, 18), (78, 44), (80, 74), (66, 80), (34, 80), (20, 74), (22, 44), (28, 18)], shade(hair, 0.8))
    pen.blob([(4, 104), (8, 84), (24, 76), (40, 71), (60, 71), (76, 76), (92, 84), (96, 104)], accent)
    pen.shape([(41, 70), (50, 82), (59, 70)], shade(skin, 0.86))
    pen.box(42, 52, 58, 72, shade(skin, 0.8), 5)
    pen.disc(50, 38, 18.5, skin, 23)
    for x in (31.5, 68.5):
        pen.disc(x, 40, 3, shade(skin, 0.9), 4.5)
    pen.blob([(30, 40), (30, 24), (40, 11), (54, 9), (68, 17), (71, 38), (66, 28), (54, 22), (42, 25), (35, 30)], hair)
    for side in (-1, 1):
        x = 50 + side * 8
        pen.disc(x, 38, 4, CREAM, 2.4)
        pen.disc(x, 38, 2.1, mix(accent, INK, 0.6))
        pen.disc(x + 0.7, 37.3, 0.7, CREAM)
        pen.line([(x - 4.6, 32.4 + (side < 0) * 0.4), (x, 31), (x + 4.6, 32.4 + (side > 0) * 0.4)], 1.3, hair)
        pen.disc(50 + side * 10, 46.5, 3.6, mix(skin, (232, 110, 100), 0.25), 2.4)
    pen.line([(50.5, 38), (52.4, 45), (49.4, 46.4)], 1, shade(skin, 0.76))
    pen.blob([(43.5, 52), (48, 50.6), (50, 51.3), (52, 50.6), (56.5, 52), (50, 55.6)], mix(skin, (190, 50, 60), 0.62))
    pen.line([(43.5, 52), (50, 52.6), (56.5, 52)], 0.7, mix(skin, (120, 30, 40), 0.7))


def _boat(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.line([(50, 82), (50, 6)], 1.8, (96, 66, 44))
    pen.blob([(53, 9), (70, 36), (84, 73), (68, 76), (53, 74)], CREAM)
    pen.blob([(47, 18), (47, 74), (34, 76), (20, 73), (36, 46)], mix(accent, CREAM, 0.3))
    pen.shape([(50, 6), (60, 9), (50, 12)], accent)
    pen.blob([(10, 80), (50, 82), (92, 78), (82, 92), (66, 97), (32, 97), (18, 92)], accent)
    pen.line([(12, 84), (50, 86), (88, 83)], 1.4, CREAM)


def _balloon(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    for wide, tone in ((33, accent), (24, CREAM), (14, accent), (5, CREAM)):
        pen.blob([(50, 3), (50 + wide * 0.8, 10), (50 + wide, 34), (50 + wide * 0.6, 58), (50 + wide * 0.2, 76),
                  (50 - wide * 0.2, 76), (50 - wide * 0.6, 58), (50 - wide, 34), (50 - wide * 0.8, 10)], tone)  # fmt: skip
    for x in (44, 56):
        pen.line([(x, 75), (50 + (x - 50) * 0.8, 86)], 0.7, INK)
    pen.box(43.5, 85, 56.5, 96, (150, 100, 58), 2)
    pen.line([(43.5, 88), (56.5, 88)], 1.2, (104, 66, 38))


def _flower(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    for x, y, size, tone in ((28, 42, 0.62, mix(accent, CREAM, 0.5)), (73, 36, 0.7, shade(accent, 0.85)), (50, 26, 1, accent)):
        pen.line([(x, y), (x * 0.4 + 30, 70), (50, 100)], 2.4, (70, 122, 66))
        start = float(random.random()) * 60
        for ring, count, reach in ((1.0, 9, 16), (0.62, 7, 11)):
            for petal in range(count):
                leaf = [
                    (0.0, 0.0),
                    (5 * size, -reach * 0.55 * size),
                    (0.0, -reach * 1.25 * size),
                    (-5 * size, -reach * 0.55 * size),
                ]
                pen.blob(turned(leaf, x, y, start + petal * 360 / count), shade(tone, 0.9 if ring == 1 else 1.22))
        pen.disc(x, y, 5 * size, (240, 190, 70))
        pen.disc(x, y, 2.6 * size, (180, 112, 40))
    for x, side in ((44, -1), (56, 1)):
        pen.blob([(x, 78), (x + side * 10, 66), (x + side * 24, 66), (x + side * 12, 78)], (92, 150, 80))


def _house(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.box(66, 22, 74, 46, shade(accent, 0.6))
    pen.box(18, 50, 82, 98, mix(CREAM, accent, 0.12))
    pen.shape([(10, 53), (50, 18), (90, 53)], accent)
    pen.shape([(10, 53), (90, 53), (88, 57), (12, 57)], shade(accent, 0.7))
    pen.box(43, 70, 57, 98, shade(accent, 0.5), 2)
    pen.disc(54, 85, 1, (240, 200, 90))
    for x in (24, 64):
        pen.box(x, 65, x + 13, 80, (255, 226, 140), 1)
        pen.line([(x + 6.5, 65), (x + 6.5, 80)], 1, CREAM)
        pen.line([(x, 72.5), (x + 13, 72.5)], 1, CREAM)
    pen.disc(50, 42, 5, (255, 226, 140))


def _tree(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    pen.blob([(46, 52), (54, 52), (55, 86), (62, 100), (38, 100), (45, 86)], (96, 68, 48))
    pen.line([(50, 66), (36, 50)], 3, (96, 68, 48))
    pen.line([(51, 62), (66, 46)], 3, (96, 68, 48))
    leaves = mix((78, 134, 70), accent, 0.18)
    for layer in range(3):
        for _ in range(14):
            angle, far = random.random() * 2 * math.pi, random.random() ** 0.5
            x, y = 50 + math.cos(angle) * 30 * far, 34 + math.sin(angle) * 22 * far - layer * 3
            pen.disc(x, y, 9 + 5 * random.random(), shade(leaves, 0.72 + 0.22 * layer))


def _bicycle(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    for x in (24, 76):
        for turn in range(12):
            pen.line([(x, 76), turned([(0, -19)], x, 76, turn * 30)[0]], 0.35, (170, 174, 182))
        pen.ring(x, 76, 20.5, 2.6, INK)
        pen.disc(x, 76, 2, (150, 154, 162))
    for path in ([(24, 76), (38, 48), (66, 46), (47, 76), (24, 76)], [(47, 76), (36, 42)], [(76, 76), (64, 36)]):
        pen.line([(float(x), float(y)) for x, y in path], 2.6, accent, smooth=False)
    pen.line([(30, 40), (42, 41)], 4, INK)
    pen.line([(64, 36), (72, 33), (76, 38)], 2.4, INK)
    pen.ring(47, 76, 4, 1.6, INK)


def _fish(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.blob([(26, 50), (6, 32), (14, 50), (6, 68)], shade(accent, 0.8))
    pen.blob([(42, 34), (56, 18), (68, 34)], shade(accent, 0.8))
    pen.blob([(22, 50), (44, 32), (70, 32), (92, 48), (72, 66), (46, 68)], accent)
    for x in (44, 60):
        pen.blob([(x, 36), (x + 6, 35), (x + 7, 50), (x + 5, 66), (x - 1, 66), (x + 1, 50)], CREAM)
    pen.disc(80, 45, 4, CREAM)
    pen.disc(81, 45, 2.2, INK)


def _bird(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.blob([(10, 60), (34, 50), (62, 44), (80, 46), (70, 60), (44, 68), (26, 66)], mix(accent, CREAM, 0.5))
    pen.blob([(36, 54), (22, 22), (6, 8), (48, 22), (60, 50)], accent)
    pen.blob([(48, 52), (66, 22), (88, 6), (78, 32), (66, 50)], shade(accent, 0.8))
    pen.disc(80, 45, 8, mix(accent, CREAM, 0.5))
    pen.shape([(86, 42), (98, 46), (86, 49)], (240, 170, 60))
    pen.disc(82, 43, 1.6, INK)


def _piano(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    wood = mix((40, 26, 26), accent, 0.12)
    pen.box(6, 22, 94, 62, wood, 3)
    pen.box(10, 26, 90, 50, shade(wood, 1.1), 2)
    pen.line([(14, 29), (60, 29)], 0.8, shade(wood, 1.4), smooth=False)
    pen.box(36, 32, 64, 48, CREAM, 1)
    for y in (36, 39.5, 43):
        pen.line([(39, y), (61, y)], 0.5, INK, smooth=False)
    for x in (9, 84):
        pen.box(x, 60, x + 7, 98, shade(wood, 0.85), 1)
    pen.box(2, 58, 98, 72, wood, 2)
    for key in range(21):
        left = 5 + key * 4.3
        pen.box(left, 60, left + 3.9, 69, CREAM, 0.5)
    for key in range(20):
        if key % 7 not in {2, 6}:
            pen.box(8 + key * 4.3, 60, 10.4 + key * 4.3, 65.5, INK, 0.3)


def _bottle(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    glass = mix(accent, (240, 250, 255), 0.45)
    pen.box(28, 34, 72, 98, glass, 8)
    pen.box(32, 52, 68, 94, mix(accent, glass, 0.25), 6)
    pen.box(42, 22, 58, 36, shade(glass, 0.8), 2)
    pen.box(38, 6, 62, 25, (214, 178, 110), 4)
    pen.box(41, 8, 45, 23, (246, 224, 170), 2)
    pen.box(37, 60, 63, 82, CREAM, 1.5)
    pen.disc(50, 69, 4.6, accent)
    pen.line([(42, 78), (58, 78)], 1, INK, smooth=False)
    pen.box(32, 40, 36, 92, shade(glass, 1.6), 2)


def _robot(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    steel = mix(accent, (206, 212, 222), 0.6)
    pen.line([(50, 14), (50, 4)], 1.6, INK)
    pen.disc(50, 4, 3, (255, 96, 80))
    for x, end in ((20, 10), (80, 90)):
        pen.line([(x, 56), (end, 66), (end, 80)], 6, shade(steel, 0.75))
        pen.disc(end, 81, 5, INK)
    for x in (38, 62):
        pen.box(x - 6, 80, x + 6, 99, shade(steel, 0.7), 3)
    pen.box(22, 48, 78, 84, steel, 9)
    pen.box(34, 56, 66, 74, INK, 4)
    pen.line([(38, 66), (45, 66), (48, 60), (52, 71), (55, 66), (62, 66)], 1.2, (120, 255, 190), smooth=False)
    pen.box(24, 13, 76, 47, steel, 11)
    pen.box(30, 20, 70, 40, INK, 8)
    for x in (41, 59):
        pen.disc(x, 29, 4.6, (110, 230, 255))
        pen.disc(x + 1.2, 27.6, 1.4, CREAM)


def _rocket(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.blob([(43, 84), (50, 104), (57, 84)], (255, 196, 80))
    pen.blob([(46, 84), (50, 95), (54, 84)], (255, 244, 200))
    for fin in ([(36, 60), (22, 84), (38, 82)], [(64, 60), (78, 84), (62, 82)]):
        pen.blob([(float(x), float(y)) for x, y in fin], accent)
    pen.blob([(50, 2), (64, 22), (67, 56), (60, 84), (40, 84), (33, 56), (36, 22)], CREAM)
    pen.blob([(50, 2), (58, 11), (62, 20), (50, 23), (38, 20), (42, 11)], accent)
    pen.disc(50, 40, 8, shade(accent, 0.6))
    pen.disc(50, 40, 5.6, (140, 206, 240))


def _lighthouse(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    pen.shape([(38, 28), (62, 28), (69, 99), (31, 99)], CREAM)
    for top in (38, 60, 82):
        pen.shape([(38 - (top - 28) * 0.1, top), (62 + (top - 28) * 0.1, top), (63 + (top - 17) * 0.1, top + 11),
                   (37 - (top - 17) * 0.1, top + 11)], accent)  # fmt: skip
    pen.box(34, 25, 66, 29, INK, 1)
    pen.box(42, 13, 58, 25, (255, 236, 150), 1)
    pen.blob([(40, 14), (50, 3), (60, 14)], accent)
    pen.box(47, 88, 53, 99, INK, 2)


def _drone(pen: Pen, accent: Colour, _: np.random.Generator) -> None:
    for x in (14, 86):
        pen.line([(50, 54), (x, 44)], 3.4, INK)
        pen.disc(x, 39, 13, (200, 208, 216), 1.8)
        pen.box(x - 2, 38, x + 2, 48, INK, 1)
    pen.blob([(30, 54), (50, 46), (70, 54), (64, 66), (36, 66)], accent)
    pen.disc(50, 64, 6, INK)
    pen.disc(51, 63, 2.4, (120, 200, 255))


def _orbs(pen: Pen, accent: Colour, random: np.random.Generator) -> None:
    for _ in range(5):
        x, y, size = random.uniform(22, 78), random.uniform(30, 76), random.uniform(9, 22)
        tone = mix(accent, (int(random.integers(256)), int(random.integers(256)), int(random.integers(256))), 0.5)
        for ring in range(8):
            pen.disc(x - size * ring * 0.035, y - size * ring * 0.05, size * (1 - ring * 0.12), shade(tone, 0.7 + ring * 0.12))


DRAWINGS: dict[str, Recipe] = {
    "balloon": _balloon,
    "bicycle": _bicycle,
    "bird": _bird,
    "boat": _boat,
    "bottle": _bottle,
    "car": _car,
    "cat": _cat,
    "cup": _cup,
    "dog": _dog,
    "drone": _drone,
    "fish": _fish,
    "flower": _flower,
    "house": _house,
    "lighthouse": _lighthouse,
    "orbs": _orbs,
    "piano": _piano,
    "portrait": _portrait,
    "robot": _robot,
    "rocket": _rocket,
    "tree": _tree,
}
"""How each subject is drawn, by its name."""
AIRBORNE = {"balloon", "bird", "drone", "fish", "rocket"}
"""Subjects that do not stand on the ground."""
