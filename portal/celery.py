"""The Celery application of web and workers: what a task is, and where it is found.

The schedule stands in the settings; `portal.beat` reads it without loading the portal.
"""

import os

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_before_create_process, worker_init
from django.db import close_old_connections

from portal import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal", amqp="portal.reconnecting:Queues")
app.config_from_object(os.environ["DJANGO_SETTINGS_MODULE"], namespace="CELERY")
app.autodiscover_tasks()
app.set_default()


def look_after_connections(**_others: object) -> None:
    """Keep the database's connection from one task to the next, as Django keeps it between requests."""
    close_old_connections()


def keep_connections(**_others: object) -> None:
    """Have a worker do so for every task; whoever runs a task by hand looks after their own."""
    # Celery itself would close it before and after every task (see CELERY_DB_REUSE_MAX).
    task_prerun.connect(look_after_connections)
    task_postrun.connect(look_after_connections)


def settle_in(**_others: object) -> None:
    """Have a worker's processes share what it has loaded before it forks them."""
    garbage.settle_in()


worker_init.connect(keep_connections)
worker_before_create_process.connect(settle_in)
