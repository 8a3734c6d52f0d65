"""The sweep that could settle everything alone: rows that should have moved are found and nudged.

Nothing here depends on a message having arrived: a lost queue, a killed worker and a silent Lamina
all end as rows whose time has come.
"""

import logging
import uuid
from collections import defaultdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaAuthError, LaminaClient, LaminaError, Lane, Page, RemoteRun, RunSummary
from portal.runs import costs, track
from portal.runs.models import OPEN_REFINEMENTS, Attempt, Delivery, KnownRemote, Refinement, Run
from portal.runs.states import ACTIVE, Status, Teller
from portal.workspaces import budgets
from portal.workspaces.brakes import fingerprint_of, ids_of_refused_keys, note_key_refused
from portal.workspaces.lamina import client_for, key_of
from portal.workspaces.models import LedgerLine, LineKind

logger = logging.getLogger(__name__)

CLOCK_SKEW = timedelta(seconds=10)
ANSWER_WINDOW = timedelta(seconds=60)  # longer than the client waits for the answer to a start
WIDE = timedelta(hours=1)  # how wrong two clocks may be before proof that a run is not there is no proof
GRACE = timedelta(seconds=120)
LOOK_AGAIN_SECONDS = 15
PAGES = 5
CANCEL_AGAIN_AFTER = timedelta(seconds=5)
CANCEL_AGAIN_WITHIN = timedelta(minutes=10)
SETTLED_WITHIN = timedelta(seconds=10)  # a hold younger than that belongs to a transaction that is on its way


def runs_to_cancel() -> list[uuid.UUID]:
    """Return runs at Lamina that a person wants to end, for as long as they go on there.

    Each is asked about at twice the pause before, up to ten minutes. Runs that nobody is sending
    although their end was asked for, at the very moment they were handed back, end here.
    """
    now = timezone.now()
    handed_back = Run.objects.filter(status__in=[Status.WAITING, Status.NEEDS_ATTENTION])
    for run in handed_back.filter(cancel_asked_at__isnull=False)[:200]:
        run.move(Status.CANCELLED, told_by=Teller.SWEEP, why=_("Cancelled before it was sent."))
    due = Run.objects.filter(cancel_next_at__lte=now, lamina_run_id__isnull=False)
    return [run.pk for run in due.order_by("cancel_next_at")[:50] if put_off_cancel(run)]


def put_off_cancel(run: Run) -> bool:
    """Leave a cancel that is due to its message for a moment; False when somebody else did, or it is not due."""
    now = timezone.now()
    # Nobody could be asked before Lamina's id was known.
    age = now - max((at for at in (run.cancel_asked_at, run.accepted_at) if at), default=now)
    again = now + min(max(age, CANCEL_AGAIN_AFTER), CANCEL_AGAIN_WITHIN)
    due = Run.objects.filter(pk=run.pk, cancel_next_at=run.cancel_next_at, cancel_next_at__lte=now)
    return bool(due.update(cancel_next_at=again))


def release_lost_attempts() -> None:
    """Settle attempts whose worker is gone: unsent ones wait again, sent ones are looked for."""
    lost = Attempt.objects.filter(closed_at=None, lease_until__lt=timezone.now()).select_related("run")
    for attempt in lost[:200]:
        with transaction.atomic():
            # The worker may be slow and not gone: whoever closes the attempt first decides.
            closed = Attempt.objects.filter(pk=attempt.pk, closed_at=None, sent_at=attempt.sent_at)
            if closed.update(closed_at=timezone.now(), outcome="its worker was lost"):
                _release(attempt.run, was_sent=attempt.sent_at is not None)
    stranded = Run.objects.filter(status=Status.SUBMITTING).exclude(attempts__closed_at=None)
    for run in stranded[:200]:
        run.attempts.filter(sent_at=run.sent_at, sent_at__isnull=False).update(unanswered=True)
        _release(run, was_sent=run.sent_at is not None)


def _release(run: Run, *, was_sent: bool) -> None:
    if was_sent:
        why = _("Its worker was lost while it was sent.")
        run.move(Status.UNCONFIRMED, told_by=Teller.SWEEP, why=why, next_at=timezone.now())
    else:
        run.wait_again(told_by=Teller.SWEEP, why=_("Its worker was lost before it was sent."))


