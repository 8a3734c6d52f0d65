"""What a change of an app's schema touches."""

from portal.catalogue.models import App
from portal.runs.drafting import unsent
from portal.runs.models import Draft, Run
from portal.runs.states import Status

SHOWN = 50


def touched_runs(app: App) -> tuple[int, list[Run]]:
    """Return how many runs were filled in with an older schema and are not sent or wait to be mended, and the first."""
    waiting = Run.objects.filter(app=app, status__in=[Status.WAITING, Status.NEEDS_ATTENTION])
    older = waiting.exclude(schema_id=app.schema_id).order_by("created_at")
    return older.count(), list(older.select_related("workspace", "app", "pin__app", "created_by")[:SHOWN])


def touched_drafts(app: App) -> tuple[int, list[Draft]]:
    """Return how many forms were begun with an older schema and not sent, and the latest of them."""
    older = unsent(Draft.objects.filter(pin__app=app).exclude(schema_id=app.schema_id)).order_by("-updated_at")
    people = older.select_related("member__workspace", "member__user").defer("inputs")
    return older.count(), list(people[:SHOWN])
