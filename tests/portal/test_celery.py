"""Which lane a task waits in."""

import subprocess
import sys
import time

import pytest
from celery import Celery
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection
from kombu.exceptions import OperationalError

from portal import beat
from portal.celery import app, look_after_connections
from portal.reconnecting import LONGEST_PAUSE_SECONDS, KeptChannel

NOBODY = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("portal.runs.tasks.send_run", "interactive"),
        ("portal.runs.tasks.cancel_run", "interactive"),
        ("portal.runs.tasks.send_batch_run", "batch"),
        ("portal.runs.tasks.copy_output", "media"),
        ("portal.runs.tasks.send_refinement", "refinement"),
        ("portal.runs.tasks.apply_delivery", "inbox"),
        ("portal.runs.tasks.sweep", "inbox"),
        ("portal.catalogue.tasks.refresh_app", "tracking"),
    ],
)
def test_task_waits_in_its_lane(task: str, queue: str) -> None:
    for application in (app, beat.app):
        assert application.amqp.router.route({}, task)["queue"].name == queue


def test_beat_sends_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in beat.app.conf.beat_schedule.values()}
    assert scheduled <= app.tasks.keys()


def test_click_does_not_wait_for_a_broker_that_is_away() -> None:
    with app.connection_for_write(NOBODY) as away:
        began = time.monotonic()
        with pytest.raises(OperationalError):
            app.send_task("portal.runs.tasks.sweep", connection=away, retry=False)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("application", [app, beat.app], ids=["workers", "beat"])
def test_broker_is_looked_for_again_within_seconds_however_long_it_was_away(application: Celery) -> None:
    class Enough(Exception):
        pass

    def give_up(error: Exception, pause: float) -> None:
        raise Enough(pause)

    with application.connection_for_read(NOBODY) as away, pytest.raises(Enough) as told:
        # As after many tries: the pause has grown to half a minute.
        away.ensure_connection(give_up, None, interval_start=30)
    assert told.value.args[0] <= LONGEST_PAUSE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_connection_to_the_database_serves_many_tasks_until_it_is_old() -> None:
    connection.ensure_connection()
    opened, connection.close_at = connection.connection, None
    DjangoWorkerFixup(app).close_database()
    look_after_connections()
    assert connection.connection is opened
    connection.close_at = 0.0
    look_after_connections()
    assert connection.connection is None


@pytest.mark.parametrize("application", [app, beat.app], ids=["workers", "beat"])
def test_messages_go_out_through_one_client(application: Celery) -> None:
    with application.amqp.producer_pool.acquire(block=True) as producer:
        channel = producer.channel
        assert isinstance(channel, KeptChannel)
        assert channel._create_client() is channel._create_client()
        assert channel._create_client(asynchronous=True) is not channel._create_client()


def test_client_of_a_pool_that_was_given_up_is_given_up_too() -> None:
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        before = channel._create_client()
        channel._disconnect_pools()
        after = channel._create_client()
        assert after is not before
        assert after.ping()


SETTLED = """
import gc
from portal.garbage import YOUNG, settle_in
{loading}
before = gc.get_freeze_count()
late = [[]]
settle_in()
print(before > 10_000, gc.get_freeze_count() == before, gc.get_threshold()[0] == YOUNG, late[0] in gc.get_objects())
"""


@pytest.mark.parametrize(
    "loading",
    [
        "import portal.wsgi, sys; assert 'portal.runs.views.create' in sys.modules",
        "from portal.celery import app, settle_in as fork; app.loader.import_default_modules(); fork()",
    ],
    ids=["web", "worker"],
)
def test_what_a_process_has_loaded_is_left_alone_and_nothing_later(loading: str) -> None:
    code = SETTLED.format(loading=loading)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4, done.stderr
