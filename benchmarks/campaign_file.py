"""What a campaign's file of thousands of items takes: to plan it, to apply it where all is stored, and to tell how it stands."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks import servers
from benchmarks.buyers import NAME, seconds_of
from benchmarks.figures import OURS, Benchmark, Figure, Goal, Readings, Stage
from benchmarks.servers import Customer
from tests.commands import PROJECT

ROWS, QUICK_ROWS = 1000, 60
CLOCK_SCALE = 1000.0
NEW, REUSED, APPLY, STATUS = "plan, all new", "plan, all stored", "apply, all stored", "status"
FILE = """\
campaign: %s
rows: rows.csv
matrix: {ratio: [landscape, portrait, square]}
queue_minutes: 9000
run_minutes: 9000
steps:
  - {name: hero, model: imagen4, prompt: "{{ row.product }} on {{ row.ground }}, morning light", ratio: "{{ ratio }}"}
  - {name: page, model: imagen4, prompt: "A page about {{ row.product }}"}
  - {name: film, model: imagen4, prompt: "A push towards {{ row.product }}", references: [{step: hero, ratio: landscape}]}
"""
OF_A_ROW = 5
"""Items of each row."""

FORESEEN = "a forecast beside what it took"
FORESEEN_ROWS, QUICK_FORESEEN_ROWS = 24, 8
SLOW_SCALE = 10.0
RUNNING = {"queue": [0, 2], "run": [20, 60]}
"""Seconds that a job waits and runs, by the clock of the sandbox where a forecast is compared."""


@dataclass(frozen=True)
class Desk:
    """A folder with a campaign's file, where commands are typed.

    Attributes:
        folder: The folder.
        url: Address of a sandbox.
        keys: The account that pays, as environment variables.
    """

    folder: Path
    url: str
    keys: Mapping[str, str]

    def type(self, command: str, *words: str, code: int) -> tuple[float, str]:
        """Type a command in a new process; returns its time in seconds, and what it printed."""
        store = ("--folder", str(self.folder / "store"))
        options = (
            (*store, "--project", str(PROJECT))
            if command == "status"
            else (*store, "--without-prefect", "--project", str(PROJECT))
        )
        begun = perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "genmedia", command, *words, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.keys},
        )
        took = perf_counter() - begun
        if done.returncode != code:
            sys.exit(f"genmedia {command} ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        return took, done.stdout


def desk_of(folder: Path, url: str, rows: int, **account: Any) -> Desk:
    """Write a campaign's file, and open an account for it, with these settings."""
    told = "".join(f"P-{number},product {number},ground {number % 7}\n" for number in range(rows))
    (folder / "rows.csv").write_text(f"sku,product,ground\n{told}", encoding="utf-8")
    (folder / "file.yaml").write_text(FILE % NAME, encoding="utf-8")
    shown = Customer.open(url, "genova", **{"plan": "Business", "credits": 10**6, **account}).shown
    return Desk(folder, url, {f"GENOVA_{value}".upper(): shown[value] for value in ("api_key", "base_url", "plan")})


def _program(stage: Stage) -> Readings:
    desk = Desk(Path(stage.servers["folder"]), stage.servers["sandbox"], stage.servers["keys"])
    file, items = str(desk.folder / "file.yaml"), OF_A_ROW * (QUICK_ROWS if stage.quick else ROWS)
    empty = Desk(stage.folder, desk.url, desk.keys)
    took = {
        NEW: empty.type("plan", file, "--json", code=10),
        REUSED: desk.type("plan", file, "--json", code=0),
        APPLY: desk.type("apply", file, "--yes", code=0),
        STATUS: desk.type("status", "benchmark", "--json", code=0),
    }
    for way, outlook in ((NEW, "to buy"), (REUSED, "reused")):
        outlooks = [one["outlook"] for one in json.loads(took[way][1])["items"]]
        if outlooks != [outlook] * items:
            sys.exit(f"{way}: not all {items} items are {outlook}")
    return {way: {"time": seconds} for way, (seconds, _) in took.items()}


def _forecast(stage: Stage) -> Readings:
    """Have a journal learn how long jobs run, then compare a forecast with the run that it is for."""
    rows = QUICK_FORESEEN_ROWS if stage.quick else FORESEEN_ROWS
    with servers.sandbox(size=64, clock_scale=SLOW_SCALE) as url:
        desk = desk_of(stage.folder, url, rows, plan="Pro", settings=RUNNING)
        file = stage.folder / "file.yaml"
        earlier = stage.folder / "earlier.yaml"
        earlier.write_text(FILE % "earlier" + "edition: before\n", encoding="utf-8")
        desk.type("apply", str(earlier), "--yes", code=0)
        foreseen = json.loads(desk.type("plan", str(file), "--json", code=10)[1])["seconds"]
        desk.type("apply", str(file), "--yes", code=0)
    took = seconds_of(stage.folder / "store")
    return {FORESEEN: {"foreseen": foreseen, "time": took, "off by": abs(foreseen / took - 1) * 100}}


@contextmanager
def _servers(quick: bool) -> Generator[Mapping[str, Any]]:
    """Run a sandbox, and buy all items."""
    with (
        servers.sandbox(size=64, clock_scale=CLOCK_SCALE) as url,
        TemporaryDirectory(prefix="genmedia-bench-file-", ignore_cleanup_errors=True) as folder,
    ):
        desk = desk_of(Path(folder), url, QUICK_ROWS if quick else ROWS)
        desk.type("apply", str(desk.folder / "file.yaml"), "--yes", code=0)
        yield {"sandbox": url, "folder": folder, "keys": dict(desk.keys)}


BENCHMARK = Benchmark(
    about=f"""A campaign's file of {OF_A_ROW * ROWS:,} items (`make bench-quick`: {OF_A_ROW * QUICK_ROWS}), of which a fifth are made of
    others, at Genova. Each command is typed in a new process, whose imports are in the time. The first line is about
    {OF_A_ROW * FORESEEN_ROWS} items of which 10 may be open at once, and whose jobs run 20 to 60 s by the sandbox's clock, which is
    {SLOW_SCALE:g} times as fast.""",
    figures=(
        Figure("time", "s", {NEW: Goal(10), REUSED: Goal(10), APPLY: Goal(20), STATUS: Goal(1)}, goals_in_quick=False),
        Figure("foreseen", "s"),
        Figure("off by", "%", {FORESEEN: Goal(25)}),
    ),
    programs={OURS: _program, FORESEEN: _forecast},
    servers=_servers,
    seconds=1200,
)
