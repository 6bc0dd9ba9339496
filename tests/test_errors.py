"""Errors: one class per cause, told in a line, whole on the far side of a process border."""

import inspect
import pickle
import re

import pytest

from genmedia import errors
from genmedia.errors import Fault, GenmediaError, InputError, RateLimitError

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, GenmediaError)]


def drawn_tree() -> dict[str, str]:
    """Each class in the module's picture with the class above it."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.search(r"\w+Error", line):
            depth = found.start() // 4
            parents[found[0]] = above[depth - 1] if depth else "Exception"
            above[depth:] = [found[0]]
    return parents


def example(kind: type[GenmediaError]) -> GenmediaError:
    if kind is InputError:
        return InputError([Fault("step 1, input photo", "is missing"), Fault("step 2", "is unknown")])
    error = kind("it went wrong", job="flora, job j57", money="3 credits were charged.", advice="Look again.")
    if hasattr(error, "retry_after"):
        error.retry_after = 7.5  # pyright: ignore[reportAttributeAccessIssue] # two of the classes have it
    return error


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    assert drawn_tree() == {one.__name__: one.__base__.__name__ for one in CLASSES if one.__base__}


def test_a_message_says_what_happened_to_which_job_what_it_cost_and_what_to_do() -> None:
    error = errors.QueueTimeoutError("it had not started after 60 s", job="flora studio-blur, job j57")

    assert str(error) == (
        "it had not started after 60 s (flora studio-blur, job j57). It is still paid for and may start any time. "
        "Run again to go on waiting: it is not bought twice."
    )


def test_a_message_without_job_money_and_advice_is_one_sentence() -> None:
    assert str(GenmediaError("it went wrong")) == "it went wrong."
    assert str(errors.CreditsError("no", money="", advice="")) == "no."


def test_a_run_with_two_wrong_inputs_names_both_below_the_line_that_sums_up() -> None:
    assert str(example(InputError)).splitlines() == [
        "2 faults in the input. Nothing was bought.",
        "  step 1, input photo: is missing",
        "  step 2: is unknown",
    ]
    assert str(InputError([Fault("here", "is wrong")])).startswith("1 fault in the input. ")


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_is_the_same_after_pickling(kind: type[GenmediaError]) -> None:
    error = example(kind)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_no_wait_is_known_unless_the_provider_named_one() -> None:
    assert RateLimitError("too many").retry_after is None


def test_what_ends_as_a_sentence_gets_no_second_stop() -> None:
    told = str(errors.CredentialsError("flora answered 401: This key was revoked."))

    assert told.startswith("flora answered 401: This key was revoked. This call bought nothing. Put a valid key ")
    assert str(errors.CredentialsError("it was revoked.", job="job 7")).startswith("it was revoked (job 7). This call ")
