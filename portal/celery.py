"""The Celery application: queues and the schedule.

The schedule holds sweeps only. Each looks in the database for rows that should have moved and
nudges them, so an empty queue costs one interval and never any work.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "sweep-runs": {"task": "portal.runs.tasks.sweep", "schedule": 3.0, "options": {"expires": 6}},
    "track-runs": {"task": "portal.runs.tasks.track_runs", "schedule": 4.0, "options": {"expires": 8}},
    "refresh-schemas": {
        "task": "portal.catalogue.tasks.refresh_schemas",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
}
