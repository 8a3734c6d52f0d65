"""What a workspace may spend in a month: held when a run is submitted, settled when it has ended.

Each run has a ledger line; the month keeps the lines' sums beside them, so that one conditional
UPDATE decides whether another run fits. Every function here belongs into the transaction that
changes the run: a crash undoes both or neither. Whoever locks rows takes the run's first, then the
line's, then the month's.
"""

import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import cache, cached_property
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Round
from django.utils import timezone

from portal.workspaces.models import (
    BudgetMonth,
    LedgerLine,
    LineKind,
    LineState,
    Membership,
    SpendingStop,
    User,
    Workspace,
)

logger = logging.getLogger(__name__)

CENT = Decimal("0.01")
WARNING_SHARE = Decimal("0.8")
SEEN = ("month_spent", "month_held", "stopped_why")
COMPARED_FOR = timedelta(days=100)  # months older than that are at rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a run of an app costs, as Lamina estimates it for this many outputs; None is not known."""

    expected: Decimal | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    outputs: int = 0

    @property
    def is_known(self) -> bool:
        """Return whether Lamina gave any figure."""
        return self.ceiling is not None

    @property
    def ceiling(self) -> Decimal | None:
        """Return the largest figure of the estimate."""
        return max((figure for figure in (self.expected, self.least, self.most) if figure is not None), default=None)

    @property
    def amount(self) -> Decimal:
        """Return what is held: the most it may cost, or the set amount where Lamina gives no estimate."""
        amount = settings.BUDGET_UNKNOWN_CREDITS if self.ceiling is None else self.ceiling
        return Decimal(str(amount)).quantize(CENT, ROUND_CEILING)


class SpendingRefused(Exception):
    """A run is not to be submitted: nothing was saved, sent or charged."""


class OverBudget(SpendingRefused):
    """The most it may cost is more than what is left of the month's budget."""

    def __init__(self, state: "BudgetState", price: Price) -> None:
        super().__init__(f"{price.amount} does not fit into {state.limit}")
        self.state, self.price = state, price


class SpendingStopped(SpendingRefused):
    """Staff have stopped spending, here or everywhere."""

    def __init__(self, stop: SpendingStop) -> None:
        super().__init__(stop.why)
        self.stop = stop


@dataclass(frozen=True)
class BudgetState:
    """How a workspace's month stands."""

    limit: Decimal | None
    spent: Decimal
    held: Decimal
    starts_on: date

    @cached_property
    def used(self) -> Decimal:
        """Return what is spent or held."""
        return self.spent + self.held

    @property
    def left(self) -> Decimal | None:
        """Return what may still be held; None without a limit."""
        return None if self.limit is None else max(Decimal(0), self.limit - self.used)

    @property
    def percent(self) -> int:
        """Return how much of the limit is used, rounded down so that 100 means all of it."""
        if self.limit is None:
            return 0
        return int(self.used * 100 / self.limit) if self.limit else 100

    @property
    def is_near(self) -> bool:
        """Return whether it is time to warn."""
        return self.limit is not None and self.used >= self.limit * WARNING_SHARE

    @property
    def is_used_up(self) -> bool:
        """Return whether nothing more fits."""
        return self.limit is not None and self.used >= self.limit

    @property
    def resets_on(self) -> date:
        """Return the day on which the next month begins."""
        return (self.starts_on + timedelta(days=32)).replace(day=1)


def this_month() -> date:
    """Return the first day of the current month, where the portal is."""
    return timezone.localdate().replace(day=1)


def state_of(workspace: Workspace) -> BudgetState:
    """Return how the workspace's month stands, in one query."""
    month = BudgetMonth.objects.filter(workspace=workspace, starts_on=this_month()).first()
    spent, held = (month.spent, month.held) if month else (Decimal(0), Decimal(0))
    return BudgetState(limit=workspace.monthly_budget, spent=spent, held=held, starts_on=this_month())


