"""The figures of a run as tables, as plots, and as the document docs/benchmarks.md."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import Benchmark, Figure
from benchmarks.runner import Measured

LIBRARIES = ("prefect", "httpx", "pydantic", "sqlalchemy", "pillow")


@dataclass
class Report:
    """What a run has measured.

    Attributes:
        command: What was typed.
        machine: What it ran on, by name of the part.
        date: As ISO 8601.
        quick: Whether it was the small size.
        rounds: How often each program ran.
        results: By name of the benchmark.
    """

    command: str
    machine: Mapping[str, str]
    date: str
    quick: bool
    rounds: int
    results: dict[str, Measured] = field(default_factory=dict[str, Measured])

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        results = {name: {"values": one.values, "failures": one.failures} for name, one in self.results.items()}
        return {
            "command": self.command,
            "machine": self.machine,
            "date": self.date,
            "quick": self.quick,
            "rounds": self.rounds,
            "results": results,
        }


def machine() -> dict[str, str]:
    """Describe this machine and what runs on it, without its name."""
    info = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    model = next((value.strip() for name, value in info.items() if name.strip() == "model name"), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return {
        "Processor": f"{len(os.sched_getaffinity(0))} cores, {model}",
        "Memory": f"{memory:.1f} GiB",
        "System": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {'.'.join(platform.release().split('.')[:2])}",
        "Python": platform.python_version(),
        "Libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "Load before the run": f"{os.getloadavg()[0]:.2f} processes that ran or wanted to, over a minute",
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _cell(values: Sequence[float]) -> str:
    """The median, with the least and the greatest value where they differ."""
    if not values:
        return ""
    middle, least, greatest = (_number(one) for one in (median(values), min(values), max(values)))
    return middle if least == greatest else f"{middle} ({least} to {greatest})"


def _goal(figure: Figure, way: str, values: Sequence[float], *, quick: bool) -> str:
    """A goal and whether the median holds it; empty without one."""
    goal = figure.goals.get(way)
    if goal is None or not values:
        return ""
    words = f"{'≥' if goal.at_least else '≤'} {_number(goal.limit)}"
    if quick and not figure.goals_in_quick:
        return f"{words} at full size"
    return f"{words} {'✓' if goal.holds(median(values)) else '✗ missed'}"


def _table(name: str, measured: Measured, *, quick: bool) -> Iterator[Sequence[str]]:
    """Rows of cells: the titles, then one row for each way."""
    benchmark: Benchmark = import_module(f"benchmarks.{name}").BENCHMARK
    figures = [figure for figure in benchmark.figures if any(figure.name in way for way in measured.values.values())]
    yield ["", *(f"{figure.name}, {figure.unit}" if figure.unit else figure.name for figure in figures)]
    order = [way for program in benchmark.programs for way in measured.values if way == program]
    for way in [*order, *(way for way in measured.values if way not in order)]:
        cells = [measured.values[way].get(figure.name, []) for figure in figures]
        goals = [_goal(figure, way, values, quick=quick) for figure, values in zip(figures, cells, strict=True)]
        yield [way, *(f"{_cell(values)}{goal and f'; {goal}'}" for values, goal in zip(cells, goals, strict=True))]


def printed(name: str, measured: Measured, *, quick: bool) -> str:
    """The table of a benchmark for a terminal."""
    rows = list(_table(name, measured, quick=quick))
    return "\n".join(
        "\n".join([row[0], *(f"    {title}: {cell}" for title, cell in zip(rows[0][1:], row[1:], strict=True) if cell)])
        for row in rows[1:]
    )


def write_document(report: Report, folder: Path) -> None:
    """Write `benchmarks.md` into a folder, and its plots beside it into `benchmarks/`."""
    plots = folder / "benchmarks"
    plots.mkdir(parents=True, exist_ok=True)
    for old in plots.glob("*.svg"):
        old.unlink()
    parts = [_head(report)]
    for name, measured in report.results.items():
        benchmark: Benchmark = import_module(f"benchmarks.{name}").BENCHMARK
        title, *rows = _table(name, measured, quick=report.quick)
        lines = ["| " + " | ".join(row) + " |" for row in (title, ["---"] * len(title), *rows)]
        parts.append(f"## {name}\n\n{' '.join(benchmark.about.split())}\n\n" + "\n".join(lines))
        if plot := _plot(benchmark, measured):
            (plots / f"{name}.svg").write_text(plot, encoding="utf-8")
            parts.append(f"![{name}: each way's figures side by side](benchmarks/{name}.svg)")
        parts += [f"Not measured: {one.partition(' (all of it')[0]}" for one in measured.failures]
    (folder / "benchmarks.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _head(report: Report) -> str:
    held = missed = 0
    for name, measured in report.results.items():
        for row in list(_table(name, measured, quick=report.quick))[1:]:
            held += sum(cell.endswith("✓") for cell in row)
            missed += sum(cell.endswith("missed") for cell in row)
    machine = "\n".join(f"| {name} | {value} |" for name, value in report.machine.items())
    return f"""# Benchmarks

