"""Run one program of a benchmark: `python -m benchmarks.program MODULE PROGRAM STAGE RESULT`, as `benchmarks.runner` starts it."""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.figures import Benchmark, Stage


def main(module: str, program: str, stage: str, result: str) -> None:
    """Run it on the stage, which is JSON, and write its readings into the file `result`."""
    benchmark: Benchmark = import_module(module).BENCHMARK
    told: dict[str, Any] = json.loads(stage)
    readings = benchmark.programs[program](Stage(told["quick"], told["round"], Path(told["folder"]), told["servers"]))
    Path(result).write_text(json.dumps(readings, allow_nan=False), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
