"""Bound how many threads of a worker wait for somebody else at once.

A worker of threads serves every queue, and a Lamina that hangs would soon have all of its threads
while deliveries that need nothing but the database wait behind them. So each kind of call out has so
many places in a process. A task that finds none gives its thread back and comes again a moment later,
a few times; after that its row is found by a sweep. Processes that do one thing at a time never meet this.
The worker of refinements is one of threads for the same reason: it has more of them than places, so that
its sign of life never waits for ten minutes behind Lamina.
"""

import logging
import random
from collections.abc import Callable
from functools import wraps
from threading import BoundedSemaphore
from typing import Any, ParamSpec, overload

from celery import current_task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

P = ParamSpec("P")

# Together with the two tasks there is only one of (tracking, watching) less than a demo worker's threads.
PLACES = {"interactive": 4, "batch": 2, "media": 3, "long": 4, "background": 2}
COMES_AGAIN = 3
_free = {kind: BoundedSemaphore(places) for kind, places in PLACES.items()}


@overload
def in_slot(kind: str) -> Callable[[Callable[P, None]], Callable[P, None]]: ...
@overload
def in_slot(kind: str, *, otherwise: Callable[P, object]) -> Callable[[Callable[P, None]], Callable[P, None]]: ...
def in_slot(
    kind: str, *, otherwise: Callable[P, object] | None = None
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Run a task only in a free place of this kind, and `otherwise` when it came in vain; beneath @celery.task."""

    def bound(work: Callable[P, None]) -> Callable[P, None]:
        @wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            if not _free[kind].acquire(blocking=False):
                if not come_again() and otherwise is not None:
                    otherwise(*args, **kwargs)
                return
            try:
                work(*args, **kwargs)
            finally:
                _free[kind].release()

        return run

    return bound


def come_again() -> bool:
    """Send the task that runs now once more, a moment later; False when it has come often enough."""
    task: Any = current_task
    if not task or task.request.called_directly or task.request.retries >= COMES_AGAIN:
        return False
    request = task.request
    try:
        task.apply_async(
            args=request.args,
            kwargs=request.kwargs,
            countdown=random.uniform(0.5, 1.0),  # noqa: S311 - only to spread them
            retries=request.retries + 1,
            queue=(request.delivery_info or {}).get("routing_key"),
            retry=False,
        )
    except (OperationalError, RedisError) as error:
        logger.warning("broker is away task=%s error=%s", task.name, error)
        return False
    return True
