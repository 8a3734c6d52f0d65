"""What an answer says of Lamina's limit: how much is left, until when, and how long to wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

DEFAULT_WAIT_SECONDS = 5.0


def read_remaining(headers: Mapping[str, str]) -> int | None:
    """Return how many requests Lamina says are left in this window."""
    try:
        return int(float(_header(headers, "RateLimit-Remaining") or ""))
    except (ValueError, OverflowError):
        return None


def read_reset(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return in how many seconds Lamina's window begins anew."""
    return _seconds(_header(headers, "RateLimit-Reset"), now=now)


def read_retry_after(headers: Mapping[str, str], body: Any, *, now: float | None = None) -> float:
    """Return how long a 429 asks to wait: its header, its body, the window's end, or a guess."""
    in_body = body.get("retryAfter") if isinstance(body, dict) else None
    for candidate in (_header(headers, "Retry-After"), in_body, _header(headers, "RateLimit-Reset")):
        seconds = _seconds(candidate, now=now)
        if seconds is not None:
            return seconds
    return DEFAULT_WAIT_SECONDS


def _header(headers: Mapping[str, str], name: str) -> str | None:
    lowered = {key.lower(): value for key, value in headers.items()}
    return lowered.get(name.lower(), lowered.get(f"x-{name.lower()}"))


def _seconds(value: Any, *, now: float | None) -> float | None:
    """Read a wait given in seconds, as an absolute Unix time, or as an HTTP date; never a negative one."""
    current = time.time() if now is None else now
    if value is None or isinstance(value, bool):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        try:
            seconds = parsedate_to_datetime(str(value)).timestamp() - current
        except (TypeError, ValueError, OverflowError):
            return None
    else:
        if seconds > 1_000_000_000:
            seconds -= current
    if seconds != seconds:  # not a number
        return None
    return min(max(seconds, 0.0), 3600.0)
