"""From the steps of a campaign's file to its items: each step once for each row, each value of the matrix and each take that it uses."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from genmedia.campaign.file.policies import CHEAPER, FALLBACK, POLICY, other_steps, read_policy
from genmedia.campaign.file.review import NO_REVIEW, read_review
from genmedia.campaign.file.rows import Row
from genmedia.campaign.file.source import Source, Way
from genmedia.campaign.file.uses import IF, USE, WITH, Chain, Condition, Given, chain_of
from genmedia.campaign.file.variables import NO, YES
from genmedia.campaign.steps import AnyStep
from genmedia.errors import Fault
from genmedia.forms.names import Place, as_name, slug
from genmedia.forms.validation import faults_in
from genmedia.providers.drafts import Approval, Policy
from genmedia.providers.registry import kinds
from genmedia.providers.sources import Unreadable
from genmedia.store.named_files import local_path
from genmedia.text.templates import WrongTemplateError, is_template, names_in, render, unknown

MOST = 50_000
"""Most items of a campaign."""

MOST_USES = 500
"""Most steps of a campaign that use a file."""

ROW, TAKE = "row", "take"
ALL, PREVIOUS = "all", "previous"
"""What a reference may say for a row or a value of the matrix: every one of them, or the one before that of the item."""

OWN = (IF, "takes", "review", *POLICY)
"""Fields of a step that decide of which items it consists, and what is done about them; no provider's form has them."""

_LEFT_OUT = frozenset(["", "none", "null", *NO])
_NEITHER = "should be yes or no (true, false, 1, 0, or nothing); whether there is a text is asked by {{ row.photo != '' }}"
_TAGS = frozenset(kind.tag for kind in kinds())
_LONGEST_NAME = 60
_STEP: TypeAdapter[Any] = TypeAdapter(AnyStep)


@dataclass(frozen=True)
class Choice:
    """One of the things that a step is repeated for.

    Attributes:
        label: Its name in the names of items.
        number: Its place among the others, from 1.
        value: What templates read under the name of the list.
        told: What people call it.
    """

    label: str
    number: int
    value: Any
    told: str


Cell = Mapping[str, Choice]
"""What an item is for: a row, a value of each list of the matrix that it uses, and a take."""


@dataclass(frozen=True)
class Items:
    """What a file's steps become.

    Attributes:
        steps: The items, in an order in which each comes after those that feed it; one with faults is `Unreadable`, without them.
        places: Place of each item in what the file asks for, by its name.
        where: Place of each item in the file, for faults, by its name.
        values: Values of each item, by its name, also of those of other rows than are asked for: those that its templates read.
        approvals: What has to be kept by a person before anything is made of it, by its name.
        names: Step that each name stands for which the file's own steps have; of a step that uses a file, the last step of that.
        policies: What is done about the purchases of the items that have a policy of their own, by their names.
        gathers: By the name of an item that takes all that there is of another step: the step of each item that it takes so, by their names.
        takes: Number of takes that are asked for of the items of which there are several, also where some are left out, by their names.
        left_out: Number of items that `if` leaves out, with those that they would feed.
        notes: Sentences about what the file has and does not use.
    """

    steps: list[AnyStep | Unreadable]
    places: dict[str, Place]
    where: dict[str, str]
    values: dict[str, dict[str, Any]]
    approvals: dict[str, Approval]
    names: dict[str, str]
    policies: dict[str, Policy]
    gathers: dict[str, dict[str, str]]
    takes: dict[str, int]
    left_out: int
    notes: list[str]


