"""Reusable chains: a step that uses a file stands for the steps of that file, as if they were written in the campaign itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from genmedia.campaign.file.source import Source, Way, read
from genmedia.campaign.file.variables import VARIABLES, Variable, read_variables
from genmedia.errors import Fault, GenmediaError, InputError
from genmedia.forms.names import as_name
from genmedia.text.templates import WrongTemplateError, is_template, names_in, render, unknown

USE, WITH, IF = "use", "with", "if"
OF_A_RUN = ("campaign", "edition", "week", "month", "date", "step")
"""Values that templates read in every file."""

DEEPEST = 10
"""Most files that use each other."""

_REFERENCES = ("step", "file", "url")
"""Fields of which an input that is no value has one."""


class Given(dict[str, Any]):
    """A reference that a file is given as an input; its path begins in the folder of the file where it is written."""

    def __init__(self, fields: Mapping[str, Any], folder: Path) -> None:
        super().__init__(fields)
        self.folder = folder


@dataclass(frozen=True)
class Condition:
    """What the `if` of a step asks of its items, and of those of the file that it uses: as it is written, and where."""

    source: Source
    way: Way
    written: Any

    def place(self, *rest: str) -> str:
        """Return its place for people; see `Source.place`."""
        return self.source.place(self.way, *rest)


@dataclass(frozen=True)
class Chain:
    """A file whose steps are read: that of the campaign, or one that a step uses.

    Attributes:
        source: The file.
        prefix: Beginning of the names of its steps.
        inputs: What its variables are given, as the campaign would write it; None for the campaign's own file.
        above: Paths of the files that use it, and its own.
        conditions: What the steps that use it ask of all its items, by what faults call it.
        names: Names of the steps that were read, by the names that it calls them; the last is that of the step which is being read.
    """

    source: Source
    prefix: str = ""
    inputs: Mapping[str, Any] | None = None
    above: tuple[Path, ...] = ()
    conditions: Mapping[str, Condition] = field(default_factory=dict[str, Condition])
    names: dict[str, str] = field(default_factory=dict[str, str])

    def meant(self, written: Any, way: Way, step: str, faults: list[Fault]) -> Any:
        """Return fields of a step as the campaign would write them: its steps by their whole names, its inputs by what they are given.

        Args:
            written: The fields.
            way: Way to them.
            step: Name of the step.
            faults: Everything that is wrong, to which is added.
        """
        if isinstance(written, list):
            return [self.meant(one, (*way, number), step, faults) for number, one in enumerate(cast("list[Any]", written))]
        try:
            if isinstance(written, str):
                return self._text(written) if is_template(written) else written
            if not isinstance(written, dict):
                return written
            fields: dict[str, Any] = {
                name: self.meant(one, (*way, name), step, faults) for name, one in cast("dict[str, Any]", written).items()
            }
            named = fields.get("step")
            return self._reference(as_name(named), fields) if isinstance(named, str) else fields
        except WrongTemplateError as error:
            faults.append(Fault(self.source.place(way, f"step {step}"), str(error)))
            return cast("Any", written)

    def _reference(self, named: str, fields: dict[str, Any]) -> dict[str, Any]:
        given = (self.inputs or {}).get(named)
        if isinstance(given, Given):
            return Given({**given, **{name: one for name, one in fields.items() if name != "step"}}, given.folder)
        if given is not None:
            raise WrongTemplateError(f"takes {named}, which is given as the value {given!r}; give {{step: …}} or {{file: …}}")
        if self.inputs is not None and named not in self.names:
            earlier = (
                ", ".join((*list(self.names)[:-1], *(name for name, one in self.inputs.items() if isinstance(one, dict))))
                or "none"
            )
            raise WrongTemplateError(f"uses step {fields['step']!r}, which is no earlier step; there are {earlier}")
        return {**fields, "step": self.names.get(named, fields["step"])}

    def _text(self, text: str) -> str:
        """Return a template with the inputs that it reads set before it."""
        if self.inputs is None:
            return text
        names = names_in(text)
        values: dict[str, Any] = {**dict.fromkeys(OF_A_RUN, ""), **self.inputs}
        for name in sorted(names):
            if isinstance(values.get(name[0]), dict):
                raise WrongTemplateError(f"reads {name[0]}, which is given as a reference; write {{step: {name[0]}}}")
            if fault := unknown(name, values):
                raise WrongTemplateError(fault)
        read = sorted({name[0] for name in names} & self.inputs.keys())
        return "".join(_setting(name, self.inputs[name]) for name in read) + text


def _setting(name: str, given: Any) -> str:
    """Return the beginning of a template that gives a name this value, or what this template makes."""
    if isinstance(given, str) and is_template(given):
        return f"{{% set {name} %}}{given}{{% endset %}}"
    return f"{{% set {name} = {json.dumps(given, ensure_ascii=False, allow_nan=False)} %}}"


def chain_of(
    above: Chain, step: str, fields: Mapping[str, Any], way: Way, known: Mapping[str, Any], faults: list[Fault]
) -> Chain | None:
    """Return the file that a step uses, ready to be read; None if something is wrong, which is added to `faults`.

    Args:
        above: The file of the step.
        step: Whole name of the step.
        fields: What is written in it, as the campaign would write it.
        way: Way to the step.
        known: Values that the path may read.
        faults: Everything that is wrong.
    """
    place = f"step {step}"
    for name in fields:
        if name not in ("name", USE, WITH, IF):
            what = f"is no field of a step that uses a file; there are name, {USE}, {WITH}, {IF}"
            faults.append(Fault(above.source.place((*way, name), place, name), what))
    before = len(faults)
    written, given = fields[USE], fields.get(WITH, {})
    if not isinstance(written, str) or not written.strip():
        faults.append(
            Fault(above.source.place((*way, USE), place), "should be the path of a file with steps, such as looks/film.yaml")
        )
    if not isinstance(given, dict):
        faults.append(Fault(above.source.place((*way, WITH), place), "should be inputs by name, such as {photo: {step: hero}}"))
    if len(faults) > before:
        return None
    try:
        source, path = _read(above, render(written, known))
    except (WrongTemplateError, GenmediaError) as error:
        some = error.faults if isinstance(error, InputError) else [Fault("", str(error))]
        faults += [
            replace(one, place=", ".join(filter(None, (above.source.place((*way, USE), place), one.place)))) for one in some
        ]
        return None
    variables = _variables(source, faults)
    inputs = _inputs(above.source, (*way, WITH), place, source.name, variables, cast("dict[str, Any]", given), faults)
    if len(faults) > before:
        return None
    own = {f"{IF} of {step}": Condition(above.source, (*way, IF), fields[IF])} if IF in fields else {}
    return Chain(source, f"{step}-", inputs, (*above.above, path), {**above.conditions, **own})


def _read(above: Chain, written: str) -> tuple[Source, Path]:
    """Return a file that another one uses, and its whole path.

    Raises:
        WrongTemplateError: It is no path, it uses itself, or too many use each other.
        InputError: It cannot be read.
    """
    try:
        path = (above.source.folder / Path(written.strip()).expanduser()).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise WrongTemplateError(f"is no path of a file: {error}") from None
    if path in above.above:
        raise WrongTemplateError(f"uses {written}, by which it is used itself")
    if len(above.above) >= DEEPEST:
        raise WrongTemplateError(f"is the {DEEPEST + 1}th file that uses another one; put some of them together")
    return replace(read(str(path)), name=written), path


def _variables(source: Source, faults: list[Fault]) -> dict[str, Variable]:
    """Return the variables of a used file, and tell what else than steps stands in it."""
    strays = [name for name in source.value if name not in (VARIABLES, "steps")]
    faults += [
        Fault(source.place((name,)), f"{name} is no field of a file that is used; there are {VARIABLES}, steps")
        for name in strays
    ]
    steps: Any = source.value.get("steps")
    if not isinstance(steps, list) or not steps:
        faults.append(Fault(source.place(("steps",)), "steps should be a list of steps" if steps else "has no steps"))
    return read_variables(source, (*OF_A_RUN, "row", "take", "output", "at", "id"), faults)


def _inputs(
    source: Source,
    way: Way,
    place: str,
    used: str,
    variables: Mapping[str, Variable],
    given: Mapping[str, Any],
    faults: list[Fault],
) -> dict[str, Any]:
    """Return what the variables of a used file are given."""
    for name in given.keys() - variables.keys():
        what = f"is no variable of {used}; there are {', '.join(variables) or 'none'}"
        faults.append(Fault(source.place((*way, name), place, name), what))
    inputs: dict[str, Any] = {}
    for name, variable in variables.items():
        one = given.get(name, variable.default)
        spot = source.place((*way, name), place, name)
        if one is None:
            faults.append(Fault(spot, f"is not given, and {used} has no default for it; give it by {WITH}"))
        elif isinstance(one, dict):
            fields = cast("dict[str, Any]", one)
            inputs[name] = fields if isinstance(fields, Given) else Given(fields, source.folder)
            if not fields.keys() & set(_REFERENCES):
                faults.append(Fault(spot, "should be a value, or a reference such as {step: hero} or {file: photos/a.jpg}"))
        elif isinstance(one, str) and is_template(one):
            inputs[name] = one
        else:
            try:
                inputs[name] = variable.read(one)
            except ValueError as error:
                faults.append(Fault(spot, str(error)))
    return inputs
