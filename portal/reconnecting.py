"""Connections to the broker: workers' are tried again every few seconds, however long it was away; senders' are not.

Celery's own pauses grow to half a minute and cannot be set: after an outage work would go on so much
later than it could. Whoever sends a message in passing is a person who has clicked, or Lamina, and a sweep
does without the message: they wait a second, once. Knows nothing of the portal, because beat loads none of it.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu import pools
from kombu.connection import Connection
from kombu.transport import TRANSPORT_ALIASES, redis

LONGEST_PAUSE_SECONDS = 4.0
IN_PASSING = {"socket_connect_timeout": 1, "socket_timeout": 1, "max_retries": 0}


class KeptChannel(redis.Channel):
    """Kombu's, which makes a Redis client anew for every message it sends or acknowledges: that takes longer."""

    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return the one client of the pool there is now, which many may use; one that listens is its owner's."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = super()._create_client()  # type: ignore[no-untyped-call]
        return self._kept


class KeptTransport(redis.Transport):
    """Redis as a broker, through such channels."""

    Channel = KeptChannel


# By name, because kombu's pools make connections of a class of their own.
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), f"{__name__}:{KeptTransport.__name__}")


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
    _producer_pool: Any = None  # Celery forgets it when a process forks

    @property
    def producer_pool(self) -> Any:
        """Return the producers of `apply_async`, whose connections give up soon."""
        if self._producer_pool is None:
            self._producer_pool = pools.producers[self.app.connection_for_write(transport_options=IN_PASSING)]
            self._producer_pool.limit = self.app.pool.limit
        return self._producer_pool
