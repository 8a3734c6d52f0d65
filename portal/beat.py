"""The Celery application of beat: it sends tasks by their names and needs none of the portal's code.

Without Django's applications, models and forms its process takes half of the memory.
"""

from celery import Celery

app = Celery("portal", fixups=[], amqp="portal.reconnecting:Queues")
app.config_from_object("portal.settings", namespace="CELERY")
