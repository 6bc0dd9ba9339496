"""Where an asset goes below the store's root: a template of a person's, filled in with names that are safe as paths."""

import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath

from genmedia.errors import SettingsError

DEFAULT_TEMPLATE = "{campaign}/{step}/{output}.{ext}"
FIELDS = ("campaign", "step", "provider", "account", "operation", "output", "take", "key", "sha256", "date", "ext")
"""What a path template may name. `key` and `sha256` are the first 8 hex digits; every value is cut down to letters, digits, `.`, `-`, `_`."""

RESERVED = {".genmedia", "quarantine"}
"""Names at the root that are the store's own."""

NAME_LENGTH = 150
"""The longest name of a file or folder. File systems take 255, some object stores less; `.json` and a mark of whose file it is need some."""

PAGE = "index.html"
"""Where the gallery's page stands, below the store's root."""

MANIFEST = "manifest.csv"
"""Where the list of all files stands, below the store's root."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def may_be_sidecar(path: str) -> bool:
    """Whether a file's place is that of a sidecar; what is in it, only it can tell."""
    return path.endswith(".json") and path.partition("/")[0] not in RESERVED


def check_template(template: str) -> str:
    """The template, if it can be one.

    Raises:
        SettingsError: It names something unknown, ends in no name, leaves the root, or leads to what is the store's own.
    """
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        example = template.format(**dict.fromkeys(FIELDS, "x"))
    except (ValueError, LookupError, AttributeError):
        named, example = {"?"}, ""
    unknown, parts = named - set(FIELDS), example.split("/")
    if unknown or {"", ".", ".."} & set(parts) or parts[0] in RESERVED or example in (PAGE, MANIFEST):
        raise SettingsError(
            f"{template!r} cannot be a path template",
            advice=f"Use a path below the store's root made of {', '.join(f'{{{name}}}' for name in FIELDS)}.",
        )
    return template


def fill_in(template: str, names: Mapping[str, str]) -> str:
    """The path for these names.

    Args:
        template: One that was checked.
        names: A value for each of `FIELDS`.
    """
    filled = template.format(**{name: safe(names[name]) for name in FIELDS})
    return "/".join(map(_cut, filled.split("/")))


def _cut(name: str) -> str:
    """The name, without what is too much before its ending."""
    suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(suffix)[: NAME_LENGTH - len(suffix)]}{suffix}"


def safe(value: str) -> str:
    """Names from a provider never become paths: what is not a plain character goes, and so do leading dots."""
    name = _UNSAFE.sub("-", value).lstrip(".-")[:80] or "x"
    return f"{name}-" if name in RESERVED else name
