"""What moves, whether by wheels, legs or fire, built like the other shapes; and what stands for everything else."""

import math

import numpy as np

from genmedia.sandbox.drawing.models.clay import Clay, Colour
from genmedia.sandbox.drawing.models.shapes import CREAM, DARK, GLASS, LIGHT, STEEL, WOOD, Hand, mirrored, shaded

_PASTELS: tuple[Colour, ...] = ((232, 168, 124), (132, 169, 140), (226, 205, 150), (108, 142, 173), (200, 120, 110))


def car(clay: Clay, hand: Hand) -> None:
    """A small car, looking to the front."""
    long, wide = hand.about(1.3), 0.6
    clay.box((0, 0.27, 0), (wide, 0.24, long), hand.accent, edge=0.1)
    clay.box((0, 0.48, -0.04), (wide * 0.9, hand.about(0.28), long * 0.55), GLASS, edge=0.08, taper=0.72)
    clay.box((0, 0.6, -0.04), (wide * 0.68, 0.06, long * 0.4), hand.accent, edge=0.03)
    for x, z in mirrored(wide * 0.47, long * 0.31):
        clay.rod((x * 0.85, 0.15, z), (x * 1.1, 0.15, z), 0.3, DARK)
        clay.rod((x * 1.1, 0.15, z), (x * 1.13, 0.15, z), 0.16, STEEL)
    for x in (-0.19, 0.19):
        clay.ball((x, 0.3, long * 0.49), 0.11, LIGHT)
        clay.ball((x, 0.31, -long * 0.49), 0.08, (206, 52, 48))
    for z in (-1, 1):
        clay.box((0, 0.18, z * long * 0.5), (wide * 0.9, 0.07, 0.06), STEEL, edge=0.03)


def robot(clay: Clay, hand: Hand) -> None:
    """A friendly robot with an antenna."""
    body, head = hand.about(0.5), hand.about(0.34)
    for x in (-0.13, 0.13):
        clay.box((x, 0.05, 0.04), (0.18, 0.1, 0.26), DARK, edge=0.05)
        clay.rod((x, 0.06, 0), (x, 0.32, 0), 0.1, STEEL)
    clay.box((0, 0.3 + body / 2, 0), (0.5, body, 0.34), hand.accent, edge=0.08)
    clay.box((0, 0.34 + body / 2, 0.17), (0.28, body * 0.42, 0.03), DARK, edge=0.03)
    for x, tone in ((-0.07, (206, 52, 48)), (0, LIGHT), (0.07, (82, 190, 110))):
        clay.ball((x, 0.34 + body / 2, 0.19), 0.05, tone)
    neck = 0.3 + body
    clay.rod((0, neck, 0), (0, neck + 0.08, 0), 0.14, STEEL)
    clay.box((0, neck + 0.08 + head / 2, 0), (0.42, head, 0.32), shaded(hand.accent, 1.12), edge=0.09)
    for x in (-1, 1):
        clay.ball((x * 0.1, neck + 0.1 + head / 2, 0.16), 0.11, CREAM)
        clay.ball((x * 0.1, neck + 0.1 + head / 2, 0.21), 0.05, DARK)
        clay.ball((x * 0.29, 0.24 + body, 0), 0.15, STEEL)
        elbow = (x * 0.38, 0.3 + body * 0.45, 0.02)
        clay.rod((x * 0.29, 0.24 + body, 0), elbow, 0.08, STEEL)
        clay.rod(elbow, (x * 0.36, 0.34, 0.16), 0.08, STEEL)
        clay.ball((x * 0.36, 0.34, 0.16), 0.13, DARK)
    clay.rod((0, neck + 0.08 + head, 0), (0, neck + 0.22 + head, 0), 0.025, STEEL)
    clay.ball((0, neck + 0.24 + head, 0), 0.07, (206, 52, 48))


