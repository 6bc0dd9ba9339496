"""The times at which jobs are looked at come from the running times of those before them."""

import random
from collections.abc import Callable

import pytest

from genmedia.jobs.durations import LEARNED, LOOKS, OVERDUE, TELLING, Durations, Schedule

JOBS = 2_000
DICE = random.Random(7)

KINDS: dict[str, Callable[[], float]] = {
    "constant": lambda: DICE.uniform(29.9, 30.1),
    "uniform": lambda: DICE.uniform(30, 45),
    "log-normal, narrow": lambda: 40 * DICE.lognormvariate(0, 0.1),
    "log-normal": lambda: 40 * DICE.lognormvariate(0, 0.15),
    "bimodal": lambda: DICE.gauss(10, 0.4) if DICE.random() < 0.5 else DICE.gauss(60, 2),
}


def watch(schedule: Schedule, ran: float) -> tuple[int, float]:
    """The number of looks until a job that ran so long is seen ended, and the time from its end to that look as a share."""
    looks, elapsed = 0, 0.0
    while elapsed < ran:
        looks, elapsed = looks + 1, elapsed + schedule.pause(elapsed)
    return looks, (elapsed - ran) / ran


def learned(draw: Callable[[], float], count: int = 200) -> Schedule:
    return Schedule(Durations(tuple(sorted(draw() for _ in range(count)))))


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_is_seen_soon_with_few_looks(kind: str) -> None:
    schedule = learned(KINDS[kind])

    watched = [watch(schedule, KINDS[kind]()) for _ in range(JOBS)]

    late = sorted(share for _, share in watched)
    assert sum(looks for looks, _ in watched) / JOBS <= LOOKS + 0.25  # the sample is not the whole
    assert late[int(0.95 * JOBS)] <= 0.14
    assert late[int(0.90 * JOBS)] <= 0.11


@pytest.mark.parametrize("spread", [0.3, 0.5, 1.0])
def test_where_times_differ_much_an_end_is_seen_later_and_not_with_more_looks(spread: float) -> None:
    def draw() -> float:
        return 40 * DICE.lognormvariate(0, spread)

    schedule = learned(draw)

    assert sum(watch(schedule, draw())[0] for _ in range(JOBS)) / JOBS <= LOOKS + 0.25


def test_the_first_look_comes_when_the_first_jobs_have_ended() -> None:
    schedule = learned(KINDS["uniform"])

    assert (schedule.durations.p10 or 0) * 0.9 < schedule.pause(0) < (schedule.durations.p50 or 0)


def test_a_job_that_runs_longer_than_all_before_is_looked_at_less_and_less() -> None:
    schedule = learned(KINDS["constant"])

    pauses = [schedule.pause(elapsed) for elapsed in (31, 40, 60, 80)]

    assert pauses == sorted(pauses)
    assert pauses[0] < 3.5
    assert pauses[-1] > 20


def test_where_nothing_is_known_the_pauses_grow_with_the_time() -> None:
    assert [Schedule().pause(elapsed) for elapsed in (0, 10, 100)] == [0, 1, 10]


def test_the_estimate_of_the_provider_counts_until_enough_is_known() -> None:
    few = Durations((5.0,) * (LEARNED - 1))

    assert Schedule(few, 100).pause(0) == pytest.approx(70)
    assert Schedule(few, 100).pause(90) == pytest.approx(9)
    assert Schedule(Durations((5.0,) * LEARNED), 100).pause(0) < 6


def test_an_estimate_that_cannot_be_true_keeps_no_job_from_being_looked_at() -> None:
    assert Schedule(estimate=1e12).pause(0) <= 600
    assert Schedule(estimate=-5).pause(10) == 1


def test_a_job_is_overdue_only_where_enough_is_known() -> None:
    assert Durations((10.0,) * TELLING).overdue(OVERDUE * 10 + 1)
    assert not Durations((10.0,) * TELLING).overdue(OVERDUE * 10 - 1)
    assert not Durations((10.0,) * (TELLING - 1)).overdue(1000)


def test_quantiles_are_times_of_jobs() -> None:
    durations = Durations(tuple(float(number) for number in range(1, 101)))

    assert (durations.p10, durations.p50, durations.p95, durations.count) == (10, 50, 95, 100)
    assert Durations().p50 is None
