"""How long a plan takes, as far as its accounts, its feeding and its requests decide that."""

from typing import Any

import pytest

from genmedia.campaign.forecast import HANDLING_SECONDS, Pace, forecast
from genmedia.providers.genova.steps import GenovaStep, Jobs
from genmedia.providers.inputs import PendingInput
from genmedia.providers.steps import Operation, PlannedStep


def run(name: str, *feeders: str) -> PlannedStep:
    """A step of Genova that others feed."""
    operation = Jobs().operation(GenovaStep(name=name, model="imagen4", prompt="x"))
    assert isinstance(operation, Operation)
    return PlannedStep(name, operation, tuple(PendingInput("reference 1", "image", feeder, "result") for feeder in feeders))


def seconds(runs: list[PlannedStep], each: float = 10, at_once: int | None = None, **pace: Any) -> float:
    known: dict[str, Any] = {"open_jobs": None, "per_minute": None, "clock_scale": 1.0, **pace}
    return forecast(runs, {one.name: each for one in runs}, {"genova": Pace(**known)}, at_once)


EACH = 10 + HANDLING_SECONDS
MANY = [run(f"s{number}") for number in range(20)]


@pytest.mark.parametrize(
    ("runs", "limits", "took"),
    [
        ([], {}, 0.0),
        (MANY, {}, EACH),
        (MANY, {"open_jobs": 5}, 4 * EACH),
        (MANY, {"open_jobs": 5, "at_once": 2}, 10 * EACH),
        (MANY, {"open_jobs": 6}, 4 * EACH),
        ([run("a"), run("b", "a"), run("c", "b")], {}, 3 * EACH),
        ([run("a"), run("b"), run("c", "a", "b"), run("d")], {"open_jobs": 2}, 2 * EACH),
        (MANY, {"per_minute": 10}, 3 * 60.0),
        (MANY, {"per_minute": 10, "clock_scale": 10}, 18.0),
        ([run("b", "gone")], {}, EACH),
    ],
)
def test_a_plan_takes_as_long_as_its_slots_its_feeding_or_its_requests(
    runs: list[PlannedStep], limits: dict[str, Any], took: float
) -> None:
    assert seconds(runs, **limits) == pytest.approx(took)
