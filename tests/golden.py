"""The store and the journals that the code of before the house was rebuilt has made; see `golden_store/README.md`."""

import json
import shutil
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden_store"

PORT = 18417
"""Where the sandbox was that its accounts are at; a submission key is of an account, and an account of its address."""


def copy_store(folder: Path) -> Path:
    """Copy the store, with its journal, into `folder`.

    Returns:
        The copy's root, in a folder called as the kept gallery calls it.
    """
    return Path(shutil.copytree(GOLDEN / "store", folder / "store"))


def expected(name: str) -> str:
    """What one of the commands of that time said of the store."""
    return (GOLDEN / "expected" / name).read_text(encoding="utf-8")


def asked() -> list[dict[str, Any]]:
    """The runs that made the store, in order, and how each ends when it is run again."""
    return json.loads((GOLDEN / "asked.json").read_text(encoding="utf-8"))
