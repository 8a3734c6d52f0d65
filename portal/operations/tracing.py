"""One id through a request, the tasks it nudged and the calls they make, on every log line.

Production writes a JSON object a line, development plain lines. Lines are events with ids: whatever
looks like a key, a token in an Authorization header or a callback address is taken out before it is
written, because a library's message may hold one. Imported by the logging configuration, before
Django is ready: nothing of ours may be imported here.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun
from django.http import HttpRequest, HttpResponseBase

HEADER = "X-Request-Id"
TASK_HEADER = "portal_request_id"
GIVEN_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
RUN = re.compile(r"\brun=(R-[0-9A-Z]{4}-[0-9A-Z]{4})\b")
SECRETS = [
    (re.compile(r"\blma_\w+"), "lma_…"),
    (re.compile(r"(?i)\bbearer\s+[^\s'\",]+"), "Bearer …"),
    (re.compile(r"/hooks/lamina/[^/\s'\"]+"), "/hooks/lamina/…"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:…@"),
]

_ids: ContextVar[dict[str, str]] = ContextVar("ids")


def request_id_middleware(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Any:
    """Give each request an id, the proxy's own if it sent one, and say it in the answer."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        own = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = own  # type: ignore[attr-defined]
        token = _ids.set({"request_id": own})
        try:
            response = get_response(request)
        finally:
            _ids.reset(token)
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
    if headers is not None and (own := _ids.get({}).get("request_id")):
        headers[TASK_HEADER] = own


def take_up(task_id: str = "", task: Any = None, **_others: Any) -> None:
    """Let the lines of a task carry its own id, and that of the request it came from."""
    ids = {"task_id": task_id, "task": task.name if task else ""}
    if came_from := getattr(task.request, TASK_HEADER, None) if task else None:
        ids["request_id"] = str(came_from)
    _ids.set(ids)


def put_down(**_others: Any) -> None:
    """Forget the task that has ended."""
    _ids.set({})


def without_secrets(text: str) -> str:
    """Return a text with what looks like a secret taken out."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def ids_of(record: logging.LogRecord) -> dict[str, str]:
    """Return the ids a line belongs to; what Django says after a request was answered names the request."""
    ids = dict(_ids.get({}))
    asked = getattr(getattr(record, "request", None), "request_id", None)
    return {"request_id": str(asked), **ids} if asked else ids


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
        if run := RUN.search(message):
            line["run"] = run[1]
        if record.exc_info:
            line["traceback"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line)


class LineFormatter(logging.Formatter):
    """A plain line with the ids at its end, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it."""
        text, newline, rest = super().format(record).partition("\n")
        ids = "".join(f" {name}={value}" for name, value in ids_of(record).items() if name != "task")
        return without_secrets(text + ids + newline + rest)
