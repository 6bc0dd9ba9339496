"""Form fields with titles, help and examples in words, in a schema that Prefect's page shows as intended."""

from typing import Any

from pydantic import Field

Schema = dict[str, Any]


def field(title: str, about: str, *, example: Any = None, shown: Schema | None = None, **rules: Any) -> Any:
    """Return a field of a form, for `Annotated` or as the value of a model's field.

    Prefect's page shows titles and descriptions, but no examples: so the description ends with the example. Prefect replaces the title and
    description of a flow's parameters by their names and the docstring; only the entries of `json_schema_extra` outlast that.

    Args:
        title: Text above the field.
        about: Purpose of the field, in whole sentences.
        example: A possible value; None where a choice or a default shows one.
        shown: Further entries of the schema.
        rules: Further arguments of pydantic's `Field`, such as `default` and `ge`.
    """
    examples = None if example is None else [example]
    told = about if example is None else f"{about} Example: {_as_typed(example)}"
    extra = {"title": title, "description": told, **(shown or {})}
    return Field(title=title, description=told, examples=examples, json_schema_extra=extra, **rules)


def show_plainly(schema: Schema) -> None:
    """Change the schema of a model: a field that may be null is shown as its other type, without a default, and may be left out.

    Prefect's page makes two tabs of "a value or null", and fills in a default of null as an answer; its server accepts null for a field
    that is not required and has no default.
    """
    for one in schema.get("properties", {}).values():
        show_value(one)


def show_value(schema: Schema) -> None:
    """Change the schema of one field in the same way; see `show_plainly`."""
    members = schema.get("anyOf", [])
    others = [one for one in members if one.get("type") != "null"]
    if len(others) == len(members):
        return
    schema.pop("default", None)
    del schema["anyOf"]
    for name, value in ({"anyOf": others} if len(others) > 1 else others[0]).items():
        schema.setdefault(name, value)


def _as_typed(example: Any) -> str:
    """Return an example as a person types it."""
    return ", ".join(map(str, example)) if isinstance(example, list) else str(example)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] # of any kind
