"""A benchmark of which one program works, one fails and one hangs with processes of its own."""

import os
import subprocess
import sys
from pathlib import Path
from time import sleep

from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage


def _work(stage: Stage) -> Readings:
    return {"genmedia": {"value": stage.round}}


def _fail(stage: Stage) -> Readings:
    sys.exit("the provider is on strike")


def _hang(stage: Stage) -> Readings:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(os.environ["CHILD"]).write_text(str(child.pid))
    sleep(600)
    return {}


BENCHMARK = Benchmark(
    about="A benchmark.",
    figures=(Figure("value", "s", {"genmedia": Goal(1)}),),
    programs={"works": _work, "fails": _fail, "hangs": _hang},
    in_quick=("works",),
    seconds=10,
)
