"""What Lamina's answers say of its limit is read in every way it may be written."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from lamina_integration.client.rate_limit import read_remaining, read_reset, read_retry_after

NOW = 1_780_390_898.0


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "37", "RateLimit-Reset": "5"}, {"retryAfter": 9}, 37),
        ({"RateLimit-Reset": "5"}, {"retryAfter": 9}, 9),
        ({"RateLimit-Reset": "5"}, None, 5),
        ({}, "Too many requests from this IP, please try again in a minute", 5),
        ({"retry-after": "0"}, None, 0),
        ({"X-RateLimit-Reset": str(int(NOW) + 12)}, None, 12),
        ({"Retry-After": format_datetime(datetime.fromtimestamp(NOW + 30, UTC), usegmt=True)}, None, 30),
        ({"Retry-After": "soon", "RateLimit-Reset": "nan"}, {"retryAfter": True}, 5),
        ({"Retry-After": "-3"}, None, 0),
        ({"Retry-After": "99999999"}, None, 3600),
        ({"Retry-After": "1.5"}, None, 1.5),
    ],
)
def test_the_wait_of_a_429_is_worked_out_in_order_c18(headers: dict[str, str], body: Any, seconds: float) -> None:
    assert read_retry_after(headers, body, now=NOW) == pytest.approx(seconds, abs=1)


def test_rate_limit_headers_are_read_with_and_without_prefix() -> None:
    assert read_remaining({"ratelimit-remaining": "3"}) == 3
    assert read_remaining({"X-RateLimit-Remaining": "0"}) == 0
    assert read_remaining({"RateLimit-Remaining": "many"}) is None
    assert read_remaining({}) is None
    assert read_reset({"X-RateLimit-Reset": "41"}) == 41
    assert read_reset({}) is None
