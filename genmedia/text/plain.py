"""Makes text from others, such as a provider's message, safe for a screen, a page or a spreadsheet: it is shown, never executed."""

import re
import unicodedata

REASON_CHARACTERS = 2_000
"""Longest message or reason, in characters; a longer one is cut, and ends with an ellipsis."""

# Control characters but tab and newline, line separators, lone surrogates, tags, and characters that change the direction of text.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
# Characters that make a link, a picture, HTML, a quotation, an entity, code, a cell or emphasis; an underscore within a word does not. At
# the beginning of a text: characters that make a heading or a list.
_MARKDOWN = re.compile(r"[\\`*<>\[\]|~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|^#|^[+-](?= )")
_FORMULA = ("=", "+", "-", "@")
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"
"""Characters without width, which Python does not count as spaces."""


def cut(text: str, characters: int = REASON_CHARACTERS) -> str:
    """Return the text; of one longer than `characters`, its beginning with an ellipsis."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def for_screen(text: str) -> str:
    """Return the text with a replacement character for each control character that a terminal would obey."""
    return _CONTROL.sub("\ufffd", text)


def for_json(text: str) -> str:
    """Return JSON with each such character written as an escape; its meaning stays the same."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    pairs = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pairs[at : at + 4]}" for at in range(0, len(pairs), 4))


def for_markdown(text: str) -> str:
    """Return the text as one line of Markdown, also for a table's cell, that is shown as it is; a bare web address is still a link."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(for_screen(text).split()))


def for_cell(value: str | float | None) -> str | float | None:
    """Return a cell of a CSV: a text that a spreadsheet would run as a formula gets an apostrophe before it, and is shown as it is.

    So does each part after a semicolon, a tab or a line break: where the comma is the decimal sign, spreadsheets begin a cell there.
    """
    if not isinstance(value, str):
        return value
    value = for_screen(value)
    first, *others = re.split("([;\t\n])", value)
    told = first + "".join(f"'{one}" if _is_formula(one) else one for one in others)
    return f"'{told}" if _is_formula(value) or value.startswith("\t") else told


def _is_formula(text: str) -> bool:
    first = re.sub(rf"^[\s{_UNSEEN}\ufffd]+", "", text)[:1]
    return unicodedata.normalize("NFKC", first).startswith(_FORMULA)
