"""Start runs: an intent becomes one row, a claimed row becomes one call.

Asking after runs is in track, looking for lost answers in reconcile. The rule that pays for
everything here: once an attempt may have reached Lamina, nobody sends it again without proof that
it did not arrive.
"""

import logging
import uuid
from datetime import timedelta
from functools import cache, partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import (
    LaminaAuthError,
    LaminaAway,
    LaminaBudgetSpent,
    LaminaForbidden,
    LaminaInsufficientCredits,
    LaminaInvalidInputs,
    LaminaNotFound,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
    RemoteRun,
)
from portal import trace
from portal.catalogue.models import PinnedApp, SchemaVersion
from portal.runs import callbacks, costs, lanes, track
from portal.runs.leases import LEASE_SECONDS, renewed
from portal.runs.models import Attempt, Callback, Run, RunLane
from portal.runs.outcomes import (
    LONGEST_PAUSE_SECONDS,
    MOST_TRIES,
    NO_KEY,
    NOT_REACHED,
    SPENDING_STOPPED,
    TOLD_TO_WAIT,
    accept,
    fail,
    give_back,
    give_up,
    leave_unconfirmed,
    pause_after,
    refuse,
    tries_of,
    wait_for_credits,
    wait_for_key,
)
from portal.runs.preparing import labels_to_send, prepare
from portal.runs.recording import record
from portal.runs.states import FINAL, NOT_CANCELLABLE, Status, Teller
from portal.runs.waiting_words import away_words, busy_words, ours_words, unreachable_words, unreadable_words
from portal.workspaces.brakes import (
    find_brake,
    fingerprint_of,
    may_be_braked,
    stopped_words,
)
from portal.workspaces.budgets import find_stop, stops_of
from portal.workspaces.lamina import KeyUnreadable, client_for
from portal.workspaces.models import Membership

logger = logging.getLogger(__name__)

NUDGE_GRACE_SECONDS = 5  # the sweep leaves a new run to the message that was sent with it
UPLOAD_REFUSED = "UPLOAD_REFUSED"


def submit(
    *,
    member: Membership,
    pin: PinnedApp,
    schema: SchemaVersion,
    inputs: dict[str, Any],
    outputs_wanted: list[str],
    token: uuid.UUID,
    retry_of: Run | None = None,
    lane: str = RunLane.INTERACTIVE,
) -> Run:
    """Record the run a form asks for, once per form token; a worker sends it.

    The form's draft goes with it. What the form has started before is returned instead, and is not new.
    Raises SpendingRefused when the budget has no room for it or spending is stopped, and MendedAlready when
    the run that it mends does not wait for that any more; then nothing is saved.
    """
    now = timezone.now()
    run = Run(
        workspace=member.workspace,
        token=token,
        created_by=member.user,
        pin=pin,
        app=pin.app,
        schema=schema,
        inputs=inputs,
        outputs_wanted=outputs_wanted,
        retry_of=retry_of,
        lane=lane,
        request_id=trace.request_id(),
        # Nobody nudges a row of a batch: the sweep hands them out, a few at a time.
        next_at=now + timedelta(seconds=NUDGE_GRACE_SECONDS if lane == RunLane.INTERACTIVE else 0),
    )
    try:
        with transaction.atomic():
            record(run, draft_of=member)
    except IntegrityError:
        # The form was sent before, or at this moment by somebody faster; anything else is a fault of ours.
        before = Run.objects.filter(workspace=member.workspace, token=token).first()
        if before is None:
            raise
        return before
    run.is_new = True
    logger.info("run submitted run=%s lane=%s", run.reference, run.lane)
    return run


def send(run_id: uuid.UUID) -> Run | None:
    """Send one waiting run to Lamina and return it as accepted; does nothing when another worker has it or had it."""
    attempt = claim(run_id)
    if attempt is None:
        return None
    with trace.about(attempt.run):
        with renewed(partial(renew, attempt)):
            started = _call(attempt)
        return accept(attempt, started) if started is not None else None


