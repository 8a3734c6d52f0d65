"""How any of Lamina's JSON is read: the frozen base of all its shapes, and members that forgive.

A member of the wrong kind counts as absent. Whoever adds a shape uses these for its members.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

T = TypeVar("T")


class Wire(BaseModel):
    """A frozen value read from a JSON object whose members are in camelCase."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        # Most processes read a handful of these models; the others cost nothing until they are read.
        defer_build=True,
    )


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return ""


def maybe_text(value: Any) -> str | None:
    return text(value) or None


def _flag(value: Any) -> bool:
    return value is True


def _maybe_flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _label(value: Any) -> str | None:
    """Read one label: a string as it is, of an object its label."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("label", "description", "value") if value.get(name) is not None), None)
    return None if value is None or isinstance(value, (list, dict)) else _scalar_label(value)


def _scalar_label(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _labels(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(label for label in map(_label, value) if label is not None)


def objects(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(item for item in value if isinstance(item, (dict, BaseModel)))


def _object(value: Any) -> Any:
    return value if isinstance(value, (dict, BaseModel)) else None


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


Text = Annotated[str, BeforeValidator(text)]
MaybeText = Annotated[str | None, BeforeValidator(maybe_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
MaybeFlag = Annotated[bool | None, BeforeValidator(_maybe_flag)]
Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(whole)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Labels = Annotated[tuple[str, ...], BeforeValidator(_labels)]
Mapping = Annotated[dict[str, Any], BeforeValidator(mapping)]
OBJECTS = BeforeValidator(objects)
OBJECT = BeforeValidator(_object)
Id = Annotated[str, BeforeValidator(text), Field(min_length=1)]


def before(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Rearrange an object's members before they are read; anything but an object is left to fail."""

    def rearrange(cls: type, data: Any) -> Any:
        return function(data) if isinstance(data, dict) else data

    method: Any = classmethod(rearrange)
    return model_validator(mode="before")(method)


def first_of(data: dict[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) not in (None, "")), None)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and where it stands in the whole.

    `is_total_known` is False where Lamina did not say how many there are: the total is then what could be read.
    """

    items: tuple[T, ...]
    total: int
    limit: int
    offset: int
    is_total_known: bool = True
