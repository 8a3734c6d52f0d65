"""What every page of a workspace shows of its runs."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


def active_runs(request: HttpRequest) -> dict[str, Any]:
    """Return how many runs somebody still waits for, counted only when a page shows it."""
    workspace = getattr(request, "workspace", None)
    if workspace is None:
        return {}
    return {"active_runs": SimpleLazyObject(lambda: workspace.runs.active().count())}
