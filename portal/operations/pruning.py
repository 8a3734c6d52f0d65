"""Removing what is old and over, in chunks: nothing that is still to be settled, applied or copied.

A chunk is one short transaction that looks again at the rows it locks. Files go after their rows are
gone for good: a crash between the two leaves a file that nobody names, never a row without its file.
"""

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.files import FieldFile

from portal.media.models import Media, Origin
from portal.runs.models import OPEN_REFINEMENTS, Attempt, Delivery, Draft, Output, Refinement, Run, note_known
from portal.runs.states import FINAL

logger = logging.getLogger(__name__)

CHUNK = 200


def old_deliveries(before: datetime) -> QuerySet[Delivery]:
    """Return deliveries that were applied and whose run is over."""
    return Delivery.objects.filter(
        received_at__lt=before, applied_at__isnull=False, attempt__run__status__in=FINAL
    ).order_by("pk")


def old_runs(before: datetime) -> QuerySet[Run]:
    """Return runs that are over, with nothing to apply, to copy, to change, to ask or to answer any more.

    One that was changed is as old as its last change.
    """
    attempts = Attempt.objects.filter(run=OuterRef("pk"), closed_at=None)
    deliveries = Delivery.objects.filter(attempt__run=OuterRef("pk"), applied_at=None)
    copies = Output.objects.filter(run=OuterRef("pk"), copy_next_at__isnull=False)
    changes = Refinement.objects.filter(Q(state__in=OPEN_REFINEMENTS) | Q(finished_at__gte=before), run=OuterRef("pk"))
    over = Run.objects.filter(status__in=FINAL, finished_at__lt=before, details_next_at=None, cancel_next_at=None)
    return over.filter(~Exists(attempts), ~Exists(deliveries), ~Exists(copies), ~Exists(changes)).order_by(
        "finished_at", "pk"
    )


def old_drafts(before: datetime) -> QuerySet[Draft]:
    """Return drafts that nobody has touched since."""
    return Draft.objects.filter(updated_at__lt=before).order_by("updated_at", "pk")


def prune_drafts(before: datetime) -> int:
    """Delete old drafts and return how many; the files in them stay in the library."""
    count = 0
    while chunk := list(old_drafts(before).values_list("pk", flat=True)[:CHUNK]):
        count += old_drafts(before).filter(pk__in=chunk).order_by().delete()[0]
    return count


def prune_deliveries(before: datetime) -> int:
    """Delete old deliveries and return how many."""
    count = 0
    while chunk := list(old_deliveries(before).values_list("pk", flat=True)[:CHUNK]):
        count += old_deliveries(before).filter(pk__in=chunk).order_by().delete()[0]
    return count


def prune_runs(before: datetime) -> tuple[int, int]:
    """Delete old runs with their rows and the files that only they had; return how many runs and files' rows."""
    runs = media = 0
    while chunk := list(old_runs(before).values_list("pk", flat=True)[:CHUNK]):
        pruned, freed = _prune_chunk(chunk, before)
        runs, media = runs + pruned, media + freed
        if not pruned:
            break  # somebody moved all of them meanwhile
    return runs, media


def media_of(runs: Iterable[uuid.UUID]) -> list[Media]:
    """Return the outputs' files that nothing but these runs uses."""
    kept_outputs = Output.objects.filter(media=OuterRef("pk")).exclude(run__in=runs)
    made = Media.objects.filter(outputs__run__in=runs, origin=Origin.OUTPUT).exclude(Exists(kept_outputs)).distinct()
    return [media for media in made.order_by("pk") if not _is_input(media, runs)]


def _is_input(media: Media, runs: Iterable[uuid.UUID]) -> bool:
    """Return whether a run that stays was made from this file, or a draft has it."""
    others = Run.objects.filter(workspace_id=media.workspace_id).exclude(pk__in=runs)
    drafts = Draft.objects.filter(member__workspace_id=media.workspace_id)
    return any(rows.filter(inputs__icontains=media.ref).exists() for rows in (others, drafts))


def _prune_chunk(chunk: list[uuid.UUID], before: datetime) -> tuple[int, int]:
    with transaction.atomic():
        runs = list(old_runs(before).filter(pk__in=chunk).select_for_update(of=("self",)))
        ids = [run.pk for run in runs]
        media = media_of(ids)
        note_known([(run.lamina_run_id, run.reference) for run in runs if run.lamina_run_id])
        Run.objects.filter(pk__in=ids).delete()
        Media.objects.filter(pk__in=[item.pk for item in media]).delete()
        for item in media:
            for file in (item.file, item.thumbnail, item.poster):
                if file:
                    transaction.on_commit(partial(_delete_file, file), robust=True)
    return len(ids), len(media)


def _delete_file(file: FieldFile) -> None:
    file.storage.delete(file.name or "")
