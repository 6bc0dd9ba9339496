"""Operations that make a picture or a video of others on this machine. Only the process that makes files imports them.

Each takes its inputs, options as JSON and the path to write, and gives the same bytes for the same of these, as long as the libraries that
encode are the same.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

_MODULES = {
    "resize": "pictures",
    "convert": "pictures",
    "overlay": "pictures",
    "contact-sheet": "sheet",
    "text": "lettering",
    "frame": "films",
    "trim": "films",
    "concatenate": "films",
    "sound": "films",
}
"""Operations, each with the module that has it, under its name: each loads what it needs, and no more."""


def carry_out(operation: str, inputs: list[Path], options: dict[str, Any], path: Path) -> None:
    """Make a file.

    Raises:
        MediaError: An input is not sound or of the wrong kind, or what is asked for cannot be made of it.
    """
    module = import_module(f"{__name__}.{_MODULES[operation]}")
    getattr(module, operation.replace("-", "_"))(inputs, options, path)