def with_spending(members: QuerySet[Membership]) -> QuerySet[Membership]:
    """Let the query that finds a member tell what the workspace's pages say of its spending; see `seen_with`."""
    return members.annotate(**spending_of(OuterRef("workspace")))


def spending_of(workspace: Any) -> dict[str, Subquery]:
    """Return expressions for what `seen_with` reads, for any query that knows the workspace."""
    month = BudgetMonth.objects.filter(workspace=workspace, starts_on=this_month())
    return {
        "month_spent": Subquery(month.values("spent")[:1]),
        "month_held": Subquery(month.values("held")[:1]),
        "stopped_why": Subquery(in_order(stops_of(workspace)).values("why")[:1]),
    }


def note_spending(member: Membership, row: Any) -> None:
    """Let a member tell what another query has read with `spending_of`."""
    for name in SEEN:
        setattr(member, name, getattr(row, name))


def seen_with(member: Membership) -> tuple[BudgetState, str]:
    """Return how the month stands and why spending is stopped (empty: it is not), as read with the member or now."""
    if not hasattr(member, "month_spent"):
        # By the workspace: the membership may have ended since the request began.
        spending = spending_of(OuterRef("pk"))
        note_spending(member, Workspace.objects.filter(pk=member.workspace_id).annotate(**spending).get())
    spent, held, stopped_why = (getattr(member, name) for name in SEEN)
    limit, nothing = member.workspace.monthly_budget, Decimal(0)
    state = BudgetState(limit=limit, spent=spent or nothing, held=held or nothing, starts_on=this_month())
    return state, stopped_why or ""


def near_or_over() -> list[tuple[Workspace, BudgetState]]:
    """Return the workspaces whose budget is nearly or wholly used, the fullest first."""
    months = BudgetMonth.objects.filter(starts_on=this_month(), workspace__monthly_budget__isnull=False)
    found = []
    for month in months.select_related("workspace"):
        limit = month.workspace.monthly_budget
        state = BudgetState(limit=limit, spent=month.spent, held=month.held, starts_on=month.starts_on)
        if state.is_near:
            found.append((month.workspace, state))
    return sorted(found, key=lambda pair: -pair[1].percent)


def find_stop(workspace: Workspace) -> SpendingStop | None:
    """Return the stop of spending that holds for a workspace, the one for all workspaces first."""
    return in_order(stops_of(workspace)).first()


def stops_of(workspace: Any) -> QuerySet[SpendingStop]:
    """Return the stops of spending that hold for a workspace, or for the one an outer query names."""
    return SpendingStop.objects.filter(Q(workspace=None) | Q(workspace=workspace), lifted_at=None)


def others_beside(stop: SpendingStop) -> QuerySet[SpendingStop]:
    """Return the other stops that hold where this one does or did."""
    same = stops_of(stop.workspace) if stop.workspace else SpendingStop.objects.filter(lifted_at=None)
    return in_order(same.exclude(pk=stop.pk).select_related("workspace"))


def in_order(stops: QuerySet[SpendingStop]) -> QuerySet[SpendingStop]:
    """Return stops of spending in the order in which they are told, those for all workspaces first."""
    return stops.order_by(F("workspace").asc(nulls_first=True), "at")


@cache
def months_to_hold() -> QuerySet[BudgetMonth]:
    """Return the query for months with what decides whether something fits; made once, because making it takes long.

    The limit is as it is now: the workspace of a request may be as old as its upload took.
    """
    is_stopped = Exists(stops_of(OuterRef("workspace")))
    return BudgetMonth.objects.annotate(limit=F("workspace__monthly_budget"), is_stopped=is_stopped)


def stop_spending(*, workspace: Workspace | None, why: str, by: User) -> SpendingStop:
    """Stop all spending of a workspace, or of all of them: nothing is sent until it is lifted."""
    stop = SpendingStop.objects.create(workspace=workspace, why=why, by=by)
    logger.warning("spending stopped workspace=%s by=%s why=%s", workspace or "all", by.pk, why)
    return stop


