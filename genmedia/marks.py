"""What a person thought of the assets in the gallery, read back from the file that the gallery exports."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from genmedia.errors import Fault, InputError

_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MarkedAsset(_Written):
    """One asset, and what was thought of it.

    Attributes:
        mark: Keep it, buy it again as another take, or do not use it.
        path: Where it stood below the store's root.
        sha256: Of its bytes.
        submission_key: Of the submission that gave it.
        output: Which of that submission's outputs it is.
    """

    mark: Literal["keep", "retake", "reject"]
    path: str = Field(min_length=1)
    sha256: _Digest
    submission_key: _Digest
    output: str


class Marks(_Written):
    """All marks of one export.

    Attributes:
        marks: The version of the file's form.
        made: When it was exported.
        assets: Every asset that was marked.
    """

    marks: Literal[1]
    made: AwareDatetime
    assets: tuple[MarkedAsset, ...]

    def retakes(self) -> set[str]:
        """The keys of the submissions to buy again: a submission is retaken when any of its outputs is marked so."""
        return {asset.submission_key for asset in self.assets if asset.mark == "retake"}


def read_marks(path: Path) -> Marks:
    """Read a `marks.json` that was exported from the gallery.

    Raises:
        InputError: It cannot be read, or is not such a file; with every fault and its place, such as `marks.json, assets[2].mark`.
    """
    try:
        return Marks.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError([Fault(str(path), f"cannot be read: {error.strerror}")]) from None
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise InputError([Fault(_place(path, fault["loc"]), fault["msg"]) for fault in found]) from None


def _place(path: Path, where: tuple[int | str, ...]) -> str:
    named = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    return f"{path}, {named}" if named else str(path)
