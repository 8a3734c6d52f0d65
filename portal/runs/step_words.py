"""The line of four steps above a run: what is behind it, where it is, what is still to come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from portal.runs.models import Run
from portal.runs.states import FINAL, Status


@dataclass(frozen=True, slots=True)
class Step:
    """One of the four steps of a run's line."""

    key: str
    label: str
    at: datetime | None
    detail: str
    state: str


def steps_of(run: Run, *, kept_at: datetime | None, is_copying: bool, usual_text: str) -> list[Step]:
    """Return the line of four steps."""
    kept_at = kept_at if run.status == Status.COMPLETED and not is_copying else None
    over = run.status in FINAL or run.status == Status.NEEDS_ATTENTION
    reached = _reached(run, is_copying=is_copying)
    is_kept_back = over and reached == 0
    times = in_order([None if is_kept_back else run.sent_at, run.accepted_at, run.started_at, kept_at])
    not_sent = {Status.WAITING: _("Not sent yet"), Status.SUBMITTING: _("Sending")}
    sent = _("Not sent") if is_kept_back else not_sent.get(Status(run.status), _("Sent"))
    labels = [sent, _("Accepted"), _("Running"), _("Kept")]
    is_unknown = run.status == Status.UNCONFIRMED
    details = ["", _("not known yet") if is_unknown else "", usual_text, _("copied to your gallery")]
    steps = []
    for n, key in enumerate(("sent", "accepted", "running", "kept")):
        if n < reached:
            state = "done"
        elif n == reached:
            state = "stopped" if over and run.status != Status.COMPLETED else "now"
        else:
            state = "next"
        detail = "" if over and state == "next" else details[n]
        steps.append(Step(key=key, label=labels[n], at=times[n], detail=detail, state=state))
    return steps


def _reached(run: Run, *, is_copying: bool) -> int:
    """Return how many steps are behind it."""
    match run.status:
        case Status.COMPLETED:
            return 3 if is_copying else 4
        case Status.RUNNING:
            return 2
        case Status.QUEUED | Status.UNCONFIRMED:
            return 1
        case Status.FAILED | Status.CANCELLED:
            # Not beyond "running": an app that fails does so while it runs, and never gets to "kept".
            return sum(bool(at) for at in (run.sent_at, run.accepted_at))
    return 0


def in_order(times: Sequence[datetime | None]) -> list[datetime | None]:
    """Return the times of steps that follow each other, none later than the next.

    We may hear of a step after Lamina has begun the next one, as when its answer was lost: by then the
    earlier step had certainly been taken.
    """
    ordered: list[datetime | None] = []
    following: datetime | None = None
    for at in reversed(times):
        if at and following:
            at = min(at, following)
        following = at or following
        ordered.insert(0, at)
    return ordered
