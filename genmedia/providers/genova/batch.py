"""Batches of Genova jobs: every prompt with every set of references, ratio and model that fit together, checked before anything is bought."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.fields import field
from genmedia.forms.names import Place, placed, slug
from genmedia.forms.prompts import Prompt
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference
from genmedia.journal.order import Order
from genmedia.media.conformance import Expected
from genmedia.providers.genova.client import (
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
from genmedia.providers.genova.references import Reference, prepare_references
from genmedia.store.named_files import HOW_NAMED, FileName, Files

RATIOS = {"landscape": "16:9", "portrait": "9:16", "square": "1:1"}
"""What Genova's words for shapes mean, by its document."""

NO_FILES = Files()

COPIES = 20
"""The most copies of one image in a batch; so many takes lie between one take of the batch and the next."""


class ReferenceSet(BaseModel):
    """Pictures that guide a job together, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: list[FileName] = field(
        "Pictures",
        f"1 to {REFERENCES} of them: {HOW_NAMED}",
        example="photos/coffee.jpg",
        min_length=1,
        max_length=REFERENCES,
    )
    mode: ReferenceMode = field(
        "How they guide",
        "ingredients puts what they show into the picture; every model but freepik knows that one only. The others are for freepik, which "
        "does not know ingredients.",
        default="ingredients",
    )


class Shot(BaseModel):
    """One video to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: Prompt = field("Prompt", "What is to be seen, at most 500 characters.", example="Steam rises from a cup of coffee")
    model: VideoModel = field(
        "Model", "veo2_fast for drafts, veo3_fast for most, veo3_quality for the final cut.", default="veo3_fast"
    )
    ratio: FlowRatio = field("Shape", "landscape is 16:9, portrait 9:16.", default="landscape")
    references: list[FileName] = field(
        "References",
        f"Up to {REFERENCES} pictures that go into it: {HOW_NAMED}",
        example="photos/coffee.jpg",
        default=[],
        max_length=REFERENCES,
    )


@dataclass(frozen=True)
class Item:
    """One job of a batch.

    Attributes:
        name: Names its files and its row in the table.
        take: Tells copies of one request apart.
        place: Where it stands in the batch.
    """

    name: str
    request: JobRequest
    references: tuple[Reference, ...] = ()
    take: int = 1
    place: Place = ()

    @property
    def inputs(self) -> list[dict[str, str]]:
        """Where its references come from, for the sidecar."""
        return [
            {"id": f"reference {number}", "sha256": one.sha256, "from": one.origin}
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
        fingerprint=request.fingerprint,
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
    files: Files = NO_FILES,
) -> list[Item]:
    """One item for each prompt, reference set, fitting ratio and model, times copies.

    Args:
        prompts: What is to be seen.
        models: Which models.
        ratios: Shapes, as the models name them.
        references: Sets of pictures that guide the images.
        copies: How many of each.
        images_per_job: How many a job gives.
        quality: Of one of the models.
        priority: Higher is sooner.
        take: 1, 2, 3…: the same bought again on purpose.
        files: The references, at hand.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    faults = _unfitting(models, ratios)
    named = {
        f"references {place}, picture {number}": name for place, number, name in _named(chosen.files for chosen in references)
    }
    prepared = await _prepared(named, files, faults)
    items: list[Item] = []
    sets: list[ReferenceSet | None] = [*references] or [None]
    for (number, prompt), (place, chosen), (m, model) in product(enumerate(prompts, 1), enumerate(sets, 1), enumerate(models, 1)):
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
            used = " + ".join(Path(prepared[file].origin).name for file in chosen.files if file in prepared) if chosen else "none"
            where = {
                "prompt": (number, prompt),
                "references": (place, used),
                "model": (m, model),
                "ratio": (ratios.index(ratio) + 1, ratio),
            }
            items += [
                Item(
                    name if copies == 1 else f"{name}-{copy}",
                    request,
                    pictures,
                    (take - 1) * COPIES + copy,
                    placed(**where, copy=(copy, str(copy))),
                )
                for copy in range(1, copies + 1)
            ]
    return _sound(items, faults, "copies makes several of each")


async def plan_videos(shots: Sequence[Shot], *, priority: int | None, take: int, files: Files = NO_FILES) -> list[Item]:
    """One item for each shot.

    Args:
        shots: What is to be made.
        priority: Higher is sooner.
        take: 1, 2, 3…: the same bought again on purpose.
        files: Their references, at hand.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    faults: list[Fault] = []
    named = {f"shot {place}, picture {number}": name for place, number, name in _named(shot.references for shot in shots)}
    prepared = await _prepared(named, files, faults)
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
            items.append(Item(f"{number:02}-{slug(shot.prompt)}", request, pictures, take, placed(shot=(number, shot.prompt))))
    return _sound(items, faults, "another take buys it again")


def _named(lists: Iterable[Sequence[str]]) -> list[tuple[int, int, str]]:
    """Each name of each list, with the number of the list and its own, from 1."""
    return [(place, number, name) for place, names in enumerate(lists, 1) for number, name in enumerate(names, 1)]


async def _prepared(named: Mapping[str, str], files: Files, faults: list[Fault]) -> Mapping[str, Reference]:
    """The pictures by name; what is wrong with one is told at every place that names it."""
    prepared, wrong = await prepare_references(files)
    faults += [Fault(place, f"{name} {wrong[name]}") for place, name in named.items() if name in wrong]
    return prepared


def _request(places: dict[str, str], elsewhere: str, given: dict[str, Any], faults: list[Fault]) -> JobRequest | None:
    """The request, or None and its faults; what many items share is told once."""
    try:
        return JobRequest.model_validate(given)
    except ValidationError as error:
        for fault in faults_in(error, given):
            found = replace(fault, place=f"{places.get(fault.place, elsewhere)}, {fault.place}")
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
