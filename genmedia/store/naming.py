"""The path of an asset below the store's root: a template that a person wrote, filled in with names that are safe as paths."""

import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath

from genmedia.errors import SettingsError
from genmedia.text.paths import NAME_LENGTH, apart_from_devices

DEFAULT_TEMPLATE = "{campaign}/{step}/{output}.{ext}"
FIELDS = ("campaign", "step", "provider", "account", "operation", "output", "take", "key", "sha256", "date", "ext")
"""Fields of a path template. `key` and `sha256` are the first 8 hex digits; every value is cut down to letters, digits, `.`, `-`, `_`."""

RESERVED = {".genmedia", "quarantine"}
"""Names at the root that the store keeps for itself."""

SIDECAR = ".json"
"""Ending that is added to a file's name for its sidecar; no other file of a store ends in it."""

PAGE = "index.html"
"""Path of the gallery's page below the store's root."""

MANIFEST = "manifest.csv"
"""Path of the list of all files below the store's root."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_OURS = {*RESERVED, PAGE, MANIFEST}
_SUFFIX = re.compile(r"\.(\{ext\}|[A-Za-z0-9]+)")


def is_own(path: str) -> bool:
    """True if a path below the root is one that the store keeps for itself; upper and lower case count as equal, as in some file systems."""
    return path.partition("/")[0].lower() in RESERVED


def may_be_sidecar(path: str) -> bool:
    """True if a path may be that of a sidecar; only the content of the file tells if it is one."""
    return path.endswith(SIDECAR) and path.partition("/")[0] not in RESERVED


def check_template(template: str) -> str:
    """Return the template, if it is valid.

    Raises:
        SettingsError: It names an unknown field, has no name or suffix at its end, leaves the root, or uses a name of the store's own.
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
    """Return the suffix of the template's last name, with its dot."""
    _, dot, suffix = template.rpartition("/")[2].rpartition(".")
    return dot + suffix


def fill_in(template: str, names: Mapping[str, str]) -> str:
    """Fill names into a template; return the path.

    Args:
        template: A template that was checked.
        names: A value for each of `FIELDS`.
    """
    filled = template.format(**{name: safe(names[name]) for name in FIELDS})
    return "/".join(_apart(_cut(part)) for part in filled.split("/"))


def _apart(name: str) -> str:
    """Return the name of a file or folder, changed where it would be one of the store's own, that of a sidecar or of a device."""
    name = apart_from_devices(name.rstrip(". "))
    if name.lower().endswith(SIDECAR):
        return f"{name}-"
    path = PurePosixPath(name)
    return f"{path.stem}-{path.suffix}" if name.lower() in _OURS else name


def _cut(name: str) -> str:
    """Return the name, cut to `NAME_LENGTH` before its suffix."""
    suffix = PurePosixPath(name).suffix
    return f"{name.removesuffix(suffix)[: NAME_LENGTH - len(suffix)]}{suffix}"


def safe(value: str) -> str:
    """Return a value that is safe in a path: other characters become dashes, leading dots and dashes go, and 80 characters are kept."""
    return _UNSAFE.sub("-", value).lstrip(".-")[:80].rstrip(".") or "x"
