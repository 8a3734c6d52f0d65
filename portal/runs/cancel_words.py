"""A run's end at a person's wish, in words for people: what a cancel does, and what became of it."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.runs import states
from portal.runs.models import Run
from portal.runs.states import ACTIVE, REMOTE, Status

STOPS_WITHIN = timedelta(minutes=1)


def may_be_cancelled(run: Run) -> bool:
    """Return whether it is not over, so that a cancel is or may become worth offering."""
    return run.status in ACTIVE or run.status == Status.NEEDS_ATTENTION


def can_cancel(run: Run) -> bool:
    """Return whether a cancel still makes sense: once, and again when Lamina takes its time."""
    if not may_be_cancelled(run) or not run.cancel_asked_at:
        return may_be_cancelled(run)
    return is_stopping_slowly(run) and run.cancel_answer != states.NOT_CANCELLABLE


def is_stopping_slowly(run: Run) -> bool:
    """Return whether Lamina was to stop it a while ago and it still goes on."""
    asked_at = run.cancel_asked_at
    return asked_at is not None and run.status in REMOTE and timezone.now() - asked_at > STOPS_WITHIN


def cancel_headline(run: Run) -> str:
    """Return what became of a cancel so far; that Lamina was asked only when it could be."""
    if run.status == Status.UNCONFIRMED:
        return _(
            "Cancelled, but we do not know yet whether Lamina has it. It is stopped there as soon as it is found,"
            " and it is not sent again."
        )
    if run.status not in REMOTE:
        return _("Cancelled while it was being sent. If Lamina takes it, it is stopped there at once.")
    match run.cancel_answer:
        case "":
            return _("We are asking Lamina to stop this run, and go on asking until it answers.")
        case states.NOT_CANCELLABLE:
            return _("Lamina cannot stop this run any more. What it makes comes here.")
    return _("We asked Lamina to stop this run and wait for its answer.")


def cancel_text(run: Run) -> str:
    """Return what a cancel does, and to the credits."""
    if run.cancel_asked_at:
        return _("Lamina has not stopped it yet. We go on asking by ourselves; this asks at once.")
    match run.status:
        case Status.WAITING:
            # The page may be older than the run's state.
            return _(
                "As long as it has not been sent, cancelling costs nothing. If it has been by then, what is"
                " finished stays here and may have been charged."
            )
        case Status.NEEDS_ATTENTION:
            return _("Nothing was sent and nothing was charged. What you filled in is kept.")
        case Status.SUBMITTING:
            return _(
                "It is on its way to Lamina. If Lamina takes it, it is stopped there at once; what is finished by"
                " then stays here and may have been charged."
            )
        case Status.UNCONFIRMED:
            return _(
                "We do not know yet whether Lamina has it. It is stopped there as soon as it is found, and it is"
                " not sent again. What was finished by then may have been charged."
            )
    return _("Lamina stops as soon as it can. What is finished by then stays here and may have been charged.")


def late_text(run: Run) -> str:
    """Return that a cancel was asked for and came too late; empty where none did."""
    if not run.cancel_asked_at or not run.lamina_run_id:
        return ""
    match run.status:
        case Status.COMPLETED:
            return _("A cancel was asked for; it was finished before Lamina could stop it.")
        case Status.FAILED:
            return _("A cancel was asked for; it failed before Lamina could stop it.")
    return ""
