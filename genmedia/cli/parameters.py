"""The parameters of a flow on the command line: their help, and their values as they were typed, with all faults at once."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast

import docstring_parser
import yaml
from cyclopts import Parameter
from pydantic import ValidationError

from genmedia.errors import Fault, InputError
from genmedia.forms.validation import Reading, faults_in, parameters_of

Schema = dict[str, Any]

_WORDS = {"string": "TEXT", "integer": "INTEGER", "number": "NUMBER", "boolean": "YES-OR-NO"}


class _Yaml(yaml.SafeLoader):
    """YAML whose plain words are texts unless JSON knows them: YAML 1.1 reads `010` as 8, `12:30` as 750 and `on` as true."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 # pyyaml's own, which the next lines fill


for _tag, _form, _first in (
    ("null", "null|~|", ["n", "~", ""]),
    ("bool", "true|false", ["t", "f"]),
    ("int", "-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", list("-0123456789")),
):
    _Yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), _first)


class Parameters:
    """The parameters of a flow, read from its signature.

    A text, a number or a boolean is taken as it is typed; for a number or boolean an empty text or `null` is None. A list of them is typed
    one by one. Everything else is YAML 1.2, of which JSON is a part; a structure may also be in a file: `@shots.yaml`.

    Args:
        function: The flow's own function; its docstring gives the parameters' meanings, its annotations their types.
        preset: Values for parameters that are not typed.
    """

    def __init__(self, function: Callable[..., Any], preset: Mapping[str, Any]) -> None:
        self._model = parameters_of(function)
        schema: Schema = self._model.model_json_schema()
        self._definitions: Schema = schema.get("$defs", {})
        self._schemas: dict[str, Schema] = {name: self._plain(one) for name, one in schema["properties"].items()}
        self._meanings = {one.arg_name: one.description for one in docstring_parser.parse(function.__doc__ or "").params}
        self._preset = dict(preset)

    def command(self) -> Callable[..., None]:
        """Make a function with an option for each parameter, to which cyclopts binds the typed texts, for `read`."""

        def bind(**_: Any) -> None:
            """Do nothing."""

        bind.__doc__ = None
        options = {name: self._option(name, schema) for name, schema in self._schemas.items()}
        bind.__annotations__ = options
        bind.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess] # where inspect looks first
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
                for name, option in options.items()
            ]
        )
        return bind

    def read(self, typed: Mapping[str, Any], strays: Sequence[str] = (), reading: Reading | None = None) -> dict[str, Any]:
        """Return the values for the flow, in their own types; typed ones replace those of the preset.

        Args:
            typed: Typed values by parameter: a text, several texts, or a boolean; None if it was not typed.
            strays: Words that could not be bound to a parameter.
            reading: Gets the names that became others.

        Raises:
            InputError: Everything that is wrong, each with its parameter.
        """
        faults = [self._stray(word) for word in strays]
        values, unreadable = dict(self._preset), set[str]()
        for name, given in typed.items():
            if given is None or given == []:
                continue
            try:
                values[name] = self._value(self._schemas[name], given)
            except (yaml.YAMLError, OSError, ValueError) as error:
                unreadable.add(name)
                faults.append(Fault(_option_name(name), _unreadable(error)))
        try:
            checked = self._model.model_validate(values, context=reading).model_dump(exclude_unset=True, by_alias=True)
        except ValidationError as error:
            if not faults and self._is_for_the_plan(values):
                return values
            told = {_option_name(name) for name in unreadable}
            faults += [fault for fault in faults_in(error, values, _option_name) if fault.place not in told]
            raise InputError(faults) from None
        if faults:
            raise InputError(faults)
        return checked

    def _is_for_the_plan(self, values: Mapping[str, Any]) -> bool:
        """True if only steps of a campaign have faults: the flow reports these together with those of the plan."""
        try:
            self._model.model_validate(values, context=Reading(plans=True))
        except ValidationError:
            return False
        return True

    def _value(self, schema: Schema, given: Any) -> Any:
        if isinstance(given, list):
            return [self._one(self._plain(schema["items"]), text) for text in cast("list[str]", given)]
        return given if isinstance(given, bool) else self._one(schema, given)

    def _one(self, schema: Schema, text: str) -> Any:
        text.encode()  # bytes that are not UTF-8 come as surrogates, which cannot be written
        if self._may_be_text(schema):
            return text
        if self._is_scalar(schema):
            return None if text in ("", "null") else text
        if text.startswith("@") and self._has_structure(schema):
            text = Path(text[1:]).expanduser().read_text(encoding="utf-8")
        return yaml.load(text, _Yaml)  # noqa: S506 # a SafeLoader

    def _stray(self, word: str) -> Fault:
        option = word.partition("=")[0]
        near = get_close_matches(option, map(_option_name, self._schemas), n=1)
        if option.startswith("--"):
            return Fault(option, f"is no parameter; did you mean {near[0]}?" if near else "is no parameter")
        return Fault(repr(word), "belongs to no parameter; a list is typed as --name A --name B")

    def _option(self, name: str, schema: Schema) -> Any:
        """Make the parameter's option. cyclopts requires and checks nothing: it would stop at the first fault."""
        choices = self._choices(self._plain(schema["items"]) if self._is_typed_one_by_one(schema) else schema)
        wanted = name not in self._preset and "default" not in schema
        text = " ".join(
            part
            for part in (
                (self._meanings.get(name) or schema.get("description", "")).replace("\n", " "),
                self._outline(schema) if self._has_structure(schema) else "",
                f"[choices: {', '.join(choices)}]" if choices else "",
                "[required]" if wanted else "",
            )
            if part
        )
        default = "" if wanted else self._default(name, schema)
        parameter = Parameter(
            name=_option_name(name),
            help=text,
            metavar=self._metavar(schema),
            show_default=(lambda _: default) if default else False,
            negative=None if schema.get("type") == "boolean" else (),
        )
        if schema.get("type") == "boolean":
            return Annotated[bool | None, parameter]
        return Annotated[list[str] | None if self._is_typed_one_by_one(schema) else str | None, parameter]

    def _default(self, name: str, schema: Schema) -> str:
        value = self._preset.get(name, schema.get("default"))
        if self._has_structure(schema):
            return "as in prefect.yaml" if name in self._preset else ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(map(str, cast("list[Any]", value)))
        return "" if value is None else str(value)

    def _metavar(self, schema: Schema) -> str:
        if self._is_typed_one_by_one(schema):
            return f"{self._metavar(self._plain(schema['items']))}..."
        if self._choices(schema):
            return "CHOICE"
        return "TEXT" if self._may_be_text(schema) else _WORDS.get(schema.get("type", ""), "YAML")

    def _plain(self, schema: Schema) -> Schema:
        """Return a schema with its reference resolved, and without the alternative null of an optional value."""
        if "$ref" in schema:
            schema = {**self._definitions[schema["$ref"].rpartition("/")[2]], **schema}
        others = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
        return {**self._plain(others[0]), **schema} | {"anyOf": []} if len(others) == 1 else schema

    def _members(self, schema: Schema) -> list[Schema]:
        return [self._plain(one) for one in schema.get("anyOf") or schema.get("oneOf") or [schema]]

    def _may_be_text(self, schema: Schema) -> bool:
        return any(one.get("type") == "string" for one in self._members(schema))

    def _is_scalar(self, schema: Schema) -> bool:
        """True if pydantic converts a text into the value; for a choice it does not."""
        return not self._choices(schema) and all(one.get("type") in _WORDS for one in self._members(schema))

    def _has_structure(self, schema: Schema) -> bool:
        return not self._is_typed_one_by_one(schema) and any(
            one.get("type") in ("array", "object") for one in self._members(schema)
        )

    def _is_typed_one_by_one(self, schema: Schema) -> bool:
        return schema.get("type") == "array" and all(
            one.get("type") not in ("array", "object") for one in self._members(self._plain(schema.get("items", {})))
        )

    def _choices(self, schema: Schema) -> list[str]:
        """Values that are allowed, if each of them is named; else empty."""
        named = [one.get("enum") or ([one["const"]] if "const" in one else []) for one in self._members(schema)]
        return list(dict.fromkeys(str(value) for values in named for value in values)) if all(named) else []

    def _outline(self, schema: Schema) -> str:
        """Outline of a structure, such as `[{prompt, model?, references?: [...]}]`."""
        return " | ".join(filter(None, map(self._form, self._members(schema))))

    def _form(self, schema: Schema) -> str:
        if schema.get("type") == "array":
            return f"[{self._outline(self._plain(schema.get('items', {}))) or '...'}]"
        needed = schema.get("required", ())
        fields = [
            f"{name}{'' if name in needed else '?'}" + (f": {inner}" if (inner := self._outline(self._plain(one))) else "")
            for name, one in schema.get("properties", {}).items()
        ]
        return f"{{{', '.join(fields)}}}" if fields else ""


def _option_name(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _unreadable(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"is not YAML{where}: {error.problem}"
    if isinstance(error, OSError):
        return f"{error.filename} cannot be read: {error.strerror}"
    return "is not UTF-8 text" if isinstance(error, UnicodeError) else "is not YAML"
