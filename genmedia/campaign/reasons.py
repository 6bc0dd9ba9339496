"""Reasons: why a plan buys something, told by what the campaign asked for before."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from genmedia.journal.order import Order
from genmedia.journal.reading import Asked

SHOWN = 48
"""Most characters that are shown of a value."""

_WORD = re.compile("(?<=[a-z])([A-Z])|_")
"""Where a word begins in a name such as `aspectRatio` or `aspect_ratio`."""

NEW, FED_ANEW, UNDECIDED = "new", "what it is made of is new", "nobody has decided yet"


def reason(order: Order | None, before: Asked | None, left_out: Sequence[str] = ()) -> str:
    """Return why something is bought.

    Args:
        order: Its order; None while what it is made of is not there.
        before: What the campaign asked for last under the same name; None if it never did.
        left_out: Names of the steps of which it is not made, as a person rejected what they gave.
    """
    return "; ".join(filter(None, (_change_since(order, before), made_without(left_out))))


def made_without(left_out: Sequence[str]) -> str:
    """Return the words about a step that is not made of some that a person rejected; empty where it is made of all."""
    return f"made without {', '.join(left_out)}, rejected" if left_out else ""


def _change_since(order: Order | None, before: Asked | None) -> str:
    if before is None or order is None:
        return NEW if before is None else FED_ANEW
    if str(order.account) != before.account:
        return "another account pays now"
    if order.operation != before.operation:
        return f"made with {order.operation} now, and not with {before.operation}"
    old, new = dict(_values(before.request, "")), dict(_values(order.request, ""))
    changes = [_change(name, old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)]
    if changes:
        return "; ".join(dict.fromkeys(changes))
    if order.take != before.take:
        return "another take of the same"
    edition = f"new in edition {order.edition}" if order.edition else "made without an edition now"
    return "the last try gave no file" if order.key == before.key else edition


def _change(way: str, old: Any, new: Any) -> str:
    *above, last = way.split()
    if last in ("sha256", "preparation"):
        number = next((one for one in reversed(above) if one.isdecimal()), "")
        return f"input {number} changed" if number else "an input changed"
    name = " ".join(_WORD.sub(r" \1", one).lower() for one in (*above, last))
    if old is None or new is None:
        return f"{name} is left out now" if new is None else f"{name} is {_shown(str(new).split())} now"
    before, after = str(old).split(), str(new).split()
    if before == after:
        return f"only spaces changed in {name}"
    begin = next(
        (at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after))
    )
    rest = list(zip(reversed(before[begin:]), reversed(after[begin:]), strict=False))
    end = next((at for at, (one, other) in enumerate(rest) if one != other), len(rest))
    gone, come = before[begin : len(before) - end], after[begin : len(after) - end]
    if not (gone and come):
        return f"{name}: {_shown(gone or come)} {'was taken out' if gone else 'was added'}"
    return f"{name}: {_shown(gone)} became {_shown(come)}"


def _shown(words: Sequence[str]) -> str:
    text = " ".join(words)
    return f"“{text if len(text) <= SHOWN else f'{text[:SHOWN]}…'}”"


def _values(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the values in a request, each with its way, such as `references 1 sha256`."""
    if isinstance(value, Mapping):
        for one, inner in cast("Mapping[str, Any]", value).items():
            yield from _values(inner, f"{name} {one}".strip())
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[Any]", value), 1):
            yield from _values(inner, f"{name} {number}".strip())
    elif value is not None:
        yield name, value
