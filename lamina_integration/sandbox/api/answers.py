"""Envelopes and queries, the same for every group of operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse


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


def clamped(number: float | None, otherwise: int, most: int) -> int:
    """Return a figure of a body, brought within 1 and the most there may be; without one what is usual."""
    return max(1, min(most, otherwise if number is None else int(number)))