@dataclass
class _Step:
    """A step as it is written.

    Attributes:
        name: Its name.
        source: Its file.
        way: Its way in the file.
        written: Its fields, as they would stand in the campaign's own file.
        uses: Names of the lists that it is repeated for, in their order.
        takes: Number of its takes, or of those of what it is made of.
        approval: What its `review` says; None where nobody has to keep what it gives.
        conditions: What its items have to meet, by what faults call it: its own `if`, and those of the steps that use its file.
        policy: What is done about its purchases; None where it does not say.
        wrong: Its fields that have faults which need no row; an empty text where the step as a whole has one.
    """

    name: str
    source: Source
    way: Way
    written: Mapping[str, Any]
    uses: tuple[str, ...] = ()
    takes: int = 1
    approval: Approval | None = None
    policy: Policy | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict[str, Condition])
    wrong: set[str | int] = field(default_factory=set[str | int])

    def place(self, named: str, *rest: str) -> str:
        """Return the place, for people, of what a fault of an item names: one of its conditions, a field, or a part of a field."""
        told = f"step {self.name}", *rest, named
        if named in self.conditions:
            return self.conditions[named].place(*told)
        name = next((one for one in self.written if _is_of(named, one)), None)
        return self.source.place((*self.way, name) if name else self.way, *told)

    @property
    def repeats(self) -> bool:
        """True if it asks for several takes itself."""
        return self.written.get("takes", 1) != 1

    @cached_property
    def texts(self) -> list[tuple[Way, str]]:
        """The templates in it, each with its way in the file."""
        return [(way, text) for way, text in texts(self.written, self.way) if is_template(text)]

    @cached_property
    def references(self) -> list[tuple[Way, Mapping[str, Any]]]:
        """What it takes from other steps, each with its way in the file."""
        return [found for name, one in self.written.items() for found in _references(one, (*self.way, name))]


def expand(
    source: Source,
    steps: Sequence[Any],
    base: Way,
    rows: Sequence[Row],
    matrix: Mapping[str, Sequence[Any]],
    known: Mapping[str, Any],
    without: Collection[str] = (),
    only: Collection[str] = (),
    unsure: Collection[str] = (),
) -> tuple[Items, list[Fault]]:
    """Return the items of a file's steps, and everything that is wrong with the steps as they are written.

    Args:
        source: The file.
        steps: Its steps.
        base: Way to them.
        rows: Its rows; none where steps are not repeated for rows.
        matrix: Lists of values for which steps are repeated, by the name under which templates read a value.
        known: Further values that templates read, such as `week`.
        without: Names of items that are left out all the same, with what they would feed.
        only: Names of the rows whose items are asked for, with those of which they are made, whatever these are for; empty for everything.
        unsure: The lists, or the rows, that are wrong, and have a value that stands in: of items that use them nothing can be said.
    """
    expansion = _Expansion(source, rows, matrix, known, without, only, unsure)
    expansion.read_all(steps, base)
    if not expansion.too_many:
        expansion.make()
    return expansion.items, expansion.faults


