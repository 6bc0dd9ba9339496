"""Templates in Jinja's language, in texts, such as `{{ row.product }} at dawn`, and in paths, such as `{client}/{row.sku}.{ext}`.

A template reads the values that it is given and nothing else: a value has parts only where it is a mapping, a template calls nothing, and
what it makes is of bounded length.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

from genmedia.text.paths import portable
from genmedia.text.plain import cut

LONGEST = 20_000
"""Most characters of a text that a template makes, and of the template itself."""

PATH_LENGTH = 700
"""Longest path that is made, in characters: object stores take 1024 bytes, with the folder that it goes to."""

VALUE_LENGTH = 80
"""Longest value in a path, in characters: of a long one its beginning, so that there is room for what tells names apart."""

_NAME = re.compile(r"(?<!\{)\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}(?!\})")

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BRACE = re.compile(r"\{[^{}]*\}?|\}")

_FILTERS = (
    *("abs", "capitalize", "default", "first", "float", "int", "join", "last", "length", "lower", "replace", "round", "title"),
    *("trim", "truncate", "upper"),
)
_STRANGE = (
    *(nodes.Call, nodes.CallBlock, nodes.Macro, nodes.Block),
    *(nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport),
)
_MARKS = "{{", "{%", "{#"


class WrongTemplateError(ValueError):
    """A template that cannot be used; the message names what is wrong in it."""


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's environment with values for its only names, which have parts only where they are mappings."""

    intercepted_binops = frozenset(["*", "**", "%", "+", "-", "//", "/"])

    def __init__(self, finalize: Callable[[Any], Any]) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=finalize)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.tests = {
            name: self.tests[name] for name in ("defined", "undefined", "none", "in", "number", "string", "odd", "even")
        }

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        return super().getattr(obj, attribute) if isinstance(obj, LoopContext) else self.getitem(obj, attribute)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return cast("Mapping[Any, Any]", obj)[argument]
        if isinstance(obj, list | tuple) and isinstance(argument, int):
            some = cast("Sequence[Any]", obj)
            if -len(some) <= argument < len(some):
                return some[argument]
        return self.undefined(obj=obj, name=str(argument))

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = all(isinstance(one, int | float) and abs(one) < 1e15 for one in (left, right))
        if not numbers and not (operator == "+" and isinstance(left, str) and isinstance(right, str)):
            raise SecurityError(f"{operator} is for numbers; ~ puts texts together")
        if operator == "**":
            raise SecurityError("** is not known")
        return super().call_binop(context, operator, left, right)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping | list):
        mend = (
            "name one of its parts, as in {{ row.sku }}"
            if isinstance(value, Mapping)
            else "join them, as in {{ row.tags|join(', ') }}"
        )
        raise WrongTemplateError(f"reads several values where a text is made; {mend}")
    return "" if value is None else value


def _as_part(value: Any) -> Any:
    return value if isinstance(value, Undefined) else portable(str(_plain(value)), VALUE_LENGTH)


_TEXTS, _PATHS = _Environment(_plain), _Environment(_as_part)


def is_template(text: str) -> bool:
    """True if the text has a mark of a template in it."""
    return any(mark in text for mark in _MARKS)


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[tuple[str, ...]]:
    """Return the names that a template reads: `("week",)`, and with its part `("row", "product")`.

    Raises:
        WrongTemplateError: It is no template.
    """
    tree = _parsed(text)
    try:
        given = meta.find_undeclared_variables(tree)
    except TemplateError as error:  # such as a filter that is not there
        filters = f" There are the filters {', '.join(_FILTERS)}." if "filter" in str(error.message) else ""
        raise WrongTemplateError(f"is no template: {error.message}{filters}") from None
    with_parts = {
        (one.node.name, part)
        for one in tree.find_all((nodes.Getattr, nodes.Getitem))
        if isinstance(one.node, nodes.Name) and one.node.name in given and (part := _part(one)) is not None
    }
    return frozenset({(name,) for name in given} | with_parts)


def is_name(text: str) -> bool:
    """True if templates can read a value under this name."""
    try:
        return text.isidentifier() and names_in(f"{{{{ {text} }}}}") == frozenset([(text,)])
    except WrongTemplateError:  # a word of the language, such as `not`
        return False


