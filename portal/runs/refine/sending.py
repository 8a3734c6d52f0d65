"""Tell Lamina a wish, once: a claimed wish is one call, whose answer comes only when the work is done."""

import logging
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import (
    LaminaAuthError,
    LaminaAway,
    LaminaBudgetSpent,
    LaminaForbidden,
    LaminaInsufficientCredits,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
    RemoteRun,
)
from lamina_integration.wire import Refinement as LaminaRefinement
from portal import trace
from portal.runs import costs
from portal.runs.held_up import changes_held_back
from portal.runs.lanes import LOOK_AGAIN_SECONDS
from portal.runs.leases import LEASE_SECONDS, renewed
from portal.runs.models import HELD_UP, REFUSED, Refinement
from portal.runs.models import RefinementState as State
from portal.runs.persist import persistently
from portal.runs.refine.outcomes import (
    fail,
    give_back,
    hold_up,
    keep_back,
    leave_unconfirmed,
    put_off,
    take,
    wait_for_credits,
    wait_for_key,
)
from portal.runs.track import MOST_OUTPUTS
from portal.runs.waiting_words import away_words, busy_words, ours_words, unreachable_words, unreadable_words
from portal.workspaces.brakes import find_brake, stopped_words
from portal.workspaces.budgets import find_stop, stops_of
from portal.workspaces.lamina import KeyUnreadable, client_for, shared_budget

logger = logging.getLogger(__name__)

MOST_TRIES = 20
LONGEST_PAUSE_SECONDS = 60
NUDGE_AGAIN_SECONDS = 20


def send(refinement_id: int) -> None:
    """Tell Lamina one wish; does nothing when another worker has it or had it."""
    refinement = claim(refinement_id)
    if refinement is None:
        return
    with trace.about(refinement.run), renewed(partial(_renew, refinement_id)):
        answer = call(refinement)
        if answer is not None:
            persistently(partial(take, refinement, answer))


def claim(refinement_id: int) -> Refinement | None:
    """Make a waiting wish this worker's; None when it is not waiting any more, or is to wait still."""
    wishes = Refinement.objects.select_related("run__workspace")
    waiting = wishes.filter(pk=refinement_id, state=State.WAITING)
    refinement = waiting.first()
    if refinement is None or _is_put_off(refinement):
        return None
    with transaction.atomic():
        why = find_brake(refinement.run.workspace, amount_of=partial(costs.amount_of, refinement.line_id))
        mine = not why and waiting.update(state=State.SENDING, lease_until=_lease(), outcome="", outcome_code="")
        if not mine and not why:
            # Somebody was faster. What looking for a brake may have written is for a wish that is sent.
            transaction.set_rollback(True)
    if why:
        hold_up(refinement, why)
    if not mine:
        return None
    refinement.run.touch()
    return wishes.get(pk=refinement_id)


def _is_put_off(refinement: Refinement) -> bool:
    """Leave a wish waiting that has met something before, while no call would be let through: its page says why."""
    budget = shared_budget()
    wait = budget.refuses_for(Lane.INTERACTIVE) if refinement.outcome else 0.0
    if wait:
        again = timezone.now() + timedelta(seconds=min(wait, LOOK_AGAIN_SECONDS))
        waiting = Refinement.objects.filter(pk=refinement.pk, state=State.WAITING)
        waiting.update(next_at=again)
        tells_else = waiting.exclude(outcome_code=HELD_UP).exclude(outcome=away_words())
        if budget.is_away() and tells_else.update(outcome=away_words()):
            refinement.run.touch()
    return bool(wait)


def call(refinement: Refinement) -> LaminaRefinement | None:
    """Ask Lamina, and record every way in which that can go wrong; None when there is nothing to take."""
    run = refinement.run
    try:
        with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
            shown = client.runs.get(run.lamina_run_id or "")
            if not mark_sent(refinement, shown):
                return None
            return client.runs.feedback(run.lamina_run_id or "", refinement.words)
    except KeyUnreadable:
        logger.error("change not asked for, the workspace's key cannot be read run=%s", run.reference)
        why = unreadable_words()
        put_off(refinement, LONGEST_PAUSE_SECONDS, why)
    except LaminaAway as error:
        put_off(refinement, min(error.retry_after, LOOK_AGAIN_SECONDS), away_words())
    except (LaminaRateLimited, LaminaBudgetSpent) as error:
        put_off(refinement, error.retry_after, busy_words())
    except LaminaUnreachable as error:
        if error.maybe_sent and refinement.sent_at:
            leave_unconfirmed(refinement, why=str(error))
        else:
            give_back(refinement, _pause(refinement), unreachable_words())
    except LaminaInsufficientCredits as error:
        wait_for_credits(refinement, error)
    except LaminaForbidden as error:
        _refuse(refinement, error)
    except LaminaAuthError as error:
        wait_for_key(refinement, error)
    except LaminaResponseError as error:
        if error.retryable and refinement.tries < MOST_TRIES:
            give_back(refinement, _pause(refinement), str(error)[:300])
        else:
            _refuse(refinement, error)
    except Exception as error:
        logger.exception("refinement not sent run=%s", run.reference)
        if refinement.sent_at is not None:
            # The request may be out: it is looked for like any other.
            leave_unconfirmed(refinement, why=repr(error))
        else:
            give_back(refinement, LONGEST_PAUSE_SECONDS, ours_words())
    return None


def _refuse(refinement: Refinement, error: LaminaResponseError) -> None:
    """Close a wish to which Lamina said no."""
    why = _("Lamina did not take it: %s. Nothing was charged.") % str(error)[:300].rstrip(".")
    fail(refinement, why, code=REFUSED, log=str(error), cost=0)


def mark_sent(refinement: Refinement, shown: RemoteRun) -> bool:
    """Write down that the request leaves now, and what Lamina shows before it.

    False when it must not leave: this worker was given up, or spending is stopped.
    """
    now, workspace = timezone.now(), refinement.run.workspace
    may_go = Refinement.objects.filter(
        ~Exists(stops_of(workspace)), pk=refinement.pk, state=State.SENDING, sent_at=None
    )
    before = {output.id: output.value for output in shown.outputs[:MOST_OUTPUTS] if output.is_usable}
    if may_go.update(sent_at=now, before=before, lease_until=_lease()):
        refinement.sent_at, refinement.before = now, before
        return True
    if stop := find_stop(workspace):
        keep_back(refinement, stopped_words(stop))
    else:
        put_off(refinement, 0, _("Spending was stopped for a moment."))
    return False


def _pause(refinement: Refinement) -> float:
    return float(min(LONGEST_PAUSE_SECONDS, 2 ** min(refinement.tries + 1, 6)))


def _lease() -> Any:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)


def _renew(refinement_id: int) -> None:
    Refinement.objects.filter(pk=refinement_id, state=State.SENDING).update(lease_until=_lease())


def due_to_send() -> list[tuple[int, uuid.UUID]]:
    """Return (wish, run) pairs whose time has come, and leave them alone for a moment."""
    now = timezone.now()
    waiting = Refinement.objects.filter(state=State.WAITING)
    if not waiting.exists():
        return []
    due = waiting.filter(next_at__lte=now).exclude(run__workspace_id__in=changes_held_back(now))
    pairs = list(due.order_by("next_at").values_list("pk", "run_id")[:100])
    waiting.filter(pk__in=[pk for pk, _run in pairs]).update(next_at=now + timedelta(seconds=NUDGE_AGAIN_SECONDS))
    return pairs
