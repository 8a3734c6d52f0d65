"""Everything that is known to have happened to a run, in the order it happened."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from lamina_integration import DeliveryMalformed
from lamina_integration.webhooks import read_run
from portal.runs.models import Attempt, Delivery, Output, OutputStatus, Refinement, RefinementState, Run, Verdict
from portal.runs.states import FINAL, Status
from portal.runs.track import STATUS_OF


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened: what, who told, and what more is known."""

    at: datetime
    what: str
    detail: str = ""
    tone: str = ""


TONES = {
    Status.COMPLETED: "good",
    Status.FAILED: "bad",
    Status.CANCELLED: "off",
    Status.UNCONFIRMED: "warn",
    Status.NEEDS_ATTENTION: "warn",
}


def timeline(run: Run) -> list[Moment]:
    """Return a run's moments, oldest first: moves, attempts, deliveries, checks, outputs, copies, its cancel."""
    moments = [
        *_own(run),
        *_moves(run),
        *(moment for refinement in run.refinements.select_related("asked_by") for moment in _refinement(refinement)),
        *(moment for attempt in run.attempts.all() for moment in _attempt(attempt)),
        *(moment for delivery in _deliveries(run) for moment in _delivery(delivery, run)),
        *(moment for output in run.outputs.select_related("media") for moment in _output(output)),
    ]
    return sorted(moments, key=lambda moment: moment.at)


def _own(run: Run) -> Iterator[Moment]:
    if run.cancel_asked_at:
        yield Moment(run.cancel_asked_at, _("Cancel asked for"), tone="off")
    if run.started_at:
        yield Moment(run.started_at, _("Lamina began"))
    if run.checked_at:
        yield Moment(run.checked_at, _("Checked at Lamina"), _("the latest check"))


def _moves(run: Run) -> Iterator[Moment]:
    for move in run.history.all():
        told_by = _("Told by %s.") % move.get_told_by_display()
        if move.leaving == move.to:
            yield Moment(move.at, _("Noted"), f"{told_by} {move.why}".strip())
        else:
            tone = TONES.get(Status(move.to), "")
            yield Moment(move.at, move.get_to_display(), f"{told_by} {move.why}".strip(), tone)


def _attempt(attempt: Attempt) -> Iterator[Moment]:
    yield Moment(attempt.opened_at, _("A worker took it"))
    if attempt.sent_at:
        yield Moment(attempt.sent_at, _("Sent to Lamina"), attempt.get_callback_display() or _("Not asked to tell us"))
    if attempt.closed_at:
        yield Moment(attempt.closed_at, _("Attempt over"), attempt.outcome)


def _refinement(refinement: Refinement) -> Iterator[Moment]:
    by = _("By %s.") % refinement.asked_by if refinement.asked_by else ""
    yield Moment(refinement.asked_at, _("Change asked for"), f"“{refinement.words}” {by}".strip())
    if refinement.sent_at:
        yield Moment(refinement.sent_at, _("Change sent to Lamina"))
    if refinement.finished_at:
        failed = refinement.state == RefinementState.FAILED
        tone = "off" if refinement.is_withdrawn else "bad" if failed else "good"
        made = _("Outputs made anew: %d.") % refinement.changed
        detail = refinement.outcome or f"{made} {refinement.summary}".strip()
        yield Moment(refinement.finished_at, refinement.label, detail, tone)


def _deliveries(run: Run) -> list[Delivery]:
    return list(Delivery.objects.filter(attempt__run=run))


def _delivery(delivery: Delivery, run: Run) -> Iterator[Moment]:
    said = _said(delivery)
    lag = (delivery.received_at - delivery.signed_at).total_seconds()
    detail = _("It tells “%s”.") % said + " " if said else ""
    detail += _("%(verdict)s; signed %(seconds).1f s before.") % {
        "verdict": delivery.get_verdict_display(),
        "seconds": lag,
    }
    if delivery.repeats:
        detail += " " + _("Came %d more times.") % delivery.repeats
    if delivery.error:
        detail += " " + delivery.error
    stale = delivery.verdict == Verdict.STALE
    yield Moment(delivery.received_at, _("Delivery received"), detail, "warn" if stale or delivery.error else "")
    if delivery.applied_at and delivery.error:
        yield Moment(delivery.applied_at, _("Delivery given up"), _("Lamina was asked often enough."), "warn")
    elif delivery.applied_at:
        unlike = _unlike(delivery, said, run)
        yield Moment(delivery.applied_at, _("Delivery applied"), unlike, "warn" if unlike else "")


def _said(delivery: Delivery) -> str:
    """Return the state that a delivery tells, in Lamina's word; empty when its body tells none."""
    try:
        return read_run(delivery.body).status
    except DeliveryMalformed:
        return ""


def _unlike(delivery: Delivery, said: str, run: Run) -> str:
    """Return what a delivery tells that the run does not show: it is another run's, or the run had ended otherwise."""
    if run.lamina_run_id and delivery.lamina_run_id != run.lamina_run_id:
        return _("It tells of another run at Lamina, %s.") % delivery.lamina_run_id
    told = STATUS_OF.get(said)
    if delivery.verdict == Verdict.ACCEPTED and told in FINAL and run.is_final and told != run.status:
        return _("It tells “%(said)s”, and the run stays “%(state)s”.") % {
            "said": said,
            "state": run.get_status_display(),
        }
    return ""


def _output(output: Output) -> Iterator[Moment]:
    name = str(output)
    if output.made_at:
        failed = output.status != OutputStatus.COMPLETED
        version = f" ({output.version_text})" if output.version_text else ""
        yield Moment(
            output.made_at,
            _("Output arrived: %s") % name + version,
            output.error or output.copy_error,
            "bad" if failed else "warn" if output.copy_error else "",
        )
    if output.media:
        tries = _("try %d") % output.copy_tries if output.copy_tries > 1 else ""
        yield Moment(output.media.created_at, _("Copied: %s") % name, tries, "good")
