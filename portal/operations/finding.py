"""Finding a run by whatever somebody has in hand."""

import re
import uuid

from django.db.models import Q

from portal.runs.models import Run, SecondRun

MOST = 50
REFERENCE = re.compile(r"R[-\s]?([0-9A-Z]{4})[-\s]?([0-9A-Z]{4})", re.IGNORECASE)


def find_runs(words: str) -> list[Run]:
    """Return runs by reference, our id, Lamina's or the one in the logs, or by person or workspace; newest first.

    An id that fits means that run and nothing else; that of a second run at Lamina means ours.
    """
    words = words.strip()
    if not words:
        return []
    runs = Run.objects.select_related("workspace", "app", "pin__app", "created_by").order_by("-created_at")
    exact = Q(reference=_reference(words)) | Q(lamina_run_id=words) | Q(request_id=words)
    exact |= Q(pk__in=SecondRun.objects.filter(lamina_run_id=words).values("run_id"))
    if (own := _own_id(words)) is not None:
        exact |= Q(pk=own)
    if found := list(runs.filter(exact)[:MOST]):
        return found
    loose = Q(created_by__email__icontains=words) | Q(created_by__name__icontains=words)
    loose |= Q(workspace__slug__iexact=words) | Q(workspace__name__icontains=words) | Q(reference__icontains=words)
    return list(runs.filter(loose)[:MOST])


def _reference(words: str) -> str:
    """Return the words as we write a reference, however somebody has written or heard it."""
    found = REFERENCE.fullmatch(words)
    return f"R-{found[1]}-{found[2]}".upper() if found else words


def _own_id(words: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(words)
    except ValueError:
        return None
