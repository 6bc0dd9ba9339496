"""Fields of forms that people fill in: titles, help and examples in words, shown as they are meant by Prefect's page."""

from typing import Any

from pydantic import Field

Schema = dict[str, Any]


def field(title: str, about: str, *, example: Any = None, shown: Schema | None = None, **rules: Any) -> Any:
    """A field of a form, for `Annotated` or as the value of a model's field.

    Prefect's page shows titles and descriptions, and no examples: so the description ends with the example. Prefect itself says both of a
    flow's parameters anew, from their names and the docstring; only what is put into the schema at the end outlasts that.

    Args:
        title: What stands above it.
        about: What it is for, in whole sentences.
        example: A value that could stand in it; None where a choice or a default says it.
        shown: What else the schema says.
        rules: What else pydantic's `Field` takes, such as `default` and `ge`.
    """
    examples = None if example is None else [example]
    told = about if example is None else f"{about} Example: {_as_typed(example)}"
    extra = {"title": title, "description": told, **(shown or {})}
    return Field(title=title, description=told, examples=examples, json_schema_extra=extra, **rules)


def show_plainly(schema: Schema) -> None:
    """Change the schema of a model: what may be null is shown as what it is otherwise, and may be left out.

    Prefect's page makes two tabs of a value or null, and fills in a default of null as an answer; its server takes null for a field that is
    neither required nor has a default.
    """
    for one in schema.get("properties", {}).values():
        show_value(one)


def show_value(schema: Schema) -> None:
    """The same for the schema of a field."""
    members = schema.get("anyOf", [])
    others = [one for one in members if one.get("type") != "null"]
    if len(others) == len(members):
        return
    schema.pop("default", None)
    del schema["anyOf"]
    for name, value in ({"anyOf": others} if len(others) > 1 else others[0]).items():
        schema.setdefault(name, value)


def _as_typed(example: Any) -> str:
    """An example as a person types it."""
    return ", ".join(map(str, example)) if isinstance(example, list) else str(example)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] # of any kind
