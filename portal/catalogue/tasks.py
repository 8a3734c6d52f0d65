"""Thin tasks of the catalogue: when the schemas are looked at again."""

from portal.catalogue.models import App
from portal.catalogue.refreshing import look_again
from portal.celery import app as celery
from portal.workspaces.slots import in_slot
from portal.workspaces.tasks import ALL_WITHIN_SECONDS, APART_SECONDS, nudge

PATIENCE_SECONDS = 5.0


@celery.task
def refresh_schemas() -> None:
    """Look at every pinned app's schema again, one after the other; one that cannot be fetched never stops the rest."""
    apps = list(App.objects.filter(pins__is_offered=True).distinct())
    for n, app in enumerate(apps):
        nudge(refresh_app, app.pk, countdown=n * min(APART_SECONDS, ALL_WITHIN_SECONDS / len(apps)))


@celery.task
@in_slot("background")
def refresh_app(app_id: int) -> None:
    """Look at one app's schema and estimate again."""
    look_again(App.objects.get(pk=app_id), patience_seconds=PATIENCE_SECONDS)
