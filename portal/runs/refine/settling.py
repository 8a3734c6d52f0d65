"""Find out what came of wishes whose answer or worker was lost: by what Lamina shows, or on a person's word."""

import logging
import uuid
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaAuthError, LaminaError, Lane, RemoteRun
from portal import trace
from portal.runs.models import Refinement
from portal.runs.models import RefinementState as State
from portal.runs.refine.outcomes import (
    ASK_AGAIN_SECONDS,
    fail,
    finish,
    give_back,
    is_other,
    leave_unconfirmed,
)
from portal.runs.states import Teller
from portal.runs.track import note
from portal.runs.waiting_words import ours_words
from portal.workspaces.brakes import ids_of_refused_keys, note_key_refused
from portal.workspaces.lamina import client_for
from portal.workspaces.models import User

logger = logging.getLogger(__name__)

# The answer may take ten minutes; what Lamina does not show after half an hour is not coming.
GIVE_UP = timedelta(minutes=30)


def release_lost() -> None:
    """Settle wishes whose worker is gone: unsent ones wait again, sent ones are looked for."""
    lost = Refinement.objects.filter(state=State.SENDING, lease_until__lt=timezone.now()).select_related("run")
    for refinement in lost[:100]:
        if refinement.sent_at is None:
            give_back(refinement, 0, ours_words())
        else:
            leave_unconfirmed(refinement, why="its worker was lost")


def settle_unconfirmed() -> list[uuid.UUID]:
    """Compare what Lamina shows with what we have; return the runs there was news of."""
    due = Refinement.objects.filter(state=State.UNCONFIRMED, next_at__lte=timezone.now())
    due = due.exclude(run__workspace_id__in=ids_of_refused_keys()).order_by("next_at")
    told = []
    for refinement in due.select_related("run__workspace")[:20]:
        pause = timedelta(seconds=ASK_AGAIN_SECONDS)
        Refinement.objects.filter(pk=refinement.pk).update(next_at=timezone.now() + pause)
        try:
            with trace.about(refinement.run), client_for(refinement.run.workspace, lane=Lane.TRACKING) as client:
                remote = client.runs.get(refinement.run.lamina_run_id or "")
        except LaminaAuthError:
            note_key_refused(refinement.run.workspace)
            continue
        except LaminaError as error:
            logger.warning("refinement not asked after run=%s error=%s", refinement.run.reference, error)
            continue
        if _settle(refinement, remote):
            told.append(refinement.run_id)
    return told


def _settle(refinement: Refinement, remote: RemoteRun) -> bool:
    if not remote.is_terminal:
        return False
    news = [output for output in remote.outputs if output.is_usable and is_other(refinement, output, careful=True)]
    if news:
        finish(refinement, news, told_by=Teller.SWEEP)
        return True
    if refinement.sent_at and timezone.now() - refinement.sent_at > GIVE_UP:
        why = _("No answer came, and Lamina shows nothing new. It does not say whether it charged.")
        return fail(refinement, why, code="unanswered", told_by=Teller.SWEEP)
    return False


def settle_by_staff(refinement: Refinement, *, person: User, reason: str) -> bool:
    """Close a wish of which nobody knows what came, on a person's word; False when it is not such a one."""
    if refinement.state != State.UNCONFIRMED:
        return False
    why = _("No answer came, and support has closed it. Nobody knows whether Lamina charged.")
    with transaction.atomic():
        closed = fail(refinement, why, code="staff", told_by=Teller.STAFF)
        if closed:
            told = _("%(person)s says: nothing came of the change. %(reason)s") % {"person": person, "reason": reason}
            note(refinement.run, Teller.STAFF, told)
    return closed
