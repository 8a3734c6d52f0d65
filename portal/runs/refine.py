"""Change a completed run in words: one wish is one call to Lamina, whose results stand beside the earlier ones.

Lamina does the work anew on the same run and charges for it, and its answer comes only when it is
done. So a wish is a row before the call, sent once; when no answer comes, nobody sends it again: what
Lamina shows of the run tells whether anything was made. Nothing that was made before is lost.
"""

import logging
import uuid
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lamina_integration import (
    LaminaBudgetSpent,
    LaminaError,
    LaminaInsufficientCredits,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
    Lane,
    RemoteOutput,
    RemoteRun,
)
from lamina_integration.wire import Refinement as LaminaRefinement
from portal import trace
from portal.runs import costs
from portal.runs.leases import LEASE_SECONDS, renewed
from portal.runs.models import Output, OutputStatus, Run
from portal.runs.persist import persistently
from portal.runs.refinements import OPEN_REFINEMENTS, Refinement, RefinementState
from portal.runs.states import Status, Teller
from portal.runs.track import MOST_OUTPUTS, note
from portal.workspaces import budgets
from portal.workspaces.lamina import KeyUnreadable, client_for
from portal.workspaces.models import LineKind, Membership, User

logger = logging.getLogger(__name__)

MOST_WORDS = 2000
MOST_TRIES = 20
NUDGE_GRACE_SECONDS = 5
LONGEST_PAUSE_SECONDS = 60
ASK_AGAIN_SECONDS = 20
# The answer may take ten minutes; what Lamina does not show after half an hour is not coming.
GIVE_UP = timedelta(minutes=30)
State = RefinementState


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


def send(refinement_id: int) -> None:
    """Tell Lamina one wish; does nothing when another worker has it or had it."""
    refinement = claim(refinement_id)
    if refinement is None:
        return
    with trace.about(refinement.run), renewed(partial(_renew, refinement_id)):
        answer = _call(refinement)
        if answer is not None:
            persistently(partial(take, refinement, answer))


def claim(refinement_id: int) -> Refinement | None:
    """Make a waiting wish this worker's; None when it is not waiting any more."""
    claimed = Refinement.objects.filter(pk=refinement_id, state=State.WAITING)
    if not claimed.update(state=State.SENDING, lease_until=_lease(), outcome=""):
        return None
    refinement = Refinement.objects.select_related("run__workspace").get(pk=refinement_id)
    refinement.run.touch()
    return refinement


def _call(refinement: Refinement) -> LaminaRefinement | None:
    """Ask Lamina, and record every way in which that can go wrong; None when there is nothing to take."""
    run = refinement.run
    if stop := budgets.find_stop(run.workspace):
        _give_back(refinement, LONGEST_PAUSE_SECONDS, _("Staff have stopped spending for now (%s).") % stop.why)
        return None
    try:
        with client_for(run.workspace, lane=Lane.INTERACTIVE) as client:
            shown = client.runs.get(run.lamina_run_id or "")
            if not _mark_sent(refinement, shown):
                return None
            return client.runs.feedback(run.lamina_run_id or "", refinement.words)
    except KeyUnreadable:
        logger.error("change not asked for, the workspace's key cannot be read run=%s", run.reference)
        why = _("Staff have to mend this workspace's key; this waits and goes on.")
        _give_back(refinement, LONGEST_PAUSE_SECONDS, why)
    except (LaminaRateLimited, LaminaBudgetSpent) as error:
        _give_back(refinement, error.retry_after, _("Lamina asks us to wait a moment."))
    except LaminaUnreachable as error:
        if error.maybe_sent and refinement.sent_at:
            leave_unconfirmed(refinement, why=str(error))
        else:
            _give_back(refinement, _pause(refinement), _("Lamina cannot be reached; this waits and goes on."))
    except LaminaInsufficientCredits as error:
        why = _("The workspace has not enough credits for this change. Nothing was charged.")
        _fail(refinement, why, code="insufficient_credits", log=str(error), cost=0)
    except LaminaResponseError as error:
        if error.retryable and refinement.tries < MOST_TRIES:
            _give_back(refinement, _pause(refinement), str(error)[:300])
        else:
            why = _("Lamina did not take it: %s. Nothing was charged.") % str(error)[:300].rstrip(".")
            _fail(refinement, why, code="refused", log=str(error), cost=0)
    except Exception as error:
        logger.exception("refinement not sent run=%s", run.reference)
        if refinement.sent_at is None:
            _give_back(refinement, LONGEST_PAUSE_SECONDS, _("Something went wrong on our side; it is tried again."))
        else:
            # The request may be out: it is looked for like any other.
            leave_unconfirmed(refinement, why=repr(error))
    return None