def lift(stop: SpendingStop, *, why: str, by: User) -> bool:
    """Let spending go on, and keep who decided it and why; False when it goes on already."""
    now = timezone.now()
    lifted = SpendingStop.objects.filter(pk=stop.pk, lifted_at=None).update(lifted_at=now, lifted_by=by, lifted_why=why)
    if lifted:
        logger.warning("spending goes on workspace=%s by=%s why=%s", stop.workspace or "all", by.pk, why)
    return bool(lifted)


def hold(
    *,
    workspace: Workspace,
    key: uuid.UUID,
    price: Price,
    run_id: uuid.UUID,
    reference: str,
    what: str,
    kind: str = LineKind.RUN,
) -> LedgerLine:
    """Hold the most that a run may cost; raises SpendingRefused where it does not fit or spending is stopped.

    One UPDATE decides and counts: of many at once, the database lets through as many as fit.
    """
    starts_on = this_month()  # once: a moment later it may be another one
    months = months_to_hold().filter(workspace_id=workspace.pk, starts_on=starts_on)
    month: Any = months.first()
    if month is None:
        BudgetMonth.objects.get_or_create(workspace_id=workspace.pk, starts_on=starts_on)
        month = months.get()
    if month.is_stopped and (stop := find_stop(workspace)):
        raise SpendingStopped(stop)
    limit = month.limit
    fitting = BudgetMonth.objects.filter(pk=month.pk)
    if limit is not None:
        # Rounded, because SQLite counts in binary fractions.
        after = Round(F("held") + F("spent") + Value(price.amount), precision=2)
        fitting = fitting.alias(after=after).filter(after__lte=limit)
    if not fitting.update(held=Round(F("held") + price.amount, precision=2)):
        month.refresh_from_db()
        raise OverBudget(BudgetState(limit=limit, spent=month.spent, held=month.held, starts_on=month.starts_on), price)
    return LedgerLine.objects.create(
        id=key,
        month=month,
        kind=kind,
        state=LineState.HELD,
        run_id=run_id,
        reference=reference,
        what=what[:300],
        expected=price.expected,
        least=price.least,
        most=price.most,
        outputs=price.outputs,
        amount=price.amount,
        held=price.amount,
    )


def hold_again(key: uuid.UUID) -> None:
    """Hold for a run that goes on after all; without asking whether it fits, because Lamina has it."""
    with transaction.atomic(savepoint=False):
        line = _locked(key)
        if line is not None and line.state == LineState.RELEASED:
            _write(line, held=line.amount, settled=line.settled, state=LineState.HELD)


def release(key: uuid.UUID) -> None:
    """Hold nothing more for something that certainly cost nothing."""
    with transaction.atomic(savepoint=False):
        line = _locked(key)
        if line is not None:
            _write(line, held=Decimal(0), settled=Decimal(0), state=LineState.RELEASED)


def settle(key: uuid.UUID, *, made: int | None) -> None:
    """Count what a run came to, by how many outputs it made; None counts it as a whole.

    Lamina tells nobody what one run cost: this is its estimate, in proportion. Called again with
    later news it counts the difference; a line that is exact already stays as it is.
    """
    with transaction.atomic(savepoint=False):
        line = _locked(key)
        if line is not None and not line.is_exact:
            _write(line, held=Decimal(0), settled=_cost(line, made), state=LineState.SETTLED)


