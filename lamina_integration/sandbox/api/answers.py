"""Envelopes and queries, the same for every group of operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse

from lamina_integration.sandbox.refusals import invalid, problem


def data(payload: Any, *, status: int = 200) -> JSONResponse:
    """Return a payload in its envelope."""
    return JSONResponse({"data": payload}, status_code=status)


T = TypeVar("T")


def page(items: Sequence[T], request: Request, show: Callable[[T], Any]) -> JSONResponse:
    """Return the slice of a list that a query asks for, with its place in the whole; only the slice is shown."""
    limit = whole_number(request, "limit", default=25, low=1, high=100)
    offset = whole_number(request, "offset", default=0, low=0, high=10**9)
    pagination = {"total": len(items), "limit": limit, "offset": offset}
    return JSONResponse({"data": [show(item) for item in items[offset : offset + limit]], "pagination": pagination})


def whole_number(request: Request, name: str, *, default: int, low: int, high: int) -> int:
    """Return a number of the query, brought within its bounds; what is no number counts as not sent."""
    text = request.query_params.get(name, "")
    number = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else default
    return max(low, min(high, number))


def whole_number_of(body: dict[str, Any], name: str, *, default: int) -> int:
    """Return a number of the body; refuse what is not one."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("Invalid request", problem(name, "invalid_type", f"{name} must be a whole number."))
    return value
