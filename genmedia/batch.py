"""Batches of Genova jobs: every prompt with every set of references, ratio and model that fit together, checked before anything is bought."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genmedia.buying import Order
from genmedia.errors import Fault, InputError
from genmedia.inspection.expectations import Expected
from genmedia.jobs import Account
from genmedia.keys import media_reference
from genmedia.naming import slug
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
from genmedia.references import Reference, prepare_references

RATIOS = {"landscape": "16:9", "portrait": "9:16", "square": "1:1"}
"""What Genova's words for shapes mean, by its document."""

COPIES = 20
"""The most copies of one image in a batch; so many takes lie between one take of the batch and the next."""


class ReferenceSet(BaseModel):
    """Pictures that guide a job together, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[str] = Field(
        min_length=1, max_length=REFERENCES, description="1 to 4 paths on the worker's machine, such as photos/coffee.jpg."
    )
    mode: ReferenceMode = Field(
        default="ingredients",
        description="Leave ingredients for all models but freepik; freepik needs one of the others.",
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
    references: tuple[Reference, ...] = ()
    take: int = 1

    @property
    def inputs(self) -> list[dict[str, str]]:
        """Where its references come from, for the sidecar."""
        return [
            {"id": f"reference {number}", "sha256": one.sha256, "from": str(one.path)}
            for number, one in enumerate(self.references, 1)
        ]

    def order(self, account: Account) -> Order:
        """The wish for this job: what defines it are the fields the caller set, references by hash."""
        return job_order(
            self.request, [media_reference(one.sha256, one.preparation) for one in self.references], account, self.take
        )


def job_order(request: JobRequest, references: Sequence[dict[str, str]], account: Account, take: int) -> Order:
    """The wish for a job.

    Args:
        request: What is asked for.
        references: Each picture by hash and preparation.
        account: Who pays.
        take: 1, 2, 3…: the same bought again on purpose.
    """
    fields = request.fields()
    if references:
        fields["referenceImages"] = {"images": list(references), "mode": request.reference_mode}
    ratio = RATIOS.get(request.aspect_ratio or "", request.aspect_ratio or "")
    return Order(
        account,
        f"{request.type} {request.model}",
        fields,
        PRICE,
        UNIT,
        take,
        expects=Expected(kind=request.type, ratio=ratio),
        echo=request.echo,
        stride=COPIES if request.type == "image" else 1,
    )


async def plan_images(
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
    prepared = await prepare_references((file for chosen in references for file in chosen.files), faults)
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
            places = {"prompt": f"prompt {number}", "reference_mode": f"references {place}", "references": f"references {place}"}
            request = _request(places, f"model {model}", given, faults)
            if request is None:
                continue
            pictures = tuple(prepared[file] for file in chosen.files if file in prepared) if chosen else ()
            # What all items share says nothing in a name.
            varied = (
                model if len(models) > 1 else "",
                slug(ratio) if len(ratios) > 1 else "",
                f"r{place}" if len(sets) > 1 else "",
            )
            name = "-".join(filter(None, (f"{number:02}", slug(prompt), *varied)))
            items += [
                Item(name if copies == 1 else f"{name}-{copy}", request, pictures, (take - 1) * COPIES + copy)
                for copy in range(1, copies + 1)
            ]
    return _sound(items, faults, "copies makes several of each")


async def plan_videos(shots: Sequence[Shot], *, priority: int | None, take: int) -> list[Item]:
    """One item for each shot.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    faults: list[Fault] = []
    prepared = await prepare_references((file for shot in shots for file in shot.references), faults)
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
        request = _request({}, f"shot {number}", given, faults)
        if request is not None:
            pictures = tuple(prepared[file] for file in shot.references if file in prepared)
            items.append(Item(f"{number:02}-{slug(shot.prompt)}", request, pictures, take))
    return _sound(items, faults, "another take buys it again")


def _request(places: dict[str, str], elsewhere: str, given: dict[str, Any], faults: list[Fault]) -> JobRequest | None:
    """The request, or None and its faults; what many items share is told once."""
    try:
        return JobRequest.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0])
            found = Fault(f"{places.get(name, elsewhere)}, {name}", fault["msg"].removeprefix("Value error, "))
            if found not in faults:
                faults.append(found)
        return None


def _sound(items: list[Item], faults: list[Fault], advice: str) -> list[Item]:
    wishes = Counter((item.request, item.references, item.take) for item in items)
    twice = [item.name for item in items if wishes[item.request, item.references, item.take] > 1]
    faults += [Fault(name, f"is asked for more than once; {advice}") for name in dict.fromkeys(twice)]
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
