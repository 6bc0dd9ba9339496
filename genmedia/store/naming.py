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

SIDECAR = ".json"
"""What is behind a file's name in that of its sidecar; no file of a store ends in it."""

NAME_LENGTH = 150
"""The longest name of a file or folder. File systems take 255, some object stores less; `.json` and a mark of whose file it is need some."""

PAGE = "index.html"
"""Where the gallery's page stands, below the store's root."""

MANIFEST = "manifest.csv"
"""Where the list of all files stands, below the store's root."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_OURS = {*RESERVED, PAGE, MANIFEST}
_SUFFIX = re.compile(r"\.(\{ext\}|[A-Za-z0-9]+)")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, whatever their ending; a store may be copied there."""


def is_own(path: str) -> bool:
    """Whether a path below the root leads to what is the store's own, whatever the case: some file systems tell none."""
    return path.partition("/")[0].lower() in RESERVED


def may_be_sidecar(path: str) -> bool:
    """Whether a file's place is that of a sidecar; what is in it, only it can tell."""
    return path.endswith(SIDECAR) and path.partition("/")[0] not in RESERVED


def check_template(template: str) -> str:
    """The template, if it can be one.

    Raises:
        SettingsError: It names something unknown, ends in no name or without a suffix, leaves the root, or leads to what is the store's own.
    """
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
        example = template.format(**dict.fromkeys(FIELDS, "x"))
    except (ValueError, LookupError, AttributeError):
        named, example = {"?"}, ""
    suffix, parts = _suffix_of(template), example.split("/")
    odd = [part for part in parts if not part.isprintable() or "\\" in part or part.strip(". ") == "" or _apart(part) != part]
    if named - set(FIELDS) or odd or not _SUFFIX.fullmatch(suffix) or suffix.lower() == SIDECAR:
        raise SettingsError(
            f"{template!r} cannot be a path template",
            advice=f"Use a path below the store's root made of {', '.join(f'{{{name}}}' for name in FIELDS)}, with a suffix at its end, "
            f"such as {DEFAULT_TEMPLATE}; {SIDECAR}, {', '.join(sorted(_OURS))} are names of the store's own.",
        )
    return template


def _suffix_of(template: str) -> str:
    """What is behind the last dot of its last name, with the dot."""
    _, dot, suffix = template.rpartition("/")[2].rpartition(".")
    return dot + suffix


def fill_in(template: str, names: Mapping[str, str]) -> str:
    """The path for these names.

    Args:
        template: One that was checked.
        names: A value for each of `FIELDS`.
    """
    filled = template.format(**{name: safe(names[name]) for name in FIELDS})
    return "/".join(_apart(_cut(part)) for part in filled.split("/"))


def _apart(name: str) -> str:
    """The name of a file or folder, so that it is none of the store's own, no sidecar's, and no device's."""
    name = name.rstrip(". ")
    if _DEVICE.fullmatch(name):
        first, dot, rest = name.partition(".")
        return f"{first}-{dot}{rest}"
    if name.lower().endswith(SIDECAR):
        return f"{name}-"
    path = PurePosixPath(name)
    return f"{path.stem}-{path.suffix}" if name.lower() in _OURS else name


def _cut(name: str) -> str:
    """The name, without what is too much before its ending."""
    suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(suffix)[: NAME_LENGTH - len(suffix)]}{suffix}"


def safe(value: str) -> str:
    """Names from a provider never become paths: what is not a plain character goes, and so do leading dots."""
    return _UNSAFE.sub("-", value).lstrip(".-")[:80].rstrip(".") or "x"
