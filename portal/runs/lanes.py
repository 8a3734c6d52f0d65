"""The lane of a run: who waits for it, and so whose calls go first and how many are handed out at once.

A person's run is handed to a worker at once. Rows of a batch are many and nobody watches them, so
only a few of them are out at a time: whoever is out waits in a queue and not in a worker, and what
is not out costs nothing.
"""

import math
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from lamina_integration import Lane
from portal.runs.held_up import held_back
from portal.runs.models import Run, RunLane
from portal.runs.states import Status
from portal.workspaces.lamina import shared_budget

# How long ago the newest schema may have been asked for, by whichever worker, when a run is sent.
SCHEMA_SECONDS = {RunLane.INTERACTIVE: 10.0, RunLane.BATCH: 30.0}
NUDGE_AGAIN_SECONDS = 20
MOST_INTERACTIVE = 200
# Rows of batches that are out with workers: a little more than the whole limit allows between two sweeps.
OUT_SECONDS = 4.0
MOST_OUT = 50
# A wait for the budget up to here is waited for by the message, not by the sweep.
SHORT_WAIT_SECONDS = 5.0
# A run that Lamina could not be told of is looked at again after so long at most: a look costs no call.
LOOK_AGAIN_SECONDS = 10.0
PAUSES_SECONDS = (5, 10, 20, 40, 80, 160, 300)


def runs_to_send() -> list[tuple[uuid.UUID, RunLane]]:
    """Return waiting runs whose time has come, people's first, and leave them alone for a moment."""
    now = timezone.now()
    due = Run.objects.filter(status=Status.WAITING, next_at__lte=now, cancel_asked_at=None)
    due = due.exclude(workspace_id__in=held_back(now))
    people = due.filter(lane=RunLane.INTERACTIVE).order_by("next_at").values_list("pk", flat=True)[:MOST_INTERACTIVE]
    found = [(pk, RunLane.INTERACTIVE) for pk in people]
    if room := room_for_batches():
        # The workspaces take turns, however many rows each of them has.
        turn = Window(RowNumber(), partition_by="workspace", order_by=["next_at", "created_at"])
        rows = due.filter(lane=RunLane.BATCH).annotate(turn=turn).order_by("turn", "next_at", "created_at")
        found += [(pk, RunLane.BATCH) for pk in rows.values_list("pk", flat=True)[:room]]
    ids = [pk for pk, _lane in found]
    Run.objects.filter(pk__in=ids, status=Status.WAITING).update(next_at=now + timedelta(seconds=NUDGE_AGAIN_SECONDS))
    return found


def room_for_batches() -> int:
    """Return how many more rows of batches may be handed to workers."""
    most = min(math.ceil(settings.LAMINA_RATE_LIMIT * OUT_SECONDS / 60), MOST_OUT)
    now = timezone.now()
    with_workers = Q(status=Status.SUBMITTING) | Q(status=Status.WAITING, next_at__gt=now)
    out = Run.objects.filter(with_workers, lane=RunLane.BATCH).exclude(not_before__gt=now).count()
    if out >= most or shared_budget().wait_for(Lane.BATCH) > SHORT_WAIT_SECONDS:
        return 0
    return most - out


def seconds_to_wait(run_id: uuid.UUID) -> float:
    """Return how long a row of a batch has to wait for the request budget; 0 when it may be sent.

    Asked before it is claimed, so that a wait leaves no line in its history. When it is a long one
    the sweep hands it out again; everything else is for whoever asks.
    """
    if not Run.objects.filter(pk=run_id, status=Status.WAITING, lane=RunLane.BATCH).exists():
        return 0.0
    wait = shared_budget().wait_for(Lane.BATCH)
    if wait > SHORT_WAIT_SECONDS:
        until = timezone.now() + timedelta(seconds=wait)
        Run.objects.filter(pk=run_id, status=Status.WAITING).update(next_at=until)
    return wait


def put_off_while_refused(run: Run) -> bool:
    """Leave a run waiting for which no call would be let through now, and return whether that is so.

    Asked before it is claimed again, so that an outage leaves one line in its history and not one for each look.
    """
    wait = shared_budget().refuses_for(Lane(run.lane))
    if wait:
        again = timezone.now() + timedelta(seconds=min(wait, LOOK_AGAIN_SECONDS))
        Run.objects.filter(pk=run.pk, status=Status.WAITING).update(next_at=again, not_before=again)
    return bool(wait)


def pause_after_message(since: datetime) -> timedelta:
    """Return how long a row is left to the message that is sent for it now: half as long as it has waited already.

    The first pauses are short because the message may be lost. The others are long because a lane may be
    down for an hour, and would find a message for each sweep of it.
    """
    waited = (timezone.now() - since).total_seconds() / 2
    return timedelta(seconds=max((pause for pause in PAUSES_SECONDS if pause <= waited), default=PAUSES_SECONDS[0]))


def put_off(run_id: uuid.UUID, *, seconds: float) -> None:
    """Have the sweep hand out a run again in a moment, because no worker is free for it."""
    again = timezone.now() + timedelta(seconds=seconds)
    waiting = Run.objects.filter(pk=run_id, status=Status.WAITING, next_at__gt=again)
    waiting.exclude(not_before__gt=again).update(next_at=again)
