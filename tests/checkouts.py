"""A checkout of the test's own."""

import shutil
from pathlib import Path

from tests.commands import PROJECT, ROOMS


def make_checkout(folder: Path) -> Path:
    """Copy the rooms of this project into a folder."""
    for room in (*ROOMS, "photos"):
        shutil.copytree(PROJECT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "prefect.yaml", folder)
    return folder
