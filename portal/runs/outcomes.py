"""What comes of an attempt: Lamina took the run, gave no answer, said no, or was not reached.

Each ends the attempt and moves its run in one transaction, and does neither when the attempt was given
up meanwhile: then the run is not this worker's any more.
"""

import logging
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import (
    InputProblem,
    LaminaAuthError,
    LaminaForbidden,
    LaminaInsufficientCredits,
    LaminaNotFound,
    LaminaResponseError,
    RemoteRun,
)
from portal.runs import track
from portal.runs.models import Attempt, Run
from portal.runs.persist import persistently
from portal.runs.states import Status, Teller
from portal.workspaces.brakes import TRY_EVERY, credits_words, key_words, note_key_refused, note_refusal

logger = logging.getLogger(__name__)

MOST_TRIES = 20  # of what goes wrong before anything is sent
LONGEST_PAUSE_SECONDS = 60
# Outcomes of attempts that are nobody's failure, however often they repeat.
NO_CREDITS = "no credits at Lamina"
SPENDING_STOPPED = "spending was stopped"
NOT_REACHED = "Lamina was not reached"
TOLD_TO_WAIT = "Lamina or the request budget had us wait"
NO_KEY = "the workspace's key cannot be read"
KEY_REFUSED = "Lamina does not accept the key"
EXCUSED = (NO_CREDITS, SPENDING_STOPPED, NOT_REACHED, TOLD_TO_WAIT, NO_KEY, KEY_REFUSED)


def accept(attempt: Attempt, started: RemoteRun) -> Run | None:
    """Record that Lamina took the run, and what it said of it; return the run as that has left it."""
    run = persistently(partial(track.adopt, attempt.run_id, started, told_by=Teller.WORKER, answered=attempt))
    logger.info("run accepted run=%s lamina_run=%s", attempt.run.reference, started.run_id)
    return run


def give_back(attempt: Attempt, outcome: str, *, seconds: float, why: str) -> None:
    """Return a claim: Lamina certainly did not take the run, so it waits for another turn."""
    with transaction.atomic():
        if not attempt.end(outcome):
            return
        again = timezone.now() + timedelta(seconds=seconds)
        attempt.run.wait_again(told_by=Teller.WORKER, why=why, next_at=again, not_before=again)


def wait_for_credits(attempt: Attempt, error: LaminaInsufficientCredits) -> None:
    """Keep a run that Lamina refused for want of credits, and the key's other runs, until there are more."""
    with transaction.atomic():
        note_refusal(attempt.run.workspace)
        _wait_behind_brake(attempt, NO_CREDITS, credits_words())
    logger.warning("run waits for credits run=%s lamina_request=%s", attempt.run.reference, error.request_id)


def wait_for_key(attempt: Attempt, error: LaminaAuthError) -> None:
    """Keep a run whose key Lamina does not accept, and the key's other runs, until it does or there is another key."""
    with transaction.atomic():
        note_key_refused(attempt.run.workspace)
        _wait_behind_brake(attempt, KEY_REFUSED, key_words())
    logger.warning("run waits for its key run=%s lamina_request=%s", attempt.run.reference, error.request_id)


def _wait_behind_brake(attempt: Attempt, outcome: str, why: str) -> None:
    """Return a claim until its brake is released: whoever sees to that wakes the run."""
    if attempt.end(outcome):
        again = timezone.now() + TRY_EVERY
        attempt.run.wait_again(told_by=Teller.WORKER, why=why, held_up=why, next_at=again, not_before=again)


def refuse(attempt: Attempt, problems: tuple[InputProblem, ...]) -> None:
    """Hand the run back to its person: these inputs are not taken, and nothing was spent."""
    with transaction.atomic():
        if not attempt.end("inputs refused"):
            return
        run = attempt.run
        run.refresh_from_db(fields=["status", "cancel_asked_at"])
        if run.cancel_asked_at:
            run.move(Status.CANCELLED, told_by=Teller.PERSON, why=_("Cancelled. Lamina does not have it."))
            return
        run.move(
            Status.NEEDS_ATTENTION,
            told_by=Teller.WORKER,
            why=_("The app does not take these inputs."),
            problems=[{"param": p.param, "code": p.code, "message": p.message} for p in problems],
        )


def leave_unconfirmed(attempt: Attempt, *, why: str) -> None:
    """Record that the request went out and no answer came: it may or may not exist at Lamina."""
    with transaction.atomic():
        if not attempt.end(f"no answer: {why}", unanswered=True):
            return
        attempt.run.refresh_from_db()
        attempt.run.move(
            Status.UNCONFIRMED, told_by=Teller.WORKER, why=_("Sent, and no answer came."), next_at=timezone.now()
        )
    logger.warning("run unconfirmed run=%s error=%s", attempt.run.reference, why)


def fail(attempt: Attempt, error: LaminaResponseError) -> None:
    """Record that Lamina said no; nothing was started and nothing spent."""
    code = "app_gone" if isinstance(error, LaminaNotFound | LaminaForbidden) else "refused"
    with transaction.atomic():
        if not attempt.end(f"refused: {error.code or error.status_code}"):
            return
        attempt.run.move(
            Status.FAILED, told_by=Teller.WORKER, why=str(error)[:500], error=str(error)[:2000], error_code=code
        )
    logger.warning("run refused run=%s code=%s lamina_request=%s", attempt.run.reference, error.code, error.request_id)


def give_up(attempt: Attempt) -> None:
    """Fail a run that something on our side keeps from being sent, before anything was spent."""
    why = _("Something on our side kept it from being sent.")
    with transaction.atomic():
        if not attempt.end("given up"):
            return
        attempt.run.move(Status.FAILED, told_by=Teller.WORKER, why=why, error=why, error_code="ours")


def pause_after(run: Run) -> float:
    """Return how long to wait before the next attempt, in seconds: doubling up to a minute."""
    return float(min(LONGEST_PAUSE_SECONDS, 2 ** min(run.attempts.count(), 6)))


def tries_of(run: Run) -> int:
    """Return how many attempts something went wrong with."""
    return run.attempts.exclude(outcome__in=EXCUSED).count()
