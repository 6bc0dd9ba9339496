"""Runs a benchmark: all its programs in each round, each in a fresh process, and gathers what they measure."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Benchmark, MissingError, Stage
from benchmarks.processes import kill_session

SHOWN = 5
"""Number of lines that are shown of what a program that failed has printed."""


@dataclass
class Measured:
    """What the rounds of a benchmark gave.

    Attributes:
        values: By way and figure, one for each round.
        failures: What went wrong, in words.
    """

    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict[str, dict[str, list[float]]](lambda: defaultdict(list))
    )
    failures: list[str] = field(default_factory=list[str])


def measure(module: str, *, quick: bool, rounds: int, logs: Path, tell: Callable[[str], None]) -> Measured:
    """Run a benchmark.

    Args:
        module: Full name of the module that has it as `BENCHMARK`.
        quick: Whether the work is to be small.
        rounds: How often each program runs.
        logs: Folder for what programs print.
        tell: Called with a line for each program that has ended.
    """
    benchmark: Benchmark = import_module(module).BENCHMARK
    logs.mkdir(parents=True, exist_ok=True)
    measured, names = Measured(), benchmark.of_size(quick)
    with TemporaryDirectory(prefix="genmedia-bench-", ignore_cleanup_errors=True) as folder:
        try:
            with benchmark.servers(quick) as servers:
                for number in range(rounds):
                    for name in names if number % 2 == 0 else reversed(names):
                        own = Path(folder) / f"{number}-{names.index(name)}"
                        own.mkdir()
                        said = _run(module, name, Stage(quick, number, own, servers), benchmark.seconds, logs, measured)
                        tell(f"round {number + 1} of {rounds}, {name}: {said}")
        except MissingError as error:
            measured.failures.append(f"{module} was left out: {error}")
        except Exception as error:  # noqa: BLE001 # what keeps one benchmark from running must not keep the others
            measured.failures.append(f"{module} was cut off: {type(error).__name__}: {error}")
    return measured


def _run(module: str, name: str, stage: Stage, seconds: float, logs: Path, measured: Measured) -> str:
    """Run a program once; returns a sentence about it."""
    result, log = stage.folder / "readings.json", logs / f"{module.rpartition('.')[2]}-{name.replace('/', '-')}.log"
    told = json.dumps({**asdict(stage), "folder": str(stage.folder)})
    words = [sys.executable, "-m", "benchmarks.program", module, name, told, str(result)]
    env = {**os.environ, **stage.servers.get("env", {})}
    with log.open("w") as output:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True)
        try:
            process.wait(timeout=seconds)
            fault = "" if process.returncode == 0 else f"it ended with {process.returncode}"
        except subprocess.TimeoutExpired:
            fault = f"it was ended after {seconds:g} s"
        finally:
            kill_session(process.pid)
            process.wait()
    if not fault:
        readings: dict[str, dict[str, float]] = json.loads(result.read_text(encoding="utf-8"))
        for way, figures in readings.items():
            for figure, value in figures.items():
                measured.values[way][figure].append(value)
        return "; ".join(f"{figure} {value:.3g}" for figures in readings.values() for figure, value in figures.items())
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-SHOWN:]
    measured.failures.append(f"{module}, {name}: {fault}: {' / '.join(lines) or 'it printed nothing'} (all of it: {log})")
    return f"FAILED: {fault}; its last line: {lines[-1] if lines else ''}"
