"""A file to be made on this machine of others. This module imports little, so that the process that makes files starts fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGEST_SIDE = 8192
"""Longest side of a picture that is made, in pixels; a larger input is made smaller as it is read."""

LOWEST_QUALITY = 20
"""Lowest quality, of 100, to which that of a picture is lowered to keep it within a size in bytes."""


@dataclass(frozen=True)
class Making:
    """A file to be made.

    Attributes:
        operation: Name of the operation; see `genmedia.media.operations`.
        options: Options of the operation, as JSON.
        inputs: Files that it is made of, in order.
        path: Path at which it is written.
    """

    operation: str
    options: Mapping[str, Any]
    inputs: Sequence[Path]
    path: Path
