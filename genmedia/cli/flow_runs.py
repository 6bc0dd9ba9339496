"""Running a flow in this process, with its progress on the terminal: `genmedia run`."""

import ast
import asyncio
import logging
import os
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from textwrap import shorten
from time import monotonic
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Group
from rich.text import Text

from genmedia.cli.printing import Console, print_table
from genmedia.cli.project import Deployment, Project
from genmedia.cli.terminal import showing_progress
from genmedia.errors import Fault, GenmediaError, InputError
from genmedia.gallery.address import gallery_address

if TYPE_CHECKING:  # the list of flows should not wait for the database that results are kept in
    from genmedia.purchasing.result import Result
    from genmedia.store import Place

CANCELLED = 130
"""The exit code after Ctrl-C."""

WAITS = 4
"""The exit code where nothing is missing, and people have to decide before the rest is bought."""

WARNING_CHARACTERS = 160
"""Most characters of a warning that are shown; the table of results in Prefect, and the gallery, have all of it."""

_FLOWS, _PRESETS = Group("Flows", sort_key=1), Group("Presets", sort_key=2)


@dataclass(frozen=True)
class Directly:
    """Options of a run without Prefect.

    Attributes:
        sandbox: Address of the sandbox that is paid; empty to pay with the keys of the environment.
        folder: The store, by its whole path or its address; empty for that of the environment, or of the project.
    """

    sandbox: str
    folder: str


def run(project: Project, words: Sequence[str], console: Console, directly: Directly | None = None) -> int:
    """Run what the words name: a flow, or a preset, which is a flow with a deployment's parameters; returns the exit code.

    Args:
        project: The checkout.
        words: Words that were typed after `genmedia run`.
        console: Where help, progress and results are shown.
        directly: Options of a run without Prefect; None for a flow run of Prefect.

    Raises:
        InputError: Everything that is wrong with the parameters.
        UnreachableError: No Prefect server answers.
        GenmediaError: The flow could not do its work; the class says the cause.
    """
    app = App(
        name="genmedia run",
        help="Run a flow, or a preset of one from prefect.yaml, with its progress on this terminal.",
        help_epilogue="Put --help after a name to see its parameters. With --without-prefect a flow that buys runs here alone, "
        "paid at --sandbox ADDRESS or by the keys in the environment; --folder STORE takes the files.",
        help_format="plaintext",
        version_flags=(),
        console=console,
    )
    runnable = _runnable(project)
    flow: Any = None
    parameters = reading = bind = None
    entrypoint = ""
    for name, (group, one) in runnable.items():
        command = App(name=name, help=one.description, group=group, version_flags=())
        if list(words[:1]) == [name]:
            from genmedia.cli.parameters import Parameters, Reading  # noqa: PLC0415 # nor for pydantic

            command.help_epilogue = "TEXT... may be given several times. YAML may be JSON, or stand in a file: @FILE."
            entrypoint, form = one.entrypoint, project.form(one.entrypoint)
            flow = None if form else project.load(entrypoint)
            parameters, reading = Parameters(form or flow.fn, one.parameters), Reading()
            bind = parameters.command()
            command.default(bind)
        app.command(command)
    if words[0].startswith("-") and words[0] not in app.help_flags:
        raise InputError([Fault(f"genmedia run {words[0]}", f"the name comes first, one of {', '.join(runnable)}")])
    try:
        command, bound, strays, _ = app.parse_known_args(words)
    except CycloptsError as error:
        error.verbose = False
        raise InputError([Fault("genmedia run", str(error).strip())]) from None
    if parameters is None or command is not bind:
        command(*bound.args, **bound.kwargs)  # help
        return 0
    values = parameters.read(bound.arguments, strays, reading)
    for written, name in reading.renamed.items() if reading else ():
        console.print(f"{written!r} is kept under the name {name}", soft_wrap=True)
    return _carry_out(project, flow or project.load(entrypoint), values, console, directly)


def carry_out(project: Project, name: str, parameters: dict[str, Any], console: Console, directly: Directly | None) -> int:
    """Run a flow with these parameters; returns the exit code. See `run`."""
    _, one = _runnable(project)[name]
    return _carry_out(project, project.load(one.entrypoint), parameters, console, directly)


