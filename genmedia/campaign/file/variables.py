"""Variables of a campaign's file: what each run may give another value, and the file with these values filled in."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Literal, Self, cast

from pydantic import ValidationError, model_validator

from genmedia.campaign.file.source import Source, Way
from genmedia.errors import Fault
from genmedia.forms.fields import field
from genmedia.forms.validation import faults_in
from genmedia.providers.sources import Written
from genmedia.text.templates import WrongTemplateError, is_name, is_template, render

VARIABLES = "variables"

Value = str | int | float | bool
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


class Variable(Written):
    """What each run of a campaign's file may give another value; default and choices are of its type."""

    title: str = field("Title", "Text above its field in a form; its name where it is left out.", default="")
    description: str = field("Description", "Text below its field in a form.", default="")
    type: Literal["text", "number", "yes_no"] = field("Type", "That of its default where it is left out.", default="text")
    default: Value | None = field("Default", "Without one, each run has to give a value.", default=None)
    choices: list[str | int | float] = field("Choices", "The values that it can have; any where it is left out.", default=[])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        values = [*self.choices, *([] if self.default is None else [self.default])]
        if strange := next((one for one in values if is_template(str(one))), None):
            raise ValueError(f"has the template {strange!r}; a variable is what templates read")
        return self.model_copy(
            update={
                "choices": [self._typed(one) for one in self.choices],
                "default": None if self.default is None else self.read(self.default),
            }
        )

    def read(self, given: Any) -> Value:
        """Return a value as it is given, or typed on the command line, in the type of the variable.

        Raises:
            ValueError: It is of another type, or none of the choices; the message says what it can be.
        """
        value, choices = self._typed(given), [self._typed(one) for one in self.choices]
        if choices and value not in choices:
            near = get_close_matches(str(value), map(str, choices), n=1)
            mend = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"is {value!r}, and can be {', '.join(map(str, choices))}{mend}")
        return value

    def _typed(self, given: Any) -> Value:
        if self.type == "yes_no":
            word = str(given).strip().lower()
            if word not in (*YES, *NO):
                raise ValueError(f"is {given!r}, and should be yes or no")
            return word in YES
        if isinstance(given, bool) or not isinstance(given, str | int | float):
            raise ValueError(f"is {given!r}, and should be a {self.type}")
        if self.type == "text":
            return str(given)
        try:
            number = given if isinstance(given, int) else float(given)
        except ValueError:
            raise ValueError(f"is {given!r}, and should be a number") from None
        if not math.isfinite(number):
            raise ValueError(f"is {given!r}, and should be a number with an end")
        return int(number) if number == int(number) else number


def read_variables(source: Source, taken: Collection[str], faults: list[Fault]) -> dict[str, Variable]:
    """Return the variables of a campaign's file, by name.

    Args:
        source: The file.
        taken: Names that no variable can have.
        faults: Everything that is wrong, to which is added.
    """
    written: Any = source.value.get(VARIABLES)
    if not isinstance(written, dict):
        if written is not None:
            faults.append(Fault(source.place((VARIABLES,)), "should be values by name, such as {product: mug}"))
        return {}
    found: dict[str, Variable] = {}
    for name, one in cast("dict[str, Any]", written).items():
        way: Way = (VARIABLES, name)
        if name in taken or not is_name(name):
            mend = f"use letters, digits and underscores, and none of {', '.join(sorted(taken))}"
            faults.append(Fault(source.place(way), f"{name} cannot be the name of a variable; {mend}"))
        declared = cast("dict[str, Any]", one) if isinstance(one, dict) else {"default": one}
        told = {"title": name.replace("_", " ").capitalize(), "type": _type_of(declared), **declared}
        try:
            found[name] = Variable.model_validate(told)
        except ValidationError as error:
            faults += [
                Fault(source.place((*way, *wrong.place.split(", ")), f"variable {name}", wrong.place), wrong.what)
                for wrong in faults_in(error, told)
            ]
    return found


def _type_of(declared: Mapping[str, Any]) -> str:
    choices = declared.get("choices")
    some = [declared.get("default"), *(cast("list[Any]", choices) if isinstance(choices, list) else ())]
    first = next((one for one in some if one is not None), "")
    return "yes_no" if isinstance(first, bool) else "number" if isinstance(first, int | float) else "text"


def values_of(
    source: Source, variables: Mapping[str, Variable], given: Mapping[str, Any], faults: list[Fault]
) -> dict[str, Value]:
    """Return the value of each variable in a run.

    Args:
        source: The file.
        variables: Its variables.
        given: Values that the run gives; the others have their defaults.
        faults: Everything that is wrong, to which is added.
    """
    offered = ", ".join(variables) or "none"
    for name in given.keys() - variables.keys():
        near = get_close_matches(name, variables, n=1)
        mend = f"; did you mean {near[0]}?" if near else ""
        faults.append(Fault(f"variable {name}", f"is none of this campaign; there are {offered}{mend}"))
    values: dict[str, Value] = {}
    for name, one in variables.items():
        if name in given:
            try:
                values[name] = one.read(given[name])
            except ValueError as error:
                faults.append(Fault(f"variable {name}", str(error)))
        elif one.default is not None:
            values[name] = one.default
        else:
            place = source.place((VARIABLES, name), f"variable {name}")
            faults.append(Fault(place, f"has no default, so each run gives a value, such as --set {name}=VALUE"))
    return values


def filled(source: Source, ways: Iterable[Way], values: Mapping[str, Any], faults: list[Fault]) -> Source:
    """Return a file with the templates filled in that stand in some of its parts.

    Args:
        source: The file.
        ways: Ways to these parts; those that are not there are left out.
        values: Values that the templates read.
        faults: Everything that is wrong, to which is added.
    """

    def fill(value: Any, way: Way, wanted: bool) -> Any:
        if isinstance(value, str) and wanted and is_template(value):
            try:
                return render(value, values)
            except WrongTemplateError as error:
                faults.append(Fault(source.place(way), str(error)))
                return value
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {name: fill(one, (*way, name), wanted or (*way, name) in parts) for name, one in fields.items()}
        if isinstance(value, list):
            return [fill(one, (*way, number), wanted) for number, one in enumerate(cast("list[Any]", value))]
        return value

    parts = set(ways)
    return replace(source, value=fill(source.value, (), wanted=False))
