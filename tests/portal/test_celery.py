"""Which lane a task waits in."""

import pytest

from portal import beat
from portal.celery import app


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("portal.runs.tasks.send_run", "interactive"),
        ("portal.runs.tasks.cancel_run", "interactive"),
        ("portal.runs.tasks.send_batch_run", "batch"),
        ("portal.runs.tasks.copy_output", "media"),
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
