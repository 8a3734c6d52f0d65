"""What the sweep does with runs and changes behind a brake: they say why they wait, and are woken when it is gone."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from portal.runs.models import HELD_UP, Refinement, RefinementState, Run
from portal.runs.states import Status
from portal.workspaces.brakes import Brake, brakes


def held_back(now: datetime) -> list[int]:
    """Return the workspaces of which nothing is to be sent, after telling and waking their runs."""
    found = brakes()
    waiting = Run.objects.filter(status=Status.WAITING)
    for why, ids in _by_why(found).items():
        due = waiting.filter(Q(next_at__lte=now) | ~Q(held_up=""), workspace_id__in=ids)
        due.exclude(held_up=why).update(held_up=why, version=F("version") + 1)
    freed = waiting.exclude(held_up="").exclude(workspace_id__in=found)
    freed.update(held_up="", next_at=now, not_before=None, version=F("version") + 1)
    return _without_a_try(found)


def changes_held_back(now: datetime) -> list[int]:
    """Return the workspaces of which no change is to be asked for, after telling and waking theirs."""
    found = brakes()
    waiting = Refinement.objects.filter(state=RefinementState.WAITING)
    for why, ids in _by_why(found).items():
        due = waiting.filter(Q(next_at__lte=now) | Q(outcome_code=HELD_UP), run__workspace_id__in=ids)
        _tell(due.exclude(outcome_code=HELD_UP, outcome=why), outcome=why, outcome_code=HELD_UP)
    freed = waiting.filter(outcome_code=HELD_UP).exclude(run__workspace_id__in=found)
    _tell(freed, outcome="", outcome_code="", next_at=now)
    return _without_a_try(found)


def _by_why(found: Mapping[int, Brake]) -> dict[str, list[int]]:
    by_why: dict[str, list[int]] = defaultdict(list)
    for workspace_id, brake in found.items():
        by_why[brake.why].append(workspace_id)
    return by_why


def _without_a_try(found: Mapping[int, Brake]) -> list[int]:
    return [workspace_id for workspace_id, brake in found.items() if not brake.may_try]


def _tell(changes: QuerySet[Refinement], **told: Any) -> None:
    """Write something into changes that wait, and have the open pages of their runs show it."""
    pairs = list(changes.values_list("pk", "run_id"))
    ids, run_ids = [pk for pk, _run_id in pairs], [run_id for _pk, run_id in pairs]
    Refinement.objects.filter(pk__in=ids, state=RefinementState.WAITING).update(**told)
    Run.objects.filter(pk__in=run_ids).update(version=F("version") + 1)
