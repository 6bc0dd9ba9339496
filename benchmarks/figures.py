"""What a benchmark is: programs that do the same work in different ways, and the figures that each way gives."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS = "genmedia"


@dataclass(frozen=True)
class Goal:
    """What a figure is to be: at most `limit`, or at least that."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value is what it is to be."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """What is measured.

    Attributes:
        name: As tables have it.
        unit: Such as `s` or `ms`; empty for a plain number.
        goals: What it is to be, by way. A baseline has no goal.
        goals_in_quick: Whether the goals are for the small size as well.
    """

    name: str
    unit: str = ""
    goals: Mapping[str, Goal] = field(default_factory=dict[str, Goal])
    goals_in_quick: bool = True


@dataclass(frozen=True)
class Stage:
    """What a program finds when it starts.

    Attributes:
        quick: Whether the work is small enough for `make bench-quick`.
        round: Counts the rounds from 0.
        folder: Empty, and the program's own.
        servers: What the benchmark's `servers` yielded.
    """

    quick: bool
    round: int
    folder: Path
    servers: Mapping[str, Any]


Readings = Mapping[str, Mapping[str, float]]
"""Values by the name of the way and that of the figure."""

Program = Callable[[Stage], Readings]
"""Does the work once, in a process of its own; what it imports before it is called is not measured."""


class MissingError(Exception):
    """This machine has not got what a benchmark needs; the message names it, and where it is to be had."""


@contextmanager
def no_servers(quick: bool) -> Generator[Mapping[str, Any]]:  # noqa: ARG001 # as others take it
    """Start nothing."""
    yield {}


@dataclass(frozen=True)
class Benchmark:
    """Programs that do the same work, each in several rounds.

    Attributes:
        about: What is done, of what size, and what the ways are, in Markdown; where its lines end is of no meaning.
        figures: What is measured.
        programs: By name. All run in each round, one after the other, in turned order in every second round.
        in_quick: Names of those that run in `make bench-quick`; None for all.
        servers: Starts what all programs use, before the first round; takes whether the run is quick and yields what becomes JSON. Its
            entry `env` is added to the environment of the programs.
        seconds: Longest time of one program; then it is ended.
    """

    about: str
    figures: Sequence[Figure]
    programs: Mapping[str, Program]
    in_quick: Sequence[str] | None = None
    servers: Callable[[bool], AbstractContextManager[Mapping[str, Any]]] = no_servers
    seconds: float = 300

    def of_size(self, quick: bool) -> list[str]:
        """Names of the programs that run."""
        return [name for name in self.programs if not quick or self.in_quick is None or name in self.in_quick]
