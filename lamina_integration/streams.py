"""Read a run's server-sent events: bytes in, events out.

Pure, and fed piece by piece, so that any client can use it. What a run's events mean is here too:
the payload is the bare run (or, tolerated, one inside `data`), a ping means nothing but life, and
`error` is also how a cancelled run ends, so the run's own status decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from lamina_integration.wire import RemoteRun

MAX_EVENT_BYTES = 16 * 1024 * 1024


class StreamTooLong(Exception):
    """One event is longer than anybody should read."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its name and its text."""

    name: str
    data: str


@dataclass(slots=True)
class EventReader:
    """Makes events of bytes, however they are cut into pieces."""

    _pending: bytes = b""
    _name: str = ""
    _lines: list[str] = field(default_factory=list)
    _size: int = 0

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """Give the events that are complete with this piece."""
        self._pending += piece.replace(b"\x00", b"")
        if len(self._pending) + self._size > MAX_EVENT_BYTES:
            raise StreamTooLong
        # A carriage return at the very end may be half of a line's end.
        whole = self._pending[:-1] if self._pending.endswith(b"\r") else self._pending
        lines = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._pending = lines.pop() + self._pending[len(whole) :]
        for line in lines:
            event = self._read_line(line.decode("utf-8", "replace").removeprefix("\ufeff"))
            if event is not None:
                yield event

    def _read_line(self, line: str) -> ServerEvent | None:
        if not line:
            event = ServerEvent(self._name or "message", "\n".join(self._lines)) if self._lines else None
            self._name, self._lines, self._size = "", [], 0
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._lines.append(value)
            self._size += len(value)
        return None  # comments, ids and retry times are of no use here


def run_of(event: ServerEvent) -> RemoteRun | None:
    """Return the run an event tells of; None for pings, timeouts and what cannot be read."""
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError):
        return None
    if isinstance(payload, dict) and isinstance(payload.get("data"), dict):
        payload = payload["data"]
    try:
        return RemoteRun.model_validate(payload)
    except ValidationError:
        return None