def _call(attempt: Attempt) -> RemoteRun | None:
    """Tell Lamina, and record every way in which that can go wrong; None when there is nothing to accept."""
    run = attempt.run
    try:
        with client_for(run.workspace, lane=Lane(run.lane)) as client:
            app, sendable = prepare(run, client)
            webhook = callbacks.url_of(attempt)
            if not mark_sent(attempt, callback=Callback.ASKED if webhook else ""):
                return None
            return client.runs.start(
                run.app.lamina_id,
                sendable,
                outputs=labels_to_send(run.outputs_wanted, app),
                webhook=webhook,
            )
    except KeyUnreadable:
        logger.error("run not sent, its workspace's key cannot be read run=%s", run.reference)
        why = unreadable_words()
        give_back(attempt, NO_KEY, seconds=LONGEST_PAUSE_SECONDS, why=why)
    except LaminaAway as error:
        why = away_words()
        give_back(attempt, NOT_REACHED, seconds=min(error.retry_after, lanes.LOOK_AGAIN_SECONDS), why=why)
    except (LaminaRateLimited, LaminaBudgetSpent) as error:
        give_back(attempt, TOLD_TO_WAIT, seconds=error.retry_after, why=busy_words())
    except LaminaInsufficientCredits as error:
        wait_for_credits(attempt, error)
    except LaminaForbidden as error:
        fail(attempt, error)
    except LaminaAuthError as error:
        wait_for_key(attempt, error)
    except LaminaInvalidInputs as error:
        if error.code == callbacks.REFUSED_CODE:
            callbacks.note_refused(attempt)
            why = _("Lamina could not take our address for its news; it is sent without one.")
            give_back(attempt, "our address was refused", seconds=0, why=why)
        else:
            refuse(attempt, error.problems)
    except LaminaUnreachable as error:
        if attempt.sent_at is None or not error.maybe_sent:
            why = unreachable_words()
            give_back(attempt, NOT_REACHED, seconds=pause_after(run), why=why)
        else:
            leave_unconfirmed(attempt, why=str(error))
    except LaminaResponseError as error:
        if (error.retryable or error.code == UPLOAD_REFUSED) and tries_of(run) < MOST_TRIES:
            give_back(attempt, str(error), seconds=pause_after(run), why=str(error)[:300])
        else:
            fail(attempt, error)
    except Exception as error:
        # A fault of ours, such as a file that is gone: never left to look as if somebody were at it.
        logger.exception("run not sent run=%s", run.reference)
        if attempt.sent_at is not None:
            leave_unconfirmed(attempt, why=repr(error))
        elif tries_of(run) < MOST_TRIES:
            why = ours_words()
            give_back(attempt, repr(error), seconds=pause_after(run), why=why)
        else:
            give_up(attempt)
    return None


@cache
def runs_to_claim() -> QuerySet[Run]:
    """Return the query for runs with all that sending takes; made once, because making it takes as long as asking."""
    runs = Run.objects.select_related("workspace", "app__schema").defer("app__schema__detail")
    return runs.annotate(may_be_braked=may_be_braked(), was_refused=callbacks.was_refused(OuterRef("pk")))


@cache
def runs_that_may_go() -> QuerySet[Run]:
    """Return the query for runs that nothing keeps from being sent; made once as well."""
    is_stopped = Exists(stops_of(OuterRef("workspace")))
    return Run.objects.filter(~is_stopped, cancel_asked_at=None, status=Status.SUBMITTING)


def claim(run_id: uuid.UUID) -> Attempt | None:
    """Make a waiting run this worker's; None when it is not waiting any more, or is to wait still."""
    with transaction.atomic():
        run: Any = runs_to_claim().get(pk=run_id)
        if run.not_before and run.not_before > timezone.now():
            return None
        if run.cancel_asked_at or run.status != Status.WAITING:
            return None
        if run.not_before and lanes.put_off_while_refused(run):
            return None
        if run.may_be_braked and (why := find_brake(run.workspace, amount_of=partial(costs.amount_of, run.pk))):
            run.hold_up(why)
            return None
        if not run.move(Status.SUBMITTING, told_by=Teller.WORKER, held_up=""):
            # Somebody was faster. What looking for a brake may have written is for a run that is sent.
            transaction.set_rollback(True)
            return None
        lease = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        attempt = Attempt.objects.create(run=run, lease_until=lease)
    attempt.without_callback = run.was_refused
    return attempt