class _Expansion:
    """Reads the steps in order, then makes their items in the same order."""

    def __init__(
        self,
        source: Source,
        rows: Sequence[Row],
        matrix: Mapping[str, Sequence[Any]],
        known: Mapping[str, Any],
        without: Collection[str],
        only: Collection[str],
        unsure: Collection[str],
    ) -> None:
        self.items = Items([], {}, {}, {}, {}, {}, {}, {}, {}, 0, [])
        self.faults: list[Fault] = []
        self.too_many = False
        self.source = source
        self._known = known
        self._without = without
        self._only = only
        self._unsure = frozenset(unsure)
        self._lists = _lists(rows, matrix)
        self._read: dict[str, Any] = {**known, **{name: some[0].value for name, some in self._lists.items()}}
        self._steps: dict[str, _Step] = {}
        self._made: dict[
            str, dict[tuple[tuple[str, int], ...], str | None]
        ] = {}  # by step and cell: the item's name; None if left out
        self._feeders: dict[str, set[str]] = {}  # of each item, by its name
        self._policies: dict[str, Policy] = {}
        self._gathered: dict[str, dict[str, str]] = {}
        self._left_out = 0
        self._used = 0
        self._taken = set[str]()

    # As it is written

    def read_all(self, steps: Sequence[Any], base: Way) -> None:
        """Read the steps, and gather the faults that need no row."""
        self.read(Chain(self.source, names=self.items.names), steps, base)
        self._count()
        unused = [name for name in self._lists if not any(name in step.uses for step in self._steps.values())]
        self.items.notes.extend(f"no step uses {'the rows' if name == ROW else f'{name} of the matrix'}" for name in unused)

    def read(self, chain: Chain, steps: Sequence[Any], base: Way) -> None:
        """Read the steps of a file, with those of the files that they use."""
        for number, written in enumerate(steps):
            way = (*base, number)
            if not isinstance(written, dict):
                self._fault(chain, way, f"step {number + 1}", "should be fields with values, such as {name: hero, …}")
                continue
            fields = cast("dict[str, Any]", written)
            named = fields.get("name")
            called = as_name(str(named)) if isinstance(named, str | int | float) and not isinstance(named, bool) else ""
            name = as_name(f"{chain.prefix}{called}")
            place = f"step {name if called else number + 1}"
            if not called:
                told = (
                    "has no name"
                    if named in (None, "")
                    else f"has the name {named!r}, which should be a text with letters or digits"
                )
                self._fault(chain, (*way, "name"), place, told)
                continue
            if is_template(str(named)):
                what = "has a template as its name; the names of its rows are added to it"
                self._fault(chain, (*way, "name"), f"step {number + 1}", what)
                continue
            if name in self._steps or called in chain.names:
                self._fault(chain, (*way, "name"), place, "has the name of an earlier step")
                continue
            chain.names[called] = name
            step = self._meant(chain, fields, way, name)
            step.uses = self._uses_of(step, place)
            self._read_review(step, place)
            step.policy, faults = read_policy(step.written)
            for one, what in faults:
                self._fault(step, (*way, one.partition(",")[0]), f"{place}, {one}", what)
            if USE in step.written:
                if used := self._read_used(chain, step):
                    chain.names[called] = used
                    continue
                step.wrong.add("")
            self._steps[name] = step

    def _meant(self, chain: Chain, fields: Mapping[str, Any], way: Way, name: str) -> _Step:
        """Return a step as the campaign would write it; a field that is wrong is as it is written."""
        meant: dict[str, Any] = {}
        wrong: set[str | int] = set()
        for one, value in fields.items():
            before = len(self.faults)
            meant[one] = chain.meant(value, (*way, one), name, self.faults)
            wrong |= {one} if len(self.faults) > before else set()
        own = {IF: Condition(chain.source, (*way, IF), meant[IF])} if IF in meant else {}
        return _Step(name, chain.source, way, self._with_takes(meant), conditions={**chain.conditions, **own}, wrong=wrong)

    def _uses_of(self, step: _Step, place: str) -> tuple[str, ...]:
        """Return the lists that the step is repeated for, in their order; takes among them."""
        meant = frozenset(step.wrong)  # faults of these fields may come of those that they have
        used = self._used_by(step, place, meant)
        self._read_takes(step, place)
        for way, reference in step.references:
            if way[len(step.way)] not in meant:
                used |= self._used_through(step, way, reference, place)
        used |= {TAKE} if step.takes > 1 else set()
        return tuple(one for one in (*self._lists, TAKE) if one in used)

    def _read_used(self, chain: Chain, step: _Step) -> str:
        """Read the file that a step uses; returns the name of the last of its steps, or nothing if there are none that can be read."""
        if step.wrong & {USE, WITH}:
            return ""
        self._used += 1
        if self._used > MOST_USES:
            if self._used == MOST_USES + 1:
                self._fault(step, step.way, f"step {step.name}", f"is one of more than {MOST_USES} steps that use a file")
            return ""
        sound = {name: one for name, one in step.written.items() if name not in step.wrong}
        below = chain_of(chain, step.name, sound, step.way, self._known, self.faults)
        if below is None:
            return ""
        self.read(below, below.source.value["steps"], ("steps",))
        return next(reversed(below.names.values()), "")

    def _used_by(self, step: _Step, place: str, without: Collection[str | int]) -> set[str]:
        """Return the lists that the step's own templates read, and its conditions; templates in fields of `without` are not looked at."""
        used = set[str]()
        for one in step.conditions.values():
            with suppress(WrongTemplateError):  # which is told where the condition is written
                used |= {name[0] for name in names_in(str(one.written))}
        for way, text in step.texts:
            if way[len(step.way)] in without:
                continue
            try:
                names = names_in(text)
            except WrongTemplateError as error:
                self._fault(step, way, place, str(error))
                continue
            used |= {name[0] for name in names}
            told = {fault for name in names if (fault := unknown(name, {**self._read, "step": step.name}))}
            for fault in sorted(told):
                self._fault(step, way, place, fault)
        return used & self._lists.keys()

    def _with_takes(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a step's fields, with the number of its takes filled in where that is a template."""
        takes = fields.get("takes")
        if not isinstance(takes, str) or not is_template(takes):
            return fields
        with suppress(WrongTemplateError, ValueError):  # it is told with the others of the step
            return {**fields, "takes": int(render(takes, self._known))}
        return fields

    def _read_takes(self, step: _Step, place: str) -> None:
        takes = step.written.get("takes", 1)
        if isinstance(takes, bool) or not isinstance(takes, int) or not 1 <= takes <= 100:
            self._fault(step, (*step.way, "takes"), place, "should be a whole number from 1 to 100")
        else:
            step.takes = takes

    def _read_review(self, step: _Step, place: str) -> None:
        written = step.written.get("review", False)
        try:
            step.approval = read_review(written)
        except ValidationError as error:
            for fault in faults_in(error, written):
                told = ", ".join(filter(None, (place, "review", fault.place)))
                self._fault(step, (*step.way, "review"), told, fault.what if isinstance(written, dict) else NO_REVIEW)

    def _used_through(self, step: _Step, way: Way, reference: Mapping[str, Any], place: str) -> set[str]:
        """Return the lists that the step is repeated for because what it takes is."""
        wanted = reference["step"]
        fixed = {name: reference[name] for name in (*self._lists, TAKE) if name in reference}
        other = self._steps.get(as_name(wanted)) if isinstance(wanted, str) else None
        own = isinstance(wanted, str) and as_name(wanted) == step.name and PREVIOUS in fixed.values()
        if other is None and not own:
            earlier = ", ".join(self._steps) or "none"
            self._fault(step, (*way, "step"), place, f"uses step {wanted!r}, which is no earlier step; there are {earlier}")
            return set()
        used: set[str] = {name for name, choice in fixed.items() if choice == PREVIOUS}
        if other:
            used |= set(other.uses) - fixed.keys() - {TAKE}
        if other and not other.wrong:  # else it may not be known what it is repeated for
            if other.takes > 1 and TAKE not in fixed:
                if step.takes not in (1, other.takes) or step.repeats:
                    told = f"step {other.name} has {other.takes} takes, and this one {step.takes}; say which by {{take: 1}} or {{take: all}}"
                    self._fault(step, way, place, told)
                step.takes = other.takes
            for name in fixed.keys() - set(other.uses):
                self._fault(step, (*way, name), place, f"names a {name}, and step {other.name} is not repeated for one")
        for name, choice in fixed.items():
            if name != TAKE and choice not in (ALL, PREVIOUS) and not is_template(str(choice)) and not self._find(name, choice):
                offered = ", ".join(one.told for one in self._lists[name][:8])
                self._fault(step, (*way, name), place, f"names the {name} {choice!r}, which is not there; there are {offered}")
        return used

    def _count(self) -> None:
        numbers = {step.name: self._number(step) for step in self._steps.values()}
        if (total := sum(numbers.values())) > MOST:
            self.too_many = True
            told = ", ".join(f"{name} {number}" for name, number in numbers.items())
            self._fault(self, (), "", f"has {total} items ({told}), more than {MOST}; cut it into several campaigns")

    def _number(self, step: _Step) -> int:
        number = step.takes
        for name in step.uses:
            number *= len(self._lists[name]) if name != TAKE else 1
        return number

    # Its items

    def make(self) -> None:
        """Make the items of all steps."""
        found: dict[str, tuple[_Step, Cell, AnyStep | Unreadable]] = {}
        for step in self._steps.values():
            made = self._made[step.name] = {}
            for cell in self._cells(step):
                name = self._name_of(step.name, cell)
                item = None if name in self._without else self._item(step, cell, name)
                made[_key(cell)] = None if item is None else name
                if item is None:
                    self._left_out += name not in self._without and self._is_asked_for(cell)
                    continue
                found[name] = step, cell, item
                self.items.values[name] = self._values_of(step, cell)
                self.items.where[name] = step.source.place(step.way, f"step {step.name}", _told(cell))
        asked = {name for name, (_, cell, _) in found.items() if self._is_asked_for(cell)}
        for name in reversed(found):  # each comes after those that feed it
            asked |= self._feeders[name] if name in asked else set()
        self._keep({name: one for name, one in found.items() if name in asked})

    def _is_asked_for(self, cell: Cell) -> bool:
        return not self._only or (ROW in cell and cell[ROW].label in self._only)

    def _keep(self, asked: Mapping[str, tuple[_Step, Cell, AnyStep | Unreadable]]) -> None:
        """Add the items that are asked for, with what is wrong with them."""
        numbers = {step: number for number, step in enumerate(self._steps, 1)}
        wrong: dict[tuple[str, str, str], tuple[str, list[str]]] = {}
        for name, (step, cell, item) in asked.items():
            self.items.places[name] = _place_of(numbers[step.name], step.name, cell)
            if step.approval:
                self.items.approvals[name] = step.approval
            if step.policy and not isinstance(item, Unreadable):
                self.items.policies[name] = self._policies[name]
            if isinstance(item, Unreadable):
                for fault in item.faults:
                    # Of texts that are neither yes nor no the first one is told.
                    what = "" if fault.place in step.conditions else fault.what
                    wrong.setdefault((step.name, fault.place, what), (fault.what, []))[1].append(_told(cell))
            # One fault of many items is told once.
            self.items.steps.append(Unreadable(name, ()) if isinstance(item, Unreadable) else item)
            if name in self._gathered:
                self.items.gathers[name] = self._gathered[name]
            if step.repeats:
                self.items.takes[name] = step.takes
        for (name, place, _), (what, cells) in wrong.items():
            of = cells[0] if len(cells) == 1 else f"{len(cells)} items, first {cells[0]}" if cells[0] else ""
            self.faults.append(Fault(self._steps[name].place(place, of), what))
        self.items = replace(self.items, left_out=self._left_out)

    def _name_of(self, step: str, cell: Cell) -> str:
        """Return the name of an item, by what it is for, wherever that stands in the file.

        A name that is too long, or that an earlier item has, ends with a hash of what it is for.
        """
        name = "-".join([step, *(choice.label for choice in cell.values() if choice.label)])
        if len(name) > _LONGEST_NAME or name in self._taken:
            whole = repr([step, *((one, choice.told) for one, choice in cell.items())])
            name = f"{name[: _LONGEST_NAME - 9].rstrip('-.')}-{sha256(whole.encode()).hexdigest()[:8]}"
        self._taken.add(name)
        return name

    def _cells(self, step: _Step) -> Iterator[Cell]:
        takes = [
            Choice(f"take-{number}" if number > 1 else "", number, number, str(number)) for number in range(1, step.takes + 1)
        ]
        lists = [takes if name == TAKE else self._lists[name] for name in step.uses]
        for chosen in itertools.product(*lists):
            yield dict(zip(step.uses, chosen, strict=True))

    def _values_of(self, step: _Step, cell: Cell) -> dict[str, Any]:
        return {**self._known, **{one: choice.value for one, choice in cell.items()}, "step": step.name}

    def _item(self, step: _Step, cell: Cell, name: str) -> AnyStep | Unreadable | None:
        """Return an item; None if it is left out."""
        values, feeders = self._values_of(step, cell), self._feeders.setdefault(name, set())
        if "" in step.wrong or not self._unsure.isdisjoint(step.uses):
            return Unreadable(name, ())

        def items_of(reference: Mapping[str, Any]) -> list[dict[str, Any]]:
            found = self._items_of(cell, values, reference)
            feeders.update(one["step"] for one in found)
            if ALL in reference.values():
                self._gathered.setdefault(name, {}).update((one["step"], as_name(reference["step"])) for one in found)
            return found

        filler = _Filler(values, items_of, step.source.folder)
        try:
            if fault := _unmet(step, filler):
                return Unreadable(name, (fault,))
            item = self._form(step, cell, name, filler, step.written)
            written = {one: value for one, value in step.written.items() if one not in step.wrong & {FALLBACK, CHEAPER}}
            others = [(one, self._form(step, cell, name, filler, fields)) for one, fields in other_steps(written)]
        except _LeftOutError:
            return None
        wrong = [(one, fault) for one, other in [("", item), *others] if isinstance(other, Unreadable) for fault in other.faults]
        if wrong:
            return Unreadable(name, tuple(Fault(", ".join(filter(None, (one, fault.place))), fault.what) for one, fault in wrong))
        if step.policy:
            fallbacks = [other for one, other in others if one == FALLBACK]
            cheaper = next((other for one, other in others if one != FALLBACK), None)
            self._policies[name] = replace(step.policy, fallbacks=fallbacks, cheaper=cheaper)
        return item

    def _form(self, step: _Step, cell: Cell, name: str, filler: "_Filler", written: Mapping[str, Any]) -> AnyStep | Unreadable:
        """Return an item of a step with these fields, whose templates are filled.

        Raises:
            _LeftOutError: See `_items_of`.
        """
        fields: dict[str, Any] = {"name": name}
        faults: list[Fault] = []
        wrong = set(step.wrong)
        for one, value in written.items():
            if one in (*OWN, "name"):
                continue
            try:
                fields[one] = value if one in wrong else filler.filled(value)
            except WrongTemplateError as error:
                faults.append(Fault(one, str(error)))
                fields[one] = value
                wrong.add(one)
        fields = {one: value for one, value in fields.items() if value is not _NOTHING}
        if step.repeats and TAKE in cell and cell[TAKE].number > 1:
            fields[TAKE] = cell[TAKE].number
        try:
            item = _STEP.validate_python(fields)
        except ValidationError as error:
            # Of a field that is wrong already nothing more can be said; nor of the step's kind, if that field tells it.
            known = {*map(str, wrong), *([""] if wrong & _TAGS else [])}
            faults += [one for one in faults_in(error, fields) if not any(_is_of(one.place, name) for name in known)]
            return Unreadable(name, tuple(faults))
        return Unreadable(name, tuple(faults)) if wrong else item

    def _items_of(self, cell: Cell, values: Mapping[str, Any], reference: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return what a reference stands for in an item: a reference for each item of the other step.

        Raises:
            WrongTemplateError: It names what is not there.
            _LeftOutError: The item that it names is left out.
        """
        other = self._steps[as_name(reference["step"])]
        names = [one for one in reference if one in (*self._lists, TAKE)]
        rest = {one: value for one, value in reference.items() if one not in names and one != "step"}
        choices = [self._choices(other, name, reference.get(name), cell, values) for name in other.uses]
        found: list[dict[str, Any]] = []
        for chosen in itertools.product(*choices):
            made = self._made[other.name][_key(dict(zip(other.uses, chosen, strict=True)))]
            if made is not None:
                found.append({"step": made, **rest})
                if PREVIOUS in reference.values():
                    break
            elif not {ALL, PREVIOUS} & {*map(str, reference.values())}:
                raise _LeftOutError
        return found

    def _choices(self, other: _Step, name: str, said: Any, cell: Cell, values: Mapping[str, Any]) -> Sequence[Choice]:
        if name == TAKE:
            number = cell[TAKE].number if said is None and TAKE in cell else said
            takes = [Choice("", one, one, str(one)) for one in range(1, other.takes + 1)]
            wanted = takes if number in (None, ALL) else [one for one in takes if one.told == str(number)]
            if not wanted:
                raise WrongTemplateError(f"names take {said!r} of step {other.name}, which has {len(takes)}")
            return wanted
        offered = self._lists[name]
        if said is None:
            return [cell[name]]
        if said == ALL:
            return offered
        if said == PREVIOUS:
            return offered[: cell[name].number - 1][::-1]  # the nearest one first: those that are left out are passed over
        wished = render(said, values) if isinstance(said, str) else said
        if not (found := self._find(name, wished)):
            raise WrongTemplateError(f"names the {name} {wished!r}, which is not there")
        return [found]

    def _find(self, name: str, wished: Any) -> Choice | None:
        if name in self._unsure:
            return self._lists[name][0]
        wanted = str(wished)
        label = as_name(wanted)
        return next((one for one in self._lists[name] if one.told == wanted or one.label == label), None)

    def _fault(self, of: "_Step | Chain | _Expansion", way: Way, place: str, what: str) -> None:
        if isinstance(of, _Step):
            of.wrong.add(way[len(of.way)] if len(way) > len(of.way) else "")
        self.faults.append(Fault(of.source.place(way, place), what))


class _LeftOutError(Exception):
    """An item is left out by its `if`, or by that of what it needs."""


_NOTHING = object()
"""Stands for a field that is left out, as its template makes no text."""


@dataclass(frozen=True)
class _Filler:
    """Fills the values of one item into what is written.

    Attributes:
        values: The values.
        items_of: Returns the references to items that a reference to a step stands for.
        folder: Folder in which relative paths begin.
    """

    values: Mapping[str, Any]
    items_of: Callable[[Mapping[str, Any]], list[dict[str, Any]]]
    folder: Path

    def filled(self, written: Any) -> Any:
        """Return a value with its templates filled in; `_NOTHING` where nothing is left of it."""
        if isinstance(written, str):
            return (render(written, self.values) or _NOTHING) if is_template(written) else written
        if isinstance(written, list):
            some = [self._entry(one) for one in cast("list[Any]", written)]
            return [one for each in some for one in each if one is not _NOTHING]
        if not isinstance(written, dict):
            return written
        if "step" in (fields := cast("dict[str, Any]", written)):
            found = self.items_of(fields)
            if len(found) > 1:
                raise WrongTemplateError(f"names {len(found)} items of step {fields['step']}, where one can be given")
            return found[0] if found else _NOTHING
        filled = {name: self.filled(value) for name, value in fields.items()}
        if isinstance(named := filled.get("file"), str):
            filled["file"] = _found(fields.folder if isinstance(fields, Given) else self.folder, named)
        return _NOTHING if filled.get("file") is _NOTHING else {name: one for name, one in filled.items() if one is not _NOTHING}

    def text(self, written: Any) -> Any:
        """Return a text with its template filled in; any other value as it is."""
        return render(written, self.values) if isinstance(written, str) and is_template(written) else written

    def _entry(self, written: Any) -> list[Any]:
        """Return what an entry of a list becomes: for a reference to several items, one for each."""
        if isinstance(written, dict) and "step" in written:
            return self.items_of(cast("dict[str, Any]", written))
        return [self.filled(written)]


def _unmet(step: _Step, filler: _Filler) -> Fault | None:
    """Return what is wrong with the conditions of an item; None if it meets them.

    Raises:
        _LeftOutError: It does not meet one.
    """
    for called, condition in step.conditions.items():
        if called in step.wrong:
            continue
        try:
            word = str(filler.text(condition.written)).strip()
        except WrongTemplateError as error:
            return Fault(called, str(error))
        if word.lower() in _LEFT_OUT:
            raise _LeftOutError
        if word.lower() not in YES:
            return Fault(called, f"is {word!r}, and {_NEITHER}")
    return None


def _found(folder: Path, name: str) -> str:
    """Return the name of a file; a path that begins in the folder is made absolute."""
    path = local_path(name)
    if path is None or path.is_absolute() or not (below := folder / path).exists():
        return name
    return str(below)


def _lists(rows: Sequence[Row], matrix: Mapping[str, Sequence[Any]]) -> dict[str, list[Choice]]:
    lists = {ROW: [Choice(row.name, row.number, row.values, row.name) for row in rows]} if rows else {}
    for name, values in matrix.items():
        lists[name] = [Choice(as_name(str(one)) or slug(str(one)), number, one, str(one)) for number, one in enumerate(values, 1)]
    return lists


def _is_of(place: str, field_: str) -> bool:
    """True if the place of a fault in a form is in this field, or in an entry of it: `reference 2, file` is of `references`."""
    named = place.partition(",")[0].partition(" ")[0]
    return named == field_ or (named != "" and f"{named}s" == field_)


def _told(cell: Cell) -> str:
    return ", ".join(f"{one} {choice.told}" for one, choice in cell.items())


def _key(cell: Cell) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, choice.number) for name, choice in cell.items()))


def _place_of(number: int, step: str, cell: Cell) -> Place:
    places = [(name, choice.number, choice.told) for name, choice in cell.items()]
    return [
        {"name": name, "number": at, "value": value} for name, at, value in (*places[:1], ("step", number, step), *places[1:])
    ]


def texts(written: Any, way: Way) -> Iterator[tuple[Way, str]]:
    """Yield each text in a value, with its way."""
    if isinstance(written, str):
        yield way, written
    elif isinstance(written, dict):
        for name, one in cast("dict[str, Any]", written).items():
            yield from texts(one, (*way, name))
    elif isinstance(written, list):
        for number, one in enumerate(cast("list[Any]", written)):
            yield from texts(one, (*way, number))


def _references(written: Any, way: Way) -> Iterator[tuple[Way, Mapping[str, Any]]]:
    if isinstance(written, dict):
        fields = cast("dict[str, Any]", written)
        if "step" in fields:
            yield way, fields
        for name, one in fields.items():
            yield from _references(one, (*way, name))
    elif isinstance(written, list):
        for number, one in enumerate(cast("list[Any]", written)):
            yield from _references(one, (*way, number))
