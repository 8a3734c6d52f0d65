"""The request limit: so many in a window, from one address or with one key."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """Where one caller stands in its window."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """Return the headers every answer of the API carries."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }
        return headers if self.allowed else headers | {"Retry-After": str(self.reset_seconds)}


class Windows:
    """Counts requests; a window opens with a caller's first request and is real time, never sped up."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[float, int]] = {}

    def take(self, caller: str, *, limit: int, window: float) -> Allowance:
        """Count one request of a caller; without a limit everything is allowed."""
        now = time.monotonic()
        opened, count = self._open.get(caller, (now, 0))
        if now - opened >= window:
            opened, count = now, 0
        count += 1
        self._open[caller] = (opened, count)
        reset = max(1, math.ceil(opened + window - now))
        if not limit:
            return Allowance(allowed=True, limit=1_000_000, remaining=1_000_000, reset_seconds=reset)
        return Allowance(allowed=count <= limit, limit=limit, remaining=max(0, limit - count), reset_seconds=reset)

    def forget(self) -> None:
        """Open all windows anew."""
        self._open.clear()