def renew(attempt: Attempt) -> None:
    """Say that this attempt's worker is alive."""
    lease = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    Attempt.objects.filter(pk=attempt.pk, closed_at=None).update(lease_until=lease)


def mark_sent(attempt: Attempt, *, callback: str = "") -> bool:
    """Write down that the request leaves now; False when it must not: given up, cancelled, or spending is stopped."""
    now = timezone.now()
    lease = now + timedelta(seconds=LEASE_SECONDS)
    with transaction.atomic():
        if not Attempt.objects.filter(pk=attempt.pk, closed_at=None).update(
            sent_at=now,
            lease_until=lease,
            callback=callback,
            unanswered=True,
            key_mark=fingerprint_of(attempt.run.workspace),
        ):
            return False
        if not runs_that_may_go().filter(pk=attempt.run_id).update(sent_at=now):
            _keep_back(attempt)
            return False
    attempt.sent_at = attempt.run.sent_at = now
    return True


def _keep_back(attempt: Attempt) -> None:
    """Close an attempt whose request must not leave, and say in the run's history why."""
    run = attempt.run
    Attempt.objects.filter(pk=attempt.pk).update(sent_at=None, unanswered=False)
    run.refresh_from_db(fields=["status", "cancel_asked_at"])
    if run.cancel_asked_at:
        attempt.close("cancelled before it was sent")
        run.move(Status.CANCELLED, told_by=Teller.PERSON, why=_("Cancelled before it was sent."))
    elif run.status != Status.SUBMITTING:
        attempt.close("the run went on without it")
    else:
        attempt.close(SPENDING_STOPPED)
        stop = find_stop(run.workspace)
        why = stopped_words(stop) if stop else _("Spending was stopped for a moment.")
        run.wait_again(told_by=Teller.WORKER, why=why, held_up=why)


def cancel(run: Run) -> None:
    """Note that a person wants the run to end; one that nobody is sending ends at once.

    Asked for again, Lamina is asked again soon.
    """
    now = timezone.now()
    with transaction.atomic():
        # Locked, because a worker may be moving it at this moment.
        row = Run.objects.select_for_update().get(pk=run.pk)
        if row.is_final:
            return
        Run.objects.filter(pk=row.pk).update(
            cancel_asked_at=row.cancel_asked_at or now, cancel_next_at=now + timedelta(seconds=NUDGE_GRACE_SECONDS)
        )
        if row.status in {Status.WAITING, Status.NEEDS_ATTENTION}:
            row.move(Status.CANCELLED, told_by=Teller.PERSON, why=_("Cancelled before it was sent."))
        row.touch()
    with trace.about(run):
        logger.info("cancel asked for run=%s status=%s", run.reference, run.status)


def cancel_at_lamina(run_id: uuid.UUID) -> None:
    """Tell Lamina to stop a run; what Lamina says of it is what we say. Raises LaminaError.

    One that ended here and was found at Lamina afterwards is stopped there, too.
    """
    run = Run.objects.select_related("workspace").get(pk=run_id)
    if not run.lamina_run_id or (run.is_final and run.cancel_next_at is None):
        return
    ended_here = Run.objects.filter(pk=run_id, status__in=FINAL)
    with trace.about(run), client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
        try:
            answer = client.runs.cancel(run.lamina_run_id)
        except LaminaNotFound:
            ended_here.update(cancel_next_at=None)
            raise
        changes: dict[str, Any] = {"cancel_answer": answer[:50]}
        if answer == NOT_CANCELLABLE:
            changes["cancel_next_at"] = None
        Run.objects.filter(pk=run_id).update(**changes)
        run.touch()
        remote = client.runs.get(run.lamina_run_id)
    track.apply(run_id, remote, told_by=Teller.WORKER)
    if remote.is_terminal:
        ended_here.update(cancel_next_at=None)
