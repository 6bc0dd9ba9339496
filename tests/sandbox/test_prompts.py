import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from genmedia.sandbox.drawing.prompts import Prompt, UnreadableReferenceError, film, paint
from genmedia.sandbox.drawing.prompts.looks import LOOKS
from genmedia.sandbox.drawing.prompts.reading import PLACES, SUBJECTS, read_scene
from genmedia.sandbox.drawing.prompts.references import MODES
from genmedia.sandbox.drawing.prompts.scenery import LIGHTS
from genmedia.sandbox.drawing.prompts.scenery import PLACES as PAINTERS
from genmedia.sandbox.drawing.prompts.subjects import DRAWINGS
from genmedia.sandbox.drawing.techniques.studio import bare_letters

PHOTOS = sorted((Path(__file__).parents[2] / "photos").glob("*.jpg"))
LAKE = Prompt("A sailboat on a lake at sunset", "imagen4", (16, 9), 256)


def seen(prompt: Prompt) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(paint(prompt))).convert("RGB"), dtype=np.int16)


def difference(one: Prompt, other: Prompt) -> float:
    return float(np.abs(seen(one) - seen(other)).mean())


def test_letters_with_accents_are_written_without_them() -> None:
    assert bare_letters("Frühling, Café") == "Fruhling, Cafe"
    assert bare_letters("東京 2026") == "?? 2026"


def test_every_word_that_is_read_can_be_drawn() -> None:
    assert set(PLACES.values()) == set(PAINTERS)
    assert set(SUBJECTS.values()) | {"orbs"} == set(DRAWINGS)


@pytest.mark.parametrize(
    ("text", "light", "places", "subjects"),
    [
        ("A cat playing piano in a jazz club", "night", ("room",), ("cat", "piano")),
        ("A futuristic cityscape at sunset", "sunset", ("city",), ()),
        ("A drone flyover of a coral reef", "day", ("reef",), ("drone",)),
        ("snowy mountains", "storm", ("mountains",), ()),
        ("a steaming mug", "day", ("room",), ("cup",)),
        ("an old barn", "day", ("field",), ("house",)),
        ("xyzzy", "day", ("room",), ("orbs",)),
    ],
)
def test_a_prompt_is_read_for_light_places_and_subjects(
    text: str, light: str, places: tuple[str, ...], subjects: tuple[str, ...]
) -> None:
    scene = read_scene(text)
    assert (scene.light, scene.places, scene.subjects) == (light, places, subjects)
    assert scene.light in LIGHTS


@pytest.mark.parametrize("word", [*dict.fromkeys(PLACES.values()), *dict.fromkeys(SUBJECTS.values())])
def test_every_place_and_subject_is_painted_in_every_format(word: str) -> None:
    spoken = next(text for text, kind in {**PLACES, **SUBJECTS}.items() if kind == word)
    for ratio in ((16, 9), (9, 16)):
        image = seen(Prompt(f"{spoken} in the rain", "imagen4", ratio, 128))
        assert image.shape[:2] == ((72, 128) if ratio == (16, 9) else (128, 72))
        assert image.std() > 8, "it is no empty sheet"


def test_the_same_prompt_gives_the_same_bytes() -> None:
    assert paint(LAKE) == paint(LAKE)


@pytest.mark.parametrize(
    "other",
    [
        Prompt("A sailboat on a lake at night", "imagen4", (16, 9), 256),
        Prompt("A sailboat on a lake at sunset", "nano_banana_pro", (16, 9), 256),
        LAKE.again(1),
    ],
    ids=["another prompt", "another model", "another number"],
)
def test_another_prompt_model_or_number_gives_another_picture(other: Prompt) -> None:
    assert difference(LAKE, other) > 2


def test_every_model_has_a_look_of_its_own_and_a_stranger_borrows_one() -> None:
    pictures = {paint(Prompt("Hills", model, (1, 1), 96)) for model in [*LOOKS, "somebody-elses-model"]}
    assert len(pictures) == len(LOOKS) + 1


@pytest.mark.parametrize("mode", MODES)
def test_every_reference_mode_is_seen_and_tells_references_apart(mode: str) -> None:
    astronaut, coffee = (Prompt(LAKE.text, "freepik", (1, 1), 192, 0, mode, (photo.read_bytes(),)) for photo in PHOTOS[:2])
    plain = Prompt(LAKE.text, "freepik", (1, 1), 192)
    assert difference(plain, astronaut) > 3
    assert difference(astronaut, coffee) > 3


def test_the_style_takes_over_the_references_colours() -> None:
    def red_over_blue(prompt: Prompt) -> float:
        image = seen(prompt)
        return float((image[..., 0] - image[..., 2]).mean())

    coffee = PHOTOS[1].read_bytes()
    plain = Prompt("A snowy forest", "imagen4", (1, 1), 192)
    for mode in ("style", "color"):
        styled = Prompt("A snowy forest", "imagen4", (1, 1), 192, 0, mode, (coffee,))
        assert red_over_blue(styled) > red_over_blue(plain) + 20


def test_a_reference_that_is_no_picture_is_named_unreadable() -> None:
    with pytest.raises(UnreadableReferenceError):
        paint(Prompt("Hills", "imagen4", (1, 1), 64, 0, "ingredients", (b"no picture",)))


def test_a_clip_moves_and_lasts_as_long_as_asked() -> None:
    clip = film(Prompt("Waves in the rain", "veo3_fast", (9, 16), 96), 3)
    with av.open(io.BytesIO(clip), "r") as container:
        frames = [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in container.decode(video=0)]
    assert (len(frames), frames[0].shape) == (72, (96, 54, 3))
    assert np.abs(frames[0] - frames[-1]).mean() > 2
