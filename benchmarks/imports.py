"""How long the library takes to import and its command line to answer, beside Python's own start and Prefect's import."""

import subprocess
import sys
from time import perf_counter

from benchmarks.figures import Benchmark, Figure, Goal, Readings, Stage

START, PREFECT = "python -c pass", "import prefect"
IMPORTS = ("import genmedia", "import genmedia.cli.app", "import genmedia.providers.flora.client")
HELP, FLOW_HELP = "genmedia --help", "genmedia run image-batch --help"


def _words(way: str) -> list[str]:
    """The command that a way stands for."""
    return ["-m", *way.split()] if way.startswith("genmedia") else ["-c", "pass" if way == START else way]


def _program(stage: Stage) -> Readings:
    """Run each command once, in another order in each round."""
    ways = [START, PREFECT, *IMPORTS, HELP, FLOW_HELP]
    seconds: dict[str, float] = {}
    for way in ways[stage.round % len(ways) :] + ways[: stage.round % len(ways)]:
        begun = perf_counter()
        subprocess.run([sys.executable, *_words(way)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        seconds[way] = perf_counter() - begun
    whole = seconds[PREFECT] - seconds[START]
    return {
        way: {"time": seconds[way]} | ({"beside Prefect": (seconds[way] - seconds[START]) / whole} if way != START else {})
        for way in ways
    }


BENCHMARK = Benchmark(
    about="""Each command in a fresh interpreter, whose own start is in the time. The second figure leaves it out: how long a
    command takes of what `import prefect` takes.""",
    figures=(
        Figure("time", "s", {FLOW_HELP: Goal(0.6)}),
        Figure("beside Prefect", "x its import", dict.fromkeys((*IMPORTS, HELP), Goal(1 / 3))),
    ),
    programs={"all commands": _program},
)
