"""The hash that identifies the content of a file."""

import hashlib
from pathlib import Path


def hash_file(path: Path) -> str:
    """The SHA-256 of a local file's bytes, as 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
