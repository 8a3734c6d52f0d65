"""Signs of life of the workers: each lane's last finished task.

Beat sends a heartbeat to every lane, so that an idle one finishes something too; a busy one shows by
its own tasks that it works, however long its queue is. A worker that is alive and stuck finishes
nothing, which is what counts.
"""

import logging
import time
from typing import Any

from celery.signals import task_postrun
from redis.exceptions import RedisError

from portal.operations import broker

logger = logging.getLogger(__name__)

AT_MOST_EVERY_SECONDS = 5.0
_noted: dict[str, float] = {}


def connect() -> None:
    """Note every finished task of this process from now on."""
    task_postrun.connect(note_finished, dispatch_uid="portal.operations.heartbeat")


def note_finished(task: Any = None, **_others: Any) -> None:
    """Note that the lane of this task works; a Redis that is away is not the task's trouble."""
    lane = (task.request.delivery_info or {}).get("routing_key") if task else None
    if not lane or time.monotonic() - _noted.get(lane, -AT_MOST_EVERY_SECONDS) < AT_MOST_EVERY_SECONDS:
        return
    _noted[lane] = time.monotonic()
    try:
        broker.note_work(lane)
    except RedisError as error:
        logger.warning("sign of life not kept lane=%s error=%s", lane, error)
