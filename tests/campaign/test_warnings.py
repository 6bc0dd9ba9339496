"""Warnings about a plan, each for what a person may not want to pay for."""

from datetime import UTC, datetime
from typing import Any

from genmedia.campaign.warnings import cut_off, expiring
from genmedia.providers.genova.steps import GenovaStep, Jobs
from genmedia.providers.inputs import Input, PendingInput, ResolvedInput
from genmedia.providers.steps import Operation, PlannedStep

NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)
SIGNED = "https://bucket.example.com/mug.jpg?X-Amz-Date=20261201T020000Z&X-Amz-Expires=7200&X-Amz-Signature=secret"


def run(name: str, *inputs: Input, model: str = "veo3_fast", ratio: str | None = "landscape") -> PlannedStep:
    operation = Jobs().operation(GenovaStep.model_validate({"name": name, "model": model, "prompt": "x", "ratio": ratio}))
    assert isinstance(operation, Operation)
    return PlannedStep(name, operation, inputs)


def picture(**fields: Any) -> ResolvedInput:
    return ResolvedInput("reference 1", "image", source="mug.jpg", **fields)


def test_a_picture_that_becomes_a_video_of_another_shape_is_told() -> None:
    hero = run("hero", model="imagen4", ratio="square")
    wide = run("wide", model="imagen4")
    any_shape = run("any", model="imagen4", ratio=None)
    fed = [PendingInput("reference 1", "image", one, "result") for one in ("hero", "wide", "any")]
    films = [run(f"film-{one.run}", one) for one in fed]
    photos = [run("tall", picture(ratio=0.75)), run("nearly", picture(ratio=1.7)), run("unseen", picture())]
    stills = [run("still", fed[0], picture(ratio=0.75), model="nano_banana2")]

    assert cut_off([hero, wide, any_shape, *films, *photos, *stills]) == [
        "film-hero: the edges of the picture of hero will be cut off: it is 1.00 times as wide as high, the video 1.78 times",
        "tall: the edges of mug.jpg will be cut off: it is 0.75 times as wide as high, the video 1.78 times",
    ]


def test_an_address_that_may_not_work_any_more_when_it_is_read_is_told_once_and_without_its_signature() -> None:
    plan = [run("a", picture(url=SIGNED)), run("b", picture(url=SIGNED)), run("c", picture(url="https://example.com/a.jpg"))]
    told = ["https://bucket.example.com/mug.jpg: this link works until 2026-12-01 04:00 UTC, which may be too short"]

    assert [expiring(plan, NOW, seconds) for seconds in (None, 3000, 4000)] == [[], [], told]
