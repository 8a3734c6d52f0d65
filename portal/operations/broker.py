"""Redis as operations ask it: with short patience, and never through the cache that forgives.

The names of the queues' lists are those of Celery's Redis transport; its priorities are lists too.
"""

import time
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from kombu.transport.redis import Channel
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.runs.watched import STREAMED, WATCHED
from portal.workspaces.lamina import ANSWERED_KEY, BUDGET_KEY

PATIENCE_SECONDS = 1
WORKED_KEY = f"{settings.CACHES['default']['KEY_PREFIX']}:worked"


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What Redis knows of the workers and of Lamina: ages in seconds, None where there is no sign of life at all."""

    queued: dict[str, int]
    idle_seconds: dict[str, float | None]
    budget_ahead_seconds: float
    budget_held_seconds: float
    away_seconds: float | None
    answered_seconds: float | None
    watched: int
    streamed: int

    @property
    def is_away(self) -> bool:
        """Return whether calls are held back because the last ones had no answer."""
        return self.away_seconds is not None


def connect() -> redis.Redis:
    """Return a connection that gives up quickly; close it after use."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=PATIENCE_SECONDS,
        socket_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def note_work(lane: str) -> None:
    """Write down that a worker of this lane has just finished something; raises RedisError."""
    with connect() as connection:
        connection.hset(WORKED_KEY, lane, f"{time.time():.3f}")


def broker_state() -> BrokerState:
    """Return the state of the lanes and of the request budget, in one round trip; raises RedisError."""
    lists = {lane: _lists_of(lane) for lane in settings.LANES}
    with connect() as connection, connection.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(WORKED_KEY)
        # Fields of the budget's own scripts, in microseconds of Redis' clock.
        pipeline.hmget(BUDGET_KEY, "arrival", "held", "away", "trial")
        pipeline.get(ANSWERED_KEY)
        pipeline.zcount(WATCHED, int(time.time()), "+inf")
        pipeline.scard(STREAMED)
        pipeline.time()
        for names in lists.values():
            for name in names:
                pipeline.llen(name)
        worked, (arrival, held, away, trial), answered, watched, streamed, clock, *lengths = pipeline.execute()
    now, redis_now = time.time(), clock[0] + clock[1] / 1_000_000
    counts = iter(lengths)
    seen = {lane.decode(): float(at) for lane, at in worked.items()}
    return BrokerState(
        queued={lane: sum(next(counts) for _name in names) for lane, names in lists.items()},
        idle_seconds={lane: max(now - seen[lane], 0.0) if lane in seen else None for lane in lists},
        budget_ahead_seconds=max(float(arrival or 0) / 1_000_000 - redis_now, 0.0),
        budget_held_seconds=max(float(held or 0) / 1_000_000 - redis_now, 0.0),
        # While somebody tries, everybody waits for what comes of it, and for no longer than for a trial.
        away_seconds=None if away is None else max(float(max(away, trial or b"0", key=float)) / 1e6 - redis_now, 0.0),
        answered_seconds=None if answered is None else max(now - float(answered), 0.0),
        watched=watched,
        streamed=streamed,
    )


def eviction_policy() -> str:
    """Return what Redis does when its memory is full; raises RedisError."""
    with connect() as connection:
        return str(connection.info("memory").get("maxmemory_policy", ""))


def _lists_of(lane: str) -> list[str]:
    options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    prefix, separator = options.get("global_keyprefix", ""), options.get("sep", Channel.sep)
    steps = options.get("priority_steps", Channel.priority_steps)
    return [prefix + (f"{lane}{separator}{step}" if step else lane) for step in steps]