def rocket(clay: Clay, hand: Hand) -> None:
    """A rocket on its fins."""
    high, belly = hand.about(1.3), hand.about(0.22)
    clay.turned(
        [(0.1, 0.1), (belly, 0.3), (belly, high * 0.6), (belly * 0.62, high * 0.88), (0, high * 1.08)], CREAM, smooth=True
    )
    clay.turned([(belly * 0.84, high * 0.76), (belly * 0.62, high * 0.89), (0, high * 1.1)], hand.accent, smooth=True)
    clay.turned([(belly * 1.03, high * 0.42), (belly * 1.03, high * 0.46)], hand.accent)
    clay.turned([(0, 0.04), (0.14, 0.04), (0.09, 0.16)], DARK)
    for turn in range(3):
        angle = math.radians(120 * turn + 60)
        place = (belly * 1.1 * math.sin(angle), 0.24, belly * 1.1 * math.cos(angle))
        clay.box(place, (0.05, 0.46, 0.34), hand.accent, turn=120 * turn + 60, taper=0.3)
    clay.ball((0, high * 0.62, belly * 0.86), 0.17, DARK)
    clay.ball((0, high * 0.62, belly * 0.92), 0.12, GLASS)


def boat(clay: Clay, hand: Hand) -> None:
    """A sailing boat."""
    long, high = hand.about(1.2), hand.about(1.2)
    clay.box((0, 0.17, 0), (long, 0.34, 0.4), WOOD, edge=math.inf, taper=1.3)
    clay.box((0, 0.3, 0), (long * 0.96, 0.1, 0.4), shaded(WOOD, 1.35), edge=math.inf)
    clay.rod((0, 0.2, 0), (0, high, 0), 0.04, shaded(WOOD, 0.8))
    clay.box((-0.24, 0.34 + high * 0.34, 0), (0.42, high * 0.66, 0.02), CREAM, edge=0.01, taper=0.12, lean=-8)
    clay.box((0.2, 0.32 + high * 0.28, 0), (0.34, high * 0.54, 0.02), hand.accent, edge=0.01, taper=0.12, lean=9)
    clay.box((0.08, high + 0.02, 0), (0.16, 0.08, 0.015), hand.accent, edge=0.01)


def snowman(clay: Clay, hand: Hand) -> None:
    """Three balls, a hat and a scarf."""
    white: Colour = (244, 246, 250)
    low, middle, head = hand.about(0.7), hand.about(0.52), hand.about(0.38)
    belly, top = low * 0.46 + low * 0.34, low * 0.8 + middle * 0.62 + head * 0.3
    clay.ball((0, low * 0.46, 0), low, white)
    clay.ball((0, belly + middle * 0.3, 0), middle, white)
    clay.ball((0, top, 0), head, white)
    clay.rod((0, top, head * 0.4), (0, top - 0.02, head * 0.5 + 0.2), 0.08, (238, 136, 48), across_at_end=0.01)
    for x in (-0.07, 0.07):
        clay.ball((x, top + 0.06, head * 0.45), 0.05, DARK)
        clay.rod((x * 2.6, belly + middle * 0.4, 0), (x * 7.4, belly + middle * 0.8, 0.05), 0.03, WOOD)
    clay.box((0, top - head * 0.4, 0), (head * 0.8, 0.08, head * 0.8), hand.accent, edge=0.2)
    rim = top + head * 0.36
    clay.turned([(0, rim), (0.24, rim), (0.24, rim + 0.03), (0.15, rim + 0.03), (0.14, rim + 0.26), (0, rim + 0.26)], DARK)