def settle_unconfirmed() -> None:
    """Look among Lamina's runs for those that were sent and never answered.

    A run there that is not one of ours, of the same app and from the right moment, is ours when no
    other of our unanswered attempts could be meant, whatever became of their runs since. One goes
    back to waiting, once, only when the grace time is over and a complete list has nothing that
    could be it. Everything else stays as it is and is shown to staff: a second payment is worse
    than a run that waits.
    """
    due = Run.objects.filter(status=Status.UNCONFIRMED, next_at__lte=timezone.now(), sent_at__isnull=False)
    # A key that Lamina does not accept tells nothing.
    due = due.exclude(workspace_id__in=ids_of_refused_keys())
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in due.select_related("workspace", "app").order_by("next_at")[:200]:
        groups[key_of(run.workspace), run.app.lamina_id].append(run)
    for runs in groups.values():
        try:
            with client_for(runs[0].workspace, lane=Lane.TRACKING) as client:
                _settle_group(runs, client)
        except LaminaAuthError:
            note_key_refused(runs[0].workspace)
        except LaminaError as error:
            logger.warning("unconfirmed runs not looked for count=%d error=%s", len(runs), error)
        except Exception as error:
            # One app's odd answers never keep the others waiting.
            logger.exception("unconfirmed runs not looked for count=%d error=%r", len(runs), error)


def _settle_group(runs: list[Run], client: LaminaClient) -> None:
    oldest = min(run.sent_at for run in runs if run.sent_at)
    asked_at = timezone.now()
    for run in runs:
        run.look_again_in(LOOK_AGAIN_SECONDS)
    unclaimed, is_complete = strangers(runs[0].app.lamina_id, oldest - WIDE, client)
    told = _told_of(runs[0].app_id, oldest - WIDE, unclaimed)
    unanswered = _unanswered_like(runs[0], oldest - WIDE)
    for run in runs:
        candidates = [
            summary
            for summary in unclaimed
            if _fits(run.sent_at, summary) and told.get(summary.run_id, run.pk) == run.pk
        ]
        rivals = {other.run_id for other in unanswered if any(_may_have_begun(other, each, run) for each in candidates)}
        if len(candidates) == 1 and rivals <= {run.pk}:
            logger.info("unconfirmed run found run=%s lamina_run=%s", run.reference, candidates[0].run_id)
            remote = client.runs.get(candidates[0].run_id)
            track.adopt(run.pk, remote, told_by=Teller.SWEEP)
            note_answered(run, remote)
        elif (
            is_complete
            and (run.cancel_asked_at or not run.resends)
            and not any(could_be(run, summary) for summary in unclaimed)
            and asked_at - _lost_at(run) > GRACE
            and not _was_sent_with_another_key(run)
        ):
            run.wait_again(
                told_by=Teller.SWEEP,
                why=_("Lamina has no such run, so it is sent once more."),
                resends=run.resends + 1,
                next_at=asked_at,
            )


def _lost_at(run: Run) -> datetime:
    """Return since when no worker waits for an answer any more.

    One that was suspended, or whose clock is behind, may have sent its request long after it said it would.
    """
    closed_at = run.attempts.aggregate(at=Max("closed_at"))["at"]
    return max(at for at in (run.sent_at, closed_at, run.created_at) if at)


def _was_sent_with_another_key(run: Run) -> bool:
    """Return whether today's key may be another account's than the one it was sent with, whose runs it cannot list."""
    return run.attempts.exclude(key_mark__in=["", fingerprint_of(run.workspace)]).exists()


def strangers(app_id: str, since: datetime, client: LaminaClient) -> tuple[list[RunSummary], bool]:
    """Return Lamina's runs of an app since a moment that no run of ours claims, and whether that is all of them."""
    found: list[RunSummary] = []
    total, is_total_known = 0, True
    for number in range(PAGES):
        page = _listed_page(app_id, since, number, client)
        found.extend(page.items)
        total = max(page.total, page.offset + len(page.items))
        is_total_known &= page.is_total_known
        if 100 * (number + 1) >= total:
            break
    ids = {item.run_id for item in found}
    ours = set(Run.objects.filter(lamina_run_id__in=ids).values_list("lamina_run_id", flat=True))
    ours |= set(KnownRemote.objects.filter(pk__in=ids).values_list("pk", flat=True))
    # What could not be read, or was pushed off its page, counts in the total and is not among the ids.
    return [item for item in found if item.run_id not in ours], is_total_known and len(ids) >= total


def _listed_page(app_id: str, since: datetime, number: int, client: LaminaClient) -> Page[RunSummary]:
    return client.runs.list(app_id=app_id, since=since, limit=100, offset=100 * number)


