"""What a plan may cost."""

import pytest

from genmedia.budget import check_budget
from genmedia.errors import BudgetError


def test_a_plan_over_its_cap_is_refused_with_the_share_of_each_purchase() -> None:
    with pytest.raises(
        BudgetError, match=r"would cost 5 credits, more than the 4 allowed\. Nothing was bought\. blur 3, frame 2"
    ):
        check_budget("flora", {"frame": 2, "blur": 3}, 4)


def test_a_plan_may_cost_all_of_its_cap() -> None:
    assert check_budget("flora", {"frame": 2, "blur": 3}, 5) == 5


def test_of_many_shares_the_highest_are_told() -> None:
    with pytest.raises(BudgetError, match=r"p19 19, p18 18, .* p12 12, 12 more\."):
        check_budget("flora", {f"p{number}": number for number in range(20)}, 1)


def test_what_nobody_has_priced_is_not_bought_under_a_cap() -> None:
    with pytest.raises(BudgetError, match="nobody knows whether 100 credits are enough"):
        check_budget("generio", {"chair": None}, 100)
    assert check_budget("generio", {"chair": None}, None) == 0


def test_what_is_bought_already_fits_under_any_cap() -> None:
    assert check_budget("generio", {}, 0) == 0
