"""Names: those that people give, and the parts of file names that are made from texts."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from re import match, search, sub
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo
from slugify import slugify

from genmedia.errors import Fault, InputError
from genmedia.forms.validation import Reading
from genmedia.text.paths import SPELLED

Place = Sequence[Mapping[str, str | int]]
"""Place of an item in what a run asked for: a `name`, `number` and `value` for each list of the form, the first list first."""

_LONGEST_NAME = 60


def placed(**lists: tuple[int, str]) -> Place:
    """Return the place of an item in what a run asked for: for each list of the form, the number of its value, from 1, and the value.

    An entry added at the end of a list changes no other place.
    """
    return [{"name": name, "number": number, "value": value} for name, (number, value) in lists.items()]


def check_block_name(name: str) -> None:
    """Check the name of a block. Prefect would refuse it with a pattern's text only, after other blocks were saved.

    Raises:
        InputError: No block can have the name; the fault names one that would do, where there is one.
    """
    try:
        if len(name) > _LONGEST_NAME:
            raise ValueError(f"is longer than {_LONGEST_NAME} characters")
        _held_to(name, "[a-z0-9-]", "[a-z0-9]", "small letters from a to z, digits and dashes", "-")
    except ValueError as fault:
        raise InputError([Fault("the blocks' name", str(fault))]) from None


def as_name(text: str) -> str:
    """Turn a name that a person wrote into one for a path; empty for one without any letter or digit."""
    if match(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}}\Z", text):
        return text
    spelled = unicodedata.normalize("NFC", text).lower().translate(SPELLED)
    name = slugify(spelled, entities=False, decimal=False, hexadecimal=False, regex_pattern="[^a-z0-9._]+")
    return sub("^[^a-z0-9]+", "", name)[:_LONGEST_NAME].strip("-.")


def _as_name(value: Any, info: ValidationInfo) -> Any:
    """Turn a name that a person wrote into one for a path, a tag and a chain; where they differ, `Reading.renamed` gets both."""
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
    """Return the value; a text must consist of the allowed characters.

    Raises:
        ValueError: It is empty or has another character; the message names the character, and a name that would do.
    """
    if not isinstance(value, str) or match(f"{first}{allowed}*\\Z", value):
        return value
    if not value:
        raise ValueError("is empty")
    composed = unicodedata.normalize("NFC", value)
    wrong = next((one for one in composed if not match(allowed, one)), None)
    fault = f"has {_called(wrong)}" if wrong else f"begins with {value[0]!r}"
    plain = unicodedata.normalize("NFKD", composed.lower().translate(SPELLED))
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

LabelName = Annotated[str, StringConstraints(max_length=32), BeforeValidator(_as_label)]
"""The name of a label, such as `client`."""

LabelText = Annotated[str, StringConstraints(max_length=100), BeforeValidator(_as_text_of_a_label)]
"""The value of a label, such as `acme`."""

Labels = Annotated[dict[LabelName, LabelText], Field(max_length=16)]
"""Labels that say for whom a purchase is made: names such as `client`, `project` or `cost_centre`, with their values."""

SLUG_CHARACTERS = 32


def slug(text: str) -> str:
    """Return the words of a text in lower case, joined by dashes and cut to a readable length; words of other scripts as they sound.

    `untitled` for a text without any letter or digit.
    """
    words = sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not search("[a-z]", words):
        words = slugify(text, entities=False, decimal=False, hexadecimal=False) or words
    return words[:SLUG_CHARACTERS].strip("-") or "untitled"


def item_names(items: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each item, made from its words and not from its place: a new item renames no item with other words.

    Different items with the same words are told apart by a hash of their content; equal items get the same name.

    Args:
        items: Words and whole content of each item.
    """
    names = [slug(words) for words, _ in items]
    differing = Counter(name for name, _ in {(name, item) for name, (_, item) in zip(names, items, strict=True)})
    return [
        f"{name}-{sha256(item.encode()).hexdigest()[:8]}" if differing[name] > 1 else name
        for name, (_, item) in zip(names, items, strict=True)
    ]


HOW_NAMED = "a path from the project's folder, a path out of the gallery, or an https address."
"""Text for forms that tells how to name a file."""


def bare_name(name: str) -> str:
    """Return a name without the spaces and the quotes around it that were copied with it."""
    name = name.strip()
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'" else name


FileName = Annotated[str, AfterValidator(bare_name)]
"""A file as people name it, in a form or in a written file; `genmedia.store.named_files` finds it."""
