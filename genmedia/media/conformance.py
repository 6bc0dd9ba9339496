"""Compares a file with what was asked for: a job can succeed and give another size, aspect ratio or duration."""

from dataclasses import dataclass
from fractions import Fraction

from genmedia.media.facts import MediaFacts

RATIO_TOLERANCE = 0.04
"""Largest relative difference between two ratios that counts as none. Models make sides in multiples of 8 to 64 pixels: for 16:9,
1344 x 768 (1.6 % less) and 1024 x 576 are usual, for 21:9 1536 x 640 (2.9 % more). The two usual ratios that are nearest to each other,
5:4 and 4:3, are more than 6 % apart."""
DURATION_SECONDS, DURATION_SHARE = 0.25, 0.05
"""Largest difference in duration that counts as none, in seconds and as a share of the duration asked for; the larger one holds.
Videos end with a whole picture, and models make pictures in groups: 81 pictures at 16 a second last 5.06 s."""


@dataclass(frozen=True)
class Expected:
    """The properties that were asked for; a property that was not is left empty.

    Attributes:
        kind: `image`, `video`, `model` or `text`.
        width: Pixels, as shown.
        height: Pixels, as shown.
        ratio: Width to height, such as `16:9`; a text that is not two numbers, such as `auto`, asks for nothing.
        duration: Length in seconds.
    """

    kind: str = ""
    width: int | None = None
    height: int | None = None
    ratio: str = ""
    duration: float | None = None


def compare(facts: MediaFacts, expected: Expected) -> list[str]:
    """Return a sentence for people for each difference from what was asked for; facts that are None are not compared."""
    if expected.kind and facts.kind != expected.kind:
        return [f"asked for {expected.kind}, came {facts.kind} ({facts.media_type})"]
    return [
        difference for difference in (_size(facts, expected), _ratio(facts, expected), _length(facts, expected)) if difference
    ]


def _size(facts: MediaFacts, expected: Expected) -> str:
    wanted, came = (expected.width, expected.height), (facts.width, facts.height)
    if None in came or all(want in (None, found) for want, found in zip(wanted, came, strict=True)):
        return ""
    if None not in wanted:
        return f"asked for {wanted[0]} x {wanted[1]} pixels, came {came[0]} x {came[1]}"
    side, want = ("width", wanted[0]) if wanted[0] else ("height", wanted[1])
    return f"asked for a {side} of {want} pixels, came {came[0]} x {came[1]}"


def _ratio(facts: MediaFacts, expected: Expected) -> str:
    wanted = _shape(expected.ratio)
    if not wanted or not facts.width or not facts.height:
        return ""
    came = Fraction(facts.width, facts.height)
    if abs(float(came / wanted) - 1) <= RATIO_TOLERANCE:
        return ""
    plain = came.limit_denominator(20)
    about = "" if plain == came else "about "
    return f"asked for ratio {expected.ratio}, came {about}{plain.numerator}:{plain.denominator} ({facts.width} x {facts.height})"


def _shape(ratio: str) -> Fraction | None:
    width, _, height = ratio.partition(":")
    try:
        return Fraction(width) / Fraction(height) or None
    except (ValueError, ZeroDivisionError):
        return None


def _length(facts: MediaFacts, expected: Expected) -> str:
    if expected.duration is None or facts.duration is None:
        return ""
    if abs(facts.duration - expected.duration) <= max(DURATION_SECONDS, expected.duration * DURATION_SHARE):
        return ""
    return f"asked for {expected.duration:g} s, came {facts.duration:.1f} s"
