"""The Celery application of web and workers: what a task is, and where it is found.

The schedule stands in the settings; `portal.beat` reads it without loading the portal.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal", amqp="portal.reconnecting:Queues")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()
