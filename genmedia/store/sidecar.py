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
    """Marks a type whose values are made plain JSON: a lone surrogate, as in a file's name that is not UTF-8, becomes `?`.

    Values that were read from JSON are plain already.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        read = handler(source)
        return core_schema.json_or_python_schema(read, core_schema.no_info_before_validator_function(_as_json, read))


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace"))


Text = Annotated[str, _Clean()]


class _Record(BaseModel):
    # An infinite number would break the JSON of everything made of sidecars. Who reads no sidecar should not wait for their models.
    model_config = ConfigDict(allow_inf_nan=False, use_attribute_docstrings=True, frozen=True, defer_build=True)


class Input(_Record):
    """One input of the request."""

    id: Text
    """The operation's name for the input, such as `input_image`."""
    text: Text | None = None
    """The text itself, if the input is a text."""
    sha256: str | None = Field(default=None, pattern=_DIGEST)
    """SHA-256 of the file's bytes before it was prepared for the provider, if the input is a file."""
    source: Text = Field(default="", alias="from")
    """Origin of the input, for people: a path, an address, a step and its output."""
    at: Text | None = None
    """The picture that was taken from a video: its time in seconds, `poster` for the one in the middle, or `last`."""
    asset: Text | None = None
    """Path of the file in this store, if it was made before."""


class Coordinate(_Record):
    """A place in one of the lists that a run asked with."""

    name: Text
    """The list's name, such as `prompt` or `seed`; of a chain `step`."""
    number: int = Field(ge=1)
    """Number of the value in the list, from 1."""
    value: Text = ""
    """The value, for people."""


def coordinates(place: Iterable[Mapping[str, str | int]]) -> tuple[Coordinate, ...]:
    """Return a place in the form of sidecars; see `genmedia.forms.names.placed`."""
    return tuple(map(Coordinate.model_validate, place))


class Cost(_Record):
    """Cost of the whole job; the sidecars of its other outputs name the same cost."""

    price: float | None = None
    """Price of the job before it was bought; null if it is unknown."""
    charged: float | None = None
    """Amount that the provider says it charged; null if it does not say."""
    unit: str = ""
    """Unit of both amounts, such as `credits`."""


class _Told(datetime):
    """A time that was read from a text. That text is written again, because providers spell times differently."""

    text: str