def _mark_sent(refinement: Refinement, shown: RemoteRun) -> bool:
    """Write down that the request leaves now, and what Lamina shows before it; False when this worker was given up."""
    now = timezone.now()
    mine = Refinement.objects.filter(pk=refinement.pk, state=State.SENDING, sent_at=None)
    before = {output.id: output.value for output in shown.outputs[:MOST_OUTPUTS] if output.is_usable}
    refinement.sent_at, refinement.before = now, before
    return bool(mine.update(sent_at=now, before=before, lease_until=_lease()))


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
        _fail(refinement, why, code="failed", log=reason, cost=0)
    else:
        news = [output for output in answer.outputs if output.id in refined or _is_other(refinement, output)]
        _finish(refinement, news, told_by=Teller.WORKER, summary=answer.summary)


def _is_other(refinement: Refinement, remote: RemoteOutput, *, careful: bool = False) -> bool:
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


def _finish(refinement: Refinement, news: Iterable[RemoteOutput], *, told_by: str, summary: str = "") -> None:
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


def _give_back(refinement: Refinement, seconds: float, why: str) -> None:
    """Return a claim: Lamina certainly did not take it, so it waits for another turn."""
    with transaction.atomic():
        Refinement.objects.filter(pk=refinement.pk, state=State.SENDING).update(
            state=State.WAITING,
            lease_until=None,
            sent_at=None,
            tries=refinement.tries + 1,
            outcome=why,
            next_at=timezone.now() + timedelta(seconds=seconds),
        )
        refinement.run.touch()


def _fail(
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


def _pause(refinement: Refinement) -> float:
    return float(min(LONGEST_PAUSE_SECONDS, 2 ** min(refinement.tries + 1, 6)))


def _lease() -> Any:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)


def _renew(refinement_id: int) -> None:
    Refinement.objects.filter(pk=refinement_id, state=State.SENDING).update(lease_until=_lease())


def due_to_send() -> list[tuple[int, uuid.UUID]]:
    """Return (wish, run) pairs whose time has come, and leave them alone for a moment."""
    now = timezone.now()
    due = Refinement.objects.filter(state=State.WAITING, next_at__lte=now)
    pairs = list(due.order_by("next_at").values_list("pk", "run_id")[:100])
    Refinement.objects.filter(pk__in=[pk for pk, _run in pairs], state=State.WAITING).update(
        next_at=now + timedelta(seconds=ASK_AGAIN_SECONDS)
    )
    return pairs


def release_lost() -> None:
    """Settle wishes whose worker is gone: unsent ones wait again, sent ones are looked for."""
    lost = Refinement.objects.filter(state=State.SENDING, lease_until__lt=timezone.now()).select_related("run")
    for refinement in lost[:100]:
        if refinement.sent_at is None:
            _give_back(refinement, 0, _("Its worker was lost before it was sent."))
        else:
            leave_unconfirmed(refinement, why="its worker was lost")


def settle_unconfirmed() -> list[uuid.UUID]:
    """Compare what Lamina shows with what we have; return the runs there was news of."""
    due = Refinement.objects.filter(state=State.UNCONFIRMED, next_at__lte=timezone.now())
    told = []
    for refinement in due.select_related("run__workspace")[:20]:
        pause = timedelta(seconds=ASK_AGAIN_SECONDS)
        Refinement.objects.filter(pk=refinement.pk).update(next_at=timezone.now() + pause)
        try:
            with trace.about(refinement.run), client_for(refinement.run.workspace, lane=Lane.TRACKING) as client:
                remote = client.runs.get(refinement.run.lamina_run_id or "")
        except LaminaError as error:
            logger.warning("refinement not asked after run=%s error=%s", refinement.run.reference, error)
            continue
        if _settle(refinement, remote):
            told.append(refinement.run_id)
    return told


def _settle(refinement: Refinement, remote: RemoteRun) -> bool:
    if not remote.is_terminal:
        return False
    news = [output for output in remote.outputs if output.is_usable and _is_other(refinement, output, careful=True)]
    if news:
        _finish(refinement, news, told_by=Teller.SWEEP)
        return True
    if refinement.sent_at and timezone.now() - refinement.sent_at > GIVE_UP:
        why = _("No answer came, and Lamina shows nothing new. It does not say whether it charged.")
        return _fail(refinement, why, code="unanswered", told_by=Teller.SWEEP)
    return False


def settle_by_staff(refinement: Refinement, *, person: User, reason: str) -> bool:
    """Close a wish of which nobody knows what came, on a person's word; False when it is not such a one."""
    if refinement.state != State.UNCONFIRMED:
        return False
    why = _("No answer came, and support has closed it. Nobody knows whether Lamina charged.")
    with transaction.atomic():
        closed = _fail(refinement, why, code="staff", told_by=Teller.STAFF)
        if closed:
            told = _("%(person)s says: nothing came of the change. %(reason)s") % {"person": person, "reason": reason}
            note(refinement.run, Teller.STAFF, told)
    return closed
