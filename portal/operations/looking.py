"""The runs that somebody of staff should look at, by what is the matter with them, the worst first.

Each kind has room of its own and says how many more there are, so that none hides another. Runs that
wait only for their turn or behind a brake are counted together: the lanes say why they wait.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from django.db.models import Case, Count, Exists, Min, OuterRef, Q, Subquery, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.operations.figures import age
from portal.runs.models import Attempt, Move, Run, RunLane, RunQuerySet, SecondRun
from portal.runs.states import REMOTE, Status
from portal.runs.track import MISSING, UNKNOWN_STATE
from portal.runs.usual import usual_ranges
from portal.runs.words import RunScreen

SHOWN = 20  # of each kind
PATIENCE = timedelta(seconds=30)  # before a run that nobody has sent is worth a look
SENDING_PATIENCE = timedelta(seconds=120)
LATE_SECONDS = 15 * 60  # where an app has too few runs to know what is usual
MOST_REMOTE = 1000  # of those at Lamina, the ones it has had longest, are looked through for late ones


class Kind(IntEnum):
    """What is the matter with a run, in the order in which it is shown."""

    UNCONFIRMED = 1
    UNKNOWN = 2
    MISSING = 3
    SECOND = 4
    ATTENTION = 5
    LATE = 6
    SENDING = 7
    WAITING = 8


CALM = frozenset({Kind.SENDING, Kind.WAITING})


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run that somebody should look at, and why; of one that was begun twice, ours may be gone."""

    run: Run | None
    label: str
    tone: str
    why: str
    age_seconds: float | None
    second: SecondRun | None = None


@dataclass(slots=True)
class Matter:
    """The runs that one thing is the matter with: the oldest of them, and how many they are."""

    kind: Kind
    count: int
    rows: list[RunRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class InTurn:
    """How many runs wait for nothing but their turn or the end of a brake, and the first of them for how long."""

    count: int
    oldest_seconds: float | None


def runs_to_look_at() -> list[Matter]:
    """Return runs that are not confirmed, need a person, take longer than usual or are not sent; the worst first."""
    now = timezone.now()
    found = {matter.kind: matter for matter in [*_held_up(now), *_begun_twice(now), *_late(now)]}
    return [found[kind] for kind in Kind if kind in found]


def runs_in_turn() -> InTurn:
    """Return the runs that need nobody: rows of batches, and what a brake holds back."""
    waiting = Run.objects.filter(~_IS_OWED, status=Status.WAITING, created_at__lt=timezone.now() - PATIENCE)
    found = waiting.aggregate(n=Count("pk"), first=Min("created_at"))
    return InTurn(found["n"], age(found["first"], timezone.now()))


# A person waits for it, and nothing that the lanes' table tells keeps it.
_IS_OWED = Q(lane=RunLane.INTERACTIVE, held_up="")


def _held_up(now: datetime) -> Iterator[Matter]:
    """Yield what the rows themselves tell, each kind with its oldest runs."""
    fresh = Attempt.objects.filter(run=OuterRef("pk"), closed_at=None, opened_at__gte=now - SENDING_PATIENCE)
    kind = Case(
        When(status=Status.UNCONFIRMED, then=Kind.UNCONFIRMED),
        When(status__in=REMOTE, error_code=UNKNOWN_STATE, then=Kind.UNKNOWN),
        When(status__in=REMOTE, error_code=MISSING, then=Kind.MISSING),
        When(status=Status.NEEDS_ATTENTION, then=Kind.ATTENTION),
        When(~Exists(fresh), status=Status.SUBMITTING, created_at__lt=now - SENDING_PATIENCE, then=Kind.SENDING),
        When(_IS_OWED, status=Status.WAITING, created_at__lt=now - PATIENCE, then=Kind.WAITING),
    )
    told = (
        Run.objects.annotate(kind=kind)
        .filter(kind__isnull=False)
        .annotate(
            place=Window(RowNumber(), partition_by="kind", order_by=["created_at", "pk"]),
            alike=Window(Count("pk"), partition_by="kind"),
        )
    )
    oldest = list(told.filter(place__lte=SHOWN).order_by("kind", "place").values_list("pk", "kind", "alike"))
    last_why = Move.objects.filter(run=OuterRef("pk")).order_by("-at", "-pk").values("why")[:1]
    runs = _to_show().annotate(last_why=Subquery(last_why)).in_bulk([pk for pk, _kind, _alike in oldest])
    matters = {kind: Matter(Kind(kind), count) for _pk, kind, count in oldest}
    for pk, number, _count in oldest:
        run = runs[pk]
        unknown = _("No worker has taken it yet.") if number == Kind.WAITING else _("No reason is known.")
        why = run.held_up or getattr(run, "last_why", "") or unknown
        if number == Kind.MISSING:
            why = _("Lamina answers that it has no such run. If that stays so, look for it no more, in the admin.")
        tone = "going" if number in CALM else "warn"
        matters[number].rows.append(RunRow(run, run.get_status_display(), tone, why, age(run.created_at, now)))
    yield from matters.values()


def _begun_twice(now: datetime) -> Iterator[Matter]:
    """Yield the runs that Lamina has a second time and that nobody has dealt with, if there are any.

    What was pruned of ours meanwhile is no reason to forget the other: it may be paid for all the same.
    """
    seconds = SecondRun.objects.not_dealt_with()
    found = list(seconds.order_by("created_at", "pk")[:SHOWN])
    runs = _to_show().in_bulk([second.run_id for second in found if second.run_id])
    rows = []
    for second in found:
        run = runs.get(second.run_id)
        why = _why_twice(second, is_kept=run is not None)
        rows.append(RunRow(run, _("Begun twice"), "warn", why, age(second.created_at, now), second))
    if rows:
        yield Matter(Kind.SECOND, seconds.count() if len(found) == SHOWN else len(rows), rows)


def _why_twice(second: SecondRun, *, is_kept: bool) -> str:
    """Return which run at Lamina is meant, so that Lamina can be asked about it."""
    its_id = second.lamina_run_id or _("its id is in the history of ours")
    told = _("Lamina has a second run for it, which may be paid for as well: %s.") % its_id
    return told if is_kept else f"{told} " + _("Our run was pruned meanwhile.")


def _late(now: datetime) -> Iterator[Matter]:
    """Yield the runs at Lamina that take longer than such runs usually do, if there are any."""
    remote = _to_show().remote().filter(accepted_at__isnull=False).exclude(error_code__in=[UNKNOWN_STATE, MISSING])
    found = list(remote.order_by("accepted_at")[:MOST_REMOTE])
    usual = usual_ranges({run.app_id for run in found})
    rows = []
    for run in found:
        screen = RunScreen(run, [], usual[run.app_id])
        going = age(run.accepted_at, now) or 0.0
        if screen.is_late or (not screen.usual and going > LATE_SECONDS):
            known = _("It takes longer than usual (%s).") % screen.usual_text
            why = known if screen.usual else _("Lamina took it more than a quarter of an hour ago.")
            rows.append(RunRow(run, run.get_status_display(), "warn", why, going))
    if rows:
        yield Matter(Kind.LATE, len(rows), rows[:SHOWN])


def _to_show() -> RunQuerySet:
    return Run.objects.select_related("workspace", "app", "pin__app").defer("inputs", "problems")
