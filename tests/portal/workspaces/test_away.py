"""A Redis that hangs: whoever meets it first waits a second, and nobody after that."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from django.test import Client

from portal import embedded
from portal.runs import watched
from portal.runs.models import Run
from portal.workspaces import away
from portal.workspaces.cache import ForgivingRedisCache
from portal.workspaces.models import User
from portal.workspaces.tasks import nudge

OPTIONS = {"OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}}


@pytest.fixture
def hanging(tmp_path: Path, settings: Any) -> Iterator[Callable[[bool], None]]:
    """A Redis of its own behind the portal's address, and a function that has it hang, or go on."""
    with embedded.running(tmp_path) as path:
        settings.REDIS_URL = f"unix://{path}"
        with redis.Redis.from_url(settings.REDIS_URL) as connection:
            pid = int(connection.info("server")["process_id"])
        yield lambda hangs: os.kill(pid, signal.SIGSTOP if hangs else signal.SIGCONT)
        os.kill(pid, signal.SIGCONT)


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long something took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def nothing() -> None:
    """Be a task."""


def wait_until_back() -> None:
    """Return once this process knows that Redis answers."""
    thread = away._asking
    assert thread is not None
    thread.join(5)
    assert not away.is_known()


def test_cache_that_hangs_is_waited_for_once(hanging: Callable[[bool], None], settings: Any) -> None:
    cache = ForgivingRedisCache(settings.REDIS_URL, OPTIONS)
    cache.set("a", 1)
    hanging(True)
    assert 0.5 < seconds_of(lambda: cache.get("a")) < 1.5
    assert seconds_of(lambda: [cache.get("a"), cache.set("a", 2), cache.add("b", 1), cache.incr("c")]) < 0.1
    hanging(False)
    wait_until_back()
    assert cache.get("a") == 1


@pytest.mark.parametrize("connects_first", [True, False], ids=["connected", "not connected yet"])
def test_message_that_nobody_takes_is_waited_for_once(
    hanging: Callable[[bool], None], settings: Any, connects_first: bool
) -> None:
    application = Celery("other", amqp="portal.reconnecting:Queues", set_as_current=False)
    application.conf.broker_url = settings.REDIS_URL.replace("unix://", "redis+socket://")
    application.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    task = application.task(name="other.task")(nothing)
    if connects_first:
        nudge(task)
    hanging(True)
    assert 0.5 < seconds_of(lambda: nudge(task)) < 1.5
    assert seconds_of(lambda: nudge(task)) < 0.1
    hanging(False)
    wait_until_back()
    nudge(task)
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        assert connection.llen(settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] + "celery") >= 1


def test_workers_wait_for_work_longer_than_senders_for_the_broker() -> None:
    from portal.celery import app

    sending = app.amqp.producer_pool.connections.connection.transport_options
    assert (sending["socket_timeout"], sending["max_retries"]) == (1, 0)
    assert app.connection_for_read().transport_options["socket_timeout"] == 10


def test_open_page_is_not_noted_while_redis_is_known_to_be_away(run: Run, silent_port: int, settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_port}/0"
    away.note(TimeoutError())
    assert not watched.note(run.pk, seconds=5)


def test_page_is_shown_with_the_session_of_the_database(
    run: Run, creator: User, as_user: Callable[[User], Client], silent_port: int, settings: Any
) -> None:
    client = as_user(creator)
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_port}/0"
    away.note(TimeoutError())
    assert client.get(run.get_absolute_url()).status_code == 200


def test_what_is_known_of_redis_ends_when_it_answers() -> None:
    away.note(TimeoutError())
    wait_until_back()


def test_full_redis_is_done_without(hanging: object, settings: Any) -> None:
    """It answers, and keeps nothing new: what can be asked is still asked."""
    with redis.Redis.from_url(settings.REDIS_URL) as connection:
        cache = ForgivingRedisCache(settings.REDIS_URL, OPTIONS)
        cache.set("before", 1)
        connection.config_set("maxmemory-policy", "noeviction")
        connection.config_set("maxmemory", "1")
        cache.set("key", 1)
        assert cache.add("other", 1), "whoever is to do it once does it"
        assert cache.get("before") == 1
        assert cache.get("key") is None
    assert not away.is_known()
