"""The small beat: it may leave the tasks unimported only as long as they are all sweeps."""

import subprocess
import sys

from portal.celery import app


def queue_of(name: str) -> str:
    """Return where a task goes when nobody says otherwise."""
    task = app.tasks[name]
    return getattr(task, "queue", None) or app.amqp.router.route({}, name)["queue"].name


def test_every_scheduled_task_is_known_and_tracks() -> None:
    app.loader.import_default_modules()
    assert {queue_of(entry["task"]) for entry in app.conf.beat_schedule.values()} == {"tracking"}


def test_small_beat_imports_no_room_of_the_portal() -> None:
    program = """
import sys
from portal.demo.beat import SmallBeat
from portal.celery import app
beat = SmallBeat(app=app, quiet=True)
beat.init_loader()
print([name for name in sys.modules if name.startswith(("portal.runs", "django.db.models"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
