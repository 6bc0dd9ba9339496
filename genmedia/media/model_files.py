"""Inspection of a model file and the pictures on it, and its small picture."""

from io import BytesIO
from pathlib import Path

from genmedia.errors import MediaError, MediaLimitError
from genmedia.media.facts import MediaFacts, SmallCopy
from genmedia.media.model import read_model
from genmedia.media.model_picture import draw_model
from genmedia.media.picture import look_at_picture, save_small

PIXELS = 2**27
"""Most pixels of all pictures on a model together: those of eight pictures of 4096 x 4096."""

PACKED = "its triangles are packed with meshopt, which is not read here: they are counted, not looked at, and there is no small picture of it"

_OTHER_TEXTURES = b"\xabKTX "
"""First bytes of textures that only graphics cards decode."""


def look_at_model(path: Path, media_type: str, small: SmallCopy | None) -> MediaFacts:
    """Return the facts of a model, after its numbers were checked and the pictures on it decoded; draw its small picture, if asked for.

    Raises:
        DamagedMediaError: The model contradicts itself, or a picture on it does not decode.
        MediaLimitError: It shows too much.
        MediaTypeError: It needs other files.
    """
    model = read_model(path)
    pixels = 0
    for number, picture in enumerate(dict.fromkeys(model.pictures)):
        if picture.startswith(_OTHER_TEXTURES):
            continue
        try:
            facts = look_at_picture(BytesIO(picture), "a picture", closely=False)
        except MediaError as error:
            raise type(error)(f"picture {number} on it: {error.what}") from None
        pixels += (facts.width or 0) * (facts.height or 0) * (facts.frames or 1)
        if pixels > PIXELS:
            raise MediaLimitError(f"the pictures on it have more than {PIXELS} pixels together")
    odd = (PACKED,) if model.packed else ()
    if small and not model.packed:
        save_small(draw_model(model, small.side), small)
    return MediaFacts(media_type, triangles=model.triangles, vertices=model.vertices, extents=model.extents, warnings=odd)
