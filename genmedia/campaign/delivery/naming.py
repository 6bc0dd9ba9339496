"""Names of the files of a delivery; two files under one name are a fault, told before anything is written."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from genmedia.campaign.delivery.wish import AS_STORED, Form, Item, Wish
from genmedia.errors import Fault, InputError
from genmedia.media.conversion import FORMATS
from genmedia.media.facts import SUFFIXES
from genmedia.provenance.labels import Label
from genmedia.text.paths import portable
from genmedia.text.plain import cut
from genmedia.text.templates import WrongTemplateError, flat, render_path

RECIPE = 1
"""Version of how files are made for a delivery: a new one makes and sends all of them again."""

MANIFEST, SHEET, PAGE = "manifest.json", "manifest.csv", "index.html"
"""Names of the files that go with those that were asked for."""

_TOLD = 6
"""Most values that are named of two files with one name."""

_NEVER_EQUAL = ("key", "sha256")
"""Names that tell any two files apart, and nothing to people: they are named last."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One file of a delivery.

    Attributes:
        name: Its path below the place.
        item: The item that it is of.
        form: The form into which it is converted; `AS_STORED` where it is copied as it is.
        label: Its label.
    """

    name: str
    item: Item
    form: Form
    label: Label

    @property
    def media_type(self) -> str:
        """Its media type."""
        return FORMATS[self.form.suffix] if self.form.suffix else self.item.sidecar.file.media_type

    @cached_property
    def recipe(self) -> str:
        """Hash of everything that its content is made from."""
        made_from = [RECIPE, self.item.sidecar.file.sha256, self.form.suffix, self.form.side, *vars(self.label).values()]
        return hashlib.sha256(json.dumps(made_from, allow_nan=False).encode()).hexdigest()


def package_of(campaign: str) -> str:
    """Name of the zip with everything."""
    return f"{portable(campaign) or 'delivery'}.zip"


def names_of(item: Item, form: Form, campaign: str, suffix: str) -> dict[str, Any]:
    """The values that the name of a file may have; those of the item go before the ones that every file has.

    Args:
        item: The item that it is of.
        form: The form that was asked for.
        campaign: The campaign.
        suffix: The suffix of the file as it will be.
    """
    told = item.sidecar
    return {
        "campaign": campaign,
        "step": item.step,
        "take": told.take,
        "n": told.output.number or 1,
        "output": told.output.id,
        "title": item.title,
        "provider": told.provider,
        "account": told.account_name,
        "operation": told.operation,
        "date": told.times.stored.date().isoformat(),
        "side": form.side,
        "key": told.submission_key[:8],
        "sha256": told.file.sha256[:8],
        **item.values,
        "ext": suffix,
    }


def stand_ins(campaign: str, item: str) -> dict[str, Any]:
    """Values in place of those that a file will have, by which names can be checked before there are files."""
    unknown = ("output", "title", "provider", "account", "operation", "date", "side")
    return {"campaign": campaign, "take": 1, "n": 1, "ext": "ext", "key": item, "sha256": item, **dict.fromkeys(unknown, "x")}


def clashes_of(names: Mapping[str, str]) -> list[str]:
    """Return a sentence for each name that several items would have, also where only their case differs.

    Args:
        names: Names by item.
    """
    by_name = defaultdict[str, list[str]](list)
    for item, name in names.items():
        by_name[name.lower()].append(item)
    return [
        f"give {names[some[0]]} to {len(some)} items: {' and '.join(some[:_TOLD])}; let the name say what tells them apart"
        for some in by_name.values()
        if len(some) > 1
    ]


def name_copies(items: Sequence[Item], wish: Wish) -> list[Copy]:
    """Give each file of a delivery its name.

    Raises:
        InputError: The template is wrong, or names are taken twice; with all such faults.
    """
    faults: dict[str, Fault] = {}
    copies: list[Copy] = []
    values: dict[int, dict[str, Any]] = {}
    for item in items:
        seen: set[Form] = set()
        for asked in wish.forms:
            form = _needed(item, asked)
            if form in seen:
                continue
            seen.add(form)
            named = names_of(item, asked, wish.campaign, form.suffix or SUFFIXES[item.sidecar.file.media_type])
            try:
                name = render_path(wish.names, named)
            except WrongTemplateError as error:
                faults.setdefault(str(error), Fault(f"the names {wish.names!r}", f"for {item.path}: {error}"))
                continue
            label = Label(
                creator=wish.creator,
                rights=wish.rights,
                title=item.title,
                source=wish.source_of(item),
                overrules=bool(wish.source),
            )
            copies.append(Copy(name=name, item=item, form=form, label=label))
            values[id(copies[-1])] = dict(flat(named))
    found = [*faults.values(), *_clashes(copies, values, package_of(wish.campaign))]
    if found:
        raise InputError(found)
    return copies


def _needed(item: Item, asked: Form) -> Form:
    """Return the form into which a file has to be converted; `AS_STORED` for one that is in the form already, or is no picture."""
    file = item.sidecar.file
    if not file.media_type.startswith("image/"):
        return AS_STORED
    smaller = asked.side is not None and max(file.width or 0, file.height or 0) > asked.side
    same = not asked.suffix or FORMATS[asked.suffix] == file.media_type
    if same and not smaller:
        return AS_STORED
    of_its_own = next((suffix for suffix, media_type in FORMATS.items() if media_type == file.media_type), "png")
    return Form(asked.suffix or of_its_own, asked.side if smaller else None)


def _clashes(copies: Sequence[Copy], values: Mapping[int, Mapping[str, Any]], package: str) -> list[Fault]:
    """Return a fault for each name that several files would have, also where only their case differs, as Macs and Windows do not see it."""
    by_name: defaultdict[str, list[Copy]] = defaultdict(list)
    for one in copies:
        by_name[one.name.lower()].append(one)
    faults = [
        Fault(some[0].name, f"would be {_listed(some)}; {_told_apart([values[id(one)] for one in some])}")
        for some in by_name.values()
        if len(some) > 1
    ]
    own = {name.lower() for name in (MANIFEST, SHEET, PAGE, package)}
    for name, (one, *_) in by_name.items():
        if name in own:
            faults.append(Fault(one.name, f"would be {one.item.path}; this name is the delivery's own"))
        for folder in PurePosixPath(name).parents:
            if str(folder) in by_name or str(folder) in own:
                other = by_name[str(folder)][0].item.path if str(folder) in by_name else "the delivery's own file"
                faults.append(Fault(one.name, f"would be {one.item.path}, in a folder whose name a file has: {other}"))
    return faults


def _listed(some: Sequence[Copy]) -> str:
    shown = [one.item.path for one in some[:_TOLD]]
    return " and ".join(shown) + (f" and {len(some) - len(shown)} more" if len(some) > len(shown) else "")


def _told_apart(values: Sequence[Mapping[str, Any]]) -> str:
    names = dict.fromkeys(name for one in values for name in one)
    differing = {name: list(dict.fromkeys(str(one.get(name)) for one in values)) for name in names}
    differing = {name: found for name, found in differing.items() if len(found) > 1}
    if not differing:
        return "nothing tells them apart: the same is asked for twice"
    ordered = sorted(differing, key=lambda name: name in _NEVER_EQUAL)[:_TOLD]
    told = ", ".join(f"{{{name}}} ({', '.join(cut(one, 40) for one in differing[name][:_TOLD])})" for name in ordered)
    return f"these tell them apart: {told}"
