"""What comes of a wish: new versions beside the earlier ones, nothing, no answer, or another turn.

Each changes the wish only from the state it was in: the first to know is believed.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lamina_integration import LaminaAuthError, LaminaInsufficientCredits, RemoteOutput
from lamina_integration.wire import Refinement as LaminaRefinement
from portal.runs.models import HELD_UP, OPEN_REFINEMENTS, Output, OutputStatus, Refinement, Run
from portal.runs.models import RefinementState as State
from portal.runs.states import Teller
from portal.runs.track import MOST_OUTPUTS, note
from portal.workspaces import budgets
from portal.workspaces.brakes import TRY_EVERY, credits_words, key_words, note_key_refused, note_refusal

logger = logging.getLogger(__name__)

ASK_AGAIN_SECONDS = 20


def take(refinement: Refinement, answer: LaminaRefinement) -> None:
    """Record what Lamina answered: new versions, nothing new, a failure, or that it goes on."""
    if answer.run_id != refinement.run.lamina_run_id:
        leave_unconfirmed(refinement, why="the answer is about another run")
        return
    refined = {node.node_id for node in answer.refined_nodes}
    if answer.status in {"queued", "running"}:
        leave_unconfirmed(refinement, why="Lamina goes on with it")
    elif answer.status in {"failed", "cancelled"}:
        reason = answer.failure or _("Lamina gave no reason")
        why = _("Lamina could not make the change: %s. It does not say whether it charged.") % reason.rstrip(".")
        fail(refinement, why, code="failed", log=reason, cost=0)
    else:
        news = [output for output in answer.outputs if output.id in refined or is_other(refinement, output)]
        finish(refinement, news, told_by=Teller.WORKER, summary=answer.summary)


def is_other(refinement: Refinement, remote: RemoteOutput, *, careful: bool = False) -> bool:
    """Return whether an output is not what we have in its place.

    Careful is for when it is not known whether anything was made: what counts then is what Lamina itself
    showed before, because what we have may come from its list of assets, which has addresses of its own.
    One that differs in its query alone may be the same file signed anew.
    """
    if careful and refinement.before:
        return _address(remote.value) != _address(refinement.before.get(remote.id))
    row = refinement.run.outputs.filter(lamina_id=remote.id[:200], is_current=True).first()
    if row is None:
        return not careful
    if row.kind == "text":
        return bool(remote.value != row.text)
    if careful:
        return _address(remote.value) != _address(row.remote_url)
    return bool(remote.value != row.remote_url)


def _address(value: str | None) -> str:
    """Return an address without its query; words, and the nothing that was there before, as they are."""
    if value is None or not value.startswith(("https://", "http://")):
        return value or ""
    return urlsplit(value)._replace(query="", fragment="").geturl()


def finish(refinement: Refinement, news: Iterable[RemoteOutput], *, told_by: str, summary: str = "") -> None:
    """Put the new versions beside the earlier ones and close the wish; the first to know does it."""
    usable = [output for output in news if isinstance(output.value, str) and output.value]
    now = timezone.now()
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).get(pk=refinement.run_id)
        outcome = "" if usable else _("Lamina made nothing anew. It does not say whether it charged.")
        changes = {"finished_at": now, "changed": len(usable), "summary": summary[:2000], "outcome": outcome}
        if not _close(refinement, State.DONE, **changes):
            return
        budgets.settle(refinement.line_id, made=len(usable))
        for output in usable[:MOST_OUTPUTS]:
            _add_version(run, refinement, output)
        made = ngettext("%d output was made anew.", "%d outputs were made anew.", len(usable)) % len(usable)
        note(run, told_by, made if usable else outcome)
        run.touch()
    logger.info("refinement done run=%s changed=%d", run.reference, len(usable))


def _add_version(run: Run, refinement: Refinement, remote: RemoteOutput) -> None:
    places = run.outputs.filter(is_current=True)
    earlier = places.filter(lamina_id=remote.id[:200]).first()
    if earlier is None:
        last = run.outputs.order_by("position").last()
        row = Output(run=run, position=last.position + 1 if last else 0, label=remote.label[:500])
    else:
        places.filter(pk=earlier.pk).update(is_current=False)
        row = Output(run=run, position=earlier.position, version=earlier.version + 1, label=earlier.label)
        row.kind = earlier.kind
    row.refinement, row.lamina_id, row.status = refinement, remote.id[:200], OutputStatus.COMPLETED
    row.made_at = timezone.now()
    if remote.type not in {"", "pending"}:
        row.kind = remote.type[:20]
    value = str(remote.value).replace("\x00", "")
    if row.kind == "text":
        row.text = value
    else:
        row.remote_url, row.copy_next_at = value, row.made_at
    row.save()


def leave_unconfirmed(refinement: Refinement, *, why: str) -> None:
    """Record that the request went out and it is not known what came of it."""
    with transaction.atomic():
        claimed = Refinement.objects.filter(pk=refinement.pk, state=State.SENDING)
        next_at = timezone.now() + timedelta(seconds=ASK_AGAIN_SECONDS)
        if claimed.update(state=State.UNCONFIRMED, lease_until=None, next_at=next_at):
            note(refinement.run, Teller.WORKER, _("The change was asked for at Lamina, and no answer came yet."))
            refinement.run.touch()
    logger.warning("refinement unconfirmed run=%s why=%s", refinement.run.reference, why)


def give_back(refinement: Refinement, seconds: float, why: str) -> None:
    """Return a claim: Lamina certainly did not take it, so it waits for another turn."""
    _wait_again(refinement, seconds, outcome=why, tries=refinement.tries + 1)


def put_off(refinement: Refinement, seconds: float, why: str) -> None:
    """Return a claim that nothing was wrong with: nobody may ask Lamina anything at the moment."""
    _wait_again(refinement, seconds, outcome=why)


def keep_back(refinement: Refinement, why: str) -> None:
    """Return a claim until a brake is released, which is nobody's failure: whoever sees to that wakes the wish."""
    _wait_again(refinement, TRY_EVERY.total_seconds(), outcome=why, outcome_code=HELD_UP)


