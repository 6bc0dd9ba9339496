"""Batches of Genova jobs: every prompt with every set of references, ratio and model that fit together, checked before anything is bought."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from re import sub
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genmedia.buying import Order
from genmedia.errors import Fault, InputError
from genmedia.jobs import Account
from genmedia.keys import hash_file, media_reference
from genmedia.providers.genova import (
    FLOW_RATIOS,
    FREEPIK_RATIOS,
    PRICE,
    REFERENCES,
    UNIT,
    FlowRatio,
    JobRequest,
    ReferenceMode,
    VideoModel,
)
from genmedia.references import PREPARATION


class ReferenceSet(BaseModel):
    """Pictures that guide a job together, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[str] = Field(
        min_length=1, max_length=REFERENCES, description="Paths of 1 to 4 pictures, from the project's folder."
    )
    mode: ReferenceMode = Field(
        default="ingredients",
        description="ingredients for Flow models; style, character, element, color, effects, camera for freepik.",
    )


class Shot(BaseModel):
    """One video to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(description="What is to be seen; at most 500 characters.")
    model: VideoModel = Field(
        default="veo3_fast", description="veo2_fast for drafts, veo3_fast, or veo3_quality for the final cut."
    )
    ratio: FlowRatio = Field(default="landscape", description="landscape 16:9, portrait 9:16 or square.")
    references: list[str] = Field(default=[], max_length=REFERENCES, description="Paths of up to 4 pictures that go into it.")


@dataclass(frozen=True)
class Item:
    """One job of a batch.

    Attributes:
        name: Names its files and its row in the table.
        take: Tells copies of one request apart.
    """

    name: str
    request: JobRequest
    references: tuple[Path, ...] = ()
    take: int = 1

    def fields(self, digests: Sequence[str]) -> dict[str, Any]:
        """What defines the purchase: the fields the caller set, references by hash.

        Args:
            digests: SHA-256 of each reference's original bytes.
        """
        fields = self.request.fields()
        if digests:
            images = [media_reference(digest, PREPARATION) for digest in digests]
            fields["referenceImages"] = {"images": images, "mode": self.request.reference_mode}
        return fields

    def order(self, account: Account) -> Order:
        """The wish for this job."""
        digests = [hash_file(path) for path in self.references]
        return Order(account, f"{self.request.type} {self.request.model}", self.fields(digests), PRICE, UNIT, self.take)


def plan_images(
    *,
    prompts: Sequence[str],
    models: Sequence[str],
    ratios: Sequence[str],
    references: Sequence[ReferenceSet],
    copies: int,
    images_per_job: int,
    quality: str | None,
    priority: int | None,
    take: int,
) -> list[Item]:
    """One item for each prompt, reference set, fitting ratio and model, times copies.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    faults = _unfitting(models, ratios)
    items: list[Item] = []
    sets: list[ReferenceSet | None] = [*references] or [None]
    for (number, prompt), (place, chosen), model in product(enumerate(prompts, 1), enumerate(sets, 1), models):
        for ratio in _fitting(model, ratios):
            given = {
                "type": "image",
                "prompt": prompt,
                "model": model,
                "aspect_ratio": ratio,
                "count": images_per_job if images_per_job > 1 else None,
                "quality": quality,
                "reference_mode": chosen.mode if chosen else None,
                "references": len(chosen.files) if chosen else 0,
                "priority": priority,
            }
            where = f"prompt {number}, {model}, {ratio}" + (f", references {place}" if chosen else "")
            request = _request(where, given, faults)
            if request is None:
                continue
            paths = tuple(Path(file).absolute() for file in chosen.files) if chosen else ()
            # What all items share says nothing in a name.
            varied = (
                model if len(models) > 1 else "",
                _slug(ratio) if len(ratios) > 1 else "",
                f"r{place}" if len(sets) > 1 else "",
            )
            name = "-".join(filter(None, (f"{number:02}", _slug(prompt), *varied)))
            items += [
                Item(name if copies == 1 else f"{name}-{copy}", request, paths, (take - 1) * copies + copy)
                for copy in range(1, copies + 1)
            ]
    return _checked(items, faults)


def plan_videos(shots: Sequence[Shot], *, priority: int | None, take: int) -> list[Item]:
    """One item for each shot.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    faults: list[Fault] = []
    items: list[Item] = []
    for number, shot in enumerate(shots, 1):
        given = {
            "type": "video",
            "prompt": shot.prompt,
            "model": shot.model,
            "aspect_ratio": shot.ratio,
            "reference_mode": "ingredients" if shot.references else None,
            "references": len(shot.references),
            "priority": priority,
        }
        request = _request(f"shot {number}", given, faults)
        if request is not None:
            paths = tuple(Path(file).absolute() for file in shot.references)
            items.append(Item(f"{number:02}-{_slug(shot.prompt)}", request, paths, take))
    return _checked(items, faults)


def _request(place: str, given: dict[str, Any], faults: list[Fault]) -> JobRequest | None:
    try:
        return JobRequest.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in fault["loc"])
            faults.append(Fault(f"{place}, {name}" if name else place, fault["msg"].removeprefix("Value error, ")))
        return None


def _checked(items: list[Item], faults: list[Fault]) -> list[Item]:
    gone = dict.fromkeys(path for item in items for path in item.references if not path.is_file())
    faults += [Fault(f"reference {path}", "is not there") for path in gone]
    if faults:
        raise InputError(faults)
    return items


def _fitting(model: str, ratios: Iterable[str]) -> list[str]:
    known = FREEPIK_RATIOS if model == "freepik" else FLOW_RATIOS
    return [ratio for ratio in ratios if ratio in known]


def _unfitting(models: Sequence[str], ratios: Sequence[str]) -> list[Fault]:
    """Models without any fitting ratio, and ratios that fit no model: both are mistakes, not things to pass over."""
    lonely = [
        Fault(f"model {model}", f"has none of the ratios {', '.join(ratios)}") for model in models if not _fitting(model, ratios)
    ]
    unused = [ratio for ratio in ratios if not any(_fitting(model, [ratio]) for model in models)]
    return lonely + [Fault(f"ratio {ratio}", f"is one of none of the models {', '.join(models)}") for ratio in unused]


def _slug(text: str) -> str:
    return sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-")
