"""The markers of a JPEG file: its encoding, the number of its scans, and its end.

After the end of a phone's picture there may be more data: a second picture (MPO), a gain map, a film (motion photo). None of it is read.
"""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL.JpegImagePlugin import JpegImageFile

from genmedia.errors import DamagedMediaError, MediaTypeError

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_SCAN, _END, _ALONE = 0xDA, 0xD9, {0x01, 0xD8}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_READ = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_FILLINGS = (bytes(range(1, 200)) * 20, bytes(range(250, 50, -1)) * 20)
"""Two sequences of bytes that contain no marker and decode to two different pictures."""
_COMPARED = 2048


@dataclass(frozen=True)
class Jpeg:
    """The structure of a JPEG.

    Attributes:
        bits: Bits of each colour.
        frame: Marker that names the encoding: 0xC0 to 0xCF.
        scans: Number of passes that draw the picture.
        ended: True if it has its end marker.
    """

    bits: int = 8
    frame: int = 0xC0
    scans: int = 0
    ended: bool = False

    def check_read(self) -> None:
        """Refuse a JPEG of a kind that is not read here; few other programs read it.

        Raises:
            MediaTypeError: It has other than 8 bits a colour, or is coded without loss.
        """
        if self.bits != 8 or self.frame not in _READ:
            kind = f"of {self.bits} bits a colour" if self.bits != 8 else "that is coded without loss"
            raise MediaTypeError(f"it is a JPEG {kind}, which is not read here: save it as an ordinary JPEG, of 8 bits a colour")


def read_jpeg(content: bytes) -> Jpeg:
    """Read the structure of a JPEG from its markers.

    Args:
        content: The file, as bytes or mapped into memory.
    """
    bits, frame, scans, place = 8, 0xC0, 0, 2
    while found := _MARKER.search(content, place):
        marker, place = content[found.end() - 1], found.end()
        if marker == _END:
            return Jpeg(bits, frame, scans, ended=True)
        if marker in _ALONE:
            continue
        if marker in _FRAMES and place + 2 < len(content):
            frame, bits = marker, content[place + 2]
        scans += marker == _SCAN
        place += max(2, int.from_bytes(content[place : place + 2]))
    return Jpeg(bits, frame, scans)


def with_an_end(content: bytes) -> BytesIO:
    """Return a JPEG with the end marker that it lacks.

    The picture is decoded with two different fillings at its end: if the results differ, part of the picture is missing.

    Raises:
        DamagedMediaError: Part of the picture is missing.
    """
    whole = content.rstrip(b"\xff")
    if len({_drawn(whole + filling) for filling in _FILLINGS}) > 1:
        raise DamagedMediaError("it does not decode as image/jpeg: it breaks off in the middle of the picture")
    return BytesIO(whole + b"\xff\xd9")


def _drawn(content: bytes) -> int:
    with JpegImageFile(BytesIO(content + b"\xff\xd9")) as picture:
        picture.draft(None, (_COMPARED, _COMPARED))
        return zlib.crc32(picture.tobytes())
