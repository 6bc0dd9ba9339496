"""Detection of videos whose file is shorter than its boxes say: players and FFmpeg ignore a missing end."""

from pathlib import Path
from typing import BinaryIO

from genmedia.errors import DamagedMediaError

BOXES = 100_000
"""Most outermost boxes of a file that are read: a film in fragments has two boxes for each fragment."""

_SEGMENT = b"\x18\x53\x80\x67"


def check_length(path: Path, media_type: str) -> None:
    """Refuse a video whose outermost boxes reach beyond the end of the file.

    Raises:
        DamagedMediaError: The file is cut short.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        end = _end_of_segment(file) if media_type == "video/webm" else _end_of_boxes(file, size)
    if end > size:
        raise DamagedMediaError(f"it should have at least {end} bytes, but has {size}")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Return the end of the last box of MP4 or QuickTime, in bytes; 0 where that is no box.

    Facts about the boxes: ISO/IEC 14496-12, 4.2; a length of 0 reaches to the end of the file, 1 stands for a length of 64 bits.
    """
    start = 0
    for _ in range(BOXES):
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:])
        if length < 8 or start + length >= size:
            return start + length if head[4:8].islower() else 0  # bytes that are no box were added after the film
        start += length
    return start


def _end_of_segment(file: BinaryIO) -> int:
    """Return the end of the segment of a WebM, in bytes; 0 where it is unknown. Its elements: RFC 8794; a length of only ones is unknown."""
    file.seek(4)
    header, _ = _length(file)
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length, known = _length(file)
    return file.tell() + length if known else 0


def _length(file: BinaryIO) -> tuple[int, bool]:
    """Read a number whose leading zero bits tell its size in bytes; return it, and True if its value is known."""
    first = file.read(1)
    more = 8 - first[0].bit_length() if first else 0
    bits = 7 * (more + 1)
    number = int.from_bytes(first + file.read(more)) & ((1 << bits) - 1)
    return number, number != (1 << bits) - 1
