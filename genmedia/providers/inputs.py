"""Inputs of a planned step: those that are available, and those that another step will give."""

from dataclasses import dataclass, field
from pathlib import Path

from genmedia.providers.sources import At


@dataclass(frozen=True)
class ResolvedInput:
    """An input that is available.

    Attributes:
        type: `image`, `video`, `model`, `audio` or `text`.
        text: The text itself.
        sha256: SHA-256 of the file's bytes.
        url: Address of the file, which may have expired; tried first, because it costs no transfer.
        file: The file on this machine.
        asset: Path of a file in the store, in place of `file`.
        stored_as: SHA-256 with which the asset was stored, by the journal; empty where the journal was not asked.
        media_type: Type of the file by its content; empty where it was not inspected.
        mode: Of a picture: its colour mode, in Pillow's words.
        at: Of a video that stands for a picture: the place of that picture in the video.
        duration: Of a video: its length in seconds; None where it is unknown.
        ratio: Of a picture or a video that was inspected: its width over its height; None where it is unknown.
        source: Origin, for people: a path, an address, a step and its output.
        sent: Bytes that are sent of it, where they are made before the plan's first purchase.
        gone: Reason why it cannot be used any more, though its hash is known; empty where it can.
    """

    id: str
    type: str
    text: str = ""
    sha256: str = ""
    url: str = ""
    file: Path | None = None
    asset: str = ""
    stored_as: str = ""
    media_type: str = ""
    mode: str = ""
    at: At | None = None
    duration: float | None = None
    ratio: float | None = field(default=None, repr=False)
    source: str = ""
    gone: str = ""
    sent: bytes = field(default=b"", repr=False)

    @property
    def lack(self) -> str:
        """Fault of a video that ends before the picture that it stands for; empty where there is none."""
        if isinstance(self.at, float) and self.duration is not None and self.at > self.duration:
            return f"asks for the picture at {self.at:g} s, but {self.source} lasts {self.duration:g} s"
        return ""

    def about(self) -> dict[str, str]:
        """Return the input's fields in a sidecar."""
        known = {
            "id": self.id,
            "text": self.text,
            "sha256": self.sha256,
            "asset": self.asset,
            "at": "" if self.at is None else str(self.at),
            "from": self.source,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True)
class PendingInput:
    """An input that is an output of another planned step.

    Attributes:
        one_of: What it is one of, where all that there is of that is taken, except what a person rejected; empty where it is taken itself.
    """

    id: str
    type: str
    run: str
    output: str
    at: At | None = None
    one_of: str = ""


Input = ResolvedInput | PendingInput
