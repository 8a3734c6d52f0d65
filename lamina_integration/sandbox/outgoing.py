"""Requests the stand-in makes itself: fetching inputs, posting deliveries."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

import httpx


def outgoing(**options: Any) -> httpx.AsyncClient:
    """Return a client that ignores proxies: what is called is on this machine more often than not."""
    return httpx.AsyncClient(trust_env=False, verify=_trusted(), **options)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Return the certificates to trust; reading them takes longer than most requests here."""
    return httpx.create_ssl_context(trust_env=False)
