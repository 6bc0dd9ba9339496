"""Reference pictures: any input picture, made small enough to travel inside a request."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from genmedia.errors import Fault, MediaError
from genmedia.inspection.media import Candidate, SmallCopy, inspect_files
from genmedia.keys import hash_file

SIDE = 512
"""Genova shrinks references to 512 px itself, but only after it has stored them: small ones must be sent."""

PREPARATION = "jpeg-512"
"""The name of what is done here, as it stands in submission keys."""

BYTES = 180_000
"""Four of these stay under 1 MB as base64; a request of 2.8 MB broke Genova's database (field report)."""


@dataclass(frozen=True)
class Reference:
    """A picture that guides a job: where it is, the SHA-256 of its original bytes, what was done to them, the small JPEG that is sent."""

    path: Path
    sha256: str
    preparation: str
    jpeg: bytes = field(repr=False)


async def prepare_references(files: Iterable[str], faults: list[Fault]) -> dict[str, Reference]:
    """Each picture once, as a JPEG of at most 512 px and 180 kB, turned the way it is shown.

    Args:
        files: Paths, absolute or from the working directory.
        faults: Takes every file that is not there, is a folder, is no picture, or is too large to decode.
    """
    paths = {file: Path(file).absolute() for file in files}
    wrong = {file: why for file, path in paths.items() if (why := why_no_file(path))}
    there = {file: path for file, path in paths.items() if file not in wrong}
    faults += [Fault(f"reference {paths[file]}", why) for file, why in wrong.items()]
    prepared: dict[str, Reference] = {}
    if not there:
        return prepared
    with TemporaryDirectory(prefix="genmedia-") as folder:
        small = [Path(folder) / str(number) for number in range(len(there))]
        wishes = [
            Candidate(path, "image", SmallCopy(copy, SIDE, "JPEG", BYTES))
            for path, copy in zip(there.values(), small, strict=True)
        ]
        for (file, path), copy, verdict in zip(there.items(), small, await inspect_files(wishes), strict=True):
            if isinstance(verdict, MediaError):
                faults.append(Fault(f"reference {path}", verdict.what))
            else:
                prepared[file] = Reference(path, hash_file(path), PREPARATION, copy.read_bytes())
    return prepared


def why_no_file(path: Path) -> str:
    """What to say of a path that is no file; empty for a file."""
    try:
        return "" if path.is_file() else "is a folder" if path.is_dir() else "is not there"
    except OSError as error:  # such as a name longer than the file system takes
        return f"cannot be read: {error.strerror}"
