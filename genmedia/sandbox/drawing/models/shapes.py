"""The things that prompts ask for, each built from a few parts with its feet on the ground."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from genmedia.sandbox.drawing.models.clay import Clay, Colour

WOOD: Colour = (150, 98, 58)
DARK: Colour = (52, 52, 62)
STEEL: Colour = (176, 182, 192)
CREAM: Colour = (240, 232, 214)
GLASS: Colour = (150, 200, 222)
LEAF: Colour = (82, 146, 78)
STONE: Colour = (150, 146, 140)
LIGHT: Colour = (255, 220, 120)


@dataclass(frozen=True)
class Hand:
    """Whose hand builds: the main colour, and what a seed leaves to chance."""

    accent: Colour
    random: np.random.Generator

    def about(self, value: float, share: float = 0.12) -> float:
        """A measure, more or less."""
        return value * float(self.random.uniform(1 - share, 1 + share))


Recipe = Callable[[Clay, Hand], None]


def mirrored(x: float, z: float) -> Sequence[tuple[float, float]]:
    """Four places around the middle."""
    return [(x, z), (-x, z), (x, -z), (-x, -z)]


def shaded(colour: Colour, share: float) -> Colour:
    """The colour made darker, or above 1 lighter."""
    red, green, blue = (min(255, round(part * share)) for part in colour)
    return red, green, blue


def chair(clay: Clay, hand: Hand) -> None:
    """A chair with a back of slats."""
    seat, back = hand.about(0.46), hand.about(0.58)
    for x, z in mirrored(0.2, 0.2):
        clay.rod((x * 1.12, 0, z * 1.12), (x, seat, z), 0.04, WOOD, across_at_end=0.06)
    clay.box((0, seat + 0.03, 0), (0.5, 0.07, 0.5), hand.accent, edge=0.035)
    for x in (-0.2, 0.2):
        clay.rod((x, seat, -0.21), (x * 1.05, seat + back, -0.3), 0.05, WOOD, across_at_end=0.04)
    for share in (0.35, 0.62, 0.9):
        clay.box((0, seat + back * share, -0.21 - 0.09 * share), (0.44, 0.09, 0.03), hand.accent, tilt=-9)


def armchair(clay: Clay, hand: Hand) -> None:
    """An armchair on short legs."""
    wide = hand.about(0.9)
    for x, z in mirrored(wide * 0.36, 0.3):
        clay.rod((x, 0, z), (x, 0.14, z), 0.05, WOOD, across_at_end=0.07)
    clay.box((0, 0.26, 0), (wide * 0.92, 0.26, 0.8), shaded(hand.accent, 0.82), edge=0.06)
    clay.box((0, 0.44, 0.06), (wide * 0.62, 0.16, 0.66), hand.accent, edge=0.08)
    clay.box((0, 0.62, -0.32), (wide * 0.8, hand.about(0.72), 0.2), hand.accent, edge=0.09, tilt=-10)
    for x in (-1, 1):
        clay.box((x * wide * 0.43, 0.46, 0.02), (0.18, 0.34, 0.8), shaded(hand.accent, 0.9), edge=0.09)


def table(clay: Clay, hand: Hand) -> None:
    """A table with tapered legs."""
    wide, high = hand.about(1.2), hand.about(0.7)
    for x, z in mirrored(wide * 0.42, 0.28):
        clay.rod((x * 1.04, 0, z * 1.04), (x, high, z), 0.045, shaded(hand.accent, 0.75), across_at_end=0.08)
    clay.box((0, high - 0.04, 0), (wide * 0.88, 0.08, 0.6), shaded(hand.accent, 0.85))
    clay.box((0, high + 0.03, 0), (wide, 0.06, 0.72), hand.accent, edge=0.03)


def lamp(clay: Clay, hand: Hand) -> None:
    """A standing lamp."""
    high = hand.about(1.1)
    clay.turned([(0, 0), (0.22, 0), (0.24, 0.02), (0.05, 0.06), (0.02, 0.1)], DARK, smooth=True)
    clay.rod((0, 0.05, 0), (0, high, 0), 0.03, STEEL)
    clay.ball((0, high - 0.02, 0), 0.16, LIGHT)
    rim = hand.about(0.3)
    clay.turned([(rim, high - 0.16), (0.16, high + 0.18), (0.15, high + 0.18), (rim - 0.01, high - 0.16)], hand.accent)


def cup(clay: Clay, hand: Hand) -> None:
    """A cup with a handle on its saucer, full of coffee."""
    wide, high = hand.about(0.3), hand.about(0.5)
    clay.turned([(0, 0), (0.26, 0), (0.5, 0.06), (0.5, 0.08), (0.24, 0.03), (0, 0.03)], CREAM)
    outside = [(0.0, 0.03), (0.2, 0.03), (wide, 0.06 + high * 0.35), (wide + 0.04, 0.03 + high)]
    inside = [(wide + 0.01, 0.03 + high), (wide - 0.03, 0.06 + high * 0.35), (0.0, 0.1)]
    clay.turned(outside, hand.accent, smooth=True)
    clay.turned(inside, CREAM, smooth=True)
    clay.turned([(wide + 0.04, 0.03 + high), (wide + 0.01, 0.03 + high)], CREAM)
    clay.turned([(wide + 0.005, high * 0.86), (0, high * 0.86)], (82, 48, 30))
    angles = np.linspace(-1.35, 1.35, 8)
    arc = [(wide - 0.01 + 0.2 * float(np.cos(a)), 0.05 + high * 0.55 + 0.17 * float(np.sin(a)), 0.0) for a in angles]
    for one, other in pairwise(arc):
        clay.rod(one, other, 0.055, hand.accent)
        clay.ball(other, 0.055, hand.accent)


def vase(clay: Clay, hand: Hand) -> None:
    """A vase with a belly, a neck and a band of another colour."""
    belly, neck, high = hand.about(0.32, 0.25), hand.about(0.1, 0.3), hand.about(1.0)
    profile = [
        (0, 0),
        (0.17, 0.0),
        (belly, high * 0.36),
        (neck, high * 0.78),
        (neck * 1.8, high),
        (neck * 1.6, high),
        (neck * 0.8, high * 0.8),
    ]
    clay.turned(profile, hand.accent, smooth=True)
    clay.turned([(belly * 0.99, high * 0.33), (belly * 1.03, high * 0.36), (belly * 0.98, high * 0.4)], CREAM, smooth=True)


def lighthouse(clay: Clay, hand: Hand) -> None:
    """A striped tower with a lamp, on a rock."""
    clay.ball((0, 0.02, 0), hand.about(1.0), STONE, tall=0.3)
    clay.ball((0.25, 0.04, 0.14), 0.5, shaded(STONE, 0.85), tall=0.22)
    high, foot, tip = hand.about(1.4), 0.24, 0.14
    bands = 6
    for band in range(bands):
        low, top = band / bands, (band + 1) / bands
        tones = hand.accent if band % 2 else CREAM
        edge = [(foot + (tip - foot) * low, 0.12 + high * low), (foot + (tip - foot) * top, 0.12 + high * top)]
        clay.turned(edge, tones)
    roof = 0.12 + high
    clay.turned([(0, roof - 0.01), (0.22, roof - 0.01), (0.22, roof + 0.03), (0, roof + 0.03)], DARK)
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        x, z = 0.2 * float(np.sin(angle)), 0.2 * float(np.cos(angle))
        clay.rod((x, roof, z), (x, roof + 0.12, z), 0.015, DARK)
    clay.turned([(0, roof + 0.03), (0.11, roof + 0.03), (0.11, roof + 0.23), (0, roof + 0.23)], LIGHT)
    clay.turned([(0.15, roof + 0.23), (0.12, roof + 0.27), (0.02, roof + 0.4), (0, roof + 0.46)], hand.accent)
    clay.box((0, 0.28, 0.23), (0.1, 0.2, 0.06), WOOD)


def house(clay: Clay, hand: Hand) -> None:
    """A house with a door, windows, a roof and a chimney."""
    wide, deep, high = hand.about(1.0), hand.about(0.8), hand.about(0.62)
    clay.box((0, high / 2, 0), (wide, high, deep), CREAM, edge=0.01)
    clay.turned([(0, high), (0.78, high), (0, high + hand.about(0.5))], hand.accent, corners=4, turn=45)
    clay.box((wide * 0.22, high + 0.34, -deep * 0.1), (0.12, 0.42, 0.12), shaded(hand.accent, 0.7), edge=0.01)
    clay.box((0, 0.2, deep / 2), (0.2, 0.4, 0.04), WOOD, edge=0.01)
    clay.ball((0.06, 0.2, deep / 2 + 0.03), 0.03, LIGHT)
    for x in (-0.32, 0.32):
        clay.box((x * wide, high * 0.58, deep / 2), (0.22, 0.22, 0.03), shaded(WOOD, 1.2), edge=0.01)
        clay.box((x * wide, high * 0.58, deep / 2 + 0.01), (0.17, 0.17, 0.03), GLASS, edge=0.01)


def castle(clay: Clay, hand: Hand) -> None:
    """Four towers with cones, walls and a gate."""
    high = hand.about(0.9)
    for x, z in mirrored(0.5, 0.5):
        clay.turned(
            [(0, 0), (0.17, 0), (0.15, high), (0.19, high + 0.04), (0.19, high + 0.14), (0, high + 0.14)], STONE, at=(x, 0, z)
        )
        clay.turned([(0.22, high + 0.14), (0, high + hand.about(0.6))], hand.accent, at=(x, 0, z))
    for turn, (x, z) in zip((0, 0, 90, 90), ((0, 0.5), (0, -0.5), (0.5, 0), (-0.5, 0)), strict=True):
        clay.box((x, high * 0.33, z), (1.0, high * 0.66, 0.12), shaded(STONE, 1.15), edge=0.01, turn=turn)
    clay.box((0, 0.18, 0.56), (0.24, 0.36, 0.05), WOOD, edge=0.02)
    clay.box((0, high * 0.5, 0), (0.44, high, 0.44), shaded(STONE, 1.05), edge=0.01)
    clay.turned([(0.36, high), (0, high + hand.about(0.4))], hand.accent, corners=4, turn=45)


def tree(clay: Clay, hand: Hand) -> None:
    """A tree with a round crown."""
    high = hand.about(0.7)
    clay.turned([(0.16, 0), (0.09, 0.1), (0.07, high), (0.04, high + 0.2)], WOOD, smooth=True)
    for _ in range(9):
        x, y, z = (float(part) for part in hand.random.normal(0, 0.17, 3))
        tone = shaded(LEAF, float(hand.random.uniform(0.85, 1.25)))
        clay.ball((x, high + 0.3 + y, z), hand.about(0.5), tone)
    clay.ball((0, high + 0.32, 0), 0.7, LEAF)


def pine(clay: Clay, hand: Hand) -> None:
    """A fir of three cones."""
    clay.rod((0, 0, 0), (0, 0.3, 0), 0.14, WOOD)
    for number, wide in enumerate((0.44, 0.35, 0.25)):
        foot = 0.22 + number * 0.3
        clay.turned([(0, foot + 0.06), (hand.about(wide, 0.08), foot), (0, foot + 0.5)], shaded(LEAF, 0.75 + number * 0.12))


def flower(clay: Clay, hand: Hand) -> None:
    """A flower in a pot."""
    clay.turned([(0, 0), (0.14, 0), (0.2, 0.26), (0.22, 0.26), (0.22, 0.32), (0, 0.32)], (196, 104, 70))
    high = hand.about(0.9)
    clay.rod((0, 0.3, 0), (0, high, 0), 0.03, LEAF)
    for side in (-1, 1):
        clay.box((side * 0.14, high * 0.62, 0), (0.3, 0.03, 0.12), LEAF, edge=0.06, lean=side * 35)
    petals = int(hand.random.integers(6, 10))
    for petal in range(petals):
        angle = 360 * petal / petals
        x, y = float(np.sin(np.radians(angle))), float(np.cos(np.radians(angle)))
        clay.box((x * 0.17, high + y * 0.17, 0.02), (0.14, 0.24, 0.05), hand.accent, edge=0.12, lean=-angle)
    clay.ball((0, high, 0.04), 0.17, LIGHT)


def mushroom(clay: Clay, hand: Hand) -> None:
    """A toadstool with dots."""
    high = hand.about(0.5)
    clay.turned([(0, 0), (0.16, 0), (0.1, high * 0.5), (0.12, high)], CREAM, smooth=True)
    clay.turned(
        [(0, high * 0.92), (0.4, high * 0.86), (0.44, high), (0.3, high + 0.24), (0, high + 0.34)], hand.accent, smooth=True
    )
    for number in range(7):
        angle, share = number * 2.4, 0.3 + 0.08 * number
        reach = 0.42 * share * 1.1
        rise = high + 0.34 - 0.36 * share**1.7
        clay.ball((reach * float(np.sin(angle)), rise, reach * float(np.cos(angle))), 0.1, CREAM, tall=0.07)
