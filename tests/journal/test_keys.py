"""Submission keys: the same wish has the same key for ever, another wish another."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmedia.errors import InputError
from genmedia.jobs.job import Account
from genmedia.journal.keys import media_reference, submission_key
from genmedia.media.hashing import hash_file

GOLDEN = Path(__file__).with_name("golden_keys.json")

FLORA = Account("flora", "https://app.flora.ai", "default")
REQUEST: dict[str, Any] = {"technique": "studio-blur", "inputs": [{"id": "input_image", "file": media_reference("ab" * 32)}]}


def test_the_keys_of_the_golden_file_have_not_changed() -> None:
    """A changed key would buy everything again: if this fails, the change that made it fail is wrong."""
    wishes = json.loads(GOLDEN.read_text(encoding="utf-8"))

    keys = {
        name: submission_key(Account(*wish["account"]), wish["operation"], wish["request"], wish["take"], wish.get("edition", ""))
        for name, wish in wishes.items()
    }

    assert keys == {name: wish["key"] for name, wish in wishes.items()}


@pytest.mark.parametrize(
    ("account", "operation", "request_", "take"),
    [
        (Account("flora", "https://app.flora.ai", "other"), "technique studio-blur", REQUEST, 1),
        (Account("flora", "http://127.0.0.1:4280/flora", "default"), "technique studio-blur", REQUEST, 1),
        (FLORA, "technique studio-shot", REQUEST, 1),
        (FLORA, "technique studio-blur", {**REQUEST, "seed": 1}, 1),
        (FLORA, "technique studio-blur", REQUEST, 2),
    ],
)
def test_another_account_origin_operation_field_or_take_is_another_wish(
    account: Account, operation: str, request_: dict[str, Any], take: int
) -> None:
    assert submission_key(account, operation, request_, take) != submission_key(FLORA, "technique studio-blur", REQUEST, 1)


def test_the_path_of_the_base_url_is_no_part_of_who_pays() -> None:
    with_path = Account("flora", "https://app.flora.ai/", "default")

    assert submission_key(with_path, "x", {}, 1) == submission_key(FLORA, "x", {}, 1)


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1))))
def test_the_order_in_which_fields_are_written_does_not_matter(request_: dict[str, Any]) -> None:
    reversed_ = dict(reversed(request_.items()))

    assert submission_key(FLORA, "x", reversed_, 1) == submission_key(FLORA, "x", request_, 1)


@pytest.mark.parametrize("value", [float("nan"), 2**60])
def test_a_value_without_a_canonical_form_is_refused_before_anything_is_bought(value: float) -> None:
    with pytest.raises(InputError, match="Nothing was bought"):
        submission_key(FLORA, "technique studio-blur", {"seed": value}, 1)


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")

    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b")
