"""The part of a campaign's file that says where its files go, under which names and in which forms."""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import ValidationError

from genmedia.campaign.delivery import Form, Item, Wish
from genmedia.campaign.delivery.naming import clashes_of, stand_ins
from genmedia.campaign.delivery.place import place_from
from genmedia.campaign.delivery.wish import AS_STORED, NAMES
from genmedia.campaign.file.source import Source
from genmedia.errors import Fault, SettingsError
from genmedia.forms.fields import field
from genmedia.forms.validation import faults_in
from genmedia.media.conversion import LARGEST_SIDE
from genmedia.provenance.labels import SOURCES
from genmedia.providers.sources import Written
from genmedia.store import Place
from genmedia.text.templates import WrongTemplateError, names_in, path_template, render, render_path

DELIVER = "deliver"

MOST_TOLD = 5
"""Most faults of names, and of titles, that are told one by one."""


class Deliver(Written):
    """Where the files of a campaign go, under which names and in which forms."""

    to: str = field("To", "A folder or an address, such as s3://acme-dam/{{ edition }}.", min_length=1)
    names: str = field(
        "Names", "Paths below it, such as {row.sku}/{step}-{ratio}.{ext}.", default=NAMES, example="{row.sku}/{step}.{ext}"
    )
    steps: list[str] = field("Steps", "The steps whose files are meant; all of them where it is left out.", default=[])
    formats: list[Literal["jpg", "png", "webp", "tif"]] = field(
        "Formats", "Of pictures; as they are where it is left out.", default=[]
    )
    max_side: int | None = field("Longest side", "Of pictures, in pixels.", default=None, ge=1, le=LARGEST_SIDE)
    title: str = field("Title", "Of each file, such as {{ row.product }}.", default="")
    creator: str = field("Creator", "Who made the files.", default="")
    rights: str = field("Rights", "The notice of copyright.", default="")
    source_type: str = field("Source type", "One of IPTC's words, such as trainedAlgorithmicMedia.", default="")
    zip: bool = field("Zip", "All of it in one zip as well.", default=False)
    prune: bool = field("Prune", "Remove what earlier deliveries put there and this one does not have.", default=False)


@dataclass(frozen=True)
class Handover:
    """What is to be delivered, and where.

    Attributes:
        place: Where it goes.
        wish: What is asked for.
        steps: Names of the items whose files are meant.
        prune: True to remove what earlier deliveries put there and this one does not have.
    """

    place: Place
    wish: Wish
    steps: frozenset[str]
    prune: bool
    _title: str
    _values: Mapping[str, Mapping[str, Any]]

    def items(self, stored: Iterable[Item]) -> list[Item]:
        """Return the files with the values for their names, and with their titles; those of other steps are left out."""
        mine = [replace(one, values=self._values[one.step]) for one in stored if one.step in self.steps]
        return [replace(one, step=str(one.values["step"]), title=self._title_of(one.values)) for one in mine]

    def _title_of(self, values: Mapping[str, Any]) -> str:
        return " ".join(render(self._title, values).split()) if self._title else ""


