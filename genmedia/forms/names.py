"""What things are called: names that people give, and the part of a file's name that a text becomes."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from re import match, search, sub
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo
from slugify import slugify

from genmedia.errors import Fault, InputError
from genmedia.forms.validation import Reading

Place = Sequence[Mapping[str, str | int]]
"""Where something stands in what a run asked for: a `name`, `number` and `value` for each of its lists, the first list first."""

_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "å": "a", "ł": "l", "đ": "d", "œ": "oe"}
)
_LONGEST_NAME = 60


def placed(**lists: tuple[int, str]) -> Place:
    """Where something stands in what a run asked for: which value of each list, by its number from 1.

    A list that gets longer at its end moves nothing.
    """
    return [{"name": name, "number": number, "value": value} for name, (number, value) in lists.items()]


def check_block_name(name: str) -> None:
    """Refuse what no block can be called: Prefect says so only in a pattern's text, once others are saved.

    Raises:
        InputError: It is no name, with one that would do.
    """
    try:
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"is longer than {_LONGEST_NAME} characters")
        _held_to(name, "[a-z0-9-]", "[a-z0-9]", "small letters from a to z, digits and dashes", "-")
    except ValueError as fault:
        raise InputError([Fault("the blocks' name", str(fault))]) from None


def as_name(text: str) -> str:
    """What a name that a person wrote becomes in a path; empty for one without any letter or digit."""
    if match(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}}\Z", text):
        return text
    spelled = unicodedata.normalize("NFC", text).lower().translate(_SPELLED)
    name = slugify(spelled, entities=False, decimal=False, hexadecimal=False, regex_pattern="[^a-z0-9._]+")
    return sub("^[^a-z0-9]+", "", name)[:_LONGEST_NAME].strip("-.")


def _as_name(value: Any, info: ValidationInfo) -> Any:
    """A name as people write it, as one that can stand in a path, a tag and a chain; the reading is told where they differ."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("is empty")
    name = as_name(value)
    if not name:
        raise ValueError(
            f"{value!r} has no letter and no digit, of which the names of folders are made; one that would do: spring-sale-2026"
        )
    if name != value and isinstance(info.context, Reading):
        info.context.renamed[value] = name
    return name


def _as_label(value: Any) -> Any:
    return _held_to(value, "[a-z0-9_]", "[a-z]", "small letters from a to z, digits and underscores", "_")


def _as_text_of_a_label(value: Any) -> Any:
    if isinstance(value, str) and (wrong := search("^$|[\x00-\x1f\x7f]", value)):
        raise ValueError(f"has {_called(wrong[0])}, which no label can have" if wrong[0] else "is empty")
    return value


def _held_to(value: Any, allowed: str, first: str, what: str, joint: str) -> Any:
    """The value, unless it is a text with another character.

    Raises:
        ValueError: Which character is wrong, and a name that would do.
    """
    if not isinstance(value, str) or match(f"{first}{allowed}*\\Z", value):
        return value
    if not value:
        raise ValueError("is empty")
    composed = unicodedata.normalize("NFC", value)
    wrong = next((one for one in composed if not match(allowed, one)), None)
    fault = f"has {_called(wrong)}" if wrong else f"begins with {value[0]!r}"
    plain = unicodedata.normalize("NFKD", composed.lower().translate(_SPELLED))
    plain = sub(f"{joint}{{2,}}", joint, sub(f"(?s)(?!{allowed}).", joint, sub("[\u0300-\u036f]", "", plain)))
    would_do = sub(f"^((?!{first}).)+", "", plain)[:_LONGEST_NAME].strip(f"{joint}.")
    raise ValueError(f"{value!r} {fault}; it can have {what}{f': {would_do} would do' if would_do else ''}")


def _called(character: str) -> str:
    if character.isspace() or not character.isprintable():
        known = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break"}
        return known.get(character, f"the unseen character U+{ord(character):04X}")
    return repr(character)


Name = Annotated[str, BeforeValidator(_as_name)]
"""A name that can stand in a path, a tag and a chain, made from what people write: `Spring Sale 2026` becomes `spring-sale-2026`."""

Labels = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=32), BeforeValidator(_as_label)],
        Annotated[str, StringConstraints(max_length=100), BeforeValidator(_as_text_of_a_label)],
    ],
    Field(max_length=16),
]
"""Whom something is bought for: names such as `client`, `project` or `cost_centre`, and what they are."""

SLUG_CHARACTERS = 32


def slug(text: str) -> str:
    """The words of a text in lower case, joined by dashes and cut to a readable length; of another script than Latin, as they sound.

    `untitled` for one without any letter or digit.
    """
    words = sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not search("[a-z]", words):
        words = slugify(text, entities=False, decimal=False, hexadecimal=False) or words
    return words[:SLUG_CHARACTERS].strip("-") or "untitled"


def item_names(items: Sequence[tuple[str, str]]) -> list[str]:
    """What each of several items is called: by its words, and not by its place, so that one that is put in renames no other of other words.

    Those that would be called the same are told apart by a hash of what they are; the very same is called the same.

    Args:
        items: Of each its words, and all that it is.
    """
    names = [slug(words) for words, _ in items]
    differing = Counter(name for name, _ in {(name, item) for name, (_, item) in zip(names, items, strict=True)})
    return [
        f"{name}-{sha256(item.encode()).hexdigest()[:8]}" if differing[name] > 1 else name
        for name, (_, item) in zip(names, items, strict=True)
    ]
