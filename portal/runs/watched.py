"""Which runs somebody looks at right now, and which of those are streamed: a note in Redis, gone in seconds.

An open page leaves it with every poll. One worker reads it (see live); whoever holds its post renews it
every second, so that a killed one is followed by another soon. Without Redis nobody watches, and runs
are followed as those are that nobody looks at.
"""

import logging
import os
import socket
import uuid
from collections.abc import Iterable

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from portal.workspaces import away

logger = logging.getLogger(__name__)

PREFIX = settings.CACHES["default"]["KEY_PREFIX"]
WATCHED, STREAMED, POST, ASKED = (f"{PREFIX}:live:{name}" for name in ("watched", "streamed", "post", "asked"))
POST_MILLISECONDS = 10_000
STREAMED_SECONDS = 5
MOST = 1000

# KEYS: watched, post, asked. ARGV: the run, for how many seconds. Answers whether somebody should be woken.
NOTE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], 60)
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
return redis.call('SET', KEYS[3], '1', 'NX', 'EX', 3) and 1 or 0
"""

# KEYS: watched, post, streamed. ARGV: who asks, how long the post is held (ms), how long a stream counts, how many
# runs at most, the runs streamed. Answers the runs that are watched, or nothing when somebody else has the post.
LOOK = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return false
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[3])
for n = 5, #ARGV do
  redis.call('SADD', KEYS[3], ARGV[n])
end
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1])
return redis.call('ZRANGE', KEYS[1], 0, ARGV[4] - 1)
"""

# KEYS: post, streamed. ARGV: who leaves.
LEAVE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1], KEYS[2])
end
"""

_redis = redis.Redis.from_url(
    settings.REDIS_URL,
    socket_connect_timeout=1,
    socket_timeout=1,
    retry=Retry(NoBackoff(), 0),
    decode_responses=True,
)
_note, _look, _leave = (_redis.register_script(script) for script in (NOTE, LOOK, LEAVE))


def note(run_id: uuid.UUID, *, seconds: float) -> bool:
    """Note that somebody looks at a run; returns whether nobody is awake to stream it."""
    if away.is_known():
        return False
    try:
        return bool(_note(keys=[WATCHED, POST, ASKED], args=[str(run_id), round(seconds)]))
    except RedisError as error:
        away.note(error)
        return False


def watched() -> set[uuid.UUID]:
    """Return the runs somebody looks at."""
    try:
        now = int(_redis.time()[0])
        return {uuid.UUID(str(each)) for each in _redis.zrangebyscore(WATCHED, now, "+inf", start=0, num=MOST)}
    except RedisError:
        return set()


def streamed() -> set[uuid.UUID]:
    """Return the runs whose news comes by itself."""
    try:
        return {uuid.UUID(str(each)) for each in _redis.smembers(STREAMED)}
    except RedisError:
        return set()


def take_post() -> str | None:
    """Take the one post of whoever streams; None when somebody has it, or nobody watches anything. May raise."""
    # The pid of a worker's process, and of the one that ended its life when it is told to stop.
    mine = f"{socket.gethostname()}|{os.getpid()}|{os.getppid()}|{uuid.uuid4().hex}"
    if not watched() or not _redis.set(POST, mine, nx=True, px=POST_MILLISECONDS):
        return None
    return mine


def look(mine: str, streams: Iterable[uuid.UUID]) -> list[uuid.UUID] | None:
    """Keep the post and return the runs that are watched; None when the post is lost. Raises RedisError."""
    ids = _look(
        keys=[WATCHED, POST, STREAMED], args=[mine, POST_MILLISECONDS, STREAMED_SECONDS, MOST, *map(str, streams)]
    )
    return None if ids is None else [uuid.UUID(each) for each in ids]


def leave(mine: str) -> None:
    """Give the post back."""
    try:
        _leave(keys=[POST, STREAMED], args=[mine])
    except RedisError as error:
        logger.warning("the post of the streams runs out by itself error=%s", error)


def dismiss() -> None:
    """Have whoever streams in this process or a child of it stop: the worker is to end."""
    try:
        holder = str(_redis.get(POST) or "").split("|")
        if len(holder) == 4 and holder[0] == socket.gethostname() and str(os.getpid()) in holder[1:3]:
            _leave(keys=[POST, STREAMED], args=["|".join(holder)])
    except RedisError as error:
        logger.warning("the streams end with their worker error=%s", error)
