"""The answers that say no, in the API's current error body."""

from __future__ import annotations

from typing import Any

RETRYABLE = frozenset({"AUTH_FAILED", "RATE_LIMITED", "RESOURCE_UNAVAILABLE", "INTERNAL_ERROR"})


class Refusal(Exception):
    """Ends a request with an error body."""

    def __init__(
        self,
        *,
        status: int,
        code: str | None,
        message: str,
        details: Any = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.retry_after = retry_after
        self.headers = headers or {}

    def body(self, *, request_id: str) -> dict[str, Any]:
        """Return the error object; without a code it is the bare one of older servers."""
        if self.code is None:
            return {"error": self.message}
        body: dict[str, Any] = {"error": self.message, "code": self.code, "retryable": self.code in RETRYABLE}
        if self.retry_after is not None:
            body["retryAfter"] = self.retry_after
        if self.details is not None:
            body["details"] = self.details
        return body | {"requestId": request_id}


class ConnectionCut(Exception):
    """Ends a request by cutting its connection, without a byte of an answer."""


def not_found(what: str) -> Refusal:
    """Return the refusal for something that is not there, or not for this key."""
    return Refusal(status=404, code="NOT_FOUND", message=f"{what} not found")


def invalid(message: str, *details: dict[str, Any]) -> Refusal:
    """Return the refusal for a body or query that does not fit."""
    return Refusal(status=400, code="VALIDATION_ERROR", message=message, details=list(details))


def problem(param: str, code: str, message: str) -> dict[str, str]:
    """Return one entry of a refusal's details."""
    return {"param": param, "code": code, "message": message}
