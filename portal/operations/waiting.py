"""Runs and changes that wait to be sent, by what keeps them, and the runs that are being sent at this moment.

What keeps them is a brake, what their last try met, or only their turn.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Left
from django.utils import timezone

from portal.operations.figures import age
from portal.runs.models import Move, Refinement, RefinementState, Run
from portal.runs.states import Status

LONGEST_REASON = 120
MOST_REASONS = 4
Sending = dict[str, tuple[int, float | None]]  # how many by lane, and for how many seconds a worker has the first


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some runs wait, as their history has it; empty when nobody has said anything yet."""

    why: str
    count: int
    since: datetime


def reasons_by_lane() -> dict[str, list[Reason]]:
    """Return why the waiting runs of each lane wait, the most frequent reason first."""
    last = Move.objects.filter(run=OuterRef("pk")).order_by("-at", "-pk").values("why")[:1]
    waiting = Run.objects.filter(status=Status.WAITING).annotate(said=Left(Subquery(last), LONGEST_REASON))
    counted = waiting.order_by().values_list("lane", "held_up", "said").annotate(Count("pk"), Min("created_at"))
    found: dict[str, dict[str, Reason]] = defaultdict(dict)
    for lane, held_up, said, count, since in counted:
        why = (held_up or said or "")[:LONGEST_REASON]
        known = found[lane].get(why)
        found[lane][why] = Reason(
            why, count + (known.count if known else 0), min(since, known.since) if known else since
        )
    return {lane: sorted(each.values(), key=lambda reason: -reason.count) for lane, each in found.items()}


def reasons_of_changes() -> list[Reason]:
    """Return why the waiting changes wait, the most frequent reason first."""
    waiting = Refinement.objects.filter(state=RefinementState.WAITING).order_by()
    counted = waiting.values_list(Left("outcome", LONGEST_REASON)).annotate(n=Count("pk"), since=Min("asked_at"))
    return [Reason(why, count, since) for why, count, since in counted.order_by("-n")]


def being_sent() -> Sending:
    """Return the runs of each lane that workers are sending now."""
    sending = Run.objects.filter(status=Status.SUBMITTING).order_by()
    taken = Min("attempts__opened_at", filter=Q(attempts__closed_at=None))
    counted = sending.values_list("lane").annotate(n=Count("pk", distinct=True), since=taken)
    return {lane: (count, age(since, timezone.now())) for lane, count, since in counted}


def age_of(reasons: list[Reason]) -> float | None:
    """Return how long the first of them has waited, in seconds."""
    since = min((reason.since for reason in reasons), default=None)
    return age(since, timezone.now())