def _carry_out(project: Project, flow: Any, parameters: dict[str, Any], console: Console, directly: Directly | None) -> int:
    os.chdir(project.folder)  # where the paths in parameters begin
    return _Run(project, flow, parameters, console, directly).to_the_end()


def names(project: Project) -> list[str]:
    """Names of everything that can be run."""
    return list(_runnable(project))


def _runnable(project: Project) -> dict[str, tuple[Group, Deployment]]:
    """The flows that prefect.yaml names, and its deployments, without importing any of them."""
    presets = project.presets
    by_entrypoint = {one.entrypoint: one for one in presets}
    flows = [Deployment(one.flow_name, _about(project, path), path, {}) for path, one in by_entrypoint.items()]
    return {one.name: (_FLOWS, one) for one in flows} | {one.name: (_PRESETS, one) for one in presets}


def _about(project: Project, entrypoint: str) -> str:
    source = project.folder / entrypoint.rpartition(":")[0]
    try:
        return (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    except (OSError, SyntaxError):
        return f"{source} cannot be read."


@dataclass
class _Run:
    """One run of a flow, from here to its end."""

    project: Project
    flow: Any
    parameters: dict[str, Any]
    console: Console
    directly: Directly | None

    def to_the_end(self) -> int:
        """Run it, show how it ended, and return the exit code."""
        local = self.project.module("deployments.local_run")
        begun = monotonic()
        try:
            store, ended = asyncio.run(self._go_directly(self.directly) if self.directly else self._go(local))
        except local.Terminated:
            raise KeyboardInterrupt from None  # no person cancelled it: what was bought stays
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        page = local.ui_url() + ended.page if ended.page else ""
        if ended.name == "Cancelled":
            self.console.print("Cancelled, with all jobs that still could be; the others stay bought: run it again to go on.")
            _print_page(self.console, page)
            return CANCELLED
        marked = bool(self.parameters.get("marks"))
        served = gallery_address(self.parameters.get("store", "default")) if store and not self.directly else ""
        return report(self.console, [ended], monotonic() - begun, store=store, gallery=served, page=page, marked=marked)

    async def _go(self, local: Any) -> "tuple[Place | None, Any]":
        server = self.project.module("deployments.server")
        await server.reach_server()
        store = (await server.saved_stores()).get(self.parameters.get("store", "default"))
        place = None if store is None or isinstance(store, GenmediaError) else store.place  # the flow says why it cannot be used
        stop = asyncio.Event()
        self._listen_for_ctrl_c(stop)
        with showing_progress(self.console):
            return place, await local.run_here(self.flow, self.parameters, stop)

    async def _go_directly(self, directly: Directly) -> "tuple[Place, Any]":
        direct = self.project.module("deployments.direct_run")
        assets, stop, log = direct.store_of(directly.folder), asyncio.Event(), log_of(self.console)
        self._listen_for_ctrl_c(stop)
        with showing_progress(self.console):
            ended = await direct.run_directly(
                self.flow, self.parameters, assets=assets, sandbox=directly.sandbox, log=log, stop=stop
            )
        return assets.place, ended

    def _listen_for_ctrl_c(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def end_at_once(*_: Any) -> None:
            self.console.show_cursor()
            os._exit(CANCELLED)

        def cancel() -> None:
            stop.set()
            self.console.print("Cancelling; Ctrl-C again ends at once, and takes nothing back.")

        def first(*_: Any) -> None:
            signal.signal(signal.SIGINT, end_at_once)
            loop.call_soon_threadsafe(cancel)  # not in here: a line may be half printed

        signal.signal(signal.SIGINT, first)


def log_of(console: Console) -> logging.Logger:
    """Return a log whose warnings are shown on a terminal, above the progress."""
    log = logging.Logger("genmedia run", logging.WARNING)  # noqa: LOG001 # its lines are for this terminal alone
    log.addHandler(_Printed(console))
    return log


class _Printed(logging.Handler):
    """Shows the log lines of a run above its progress."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line."""
        self._console.print(record.getMessage(), style="yellow", soft_wrap=True)


def _print_page(console: Console, page: str) -> None:
    if page:
        console.print(f"Prefect  {page}", soft_wrap=True)


def results_of(ended: Any) -> "list[Result]":
    """Results of a flow run that reached its end; empty for a flow that does not buy.

    Raises:
        GenmediaError: It did not reach its end.
    """
    if isinstance(ended.result, GenmediaError):
        raise ended.result
    if isinstance(ended.result, BaseException):
        raise GenmediaError(
            f"the flow run ended as {ended.name}: {ended.message}", advice="Its page in the Prefect UI says more."
        )
    from genmedia.purchasing.result import Result  # noqa: PLC0415 # see above

    return [one for one in ended.result or () if isinstance(one, Result)]  # flows that do not buy return something else


def report(
    console: Console,
    ended: Sequence[Any],
    seconds: float,
    *,
    store: "Place | None",
    gallery: str = "",
    page: str,
    marked: bool = False,
) -> int:
    """Show how flow runs ended: a table of what they made, why the rest is missing, and where all of it is; returns the exit code.

    Args:
        console: Console for the output.
        ended: The runs, as `deployments.local_run` gives them.
        seconds: Duration of the runs.
        store: Place of the assets; None if there is none.
        gallery: Address at which its gallery is served; empty if the gallery is to be opened from the store.
        page: Address in the Prefect UI; empty if there is none.
        marked: True if they were run by marks; then the messages of their states are shown, which tell of the marks.

    Raises:
        GenmediaError: One of them did not reach its end.
    """
    results = [result for one in ended for result in results_of(one)]
    from genmedia.purchasing.result import WAITING, tell_waiting  # noqa: PLC0415 # see above

    whole = all(one.name in ("Completed", WAITING) for one in ended)
    waiting = tell_waiting(results)
    name = "Partial" if not whole else WAITING if waiting else "Completed"
    outcome = Text.assemble((name, "bold"), f" in {seconds:.0f} s: ")
    if results:
        _print_results(console, results)
        console.print()
        told = "; ".join(one.message for one in ended) if marked else _summary(results)
        console.print(outcome.append(told), soft_wrap=True)
        if store:
            console.print(f"Store    {store.folder or store.root}", soft_wrap=True)
            console.print(f"Gallery  {gallery or store.address('index.html')}", soft_wrap=True)
    else:
        console.print(outcome.append("; ".join(one.message for one in ended)), soft_wrap=True)
    _print_page(console, page)
    if waiting:
        where = f" --folder {quote(str(store.folder or store.root))}" if store and not gallery else ""
        told = f"{waiting}. Decide with genmedia review{where} or genmedia keep{where}, then run it again."
        console.print(told, soft_wrap=True)
    return 1 if not whole else WAITS if waiting else 0


def _print_results(console: Console, results: "Sequence[Result]") -> None:
    from genmedia.jobs.job import priced  # noqa: PLC0415 # nor for pydantic

    titles = ["step", "operation", "status", "seconds", "charged", "files"]
    rows = [
        [
            one.name,
            one.operation,
            one.status,
            "" if one.seconds is None else f"{one.seconds:.1f}",
            priced(one.charged, one.unit),
            str(len(one.assets)),
        ]
        for one in results
    ]
    print_table(console, titles, rows, titles[3:])
    for result in results:
        if result.error and not result.left:
            console.print(f"{result.name}: {result.error}", style="red", soft_wrap=True)
        if result.note:
            console.print(f"{result.name}: {result.note}", style="yellow", soft_wrap=True)
        if result.warnings:
            count = "a warning" if len(result.warnings) == 1 else f"{len(result.warnings)} warnings, first"
            first = shorten(result.warnings[0], WARNING_CHARACTERS, placeholder=" …")
            told = f"{result.name}: stored with {count}: {first}"
            console.print(told, style="yellow", soft_wrap=True)


def _summary(results: "Sequence[Result]") -> str:
    from genmedia.purchasing.result import tell_spent  # noqa: PLC0415 # see above

    if all(result.status == "Reused" for result in results):
        return "nothing was bought; everything is in the store already."
    counts = Counter(result.status for result in results)
    told = ", ".join(f"{count} {status.lower()}" for status, count in counts.items())
    return f"{told}; {tell_spent(results)}."
