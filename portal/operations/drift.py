"""What a change of an app's schema touches."""

from portal.catalogue.models import App
from portal.runs.models import Run
from portal.runs.states import Status

SHOWN = 50


def touched_runs(app: App) -> tuple[int, list[Run]]:
    """Return how many runs were filled in with an older schema and are not sent or wait to be mended, and the first."""
    unsent = Run.objects.filter(app=app, status__in=[Status.WAITING, Status.NEEDS_ATTENTION])
    older = unsent.exclude(schema_id=app.schema_id).order_by("created_at")
    return older.count(), list(older.select_related("workspace", "app", "pin__app", "created_by")[:SHOWN])
