"""What waits in each lane and why. The runs that somebody should look at are in looking."""

from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.operations.broker import BrokerState
from portal.operations.figures import Figures, age
from portal.operations.waiting import MOST_REASONS, Reason, Sending, age_of, reasons_by_lane, reasons_of_changes
from portal.runs.models import Run
from portal.runs.states import Status


@dataclass(frozen=True, slots=True)
class Waiting:
    """One kind of thing that waits in a lane, be it for an answer: what for, how many, the first for how long."""

    what: str
    count: int
    oldest_seconds: float | None
    reasons: list[Reason] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane as staff see it; None is what nobody can tell while Redis is away."""

    name: str
    queued: int | None
    idle_seconds: float | None
    waiting: list[Waiting]


def lanes(found: Figures, broker: BrokerState | None, sending: Sending) -> list[LaneRow]:
    """Return every lane with what waits in it."""
    waiting = {lane: _to_send(reasons) for lane, reasons in reasons_by_lane().items()}
    for lane, (count, oldest) in sending.items():
        waiting[lane] = [*waiting.get(lane, []), Waiting(_("being sent"), count, oldest)]
    waiting |= {
        "inbox": [Waiting(_("deliveries to apply"), found.unapplied, found.oldest_unapplied_seconds)],
        "tracking": [
            Waiting(_("runs without an answer"), found.unconfirmed, _oldest(Status.UNCONFIRMED)),
            Waiting(_("runs to ask about once more"), *_to_ask_about()),
        ],
        "media": [Waiting(_("outputs to copy"), found.copies_waiting, found.oldest_copy_seconds)],
        "refinement": [_to_refine()],
    }
    return [
        LaneRow(
            name=lane,
            queued=broker.queued[lane] if broker else None,
            idle_seconds=broker.idle_seconds[lane] if broker else None,
            waiting=[item for item in waiting.get(lane, []) if item.count],
        )
        for lane in settings.LANES
    ]


def _to_send(reasons: list[Reason]) -> list[Waiting]:
    count = sum(reason.count for reason in reasons)
    return [Waiting(_("runs to send"), count, age_of(reasons), reasons[:MOST_REASONS])]


def _to_refine() -> Waiting:
    reasons = reasons_of_changes()
    count = sum(reason.count for reason in reasons)
    return Waiting(_("changes to ask for"), count, age_of(reasons), reasons[:MOST_REASONS])


def _to_ask_about() -> tuple[int, float | None]:
    found = Run.objects.filter(details_next_at__isnull=False).aggregate(n=Count("pk"), first=Min("finished_at"))
    return found["n"], age(found["first"], timezone.now())


def _oldest(status: Status) -> float | None:
    first = Run.objects.filter(status=status).order_by("created_at").values_list("created_at", flat=True).first()
    return age(first, timezone.now())
