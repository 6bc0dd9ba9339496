"""Templates that people write: texts with places for values, as `{{ row.title }}`, and names of files, as `{client}/{row.sku}.{ext}`.

They are Jinja's, in its sandbox: a template reads the values that it is given and nothing else. A name without a value is a fault, never
an empty text.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from genmedia.text.paths import portable
from genmedia.text.plain import cut

PATH_LENGTH = 700
"""Longest path that is made, in characters: object stores take 1024 bytes, with the folder that it goes to."""

VALUE_LENGTH = 80
"""Longest value in a path, in characters: of a long one its beginning, so that there is room for what tells names apart."""

TEXT_LENGTH = 100_000
"""Longest text that is made, in characters."""

_NAME = re.compile(r"(?<!\{)\{([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}(?!\})")


_FILTERS_LEFT_OUT = ("attr", "center", "format", "indent")
"""They reach for attributes, or make a text of any length."""


class WrongTemplateError(ValueError):
    """A template that cannot be filled in; its text says why."""


class _Unknown(StrictUndefined):
    """A name without a value."""

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{self._undefined_name} is unknown"


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(["*", "**", "%"])

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=_Unknown, keep_trailing_newline=True, **options)
        self.globals.clear()  # functions such as `range` and `lipsum`
        for name in _FILTERS_LEFT_OUT:
            del self.filters[name]

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a value of a mapping by its name, as of a row, and never an attribute, such as a column `items` that is a method too."""
        return super().getattr(obj, attribute) if isinstance(obj, LoopContext) else self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a value of a mapping by its name, or of a list by its number."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            return self.undefined(obj=obj, name=str(argument))

    def call(self, *_: Any, **__: Any) -> Any:
        """Refuse to call anything: what a value needs to be written another way, filters do."""
        raise WrongTemplateError("calls a function; there are filters in their stead, such as {{ name|lower }}")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers alone, for a text times a number could take all memory."""
        if isinstance(left, int | float) and isinstance(right, int | float) and operator != "**":
            return super().call_binop(context, operator, left, right)
        raise WrongTemplateError(f"{operator} is for numbers" if operator != "**" else "** is not taken")


def _plain(value: Any) -> Any:
    return "" if value is None else value


def _part(value: Any) -> Any:
    return value if isinstance(value, Undefined) else portable(str(_plain(value)), VALUE_LENGTH)


_TEXTS, _PATHS = _Environment(finalize=_plain), _Environment(finalize=_part)


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill values into a text, such as a prompt or a title.

    Args:
        template: A text with `{{ name }}`, `{{ row.name }}`, or anything else that Jinja knows.
        values: The values by their names; a value may be a mapping of further ones. One that is None gives nothing.

    Raises:
        WrongTemplateError: It is no template, has a name without a value, or reaches for what it may not; the text tells the names that
            there are.
    """
    return _filled(_TEXTS, template, values)


def render_path(template: str, values: Mapping[str, Any]) -> str:
    """Fill values into the path of a file; return a relative path that every file system and object store takes; see `portable`.

    A slash in the template parts folders; one in a value becomes a dash.

    Args:
        template: A path with `{name}` or `{row.name}`, or what `render` takes.
        values: As `render` takes them.

    Raises:
        WrongTemplateError: See `render`; or it begins with a slash, or a part of it is empty or `..`, or it is too long.
    """
    path = _filled(_PATHS, _NAME.sub(r"{{ \1 }}", template), values)
    parts = [portable(part) for part in path.split("/")]
    if "" in parts:
        part = path.split("/")[parts.index("")]
        raise WrongTemplateError(f"gives {path!r}, of which a part is {repr(part) if part else 'empty'}: it has to be a name")
    name = "/".join(parts)
    if len(name) > PATH_LENGTH:
        raise WrongTemplateError(f"gives a path of {len(name)} characters, more than {PATH_LENGTH}")
    return name


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its name as a template has it, such as `row.sku`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(cast("Mapping[str, Any]", value), f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _filled(environment: _Environment, template: str, values: Mapping[str, Any]) -> str:
    try:
        text = _read(environment, template).render(values)
    except WrongTemplateError:
        raise
    except TemplateSyntaxError as error:
        raise WrongTemplateError(cut(f"is no template: {str(error.message).rstrip('.')}")) from None
    except TemplateError as error:
        names = ", ".join(name for name, _ in flat(values)) or "none"
        raise WrongTemplateError(cut(f"{str(error.message).rstrip('.')}; the names are {names}")) from None
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise WrongTemplateError(cut(f"cannot be filled in: {error}")) from None
    if len(text) > TEXT_LENGTH:
        raise WrongTemplateError(f"gives {len(text)} characters, more than {TEXT_LENGTH}")
    return text


@lru_cache(maxsize=256)
def _read(environment: _Environment, template: str) -> Template:
    return environment.from_string(template)
