"""The sweep that could settle everything alone: rows that should have moved are found and nudged.

Nothing here depends on a message having arrived: a lost queue, a killed worker and a silent Lamina
all end as rows whose time has come.
"""

import logging
import uuid
from collections import defaultdict
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import LaminaClient, LaminaError, Lane, RunSummary
from portal.runs import track
from portal.runs.models import Attempt, Run
from portal.runs.states import REMOTE, Status, Teller
from portal.workspaces.lamina import client_for

logger = logging.getLogger(__name__)

NUDGE_AGAIN_SECONDS = 20
CLOCK_SKEW = timedelta(seconds=30)
ANSWER_WINDOW = timedelta(seconds=120)  # a start that Lamina took appears in its list within this time
GRACE = timedelta(seconds=120)
LOOK_AGAIN_SECONDS = 15
PAGES = 5
CANCEL_ASKED_AFTER = timedelta(seconds=5)  # the message that was sent with the click goes first
CANCEL_ASKED_FOR = timedelta(minutes=10)


def runs_to_send() -> list[uuid.UUID]:
    """Return waiting runs whose time has come, and leave them alone for a moment."""
    now = timezone.now()
    due = Run.objects.filter(status=Status.WAITING, next_at__lte=now, cancel_asked_at=None)
    ids = list(due.order_by("next_at").values_list("pk", flat=True)[:200])
    Run.objects.filter(pk__in=ids, status=Status.WAITING).update(next_at=now + timedelta(seconds=NUDGE_AGAIN_SECONDS))
    return ids


def runs_to_cancel() -> list[uuid.UUID]:
    """Return runs at Lamina that a person wants to end and that are still going on."""
    now = timezone.now()
    asked = (now - CANCEL_ASKED_FOR, now - CANCEL_ASKED_AFTER)
    due = Run.objects.filter(status__in=REMOTE, cancel_asked_at__range=asked)
    return list(due.values_list("pk", flat=True)[:50])


def release_lost_attempts() -> None:
    """Settle attempts whose worker is gone: unsent ones wait again, sent ones are looked for."""
    lost = Attempt.objects.filter(closed_at=None, lease_until__lt=timezone.now()).select_related("run")
    for attempt in lost[:200]:
        # The worker may be slow and not gone: whoever closes the attempt first decides.
        closed = Attempt.objects.filter(pk=attempt.pk, closed_at=None, sent_at=attempt.sent_at)
        if not closed.update(closed_at=timezone.now(), outcome="its worker was lost"):
            continue
        if attempt.sent_at is None:
            attempt.run.move(Status.WAITING, told_by=Teller.SWEEP, why=_("Its worker was lost before it was sent."))
        else:
            attempt.run.move(Status.UNCONFIRMED, told_by=Teller.SWEEP, why=_("Its worker was lost while it was sent."))


def settle_unconfirmed() -> None:
    """Look among Lamina's runs for those that were sent and never answered.

    A run there that is not one of ours, of the same app and from the right moment, is ours when no
    other of our unanswered runs could be meant. One that is certainly not there after the grace time
    goes back to waiting, once. Everything else stays as it is and is shown to staff.
    """
    due = Run.objects.filter(status=Status.UNCONFIRMED, next_at__lte=timezone.now(), sent_at__isnull=False)
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in due.select_related("workspace", "app")[:200]:
        groups[run.workspace.lamina_api_key, run.app.lamina_id].append(run)
    for runs in groups.values():
        with client_for(runs[0].workspace, lane=Lane.TRACKING) as client:
            try:
                _settle_group(runs, client)
            except LaminaError as error:
                logger.warning("unconfirmed runs not looked for count=%d error=%s", len(runs), error)


def _settle_group(runs: list[Run], client: LaminaClient) -> None:
    oldest = min(run.sent_at for run in runs if run.sent_at) - CLOCK_SKEW
    asked_at = timezone.now()
    strangers = _strangers(runs[0].app.lamina_id, oldest, client)
    unanswered = _unanswered_like(runs[0])
    for run in runs:
        candidates = [summary for summary in strangers if _fits(run, summary)]
        rivals = [other for other in unanswered if any(_fits(other, summary) for summary in candidates)]
        if len(candidates) == 1 and len(rivals) == 1:
            logger.info("unconfirmed run found run=%s lamina_run=%s", run.reference, candidates[0].run_id)
            track.adopt(run.pk, client.runs.get(candidates[0].run_id), told_by=Teller.SWEEP)
        elif not candidates and not run.resends and run.sent_at and asked_at - run.sent_at > GRACE:
            run.move(
                Status.WAITING,
                told_by=Teller.SWEEP,
                why=_("Lamina has no such run, so it is sent once more."),
                resends=run.resends + 1,
                next_at=asked_at,
            )
        else:
            run.look_again_in(LOOK_AGAIN_SECONDS)


def _strangers(app_id: str, since: datetime, client: LaminaClient) -> list[RunSummary]:
    """Return Lamina's runs of an app since a moment that no run of ours claims."""
    found: list[RunSummary] = []
    for number in range(PAGES):
        page = client.runs.list(app_id=app_id, since=since, limit=100, offset=100 * number)
        found.extend(page.items)
        if len(page.items) < 100:
            break
    ours = set(
        Run.objects.filter(lamina_run_id__in=[item.run_id for item in found]).values_list("lamina_run_id", flat=True)
    )
    return [item for item in found if item.run_id not in ours]


def _unanswered_like(run: Run) -> list[Run]:
    """Return every run whose answer may be missing and that Lamina would list with the same key and app."""
    return list(
        Run.objects.filter(
            app_id=run.app_id,
            workspace__in=[
                other.workspace_id
                for other in Run.objects.filter(app_id=run.app_id, lamina_run_id=None).select_related("workspace")
                if other.workspace.lamina_api_key == run.workspace.lamina_api_key
            ],
            lamina_run_id=None,
            sent_at__isnull=False,
            status__in=[Status.SUBMITTING, Status.UNCONFIRMED],
        )
    )


def _fits(run: Run, summary: RunSummary) -> bool:
    if summary.created_at is None or run.sent_at is None:
        return False
    return run.sent_at - CLOCK_SKEW <= summary.created_at <= run.sent_at + ANSWER_WINDOW
