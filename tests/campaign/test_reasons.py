"""Reasons of a plan, as whoever pays reads them: without names of fields and numbers that only the code knows."""

from dataclasses import replace
from typing import Any

import pytest

from genmedia.campaign.reasons import reason
from genmedia.jobs.job import Account
from genmedia.journal.order import Order
from genmedia.journal.reading import Asked

ACCOUNT = Account("genova", "https://genova.example", "default")


def order(**request: Any) -> Order:
    return Order(ACCOUNT, "image imagen4", {"prompt": "a cup on oak", **request}, 1, "credits", stride=20)


def asked(one: Order) -> Asked:
    return Asked(one.key, str(one.account), one.operation, one.request, one.take)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (order(prompt="a cup on ash"), "prompt: “oak” became “ash”"),
        (order(prompt="a red cup on oak"), "prompt: “red” was added"),
        (order(prompt="a cup"), "prompt: “on oak” was taken out"),
        (order(prompt="a  cup on oak"), "only spaces changed in prompt"),
        (order(aspectRatio="1:1"), "aspect ratio is “1:1” now"),
        (order(referenceImages={"images": [{"sha256": "b", "preparation": "p"}]}), "input 1 changed"),
        (replace(order(), take=41), "another take of the same"),
        (replace(order(), operation="image nano_banana2"), "made with image nano_banana2 now, and not with image imagen4"),
        (replace(order(), account=Account("genova", "https://genova.example", "studio")), "another account pays now"),
        (replace(order(), edition="2026-W48"), "new in edition 2026-W48"),
        (order(), "the last try gave no file"),
    ],
)
def test_a_reason_is_a_sentence_about_what_a_person_has_changed(now: Order, why: str) -> None:
    before = asked(order())

    assert reason(now, before) == why
    assert reason(now, None) == "new"
    assert reason(None, before) == "what it is made of is new"


def test_what_is_the_same_again_without_its_edition_is_told_so() -> None:
    assert reason(order(), asked(replace(order(), edition="2026-W48"))) == "made without an edition now"
