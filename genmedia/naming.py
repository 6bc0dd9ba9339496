"""What things are called: names that people give, and the part of a file's name that a text becomes."""

from re import sub
from typing import Annotated

from pydantic import Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""A name that can stand in a path, a tag and a chain."""

Labels = Annotated[
    dict[
        Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=32)],
        Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=100)],
    ],
    Field(max_length=16),
]
"""Whom something is bought for: names such as `client`, `project` or `cost_centre`, and what they are."""

SLUG_CHARACTERS = 32


def slug(text: str) -> str:
    """The words of a text in lower case, joined by dashes and cut to a readable length; `untitled` for one without Latin letters."""
    return sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:SLUG_CHARACTERS].strip("-") or "untitled"
