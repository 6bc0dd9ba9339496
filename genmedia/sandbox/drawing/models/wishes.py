"""From a prompt's words to the shapes that stand for them."""

import hashlib
import re

import numpy as np

from genmedia.sandbox.drawing.models import machines, shapes
from genmedia.sandbox.drawing.models.clay import Clay, Colour, Mesh
from genmedia.sandbox.drawing.models.shapes import Hand, Recipe

_MOST_THINGS = 3
_GAP = 0.12
_RECIPES: dict[Recipe, str] = {
    shapes.chair: "chair chairs stool seat bench office throne",
    shapes.armchair: "armchair armchairs sofa couch",
    shapes.table: "table tables desk desks",
    shapes.lamp: "lamp lamps light lantern",
    shapes.cup: "cup cups mug mugs coffee tea teacup bowl",
    shapes.vase: "vase vases bottle bottles jar amphora pottery pot",
    shapes.lighthouse: "lighthouse lighthouses tower towers",
    shapes.house: "house houses cottage cabin home barn hut building",
    shapes.castle: "castle castles fortress palace",
    shapes.tree: "tree trees oak bonsai apple",
    shapes.pine: "pine pines fir firs spruce christmas",
    shapes.flower: "flower flowers rose tulip sunflower daisy plant cactus",
    shapes.mushroom: "mushroom mushrooms toadstool",
    machines.car: "car cars taxi automobile roadster vehicle truck",
    machines.robot: "robot robots android droid cyborg",
    machines.rocket: "rocket rockets spaceship spacecraft shuttle",
    machines.boat: "boat boats ship ships sailboat yacht",
    machines.snowman: "snowman snowmen",
    machines.animal: "cat cats kitten dog dogs puppy fox wolf bear lion horse cow animal corgi",
    machines.figure: "person man woman girl boy knight wizard astronaut figure statue character warrior people",
}
_THINGS: dict[str, Recipe] = {word: recipe for recipe, words in _RECIPES.items() for word in words.split()}
_COLOURS: dict[str, Colour] = {
    "red": (200, 56, 50), "blue": (52, 106, 190), "green": (70, 144, 86), "yellow": (238, 194, 70), "orange": (234, 134, 52),
    "purple": (134, 82, 172), "pink": (234, 138, 164), "black": (50, 48, 56), "white": (236, 234, 230), "golden": (218, 172, 82),
    "gold": (218, 172, 82), "silver": (186, 190, 198), "grey": (140, 142, 148), "gray": (140, 142, 148), "brown": (128, 84, 54),
    "turquoise": (56, 166, 170), "wooden": (168, 112, 66), "wood": (168, 112, 66), "teal": (38, 128, 132), "steel": (150, 160, 172),
}  # fmt: skip
_USUAL: tuple[Colour, ...] = ((206, 84, 66), (60, 120, 186), (226, 164, 66), (72, 148, 116), (150, 96, 166), (46, 140, 160))


def built(prompt: str, seed: int, *, fine: bool) -> Mesh:
    """What the prompt asks for, side by side; something of its own when it names nothing that is known here."""
    words = re.findall("[a-z]+", prompt.lower())
    recipes = list(dict.fromkeys(_THINGS[word] for word in words if word in _THINGS))[:_MOST_THINGS]
    named = [_COLOURS[word] for word in words if word in _COLOURS]
    taste = _random(prompt)
    fineness = 24 if fine else 8
    row = Clay(fineness)
    edge = 0.0
    for number, recipe in enumerate(recipes or [machines.sculpture]):
        usual = _USUAL[int(taste.integers(len(_USUAL)))]
        clay = Clay(fineness)
        recipe(clay, Hand(named[min(number, len(named) - 1)] if named else usual, _random(f"{prompt}\n{seed}")))
        low, high = clay.span()
        row.add(clay, edge - float(low[0]))
        edge += float(high[0] - low[0]) + _GAP
    return row.fired()


def _random(text: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]))
