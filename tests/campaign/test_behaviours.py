"""What users of plans expect of `plan` and `apply`, each with the tests that hold it."""

import ast

import pytest

from tests.commands import PROJECT

CLI, FILE, AGAIN = "cli/test_plan_and_apply.py", "campaign/test_campaign_file.py", "campaign/test_running_again.py"
EXECUTOR, ITEMS = "campaign/test_executor.py", "campaign/file/test_expand.py"

BEHAVIOURS = {
    "a saved plan is carried out as it is, or refused as stale with the reason": [
        (CLI, "test_a_saved_plan_is_carried_out_as_it_is_also_a_second_time"),
        (CLI, "test_a_saved_plan_is_refused_as_stale_with_the_reason_where_it_would_do_something_else"),
        (CLI, "test_the_hash_of_a_plan_is_that_of_what_is_asked_for_and_of_its_price"),
    ],
    "a plan is good once, also where nothing existed before": [
        (CLI, "test_a_saved_plan_is_carried_out_as_it_is_also_a_second_time"),
    ],
    "a used or stale plan can still be shown": [(CLI, "test_a_saved_plan_can_be_shown_fresh_used_or_stale")],
    "after a partial apply the rest goes on without planning anew": [
        (CLI, "test_the_rest_of_a_saved_plan_goes_on_without_a_new_plan_where_a_part_of_it_failed"),
    ],
    "identity is by name, not by position": [
        (ITEMS, "test_names_and_places_do_not_hang_on_the_order_of_rows_and_steps"),
        (FILE, "test_what_is_moved_renamed_or_spaced_otherwise_is_not_bought_again"),
    ],
    "a rename rebuilds nothing": [(FILE, "test_what_is_moved_renamed_or_spaced_otherwise_is_not_bought_again")],
    "a reason stands beside each action": [(FILE, "test_a_plan_says_why_each_item_is_bought")],
    "cosmetic edits start nothing, and what differs by spaces only is told": [
        (FILE, "test_what_is_moved_renamed_or_spaced_otherwise_is_not_bought_again"),
        (CLI, "test_what_a_person_should_look_at_stands_in_the_plan"),
    ],
    "the plan tells the same as the run": [(FILE, "test_a_plan_tells_the_same_as_the_run_does")],
    "an exit code says that there is something to do": [
        (CLI, "test_a_plan_tells_what_is_to_buy_and_why_and_its_exit_code_whether_there_is_something"),
    ],
    "what does not depend on a failure goes on": [
        (EXECUTOR, "test_a_failure_keeps_back_what_it_feeds_and_nothing_else_and_its_row_says_how_long_it_took"),
    ],
    "a retry asks for the same, and only for what failed": [
        (FILE, "test_what_failed_is_bought_again_and_the_rest_is_not"),
        (CLI, "test_a_run_gives_values_to_the_variables_of_the_file_and_a_saved_plan_keeps_them"),
    ],
    "a retry works where it failed before the first step too": [
        (CLI, "test_what_failed_before_its_first_purchase_is_applied_again_as_it_was"),
    ],
    "the steps are printed where nobody is asked too": [
        (CLI, "test_a_plan_that_cannot_be_paid_for_is_shown_with_the_reason"),
        (CLI, "test_nothing_is_bought_where_nobody_agrees"),
    ],
    "what is done stays noted, and the journal and the files agree after somebody cleaned up": [
        (AGAIN, "test_a_stored_item_of_which_a_file_is_gone_or_cut_short_is_fetched_again_and_not_bought_again"),
    ],
}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_each_behaviour_has_tests_that_are_there(behaviour: str) -> None:
    for file, test in BEHAVIOURS[behaviour]:
        tree = ast.parse((PROJECT / "tests" / file).read_text(encoding="utf-8"))
        assert test in {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
