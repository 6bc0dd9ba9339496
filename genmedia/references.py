"""Reference pictures: any input picture, made small enough to travel inside a request."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from genmedia.errors import Fault, InputError, MediaError
from genmedia.media import Candidate, SmallCopy, inspect_files

SIDE = 512
"""Genova shrinks references to 512 px itself, but only after it has stored them: small ones must be sent."""

PREPARATION = "jpeg-512"
"""The name of what is done here, as it stands in submission keys."""

BYTES = 180_000
"""Four of these stay under 1 MB as base64; a request of 2.8 MB broke Genova's database (field report)."""


async def prepare_references(paths: Sequence[Path]) -> list[bytes]:
    """Each picture as a JPEG of at most 512 px and 180 kB, turned the way it is shown.

    Raises:
        InputError: Every file that is no picture, or too large to decode.
    """
    with TemporaryDirectory(prefix="genmedia-") as folder:
        small = [Path(folder) / str(number) for number in range(len(paths))]
        wishes = [Candidate(path, "image", SmallCopy(copy, SIDE, "JPEG", BYTES)) for path, copy in zip(paths, small, strict=True)]
        verdicts = await inspect_files(wishes)
        faults = [
            Fault(f"reference {path}", verdict.what)
            for path, verdict in zip(paths, verdicts, strict=True)
            if isinstance(verdict, MediaError)
        ]
        if faults:
            raise InputError(faults)
        return [copy.read_bytes() for copy in small]
