"""Ask after runs: apply what Lamina says about them, whoever brought the news.

Starting runs is in submit. Every function may be called twice with the same news and must then
do nothing, and older news never undoes newer. Contract: Lamina's run object, which is not ours.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaClient, LaminaNotFound, RemoteOutput, RemoteRun
from portal.runs import costs
from portal.runs.made import FROM_LIST
from portal.runs.models import OPEN, Attempt, Move, Output, OutputStatus, Run, note_known
from portal.runs.recording import go_on_when_topped_up
from portal.runs.states import FINAL, REMOTE, Status, Teller
from portal.workspaces.brakes import note_refusal

logger = logging.getLogger(__name__)

STATUS_OF = {
    "queued": Status.QUEUED,
    "running": Status.RUNNING,
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
}
OUTPUT_STATUS_OF = {
    "completed": OutputStatus.COMPLETED,
    "error": OutputStatus.ERROR,
    "cancelled": OutputStatus.CANCELLED,
}
MISSING = "missing"
UNKNOWN_STATE = "unknown_state"
MOST_OUTPUTS = 200
# How often Lamina is worth asking, as its documentation has it: one picture, several steps, video.
IMAGE_SECONDS, STEPS_SECONDS, VIDEO_SECONDS = 4, 7, 12
LONGEST_PACE_SECONDS = 60
LONGEST_PAUSE_SECONDS = 3600  # for a run that Lamina does not know any more
NO_CREDITS = "insufficient credits"
ACCEPTED = "accepted"
# What news of a run is compared with, and what news of an output changes.
NEWS = (
    "workspace_id",
    "reference",
    "status",
    "version",
    "lamina_run_id",
    "error_code",
    "accepted_at",
    "started_at",
    "cancel_asked_at",
    "cancel_next_at",
    "outputs_left_out",
)
TAKEN = ("lamina_id", "label", "kind", "status", "text", "remote_url", "error", "made_at", "copy_next_at")


def adopt(
    run_id: uuid.UUID, remote: RemoteRun, *, told_by: str, why: str = "", answered: Attempt | None = None
) -> Run | None:
    """Join a run of ours with its run at Lamina, then apply the news; return it as that has left it.

    Called when a start was answered, a delivery came for one of the run's attempts, the sweep found
    it, or staff say so. A run that already has another run at Lamina keeps it; the second is put on
    record, and so is one that belongs to another run of ours (None is returned). The attempt that was
    `answered` is closed together with that: one that is closed belongs to a run that has gone on.
    """
    try:
        with transaction.atomic():
            if answered is not None:
                answered.close(ACCEPTED)
            run = _locked(run_id)
            seen = run.version
            if _join(run, remote, told_by, why):
                _bring_up(run, remote, told_by, is_told=run.version != seen)
            return run
    except IntegrityError:
        owner = Run.objects.filter(lamina_run_id=remote.run_id).exclude(pk=run_id).first()
        if owner is None:
            raise
        told = _("%(remote)s at Lamina belongs to %(owner)s already.") % {"remote": remote.run_id, "owner": owner}
        with transaction.atomic():
            if answered is not None:
                answered.close(ACCEPTED)
            _put_on_record(Run.objects.get(pk=run_id), told_by, told)
        return None


def _locked(run_id: uuid.UUID) -> Run:
    """Return a run whose row is this transaction's, with its outputs; what news never changes is not read."""
    run = runs_to_change().get(pk=run_id)
    run.places = list(run.outputs.all())
    return run


@cache
def runs_to_change() -> QuerySet[Run]:
    """Return the query for what news is compared with, which locks it; made once, because making it takes long."""
    return Run.objects.select_for_update().only(*NEWS)


def _join(run: Run, remote: RemoteRun, told_by: str, why: str) -> bool:
    if run.lamina_run_id is None:
        status = STATUS_OF.get(remote.status, Status.QUEUED)
        now = timezone.now()
        known: dict[str, Any] = {"lamina_run_id": remote.run_id, "accepted_at": now}
        if not _is_over(remote) and (run.cancel_asked_at or run.status == Status.CANCELLED):
            known["cancel_next_at"] = now  # nobody could be asked before
        first = status if status in REMOTE else Status.QUEUED
        next_at = now + timedelta(seconds=pace_of(run))
        if not run.move(first, told_by=told_by, why=why, next_at=next_at, **known):
            # It was ended on our side while Lamina had it after all.
            Run.objects.filter(pk=run.pk).update(**known)
            _put_on_record(run, told_by, _("Lamina had begun this run after all: %s.") % remote.run_id)
            for name, value in known.items():
                setattr(run, name, value)
            costs.book(run, is_over=_is_over(remote))
    elif run.lamina_run_id != remote.run_id:
        _put_on_record(run, told_by, _("Lamina has a second run for this one: %s.") % remote.run_id)
        note_known([(remote.run_id, run.reference)])
        costs.book_second(run, remote.run_id, made=_made(remote) if _is_over(remote) else None)
        return False
    return True


