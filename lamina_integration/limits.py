"""Keep one request budget for everything that leaves this installation's address.

Lamina counts requests per address, whatever the key, so all processes share one hash in Redis:
four short scripts (GCRA: a theoretical arrival time that each request moves on) spread requests
evenly, one by one, whoever asks: no second sees more than its part of a minute. What tells the lanes
apart is how long they wait for their slot, so people go first. `observe` notes what Lamina
says is left and when its window ends; from then on the rest is counted down here and spread over
the time left, so that the budget is used up and others behind the same address are allowed for.
`hold` pushes everybody back when Lamina says so, and begins a new generation so that whoever
sleeps on an older slot asks again.

A lane may have a share of its own that it never goes beyond. And when calls go unanswered one after
the other, nobody calls for a pause that doubles; then one caller tries, and its answer opens the way
again. Workers are for what can be done meanwhile, not for waiting on a Lamina that hangs.

Time is the store's, never a worker's. Without the store nothing is sent: a budget that cannot be
asked cannot be kept, and a caller that may wait comes back.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.exceptions import RedisError

from lamina_integration.errors import LaminaAway, LaminaBudgetSpent

logger = logging.getLogger(__name__)

STORE_AWAY_SECONDS = 2.0
LOOKS_AGAIN_SECONDS = 1.0


class Lane(StrEnum):
    """Who is waiting: a person, the news about runs, rows of a batch, or nobody in particular."""

    INTERACTIVE = "interactive"
    TRACKING = "tracking"
    BATCH = "batch"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a lane asks: how long it may sleep until its slot, which is how far ahead it may reserve one.

    `turn_seconds` is for when others want everything: after so long without a request it may sleep as
    long as anybody, TURN_WAITS_SECONDS, and so gets a slot. The lane that goes first anyway needs none.
    `share` is the part of Lamina's limit it never goes beyond, a quarter of it ahead of its own pace; none
    is the whole.
    """

    longest_wait_seconds: float
    turn_seconds: float | None
    share: float | None = None


PACES = {
    Lane.INTERACTIVE: Pace(longest_wait_seconds=5.0, turn_seconds=None),
    Lane.TRACKING: Pace(longest_wait_seconds=3.0, turn_seconds=5.0, share=0.4),
    Lane.BATCH: Pace(longest_wait_seconds=0.0, turn_seconds=10.0),
    Lane.BACKGROUND: Pace(longest_wait_seconds=0.0, turn_seconds=30.0),
}
# Longer than any lane reserves ahead.
TURN_WAITS_SECONDS = 10.0
# What is counted at our end and at Lamina's differs by what is on its way between them.
SAFETY = 0.95
# Of what is left in Lamina's window so many are never sent, for what was counted before we heard of it.
SPARE = 2
# A window's end is told in whole seconds: two answers may differ by so much and mean the same one.
SAME_WINDOW_SECONDS = 1.25

# Calls that went unanswered one after the other until nobody calls any more; a slow one counts for several.
UNANSWERED = 5
SLOW_SECONDS = 5.0
SLOW_COUNTS = 3
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0
# So long whoever tries after a pause is waited for; longer than a call waits for its answer.
TRIAL_SECONDS = 45.0

# KEYS: the hash. ARGV: interval, longest wait (-1: only a look), turn (-1: none), lane, extra time to live (ms),
# shortest interval, spare, the interval of the lane's own share (0: none), how many of it at once, how long a trial
# is waited for, longest wait for a turn. All times but one are microseconds.
# Answers the wait in microseconds, the generation, 1 if Lamina is believed to be away, and 1 if a slot is reserved:
# not for a look, not when the wait is beyond the longest, and not when it is for the lane's own share or for Lamina
# to be back. A look finds no wait where it is the lane's turn: it need only ask.
RESERVE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, longest, turn = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'arrival', 'held', 'generation', 'served:' .. ARGV[4], 'left', 'ends',
  'share:' .. ARGV[4], 'away', 'trial')
