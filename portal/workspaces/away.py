"""What this process knows of a Redis that does not answer, so that not everybody waits to find out.

Who waited for it in vain notes it here. From then on the cache, messages to workers and notes of open
pages do without Redis at once, while a thread asks until it answers again: a page pays for one timeout
at most, and the pages after it for none. What uses Redis has to have something to fall back on.
"""

import logging
import threading
import time

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
ASK_AGAIN_SECONDS = 1.0
TELL_AGAIN_SECONDS = 60.0

_asking: threading.Thread | None = None
_lock = threading.Lock()
_refusal_told_at: float | None = None


def is_known() -> bool:
    """Return whether Redis did not answer lately, and has not since."""
    # A thread ends with the process it is in: a worker's child does not inherit what its parent met.
    return _asking is not None and _asking.is_alive()


def note(error: Exception) -> None:
    """Take note that Redis gave no answer, and begin to ask it."""
    global _asking
    with _lock:
        if is_known():
            return
        logger.warning("redis is away error=%s", error)
        _asking = threading.Thread(target=_ask, name="redis-away", daemon=True)
        _asking.start()


def note_refusal(error: Exception) -> None:
    """Take note that Redis answered and did not do it: it is full or read-only. Said once in a while, not each time."""
    global _refusal_told_at
    now = time.monotonic()
    if _refusal_told_at is None or now - _refusal_told_at > TELL_AGAIN_SECONDS:
        _refusal_told_at = now
        logger.error("redis refuses error=%s", error)


def _ask() -> None:
    """Return once Redis answers."""
    began = time.monotonic()
    while not _answers():
        time.sleep(ASK_AGAIN_SECONDS)
    logger.info("redis is back after_seconds=%.1f", time.monotonic() - began)


def _answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=PATIENCE_SECONDS,
            socket_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ) as connection:
            return bool(connection.ping())
    except RedisError:
        return False
