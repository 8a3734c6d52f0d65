"""Ask for a change, or withdraw it: a wish is a row before anybody calls, one for each form, one open a run."""

import logging
import uuid
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.runs import costs
from portal.runs.models import OPEN_REFINEMENTS, WITHDRAWN, Refinement, Run
from portal.runs.models import RefinementState as State
from portal.runs.states import Status, Teller
from portal.runs.track import note
from portal.workspaces import budgets
from portal.workspaces.models import LineKind, Membership, User

logger = logging.getLogger(__name__)

MOST_WORDS = 2000
NUDGE_GRACE_SECONDS = 5


class RefinementRefused(Exception):
    """A wish is not taken, with the sentence that tells a person why; nothing was charged."""


def ask(*, member: Membership, run: Run, words: str, token: uuid.UUID) -> Refinement:
    """Record a wish, once for each form token; a worker sends it.

    Raises RefinementRefused, and SpendingRefused when the budget has no room for what it may cost.
    """
    words = words.replace("\r\n", "\n").replace("\x00", "").strip()
    if known := run.refinements.filter(token=token).first():
        return known
    if not words:
        raise RefinementRefused(_("Say in words what should change."))
    if len(words) > MOST_WORDS:
        raise RefinementRefused(_("Use at most %d characters.") % MOST_WORDS)
    now = timezone.now()
    try:
        with transaction.atomic():
            run = Run.objects.select_for_update(of=("self",)).select_related("app", "workspace").get(pk=run.pk)
            _check_can_be_refined(run)
            refinement = run.refinements.create(
                token=token, words=words, asked_by=member.user, next_at=now + timedelta(seconds=NUDGE_GRACE_SECONDS)
            )
            Run.objects.filter(pk=run.pk).update(refinement=refinement)
            note(run, Teller.PERSON, _("A change was asked for: “%s”") % words[:300])
            run.touch()
            # Last, because it locks the month for everybody until the commit.
            budgets.hold(
                workspace=run.workspace,
                key=refinement.line_id,
                price=costs.price_of(run.app, outputs=run.outputs.filter(is_current=True).count()),
                run_id=run.pk,
                reference=run.reference,
                what=run.title,
                kind=LineKind.REFINEMENT,
            )
    except IntegrityError:
        # The same form came twice at once, or somebody else asks for a change at this moment.
        if known := run.refinements.filter(token=token).first():
            return known
        raise RefinementRefused(_("A change is being made already. Ask for the next one when it is done.")) from None
    return refinement


def _check_can_be_refined(run: Run) -> None:
    if run.status != Status.COMPLETED or not run.lamina_run_id:
        raise RefinementRefused(_("Only a run that is done can be changed."))
    if run.outputs.filter(copy_next_at__isnull=False).exists():
        raise RefinementRefused(_("What was made is still being copied. Ask again in a moment."))
    if run.refinements.filter(state__in=OPEN_REFINEMENTS).exists():
        raise RefinementRefused(_("A change is being made already. Ask for the next one when it is done."))


def withdraw(refinement: Refinement, *, person: User) -> bool:
    """Take back a wish that waits, which then costs nothing; False when it is being sent, was, or is closed."""
    why = _("The change was withdrawn before it was sent. Nothing was charged.")
    waiting = Refinement.objects.filter(pk=refinement.pk, state=State.WAITING)
    run = refinement.run
    with transaction.atomic():
        # First, because whoever locks rows takes the run's first.
        run.touch()
        if not waiting.update(state=State.FAILED, outcome=why, outcome_code=WITHDRAWN, finished_at=timezone.now()):
            transaction.set_rollback(True)
            return False
        budgets.release(refinement.line_id)
        note(run, Teller.PERSON, _("%s withdrew the change before it was sent.") % person.get_short_name())
    logger.info("refinement withdrawn run=%s by=%s", run.reference, person.pk)
    return True
