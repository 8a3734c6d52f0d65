"""Look at an app again in the background, where there is time to wait for one's turn."""

import logging
import time
from collections.abc import Callable

from django.utils import timezone

from lamina_integration import LaminaAway, LaminaBudgetSpent, LaminaError, Lane
from portal.catalogue.models import App
from portal.catalogue.schemas import fetch_estimate, refresh
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace

logger = logging.getLogger(__name__)


def look_again(app: App, *, patience_seconds: float) -> None:
    """Fetch one app's schema and estimate, with a key of a workspace that has pinned it; note what went wrong.

    The lane of what nobody waits for runs one request at a time, so the second of two that follow each
    other has to wait a moment: so long as `patience_seconds` lasts.
    """
    workspace = Workspace.objects.filter(pinned_apps__app=app, pinned_apps__is_offered=True).first()
    if workspace is None:
        return
    with client_for(workspace, lane=Lane.BACKGROUND) as client:
        try:
            in_turn(lambda: refresh(app, client=client), patience_seconds=patience_seconds)
        except LaminaError as error:
            App.objects.filter(pk=app.pk).update(refresh_error=str(error)[:500], refreshed_at=timezone.now())
            logger.warning("schema not refreshed app=%s error=%s", app.lamina_id, error)
            return
        try:
            in_turn(lambda: fetch_estimate(app, client=client), patience_seconds=patience_seconds)
        except LaminaError as error:
            logger.info("no estimate app=%s error=%s", app.lamina_id, error)


def in_turn(ask: Callable[[], object], *, patience_seconds: float) -> None:
    """Ask Lamina as soon as the shared budget lets this lane; raise what it says when that takes too long."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            ask()
        except LaminaAway:
            raise
        except LaminaBudgetSpent as error:
            if time.monotonic() + error.retry_after > deadline:
                raise
            time.sleep(error.retry_after)
        else:
            return
