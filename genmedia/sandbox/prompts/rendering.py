"""From a prompt to a finished file, the same file for the same prompt."""

import io
from dataclasses import dataclass, replace

from PIL import Image


class UnreadableReferenceError(ValueError):
    """A reference's bytes are not a picture that can be decoded."""


@dataclass(frozen=True)
class Prompt:
    """What a model is asked for.

    Attributes:
        text: The prompt.
        model: Whose look the picture has.
        ratio: Width to height.
        size: Longest side in pixels.
        seed: Tells pictures of one prompt apart.
        mode: How the references are used.
        references: Pictures as bytes.
    """

    text: str
    model: str
    ratio: tuple[int, int]
    size: int
    seed: int = 0
    mode: str | None = None
    references: tuple[bytes, ...] = ()

    def again(self, number: int) -> "Prompt":
        """The same prompt for another picture of a set."""
        return replace(self, seed=self.seed + number)


def paint(prompt: Prompt) -> bytes:
    """A picture (PNG)."""
    buffer = io.BytesIO()
    Image.new("RGB", (prompt.size, prompt.size), (prompt.seed * 40, 80, 120)).save(buffer, "PNG")
    return buffer.getvalue()


def film(prompt: Prompt, seconds: float) -> bytes:
    """A clip (MP4)."""
    return paint(prompt) + bytes(int(seconds))