local arrival = math.max(tonumber(state[1]) or now, now)
local held = tonumber(state[2]) or 0
local generation = state[3] or string.format('%.0f', now)
local served = tonumber(state[4]) or 0
local left, ends = tonumber(state[5]) or 0, tonumber(state[6]) or 0
local share, own = tonumber(ARGV[8]), math.max(tonumber(state[7]) or now, now)
local away = tonumber(state[8])
local back = math.max(away or 0, tonumber(state[9]) or 0)
if away and back > now then
  return {string.format('%.0f', back - now), generation, 1, 0}
end
local pace = interval
if ends > arrival then
  pace = math.max(tonumber(ARGV[6]), (ends - arrival) / math.max(left - tonumber(ARGV[7]), 1))
end
local slot, allowed = math.max(arrival, held) - now, math.max(own - (ARGV[9] - 1) * share - now, 0)
local is_turn = held <= now and turn >= 0 and now - served >= turn and (ends <= now or left > 0)
  and slot <= tonumber(ARGV[11])
local wait = math.max(slot, allowed)
if longest < 0 then
  return {string.format('%.0f', is_turn and allowed or wait), generation, 0, 0}
end
local is_reserved = allowed == 0 and (slot <= longest or is_turn)
if is_reserved then
  arrival = arrival + pace
  redis.call('HSET', KEYS[1], 'arrival', string.format('%.0f', arrival), 'generation', generation,
    'served:' .. ARGV[4], string.format('%.0f', now))
  if share > 0 then
    redis.call('HSET', KEYS[1], 'share:' .. ARGV[4], string.format('%.0f', own + share))
  end
  if away then
    redis.call('HSET', KEYS[1], 'trial', string.format('%.0f', now + wait + ARGV[10]))
  end
  if now + wait < ends then
    redis.call('HSET', KEYS[1], 'left', string.format('%.0f', left - 1))
  end
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (math.max(arrival, held) - now) / 1000 + ARGV[5]))
end
return {string.format('%.0f', wait), generation, 0, is_reserved and 1 or 0}
"""

# KEYS: the hash. ARGV: microseconds to hold everybody, extra time to live (ms).
# A hold that adds less than a second to the one in force changes nothing: a fleet is refused together.
HOLD = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local held = now + tonumber(ARGV[1])
if held <= (tonumber(redis.call('HGET', KEYS[1], 'held')) or 0) + 1000000 then
  return 0
end
redis.call('HSET', KEYS[1], 'held', string.format('%.0f', held), 'arrival', string.format('%.0f', held),
  'generation', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', (held - now) / 1000 + ARGV[2]))
return 1
"""

# KEYS: the hash. ARGV: what is left, microseconds until the window ends, by how much that may be off.
# Answers come late and out of order, so within a window the least that was told counts, and its earliest end.
# One that tells of a window that ended before the present one began says nothing any more.
OBSERVE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local state = redis.call('HMGET', KEYS[1], 'arrival', 'left', 'ends')
if not state[1] then
  return
end
local told, left, ends = now + tonumber(ARGV[2]), tonumber(ARGV[1]), tonumber(state[3]) or 0
if ends > now and told < ends - ARGV[3] then
  return
end
if ends > now and told <= ends + ARGV[3] then
  left, told = math.min(left, tonumber(state[2])), math.min(told, ends)
end
redis.call('HSET', KEYS[1], 'left', string.format('%.0f', left), 'ends', string.format('%.0f', told))
"""

# KEYS: the hash. ARGV: for how many it counts, how many begin a pause, the first and the longest pause
# (microseconds), time to live (ms).
# Whoever was on the way when a pause began adds nothing to it; a trial that fails doubles it.
UNANSWER = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local count = redis.call('HINCRBY', KEYS[1], 'unanswered', ARGV[1])
local state = redis.call('HMGET', KEYS[1], 'away', 'pause')
local away, pause = tonumber(state[1]), tonumber(state[2])
if (away and away <= now) or (not away and count >= tonumber(ARGV[2])) then
  pause = away and math.min(pause * 2, tonumber(ARGV[4])) or tonumber(ARGV[3])
  redis.call('HSET', KEYS[1], 'away', string.format('%.0f', now + pause), 'pause', string.format('%.0f', pause),
    'trial', 0, 'generation', string.format('%.0f', now))
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
"""


