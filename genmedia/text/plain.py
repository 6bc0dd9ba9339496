"""What others wrote, such as a provider's message, as text that a screen, a page or a spreadsheet shows and does not carry out."""

import re
import unicodedata

REASON_CHARACTERS = 2_000
"""Of a message or reason; what is longer is cut, and ends with an ellipsis."""

# Control characters but tab and newline, separators of lines, halves of pairs, and what turns the direction in which text is read.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
# What makes a link, a picture, HTML, an entity, code, a cell, emphasis; within a word an underscore does not. At the beginning: a heading,
# a quotation, a list.
_MARKDOWN = re.compile(r"[\\`*<>\[\]|~]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|^#|^[+-](?= )")
_FORMULA = ("=", "+", "-", "@")
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff"
"""Characters without width, which are no spaces for Python."""


def cut(text: str, characters: int = REASON_CHARACTERS) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def for_screen(text: str) -> str:
    """The text with a replacement character for each that a terminal would obey."""
    return _CONTROL.sub("\ufffd", text)


def for_json(text: str) -> str:
    """JSON in which each such character is written as an escape: it means the same."""
    return _CONTROL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    pairs = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pairs[at : at + 4]}" for at in range(0, len(pairs), 4))


def for_markdown(text: str) -> str:
    """The text in one line of Markdown, also in a cell of a table, that is shown as it is; a bare address of the web is still a link."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(for_screen(text).split()))


def for_cell(value: str | float | None) -> str | float | None:
    """A cell of a CSV: a text that a spreadsheet would run as a formula gets an apostrophe before it, and is shown as it is.

    So does what follows a semicolon, a tab or a line break in it: where commas are decimal, spreadsheets begin a cell there.
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
