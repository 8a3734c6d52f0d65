"""One budget paces every process evenly, obeys Lamina, and lets nobody starve."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lamina_integration.errors import LaminaAway, LaminaBudgetSpent
from lamina_integration.limits import (
    SAFETY,
    SPARE,
    Lane,
    RequestBudget,
)

# Of a minute's budget.
EVEN_PACE = 60 / (SAFETY * 99)


@pytest.fixture
def store(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def rush(budget: RequestBudget, lane: Lane, *, attempts: int) -> int:
    """Return how many of so many attempts at once were let through."""
    let_through = 0
    for _ in range(attempts):
        try:
            budget.acquire(lane)
        except LaminaBudgetSpent:
            continue
        let_through += 1
    return let_through


def test_batch_is_refused_at_once_when_it_would_have_to_wait(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.BATCH)
    with pytest.raises(LaminaBudgetSpent) as refused:
        budget.acquire(Lane.BATCH)
    assert 0 < refused.value.retry_after <= EVEN_PACE


@pytest.mark.parametrize("lane", Lane)
def test_nobody_is_ahead_of_the_pace(store: Any, budget_key: str, lane: Lane) -> None:
    budget = RequestBudget(store, key=budget_key, window_seconds=6000)
    assert rush(budget, lane, attempts=20) == 1


def test_interactive_waits_for_its_slot_where_batch_is_sent_away(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    assert rush(budget, Lane.BATCH, attempts=5) == 1
    assert rush(budget, Lane.INTERACTIVE, attempts=2) == 2


def test_a_refusal_takes_nothing_from_the_budget(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key, window_seconds=6000)
    budget.acquire(Lane.BATCH)
    before = store.hget(budget_key, "arrival")
    assert rush(budget, Lane.BATCH, attempts=10) == 0
    assert store.hget(budget_key, "arrival") == before


def test_interactive_sleeps_until_its_slot(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key, window_seconds=5)
    began = time.monotonic()
    for _ in range(5):
        budget.acquire(Lane.INTERACTIVE)
    assert time.monotonic() - began >= 3.5 * EVEN_PACE / 12


def test_patience_waits_out_a_hold_and_ends_when_it_is_over(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.hold(1.2)
    with pytest.raises(LaminaBudgetSpent):
        budget.acquire(Lane.BATCH, patience_seconds=0.3)
    budget.acquire(Lane.BATCH, patience_seconds=20)
    with pytest.raises(LaminaBudgetSpent):
        budget.acquire(Lane.BATCH)


def test_patience_waits_for_the_first_to_find_lamina_back_if_that_is_soon_enough(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    for _ in range(5):
        budget.unanswered(0.1)
    with pytest.raises(LaminaAway):
        budget.acquire(Lane.BACKGROUND, patience_seconds=0.5)
    budget.acquire(Lane.BACKGROUND, patience_seconds=20)  # the pause is over: it is the one that tries


def test_patience_of_many_pushes_nobody_back_who_is_waited_for(redis_url: str, store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key, window_seconds=600)
    budget.acquire(Lane.BATCH)
    before = store.hget(budget_key, "arrival")

    async def wait_in_vain() -> None:
        await asyncio.gather(
            *(budget.acquired(Lane.BATCH, patience_seconds=0.5) for _ in range(20)), return_exceptions=True
        )

    asyncio.run(wait_in_vain())
    assert store.hget(budget_key, "arrival") == before


def test_two_clients_share_one_budget(redis_url: str, store: Any, budget_key: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as other:
        here, there = (RequestBudget(client, key=budget_key, window_seconds=6000) for client in (store, other))
        assert rush(here, Lane.INTERACTIVE, attempts=4) + rush(there, Lane.INTERACTIVE, attempts=9) == 1


def test_hold_pushes_everybody_back(store: Any, budget_key: str) -> None:
    RequestBudget(store, key=budget_key).hold(37)
    with pytest.raises(LaminaBudgetSpent) as refused:
        RequestBudget(store, key=budget_key).acquire(Lane.INTERACTIVE)
    assert 36 < refused.value.retry_after <= 37


def test_a_shorter_hold_does_not_shorten_the_one_in_force(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.hold(37)
    budget.hold(2)
    with pytest.raises(LaminaBudgetSpent) as refused:
        budget.acquire(Lane.INTERACTIVE)
    assert refused.value.retry_after > 36


def test_a_fleet_refused_together_holds_once(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.hold(30)
    generation = store.hget(budget_key, "generation")
    for _ in range(5):
        budget.hold(30)
    assert store.hget(budget_key, "generation") == generation


def test_whoever_sleeps_when_a_hold_begins_asks_again(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.INTERACTIVE)
    refusals: list[LaminaBudgetSpent] = []

    def sleeper() -> None:
        try:
            budget.acquire(Lane.INTERACTIVE)
        except LaminaBudgetSpent as error:
            refusals.append(error)

    before = store.hget(budget_key, "arrival")
    thread = threading.Thread(target=sleeper)
    thread.start()
    while store.hget(budget_key, "arrival") == before:  # until the sleeper has its slot
        assert thread.is_alive()
    budget.hold(37)
    thread.join(10)
    assert [round(error.retry_after) for error in refusals] in ([36], [37])


def test_nothing_left_in_lamina_s_window_is_a_hold_until_it_ends(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.observe(None, 20.0)
    budget.observe(0, None)
    budget.observe(1, 20.0)
    budget.acquire(Lane.BATCH)
    budget.observe(0, 20.0)
    with pytest.raises(LaminaBudgetSpent) as refused:
        budget.acquire(Lane.BATCH)
    assert 19 < refused.value.retry_after <= 20


def test_no_turn_during_a_hold(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.hold(30)
    assert rush(budget, Lane.BACKGROUND, attempts=2) == 0


def test_a_budget_that_was_forgotten_begins_anew(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key, window_seconds=6000)
    rush(budget, Lane.INTERACTIVE, attempts=20)
    store.delete(budget_key)
    store.script_flush()
    assert rush(budget, Lane.INTERACTIVE, attempts=20) == 1


def test_the_hash_does_not_outlive_its_use(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.INTERACTIVE)
    assert 0 < store.ttl(budget_key) <= 125
    budget.hold(1000)
    assert 1000 < store.ttl(budget_key) <= 1125


def test_without_the_store_nothing_is_sent_and_a_hold_is_no_crash(budget_key: str) -> None:
    with redis.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)) as nowhere:
        budget = RequestBudget(nowhere, key=budget_key)
        with pytest.raises(LaminaBudgetSpent) as refused:
            budget.acquire(Lane.INTERACTIVE)
        assert refused.value.retry_after > 0
        budget.hold(5)


RUSHER = """
import sys, threading, time, redis
from lamina_integration.errors import LaminaBudgetSpent
from lamina_integration.limits import Lane, RequestBudget
url, key, window, seconds = sys.argv[1:]
budget, sent = RequestBudget(redis.Redis.from_url(url), key=key, window_seconds=float(window)), []
def rush(lane):
    while time.time() < until:
        try:
            budget.acquire(lane)
        except LaminaBudgetSpent as error:
            time.sleep(min(error.retry_after, 0.05))
        else:
            sent.append(time.time())
