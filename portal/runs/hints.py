"""Old news: a signed delivery that came too late is not believed, but Lamina is asked about the run it names.

It came to an address that only one attempt had, so it tells whose run that is even when the start
was never answered. It counts as applied when Lamina has told, or has said so often that it does not
know such a run that nobody asks any more; then its error stays.
"""

import logging
import uuid
from collections import defaultdict
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from lamina_integration import LaminaAuthError, LaminaClient, LaminaError, LaminaNotFound, Lane
from portal import trace
from portal.runs import track
from portal.runs.models import Attempt, Delivery, Run, Verdict
from portal.runs.states import Teller
from portal.workspaces.brakes import ids_of_refused_keys, note_key_refused
from portal.workspaces.lamina import client_for, key_of

logger = logging.getLogger(__name__)

PER_ROUND = 10
GIVE_UP_AFTER_TRIES = 8


def follow() -> list[uuid.UUID]:
    """Ask about the runs that old deliveries name; return the runs of ours there was news of."""
    now = timezone.now()
    due = Delivery.objects.filter(verdict=Verdict.STALE, applied_at=None, next_at__lte=now)
    if given_up := due.filter(tries__gte=GIVE_UP_AFTER_TRIES).update(applied_at=now):
        logger.warning("hints given up count=%d", given_up)
    due = due.exclude(attempt__run__workspace_id__in=ids_of_refused_keys())
    hints = due.select_related("attempt__run__workspace").defer("body")
    by_key: dict[str, dict[tuple[uuid.UUID, str], list[Delivery]]] = defaultdict(lambda: defaultdict(list))
    for hint in hints.order_by("next_at")[: 10 * PER_ROUND]:
        run = hint.attempt.run
        by_key[key_of(run.workspace)][run.pk, hint.lamina_run_id].append(hint)
    told: list[uuid.UUID] = []
    for named in by_key.values():
        alike = list(named.values())[:PER_ROUND]
        try:
            with client_for(alike[0][0].attempt.run.workspace, lane=Lane.TRACKING) as client:
                told += [each[0].attempt.run_id for each in alike if _asked(each, client)]
        except LaminaAuthError:
            note_key_refused(alike[0][0].attempt.run.workspace)
        except LaminaError as error:
            logger.warning("hints not followed count=%d error=%s", len(alike), error)
        except Exception as error:
            logger.exception("hints not followed count=%d error=%r", len(alike), error)
    return told


def _asked(hints: list[Delivery], client: LaminaClient) -> bool:
    """Ask about the run that these name, and apply what Lamina says; returns whether Lamina knows it."""
    run: Run = hints[0].attempt.run
    rows = Delivery.objects.filter(pk__in=[hint.pk for hint in hints])
    with trace.about(run):
        try:
            remote = client.runs.get(hints[0].lamina_run_id)
        except LaminaNotFound as error:
            # For staff to see when it stays so; not at once, because Lamina may be late itself.
            again = timezone.now() + timedelta(seconds=2 ** min(hints[0].tries + 2, 8))
            rows.update(tries=F("tries") + 1, next_at=again, error=str(error)[:2000])
            return False
        track.adopt(run.pk, remote, told_by=Teller.SWEEP)
        Attempt.objects.filter(pk__in={hint.attempt_id for hint in hints}).update(unanswered=False)
        rows.update(applied_at=timezone.now(), error="")
        logger.info("hints followed run=%s lamina_run=%s count=%d", run.reference, remote.run_id, len(hints))
    return True
