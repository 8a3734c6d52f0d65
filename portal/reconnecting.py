"""A connection to the broker that is tried again every few seconds, however long the broker was away.

Celery's own pauses grow to half a minute and cannot be set: after an outage work would go on so much
later than it could. Knows nothing of the portal, because beat loads none of it.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection

LONGEST_PAUSE_SECONDS = 4.0


class PatientConnection(Connection):
    """Comes back a few seconds after the broker does."""

    def ensure_connection(
        self,
        errback: Any = None,
        max_retries: int | None = None,
        interval_start: float = 1.0,
        interval_step: float = 1.0,
        interval_max: float = LONGEST_PAUSE_SECONDS,
        **others: Any,
    ) -> Connection:
        """Return once the broker answers; no pause between two tries is longer than a few seconds."""
        connection: Connection = super().ensure_connection(  # type: ignore[no-untyped-call]  # kombu types a part
            errback,
            max_retries,
            interval_start=interval_start,
            interval_step=interval_step,
            interval_max=min(interval_max, LONGEST_PAUSE_SECONDS),
            **others,
        )
        return connection


class Queues(AMQP):
    """Celery's queues over such connections."""

    Connection = PatientConnection
