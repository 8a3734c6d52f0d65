"""Decide by hand what became of a run that was sent and never answered; staff say why, and it is kept who did.

Each decision may cost credits or hide a run that was paid for, so none is made without a reason, and
what Lamina can be asked is asked first. Looking for such runs without a person is in reconcile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaError, LaminaNotFound, Lane
from portal.runs import track
from portal.runs.models import Run
from portal.runs.reconcile import WIDE, could_be, note_answered, strangers
from portal.runs.states import Status, Teller
from portal.workspaces.lamina import client_for
from portal.workspaces.models import User

UNANSWERED = "unanswered"


class SettleRefused(Exception):
    """It cannot be so, with the sentence that tells staff why."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run at Lamina that nobody claims and that could be the one."""

    lamina_run_id: str
    status: str
    created_at: datetime | None
    apart: timedelta | None


def candidates(run: Run) -> list[Candidate]:
    """Return what Lamina lists and no run of ours claims, of the same app and about the same time; the likeliest first.

    Raises SettleRefused when Lamina cannot be asked.
    """
    try:
        with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
            found, _is_complete = strangers(run.app.lamina_id, (run.sent_at or run.created_at) - WIDE, client)
    except LaminaError as error:
        raise SettleRefused(_("Lamina could not be asked: %s") % error) from error
    listed = [
        Candidate(
            lamina_run_id=summary.run_id,
            status=summary.status,
            created_at=summary.created_at,
            apart=abs(summary.created_at - run.sent_at) if summary.created_at and run.sent_at else None,
        )
        for summary in found
        if could_be(run, summary)
    ]
    return sorted(listed, key=lambda candidate: candidate.apart or WIDE)


def join(run: Run, *, lamina_run_id: str, person: User, reason: str) -> None:
    """Join an unconfirmed run with its run at Lamina; raises SettleRefused for one that cannot be it."""
    _check_unconfirmed(run)
    if owner := Run.objects.filter(lamina_run_id=lamina_run_id).first():
        raise SettleRefused(_("That is %s already.") % owner.reference)
    try:
        with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
            remote = client.runs.get(lamina_run_id)
    except LaminaNotFound as error:
        raise SettleRefused(_("Lamina has no run with this id that this workspace's key may see.")) from error
    except LaminaError as error:
        raise SettleRefused(_("Lamina could not be asked: %s") % error) from error
    if remote.app_id and remote.app_id != run.app.lamina_id:
        raise SettleRefused(_("That is a run of another app."))
    if not could_be(run, remote):
        raise SettleRefused(_("That was started more than an hour before or after this one was sent."))
    track.adopt(run.pk, remote, told_by=Teller.STAFF, why=_said(person, _("this is its run"), reason))
    if not Run.objects.filter(pk=run.pk, lamina_run_id=remote.run_id).exists():
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))
    note_answered(run, remote)


def send_once_more(run: Run, *, person: User, reason: str) -> None:
    """Send an unconfirmed run again, on a person's word that Lamina does not have it."""
    _check_unconfirmed(run)
    why = _said(person, _("it never arrived"), reason)
    if not run.wait_again(told_by=Teller.STAFF, why=why, next_at=timezone.now()):
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))


def give_up(run: Run, *, person: User, reason: str) -> None:
    """End an unconfirmed run: it is not looked for any more, and whether it was charged stays unknown."""
    _check_unconfirmed(run)
    why = _said(person, _("it is not looked for any more"), reason)
    if not run.move(Status.FAILED, told_by=Teller.STAFF, why=why, error_code=UNANSWERED):
        raise SettleRefused(_("Somebody else settled it at the same moment. Look at its history."))


def _check_unconfirmed(run: Run) -> None:
    if run.status != Status.UNCONFIRMED:
        raise SettleRefused(_("It is not unconfirmed any more: %s.") % run.get_status_display())


def _said(person: User, what: str, reason: str) -> str:
    return _("%(person)s says: %(what)s. %(reason)s") % {"person": person, "what": what, "reason": reason}
