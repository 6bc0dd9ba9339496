"""Warnings about a plan: what is no fault, and may still not be what a person wants to pay for."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from genmedia.providers.inputs import Input, PendingInput
from genmedia.providers.steps import PlannedStep
from genmedia.transport.expiry import expires_at
from genmedia.transport.redaction import bare_url

ALIKE = 0.1
"""Largest difference of two shapes, as a share, that nobody sees."""

SPARE = timedelta(hours=1)
"""Time by which an address should work longer than a plan is foreseen to take: its account may be busy."""


def cut_off(plan: Sequence[PlannedStep]) -> list[str]:
    """Return a sentence for each picture that becomes a video of another shape."""
    shapes = {step.name: step.operation.ratio for step in plan}
    told: list[str] = []
    for step in plan:
        asked = step.operation.ratio
        if asked is None or "video" not in step.operation.gives.values():
            continue
        for source in step.inputs:
            given = shapes.get(source.run) if isinstance(source, PendingInput) else source.ratio
            if source.type == "image" and given and abs(given / asked - 1) > ALIKE:
                shapes_of_both = f"it is {given:.2f} times as wide as high, the video {asked:.2f} times"
                told.append(f"{step.name}: the edges of {_called(source)} will be cut off: {shapes_of_both}")
    return told


def expiring(plan: Sequence[PlannedStep], begun: datetime, seconds: float | None) -> list[str]:
    """Return a sentence for each address that a provider reads and that may not work any more when it does.

    Args:
        plan: The steps that are bought.
        begun: When they are.
        seconds: How long that takes; None where it is not known.
    """
    end = begun + timedelta(seconds=seconds or 0) + SPARE
    urls = dict.fromkeys(
        source.url for step in plan for source in step.inputs if not isinstance(source, PendingInput) and source.url
    )
    ends = {url: until for url in urls if (until := expires_at(url)) and until < end}
    return [
        f"{bare_url(url)}: this link works until {until:%Y-%m-%d %H:%M} UTC, which may be too short"
        for url, until in ends.items()
    ]


def _called(source: Input) -> str:
    return f"the picture of {source.run}" if isinstance(source, PendingInput) else source.source