def _unanswered_like(run: Run, since: datetime) -> list[Attempt]:
    """Return the attempts of which nobody knows what became and that Lamina would list with the same key and app.

    Whatever their runs are by now: one that was given up, sent once more or cancelled may be at Lamina all the same.
    """
    unanswered = Attempt.objects.filter(unanswered=True, sent_at__gte=since, run__app_id=run.app_id)
    key = key_of(run.workspace)
    return [other for other in unanswered.select_related("run__workspace") if key_of(other.run.workspace) == key]


def _told_of(app_id: int, since: datetime, unclaimed: list[RunSummary]) -> dict[str, uuid.UUID]:
    """Return which of our runs deliveries say that these belong to: they came to an address only one attempt had."""
    ids = [summary.run_id for summary in unclaimed]
    told = Delivery.objects.filter(attempt__run__app_id=app_id, received_at__gte=since, lamina_run_id__in=ids)
    return dict(told.values_list("lamina_run_id", "attempt__run_id"))


def note_answered(run: Run, remote: RemoteRun) -> None:
    """Write down that a run at Lamina came of the attempt that was sent nearest to its beginning."""
    if not Run.objects.filter(pk=run.pk, lamina_run_id=remote.run_id).exists():
        return
    sent = run.attempts.filter(unanswered=True, sent_at__isnull=False).order_by("-sent_at")
    moments = {attempt.pk: attempt.sent_at for attempt in sent if attempt.sent_at}
    began = remote.created_at
    nearest = sorted(moments, key=lambda pk: abs(moments[pk] - began)) if began else list(moments)
    Attempt.objects.filter(pk__in=nearest[:1]).update(unanswered=False)


def _fits(sent_at: datetime | None, summary: RunSummary) -> bool:
    """Return whether the moment is so right that it is what was sent then, if nothing else could be."""
    if summary.created_at is None or sent_at is None:
        return False
    return sent_at - CLOCK_SKEW <= summary.created_at <= sent_at + ANSWER_WINDOW


def _may_have_begun(attempt: Attempt, summary: RunSummary, run: Run) -> bool:
    """Return whether an attempt may be what a run at Lamina came of, which is about to be taken for this run's.

    Of another workspace's nothing is risked: Lamina may have taken its start long after it was sent.
    """
    if attempt.run.workspace_id == run.workspace_id or not summary.created_at or not attempt.sent_at:
        return _fits(attempt.sent_at, summary)
    return attempt.sent_at - CLOCK_SKEW <= summary.created_at <= attempt.sent_at + WIDE


def could_be(run: Run, summary: RunSummary) -> bool:
    """Return whether it cannot be ruled out that it is this run: clocks differ, and times may be missing."""
    if summary.created_at is None or run.sent_at is None:
        return True
    return abs(summary.created_at - run.sent_at) <= WIDE


def check_budgets() -> int:
    """Settle what is held for runs that have ended, set wrong counters right; return how many were mended.

    Both are done in the transactions that need them; this finds what a fault of ours left behind.
    """
    mended = 0
    for line_id, run_id in loose_holds():
        with transaction.atomic():
            run = Run.objects.select_for_update().filter(pk=run_id).first() if run_id else None
            if run is None or line_id != run_id:
                budgets.settle(line_id, made=None)
            else:
                costs.follow(run, leaving=run.history.values_list("leaving", flat=True).last() or "")
        logger.error("hold outlived its run line=%s run=%s", line_id, run or run_id)
        mended += 1
    return mended + sum(1 for _month in budgets.differences(mend=True))


def loose_holds() -> list[tuple[uuid.UUID, uuid.UUID | None]]:
    """Return the ledger lines that hold for something that has ended or is gone, each with the run's id."""
    old = LedgerLine.objects.filter(held__gt=0, changed_at__lt=timezone.now() - SETTLED_WITHIN)
    active = Run.objects.filter(pk=OuterRef("run_id"), status__in=ACTIVE)
    runs = old.filter(~Exists(active), kind=LineKind.RUN)
    # A refinement's line has a key of its own; a run has one open refinement at most.
    open_ones = Refinement.objects.filter(run=OuterRef("run_id"), state__in=OPEN_REFINEMENTS)
    refinements = old.filter(~Exists(open_ones), kind=LineKind.REFINEMENT)
    return list((runs | refinements).values_list("pk", "run_id")[:200])
