"""Finds videos whose file is shorter than its boxes say: players and FFmpeg pass over a missing end."""

from pathlib import Path
from typing import BinaryIO

from genmedia.errors import DamagedMediaError

BOXES = 100_000
"""The most outermost parts of a file that are read: a film in fragments has two for each."""

_SEGMENT = b"\x18\x53\x80\x67"


def check_length(path: Path, media_type: str) -> None:
    """Refuse a video whose outermost parts end behind the file.

    Raises:
        DamagedMediaError: It breaks off.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        end = _end_of_segment(file) if media_type == "video/webm" else _end_of_boxes(file, size)
    if end > size:
        raise DamagedMediaError(f"it should have at least {end} bytes, but has {size}")


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Facts about the boxes of MP4 and QuickTime: ISO/IEC 14496-12, 4.2; a length of 0 reaches to the end, 1 stands for a long one."""
    start = 0
    for _ in range(BOXES):
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == 1:
            length = int.from_bytes(head[8:])
        if length < 8 or start + length >= size:
            return start + length if head[4:8].islower() else 0  # what is no box was put behind the film
        start += length
    return start


def _end_of_segment(file: BinaryIO) -> int:
    """Facts about the elements of WebM: RFC 8794; of a length of ones only nothing is known."""
    file.seek(4)
    header, _ = _length(file)
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    length, known = _length(file)
    return file.tell() + length if known else 0


def _length(file: BinaryIO) -> tuple[int, bool]:
    """A number whose leading zeros say how many bytes it has, and whether its value is known."""
    first = file.read(1)
    more = 8 - first[0].bit_length() if first else 0
    bits = 7 * (more + 1)
    number = int.from_bytes(first + file.read(more)) & ((1 << bits) - 1)
    return number, number != (1 << bits) - 1