class RequestBudget:
    """The installation's shared budget of requests to Lamina; safe to use from any thread or process."""

    def __init__(
        self, redis_client: Any, *, limit: int = 100, window_seconds: float = 60, key: str = "lamina:budget"
    ) -> None:
        self._redis = redis_client
        self._key = key
        # One call less: a window of theirs that begins just before one of ours has that one besides.
        self._interval_us = round(window_seconds / (SAFETY * max(limit - 1, 1)) * 1_000_000)
        # Whatever a busy machine was late by is made up for within the window, no faster than Lamina's own pace.
        self._shortest_us = round(window_seconds / limit * 1_000_000)
        self._keep_ms = round(max(window_seconds, LONGEST_PAUSE_SECONDS) * 2000)
        self._limit, self._window_us = limit, window_seconds * 1_000_000
        self._reserve = redis_client.register_script(RESERVE)
        self._hold = redis_client.register_script(HOLD)
        self._observe = redis_client.register_script(OBSERVE)
        self._unanswer = redis_client.register_script(UNANSWER)

    def acquire(self, lane: Lane, *, patience_seconds: float | None = None) -> None:
        """Return when a request may be sent; raise LaminaBudgetSpent when that is too far off for the lane.

        It is a LaminaAway when Lamina has not been answering and somebody else finds out whether it does again.
        A caller that can afford it names its own patience instead of its lane's, and then waits these errors out.
        """
        for pause in self._pauses(lane, patience_seconds):
            time.sleep(pause)

    async def acquired(self, lane: Lane, *, patience_seconds: float | None = None) -> None:
        """Do the same for asyncio: the store is asked in a thread, and no thread is held while it waits."""
        pauses = self._pauses(lane, patience_seconds)
        while (pause := await asyncio.to_thread(next, pauses, None)) is not None:
            await asyncio.sleep(pause)

    def _pauses(self, lane: Lane, patience_seconds: float | None) -> Iterator[float]:
        """Give every pause to be made before a request may be sent."""
        longest = PACES[lane].longest_wait_seconds
        if patience_seconds is None:
            yield from self._turn(lane, longest, TURN_WAITS_SECONDS)
            return
        deadline = time.monotonic() + patience_seconds
        while True:
            left = deadline - time.monotonic()
            try:
                # A turn is reserved no further ahead than the lane may: patience must not push others back.
                yield from self._turn(lane, max(min(longest, left), 0.0), max(min(TURN_WAITS_SECONDS, left), 0.0))
            except LaminaBudgetSpent as error:
                left = deadline - time.monotonic()
                if left <= 0 or (isinstance(error, LaminaAway) and error.retry_after > left):
                    raise
                # Not much longer than it says, and not long at once: a lane's own turn may come before that.
                yield min(error.retry_after * random.uniform(1.0, 1.2), left, LOOKS_AGAIN_SECONDS)  # noqa: S311
            else:
                return

    def _turn(self, lane: Lane, longest_seconds: float, turn_waits_seconds: float) -> Iterator[float]:
        began = time.monotonic()
        try:
            while True:
                slept = time.monotonic() - began
                wait, generation = self._ask(
                    lane,
                    longest_seconds=max(longest_seconds - slept, 0.0),
                    turn_waits_seconds=max(turn_waits_seconds - slept, 0.0),
                )
                if wait:
                    yield wait
                if generation and (not wait or self._generation() == generation):
                    return
        except RedisError as error:
            raise LaminaBudgetSpent(
                "The shared request budget cannot be reached", retry_after=STORE_AWAY_SECONDS
            ) from error

    def wait_for(self, lane: Lane) -> float:
        """Return how many seconds from now a request of this lane may be sent, without reserving anything."""
        try:
            self._ask(lane, longest_seconds=-1.0)
        except LaminaBudgetSpent as error:
            return error.retry_after
        except RedisError:
            return STORE_AWAY_SECONDS
        return 0.0

    def refuses_for(self, lane: Lane) -> float:
        """Return for how many seconds a request of this lane is refused, not only made to wait; 0 when it is not."""
        try:
            self._ask(lane, longest_seconds=-1.0)
        except LaminaAway as error:
            return error.retry_after
        except LaminaBudgetSpent as error:
            return error.retry_after if error.retry_after > PACES[lane].longest_wait_seconds else 0.0
        except RedisError:
            return STORE_AWAY_SECONDS
        return 0.0

    def is_away(self) -> bool:
        """Return whether Lamina is believed not to answer: none of the latest calls had a usable answer."""
        try:
            return bool(self._redis.hexists(self._key, "away"))
        except RedisError:
            return False

    def unanswered(self, seconds: float) -> None:
        """Take note that Lamina gave no usable answer, after so long a wait."""
        try:
            self._unanswer(
                keys=[self._key],
                args=[
                    SLOW_COUNTS if seconds >= SLOW_SECONDS else 1,
                    UNANSWERED,
                    round(FIRST_PAUSE_SECONDS * 1_000_000),
                    round(LONGEST_PAUSE_SECONDS * 1_000_000),
                    self._keep_ms,
                ],
            )
        except RedisError:
            logger.warning("lamina budget: an unanswered call could not be shared", exc_info=True)

    def answered(self) -> None:
        """Take note that Lamina answers."""
        try:
            self._redis.hdel(self._key, "unanswered", "away", "pause", "trial")
        except RedisError:
            logger.warning("lamina budget: an answer could not be shared", exc_info=True)

    def hold(self, seconds: float) -> None:
        """Make everybody wait: Lamina said so."""
        try:
            self._hold(keys=[self._key], args=[round(max(seconds, 0.0) * 1_000_000), self._keep_ms])
        except RedisError:
            logger.warning("lamina budget: a hold of %.1f s could not be shared", seconds, exc_info=True)

    def observe(self, remaining: int | None, reset_seconds: float | None) -> None:
        """Take note of what Lamina says is left: spread it over the window, or hold when it is nothing."""
        if remaining is None or reset_seconds is None:
            return
        if remaining <= 0:
            self.hold(reset_seconds)
            return
        try:
            self._observe(
                keys=[self._key],
                args=[remaining, round(reset_seconds * 1_000_000), round(SAME_WINDOW_SECONDS * 1_000_000)],
            )
        except RedisError:
            logger.warning("lamina budget: what is left could not be shared", exc_info=True)

    def _ask(
        self, lane: Lane, *, longest_seconds: float, turn_waits_seconds: float = TURN_WAITS_SECONDS
    ) -> tuple[float, str]:
        """Return the wait until a slot and its generation; none when it has to be asked for again after that wait."""
        pace = PACES[lane]
        most = 0.0 if pace.share is None else pace.share * self._limit
        at_once = max(most // 4, 1.0)
        wait_us, generation, is_away, is_reserved = self._reserve(
            keys=[self._key],
            args=[
                self._interval_us,
                round(longest_seconds * 1_000_000),
                -1 if pace.turn_seconds is None else round(pace.turn_seconds * 1_000_000),
                lane.value,
                self._keep_ms,
                self._shortest_us,
                SPARE,
                # So many at once and an even pace for the rest: never more than the share in any window.
                round(self._window_us / max(most - at_once, 1.0)) if most else 0,
                round(at_once),
                round(TRIAL_SECONDS * 1_000_000),
                round(turn_waits_seconds * 1_000_000),
            ],
        )
        wait = int(wait_us) / 1_000_000
        if is_away:
            raise LaminaAway(retry_after=wait)
        if is_reserved:
            return wait, _text(generation)
        if wait > longest_seconds:
            raise LaminaBudgetSpent(retry_after=wait)
        return wait, ""

    def _generation(self) -> str:
        return _text(self._redis.hget(self._key, "generation"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