def hold_up(refinement: Refinement, why: str) -> None:
    """Say why a wish stays waiting that nobody has claimed."""
    waiting = Refinement.objects.filter(pk=refinement.pk, state=State.WAITING)
    if waiting.exclude(outcome_code=HELD_UP, outcome=why).update(outcome=why, outcome_code=HELD_UP):
        refinement.run.touch()


def wait_for_credits(refinement: Refinement, error: LaminaInsufficientCredits) -> None:
    """Keep a wish that Lamina refused for want of credits, and what else the key pays for, until there are more."""
    with transaction.atomic():
        note_refusal(refinement.run.workspace)
        keep_back(refinement, credits_words())
    logger.warning("refinement waits for credits run=%s lamina_request=%s", refinement.run.reference, error.request_id)


def wait_for_key(refinement: Refinement, error: LaminaAuthError) -> None:
    """Keep a wish whose key Lamina does not accept, and what else has the key, until it does or there is another."""
    with transaction.atomic():
        note_key_refused(refinement.run.workspace)
        keep_back(refinement, key_words())
    logger.warning("refinement waits for its key run=%s lamina_request=%s", refinement.run.reference, error.request_id)


def _wait_again(refinement: Refinement, seconds: float, **changes: Any) -> None:
    # As sent as this worker knows it: what another one has claimed and sent since must not go twice.
    mine = Refinement.objects.filter(pk=refinement.pk, state=State.SENDING, sent_at=refinement.sent_at)
    again = timezone.now() + timedelta(seconds=seconds)
    with transaction.atomic():
        if mine.update(state=State.WAITING, lease_until=None, sent_at=None, next_at=again, **changes):
            refinement.run.touch()


def fail(
    refinement: Refinement,
    why: str,
    *,
    code: str,
    told_by: str = Teller.WORKER,
    log: str = "",
    cost: int | None = None,
) -> bool:
    """Close a wish of which nothing came; `cost` 0 where it certainly cost nothing, else it counts as a whole."""
    with transaction.atomic():
        closed = _close(refinement, State.FAILED, outcome=why, outcome_code=code, finished_at=timezone.now())
        if closed:
            budgets.settle(refinement.line_id, made=cost)
            note(refinement.run, told_by, why)
            refinement.run.touch()
    logger.warning("refinement not made run=%s code=%s error=%s", refinement.run.reference, code, log)
    return closed


def _close(refinement: Refinement, state: str, **changes: Any) -> bool:
    """Close a wish that is open; False when somebody closed it first."""
    still_open = Refinement.objects.filter(pk=refinement.pk, state__in=OPEN_REFINEMENTS)
    return bool(still_open.update(state=state, lease_until=None, **changes))