def _is_over(remote: RemoteRun) -> bool:
    """Return whether it has ended at Lamina, whatever we think of it."""
    return STATUS_OF.get(remote.status) in FINAL


def _made(remote: RemoteRun) -> int:
    """Return how many outputs Lamina says it has made."""
    return sum(OUTPUT_STATUS_OF.get(output.status) == OutputStatus.COMPLETED for output in remote.outputs)


def note(run: Run, told_by: str, why: str) -> None:
    """Write something into the history that moves nothing."""
    Move.objects.create(run=run, at=timezone.now(), leaving=run.status, to=run.status, told_by=told_by, why=why)


def _put_on_record(run: Run, told_by: str, why: str) -> None:
    """Write into the history, once however often it is heard of, what staff must see and what moves nothing."""
    if run.history.filter(why=why).exists():
        return
    note(run, told_by, why)
    logger.error("run needs staff run=%s why=%s", run.reference, why)


def apply(run_id: uuid.UUID, remote: RemoteRun, *, told_by: str) -> None:
    """Bring a run's row and outputs up to what Lamina says; news older than ours changes nothing."""
    with transaction.atomic():
        run = _locked(run_id)
        if run.lamina_run_id == remote.run_id:
            _bring_up(run, remote, told_by)


def _bring_up(run: Run, remote: RemoteRun, told_by: str, *, is_told: bool = False) -> None:
    """Apply news to a locked run; `is_told`: open pages will look at it anyway, by what this transaction has done."""
    changed = _apply_outputs(run, remote.outputs[:MOST_OUTPUTS])
    changed |= _leave_out(run, len(remote.outputs) - MOST_OUTPUTS, told_by)
    status = STATUS_OF.get(remote.status)
    if status is None:
        changed |= _wonder(run, remote.status, told_by)
    elif run.error_code == UNKNOWN_STATE:
        run.error_code = ""
        changed |= bool(Run.objects.filter(pk=run.pk, error_code=UNKNOWN_STATE).update(error_code=""))
    if status is not None and status != run.status and _move(run, status, remote, told_by):
        return  # the move has told open pages and the ledger
    if changed:
        if not is_told:
            run.touch()
        if run.is_final:
            # News of what ended here before it ended there, or of outputs that came late.
            costs.book(run, is_over=_is_over(remote))


def _wonder(run: Run, word: str, told_by: str) -> bool:
    """Have staff look at a run whose state has a name we do not know; returns whether that is news."""
    if run.is_final:
        return False
    told = _("Lamina calls its state %a, which we do not know. It stays as it is, and we keep asking.") % word[:40]
    if run.history.filter(why=told).exists():
        return False
    _put_on_record(run, told_by, told)
    Run.objects.filter(pk=run.pk, error_code="").update(error_code=UNKNOWN_STATE)
    return True


def _leave_out(run: Run, count: int, told_by: str) -> bool:
    """Say that there are more outputs than are kept; returns whether that is news."""
    if count <= run.outputs_left_out:
        return False
    _put_on_record(run, told_by, _("Lamina lists %d outputs more than are kept for one run.") % count)
    Run.objects.filter(pk=run.pk).update(outputs_left_out=count)
    return True


def _move(run: Run, status: Status, remote: RemoteRun, told_by: str) -> bool:
    changes: dict[str, Any] = {}
    if remote.started_at and not run.started_at:
        changes["started_at"] = remote.started_at
    if status == Status.FAILED:
        changes["error"] = (remote.failure or "")[:2000]
        changes["error_code"] = costs.NO_CREDITS if NO_CREDITS in changes["error"].lower() else "failed"
    if status == Status.COMPLETED and any(output.status not in OUTPUT_STATUS_OF for output in remote.outputs):
        changes["details_next_at"] = timezone.now()  # it is said to be done before all of it is told
    moved = run.move(status, told_by=told_by, why=changes.get("error", "")[:500], **changes)
    if moved and run.error_code == costs.NO_CREDITS:
        note_refusal(run.workspace)  # the key's other runs wait instead of failing one by one
        if follower := go_on_when_topped_up(run.pk):
            note(run, told_by, _("Goes on as %s when topped up.") % follower.reference)
    return moved


