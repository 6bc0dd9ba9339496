"""The wish for a delivery: which stored files, in which forms, under which names, and what they say about themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genmedia.provenance.labels import MADE_BY_MACHINE
from genmedia.store.sidecar import Sidecar

NAMES = "{step}-{take}-{n}.{ext}"
"""Template of the names where a person chooses none: the step, its take, and the number of the output."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One stored file that is to be delivered.

    Attributes:
        path: Its path below the store's root.
        sidecar: Its sidecar.
        step: Name of the step of the campaign that gave it.
        values: Values for its name and its title, by their names, such as those of its row; a value may be a mapping of further ones. They
            are told in the manifest, and go before the names that every file has; see `naming.names_of`.
        title: Its title; empty for none.
        verdict: What a person said of it, such as `keep`; empty if nobody did.
        by: Who said so.
    """

    path: str
    sidecar: Sidecar
    step: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    title: str = ""
    verdict: str = ""
    by: str = ""


@dataclass(frozen=True)
class Form:
    """A form in which pictures are delivered; other files are delivered as they are.

    Attributes:
        suffix: Suffix of their type, one of `genmedia.media.conversion.FORMATS`; empty for the type that each has.
        side: Most pixels of the longer side; None for as many as each has.
    """

    suffix: str = ""
    side: int | None = None


AS_STORED = Form()


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A wish for a delivery.

    Attributes:
        campaign: Name of the campaign: a place that holds the delivery of another one is refused.
        names: Template of the files' paths, as `genmedia.text.templates.render_path` takes it.
        forms: The forms in which each picture is delivered; one that is in the form already is copied as it is.
        creator: Who made the files, for their labels; empty for nobody.
        rights: Notice of copyright, for their labels; empty for none.
        source: Address of their digital source type. Empty for `MADE_BY_MACHINE`, where a file names no other and a provider made it.
        package: True to have all of it in one zip as well.
        notes: Sentences that the manifest tells about the run, such as what was left out because the budget was short.
        of: What the run was for, where that is less than the campaign: values of its items, such as those of their row. What was delivered
            before of items without one of them stays as it is. None where the run was for everything.
    """

    campaign: str
    names: str = NAMES
    forms: Sequence[Form] = (AS_STORED,)
    creator: str = ""
    rights: str = ""
    source: str = ""
    package: bool = False
    notes: Sequence[str] = ()
    of: Sequence[Mapping[str, Any]] | None = None

    def source_of(self, item: Item) -> str:
        """Address of the digital source type of an item's file; empty for none."""
        return self.source or ("" if item.sidecar.is_upload else MADE_BY_MACHINE)