```bash
make bench-quick    # some minutes; writes this page
make bench          # all of it, at full size: more than an hour
```

This page was written by `{report.command}` on {report.date}; each figure stands beside its baselines, measured in the
same run. Each program ran in {report.rounds} rounds, all programs of a benchmark one after the other in each, every time in a new
process; a cell is the median, with the least and the greatest value, and its goal where it has one. {held} goals are held (✓),
{missed} missed (✗). The providers are the sandbox on the same machine, whose work is in the times but not in the CPU figures. In
plots, a black line goes from the least to the greatest value, and a red one is the goal. One benchmark alone:
`python -m benchmarks NAME`, from the folder of the project.

| | |
| --- | --- |
{machine}"""


WIDTH, LEFT, RIGHT, ROW, BAR = 880, 350, 90, 22, 14
OWN, OTHER, INK, LIMIT = "#0b7285", "#adb5bd", "#212529", "#e03131"


def _plot(benchmark: Benchmark, measured: Measured) -> str:
    """Draw a panel of bars for each figure that several ways have; lines are from the least to the greatest value, red ones are goals."""
    ours = {way for figure in benchmark.figures for way in figure.goals}
    drawn, y = list[str](), 10
    for figure in benchmark.figures:
        rows = {way: figures[figure.name] for way, figures in measured.values.items() if figures.get(figure.name)}
        most = max((max(values) for values in rows.values()), default=0)
        if len(rows) < 2 or most <= 0:
            continue
        limits = [figure.goals[way].limit for way in rows if way in figure.goals]
        scale = (WIDTH - LEFT - RIGHT) / max(most, *limits, 0)
        drawn.append(_text(10, y + 14, f"{figure.name}{figure.unit and ', '}{figure.unit}", weight="bold"))
        y += ROW + 4
        for way, values in rows.items():
            end, low, high = (LEFT + scale * one for one in (median(values), min(values), max(values)))
            drawn += [
                _text(LEFT - 8, y + 12, way, anchor="end"),
                f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}" fill="{OWN if way in ours else OTHER}"/>',
                f'<path d="M{low:.1f} {y + BAR / 2}H{high:.1f}" stroke="{INK}" stroke-width="2"/>',
            ]
            beside = max(end, high)
            if goal := figure.goals.get(way):
                at = LEFT + scale * goal.limit
                drawn.append(f'<path d="M{at:.1f} {y - 3}V{y + BAR + 3}" stroke="{LIMIT}" stroke-width="2"/>')
                if beside < at < beside + 60:  # else the number would stand under the line
                    beside = at
            drawn.append(_text(beside + 6, y + 12, _number(median(values))))
            y += ROW
        y += 14
    if not drawn:
        return ""
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join([*drawn, "</svg>\n"])
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="{INK}">{escape(words)}</text>'
