"""The runner of the benchmarks: what it measures, writes and ends. How fast anything is, no test says."""

import json
import os
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS
from benchmarks.baselines.schedules import SCHEDULES, looks
from benchmarks.runner import measure
from tests.commands import PROJECT, python

MODULE = "tests.benchmarks.broken"


def _is_there(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_benchmark_is_run_and_written_as_a_page_with_table_and_plot(tmp_path: Path) -> None:
    words = ("--quick", "--rounds", "1", "--document", str(tmp_path), "--results", str(tmp_path / "results"))
    done = python("-m", "benchmarks", *words, "journal", GENMEDIA_JOURNAL_URL=f"sqlite:///{tmp_path}/own.db")

    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| look up a purchase by its key |" in page
    assert "≤ 100" in page
    assert "![journal" in page
    assert "SELECT 1" in (tmp_path / "benchmarks" / "journal.svg").read_text()
    assert not (tmp_path / "own.db").exists(), "a benchmark used somebody's journal"
    assert str(tmp_path) not in page
    assert os.uname().nodename not in page
    values = json.loads((tmp_path / "results" / "results.json").read_text())["results"]["journal"]["values"]
    assert len(values["SELECT 1"]["time"]) == 1


def test_a_program_that_fails_or_hangs_is_told_and_ended_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("CHILD", str(tmp_path / "child"))

    measured = measure(MODULE, quick=False, rounds=1, logs=tmp_path / "logs", tell=lambda _: None)

    assert measured.values == {"genmedia": {"value": [0]}}
    failed, hung = measured.failures
    assert "fails: it ended with 1: the provider is on strike" in failed
    assert "hangs: it was ended after 10 s" in hung
    assert not _is_there(int((tmp_path / "child").read_text()))


def test_at_the_small_size_only_the_programs_for_it_run_in_each_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)

    measured = measure(MODULE, quick=True, rounds=2, logs=tmp_path, tell=lambda _: None)

    assert measured.values["genmedia"]["value"] == [0, 1]
    assert measured.failures == []


def test_a_benchmark_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = python("-m", "benchmarks", "speed")

    assert done.returncode == 2
    assert f"there are {', '.join(BENCHMARKS)}" in done.stderr


@pytest.mark.parametrize(
    ("schedule", "seconds", "expected"),
    [("documents' loop (each 3 s)", 7.0, (4, 2.0)), ("fal-client (each 0.1 s)", 0.0, (1, 0.0))],
)
def test_a_schedule_looks_as_often_as_its_pauses_say(schedule: str, seconds: float, expected: tuple[int, float]) -> None:
    assert looks(SCHEDULES[schedule](), seconds) == expected


def test_runways_client_waits_before_its_first_look_too() -> None:
    assert all(4.5 <= pause <= 7.5 for pause in islice(SCHEDULES["runwayml (4.5 to 7.5 s)"](), 100))
