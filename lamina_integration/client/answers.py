"""Tell what an answer means: its payload, or the error that says what to do next.

The one place that knows status codes, the envelope and the shapes of error bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lamina_integration.client.calls import Call
from lamina_integration.client.rate_limit import read_retry_after
from lamina_integration.errors import (
    InputProblem,
    LaminaAuthError,
    LaminaForbidden,
    LaminaInsufficientCredits,
    LaminaInvalidInputs,
    LaminaNotFound,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
)
from lamina_integration.storable import loads
from lamina_integration.wire import Page

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

MAX_ANSWER_BYTES = 16 * 1024 * 1024
NO_CREDITS = "insufficient credits"
# Older servers name the parameter inside a sentence: "Location": invalid option ...
_QUOTED_NAME = re.compile(r'^"(?P<param>.+?)":\s*(?P<message>.+)$', re.DOTALL)


class UnreadableAnswer(Exception):
    """The payload is not what this endpoint answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body, or raise ValueError; an empty one is null."""
        try:
            return loads(self.content) if self.content.strip() else None
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    def excerpt(self) -> str:
        """Return the beginning of the body as text for a message."""
        return " ".join(self.content[:400].decode("utf-8", "replace").split())[:200]


def interpret(call: Call[T], answer: Answer) -> T:
    """Return what the endpoint answered, or raise the error its answer stands for."""
    if call.upload is not None:
        _check_upload(answer)
        return call.read(None)
    if 200 <= answer.status_code < 300:
        return _read(call, answer)
    raise _error(answer)


def request_id_of(answer: Answer, body: Any = None) -> str | None:
    """Return the id Lamina gave the request."""
    in_body = body.get("requestId") if isinstance(body, dict) else None
    return answer.headers.get("x-request-id") or (in_body if isinstance(in_body, str) else None)


def _read(call: Call[T], answer: Answer) -> T:
    try:
        return call.read(answer.json())
    except (ValueError, UnreadableAnswer) as error:  # pydantic's ValidationError is a ValueError
        raise LaminaUnreachable(
            f"Lamina's answer to {call.method} {call.path} could not be read",
            maybe_sent=True,
            request_id=request_id_of(answer),
            status_code=answer.status_code,
        ) from error


def _check_upload(answer: Answer) -> None:
    if 200 <= answer.status_code < 300:
        return
    message = f"The upload was answered {answer.status_code}: {answer.excerpt()}"
    if 400 <= answer.status_code < 500:
        raise LaminaResponseError(message, status_code=answer.status_code, code="UPLOAD_REFUSED")
    raise LaminaUnreachable(message, maybe_sent=True, status_code=answer.status_code)


def _error(answer: Answer) -> LaminaUnreachable | LaminaResponseError:
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    status = answer.status_code
    message = _message(said, answer)
    request_id = request_id_of(answer, body)
    facts: dict[str, Any] = {
        "status_code": status,
        "code": said["code"] if isinstance(said.get("code"), str) else None,
        "request_id": request_id,
        "retryable": said.get("retryable") is True,
    }
    if status == 402 or NO_CREDITS in message.lower():
        return LaminaInsufficientCredits(message, **facts)
    if status == 429:
        facts |= {"code": facts["code"] or "RATE_LIMITED", "retryable": True}
        return LaminaRateLimited(message, retry_after=read_retry_after(answer.headers, body), **facts)
    if not 400 <= status < 500:
        return LaminaUnreachable(message, maybe_sent=True, request_id=request_id, status_code=status)
    if status == 401:
        return LaminaAuthError(message, **facts)
    if status == 403:
        return LaminaForbidden(message, **facts)
    if status == 404:
        return LaminaNotFound(message, **facts)
    if status in (400, 422):
        return LaminaInvalidInputs(message, problems=tuple(_problems(said.get("details"))), **facts)
    return LaminaResponseError(message, **facts)


def _message(said: Mapping[str, Any], answer: Answer) -> str:
    for name in ("error", "message"):
        if isinstance(said.get(name), str) and said[name]:
            return str(said[name])
    return answer.excerpt() or f"Lamina answered {answer.status_code}"


def _problems(details: Any) -> Iterator[InputProblem]:
    """Read what is wrong, in any of the three shapes: sentences, objects, or an object around objects."""
    if isinstance(details, dict):
        inner = details.get("details")
        errors = inner.get("errors") if isinstance(inner, dict) else details.get("errors")
        details = errors if isinstance(errors, list) else [details]
    if not isinstance(details, list):
        return
    for detail in details:
        if isinstance(detail, str):
            yield _problem_from_sentence(detail)
        elif isinstance(detail, dict):
            yield _problem_from_object(detail)


def _problem_from_sentence(sentence: str) -> InputProblem:
    named = _QUOTED_NAME.match(sentence)
    if named is None:
        return InputProblem("", "invalid", sentence)
    return InputProblem(named["param"], "invalid", named["message"])


def _problem_from_object(detail: Mapping[str, Any]) -> InputProblem:
    param = next((detail[name] for name in ("param", "field") if isinstance(detail.get(name), str)), "")
    code = next((detail[name] for name in ("code", "error") if isinstance(detail.get(name), str)), "invalid")
    message = detail.get("message")
    if not isinstance(message, str) or not message:
        message = _sentence(code, detail)
    return InputProblem(param, code, message)


def _sentence(code: str, detail: Mapping[str, Any]) -> str:
    sentence = code.replace("_", " ").capitalize()
    if isinstance(detail.get("allowed"), list):
        sentence += ": one of " + ", ".join(map(str, detail["allowed"]))
    elif isinstance(detail.get("range"), list):
        sentence += ": between " + " and ".join(map(str, detail["range"]))
    return sentence + "."


def data_of(payload: Any) -> Any:
    """Return what is inside the envelope."""
    if not isinstance(payload, dict) or "data" not in payload:
        raise UnreadableAnswer("no data member")
    return payload["data"]


def raw_object(payload: Any) -> dict[str, Any]:
    """Return the object inside the envelope, untouched."""
    data = data_of(payload)
    if not isinstance(data, dict):
        raise UnreadableAnswer("data is not an object")
    return data


def one(model: type[M]) -> Callable[[Any], M]:
    """Read one object out of the envelope."""
    return lambda payload: model.model_validate(raw_object(payload))


def many(model: type[M], *, inside: str | None = None, envelope: str = "data") -> Callable[[Any], tuple[M, ...]]:
    """Read a list out of the envelope, or out of a member of the object there."""

    def read(payload: Any) -> tuple[M, ...]:
        if not isinstance(payload, dict):
            raise UnreadableAnswer("not an object")
        items = payload.get(envelope)
        if inside is not None:
            items = items.get(inside) if isinstance(items, dict) else None
        if not isinstance(items, list):
            raise UnreadableAnswer("no list")
        return tuple(_readable(model, items))

    return read


def page(model: type[M]) -> Callable[[Any], Page[M]]:
    """Read a list and the pagination beside it; figures that are missing are those of the list itself."""

    def read(payload: Any) -> Page[M]:
        items = many(model)(payload)
        about = payload.get("pagination") if isinstance(payload.get("pagination"), dict) else {}

        def figure(name: str, otherwise: int) -> int:
            value = about.get(name)
            return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else otherwise

        return Page(
            items=items,
            total=figure("total", len(items)),
            limit=figure("limit", len(items)),
            offset=figure("offset", 0),
            is_total_known=figure("total", -1) >= 0,
        )

    return read


def _readable(model: type[M], items: list[Any]) -> Iterator[M]:
    """Yield what can be read: one odd entry must not hide the entries beside it."""
    for item in items:
        try:
            yield model.model_validate(item)
        except ValidationError:
            continue
