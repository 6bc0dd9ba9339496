"""The sidecar, the JSON beside each file in a store: the models that write it and read it.

`docs/sidecar.md` describes it for people, `docs/sidecar.schema.json` for programs; the latter is made of the docstrings below.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    JsonValue,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import CoreSchema, core_schema, from_json

VERSION = 1
"""The version of the sidecars that are written. A field may be added to a version; a field that changes its meaning makes a new one."""

LARGEST = 2**31 - 1
"""The largest integer that every database takes."""

UPLOAD = "upload"
"""The provider in the sidecar of a file that a person put into the store: nobody was paid for it, and no journal knows it."""

_DIGEST = r"^[0-9a-f]{64}$"


class _Clean:
    """Marks a type as made of plain JSON when it is written: a lone surrogate, as in a file's name that is no text, becomes `?`.

    What was read as JSON is that already.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        read = handler(source)
        return core_schema.json_or_python_schema(read, core_schema.no_info_before_validator_function(_as_json, read))


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace"))


Text = Annotated[str, _Clean()]


class _Record(BaseModel):
    # An infinite number would break the JSON of everything made of sidecars.
    model_config = ConfigDict(allow_inf_nan=False, use_attribute_docstrings=True, frozen=True)


class Input(_Record):
    """One thing that went into the request."""

    id: Text
    """The operation's name for it, such as `input_image`."""
    text: Text | None = None
    """Of a text: the text itself."""
    sha256: str | None = Field(default=None, pattern=_DIGEST)
    """Of a file: the SHA-256 of its bytes, before anything was done to it for the provider."""
    source: Text = Field(default="", alias="from")
    """Where it came from, for people: a path, an address, a step and its output."""
    at: Text | None = None
    """Of a video that stands for a picture: which one, in seconds, or `poster` for the one in the middle."""
    asset: Text | None = None
    """Of what was made before: its path in this store."""


class Coordinate(_Record):
    """Which value of one of the lists that a run asked with."""

    name: Text
    """The list's name, such as `prompt` or `seed`; of a chain `step`."""
    number: int = Field(ge=1)
    """Which of its values, from 1."""
    value: Text = ""
    """The value, for people."""


def coordinates(place: Iterable[Mapping[str, str | int]]) -> tuple[Coordinate, ...]:
    """A place as sidecars tell it; see `genmedia.forms.names.placed`."""
    return tuple(map(Coordinate.model_validate, place))


class Cost(_Record):
    """What the whole job cost; its other outputs name the same cost."""

    price: float | None = None
    """What it was said to cost before it was bought; null where nobody says."""
    charged: float | None = None
    """What the provider says it took; null where it does not say."""
    unit: str = ""
    """What both count, such as `credits`."""


class _Told(datetime):
    """A time that was read from a text, which is written again: providers spell times differently."""

    text: str


