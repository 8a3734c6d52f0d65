"""Thin tasks of this room, and the way every room sends its tasks."""

import logging

from celery import Task
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from lamina_integration import LaminaError
from portal.celery import app as celery
from portal.workspaces import away, credits
from portal.workspaces.models import Workspace
from portal.workspaces.slots import in_slot

logger = logging.getLogger(__name__)

# The lane of what nobody waits for lets through about one call at a time.
APART_SECONDS = 3.0
ALL_WITHIN_SECONDS = 300.0


def nudge(task: Task, *args: object, queue: str | None = None, countdown: float | None = None) -> bool:
    """Send a task if the broker is there; if not, a sweep finds the row a moment later. Return whether it was sent."""
    if away.is_known():
        return False
    try:
        # Celery's own way to a text of the arguments, for its log, takes longer than it is worth.
        task.apply_async(args=args, queue=queue, countdown=countdown, argsrepr=repr(args), kwargsrepr="{}", retry=False)
    except (OperationalError, RedisError) as error:
        # Kombu has a name of its own for what happens while it connects, and Redis' for what happens later.
        away.note(error)
        return False
    return True


@celery.task
@in_slot("background")
def refresh_balance(workspace_id: int) -> None:
    """Ask Lamina how many credits a workspace has left."""
    try:
        is_settled = credits.refresh_balance(workspace_id)
        if not is_settled and not nudge(refresh_balance, workspace_id, countdown=credits.AT_MOST_EVERY_SECONDS):
            credits.ask_sooner(workspace_id)
    except LaminaError as error:
        logger.info("balance not refreshed workspace=%d error=%s", workspace_id, error)


@celery.task
def refresh_credits() -> None:
    """Ask for every workspace's credits, one after the other: all at once all but one would be refused."""
    ids = list(Workspace.objects.values_list("pk", flat=True))
    for n, workspace_id in enumerate(ids):
        nudge(refresh_balance, workspace_id, countdown=n * min(APART_SECONDS, ALL_WITHIN_SECONDS / len(ids)))
