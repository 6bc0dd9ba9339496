"""A campaign's file as a whole: its fields, and the items that a run at some time makes of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from genmedia.campaign.file.budget import BUDGET
from genmedia.campaign.file.delivery import DELIVER, Deliver, Handover, read_delivery
from genmedia.campaign.file.expand import ALL, PREVIOUS, ROW, TAKE, expand, texts
from genmedia.campaign.file.routine import NOTIFY, OVERLAP, SCHEDULE
from genmedia.campaign.file.rows import STAND_IN, Row, read_rows
from genmedia.campaign.file.source import Source, Way, read
from genmedia.campaign.file.variables import VARIABLES, Value, Variable, filled, read_variables, values_of
from genmedia.campaign.variables import stand_in
from genmedia.errors import Fault, InputError, gathering
from genmedia.forms.names import LabelText, Name, as_name
from genmedia.forms.validation import faults_in
from genmedia.providers.drafts import Draft, Drafting, Policy
from genmedia.text.templates import WrongTemplateError, is_name, is_template, names_in, path_template, render, unknown

OWN = ("campaign", VARIABLES, "steps", "rows", "matrix", "edition", BUDGET, DELIVER, SCHEDULE, OVERLAP, NOTIFY)
"""Fields of a file beside the parameters that every run of a campaign has."""

_STEPS: Way = ("steps",)
_KNOWN = ("campaign", "week", "month", "date")
_TAKEN = (ROW, TAKE, "edition", "step", "output", "at", "id")
"""Names that no variable and no list of the matrix can have: templates or references have them."""

_LATER = ("to", "names", "title")
"""Fields of a delivery with templates of their own."""

_FILLED: Sequence[Way] = [("matrix",), *((DELIVER, one) for one in Deliver.model_fields if one not in _LATER)]
"""Parts of a file that are filled in for a run as a whole."""

_LABELS = "labels"

TOLD = 8
"""Most rows that a fault names."""

_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LABEL: TypeAdapter[str] = TypeAdapter(LabelText)


@dataclass(frozen=True)
class CampaignFile:
    """A file as it was read.

    Attributes:
        source: What it says.
        name: Name of the campaign.
        parameters: The parameters of its run that it gives.
        variables: What each run may give another value, by name.
        faults: What is wrong with it as a whole, and does not keep its steps from being read: they are told with those of the steps.
    """

    source: Source
    name: str
    parameters: Mapping[str, Any]
    variables: Mapping[str, Variable]
    faults: Sequence[Fault]
    _steps: Sequence[Any]
    _base: Way
    _values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    _of_items: frozenset[str] = frozenset()

    def given(self, values: Mapping[str, Any]) -> "CampaignFile":
        """Return the file with the values of a run for its variables, and its parameters filled in with them.

        Args:
            values: Values by name; a variable without one has its default.

        Raises:
            InputError: Everything that is wrong with them, and with what reads them in the parameters.
        """
        faults = list(self.faults)
        chosen = values_of(self.source, self.variables, values, faults)
        if len(faults) > len(self.faults):
            raise InputError(faults)
        known, of_items = {"campaign": self.name, **chosen}, self._labels_of_items({"campaign", *chosen})
        ways: list[Way] = [(one,) for one in (*self.parameters, BUDGET) if one != _LABELS]
        labels = [(_LABELS, one) for one in self._labels_written if one not in of_items]
        source = filled(self.source, [*ways, *labels], known, faults)
        if len(faults) > len(self.faults):
            raise InputError(faults)
        parameters = {one: source.value[one] for one in self.parameters}
        return replace(self, source=source, parameters=parameters, _values=chosen, _of_items=of_items)

    @property
    def _labels_written(self) -> Mapping[str, Any]:
        written = self.parameters.get(_LABELS)
        return cast("dict[str, Any]", written) if isinstance(written, dict) else {}  # else it is a fault of the parameters

    def _labels_of_items(self, known: Collection[str]) -> frozenset[str]:
        """Return the names of the labels that each item fills in for itself: they read more than what is known of a run."""
        found = set[str]()
        for name, text in self._labels_written.items():
            with suppress(WrongTemplateError):  # which is told where it is filled in
                if isinstance(text, str) and is_template(text) and not {one[0] for one in names_in(text)} <= set(known):
                    found.add(name)
        return frozenset(found)

    async def draft(
        self, drafting: Drafting, *, photo: str, prompt: str, labels: Mapping[str, str], only_rows: Sequence[str] = ()
    ) -> tuple[Draft, Handover | None]:
        """Return its items at the time of the run, and what is to be delivered of them; None where nothing is.

        Args:
            drafting: What a draft may ask.
            photo: Value of `{photo}` in the steps; empty for none.
            prompt: Value of `{prompt}` in the steps; empty for none.
            labels: Labels of its purchases; those that the file writes as templates are filled in for each item.
            only_rows: Names of the rows whose items are asked for; empty for everything.
        """
        faults = list(self.faults)
        known = {**_known(self.name, drafting.begun), **self._values}
        edition = self._edition(known, faults)
        inline = isinstance(self.source.value.get("rows"), list)  # then they are data, as those of a CSV file
        source = filled(self.source, _FILLED if inline else [*_FILLED, ("rows",)], known, faults)
        rows, unsure, before = list[Row](), set[str](), len(faults)
        with gathering(faults):
            rows = read_rows(source, () if inline else _columns_read(source))
        if len(faults) > before:
            rows, unsure = [STAND_IN], {ROW}
        faults += [
            Fault(row.place, f"cannot be called {row.name}, which references use") for row in rows if row.name in (ALL, PREVIOUS)
        ]
        matrix = _matrix(source, {*known, *_TAKEN}, unsure, faults)
        only = frozenset[str]() if ROW in unsure else _chosen(rows, only_rows, faults)
        told = {**known, "edition": edition}
        items, wrong = expand(source, self._steps, self._base, rows, matrix, told, drafting.without, only, unsure)
        faults += wrong
        steps, unused = stand_in(items.steps, photo=photo, prompt=prompt)
        for sentence in (*items.notes, *unused):
            drafting.log.warning("%s", sentence)
        if items.left_out:
            tell, one = drafting.log.info if steps else drafting.log.warning, items.left_out == 1
            what = "1 item is left out: its" if one else f"{items.left_out} items are left out: their"
            tell("%s `if` is not met, or that of what %s made of", what, "it is" if one else "they are")
        elif only and not steps:
            drafting.log.warning("no step is repeated for rows, so that nothing is made for %s alone", ", ".join(only_rows))
        templates = {name: text for name, text in labels.items() if name in self._of_items and text == self._labels_written[name]}
        asked = set[str]() if unsure else {step.name for step in steps}
        own = self._labels(labels, templates, items.values, items.where, asked, faults)
        same = {name: text for name, text in labels.items() if name not in templates}
        values = {one: {**(own.get(one) or labels), **some} for one, some in items.values.items()}
        handover = read_delivery(source, self.name, {**same, **told}, values, items.names, asked, faults)
        if handover and only:
            of = [{ROW: row.values} for row in rows if row.name in only]
            handover = replace(handover, wish=replace(handover.wish, of=of))
        made = Draft(
            steps,
            items.places,
            items.where,
            edition,
            faults,
            repeats=True,
            approvals=items.approvals,
            labels=own,
            policies=_filled(items.policies, photo, prompt),
            gathers=items.gathers,
            takes=items.takes,
        )
        return made, handover

    def _labels(
        self,
        labels: Mapping[str, str],
        templates: Mapping[str, str],
        values: Mapping[str, Mapping[str, Any]],
        where: Mapping[str, str],
        asked: Collection[str],
        faults: list[Fault],
    ) -> dict[str, dict[str, str]]:
        """Return the labels of each item, by its name, with these templates filled in; none where all items have the same.

        Faults are those of the items that are asked for.
        """
        if not templates:
            return {}
        found: dict[str, dict[str, str]] = {}
        wrong: dict[tuple[str, str], str] = {}
        for item, those in values.items():
            found[item] = dict(labels)
            for name, text in templates.items():
                try:
                    strange = sorted(fault for one in names_in(text) if (fault := unknown(one, those)))
                    if not strange:
                        found[item][name] = _LABEL.validate_python(render(text, those).strip())
                except WrongTemplateError as error:
                    strange = [str(error)]
                except ValidationError as error:
                    strange = [one.what for one in faults_in(error, text)]
                for one in strange if item in asked else ():
                    wrong.setdefault((name, one), item)
        for (name, told), item in wrong.items():
            faults.append(Fault(self.source.place(("labels", name), "labels", name, f"first for {where[item]}"), told))
        return found

    def _edition(self, known: Mapping[str, Any], faults: list[Fault]) -> str:
        written = self.source.value.get("edition")
        place = self.source.place(("edition",))
        if written is None:
            return ""
        if isinstance(written, bool | dict | list):
            faults.append(Fault(place, 'should be a text, such as "{{ week }}"'))
            return ""
        try:
            text = str(written)
            strange = sorted(fault for name in names_in(text) if (fault := unknown(name, known))) if is_template(text) else []
            edition = "" if strange else render(text, known).strip()
        except WrongTemplateError as error:
            strange, edition = [str(error)], ""
        faults += [Fault(place, fault) for fault in strange]
        if not strange and not edition:
            faults.append(Fault(place, "is empty; leave it out, and nothing is bought twice"))
        return edition


def read_campaign(written: str, allowed: Collection[str]) -> CampaignFile:
    """Read a campaign's file.

    Args:
        written: Its path or its content; see `read`.
        allowed: Names of the parameters of a run that it may give.

    Raises:
        InputError: It cannot be read, it has no steps, or its variables are wrong; with everything else that is wrong with it as a whole.
    """
    source = read(written)
    value: Mapping[str, Any] = source.value
    faults = [
        Fault(source.place((one,)), f"{one} is no field of a campaign; there are {', '.join((*OWN, *sorted(allowed)))}")
        for one in value
        if one not in (*OWN, *allowed)
    ]
    named: Any = value.get("campaign")
    base, steps = _STEPS, value.get("steps")
    if isinstance(named, dict):  # as the parameters of the flow have it: name and steps together
        inner = cast("dict[str, Any]", named)
        faults += [
            Fault(source.place(("campaign", one)), f"{one} is no field here; there are name, steps")
            for one in inner
            if one not in ("name", "steps")
        ]
        if "steps" in inner:
            base, steps = ("campaign", "steps"), inner["steps"]
        named = inner.get("name")
    name = ""
    try:
        name = _NAME.validate_python(named) if named is not None else ""
    except ValidationError as error:
        faults += [Fault(source.place(("campaign",)), fault.what) for fault in faults_in(error, named)]
    if is_template(str(named)):
        faults.append(Fault(source.place(("campaign",)), "has a template as its name, by which it is known in each run"))
    if named is None:
        faults.append(Fault(source.place(()), "has no name: write `campaign: NAME` in its first line"))
    as_whole = len(faults)
    if not isinstance(steps, list) or not steps:
        faults.append(Fault(source.place(base), "has no steps" if not steps else "steps should be a list of steps"))
    variables = read_variables(source, {*_KNOWN, *_TAKEN}, faults)
    if len(faults) > as_whole:
        raise InputError(faults)
    parameters = {one: given for one, given in value.items() if one in allowed}
    return CampaignFile(source, name, parameters, variables, faults, cast("list[Any]", steps), base)


def _filled(policies: Mapping[str, Policy], photo: str, prompt: str) -> dict[str, Policy]:
    """Return policies with the photo and the prompt of the run in their other steps."""
    some = list(policies.items())
    others = [[*one.fallbacks, *([one.cheaper] if one.cheaper else [])] for _, one in some]
    filled = iter(stand_in([step for each in others for step in each], photo=photo, prompt=prompt)[0])
    return {
        name: replace(one, fallbacks=[next(filled) for _ in one.fallbacks], cheaper=next(filled) if one.cheaper else None)
        for name, one in some
    }


def _chosen(rows: Sequence[Row], wished: Sequence[str], faults: list[Fault]) -> frozenset[str]:
    """Return the names of the rows that a run is for; a wish that none has is added to `faults`, with those that there are."""
    names = [row.name for row in rows]
    for one in wished:
        if as_name(one) not in names:
            offered = list(dict.fromkeys([*get_close_matches(as_name(one), names, n=TOLD), *names]))
            more = f" and {len(offered) - TOLD} more" if len(offered) > TOLD else ""
            faults.append(Fault(f"row {one}", f"is none of this campaign; there are {', '.join(offered[:TOLD]) or 'none'}{more}"))
    return frozenset(map(as_name, wished))


def _known(name: str, begun: datetime) -> dict[str, str]:
    """Return the texts that every template can read."""
    year, week, _ = begun.isocalendar()
    return {"campaign": name, "week": f"{year}-W{week:02}", "date": f"{begun:%Y-%m-%d}", "month": f"{begun:%Y-%m}"}


def _columns_read(source: Source) -> set[str]:
    """Return the columns of the rows that templates of the file read."""
    found = set[str]()
    for _, text in texts(source.value, ()):
        with suppress(WrongTemplateError):  # which is told where it is filled in
            found |= (
                {name[1] for name in names_in(path_template(text)) if name[0] == ROW and len(name) > 1} if ROW in text else set()
            )
    return found


def _matrix(source: Source, taken: set[str], unsure: set[str], faults: list[Fault]) -> dict[str, list[Any]]:
    """Return the lists of the matrix; the name of one that is wrong, which has a value that stands in, is added to `unsure`."""
    written = source.value.get("matrix")
    if written is None:
        return {}
    if not isinstance(written, dict):
        faults.append(Fault(source.place(("matrix",)), "should be lists by name, such as {ratio: [square, portrait]}"))
        return {}
    matrix: dict[str, list[Any]] = {}
    for name, values in cast("dict[str, Any]", written).items():
        place, before = source.place(("matrix", name)), len(faults)
        if name in taken or not is_name(name):
            faults.append(
                Fault(
                    place,
                    f"{name} cannot be the name of a list; use letters, digits and underscores, and none of {', '.join(sorted(taken))}",
                )
            )
        if not isinstance(values, list) or not values:
            faults.append(Fault(place, f"{name} should be a list with at least one value"))
            matrix[name] = ["x"]
            unsure.add(name)
            continue
        some = cast("list[Any]", values)
        faults += [
            Fault(source.place(("matrix", name, number)), "should be a text or a number")
            for number, one in enumerate(some)
            if not isinstance(one, str | int | float) or isinstance(one, bool) or not str(one).strip()
        ]
        twice = sorted(one for one, number in Counter(map(str, some)).items() if number > 1)
        faults += [Fault(place, f"{name} has {one} twice") for one in twice]
        faults += [
            Fault(place, f"{name} cannot have the value {one}, which references use") for one in (ALL, PREVIOUS) if one in some
        ]
        matrix[name] = some if len(faults) == before else ["x"]
        unsure |= {name} if len(faults) > before else set()
    return matrix
