"""Tells refusals of content from a provider's other reasons: the same request is refused whoever sends it, however often."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

SHOWN_CHARACTERS = 200
"""Characters of a refused prompt that an error shows."""

READ_CHARACTERS = 2000
"""Characters of a reason that are read."""

_CODES = {
    "safety",
    "safety_blocked",
    "safety_violation",
    "image_safety",
    "moderation_blocked",
    "content_blocked",
    "content_filter",
    "content_filtered",
    "content_moderation",
    "content_policy",
    "content_policy_violation",
    "content_refused",
    "nsfw",
    "nsfw_content",
    "prohibited_content",
    "prompt_blocked",
}

# A wrong yes is worse than a wrong no: a request that is taken for refused is never sent again by itself. So one word alone, such as
# `safety` or `policy`, does not match: the text must say what was done, and by what or for what.
_REFUSES = re.compile(
    r"""(?x)
      violat\w* \b [^.]{0,60} \b (content | usage | safety | community | our) \b [^.]{0,30} \b (polic(y|ies) | guidelines?)
    | violat\w* \b [^.]{0,60} \b responsible\ ai \b
    | \b content\ polic(y|ies)\ violations? \b
    | \b (block | reject | filter | flag | refus) \w* \b (\ \w+){0,6} \ (safety | moderation | content\ (filter|policy|checker|moderation))
    | \b (safety | moderation | content) \ (filters?|systems?|checkers?|moderation) (\ has)? \ (blocked|rejected|refused|flagged)
    | \b (prompt | image | input | request) \ (was|is|has\ been)\ (banned | inappropriate | flagged (?!\ (as|by|for)\ )) \b
    | \b flagged\ (as|for) (\ \w+)? \ (sensitive|inappropriate|prohibited|explicit|unsafe|harmful|nsfw|sexual|violent) \b
    | \b contain(s|ed)? \b (\ \w+){0,3} \ (sensitive|inappropriate|prohibited|explicit|unsafe|harmful) \ (words?|content|material|imagery)
    | \b (nsfw|prohibited|inappropriate|unsafe) \ (content|generation) \b
    """
)
# A check that did not work, a limit of requests or credits, and a locked account are not refusals of content.
_PASSES = re.compile(
    r"time[ds]?\ ?-?\ ?out|unavailable|unreachable|could\ not\ be\ (reached|run|loaded|checked)|internal\ error|overload|\blater\b"
    r"|rate\ limit|quota|\bcredits?\b|too\ many|crashed|misconfigured"
    r"|\b(account|user|key|organi[sz]ation|workspace)( (is|was|has been))?( \w+ly)? (banned|blocked|deactivated|disabled|locked|suspended)\b"
)


def refuses_content(code: str, text: str) -> bool:
    """True if a reason that a provider gives is a refusal of content, as far as its code or its words say so.

    Args:
        code: The provider's code for it; empty where it has none.
        text: Its words.
    """
    if code.lower() in _CODES:
        return True
    words = re.sub(r"[\s_-]+", " ", f"{code}. {text[:READ_CHARACTERS]}".lower())
    return bool(_REFUSES.search(words)) and not _PASSES.search(words)


def prompt_of(request: Mapping[str, Any]) -> str:
    """Return the prompts and texts of a request, quoted and cut to a readable length; empty where it has none."""
    words = " ".join(" / ".join(_texts(request)).split())
    shown = words if len(words) <= SHOWN_CHARACTERS else f"{words[:SHOWN_CHARACTERS]}…"
    return f"“{shown}”" if shown else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in cast("Mapping[str, Any]", value).items():
            if name in ("prompt", "text") and isinstance(one, str):
                yield one
            else:
                yield from _texts(one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in cast("Sequence[Any]", value):
            yield from _texts(one)
