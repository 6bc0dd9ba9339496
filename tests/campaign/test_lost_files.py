"""Files that somebody took out of the store: what the plan tells of them is what the run does."""

from pathlib import Path

import pytest

from genmedia.campaign.run import Ended, Prospect
from tests.shops import Shop
from tests.studio import Studio

CUP = "{name: cup, model: nano_banana2, prompt: A cup}"
SMALL = "{name: small, local: resize, input: {step: cup}, width: 64}"
PAGE = "{name: page, model: imagen4, prompt: x, references: [{step: small}]}"
LEAF = "{name: leaf, model: imagen4, prompt: y, references: [{step: cup}]}"


@pytest.fixture
def shop(flora: Studio) -> Shop:
    return Shop(flora)


def outlooks(prospect: Prospect) -> dict[str, str]:
    return {one.name: one.outlook.value for one in prospect.foreseen}


def statuses(ended: Ended) -> dict[str, str]:
    return {one.name: one.status for one in ended.results}


def lose(shop: Shop, ended: Ended, *names: str) -> None:
    root: Path = shop.studios["flora"].root
    for one in ended.results:
        if one.name in names:
            (root / one.assets[0].path).unlink()


async def test_what_is_made_of_a_lost_file_is_there_and_only_the_file_is_fetched_again(shop: Shop) -> None:
    shop.write(CUP, SMALL, PAGE)
    lose(shop, await shop.apply(), "cup")

    prospect = await shop.plan()
    ended = await shop.apply()

    assert outlooks(prospect) == {"cup": "to fetch again", "small": "reused", "page": "reused"}
    assert (prospect.plans["genova"].cost, prospect.why) == (0, {})
    assert statuses(ended) == {"cup": "Resumed", "small": "Reused", "page": "Reused"}
    assert len(shop.jobs("genova")) == 2
    assert set(outlooks(await shop.plan()).values()) == {"reused"}


async def test_a_lost_file_that_this_machine_made_is_made_again(shop: Shop) -> None:
    shop.write(CUP, SMALL, PAGE)
    lose(shop, await shop.apply(), "small")

    prospect = await shop.plan()
    ended = await shop.apply()

    assert outlooks(prospect) == {"cup": "reused", "small": "to make", "page": "reused"}
    assert statuses(ended) == {"cup": "Reused", "small": "Made", "page": "Reused"}
    assert len(shop.jobs("genova")) == 2


async def test_what_is_new_is_made_of_a_lost_file_once_it_is_there_again(shop: Shop) -> None:
    shop.write(CUP, SMALL)
    lose(shop, await shop.apply(), "cup", "small")
    shop.write(CUP, SMALL, PAGE, LEAF, head="budget: {genova: 2}\n")

    prospect = await shop.plan()
    ended = await shop.apply()

    assert outlooks(prospect) == {"cup": "to fetch again", "small": "to make", "page": "to buy", "leaf": "to buy"}
    assert prospect.plans["genova"].cost == 2
    assert statuses(ended) == {"cup": "Resumed", "small": "Made", "page": "Bought", "leaf": "Bought"}
    assert len(shop.jobs("genova")) == 3
