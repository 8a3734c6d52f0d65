"""Lamina's deliveries as staff see them: what came, what was made of it, and what was refused and why."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.runs.models import Delivery, Verdict
from portal.runs.rejections import Reason, recent

SHOWN = 100
FILTERS = {
    "accepted": Q(verdict=Verdict.ACCEPTED),
    "duplicate": Q(repeats__gt=0),
    "stale": Q(verdict=Verdict.STALE),
    "unapplied": Q(applied_at=None),
}


@dataclass(frozen=True, slots=True)
class Count24:
    """One kind of delivery: how often it came in the last hour and the last day, and where the rows are listed."""

    label: str
    hour: int
    day: int
    show: str = ""


def counts() -> list[Count24]:
    """Return the kinds of deliveries; those that were refused have no rows, only these numbers."""
    hour, day = _rows(timedelta(hours=1)), _rows(timedelta(days=1))
    kept = {
        "accepted": _("Accepted"),
        "duplicate": _("Duplicate: came again"),
        "stale": _("Stale: taken as a hint, the run is asked about"),
        "unapplied": _("Not applied yet"),
    }
    rejected_hour, rejected_day = recent(3600), recent(24 * 3600)
    rows = [Count24(label, hour[name], day[name], name) for name, label in kept.items()]
    return rows + [
        Count24(_("Rejected: %s") % reason.label, rejected_hour[reason], rejected_day[reason]) for reason in Reason
    ]


def _rows(age: timedelta) -> dict[str, int]:
    came = Delivery.objects.filter(received_at__gte=timezone.now() - age).order_by()
    counted = came.aggregate(
        accepted=Count("pk", filter=FILTERS["accepted"]),
        duplicate=Sum("repeats"),
        stale=Count("pk", filter=FILTERS["stale"]),
        unapplied=Count("pk", filter=FILTERS["unapplied"]),
    )
    return {name: number or 0 for name, number in counted.items()}


def latest(show: str) -> list[Delivery]:
    """Return the latest deliveries of a kind, or of all."""
    rows = Delivery.objects.select_related("attempt__run__workspace").defer("body").order_by("-received_at")
    return list(rows.filter(FILTERS.get(show, Q()))[:SHOWN])
