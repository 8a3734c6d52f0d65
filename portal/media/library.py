"""Finding files again: by reference, and page by page for the picker."""

import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from portal.media.models import Media
from portal.workspaces.models import Workspace

PREFIX = "media:"


def find_media(workspace: Workspace, refs: Iterable[str]) -> dict[str, Media]:
    """Return the files of this workspace by reference, in one query; what is not here is not in it."""
    ids = {ref: found for ref in refs if (found := _id_of(ref)) is not None}
    if not ids:
        return {}
    rows = {media.pk: media for media in _of(workspace).filter(pk__in=set(ids.values()))}
    return {ref: rows[pk] for ref, pk in ids.items() if pk in rows}


def library(
    workspace: Workspace, *, kinds: Collection[str], limit: int, before: str = "", search: str = ""
) -> QuerySet[Media]:
    """Return files of these kinds, the newest first; `before` is the `place_of` the last one seen."""
    files = _of(workspace).filter(kind__in=kinds).order_by("-created_at", "-pk")
    if search:
        files = files.filter(name__icontains=search)
    if (place := _read_place(before)) is not None:
        created_at, pk = place
        files = files.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))
    return files[:limit]


def place_of(media: Media) -> str:
    """Return where a file stands in the library, to go on from there."""
    return f"{media.created_at.isoformat()}_{media.pk}"


def _of(workspace: Workspace) -> QuerySet[Media]:
    return Media.objects.filter(workspace=workspace).select_related("workspace")


def _id_of(ref: str) -> uuid.UUID | None:
    if not ref.startswith(PREFIX):
        return None
    try:
        return uuid.UUID(ref.removeprefix(PREFIX))
    except ValueError:
        return None


def _read_place(text: str) -> tuple[datetime, uuid.UUID] | None:
    at, _sep, pk = text.partition("_")
    try:
        place = datetime.fromisoformat(at).astimezone(UTC), uuid.UUID(pk)
    except (ValueError, OverflowError):
        return None
    return place
