"""Commands as they are typed, run to their end."""

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, RLock
from unittest.mock import patch

from tests.processes import PROCESSES

PROJECT = Path(__file__).parents[1]
ROOMS = ("genmedia", "blocks", "tasks", "flows", "deployments")


def genmedia(*arguments: str, cwd: Path | str = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, as `python -m genmedia` does; see `python_module`."""
    return python_module("genmedia", *arguments, cwd=cwd, **environment)


def genmedia_anew(*arguments: str, cwd: Path | str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process: before it imports Prefect, it looks for the server that runs for this folder."""
    return python("-m", "genmedia", *arguments, cwd=cwd, **environment)


def python_module(
    module: str, *arguments: str, cwd: Path | str = PROJECT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE` with arguments in a folder, to its end; nobody is there to be asked anything.

    It has a process of its own, with its own environment, output, signals and exit code: a copy of one that has imported Prefect and this
    project's rooms already. If the folder is another checkout, it loads the rooms from there.
    """
    complete = {**os.environ, **environment}
    with TemporaryDirectory(prefix="genmedia-command-") as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        process = PROCESSES.Process(target=_run, args=(module, arguments, str(cwd), complete, str(output), str(errors)))
        process.start()
        try:
            process.join()
        finally:
            process.kill()
            process.join()
        assert process.exitcode is not None
        said = (output.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"))
        return subprocess.CompletedProcess([module, *arguments], process.exitcode, *said)


def python(*arguments: str, cwd: Path | str = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a new `python` with arguments in a folder, to its end; nobody is there to be asked anything."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


FULL = Path("/dev/full")
"""A disk without room."""


def genmedia_on_a_full_disk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process with its output going where nothing can be written, to its end."""
    with FULL.open("w") as output:
        return subprocess.run(
            [sys.executable, "-m", "genmedia", *arguments],
            cwd=PROJECT,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )


def _run(module: str, arguments: tuple[str, ...], cwd: str, environment: dict[str, str], output: str, errors: str) -> None:
    """What the new process does: it becomes one that was started in this folder and environment, with its output in these files."""
    for number, file, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, output, os.O_WRONLY | os.O_CREAT),
        (2, errors, os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(file, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = [module, *arguments]
    sys.path.insert(0, cwd)
    sys.modules.pop(module, None)  # it is run anew, as the main module
    if Path(cwd) != PROJECT and (Path(cwd) / "prefect.yaml").exists():
        for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
            del sys.modules[name]
        warnings.filterwarnings("ignore", "Type .* has key", UserWarning)  # Prefect still has the blocks of this project
    quiet = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}  # as commands do before they import Prefect
    move_to(cwd, {**quiet, **environment})
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def move_to(cwd: str, environment: dict[str, str]) -> None:
    """Make this process, a copy of another, one that was started in a folder and an environment.

    Prefect reads its settings as if it was imported now, but once it asks for them: that takes 0.2 s, and many commands never do.
    """
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    from prefect.context import SettingsContext, refresh_global_settings_context  # noqa: PLC0415 # a test that needs none has not got it
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415

    get, lock, begun = SettingsContext.get, RLock(), Event()

    def read() -> SettingsContext | None:
        with lock:  # another thread waits; this one asks again while it reads
            if not begun.is_set():
                begun.set()
                refresh_global_settings_context()
                setup_logging(incremental=False)
                asked.stop()
        return get()

    asked = patch.object(SettingsContext, "get", read)
    asked.start()
