"""Prompts that people write, brought into one form: texts that look the same make the same request; and how requests hold them."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import BeforeValidator

_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters that Unicode counts as letters or symbols, but that show nothing."""


def clean(text: str) -> str:
    """Return the text without spaces around it, in Unicode's composed form (NFC), with one kind of line break.

    Raises:
        ValueError: It has a control character, or no visible one.
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    for number, one in enumerate(text, 1):
        if one not in "\n\t" and unicodedata.category(one) in ("Cc", "Cs"):
            raise ValueError(f"has the control character U+{ord(one):04X} as its character {number}")
    # Letters, numbers, punctuation, symbols and a font's own signs; all others are space, or change how their neighbours look.
    if not any(
        (one not in _BLANKS and unicodedata.category(one)[0] in "LNPS") or unicodedata.category(one) == "Co" for one in text
    ):
        raise ValueError("has no visible character")
    return text


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


Prompt = Annotated[str, BeforeValidator(_clean)]
"""A text that is sent to a provider."""


def look_alike(requests: Mapping[str, tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Return a sentence for each request that differs from an earlier one only by spaces or capitals: it may be bought by mistake.

    Args:
        requests: By the name of the item, a text with account, operation and take, and the request.
    """
    first: dict[str, tuple[str, Mapping[str, Any]]] = {}
    told: list[str] = []
    for name, (asked, request) in requests.items():
        other, same = first.setdefault(f"{asked} {_folded(request)!r}", (name, request))
        if request != same:
            told.append(f"{name}: differs only by spaces or capitals from {other}")
    return told


def _folded(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(value.split()).casefold()
    if isinstance(value, Mapping):
        return {name: _folded(one) for name, one in sorted(cast("Mapping[str, Any]", value).items())}
    if isinstance(value, Sequence):
        return [_folded(one) for one in cast("Sequence[Any]", value)]
    return value


def prompt_of(request: Mapping[str, Any]) -> str | None:
    """Return the prompt of a request: its field `prompt`, else the only text among its inputs; None where there is none, or are several."""
    if isinstance(request.get("prompt"), str):
        return request["prompt"]
    texts = [one["text"] for one in _inputs_of(request) if isinstance(one.get("text"), str)]
    return texts[0] if len(texts) == 1 else None


def with_prompt(request: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    """Return a request, which has a prompt, with another one; see `prompt_of`."""
    if isinstance(request.get("prompt"), str):
        return {**request, "prompt": prompt}
    return {**request, "inputs": [{**one, "text": prompt} if "text" in one else one for one in _inputs_of(request)]}


def seed_of(request: Mapping[str, Any]) -> int | None:
    """Return the seed with which a request gives the same again; None if it names none."""
    return next(
        (fields["seed"] for fields in (request, request.get("parameters", {})) if isinstance(fields.get("seed"), int)), None
    )


def with_seed(request: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    """Return a request, which has a seed, with another one; see `seed_of`."""
    inside = "seed" not in request
    return {**request, "parameters": {**request["parameters"], "seed": seed}} if inside else {**request, "seed": seed}


def _inputs_of(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    inputs = request.get("inputs")
    return (
        [cast("dict[str, Any]", one) for one in cast("list[Any]", inputs) if isinstance(one, dict)]
        if isinstance(inputs, list)
        else []
    )
