"""Judge inputs as Lamina does, before anything is sent.

Pure functions over a schema's parameters. The verdict follows the server's own checker: what
must be supplied is what has no default (the schema's `required` is not to be trusted), names and
labels count byte for byte, and a name is looked up among all keys, then all ids, then all names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from lamina_integration.errors import InputProblem
from lamina_integration.wire import Parameter

__all__ = ["InputProblem", "address", "check", "find"]

MISSING = "missing_no_default"
INVALID_OPTION = "invalid_option"
UNKNOWN = "unknown_parameter"
INVALID_MEDIA = "invalid_media"
INVALID_TYPE = "invalid_type"


def find(parameters: Sequence[Parameter], name: str) -> Parameter | None:
    """Return the parameter Lamina would take a supplied name for."""
    for attribute in ("key", "id", "name"):
        for parameter in parameters:
            if getattr(parameter, attribute) == name:
                return parameter
    return None


def address(parameters: Sequence[Parameter], parameter: Parameter) -> str:
    """Return the name to send a parameter's value under.

    The first of key, name and id that leads back to this very parameter. A parameter that every
    one of its names leads away from cannot be reached at all; it keeps its preferred name, and
    `check` then reports it as missing unless it has a default.
    """
    names = [name for name in (parameter.key, parameter.name, parameter.id) if name]
    for name in names:
        if find(parameters, name) is parameter:
            return name
    for name in names:  # the caller may hold an equal copy, parsed from the same schema another time
        if find(parameters, name) == parameter:
            return name
    return names[0] if names else ""


def check(
    parameters: Sequence[Parameter], inputs: Mapping[str, Any], *, numbers_are_text: bool = False
) -> tuple[InputProblem, ...]:
    """Return every problem Lamina would report for these inputs; none means they would be taken.

    A null counts as not supplied. Lamina's own checker may let numbers pass for text: that is for
    the stand-in to imitate, whoever fills a form should send strings.
    """
    problems: list[InputProblem] = []
    supplied: set[int] = set()
    for name, value in inputs.items():
        if value is None:
            continue
        parameter = find(parameters, name)
        if parameter is None:
            problems.append(InputProblem(name, UNKNOWN, f"No parameter is called {name}."))
            continue
        supplied.add(id(parameter))
        problems.extend(_value_problems(parameter, value, numbers_are_text=numbers_are_text))
    problems.extend(
        InputProblem(_label(parameter), MISSING, f"{_label(parameter)} has no default, so it needs a value.")
        for parameter in parameters
        if id(parameter) not in supplied and not parameter.has_default
    )
    return tuple(problems)


def _label(parameter: Parameter) -> str:
    return parameter.key or parameter.name or parameter.id or ""


def _value_problems(parameter: Parameter, value: Any, *, numbers_are_text: bool) -> Iterator[InputProblem]:
    if parameter.type == "text":
        if not isinstance(value, str) and not (numbers_are_text and isinstance(value, (bool, int, float))):
            yield InputProblem(_label(parameter), INVALID_TYPE, f"{_label(parameter)} takes text.")
    elif parameter.type == "options":
        for item in _items(value):
            if not _is_option(parameter, item):
                choices = ", ".join(parameter.options)
                yield InputProblem(_label(parameter), INVALID_OPTION, f"{_label(parameter)} must be one of: {choices}.")
    elif parameter.type == "url":
        for item in _items(value):
            if not _is_web_address(item):
                yield InputProblem(
                    _label(parameter), INVALID_MEDIA, f"{_label(parameter)} must be an http or https address."
                )
    # Of a type we do not know nothing can be said here; Lamina decides.


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _is_option(parameter: Parameter, item: Any) -> bool:
    """Whether the label is one of the options; a schema that lists none leaves the verdict to Lamina."""
    return isinstance(item, str) and (not parameter.options or item in parameter.options)


def _is_web_address(item: Any) -> bool:
    if not isinstance(item, str) or any(character.isspace() or ord(character) < 32 for character in item):
        return False
    try:
        parts = urlsplit(item)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
