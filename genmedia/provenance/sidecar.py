"""The sidecar: what stands beside each file in a store, as `docs/sidecar.md` tells people and `docs/sidecar.schema.json` tells programs."""

import json
from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import from_json

VERSION = 1
"""What is written. A later genmedia may add fields to a version; one that means something else by a field is another version."""

LARGEST = 2**31 - 1
"""What every database takes as an integer."""

_DIGEST = r"^[0-9a-f]{64}$"


class _Read(BaseModel):
    # A number that is none would break the JSON of everything made of sidecars.
    model_config = ConfigDict(allow_inf_nan=False, use_attribute_docstrings=True, frozen=True)


class Input(_Read):
    """One thing that went into the request."""

    id: str
    """The operation's name for it, such as `input_image`."""
    text: str | None = None
    """Of a text: the text itself."""
    sha256: str | None = Field(default=None, pattern=_DIGEST)
    """Of a file: the SHA-256 of its bytes, before anything was done to it for the provider."""
    source: str = Field(default="", alias="from")
    """Where it came from, for people: a path, an address, a step and its output."""
    at: str | None = None
    """Of a video that stands for a picture: which one, in seconds, or `poster` for the one in the middle."""
    asset: str | None = None
    """Of what was made before: its path in this store."""


class Cost(_Read):
    """What the whole job cost; its other outputs name the same cost."""

    price: float | None = None
    """What it was said to cost before it was bought; null where nobody says."""
    charged: float | None = None
    """What the provider says it took; null where it does not say."""
    unit: str = ""
    """What both count, such as `credits`."""


def _plausible(time: datetime) -> datetime:
    """A day short of what calendars can hold, so that any time zone can tell it."""
    if not MINYEAR < time.year < MAXYEAR:
        raise ValueError("it is no year that calendars hold")
    return time


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class Times(_Read):
    """When it happened, as ISO 8601 with an offset; what the provider does not tell is left out."""

    created: Moment | None = None
    started: Moment | None = None
    completed: Moment | None = None
    stored: Moment


class Output(_Read):
    """Which of the job's outputs the file is."""

    id: str
    """The provider's name for it."""
    kind: str = ""
    """`image`, `video`, `model` or `text`; other kinds as the provider names them."""
    source: str | None = None
    """The address it was fetched from, without what signs it; null for a text."""
    number: int | None = Field(default=None, ge=1)
    """Its place among the job's outputs, from 1."""
    of: int | None = Field(default=None, ge=1)
    """How many outputs the job gave. Where fewer sidecars name the job, the others were refused, or are lost."""


class File(_Read):
    """The file beside the sidecar."""

    sha256: str = Field(pattern=_DIGEST)
    """Of the file as it stands in the store."""
    original_sha256: str | None = Field(default=None, pattern=_DIGEST)
    """Of what the provider gave, where the store has written the provenance into the file; else left out, for it is the same."""
    path: str = ""
    """Where it was stored, below the store's root. In a store that was moved, the sidecar's own place is the truth."""
    bytes: int
    media_type: str
    """Found by looking into it, not by what the provider said."""
    width: int | None = Field(default=None, gt=0)
    """In pixels."""
    height: int | None = Field(default=None, gt=0)
    """In pixels."""
    duration: float | None = None
    """In seconds."""
    fps: float | None = None
    frames: int | None = None
    codec: str | None = None
    audio: bool | None = None
    """Whether a video has sound."""
    mode: str | None = None
    """How a picture keeps its colours, in Pillow's words, such as `RGB`."""
    triangles: int | None = None
    vertices: int | None = None
    extents: tuple[float, float, float] | None = None
    """Width, height and depth of a model, in metres."""

    @property
    def came_as(self) -> str:
        """The SHA-256 of what the provider gave."""
        return self.original_sha256 or self.sha256


class Bought(_Read):
    """Which purchase it is."""

    provider: str
    account: str
    """Provider, origin of its address, and name of the account, with `|` between them. Never a key."""
    operation: str
    """What was bought, such as `technique studio-blur`."""
    remote_id: str
    """The provider's id of the job."""
    submission_key: str
    """The name of the wish: the same request by the same account has the same key, and is not bought again."""
    attempt: int = Field(ge=1, le=LARGEST)
    """1, or more where earlier purchases for the same wish failed."""
    take: int = Field(ge=1, le=LARGEST)
    """1, 2, 3...: the same request bought again on purpose."""

    @property
    def account_name(self) -> str:
        """The account's name alone."""
        return self.account.rpartition("|")[2]


class Sidecar(Bought):
    """Where a file in a genmedia store came from. Programs must pass over fields that they do not know."""

    genmedia: str
    """The version of genmedia that wrote it."""
    sidecar: int = Field(ge=1, le=VERSION)
    """The version of this form."""
    campaign: str
    """The chain, batch or sheet that it was made for."""
    step: str
    """The part of the campaign that gave it."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Whom it was bought for, such as a client, a project or a cost centre."""
    request: dict[str, JsonValue] = Field(default_factory=dict)
    """The fields that the caller set; a file stands in it by its SHA-256 and what was done to it."""
    inputs: tuple[Input, ...] = ()
    cost: Cost
    times: Times
    output: Output
    file: File
    warnings: tuple[str, ...] = ()
    """What a person should look at."""

    @property
    def prompt(self) -> str:
        """The words it was made from; empty where there are none."""
        return prompt_of(self.request, [one.text for one in self.inputs])


def prompt_of(request: Mapping[str, Any], texts: Iterable[str | None]) -> str:
    """The words a request asks with: its prompt, else the texts among its inputs."""
    asked = request.get("prompt")
    return asked if isinstance(asked, str) else "\n".join(filter(None, texts))


class _Version(_Read):
    genmedia: str
    sidecar: int


def read_sidecar(content: bytes) -> Sidecar:
    """The sidecar in these bytes.

    Raises:
        ForeignError: It is JSON of another program.
        ValueError: Why there is none: it is damaged, or a later genmedia wrote it.
    """
    try:
        found = _Version.model_validate_json(content)
        if found.sidecar > VERSION:
            raise LaterVersionError(found.genmedia, found.sidecar)
        return Sidecar.model_validate_json(content)
    except ValidationError:
        raise (ValueError if _may_be_ours(content) else ForeignError)("it does not read as a sidecar of genmedia") from None


def _may_be_ours(content: bytes) -> bool:
    """Whether it names genmedia, or is cut short before it could."""
    try:
        told = from_json(content)
    except ValueError:
        return True
    return isinstance(told, dict) and "genmedia" in told


class ForeignError(ValueError):
    """It is JSON, and says nothing of genmedia."""


class LaterVersionError(ValueError):
    """A sidecar is of a form that this genmedia does not know, and is not guessed at."""

    def __init__(self, genmedia: str, version: int) -> None:
        super().__init__(f"it is a sidecar of version {version}, written by genmedia {genmedia}; this one reads up to {VERSION}")


def schema() -> str:
    """The JSON Schema of a sidecar, as it is published."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Sidecar.model_json_schema()}
    return json.dumps(described, indent=2) + "\n"
