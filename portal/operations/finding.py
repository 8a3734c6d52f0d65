"""Finding a run by whatever somebody has in hand."""

import uuid

from django.db.models import Q

from portal.runs.models import Run

MOST = 50


def find_runs(words: str) -> list[Run]:
    """Return runs by our reference or id, Lamina's id, or their person's address or workspace; newest first.

    An id that fits means that run and nothing else.
    """
    words = words.strip()
    if not words:
        return []
    runs = Run.objects.select_related("workspace", "app", "pin__app", "created_by").order_by("-created_at")
    exact = Q(reference__iexact=words) | Q(lamina_run_id=words)
    if (own := _own_id(words)) is not None:
        exact |= Q(pk=own)
    if found := list(runs.filter(exact)[:MOST]):
        return found
    loose = Q(created_by__email__icontains=words) | Q(created_by__name__icontains=words)
    loose |= Q(workspace__slug__iexact=words) | Q(workspace__name__icontains=words) | Q(reference__icontains=words)
    return list(runs.filter(loose)[:MOST])


def _own_id(words: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(words)
    except ValueError:
        return None
