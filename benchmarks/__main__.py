"""Run benchmarks, print their figures as tables, and write them as a document: `python -m benchmarks [--quick] [NAME...]`."""

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from benchmarks.report import Report, machine, printed, write_document
from benchmarks.runner import measure

BENCHMARKS = (
    "batch",
    "looks",
    "accounts",
    "imports",
    "rerun",
    "campaign_file",
    "open_jobs",
    "webhooks",
    "journal",
    "sandbox",
    "large_file",
    "submissions",
)
"""Modules of this folder, in the order of the document."""
IN_QUICK = BENCHMARKS[:6]
"""Those that `--quick` runs where none is named."""
RESULTS = Path(".genmedia") / "bench"
STRANGE = ("GENMEDIA_", "PREFECT_")
"""What names of environment variables begin with that must not reach a program: somebody's own journal, store and server."""
QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}

app = cyclopts.App(name="benchmarks", help=__doc__)


@app.default
def main(
    *names: str,
    quick: bool = False,
    rounds: Annotated[int, Parameter(validator=cyclopts.validators.Number(gte=1))] = 3,
    document: Path | None = None,
    results: Path = RESULTS,
) -> int:
    """Run benchmarks; returns 1 if a program failed. No figure makes it fail.

    Args:
        names: Benchmarks to run; all where none is named.
        quick: Do less work in each, and leave out what takes long.
        rounds: How often each program runs.
        document: Folder in which `benchmarks.md` and its plots are written; none by default.
        results: Folder for `results.json` and for what the programs print.
    """
    if strange := [name for name in names if name not in BENCHMARKS]:
        sys.stderr.write(f"no such benchmark: {', '.join(strange)}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    for name in [name for name in os.environ if name.startswith(STRANGE)]:
        del os.environ[name]
    os.environ.update(QUIET)
    made = f"make {'bench-quick' if quick else 'bench'}"
    command = " ".join(["python -m benchmarks", *(["--quick"] if quick else []), *names]) if names else made
    report = Report(command, machine(), datetime.now(UTC).date().isoformat(), quick, rounds)
    for name in names or (IN_QUICK if quick else BENCHMARKS):
        print(f"\n{name}", flush=True)
        measured = measure(f"benchmarks.{name}", quick=quick, rounds=rounds, logs=results, tell=_say)
        report.results[name] = measured
        print(printed(name, measured, quick=quick), flush=True)
        (results / "results.json").write_text(json.dumps(report.as_json(), indent=1), encoding="utf-8")
    if document:
        write_document(report, document)
    failures = [one for measured in report.results.values() for one in measured.failures]
    print("", *failures, sep="\n", file=sys.stderr)
    return int(bool(failures))


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 # as signals call it
    sys.exit(128 + number)  # what was started is ended on the way out


if __name__ == "__main__":
    app()
