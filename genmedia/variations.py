"""Variation sheets from Algovera: every prompt with every seed and base model, checked before anything is bought."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from genmedia.buying import Order
from genmedia.errors import Fault, InputError
from genmedia.inspection.expectations import Expected
from genmedia.jobs import Account
from genmedia.naming import slug
from genmedia.providers.algovera import PRICE, UNIT, Txt2Img


@dataclass(frozen=True)
class Variation:
    """One picture of a sheet.

    Attributes:
        name: Names its file and its row in the table; the seed is in it.
        take: 1, 2, 3…: the same bought again on purpose.
        inputs: None: it is made from words alone, which are in the request.
    """

    name: str
    request: Txt2Img
    take: int
    inputs: tuple[()] = ()

    def order(self, account: Account) -> Order:
        """The wish for it: the fields the caller set."""
        asked = self.request
        expects = Expected(kind="image", width=asked.width, height=asked.height)
        return Order(account, f"txt2img {asked.base_model}", asked.fields(), PRICE, UNIT, self.take, expects=expects)


def plan_variations(
    *,
    prompts: Sequence[str],
    seeds: Sequence[int],
    base_models: Sequence[str],
    known_models: Collection[str],
    settings: dict[str, Any],
    take: int,
) -> list[Variation]:
    """One picture for each prompt, seed and base model.

    Args:
        prompts: What is to be seen.
        seeds: Which variation of it.
        base_models: Which models.
        known_models: Those that Algovera lists now.
        settings: Width, height, steps and guidance, as far as they are set.
        take: Raised to buy the same again.

    Raises:
        InputError: Everything that is wrong, each with its place.
    """
    offer = ", ".join(known_models)
    faults = [
        Fault(f"base model {model}", f"is unknown to Algovera; it has {offer}")
        for model in dict.fromkeys(base_models)
        if model not in known_models
    ]
    found: list[Variation] = []
    for (number, prompt), model, seed in product(enumerate(prompts, 1), base_models, seeds):
        try:
            request = Txt2Img(prompt=prompt, base_model=model, seed=seed, **settings)
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False):
                field = str(fault["loc"][0])
                place = Fault(f"prompt {number}" if field == "prompt" else field, fault["msg"])
                if place not in faults:
                    faults.append(place)
            continue
        words = (f"{number:02}", f"seed-{seed}", slug(model) if len(base_models) > 1 else "", slug(prompt))
        found.append(Variation("-".join(filter(None, words)), request, take))
    names = [one.name for one in found]
    faults += [Fault(f"picture {name}", "is asked for twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise InputError(faults)
    return found
