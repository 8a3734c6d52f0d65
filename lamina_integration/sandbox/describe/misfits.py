"""What does not fit a shape: as much of JSON Schema as `asks` uses for bodies.

Bounds of figures are not judged here: one that is out of them is brought within them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lamina_integration.sandbox.describe.shapes import Schema

WORDS = {
    "string": "text",
    "object": "an object",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}

Misfit = tuple[str, str, str]  # where, which kind, a sentence


def misfits(schema: Schema, value: Any, where: str = "") -> list[Misfit]:
    """Return everything about a value that its shape does not allow; members it does not name are allowed."""
    found = list(_own_misfits(schema, value, where))
    if not found and "anyOf" in schema:
        # What is wrong is told of the shape that is closest to being met.
        found = min((misfits(each, value, where) for each in schema["anyOf"]), key=len)
    return found


def _own_misfits(schema: Schema, value: Any, where: str) -> Iterator[Misfit]:
    named = where or "The request body"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(each, value) for each in types):
        yield where, "invalid_type", f"{named} must be {' or '.join(WORDS[each] for each in types)}."
    elif "enum" in schema and value not in schema["enum"]:
        words = ", ".join(word for word in schema["enum"] if word is not None)
        yield where, "invalid_option", f"{named} must be one of: {words}."
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield where, "invalid_type", f"{named} must be {schema.get('description', 'as described')}."
    elif isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield where, "invalid_type", f"{named} must be text that is not empty."
    elif isinstance(value, list):
        yield from _list_misfits(schema, value, where, named)
    elif isinstance(value, dict):
        yield from _object_misfits(schema, value, where)


def _list_misfits(schema: Schema, value: list[Any], where: str, named: str) -> Iterator[Misfit]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        much = f"{least} to {most}" if "maxItems" in schema else f"at least {least}"
        yield where, "invalid_type", f"{named} must be a list of {much}."
        return
    for position, item in enumerate(value):
        yield from misfits(schema.get("items", {}), item, f"{where}[{position}]")


def _object_misfits(schema: Schema, value: dict[str, Any], where: str) -> Iterator[Misfit]:
    for name in schema.get("required", ()):
        if name not in value:
            yield _inside(where, name), "missing", f"{_inside(where, name)} is needed."
    for name, member in schema.get("properties", {}).items():
        if name in value:
            yield from misfits(member, value[name], _inside(where, name))


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _is(kind: str, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)