print("ready", flush=True)
sys.stdin.readline()
until = time.time() + float(seconds)
threads = [threading.Thread(target=rush, args=(lane,)) for lane in Lane]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*sent)
"""


def test_processes_in_four_lanes_keep_the_pace_together(redis_url: str, budget_key: str) -> None:
    window, seconds = 3.0, 4.0
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RUSHER, redis_url, budget_key, str(window), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    sent_by = [process.communicate(timeout=60)[0].split() for process in processes]
    moments = sorted(float(moment) for sent in sent_by for moment in sent)
    busiest = max(sum(1 for later in moments if 0 <= later - first < window) for first in moments)
    pace = SAFETY * 99 / window
    assert busiest <= 100
    assert len(moments) >= 0.75 * pace * seconds  # the rest is for a busy machine


def test_what_is_left_is_spread_over_what_is_left_of_the_window(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.BATCH)
    budget.observe(10 + SPARE, 50.0)  # others behind the same address have taken the rest
    before = int(store.hget(budget_key, "arrival"))
    budget.acquire(Lane.INTERACTIVE)
    assert int(store.hget(budget_key, "arrival")) - before == pytest.approx(5_000_000, rel=0.03)


def test_an_unused_window_is_used_up_but_not_all_at_once(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.INTERACTIVE)
    budget.observe(90, 6.0)
    before = int(store.hget(budget_key, "arrival"))
    budget.acquire(Lane.INTERACTIVE)
    assert int(store.hget(budget_key, "arrival")) - before == pytest.approx(600_000)


def test_what_was_left_counts_no_longer_when_the_window_has_ended(store: Any, budget_key: str) -> None:
    budget = RequestBudget(store, key=budget_key)
    budget.acquire(Lane.INTERACTIVE)
    budget.observe(1, 0.0)
    before = int(store.hget(budget_key, "arrival"))
    budget.acquire(Lane.INTERACTIVE)
    assert int(store.hget(budget_key, "arrival")) - before == pytest.approx(EVEN_PACE * 1e6, rel=0.01)
