"""Variation sheets from Algovera: every prompt with every seed and base model, checked before anything is bought."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from pydantic import ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.names import Place, placed, slug
from genmedia.forms.validation import faults_in
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.media.conformance import Expected
from genmedia.providers.algovera.client import PRICE, UNIT, Txt2Img


@dataclass(frozen=True)
class Variation:
    """One picture of a sheet.

    Attributes:
        name: Names its file and its row in the table; the seed is in it.
        take: 1, 2, 3…: the same bought again on purpose.
        inputs: None: it is made from words alone, which are in the request.
        place: Where it stands on the sheet.
    """

    name: str
    request: Txt2Img
    take: int
    inputs: tuple[()] = ()
    place: Place = ()

    def order(self, account: Account) -> Order:
        """The wish for it: the fields the caller set."""
        asked = self.request
        expects = Expected(kind="image", width=asked.width, height=asked.height)
        return Order(account, f"txt2img {asked.base_model}", asked.fields(), PRICE, UNIT, self.take, expects=expects)

    def asked(self, order: Order) -> "Variation":
        """The picture as an order asks for it, under its seed."""
        request = Txt2Img.model_validate(order.request)
        name = self.name.replace(f"-seed-{self.request.seed}", f"-seed-{request.seed}", 1)
        return replace(self, name=name, request=request, take=order.take)


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
    for (number, prompt), (m, model), (s, seed) in product(enumerate(prompts, 1), enumerate(base_models, 1), enumerate(seeds, 1)):
        asked = {"prompt": prompt, "base_model": model, "seed": seed, **settings}
        try:
            request = Txt2Img.model_validate(asked)
        except ValidationError as error:
            for fault in faults_in(error, asked):
                told = replace(fault, place=f"prompt {number}") if fault.place == "prompt" else fault
                if told not in faults:
                    faults.append(told)
            continue
        words = (f"{number:02}", f"seed-{seed}", slug(model) if len(base_models) > 1 else "", slug(prompt))
        where = placed(prompt=(number, prompt), model=(m, model), seed=(s, str(seed)))
        found.append(Variation("-".join(filter(None, words)), request, take, place=where))
    names = [one.name for one in found]
    faults += [Fault(f"picture {name}", "is asked for twice") for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise InputError(faults)
    return found
