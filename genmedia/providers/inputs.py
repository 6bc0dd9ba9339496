"""The inputs of a planned step: those that are at hand, and those that another step will give."""

from dataclasses import dataclass, field
from pathlib import Path

from genmedia.providers.sources import At


@dataclass(frozen=True)
class ResolvedInput:
    """An input that is at hand.

    Attributes:
        type: `image`, `video`, `model`, `audio` or `text`.
        text: The text itself.
        sha256: The hash of the file's bytes.
        url: Where the file can be read, if it still can; tried first, because it costs no transfer.
        file: The file on this machine.
        asset: In its stead, the path of a file in the store.
        stored_as: The SHA-256 that the asset was stored with, as the journal knows it; empty where it was not asked.
        media_type: The file's type by content; empty where nobody looked.
        mode: Of a picture: how it keeps its colours, in Pillow's words.
        at: Of a video that stands for a picture: which one.
        duration: Of a video: how many seconds it lasts, where that is known.
        source: Where it comes from, for people: a path, an address, a step and its output.
        sent: What is sent of it, where that was made before the first of the plan is bought.
        gone: Why it can be fed on no more, though its hash is known.
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
    source: str = ""
    gone: str = ""
    sent: bytes = field(default=b"", repr=False)

    @property
    def lack(self) -> str:
        """What to say of a video that ends before the picture that it stands for; empty where it has it."""
        if isinstance(self.at, float) and self.duration is not None and self.at > self.duration:
            return f"asks for the picture at {self.at:g} s, but {self.source} lasts {self.duration:g} s"
        return ""

    def about(self) -> dict[str, str]:
        """What a sidecar says of it."""
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
    """An input that is an output of another run of the plan."""

    id: str
    type: str
    run: str
    output: str
    at: At | None = None


Input = ResolvedInput | PendingInput
