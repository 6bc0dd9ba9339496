"""A checkout of the test's own, and commands typed in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def make_checkout(folder: Path) -> Path:
    """Copy the rooms of this project into a folder."""
    for room in ("genmedia", "blocks", "tasks", "flows", "deployments", "photos"):
        shutil.copytree(PROJECT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "prefect.yaml", folder)
    return folder


FULL = Path("/dev/full")
"""A disk without room."""


def python(*arguments: str, cwd: Path | str = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python` with arguments in a folder, to its end."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def genmedia(*arguments: str, cwd: Path | str = PROJECT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, to its end."""
    return python("-m", "genmedia", *arguments, cwd=cwd, **environment)


def genmedia_on_a_full_disk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with its output going where nothing can be written, to its end."""
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
