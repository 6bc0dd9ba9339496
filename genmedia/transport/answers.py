"""Reads answers of providers safely: bounded sizes, valid characters, no secrets. See `unpacking` for how they come."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Annotated, Any, cast

from pydantic import AfterValidator, StringConstraints

from genmedia.text.plain import cut
from genmedia.transport.redaction import hide

ID_CHARACTERS = 200
"""Longest id that is accepted, in characters. A longer one makes its answer unreadable: cut, it would name another thing."""

NAME_CHARACTERS = 200
"""Longest name of a field that a provider may choose, such as a parameter's, in characters; a longer one is cut."""

TIME_CHARACTERS = 40
"""Longest time as text, in characters."""

DEPTH = 50
"""Most levels of nested lists and objects."""

VALUES = 500_000
"""Most values of an answer, counted by its commas. The longest lists, which have no pages, have some 15 for each job, and 8 MiB in all."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=ID_CHARACTERS, pattern="^[^\ufffd]+$")]
"""Id that a provider gives to a thing; none of its characters had to be replaced."""


def _check_asked_by(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("nothing can be asked for by it")
    return value


RemoteId = Annotated[Id, AfterValidator(_check_asked_by)]
"""Id by which a job or a file is asked for: printable, not blank, and unaltered."""

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without secrets, and with a replacement character for each control character and each lone surrogate.

    PostgreSQL accepts no NUL, and UTF-8 cannot encode a lone surrogate. Tabs and line breaks stay.
    """
    text = hide(text, secrets)
    return _UNFIT.sub("\ufffd", text)


def parse(text: bytes | str, secrets: Sequence[str] = ()) -> Any:
    """Return JSON as values that can be stored anywhere: clean texts, finite numbers (None for others), bounded in depth and number.

    Raises:
        ValueError: It is not JSON, or exceeds the bounds.
    """
    if (text.count(",") if isinstance(text, str) else text.count(b",")) > VALUES:
        raise ValueError(f"more than {VALUES} values")
    try:
        return _clean(json.loads(text), secrets, DEPTH)
    except RecursionError:
        raise ValueError(f"more than {DEPTH} levels") from None


def _clean(value: Any, secrets: Sequence[str], levels: int) -> Any:
    match value:
        case str():
            return clean_text(value, secrets)
        case float():
            return value if isfinite(value) else None
        case list() | dict() if not levels:
            raise ValueError(f"more than {DEPTH} levels")
        case list():
            return [_clean(one, secrets, levels - 1) for one in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {cut(clean_text(name, secrets), NAME_CHARACTERS): _clean(one, secrets, levels - 1) for name, one in items}
        case _:
            return value


def read_date(text: str) -> datetime | None:
    """Return a date of an HTTP header, in UTC; None where it cannot be read or is not in the years 2000 to 2999."""
    try:
        date = parsedate_to_datetime(text)
        date = (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if 2000 <= date.year < 3000 else None


def read_number(text: str) -> float | None:
    """Return the number in a header; None where it is not a finite number of 0 or more."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None
