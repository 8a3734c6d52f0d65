"""The ids that log lines carry: of the request, of the task, and of the run that is being worked on.

Any room may say which run it is about; operations.tracing begins and ends the rest and writes the
lines. The logging configuration imports this before Django is ready: the standard library alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Protocol

Ids = Mapping[str, str]

_ids: ContextVar[Ids] = ContextVar("ids", default=MappingProxyType({}))


class Traced(Protocol):
    """A run: what people call it, and the id of the request that made it, empty where there was none."""

    reference: str
    request_id: str


def current() -> Ids:
    """Return the ids of what is going on."""
    return _ids.get()


def request_id() -> str:
    """Return the id of the request that led here; empty where none did."""
    return current().get("request_id", "")


def begin(ids: Ids) -> "Token[Ids]":
    """Let lines carry these ids from now on."""
    return _ids.set(ids)


def end(token: "Token[Ids]") -> None:
    """Let lines carry the ids they carried before."""
    _ids.reset(token)


@contextmanager
def about(run: Traced) -> Iterator[None]:
    """Let the lines of a block be about a run, under the id of the click that made it.

    So one id leads from the click to its end, whatever brought us here: the sweep, which has no request,
    or Lamina's delivery, whose own is kept as `via_request_id`.
    """
    ids = {**current(), "run": run.reference}
    if run.request_id:
        came_by = ids.get("request_id", run.request_id)
        ids["request_id"] = run.request_id
        if came_by != run.request_id:
            ids["via_request_id"] = came_by
    token = begin(ids)
    try:
        yield
    finally:
        end(token)
