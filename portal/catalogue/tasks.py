"""Thin tasks of the catalogue: when the schemas are looked at again."""

import logging

from django.utils import timezone

from lamina_integration import LaminaError, Lane
from portal.catalogue.models import App
from portal.catalogue.schemas import refresh, refresh_estimate
from portal.celery import app as celery
from portal.workspaces.lamina import client_for
from portal.workspaces.models import Workspace
from portal.workspaces.slots import in_slot
from portal.workspaces.tasks import nudge

logger = logging.getLogger(__name__)


@celery.task
def refresh_schemas() -> None:
    """Look at every pinned app's schema again; one that cannot be fetched never stops the others."""
    for app in App.objects.filter(pins__is_offered=True).distinct():
        nudge(refresh_app, app.pk)


@celery.task
@in_slot("background")
def refresh_app(app_id: int) -> None:
    """Look at one app's schema and estimate again, with a key of a workspace that has pinned it."""
    app = App.objects.get(pk=app_id)
    workspace = Workspace.objects.filter(pinned_apps__app=app, pinned_apps__is_offered=True).first()
    if workspace is None:
        return
    with client_for(workspace, lane=Lane.BACKGROUND) as client:
        try:
            refresh(app, client=client)
            refresh_estimate(app, client=client)
        except LaminaError as error:
            App.objects.filter(pk=app_id).update(refresh_error=str(error)[:500], refreshed_at=timezone.now())
            logger.warning("schema not refreshed app=%s error=%s", app.lamina_id, error)
