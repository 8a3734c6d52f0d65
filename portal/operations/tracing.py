"""One id through a request, the tasks it nudged and the calls they make, on every log line.

Production writes a JSON object a line, development plain lines. Lines are events with ids: whatever
looks like a key, a token in an Authorization header or a callback address is taken out before it is
written, because a library's message may hold one. Imported by the logging configuration, before
Django is ready: nothing of ours may be imported here but the ids.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun
from django.http import HttpRequest, HttpResponseBase

from portal import trace

HEADER = "X-Request-Id"
TASK_HEADER = "portal_request_id"
GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
# What a message names itself, as a field of its own in JSON.
FIELDS = {
    "run": re.compile(r"\brun=(R-[0-9A-Z]{4}-[0-9A-Z]{4})\b"),
    "lamina_request": re.compile(r"\blamina_request=(\w[\w.-]{0,99})"),
}
# Each with what a text holds, in small letters, that is worth looking through.
SECRETS = [
    ("lma_", re.compile(r"\blma_\w+"), "lma_…"),
    ("bearer", re.compile(r"(?i)\bbearer\s+[^\s'\",]+"), "Bearer …"),
    ("/hooks/", re.compile(r"/hooks/lamina/[^/\s'\"]+"), "/hooks/lamina/…"),
    ("://", re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:…@"),
]


def request_id_middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """Give each request an id, the proxy's own if it sent one, and say it in the answer."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        own = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = own  # type: ignore[attr-defined]
        token = trace.begin({"request_id": own})
        try:
            response = get_response(request)
        finally:
            trace.end(token)
        response[HEADER] = own
        return response

    return middleware


def connect() -> None:
    """Hand the id on with every task, and take it up where the task runs."""
    before_task_publish.connect(hand_on, dispatch_uid="portal.operations.tracing.hand_on")
    task_prerun.connect(take_up, dispatch_uid="portal.operations.tracing.take_up")
    task_postrun.connect(put_down, dispatch_uid="portal.operations.tracing.put_down")


def hand_on(headers: dict[str, Any] | None = None, **_others: Any) -> None:
    """Put the id of what is going on into a task that leaves."""
    if headers is not None and (own := trace.request_id()):
        headers[TASK_HEADER] = own


def take_up(task_id: str = "", task: Any = None, **_others: Any) -> None:
    """Let the lines of a task carry its own id, and that of the request it came from."""
    own = {"task_id": task_id, "task": task.name if task else ""}
    if came_from := getattr(task.request, TASK_HEADER, None) if task else None:
        own["request_id"] = str(came_from)
    trace.begin(own)


def put_down(**_others: Any) -> None:
    """Forget the task that has ended."""
    trace.begin({})


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret taken out."""
    small = text.lower()
    for mark, pattern, instead in SECRETS:
        if mark in small:
            text = pattern.sub(instead, text)
    return text


def ids_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the ids a line belongs to; what Django says after a request was answered names the request."""
    known = dict(trace.current())
    asked = getattr(getattr(record, "request", None), "request_id", None)
    return {"request_id": str(asked), **known} if asked else known


class JsonFormatter(logging.Formatter):
    """A line as one JSON object, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = without_secrets(record.getMessage())
        line = {
            "at": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            **ids_of(record),
        }
        line |= {name: named[1] for name, pattern in FIELDS.items() if (named := pattern.search(message))}
        if record.exc_info:
            line["traceback"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line)


class LineFormatter(logging.Formatter):
    """A plain line with the ids at its end, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it."""
        text, newline, rest = super().format(record).partition("\n")
        known = ids_of(record).items()
        told = "".join(f" {name}={value}" for name, value in known if name != "task" and f"{name}={value}" not in text)
        return without_secrets(text + told + newline + rest)