def animal(clay: Clay, hand: Hand) -> None:
    """Four legs, a tail and two ears."""
    fur, high, long = hand.accent, hand.about(0.34), hand.about(0.72)
    for x, z in mirrored(0.13, long * 0.34):
        clay.rod((x, 0, z), (x * 0.9, high + 0.06, z * 0.95), 0.11, shaded(fur, 0.85), across_at_end=0.15)
        clay.ball((x, 0.035, z + 0.02), 0.14, CREAM, tall=0.09)
    clay.box((0, high + 0.14, 0), (0.36, 0.36, long), fur, edge=0.18)
    head = (0, high + 0.42, long * 0.46)
    clay.ball(head, 0.38, fur, tall=0.35)
    clay.ball((0, head[1] - 0.06, head[2] + 0.17), 0.18, CREAM, tall=0.14)
    clay.ball((0, head[1] - 0.02, head[2] + 0.25), 0.06, DARK, tall=0.045)
    for x in (-1, 1):
        clay.ball((x * 0.09, head[1] + 0.05, head[2] + 0.15), 0.07, DARK)
        clay.box((x * 0.13, head[1] + 0.2, head[2] - 0.02), (0.14, 0.2, 0.06), shaded(fur, 0.8), lean=-x * 18, taper=0.1)
    clay.rod((0, high + 0.24, -long * 0.44), (0.1, high + hand.about(0.55), -long * 0.66), 0.1, fur, across_at_end=0.05)


def figure(clay: Clay, hand: Hand) -> None:
    """A person on a round base, as in a board game."""
    skin = ((244, 208, 178), (198, 146, 108), (130, 88, 64))[int(hand.random.integers(3))]
    high = hand.about(0.95)
    clay.turned([(0, 0), (0.3, 0), (0.3, 0.06), (0, 0.06)], DARK)
    for x in (-1, 1):
        clay.rod((x * 0.09, 0.05, 0), (x * 0.08, high * 0.5, 0), 0.14, shaded(hand.accent, 0.55))
        shoulder, wrist = (x * 0.18, high * 0.88, 0), (x * 0.3, high * 0.52, 0.06)
        clay.ball(shoulder, 0.14, hand.accent)
        clay.rod(shoulder, wrist, 0.12, hand.accent, across_at_end=0.09)
        clay.ball(wrist, 0.1, skin)
    clay.box((0, high * 0.68, 0), (0.36, high * 0.44, 0.22), hand.accent, edge=0.1)
    clay.rod((0, high * 0.85, 0), (0, high, 0), 0.1, skin)
    clay.ball((0, high + 0.12, 0), 0.28, skin, tall=0.32)
    clay.ball((0, high + 0.17, -0.03), 0.3, (86, 56, 40), tall=0.28)
    for x in (-0.05, 0.05):
        clay.ball((x, high + 0.12, 0.13), 0.035, DARK)


def sculpture(clay: Clay, hand: Hand) -> None:
    """Balls, boxes, cones and rings on top of one another, on a plinth: no two prompts give the same."""
    random = hand.random
    clay.box((0, 0.06, 0), (0.6, 0.12, 0.6), CREAM)
    height, count = 0.12, int(random.integers(4, 7))
    first = int(random.integers(len(_PASTELS)))
    for number in range(count):
        tone = hand.accent if number == 1 else _PASTELS[(first + number) % len(_PASTELS)]
        wide = hand.about(0.46 - 0.05 * number, 0.2)
        turn, aside = float(random.uniform(0, 90)), float(random.uniform(-0.05, 0.05))
        match int(random.integers(5)):
            case 0:
                clay.ball((aside, height + wide / 2, 0), wide, tone)
                height += wide * 0.94
            case 1:
                clay.box((aside, height + wide * 0.3, 0), (wide, wide * 0.6, wide), tone, edge=0.04, turn=turn)
                height += wide * 0.6
            case 2:
                clay.turned(
                    [(wide * 0.56, height), (wide * 0.2, height + wide * 0.8)], tone, corners=3 + int(turn) % 5, turn=turn
                )
                height += wide * 0.78
            case 3:
                angles = np.linspace(-math.pi / 2, math.pi * 1.5, 13)
                ring = [(wide * 0.36 + wide * 0.16 * math.cos(a), height + wide * 0.16 * (1 + math.sin(a))) for a in angles]
                clay.turned(ring, tone, smooth=True)
                height += wide * 0.3
            case _:
                knots = [(0, 0), (0.5, 0.1), (0.2, 0.5), (0.42, 0.8), (0, 0.95)]
                clay.turned([(wide * x, height + wide * y) for x, y in knots], tone, smooth=True)
                height += wide * 0.9
    clay.ball((0, height + 0.06, 0), 0.16, hand.accent)