def count_second(key: uuid.UUID, *, run_id: uuid.UUID, lamina_run_id: str, made: int | None) -> None:
    """Count a run that Lamina began a second time for one of ours; it is never refused, because it is spent."""
    with transaction.atomic(savepoint=False):
        first = LedgerLine.objects.filter(pk=run_id).first()
        if first is None:
            return
        same = {name: getattr(first, name) for name in ("reference", "what", "expected", "least", "most", "outputs")}
        month, _created = BudgetMonth.objects.get_or_create(
            workspace_id=first.month.workspace_id, starts_on=this_month()
        )
        LedgerLine.objects.get_or_create(
            id=key,
            defaults={
                "month": month,
                "run_id": run_id,
                "kind": LineKind.SECOND,
                "lamina_run_id": lamina_run_id,
                "state": LineState.SETTLED,
                "amount": first.amount,
                **same,
            },
        )
        LedgerLine.objects.filter(pk=key, lamina_run_id="").update(lamina_run_id=lamina_run_id)
        settle(key, made=made)


def make_exact(key: uuid.UUID, amount: Decimal) -> None:
    """Count for a run what Lamina itself has counted."""
    with transaction.atomic(savepoint=False):
        line = _locked(key)
        if line is not None and line.state == LineState.SETTLED:
            _write(line, held=Decimal(0), settled=amount, state=LineState.SETTLED, is_exact=True)


def correct(workspace: Workspace, amount: Decimal, *, month: BudgetMonth | None) -> None:
    """Add what Lamina has counted beyond the ledger, or take away what it has not, in a line that says so."""
    with transaction.atomic(savepoint=False):
        if month is None:
            month, _created = BudgetMonth.objects.get_or_create(workspace=workspace, starts_on=this_month())
        line = LedgerLine.objects.create(month=month, kind=LineKind.CORRECTION, state=LineState.SETTLED)
        _write(line, held=Decimal(0), settled=amount, state=LineState.SETTLED, is_exact=True)


def _locked(key: uuid.UUID) -> LedgerLine | None:
    return LedgerLine.objects.select_for_update().filter(pk=key).first()


def _cost(line: LedgerLine, made: int | None) -> Decimal:
    """Return the likely cost of so many of the outputs that the estimate is for."""
    if made is None or (made and not line.outputs):
        return line.likely
    if not made:
        return Decimal(0)
    return (line.likely * min(made, line.outputs) / line.outputs).quantize(CENT, ROUND_HALF_UP)


def _write(line: LedgerLine, *, held: Decimal, settled: Decimal, state: str, **changes: Any) -> None:
    """Change a line that is locked, and its month by the difference."""
    more_held, more_spent = held - line.held, settled - line.settled
    changes |= {"held": held, "settled": settled, "state": state}
    if all(getattr(line, name) == value for name, value in changes.items()):
        return
    LedgerLine.objects.filter(pk=line.pk).update(changed_at=timezone.now(), **changes)
    if more_held or more_spent:
        BudgetMonth.objects.filter(pk=line.month_id).update(
            held=Round(F("held") + more_held, precision=2), spent=Round(F("spent") + more_spent, precision=2)
        )


def differences(*, mend: bool = False) -> Iterator[tuple[BudgetMonth, Decimal, Decimal]]:
    """Yield each month whose counters are not the sums of its lines, with those sums; with `mend`, set them right.

    A month is locked while its lines are added up: every change of a line changes its month in the
    same transaction, so what is seen of the one is seen of the other.
    """
    for month_id in BudgetMonth.objects.filter(starts_on__gte=timezone.localdate() - COMPARED_FOR).values_list("pk"):
        with transaction.atomic():
            month = BudgetMonth.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=month_id[0])
            sums = month.lines.aggregate(held=Sum("held"), spent=Sum("settled"))
            held, spent = (Decimal(sums[name] or 0).quantize(CENT) for name in ("held", "spent"))
            if (held, spent) == (month.held, month.spent):
                continue
            if mend:
                BudgetMonth.objects.filter(pk=month.pk).update(held=held, spent=spent)
                logger.error(
                    "budget mended month=%s held=%s->%s spent=%s->%s", month, month.held, held, month.spent, spent
                )
        yield month, held, spent
