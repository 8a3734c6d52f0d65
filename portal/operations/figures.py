"""The figures that tell whether the portal keeps its promises, read from rows at the moment of asking."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db.models import Count, F, Min, Q, Sum
from django.utils import timezone

from portal.runs.models import Delivery, Move, Output, Run, RunLane, SecondRun, Verdict
from portal.runs.rejections import recent as recent_rejections
from portal.runs.states import FINAL, Status, Teller

LOOK_BACK = timedelta(hours=1)
NEWEST = 2000  # as many rows at most say what the last hour was like
TELLERS = (Teller.DELIVERY, Teller.STREAM, Teller.SWEEP, Teller.WORKER)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts, ages in seconds; None where nothing has happened that could be measured."""

    runs: dict[str, int]
    waiting: dict[str, int]
    oldest_unsettled_seconds: float | None
    webhook_lag_p95_seconds: float | None
    settled: dict[str, int]
    deliveries: dict[str, int]
    repeats: int
    rejected: dict[str, int]
    unapplied: int
    oldest_unapplied_seconds: float | None
    copies_waiting: int
    oldest_copy_seconds: float | None
    second_runs: int
    second_runs_not_dealt_with: int

    @property
    def rejected_in_all(self) -> int:
        """Return how many deliveries were refused."""
        return sum(self.rejected.values())

    @property
    def unconfirmed(self) -> int:
        """Return how many runs were sent and never answered."""
        return self.runs[Status.UNCONFIRMED]

    @property
    def settled_by_sweep(self) -> float | None:
        """Return the share of runs that our own check settled, of those that it, a delivery or a stream did."""
        told = self.settled[Teller.SWEEP] + self.settled[Teller.DELIVERY] + self.settled[Teller.STREAM]
        return self.settled[Teller.SWEEP] / told if told else None


def figures() -> Figures:
    """Return all figures."""
    now = timezone.now()
    since = now - LOOK_BACK
    counted: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for status, lane, count in Run.objects.order_by().values_list("status", "lane").annotate(Count("pk")):
        counted[status] += count
        waiting[lane] += count if status == Status.WAITING else 0
    recent = Delivery.objects.filter(received_at__gte=since).order_by()
    verdicts = dict(recent.values_list("verdict").annotate(Count("pk")))
    unapplied = Delivery.objects.filter(applied_at=None).aggregate(n=Count("pk"), oldest=Min("received_at"))
    copies = Output.objects.filter(copy_next_at__isnull=False).aggregate(n=Count("pk"), oldest=Min("made_at"))
    seconds = SecondRun.objects.aggregate(n=Count("pk"), left=Count("pk", filter=Q(dealt_with_at=None)))
    return Figures(
        runs={status: counted[status] for status in Status.values},
        waiting={lane: waiting[lane] for lane in RunLane.values},
        oldest_unsettled_seconds=age(Run.objects.active().aggregate(at=Min("created_at"))["at"], now),
        webhook_lag_p95_seconds=webhook_lag_p95(since),
        settled=settled(since),
        deliveries={verdict: verdicts.get(verdict, 0) for verdict in Verdict.values},
        repeats=recent.aggregate(n=Sum("repeats"))["n"] or 0,
        rejected=recent_rejections(),
        unapplied=unapplied["n"],
        oldest_unapplied_seconds=age(unapplied["oldest"], now),
        copies_waiting=copies["n"],
        oldest_copy_seconds=age(copies["oldest"], now),
        second_runs=seconds["n"],
        second_runs_not_dealt_with=seconds["left"],
    )


def webhook_lag_p95(since: datetime) -> float | None:
    """Return the seconds from signature to arrival that 95 % of the newest deliveries stayed below.

    Stale ones are old by what they are, and were held up or played again: they say nothing of the way here.
    """
    recent = Delivery.objects.filter(received_at__gte=since, verdict=Verdict.ACCEPTED).order_by("-received_at")
    newest = recent.values_list("signed_at", "received_at")[:NEWEST]
    lags = sorted(max((came - signed).total_seconds(), 0.0) for signed, came in newest)
    return lags[ceil(len(lags) * 0.95) - 1] if lags else None


def settled(since: datetime) -> dict[str, int]:
    """Return how many of the newest settled runs were settled by whose news."""
    newest = Move.objects.filter(to__in=sorted(FINAL), at__gte=since).exclude(leaving=F("to")).order_by("-at")
    tellers = list(newest.values_list("told_by", flat=True)[:NEWEST])
    return {teller: tellers.count(teller) for teller in TELLERS}


def age(moment: datetime | None, now: datetime) -> float | None:
    """Return the seconds since a moment."""
    return None if moment is None else max((now - moment).total_seconds(), 0.0)