def _keep_text(told: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    """Return the time in a text, with the text; another time is cut to milliseconds, as times are written.

    Raises:
        ValueError: It is no time, or in the first or last year of the calendar, which some time zones cannot express.
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
    """Return the request, if it can be written as JSON: the model's own setting does not check inside it.

    Raises:
        ValueError: It contains an infinite number or NaN.
    """
    json.dumps(request, allow_nan=False)
    return request


class Times(_Record):
    """Times of the job and of its stored file, as ISO 8601 with an offset; times that the provider does not tell are left out."""

    created: Moment | None = None
    started: Moment | None = None
    completed: Moment | None = None
    stored: Moment

    @classmethod
    def of(cls, job: Mapping[str, str], stored: datetime) -> Self:
        """Return the times of a job that are ISO 8601, and the time its file was stored; a time without an offset counts as UTC."""
        told: dict[str, datetime] = {}
        for name, text in job.items():
            with suppress(ValueError):
                offset = "" if datetime.fromisoformat(text).tzinfo else "+00:00"
                told[name] = _MOMENT.validate_python(f"{text}{offset}")
        return cls(**told, stored=stored)


class Output(_Record):
    """The output of the job that the file is."""

    id: Text
    """The provider's name for the output."""
    kind: Text = ""
    """`image`, `video`, `model` or `text`; other kinds as the provider names them."""
    source: Text | None = None
    """The address that it was fetched from, without its signature; null for a text."""
    number: int | None = Field(default=None, ge=1)
    """Its place among the job's outputs, from 1."""
    of: int | None = Field(default=None, ge=1)
    """Number of outputs of the job, 500 at most. Where fewer sidecars name the job, the others were refused, or are lost."""


class File(_Record):
    """The file beside the sidecar."""

    sha256: str = Field(pattern=_DIGEST)
    """SHA-256 of the file as it is in the store."""
    original_sha256: str | None = Field(default=None, pattern=_DIGEST)
    """SHA-256 of the file as the provider gave it, if the store has written the provenance into it; left out if it is the same."""
    path: str = ""
    """Path at which it was stored, below the store's root. In a store that was moved, the path of the sidecar itself is right."""
    bytes: int
    media_type: str
    """Media type found in the content, not the one that the provider named."""
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
    """True if a video has sound."""
    mode: str | None = None
    """Colour mode of a picture, as Pillow names it, such as `RGB`."""
    triangles: int | None = None
    vertices: int | None = None
    extents: tuple[float, float, float] | None = None
    """Width, height and depth of a model, in metres."""

    @property
    def came_as(self) -> str:
        """SHA-256 of the file as the provider gave it."""
        return self.original_sha256 or self.sha256


class Use(_Record):
    """A step of a campaign that uses the file, besides the step for which it was bought."""

    campaign: Text
    step: Text
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Labels of the use, such as a client, a project or a cost centre."""
    since: Moment
    """Time at which the file was first wanted for this use."""


class Bought(_Record):
    """The purchase that a file came from."""

    provider: str
    account: str
    """Provider, origin of its address, and name of the account, with `|` between them. Never a key."""
    operation: Text
    """The operation that was bought, such as `technique studio-blur`."""
    remote_id: Text
    """The provider's id of the job."""
    submission_key: str
    """Key of the order: the same request and take of the same account has the same key, and is not bought again."""
    attempt: int = Field(ge=1, le=LARGEST)
    """Number of the attempt: 1, or more where earlier attempts at the same order failed."""
    take: int = Field(ge=1, le=LARGEST)
    """Number of the take: 1, or more where the same request was bought again on purpose."""

    @property
    def account_name(self) -> str:
        """The account's name alone."""
        return self.account.rpartition("|")[2]


class Sidecar(Bought):
    """Origin of a file in a genmedia store. Programs must ignore fields that they do not know."""

    genmedia: str
    """The version of genmedia that wrote it."""
    sidecar: int = Field(ge=1, le=VERSION)
    """The version of this format."""
    campaign: Text
    """The chain, batch or sheet that it was made for."""
    step: Text
    """The step of the campaign that gave it."""
    place: tuple[Coordinate, ...] = ()
    """Place of the file in what the run asked for: a coordinate for each of the run's lists, in their order; left out if unknown."""
    stands_in: Text | None = None
    """What the step asked for first, if a fallback of it or a cheaper step was bought in its place; else left out."""
    labels: dict[Text, Text] = Field(default_factory=dict)
    """Labels of the purchase, such as a client, a project or a cost centre."""
    uses: tuple[Use, ...] = ()
    """Other uses of the file; left out if there are none. The journal has all of them, a sidecar the first 500."""
    request: Annotated[dict[str, JsonValue], _Clean(), AfterValidator(_writable)] = Field(default_factory=dict)
    """The fields that the caller set; a file is named by its SHA-256 and its preparation for the provider."""
    inputs: tuple[Input, ...] = ()
    cost: Cost
    times: Times
    output: Output
    file: File
    warnings: tuple[Text, ...] = ()
    """Sentences about what a person should check."""
    forgotten: Moment | None = None
    """Time at which a person removed the file for good; else left out. Its sidecar is then in `.genmedia/forgotten/`, without texts."""

    def write(self) -> dict[str, Any]:
        """Return the sidecar as JSON; fields that were not set are left out, and so are `place`, `stands_in` and `uses` if empty."""
        told = self.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if "inputs" in told:
            told["inputs"] = [_arranged(one, last=("from", "asset")) for one in told["inputs"]]
        told["file"] = _arranged(told["file"], last=("audio", "mode", "original_sha256", "path"))
        told = {name: value for name, value in told.items() if value or name not in ("place", "stands_in", "uses")}
        return _arranged(told, ("genmedia", "sidecar", "campaign", "step", "place", "stands_in", "labels"), ("uses", "forgotten"))

    def at(self, path: str) -> Self:
        """Return the same sidecar for a file at this path."""
        return self.model_copy(update={"file": self.file.model_copy(update={"path": path})})

    @property
    def identity(self) -> tuple[str, str, int | None]:
        """The output that the file is: the submission key, the output's name, and its number, or None where that is not told."""
        return self.submission_key, self.output.id, self.output.number

    @property
    def is_upload(self) -> bool:
        """True if a person put the file into the store."""
        return self.provider == UPLOAD

    @property
    def used_by(self) -> list[tuple[str, str]]:
        """Campaign and step of every use, the one that it was bought for first."""
        return [(self.campaign, self.step), *((use.campaign, use.step) for use in self.uses)]

    @property
    def prompt(self) -> str:
        """The prompt of the request, else the texts among its inputs, one a line; empty where there are none."""
        asked = self.request.get("prompt")
        return asked if isinstance(asked, str) else "\n".join(filter(None, (one.text for one in self.inputs)))


class Evidence(Bought):
    """The JSON beside a file in quarantine: the purchase and the output that it is, and why it was refused."""

    output: Text
    """The provider's name for the output."""
    number: int | None = None
    """Its place among the job's outputs, from 1."""
    source: Text = ""
    """The address that it was fetched from, without its signature."""
    sha256: str = Field(pattern=_DIGEST)
    bytes: int
    error: Text = ""
    """The name of the error."""
    what: Text
    """The fault of the file, for people."""


def _arranged(told: dict[str, Any], first: tuple[str, ...] = (), last: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields with `first` in front and `last` at the end: the order that sidecars have always had."""
    between = (name for name in told if name not in (*first, *last))
    return {name: told[name] for name in (*first, *between, *last) if name in told}


class _Version(_Record):
    genmedia: str
    sidecar: int


def read_sidecar(content: bytes) -> Sidecar:
    """Read a sidecar from bytes.

    Raises:
        ForeignError: The bytes are JSON of another program.
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
    """True if the bytes are JSON that names genmedia, or no JSON, as a sidecar that was cut short."""
    try:
        told = from_json(content)
    except ValueError:
        return True
    return isinstance(told, dict) and "genmedia" in told


class ForeignError(ValueError):
    """The bytes are JSON that does not name genmedia."""


class LaterVersionError(ValueError):
    """A sidecar has a later version than this genmedia reads."""

    def __init__(self, genmedia: str, version: int) -> None:
        super().__init__(f"it is a sidecar of version {version}, written by genmedia {genmedia}; this one reads up to {VERSION}")


def schema() -> str:
    """Return the JSON Schema of a sidecar, as it is published."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Sidecar.model_json_schema()}
    return json.dumps(described, indent=2, allow_nan=False) + "\n"