def read_delivery(
    source: Source,
    name: str,
    known: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, str],
    items: Collection[str],
    faults: list[Fault],
) -> Handover | None:
    """Return what a campaign's file says of its delivery; None where it says nothing, or something wrong, which is added to `faults`.

    Args:
        source: The file.
        name: Name of the campaign.
        known: What is the same for all items, such as `week` and labels.
        values: Values of each item of the file, by its name.
        names: Step that each name of a step stands for.
        items: Names of the items that the run is for.
        faults: Everything that is wrong.
    """
    if (written := source.value.get(DELIVER)) is None:
        return None
    try:
        asked = Deliver.model_validate(written)
    except ValidationError as error:
        faults += [
            Fault(source.place((DELIVER, *one.place.split(", ")), DELIVER, one.place), one.what)
            for one in faults_in(error, written)
        ]
        return None
    before = len(faults)
    steps = {str(one["step"]) for one in values.values()}
    wanted = {names.get(one, one) for one in asked.steps}
    if unknown := sorted(wanted - steps):
        told = ", ".join(sorted(steps))
        faults.append(
            Fault(source.place((DELIVER, "steps"), DELIVER), f"names the step {unknown[0]}, which is not there; there are {told}")
        )
    mine = {item: one for item, one in values.items() if not wanted or one["step"] in wanted}
    place = _place(source, asked.to, known, faults)
    faults += _wrong_names(source, name, asked, mine, items)
    if len(faults) > before or place is None:
        return None
    forms = [Form(suffix, asked.max_side) for suffix in asked.formats] or [replace(AS_STORED, side=asked.max_side)]
    wish = Wish(
        campaign=name,
        names=asked.names,
        forms=forms,
        creator=asked.creator,
        rights=asked.rights,
        source=f"{SOURCES}{asked.source_type}" if asked.source_type else "",
        package=asked.zip,
    )
    return Handover(place, wish, frozenset(mine).intersection(items), asked.prune, asked.title, values)


def _place(source: Source, to: str, known: Mapping[str, Any], faults: list[Fault]) -> Place | None:
    where = source.place((DELIVER, "to"), DELIVER)
    try:
        if address := render(to, known).strip():
            return place_from(os.environ, address, source.folder)
        faults.append(Fault(where, "is empty; name a folder or an address"))
    except WrongTemplateError as error:
        faults.append(Fault(where, f"{error}; what differs from file to file belongs into names"))
    except SettingsError as error:
        faults.append(Fault(where, f"{error.what} {error.advice}".strip()))
    return None


def _wrong_names(
    source: Source, name: str, asked: Deliver, values: Mapping[str, Mapping[str, Any]], items: Collection[str]
) -> Sequence[Fault]:
    """Return what is wrong with names and titles, as far as it can be known before there are files.

    One name for two items is wrong whichever of them the run is for, as the other is there already, or comes later.
    """
    names: dict[str, str] = {}
    wrong: defaultdict[tuple[str, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)  # values by step, by field and fault
    for item, one in values.items():
        try:
            names[item] = render_path(asked.names, {**stand_ins(name, item), **one})
        except WrongTemplateError as error:
            wrong["names", str(error)] |= {str(one["step"]): {**stand_ins(name, item), **one}} if item in items else {}
        try:
            render(asked.title, one)
        except WrongTemplateError as error:
            wrong["title", str(error)] |= {str(one["step"]): one} if item in items else {}
    every = dict.fromkeys(str(one["step"]) for one in values.values())
    faults: list[Fault] = []
    told = Counter[str]()
    for (which, what), steps in wrong.items():
        told[which] += bool(steps)
        if told[which] > MOST_TOLD:
            continue
        text = path_template(asked.names) if which == "names" else asked.title
        place = source.place((DELIVER, which), DELIVER, which, f"{'step' if len(steps) == 1 else 'steps'} {', '.join(steps)}")
        faults += (
            [Fault(place, what + _mend(text, next(iter(steps.values())), [one for one in every if one not in steps]))]
            if steps
            else []
        )
    more = {which: number - MOST_TOLD for which, number in told.items() if number > MOST_TOLD}
    faults += [
        Fault(source.place((DELIVER, one), DELIVER, one), f"has {number} more such faults") for one, number in more.items()
    ]
    return [*faults, *(Fault(source.place((DELIVER, "names"), DELIVER, "names"), what) for what in clashes_of(names))]


def _mend(text: str, values: Mapping[str, Any], others: Sequence[str]) -> str:
    """Return what mends a template that reads something which a step does not have, and others have; empty for any other fault."""
    try:
        lacking = sorted({name[0] for name in names_in(text)} - values.keys())
    except WrongTemplateError:
        return ""
    if not (lacking and others):
        return ""
    where = f"between {{% if {lacking[0]} is defined %}} and {{% endif %}}"
    return f"; put it {where}, as not every step is repeated for it, or deliver others alone: steps: [{', '.join(others)}]"
