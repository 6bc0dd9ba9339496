"""What a prompt asks for, as far as the sandbox can draw it: light, weather, places and subjects."""

import re
from dataclasses import dataclass

Words = dict[str, str]


def _table(**kinds: str) -> Words:
    return {word: kind for kind, words in kinds.items() for word in words.split()}


LIGHTS = _table(
    sunset="sunset sundown dusk evening golden autumn fall",
    dawn="dawn sunrise morning pastel spring",
    night="night midnight nighttime moon moonlit moonlight neon stars starry dark",
    day="day daylight noon summer sunny bright",
)
MOODS = _table(
    storm="storm stormy rain rainy thunder grey gray fog foggy mist misty moody winter snow snowy",
    night="jazz club bar cyberpunk futuristic cinematic",
)
"""What suggests a light when nothing says it."""
WEATHERS = _table(rain="rain rainy storm stormy thunder", snow="snow snowy snowing winter blizzard christmas")
PLACES = _table(
    sea="sea ocean beach coast coastal wave waves lake river harbour harbor bay island surf water seaside shore",
    mountains="mountain mountains alps alpine peak peaks summit valley volcano cliff cliffs fjord",
    city="city cityscape skyline street streets downtown building buildings skyscraper skyscrapers urban rooftop tokyo york london paris",
    forest="forest forests woods woodland jungle pine pines rainforest trees",
    desert="desert dune dunes sahara sand canyon",
    reef="coral reef underwater aquarium",
    space="space galaxy planet planets cosmos nebula universe orbit cosmic",
    room="club cafe room kitchen interior studio desk table library bar restaurant indoors office shelf wooden marble",
    field="field fields meadow garden park road farm village hill hills grass countryside landscape vineyard",
)
SUBJECTS = _table(
    cat="cat cats kitten kittens",
    dog="dog dogs puppy puppies corgi fox wolf",
    cup="cup coffee mug tea latte espresso cappuccino",
    car="car cars automobile taxi roadster",
    portrait="portrait woman man girl boy person face people model musician chef dancer",
    boat="boat boats ship ships sailboat yacht sailing",
    balloon="balloon balloons",
    flower="flower flowers rose roses tulip tulips sunflower sunflowers bouquet daisy",
    house="house houses cottage cabin home barn hut",
    tree="tree oak palm",
    bicycle="bicycle bike cyclist",
    fish="fish fishes goldfish",
    bird="bird birds gull gulls seagull eagle owl parrot",
    piano="piano pianist keyboard",
    bottle="bottle perfume product cosmetics serum wine lotion",
    robot="robot robots android cyborg astronaut",
    rocket="rocket spaceship spacecraft shuttle",
    lighthouse="lighthouse tower castle",
    drone="drone drones quadcopter",
)
INDOORS = {"cup", "portrait", "bottle", "piano", "cat", "dog"}
_MOST_SUBJECTS = 2


@dataclass(frozen=True)
class Scene:
    """What is to be drawn: one light, perhaps a weather, the places from far to near and the subjects in the prompt's order."""

    light: str
    weather: str | None
    places: tuple[str, ...]
    subjects: tuple[str, ...]


def read_scene(text: str) -> Scene:
    """Find the words that can be drawn; a prompt with none of them gets a still life of its own."""
    words = re.findall("[a-z]+", text.lower())
    found = {name: list(dict.fromkeys(table[word] for word in words if word in table)) for name, table in _TABLES.items()}
    places, subjects = found["places"], found["subjects"][:_MOST_SUBJECTS]
    if not places and not subjects and not found["lights"]:
        places, subjects = ["room"], ["orbs"]
    elif not places:
        places = ["room"] if set(subjects) & INDOORS else ["field"]
    if "fish" in subjects and places == ["field"]:
        places = ["reef"]
    light = next(iter([*found["lights"], *found["moods"]]), "night" if "space" in places else "day")
    return Scene(light, next(iter(found["weathers"]), None), tuple(places), tuple(subjects))


_TABLES = {"lights": LIGHTS, "moods": MOODS, "weathers": WEATHERS, "places": PLACES, "subjects": SUBJECTS}
