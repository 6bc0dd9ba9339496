"""Reference pictures: any input picture, made small enough to be sent inside a request."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from genmedia.errors import MediaError
from genmedia.media.facts import Candidate, SmallCopy
from genmedia.media.hashing import hash_file
from genmedia.media.probe import inspect_files
from genmedia.store.named_files import Files

SIDE = 512
"""Longest side of a reference, in pixels. Genova shrinks references itself, but only after it has stored them: small ones must be sent."""

PREPARATION = "jpeg-512"
"""Name of the preparation that is made here, as it stands in submission keys."""

BYTES = 180_000
"""Largest reference, in bytes: four stay under 1 MB as base64; a request of 2.8 MB broke Genova's database (field report)."""


@dataclass(frozen=True)
class Reference:
    """A picture that guides a job.

    Attributes:
        origin: Origin of the picture, for people.
        sha256: SHA-256 of its original bytes.
        preparation: Name of the preparation.
        jpeg: The small JPEG that is sent.
    """

    origin: str
    sha256: str
    preparation: str
    jpeg: bytes = field(repr=False)


async def prepare_references(files: Files) -> tuple[dict[str, Reference], dict[str, str]]:
    """Return each picture as a JPEG of at most 512 px and 180 kB in sRGB, turned the way it is shown; and the faults of the others.

    Args:
        files: The pictures, on this machine.
    """
    prepared: dict[str, Reference] = {}
    wrong = dict(files.wrong)
    if not files.found:
        return prepared, wrong
    with TemporaryDirectory(prefix="genmedia-") as folder:
        small = [Path(folder) / str(number) for number in range(len(files.found))]
        wishes = [
            Candidate(one.path, "image", SmallCopy(copy, SIDE, "JPEG", BYTES))
            for one, copy in zip(files.found.values(), small, strict=True)
        ]
        for (name, one), copy, verdict in zip(files.found.items(), small, await inspect_files(wishes), strict=True):
            if isinstance(verdict, MediaError):
                wrong[name] = f"cannot be used: {verdict.what}"
            else:
                prepared[name] = Reference(one.origin, hash_file(one.path), PREPARATION, copy.read_bytes())
    return prepared, wrong
