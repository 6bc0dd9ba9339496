"""What came is measured against what was asked for, and only against that."""

import pytest

from genmedia.media.conformance import Expected, compare
from genmedia.media.facts import MediaFacts


def picture(width: int, height: int) -> MediaFacts:
    return MediaFacts("image/png", width, height)


@pytest.mark.parametrize(
    ("facts", "expected", "differences"),
    [
        (picture(1024, 1024), Expected(width=1024, height=1024), []),
        (picture(512, 512), Expected(width=1024, height=1024), ["asked for 1024 x 1024 pixels, came 512 x 512"]),
        (picture(1024, 512), Expected(width=1024), []),
        (picture(512, 300), Expected(width=1024), ["asked for a width of 1024 pixels, came 512 x 300"]),
        (picture(512, 300), Expected(height=400), ["asked for a height of 400 pixels, came 512 x 300"]),
        (picture(1024, 768), Expected(ratio="16:9"), ["asked for ratio 16:9, came 4:3 (1024 x 768)"]),
        (picture(1000, 1777), Expected(ratio="16:9"), ["asked for ratio 16:9, came about 9:16 (1000 x 1777)"]),
        (picture(9, 1), Expected(ratio="auto"), []),
        (picture(9, 1), Expected(ratio="1:0"), []),
        (MediaFacts("video/mp4", duration=5.0), Expected(duration=8), ["asked for 8 s, came 5.0 s"]),
        (MediaFacts("video/mp4", duration=8.2), Expected(duration=8), []),
        (MediaFacts("video/mp4", duration=2.25), Expected(duration=2), []),
        (MediaFacts("video/mp4", duration=2.3), Expected(duration=2), ["asked for 2 s, came 2.3 s"]),
        (MediaFacts("video/mp4", duration=19.1), Expected(duration=20), []),
        (MediaFacts("video/mp4", duration=18.9), Expected(duration=20), ["asked for 20 s, came 18.9 s"]),
        (picture(9, 1), Expected(kind="video", width=3), ["asked for video, came image (image/png)"]),
        (MediaFacts("model/gltf-binary"), Expected(width=3, height=4, ratio="3:4", duration=2), []),
        (picture(9, 1), Expected(), []),
    ],
)
def test_each_difference_is_a_sentence(facts: MediaFacts, expected: Expected, differences: list[str]) -> None:
    assert compare(facts, expected) == differences


def test_all_differences_are_told() -> None:
    film = MediaFacts("video/mp4", 640, 480, 5.0)

    assert len(compare(film, Expected("video", 1920, 1080, "16:9", 8))) == 3


@pytest.mark.parametrize(
    ("width", "height", "ratio"),
    [
        (1344, 768, "16:9"),
        (1024, 576, "16:9"),
        (768, 1344, "9:16"),
        (1216, 832, "3:2"),
        (832, 1216, "2:3"),
        (1152, 896, "4:3"),
        (1152, 896, "5:4"),
        (1536, 640, "21:9"),
        (854, 480, "16:9"),
    ],
)
def test_the_sizes_that_models_make_for_a_ratio_are_of_that_ratio(width: int, height: int, ratio: str) -> None:
    assert compare(picture(width, height), Expected(ratio=ratio)) == []


@pytest.mark.parametrize(
    ("size", "ratio"), [((1280, 1024), "4:3"), ((1024, 768), "5:4"), ((1920, 1200), "16:9"), ((3, 2), "4:3")]
)
def test_usual_ratios_are_not_taken_for_one_another(size: tuple[int, int], ratio: str) -> None:
    assert len(compare(picture(*size), Expected(ratio=ratio))) == 1
