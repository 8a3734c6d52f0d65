"""Signs of life, left by real tasks in real queues."""

import threading
import time
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings

from portal import beat
from portal.celery import app
from portal.operations import broker, heartbeat
from portal.operations.tasks import beat_heart


@pytest.fixture(autouse=True)
def no_signs() -> Any:
    """No lane has worked yet, and nothing is queued."""
    heartbeat._noted.clear()
    with broker.connect() as connection:
        connection.delete(broker.WORKED_KEY)
        yield
        connection.delete(broker.WORKED_KEY, *(name for lane in settings.LANES for name in broker._lists_of(lane)))


def test_beat_sends_every_lane_a_heartbeat_that_gets_old() -> None:
    entries = [entry for name, entry in beat.app.conf.beat_schedule.items() if name.startswith("heartbeat-")]
    assert {entry["options"]["queue"] for entry in entries} == set(settings.LANES)
    assert {entry["task"] for entry in entries} == {beat_heart.name}
    assert all(
        entry["options"]["expires"] <= 30 + settings.CLOCKS_DIFFER_SECONDS and entry["schedule"] <= 15
        for entry in entries
    )


def test_heartbeat_waits_in_its_queue_until_a_worker_finishes_it() -> None:
    beat_heart.apply_async(queue="media")
    state = broker.broker_state()
    assert state.queued == dict.fromkeys(settings.LANES, 0) | {"media": 1}
    assert state.idle_seconds["media"] is None
    with start_worker(app, perform_ping_check=False, queues=["media"], pool="solo"):
        deadline = time.monotonic() + 10
        while broker.broker_state().idle_seconds["media"] is None and time.monotonic() < deadline:
            threading.Event().wait(0.02)
    state = broker.broker_state()
    assert state.idle_seconds["media"] is not None
    assert state.queued["media"] == 0
    assert state.idle_seconds["interactive"] is None


def test_any_finished_task_is_a_sign_of_life_and_not_each_costs_a_call() -> None:
    beat_heart.apply(routing_key="batch")
    with broker.connect() as connection:
        connection.hset(broker.WORKED_KEY, "batch", "1")
        beat_heart.apply(routing_key="batch")
        assert connection.hget(broker.WORKED_KEY, "batch") == b"1"


def test_redis_being_away_is_not_the_task_s_trouble(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert beat_heart.apply(routing_key="batch").state == "SUCCESS"


def test_queue_length_counts_every_priority() -> None:
    with broker.connect() as connection:
        for name in broker._lists_of("interactive"):
            connection.rpush(name, "task")
    assert broker.broker_state().queued["interactive"] == 4
