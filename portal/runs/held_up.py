"""What the sweep does with runs behind a brake: they say why they wait, and are woken when it is gone."""

from collections import defaultdict
from datetime import datetime

from django.db.models import F

from portal.runs.models import Run
from portal.runs.states import Status
from portal.workspaces.brakes import brakes


def held_back(now: datetime) -> list[int]:
    """Return the workspaces of which nothing is to be sent, after telling and waking their runs."""
    found = brakes()
    by_why: dict[str, list[int]] = defaultdict(list)
    for workspace_id, brake in found.items():
        by_why[brake.why].append(workspace_id)
    waiting = Run.objects.filter(status=Status.WAITING)
    for why, ids in by_why.items():
        due = waiting.filter(workspace_id__in=ids, next_at__lte=now)
        due.exclude(held_up=why).update(held_up=why, version=F("version") + 1)
    freed = waiting.exclude(held_up="").exclude(workspace_id__in=found)
    freed.update(held_up="", next_at=now, not_before=None, version=F("version") + 1)
    return [workspace_id for workspace_id, brake in found.items() if not brake.may_try]
