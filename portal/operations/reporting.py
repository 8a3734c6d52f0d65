"""Errors reported to Sentry: what broke and where, never what people or Lamina wrote, and no key.

Told before the settings are complete, so that nothing here needs them: a fault while starting is
reported, too.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

# A key of Lamina's, the unguessable part of a callback's address, and whatever follows a question mark in an address.
SECRETS = [
    (re.compile(r"lma_[A-Za-z0-9_-]+"), "[key]"),
    (re.compile(r"(/hooks/lamina/)[\w-]+"), r"\1[token]"),
    (re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+"), r"\1?[query]"),
    (re.compile(r"(://)[^\s/:@]+:[^\s/@]+@"), r"\1[password]@"),
    # Postgres names the value that is there twice.
    (re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+"), "[email]"),
]
DROPPED = ("data", "cookies", "headers", "query_string", "env")


def report_errors(
    dsn: str, *, environment: str, release: str = "", transport: Callable[..., Any] | None = None
) -> None:
    """Report errors of this process, web or worker, from now on; one that is not configured reports nothing."""
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.httpx import HttpxIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release or None,
        transport=transport,
        # Only these: others add what they see, as Redis' does with its keys, which name sessions and addresses.
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration(cache_spans=False), CeleryIntegration(), HttpxIntegration()],
        # What is on the stack may be a key or somebody's words.
        include_local_variables=False,
        max_request_body_size="never",
        # Who it happened to is not sent either: that is off unless it is asked for.
        traces_sample_rate=None,
        before_send=scrubbed,
        before_breadcrumb=scrubbed_crumb,
    )


def scrubbed(event: Any, hint: Any = None) -> Any:
    """Return an event without bodies, headers and addresses' secrets."""
    request = event.get("request")
    if request:
        event["request"] = {name: value for name, value in request.items() if name not in DROPPED}
        if "url" in request:
            event["request"]["url"] = _clean(str(request["url"]).partition("?")[0])
    event.pop("user", None)
    extra = event.get("extra") or {}
    extra.pop("sys.argv", None)
    return _clean(event)


def scrubbed_crumb(crumb: Any, hint: Any = None) -> Any:
    """Return what happened before an error, without the secrets of the addresses that were called."""
    data = crumb.get("data") or {}
    for name in ("http.query", "http.fragment"):
        data.pop(name, None)
    if "url" in data:
        parts = urlsplit(str(data["url"]))
        data["url"] = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    return _clean(crumb)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        for pattern, instead in SECRETS:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, dict):
        return {name: _clean(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
