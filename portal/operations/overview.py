"""What waits in each lane and why, and the runs that somebody of staff should look at."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.operations.broker import BrokerState
from portal.operations.figures import Figures, age
from portal.operations.waiting import MOST_REASONS, Reason, age_of, reasons_by_lane
from portal.runs.models import Move, Run
from portal.runs.refinements import Refinement, RefinementState
from portal.runs.states import REMOTE, Status
from portal.runs.track import UNKNOWN_STATE
from portal.runs.usual import usual_ranges
from portal.runs.words import RunScreen

SHOWN = 50
PATIENT_SECONDS = {Status.WAITING: 30, Status.SUBMITTING: 120}  # before these are worth a look
LATE_SECONDS = 15 * 60  # where an app has too few runs to know what is usual
TONES = {Status.UNCONFIRMED: "warn", Status.NEEDS_ATTENTION: "warn"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One kind of thing that waits in a lane: what for, how many, and for how long the first of them."""

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


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run that somebody should look at, and why."""

    run: Run
    label: str
    tone: str
    why: str
    age_seconds: float | None


def lanes(found: Figures, broker: BrokerState | None) -> list[LaneRow]:
    """Return every lane with what waits in it."""
    to_send = reasons_by_lane()
    waiting = {
        lane: [Waiting(_("runs to send"), sum(each.count for each in reasons), age_of(reasons), reasons[:MOST_REASONS])]
        for lane, reasons in to_send.items()
    } | {
        "inbox": [Waiting(_("deliveries to apply"), found.unapplied, found.oldest_unapplied_seconds)],
        "tracking": [
            Waiting(_("runs without an answer"), found.unconfirmed, _oldest(Status.UNCONFIRMED)),
            Waiting(_("runs to ask about once more"), *_to_ask_about()),
        ],
        "media": [Waiting(_("outputs to copy"), found.copies_waiting, found.oldest_copy_seconds)],
        "refinement": [Waiting(_("changes to ask for"), *_to_refine())],
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


def runs_to_look_at() -> list[RunRow]:
    """Return runs that wait, are not confirmed, need a person, or take longer than usual; oldest first."""
    now = timezone.now()
    held_up = Q(status__in=TONES) | Q(status__in=REMOTE, error_code=UNKNOWN_STATE)
    for status, seconds in PATIENT_SECONDS.items():
        held_up |= Q(status=status, created_at__lt=now - timedelta(seconds=seconds))
    last_why = Move.objects.filter(run=OuterRef("pk")).order_by("-at", "-pk").values("why")[:1]
    runs = Run.objects.select_related("workspace", "app", "pin__app").order_by("created_at")
    rows = [
        RunRow(
            run=run,
            label=run.get_status_display(),
            tone="warn" if run.error_code == UNKNOWN_STATE else TONES.get(Status(run.status), "going"),
            why=run.held_up or getattr(run, "last_why", "") or _("No reason is known: no worker has taken it yet."),
            age_seconds=age(run.created_at, now),
        )
        for run in runs.filter(held_up).annotate(last_why=Subquery(last_why))[:SHOWN]
    ]
    remote = list(runs.remote().filter(accepted_at__isnull=False).exclude(error_code=UNKNOWN_STATE)[: SHOWN * 4])
    usual = usual_ranges({run.app_id for run in remote})
    for run in remote:
        screen = RunScreen(run, [], usual[run.app_id])
        going = age(run.accepted_at, now) or 0.0
        if screen.is_late or (not screen.usual and going > LATE_SECONDS):
            known = _("It takes longer than usual (%s).") % screen.usual_text
            why = known if screen.usual else _("Lamina took it more than a quarter of an hour ago.")
            rows.append(RunRow(run, run.get_status_display(), "warn", why, going))
    return sorted(rows, key=lambda row: row.run.created_at)[:SHOWN]


def _to_refine() -> tuple[int, float | None]:
    waiting = Refinement.objects.filter(state=RefinementState.WAITING)
    found = waiting.aggregate(n=Count("pk"), first=Min("asked_at"))
    return found["n"], age(found["first"], timezone.now())


def _to_ask_about() -> tuple[int, float | None]:
    found = Run.objects.filter(details_next_at__isnull=False).aggregate(n=Count("pk"), first=Min("finished_at"))
    return found["n"], age(found["first"], timezone.now())


def _oldest(status: Status) -> float | None:
    first = Run.objects.filter(status=status).order_by("created_at").values_list("created_at", flat=True).first()
    return age(first, timezone.now())
