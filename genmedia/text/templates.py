"""Templates in texts that people write, such as `{{ row.product }} at dawn`: Jinja's language, without any way out of the text.

A template reads the values that it is given and nothing else: a value has parts only where it is a mapping, a template calls nothing, and
what it makes is of bounded length.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

LONGEST = 20_000
"""Most characters of a text that a template makes, and of the template itself."""

_FILTERS = (
    *("abs", "capitalize", "default", "first", "float", "int", "join", "last", "length", "lower", "replace", "round", "title"),
    *("trim", "truncate", "upper"),
)
_STRANGE = (
    *(nodes.Call, nodes.CallBlock, nodes.Macro, nodes.Block),
    *(nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport),
)
_MARKS = "{{", "{%", "{#"


class TemplateFaultError(ValueError):
    """A template that cannot be used; the message names what is wrong in it."""


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's environment with values for its only names, which have parts only where they are mappings."""

    intercepted_binops = frozenset(["*", "**", "%", "+", "-", "//", "/"])

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.tests = {
            name: self.tests[name] for name in ("defined", "undefined", "none", "in", "number", "string", "odd", "even")
        }

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return cast("Mapping[Any, Any]", obj)[argument]
        if isinstance(obj, list | tuple) and isinstance(argument, int):
            return super().getitem(obj, argument)
        return self.undefined(obj=obj, name=str(argument))

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = all(isinstance(one, int | float) and abs(one) < 1e15 for one in (left, right))
        if not numbers and not (operator == "+" and isinstance(left, str) and isinstance(right, str)):
            raise SecurityError(f"{operator} is for numbers; ~ puts texts together")
        if operator == "**":
            raise SecurityError("** is not known")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment()


def is_template(text: str) -> bool:
    """True if the text has a mark of a template in it."""
    return any(mark in text for mark in _MARKS)


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[tuple[str, ...]]:
    """Return the names that a template reads: `("week",)`, and with its part `("row", "product")`.

    Raises:
        TemplateFaultError: It is no template.
    """
    tree = _parsed(text)
    given = meta.find_undeclared_variables(tree)
    with_parts = {
        (one.node.name, part)
        for one in tree.find_all((nodes.Getattr, nodes.Getitem))
        if isinstance(one.node, nodes.Name) and one.node.name in given and (part := _part(one)) is not None
    }
    return frozenset({(name,) for name in given} | with_parts)


def _part(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    argument = node.arg if isinstance(node, nodes.Getitem) else None
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None


def _parsed(text: str) -> nodes.Template:
    if len(text) > LONGEST:
        raise TemplateFaultError(f"is longer than {LONGEST} characters")
    try:
        tree = _ENVIRONMENT.parse(text)
        if strange := next(tree.find_all(_STRANGE), None):
            raise TemplateFaultError(f"has a {type(strange).__name__.lower()}, which no template here can have")
        if any(one.name == "self" for one in tree.find_all(nodes.Name)):
            raise TemplateFaultError("names self, which is not there")
    except TemplateSyntaxError as error:
        raise TemplateFaultError(f"is no template: {error.message}") from None
    except RecursionError:
        raise TemplateFaultError("is no template: it is nested too deeply") from None
    return tree


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Any:
    try:
        return _ENVIRONMENT.from_string(_parsed(text))
    except (TemplateError, RecursionError, SyntaxError, MemoryError) as error:
        raise TemplateFaultError(f"is no template: {error}") from None


def render(text: str, values: Mapping[str, Any]) -> str:
    """Return the text that a template makes of the values.

    Raises:
        TemplateFaultError: It is no template, reads what is not there, or makes a text that is too long.
    """
    made: list[str] = []
    left = LONGEST
    try:
        for piece in _compiled(text).generate(values):
            made.append(piece)
            left -= len(piece)
            if left < 0:
                raise TemplateFaultError(f"makes more than {LONGEST} characters")
    except UndefinedError as error:
        raise TemplateFaultError(_undefined(str(error), text, values)) from None
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        if isinstance(error, TemplateFaultError):
            raise
        raise TemplateFaultError(f"cannot be filled in: {error}") from None
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