def _apply_outputs(run: Run, remote_outputs: Sequence[RemoteOutput]) -> bool:
    rows = run.all_places()
    taken = {remote.id for remote in remote_outputs}
    changed = False
    for remote in remote_outputs:
        row = _place_for(remote, rows, taken)
        if row is None:
            row = Output(run=run, position=max((row.position for row in rows), default=-1) + 1)
            rows.append(row)
        changed |= _apply_output(row, remote)
    return changed


def _place_for(remote: RemoteOutput, rows: list[Output], taken: set[str]) -> Output | None:
    """Return the row this output belongs to: by its id, else the first free place of its label, else any unnamed.

    A place is free while it waits and no output of this answer has its id: labels are not unique,
    and an id given with the start's answer need not be the one given later. One that was filled from
    the list of assets has no output's id yet; the thing itself tells, or else its label.
    """
    free = [row for row in rows if row.lamina_id not in taken and row.status in OPEN]
    by_id = (row for row in rows if row.lamina_id == remote.id and row.is_current)
    by_label = (row for row in free if row.label.casefold() == remote.label.casefold())
    unnamed = (row for row in free if not row.label)
    filled = [row for row in rows if row.lamina_id.startswith(FROM_LIST) and row.is_current]
    same = (row for row in filled if remote.is_usable and remote.value in {row.remote_url, row.text})
    alike = (row for row in filled if remote.is_usable and row.label.casefold() == remote.label.casefold())
    return next(chain(by_id, same, by_label, alike, unnamed), None)


def _apply_output(row: Output, remote: RemoteOutput) -> bool:
    before = (row.lamina_id, row.label, row.kind, row.status, row.remote_url)
    row.lamina_id = remote.id[:200]
    row.label = remote.label[:500] or row.label
    if row.status in OPEN and remote.status in OUTPUT_STATUS_OF:
        row.status = OUTPUT_STATUS_OF[remote.status]
        if row.status == OutputStatus.COMPLETED:
            _take_value(row, remote)
        elif row.status == OutputStatus.ERROR:
            row.error = (remote.error or "")[:2000]
    elif _is_copied_no_more(row) and remote.status == "completed" and remote.is_usable:
        # The address that we had has died; where this is another one, the thing is fetched from there.
        value = remote.value.replace("\x00", "")
        row.copy_next_at = timezone.now() if value != row.remote_url else None
        row.remote_url = value
    if row.pk and before == (row.lamina_id, row.label, row.kind, row.status, row.remote_url):
        return False
    row.save(update_fields=TAKEN if row.pk else None)
    return True


def _is_copied_no_more(row: Output) -> bool:
    """Return whether something was made, is not ours, and is not being copied any more."""
    is_made = row.status == OutputStatus.COMPLETED and row.kind != "text"
    return is_made and row.media_id is None and row.copy_next_at is None


def _take_value(row: Output, remote: RemoteOutput) -> None:
    if remote.type not in {"", "pending"}:
        row.kind = remote.type[:20]
    row.made_at = timezone.now()
    if not remote.is_usable:
        row.status, row.error = OutputStatus.ERROR, _("Lamina calls it finished but gave nothing.")
    elif row.kind == "text":
        row.text = remote.value.replace("\x00", "")
    else:
        row.remote_url, row.copy_next_at = remote.value.replace("\x00", ""), row.made_at


def pace_of(run: Run) -> float:
    """Return the seconds until Lamina is worth asking again: by kind of work, slower with age."""
    age = (timezone.now() - (run.accepted_at or timezone.now())).total_seconds()
    if run.error_code == MISSING:
        return float(min(LONGEST_PAUSE_SECONDS, max(LONGEST_PACE_SECONDS, age / 30)))
    outputs = run.all_places()
    pace = STEPS_SECONDS if len(outputs) > 1 else IMAGE_SECONDS
    if any(output.kind == "video" for output in outputs):
        pace = VIDEO_SECONDS
    return float(min(LONGEST_PACE_SECONDS, max(pace, age / 30)))


def ask(run: Run, client: LaminaClient) -> None:
    """Apply what Lamina says about one run now; raises LaminaError."""
    try:
        remote = client.runs.get(run.lamina_run_id or "")
    except LaminaNotFound:
        logger.error("run is not at Lamina any more run=%s lamina_run=%s", run.reference, run.lamina_run_id)
        if not run.is_final and Run.objects.filter(pk=run.pk, error_code="").update(error_code=MISSING):
            run.touch()
        raise
    Run.objects.filter(pk=run.pk).update(checked_at=timezone.now())
    if run.error_code == MISSING:
        Run.objects.filter(pk=run.pk, error_code=MISSING).update(error_code="")
        run.touch()
    apply(run.pk, remote, told_by=Teller.SWEEP)
