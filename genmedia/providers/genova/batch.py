"""Batches of Genova jobs: every prompt with every set of references, ratio and model that fit together, checked before anything is bought."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from genmedia.errors import Fault, InputError
from genmedia.forms.names import Place, item_names, placed, slug
from genmedia.providers.drafts import Draft, Drafting
from genmedia.providers.genova.client import FLOW_RATIOS, FREEPIK_RATIOS, PROVIDER
from genmedia.providers.genova.forms import ReferenceSet, Shot
from genmedia.providers.genova.steps import GenovaStep
from genmedia.providers.sources import File
from genmedia.providers.steps import Operation
from genmedia.store.named_files import Files


@dataclass(frozen=True)
class _Wanted:
    """One step that is made from a form.

    Attributes:
        places: Place in the form of some fields of the step, by the field; for faults.
        elsewhere: Place in the form of all other fields.
    """

    step: GenovaStep
    place: Place
    places: Mapping[str, str]
    elsewhere: str


async def plan_images(
    drafting: Drafting,
    *,
    prompts: Sequence[str],
    models: Sequence[str],
    ratios: Sequence[str],
    references: Sequence[ReferenceSet],
    copies: int,
    images_per_job: int,
    quality: str | None,
    priority: int | None,
) -> Draft:
    """Return a draft with one step for each prompt, reference set, fitting ratio and model, times copies.

    Args:
        drafting: Questions that can be asked before the steps are made.
        prompts: Prompts of the images.
        models: Genova's models.
        ratios: Shapes, as the models name them.
        references: Sets of pictures that guide the images.
        copies: Number of copies of each image.
        images_per_job: Number of images that a job makes.
        quality: Quality, for the model freepik only.
        priority: Priority of the jobs; a higher one begins sooner.

    Raises:
        InputError: All faults, each with its place.
    """
    faults = _unfitting(models, ratios)
    named = {
        f"references {place}, picture {number}": name for place, number, name in _named(chosen.files for chosen in references)
    }
    files = await _pictures(drafting, named, faults)
    wanted: list[_Wanted] = []
    sets: list[ReferenceSet | None] = [*references] or [None]
    called = item_names([(prompt, prompt) for prompt in prompts])
    for (number, prompt), (place, chosen), (m, model) in product(enumerate(prompts, 1), enumerate(sets, 1), enumerate(models, 1)):
        pictures = chosen.files if chosen else []
        used = " + ".join(Path(files.found[file].origin).name for file in pictures if file in files.found) if chosen else "none"
        for ratio in _fitting(model, ratios):
            # A value that all steps share is left out of their names.
            varied = (
                model if len(models) > 1 else "",
                slug(ratio) if len(ratios) > 1 else "",
                f"r{place}" if len(sets) > 1 else "",
            )
            name = "-".join(filter(None, (called[number - 1], *varied)))
            where = {
                "prompt": (number, prompt),
                "references": (place, used),
                "model": (m, model),
                "ratio": (ratios.index(ratio) + 1, ratio),
            }
            for copy in range(1, copies + 1):
                step = GenovaStep.model_construct(
                    name=name if copies == 1 else f"{name}-{copy}",
                    model=model,
                    prompt=prompt,
                    ratio=ratio,
                    quality=quality,
                    references=[File(file=files.in_full(file)) for file in pictures],
                    mode=chosen.mode if chosen else None,
                    count=images_per_job if images_per_job > 1 else None,
                    priority=priority,
                    copy_number=copy,
                )
                places = {"prompt": f"prompt {number}", **dict.fromkeys(("reference_mode", "references"), f"references {place}")}
                wanted.append(_Wanted(step, placed(**where, copy=(copy, str(copy))), places, f"model {model}"))
    return await _drafted(drafting, wanted, faults, "copies makes several of each")


async def plan_videos(drafting: Drafting, shots: Sequence[Shot], *, priority: int | None) -> Draft:
    """Return a draft with one step for each shot.

    Args:
        drafting: Questions that can be asked before the steps are made.
        shots: The videos to make.
        priority: Priority of the jobs; a higher one begins sooner.

    Raises:
        InputError: All faults, each with its place.
    """
    faults: list[Fault] = []
    named = {f"shot {place}, picture {number}": name for place, number, name in _named(shot.references for shot in shots)}
    files = await _pictures(drafting, named, faults)
    wanted: list[_Wanted] = []
    names = item_names([(shot.prompt, shot.model_dump_json()) for shot in shots])
    for number, (shot, name) in enumerate(zip(shots, names, strict=True), 1):
        step = GenovaStep.model_construct(
            name=name,
            model=shot.model,
            prompt=shot.prompt,
            ratio=shot.ratio,
            references=[File(file=files.in_full(file)) for file in shot.references],
            priority=priority,
        )
        wanted.append(_Wanted(step, placed(shot=(number, shot.prompt)), {}, f"shot {number}"))
    return await _drafted(drafting, wanted, faults, "another take buys it again")


def _named(lists: Iterable[Sequence[str]]) -> list[tuple[int, int, str]]:
    """Return each name of each list, with the number of the list and its own number, from 1."""
    return [(place, number, name) for place, names in enumerate(lists, 1) for number, name in enumerate(names, 1)]


async def _pictures(drafting: Drafting, named: Mapping[str, str], faults: list[Fault]) -> Files:
    """Return the pictures; `faults` gets the fault of an unusable one for every place that names it."""
    files = await drafting.look_at(named.values(), PROVIDER, "image")
    faults += [Fault(place, f"{name} {files.wrong[name]}") for place, name in named.items() if name in files.wrong]
    return files


async def _drafted(drafting: Drafting, wanted: Sequence[_Wanted], faults: list[Fault], advice: str) -> Draft:
    """Return a draft of the wanted steps; a fault that several of them share is reported once.

    Raises:
        InputError: All faults.
    """
    operations = await drafting.describe([one.step for one in wanted])
    asked: list[tuple[str, tuple[Any, ...]]] = []
    for one in wanted:
        operation = operations[one.step.name]
        if isinstance(operation, Operation):
            asked.append((one.step.name, (operation.asked, *one.step.references)))
            continue
        for fault in operation:
            field_name = fault.place.removeprefix(", ")
            found = replace(fault, place=f"{one.places.get(field_name, one.elsewhere)}, {field_name}")
            if found not in faults:
                faults.append(found)
    times = Counter(what for _, what in asked)
    twice = dict.fromkeys(name for name, what in asked if times[what] > 1)
    faults += [Fault(name, f"is asked for more than once; {advice}") for name in twice]
    if faults:
        raise InputError(faults)
    return Draft([one.step for one in wanted], {one.step.name: one.place for one in wanted})


def _fitting(model: str, ratios: Iterable[str]) -> list[str]:
    known = FREEPIK_RATIOS if model == "freepik" else FLOW_RATIOS
    return [ratio for ratio in ratios if ratio in known]


def _unfitting(models: Sequence[str], ratios: Sequence[str]) -> list[Fault]:
    """Return a fault for each model without a fitting ratio, and for each ratio that fits no model: neither is silently left out."""
    lonely = [
        Fault(f"model {model}", f"has none of the ratios {', '.join(ratios)}") for model in models if not _fitting(model, ratios)
    ]
    unused = [ratio for ratio in ratios if not any(_fitting(model, [ratio]) for model in models)]
    return lonely + [Fault(f"ratio {ratio}", f"is one of none of the models {', '.join(models)}") for ratio in unused]
