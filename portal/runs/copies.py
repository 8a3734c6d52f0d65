"""Our own copies of what runs made: fetched by a worker, tried again, never given up on in silence."""

import logging
import uuid
from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from portal import trace
from portal.media.copies import CopyFailed, keep_copy
from portal.runs.lanes import pause_after_message
from portal.runs.leases import LEASE_SECONDS, renewed
from portal.runs.models import Output
from portal.runs.rounds import want_details

logger = logging.getLogger(__name__)

MOST_TRIES = 8
COPIES = uuid.UUID("b0f7ce0e-3a50-4d0b-9a53-3ad6b7d6b7c1")  # the names of copies are made from it


def copies_to_make() -> list[int]:
    """Return every output whose copy is due, and leave it to a message for a while."""
    now = timezone.now()
    due = Output.objects.filter(copy_next_at__lte=now - timedelta(seconds=2)).exclude(copy_nudged_until__gt=now)
    found = list(due.order_by("copy_next_at").values_list("pk", "made_at")[:50])
    by_pause: dict[timedelta, list[int]] = defaultdict(list)
    for output_id, made_at in found:
        by_pause[pause_after_message(made_at or now)].append(output_id)
    for pause, ids in by_pause.items():
        Output.objects.filter(pk__in=ids).update(copy_nudged_until=now + pause)
    return [output_id for output_id, _made_at in found]


def copy_output(output_id: int) -> None:
    """Copy one output into the workspace's media; does nothing when another worker is at it."""
    now = timezone.now()
    claimed = Output.objects.filter(pk=output_id, copy_next_at__lte=now).update(
        copy_next_at=now + timedelta(seconds=LEASE_SECONDS),
        copy_nudged_until=None,  # it has arrived; from here on the lease counts
        copy_tries=models.F("copy_tries") + 1,
    )
    if not claimed:
        return
    output = Output.objects.select_related("run__workspace", "run__created_by").get(pk=output_id)
    try:
        with trace.about(output.run), renewed(partial(renew, output_id)):
            media = keep_copy(
                workspace=output.run.workspace,
                user=output.run.created_by,
                url=output.remote_url,
                kind=output.kind,
                name=output.label or str(output),
                media_id=uuid.uuid5(COPIES, f"{output.run_id}:{output_id}:{output.remote_url}"),
            )
    except CopyFailed as error:
        given_up = error.permanent or output.copy_tries >= MOST_TRIES
        again = None if given_up else now + timedelta(seconds=2 ** min(output.copy_tries + 1, 9))
        _note(output, copy_next_at=again, copy_error=str(error)[:500])
        if given_up and output.copy_tries <= MOST_TRIES:
            want_details(output.run_id)  # Lamina may have another address for it by now
        logger.warning("output not copied run=%s output=%d final=%s", output.run.reference, output_id, given_up)
    else:
        _note(output, media=media, kind=media.kind, copy_next_at=None, copy_error="")


def _note(output: Output, **changes: Any) -> None:
    """Write down what came of a copy, and make open pages show it: both or neither."""
    with transaction.atomic():
        Output.objects.filter(pk=output.pk).update(**changes)
        output.run.touch()


def renew(output_id: int) -> None:
    """Say that this copy's worker is alive."""
    until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    Output.objects.filter(pk=output_id, copy_next_at__isnull=False).update(copy_next_at=until)