def _part(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg if isinstance(node, nodes.Getitem) else None
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _parsed(text: str) -> nodes.Template:
    if len(text) > LONGEST:
        raise WrongTemplateError(f"is longer than {LONGEST} characters")
    try:
        tree = _TEXTS.parse(text)
        if strange := next(tree.find_all(_STRANGE), None):
            raise WrongTemplateError(f"has a {type(strange).__name__.lower()}, which no template here can have")
        if any(one.name == "self" for one in tree.find_all(nodes.Name)):
            raise WrongTemplateError("names self, which is not there")
    except TemplateSyntaxError as error:
        raise WrongTemplateError(f"is no template: {error.message}") from None
    except RecursionError:
        raise WrongTemplateError("is no template: it is nested too deeply") from None
    return tree


@lru_cache(maxsize=4096)
def _compiled(environment: _Environment, text: str) -> Any:
    try:
        return environment.from_string(_parsed(text))
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        raise WrongTemplateError(f"is no template: {error}") from None


def render(text: str, values: Mapping[str, Any]) -> str:
    """Return the text that a template makes of the values; of a value that is None, nothing.

    Raises:
        WrongTemplateError: It is no template, reads what is not there, or makes a text that is too long.
    """
    return _filled(_TEXTS, text, values)


def render_path(template: str, values: Mapping[str, Any]) -> str:
    """Fill values into the path of a file; return a relative path that every file system and object store takes; see `portable`.

    A slash in the template parts folders; one in a value becomes a dash.

    Args:
        template: A path with `{name}` or `{row.name}`, or what `render` takes.
        values: As `render` takes them.

    Raises:
        WrongTemplateError: See `render`; or it begins with a slash, or a part of it is empty or `..`, or it is too long; or there is a brace
            that begins no name.
    """
    if stray := _BRACE.search(_JINJA.sub("", path_template(template))):
        raise WrongTemplateError(
            f"has {stray[0]!r}, which is no name; one is written {{row.sku}}, and more than a name {{{{ row.sku|lower }}}}"
        )
    path = _filled(_PATHS, path_template(template), values)
    parts = [portable(part) for part in path.split("/")]
    if "" in parts:
        part = path.split("/")[parts.index("")]
        raise WrongTemplateError(f"gives {path!r}, of which a part is {repr(part) if part else 'empty'}: it has to be a name")
    name = "/".join(parts)
    if len(name) > PATH_LENGTH:
        raise WrongTemplateError(f"gives a path of {len(name)} characters, more than {PATH_LENGTH}")
    return name


def path_template(written: str) -> str:
    """Return the path of a file, as `render_path` takes it, as a template like any other."""
    return _NAME.sub(r"{{ \1 }}", written)


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its name as a template has it, such as `row.sku`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(cast("Mapping[str, Any]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _filled(environment: _Environment, text: str, values: Mapping[str, Any]) -> str:
    made: list[str] = []
    left = LONGEST
    try:
        for piece in _compiled(environment, text).generate(values):
            made.append(piece)
            left -= len(piece)
            if left < 0:
                raise WrongTemplateError(f"makes more than {LONGEST} characters")
    except UndefinedError as error:
        raise WrongTemplateError(_undefined(str(error), text, values)) from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        if isinstance(error, WrongTemplateError):
            raise
        raise WrongTemplateError(cut(f"cannot be filled in: {error}")) from None
    return "".join(made)


def _undefined(told: str, text: str, values: Mapping[str, Any]) -> str:
    for name in sorted(names_in(text)):
        if fault := unknown(name, values):
            return fault
    return f"reads what is not there: {told}"


def unknown(name: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Return what is wrong with a name that a template reads, with those that there are; empty if it is known."""
    if name[0] not in values:
        return f"names {name[0]}, which is not there; {_there(name[0], values)}"
    parts = values[name[0]]
    if len(name) > 1 and not isinstance(parts, Mapping):
        return f"asks for {'.'.join(name)}, but {name[0]} has no parts"
    if len(name) > 1 and name[1] not in parts:
        return f"names {'.'.join(name)}, which is not there; {_there(name[1], cast('Mapping[str, Any]', parts))}"
    return ""


def _there(wished: str, names: Iterable[str]) -> str:
    offered = sorted(map(str, names))
    near = get_close_matches(wished, offered, n=1)
    return f"there {'is' if len(offered) == 1 else 'are'} {', '.join(offered) or 'none'}{f'; did you mean {near[0]}?' if near else ''}"
