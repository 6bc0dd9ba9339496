"""Variation sheets from Algovera: every prompt with every seed and base model, checked before anything is bought."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from genmedia.errors import Fault, InputError
from genmedia.forms.names import Place, item_names, placed, slug
from genmedia.providers.algovera.steps import AlgoveraStep, seed_in_name
from genmedia.providers.drafts import Draft, Drafting
from genmedia.providers.steps import Operation


async def plan_variations(
    drafting: Drafting, *, prompts: Sequence[str], seeds: Sequence[int], base_models: Sequence[str], settings: Mapping[str, Any]
) -> Draft:
    """Return a draft with one picture for each prompt, seed and base model.

    Args:
        drafting: Questions that can be asked before the steps are made.
        prompts: Prompts of the pictures.
        seeds: Seeds; each gives another variation.
        base_models: Models of Algovera's list.
        settings: Width, height, steps and guidance, as far as they are set.

    Raises:
        InputError: All faults, each with its place.
    """
    steps: list[AlgoveraStep] = []
    places: dict[str, Place] = {}
    numbers: list[int] = []
    called = item_names([(prompt, prompt) for prompt in prompts])
    for (number, prompt), (m, model), (s, seed) in product(enumerate(prompts, 1), enumerate(base_models, 1), enumerate(seeds, 1)):
        words = (seed_in_name(seed), slug(model) if len(base_models) > 1 else "", called[number - 1])
        name = "-".join(filter(None, words))
        steps.append(AlgoveraStep.model_construct(name=name, base_model=model, prompt=prompt, seed=seed, **settings))
        places[name] = placed(prompt=(number, prompt), model=(m, model), seed=(s, str(seed)))
        numbers.append(number)
    operations = await drafting.describe(steps)
    faults: dict[Fault, None] = {}
    for step, number in zip(steps, numbers, strict=True):
        operation = operations[step.name]
        for fault in () if isinstance(operation, Operation) else operation:
            place = fault.place.removeprefix(", ")
            faults[replace(fault, place=f"prompt {number}" if place == "prompt" else place)] = None
    times = Counter(step.name for step in steps)
    faults |= {Fault(f"picture {name}", "is asked for twice"): None for name in times if times[name] > 1}
    if faults:
        raise InputError(list(faults))
    return Draft(steps, places)
