"""Faults in forms, as pydantic finds them: in plain words, all at once, each with its place."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from genmedia.errors import Fault, InputError

SHOWN_CHARACTERS = 60
"""Characters of an unfit value that are shown."""

_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is no field here",
    "string_type": "should be a text",
    "string_too_short": "should have at least {min_length} characters",
    "string_too_long": "should have at most {max_length} characters",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "finite_number": "should be a number, and not without end",
    "bool_type": "should be yes or no",
    "bool_parsing": "should be yes or no",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge} or more",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le} or less",
    "list_type": "should be a list",
    "too_short": "should have at least {min_length}",
    "too_long": "should have at most {max_length}, and has {actual_length}",
    "dict_type": "should be names with values, such as {{name: value}}",
    "model_type": "should be fields with values, such as {{name: value}}",
    "model_attributes_type": "should be fields with values, such as {{name: value}}",
}


@dataclass
class Reading:
    """Settings and results of reading an input; handed to pydantic as its context.

    Attributes:
        plans: True if the steps will be planned: a step with faults is then kept, so that they are reported with those of the plan.
        renamed: Names as they were written, with the names they became; filled while the input is read.
    """

    plans: bool = False
    renamed: dict[str, str] = field(default_factory=dict[str, str])


def parameters_of(function: Callable[..., Any], *, without: Collection[str] = ()) -> type[BaseModel]:
    """Return a model with a field for each parameter of a function, except those that are left out."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is one.empty else one.default)
        for one in inspect.signature(function).parameters.values()
        if one.name not in without
    }
    return create_model("Parameters", __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)


def read_parameters(function: Callable[..., Any], given: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Return the parameters as the function takes them.

    Raises:
        InputError: All faults; the faults of steps that will be planned only where something else is wrong as well.
    """
    model = parameters_of(function)
    try:
        read = model.model_validate(given, context=reading)
    except ValidationError:
        try:
            read = model.model_validate(given)
        except ValidationError as error:
            raise InputError(faults_in(error, given)) from None
    return {name: getattr(read, name) for name in model.model_fields}


def faults_in(error: ValidationError, given: Any, outermost: Callable[[str], str] = str) -> list[Fault]:
    """Return all faults, one for each place, with entries of lists counted and named as people do.

    Args:
        error: The error that pydantic raised.
        given: The value that was validated.
        outermost: Returns the name that people know for a field of the outermost level.
    """
    found: dict[str, list[ErrorDetails]] = {}
    for one in error.errors(include_url=False):
        found.setdefault(_place(one, given, outermost), []).append(one)
    return [Fault(place, "; ".join(_told(each))) for place, each in found.items()]


def told_again(fault: ErrorDetails) -> InitErrorDetails:
    """Return a fault in the form in which a validator can hand it on beside its own."""
    if fault["type"] in ("missing", "extra_forbidden", "literal_error"):  # `faults_in` reads more than the words of these
        return InitErrorDetails(type=fault["type"], loc=fault["loc"], input=fault["input"], ctx=fault.get("ctx", {}))
    return InitErrorDetails(type=found_by_us(in_words(fault)), loc=fault["loc"], input=fault["input"])


def found_by_us(what: str) -> PydanticCustomError:
    """Return a fault with these words, of a type that pydantic does not know."""
    return PydanticCustomError("found_by_us", "{what}", {"what": what})


def _place(fault: ErrorDetails, given: Any, outermost: Callable[[str], str]) -> str:
    """Return the way to a fault through the written value, without the branches of unions, which pydantic names as well."""
    way: list[str] = []
    value, many, in_a_list = given, "", False
    is_field = fault["type"] in ("missing", "extra_forbidden")
    for number, part in enumerate(fault["loc"], 1):
        rest, fields = fault["loc"][number:], _fields(value)
        if isinstance(part, int):
            entries = cast("Sequence[Any]", value if isinstance(value, list | tuple) else ())
            value = entries[part] if part < len(entries) else None
            way = [*(way[:-1] if in_a_list else ()), _entry(many, part, value)]
            in_a_list = True
        elif part in fields:
            if rest and (rest[0] in fields or (is_field and len(rest) == 1)) and not isinstance(fields[part], list | dict):
                continue  # the field that tells the kinds of a union apart
            value, many = fields[part], part
            way.append(part if way else outermost(part))
        elif is_field and not rest:
            way.append(part if way else outermost(part))
    return ", ".join(way)


def _fields(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else getattr(value, "__dict__", {})


def _entry(many: str, index: int, value: Any) -> str:
    """Return an entry of a list as a person finds it: `step 2 (film)`, `input prompt`, `seed 3`."""
    one, fields = (many if many.endswith("us") else many.removesuffix("s")) or "entry", _fields(value)
    if fields.get("id") and isinstance(fields["id"], str):
        return f"{one} {fields['id']}"
    named = fields.get("name")
    return f"{one} {index + 1} ({named})" if named and isinstance(named, str) else f"{one} {index + 1}"


def _told(faults: Sequence[ErrorDetails]) -> list[str]:
    """Return the faults of one place in words, each once; those of a union of choices, one for each part, are reported as one."""
    choices = [one for one in faults if one["type"] == "literal_error"]
    others = [in_words(one) for one in faults if one["type"] != "literal_error"]
    return list(dict.fromkeys([*([_choice(choices)] if choices else []), *others]))


def in_words(fault: ErrorDetails) -> str:
    """Return one fault in plain words; those of the validator or of pydantic where `_WORDS` has none."""
    if fault.get("ctx", {}).get("min_length") == 1:
        return "is empty"
    if fault["type"] in _WORDS:
        return _WORDS[fault["type"]].format(**fault.get("ctx", {}))
    return fault["msg"].removeprefix("Value error, ")


def _choice(faults: Sequence[ErrorDetails]) -> str:
    value = faults[0]["input"]
    expected = ", ".join(one.get("ctx", {})["expected"] for one in faults)
    offer = re.findall("'(.*?)'", expected) or [expected]
    near = get_close_matches(value, offer, n=1) if isinstance(value, str) else []
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
    return f"is {shown}, and can be {', '.join(offer)}{f'; did you mean {near[0]}?' if near else ''}"
