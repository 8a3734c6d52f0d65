"""What both clients do around a request: build it, name its failures, retry reads, log it."""

from __future__ import annotations

import logging
import math
import ssl
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import httpx

from lamina_integration.client.answers import Answer, request_id_of
from lamina_integration.client.calls import Call, Upload
from lamina_integration.errors import LaminaError, LaminaUnreachable

logger = logging.getLogger("lamina_integration.client")
# httpx logs whole addresses, and ours carry callback tokens and pre-signed uploads.
logging.getLogger("httpx").setLevel(logging.WARNING)
# stamina's line says neither which request it is nor for how long, and without a handler it goes to stderr as it is.
logging.getLogger("stamina").setLevel(logging.ERROR)

TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=5.0)
# A connection that has idled longer may be closing at the far end: a start sent into it would have an unknown outcome.
LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=2.0)
# A proxy from the environment is meant for the way out, never for a server on this machine.
DIRECT: dict[str, None] = {"all://127.0.0.1": None, "all://localhost": None, "all://[::1]": None}
# Three tries of a read, a fraction of a second and then about a second apart.
RETRY: dict[str, Any] = {
    "attempts": 3,
    "timeout": 20.0,
    "wait_initial": 0.3,
    "wait_max": 2.0,
    "wait_jitter": 0.5,
    "wait_exp_base": 3,
}
# What is left of the rate was counted when a request came in: after a long poll that is no news.
FRESH_MILLISECONDS = 2000
CHUNK_BYTES = 64 * 1024
# Each piece of an answer may take as long as a read may; all of them together no longer than so many times that.
WHOLE_ANSWER_TIMES = 2
# A stream is silent for about fifteen seconds between two pings.
STREAM_SILENCE_SECONDS = 45.0

NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
TRANSPORT_FAILURES = (httpx.HTTPError, httpx.InvalidURL)


def limits(connections: int) -> httpx.Limits:
    """Return the usual limits with so many connections at once: each open stream has one."""
    return httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=LIMITS.max_keepalive_connections,
        keepalive_expiry=LIMITS.keepalive_expiry,
    )


@cache
def tls_context() -> ssl.SSLContext:
    """Return the one TLS context of this process; loading the authorities takes time and memory."""
    return httpx.create_ssl_context()


def request_arguments(call: Call[Any], *, base_url: str, api_key: str, timeout: httpx.Timeout) -> dict[str, Any]:
    """Return what httpx needs for a call; only requests to the API itself carry the key."""
    if call.upload is not None:
        headers = {"Content-Type": call.upload.content_type, "Content-Length": str(call.upload.size)}
        return {"method": call.method, "url": call.upload.url, "headers": headers, "timeout": timeout}
    if call.patience_seconds is not None:
        timeout = httpx.Timeout(
            connect=timeout.connect, read=call.patience_seconds, write=timeout.write, pool=timeout.pool
        )
    arguments = {
        "method": call.method,
        "url": base_url + call.path,
        "params": call.query or None,
        "headers": {"x-api-key": api_key, "Accept": "application/json"},
        "timeout": timeout,
    }
    return arguments if call.body is None else {**arguments, "json": call.body}


def stream_arguments(call: Call[Any], *, base_url: str, api_key: str, timeout: httpx.Timeout) -> dict[str, Any]:
    """Return what httpx needs to open an event stream."""
    arguments = request_arguments(
        replace(call, patience_seconds=STREAM_SILENCE_SECONDS), base_url=base_url, api_key=api_key, timeout=timeout
    )
    arguments["headers"]["Accept"] = "text/event-stream"
    return arguments


def chunks(upload: Upload) -> Iterator[bytes]:
    """Yield exactly the announced bytes of a file; raise ValueError when it holds fewer."""
    left = upload.size
    while left:
        chunk = upload.stream.read(min(CHUNK_BYTES, left))
        if not chunk:
            raise ValueError(f"the file ended {left} bytes before its announced size")
        left -= len(chunk)
        yield chunk


def unreachable(call: Call[Any], failure: Exception) -> LaminaUnreachable:
    """Name a failure of the connection, saying whether Lamina may have heard us."""
    maybe_sent = not isinstance(failure, NEVER_LEFT)
    return LaminaUnreachable(f"No answer to {call.method} {call.path}: {type(failure).__name__}", maybe_sent=maybe_sent)


def answer_seconds(call: Call[Any], timeout: httpx.Timeout) -> float:
    """Return how long an answer may take from its head to its end: one that drips would never come to it."""
    return max(WHOLE_ANSWER_TIMES * (timeout.read or math.inf), call.patience_seconds or 0.0)


def too_slow(call: Call[Any], answer: Answer) -> LaminaUnreachable:
    """Name an answer nobody should wait for any longer."""
    return LaminaUnreachable(
        f"The answer to {call.method} {call.path} does not come to its end",
        maybe_sent=True,
        request_id=request_id_of(answer),
        status_code=answer.status_code,
    )


def too_long(call: Call[Any], answer: Answer) -> LaminaUnreachable:
    """Name an answer nobody should read to its end."""
    return LaminaUnreachable(
        f"The answer to {call.method} {call.path} is too long",
        maybe_sent=True,
        request_id=request_id_of(answer),
        status_code=answer.status_code,
    )


def is_worth_retrying(error: Exception) -> bool:
    """Whether a read may do better in a moment; a 429 is for the caller, who knows how long it can wait."""
    return isinstance(error, LaminaUnreachable)


def log_answer(call: Call[Any], answer: Answer, *, run_id: str | None, milliseconds: float) -> None:
    """Write the one line an answered request leaves."""
    logger.info(
        "lamina %s %s %d %d ms lamina_request=%s lamina_run=%s",
        call.method,
        call.path,
        answer.status_code,
        milliseconds,
        request_id_of(answer) or "-",
        run_id or "-",
    )


def log_retry(call: Call[Any], *, tries: int, seconds: float) -> None:
    """Write the line that says when a read is tried again; a little may be added to the wait at random."""
    if tries < RETRY["attempts"]:
        logger.info("lamina %s %s again in %.1f s, after try %d", call.method, call.path, seconds, tries)


def log_failure(call: Call[Any], error: LaminaError, *, milliseconds: float) -> None:
    """Write the one line an unanswered request leaves."""
    logger.warning(
        "lamina %s %s unanswered %d ms lamina_run=%s: %s",
        call.method,
        call.path,
        milliseconds,
        call.run_id or "-",
        error,
    )