def _keep_text(told: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    """The time in a text; of a time that is none yet, its milliseconds are kept, as they are written.

    Raises:
        ValueError: It is none, or is so near to the calendar's end that some time zone could not hold it.
    """
    time: datetime = read(told)
    if not MINYEAR < time.year < MAXYEAR:
        raise ValueError("it is no year that calendars hold")
    if isinstance(told, _Told):
        return told
    if not isinstance(told, str):
        return time.replace(microsecond=time.microsecond // 1000 * 1000)
    kept = _Told.combine(time.date(), time.timetz())
    kept.text = told
    return kept


def _text_of(time: datetime) -> str:
    return getattr(time, "text", None) or time.isoformat(timespec="milliseconds")


Moment = Annotated[AwareDatetime, WrapValidator(_keep_text), PlainSerializer(_text_of)]
_MOMENT = TypeAdapter[datetime](Moment)


def _writable(request: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The request, if JSON can hold it: the model's own setting does not look into it.

    Raises:
        ValueError: It holds an infinite number.
    """
    json.dumps(request, allow_nan=False)
    return request


class Times(_Record):
    """When it happened, as ISO 8601 with an offset; what the provider does not tell is left out."""

    created: Moment | None = None
    started: Moment | None = None
    completed: Moment | None = None
    stored: Moment

    @classmethod
    def of(cls, job: Mapping[str, str], stored: datetime) -> Self:
        """A job's times, as far as they are ISO 8601, and when its file was stored; one without an offset is UTC."""
        told: dict[str, datetime] = {}
        for name, text in job.items():
            with suppress(ValueError):
                offset = "" if datetime.fromisoformat(text).tzinfo else "+00:00"
                told[name] = _MOMENT.validate_python(f"{text}{offset}")
        return cls(**told, stored=stored)


class Output(_Record):
    """Which of the job's outputs the file is."""

    id: Text
    """The provider's name for it."""
    kind: Text = ""
    """`image`, `video`, `model` or `text`; other kinds as the provider names them."""
    source: Text | None = None
    """The address it was fetched from, without what signs it; null for a text."""
    number: int | None = Field(default=None, ge=1)
    """Its place among the job's outputs, from 1."""
    of: int | None = Field(default=None, ge=1)
    """How many outputs the job gave. Where fewer sidecars name the job, the others were refused, or are lost."""


class File(_Record):
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


class Use(_Record):
    """A part of a campaign that uses the file, besides that for which it was bought."""

    campaign: Text
    step: Text
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Whom it is used for."""
    since: Moment
    """When it was first wanted for that."""


class Bought(_Record):
    """Which purchase it is."""

    provider: str
    account: str
    """Provider, origin of its address, and name of the account, with `|` between them. Never a key."""
    operation: Text
    """What was bought, such as `technique studio-blur`."""
    remote_id: Text
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
    campaign: Text
    """The chain, batch or sheet that it was made for."""
    step: Text
    """The part of the campaign that gave it."""
    place: tuple[Coordinate, ...] = ()
    """Where it stands in what the run asked for: a coordinate for each of its lists, the first list's first; left out where nobody says."""
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Whom it was bought for, such as a client, a project or a cost centre."""
    uses: tuple[Use, ...] = ()
    """What else uses it; left out where nothing does. The journal knows all, a sidecar the first 500."""
    request: Annotated[dict[str, JsonValue], _Clean(), AfterValidator(_writable)] = Field(default_factory=dict)
    """The fields that the caller set; a file stands in it by its SHA-256 and what was done to it."""
    inputs: tuple[Input, ...] = ()
    cost: Cost
    times: Times
    output: Output
    file: File
    warnings: tuple[Text, ...] = ()
    """What a person should look at."""
    forgotten: Moment | None = None
    """Of a file that a person removed for good: when. Then this stands in `.genmedia/forgotten/`, without words; else left out."""

    def write(self) -> dict[str, Any]:
        """It as JSON: what nobody told is left out, and so are `place` and `uses` where they are empty."""
        told = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if "inputs" in told:
            told["inputs"] = [_arranged(one, last=("from", "asset")) for one in told["inputs"]]
        told["file"] = _arranged(told["file"], last=("audio", "mode", "original_sha256", "path"))
        told = {name: value for name, value in told.items() if value or name not in ("place", "uses")}
        return _arranged(told, ("genmedia", "sidecar", "campaign", "step", "place", "labels"), ("uses", "forgotten"))

    def at(self, path: str) -> Self:
        """The same of a file that stands at this path."""
        return self.model_copy(update={"file": self.file.model_copy(update={"path": path})})

    @property
    def identity(self) -> tuple[str, str, int | None]:
        """Which output of which submission it is of: the submission's key, the output's name, and its number where that is told."""
        return self.submission_key, self.output.id, self.output.number

    @property
    def is_upload(self) -> bool:
        """Whether a person put the file into the store."""
        return self.provider == UPLOAD

    @property
    def used_by(self) -> list[tuple[str, str]]:
        """Campaign and step of everything that uses it, its first buyer's first."""
        return [(self.campaign, self.step), *((use.campaign, use.step) for use in self.uses)]

    @property
    def prompt(self) -> str:
        """The words it was made from: the request's prompt, else the texts among its inputs; empty where there are none."""
        asked = self.request.get("prompt")
        return asked if isinstance(asked, str) else "\n".join(filter(None, (one.text for one in self.inputs)))


class Evidence(Bought):
    """What stands beside a file in quarantine: which output of which purchase it is, and why it was refused."""

    output: Text
    """The provider's name for the output."""
    number: int | None = None
    """Its place among the job's outputs, from 1."""
    source: Text = ""
    """The address it was fetched from, without what signs it."""
    sha256: str = Field(pattern=_DIGEST)
    bytes: int
    error: Text = ""
    """The name of the error."""
    what: Text
    """What is wrong with it, for people."""


def _arranged(told: dict[str, Any], first: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields with these in front and these at the end, in the order in which files have always had them."""
    between = (name for name in told if name not in (*first, *last))
    return {name: told[name] for name in (*first, *between, *last) if name in told}


class _Version(_Record):
    genmedia: str
    sidecar: int


def read_sidecar(content: bytes) -> Sidecar:
    """The sidecar in these bytes.

    Raises:
        ForeignError: They are JSON of another program.
        ValueError: They are a damaged sidecar, or one of a later version; the text says which.
    """
    try:
        found = _Version.model_validate_json(content)
        if found.sidecar > VERSION:
            raise LaterVersionError(found.genmedia, found.sidecar)
        return Sidecar.model_validate_json(content)
    except ValidationError:
        raise (ValueError if _may_be_ours(content) else ForeignError)("it does not read as a sidecar of genmedia") from None


def _may_be_ours(content: bytes) -> bool:
    """Whether it is JSON that names genmedia, or no JSON, as a sidecar that was cut short."""
    try:
        told = from_json(content)
    except ValueError:
        return True
    return isinstance(told, dict) and "genmedia" in told


class ForeignError(ValueError):
    """What was read is JSON without the name of genmedia."""


class LaterVersionError(ValueError):
    """A sidecar has a later version than this genmedia reads."""

    def __init__(self, genmedia: str, version: int) -> None:
        super().__init__(f"it is a sidecar of version {version}, written by genmedia {genmedia}; this one reads up to {VERSION}")


def schema() -> str:
    """The JSON Schema of a sidecar, as it is published."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Sidecar.model_json_schema()}
    return json.dumps(described, indent=2, allow_nan=False) + "\n"
