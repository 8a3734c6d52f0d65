"""A new run's rows: itself, its first line of history, a place for each output, and what it holds of the budget."""

import logging
import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from lamina_integration import App as LaminaApp
from portal.catalogue.schemas import schema_of
from portal.runs import costs
from portal.runs.models import Draft, Move, Output, Run, RunLane
from portal.runs.states import Status, Teller
from portal.workspaces.brakes import TRY_EVERY, credits_words
from portal.workspaces.budgets import SpendingRefused
from portal.workspaces.models import Membership

logger = logging.getLogger(__name__)

# So often in a row a run goes on by itself after it failed for want of credits; the pauses double, and end in a day.
MOST_FOLLOWERS = 8


class MendedAlready(Exception):
    """The run that this one mends has gone on: an earlier try of it had arrived, or it was mended elsewhere."""


def record(run: Run, *, draft_of: Membership | None = None, told_by: str = Teller.PERSON, why: str = "") -> None:
    """Write a new run and what belongs to it, within the caller's transaction.

    Raises IntegrityError, first of all, where its token has a run, MendedAlready where what it mends has gone
    on, and SpendingRefused when the budget has no room for it.
    """
    run.save(force_insert=True)
    Move.objects.create(run=run, at=run.created_at, leaving="", to=Status.WAITING, told_by=told_by, why=why)
    if draft_of is not None and run.lane == RunLane.INTERACTIVE:
        Draft.objects.filter(member=draft_of, token=run.token).delete()
    app = schema_of(run.schema)
    Output.objects.bulk_create(reserved_outputs(run, app))
    mended = run.retry_of
    if mended is not None and mended.status == Status.NEEDS_ATTENTION and mended.app_id == run.app_id:
        _end_mended(mended, run)
    # Last, because it locks the month for everybody until the commit.
    costs.hold(run, outputs=len(app.outputs))


def _end_mended(mended: Run, run: Run) -> None:
    why = _("Mended and sent as %s.") % run.reference
    if not mended.move(Status.CANCELLED, told_by=Teller.PERSON, why=why):
        raise MendedAlready(mended.reference)


def reserved_outputs(run: Run, app: LaminaApp) -> list[Output]:
    """Return a place for each output the run will make; one where the app does not say."""
    wanted = {label.casefold() for label in run.outputs_wanted}
    specs = [spec for spec in app.outputs if not wanted or spec.label.casefold() in wanted]
    if not specs:
        return [Output(run=run, position=0)]
    return [Output(run=run, position=n, label=spec.label, kind=spec.type) for n, spec in enumerate(specs)]


def go_on_when_topped_up(run_id: uuid.UUID) -> Run | None:
    """Record a run like one that Lamina took and failed for want of credits, and return it; it waits for credits.

    A run that was accepted and failed is over, so that another one goes on, as when its person runs it again.
    None where a person has to decide: it was cancelled, its app is not offered any more, the budget has no room,
    or it has failed so often in a row. To be called in the transaction that makes it fail, so that it happens once.
    """
    run = Run.objects.select_related("workspace", "created_by", "pin", "app", "schema").get(pk=run_id)
    times = failed_in_a_row(run)
    if run.cancel_asked_at or run.pin is None or not run.pin.is_offered or times > MOST_FOLLOWERS:
        return None
    why = credits_words()
    again = timezone.now() + TRY_EVERY * 2 ** (times - 1)
    follower = Run(
        workspace=run.workspace,
        token=follower_token(run),
        created_by=run.created_by,
        pin=run.pin,
        app=run.app,
        schema=run.schema,
        inputs=run.inputs,
        outputs_wanted=run.outputs_wanted,
        retry_of=run,
        lane=run.lane,
        request_id=run.request_id,
        held_up=why,
        next_at=again,
        not_before=again,
    )
    try:
        with transaction.atomic():
            record(follower, told_by=Teller.WORKER, why=_("Goes on for %s when topped up.") % run.reference)
    except SpendingRefused as refused:
        logger.info("run does not go on run=%s why=%s", run.reference, refused)
        return None
    logger.info("run goes on when topped up run=%s as=%s", run.reference, follower.reference)
    return follower


def follower_token(run: Run) -> uuid.UUID:
    """Return the token of the run that goes on for one which failed for want of credits, if there is one."""
    return uuid.uuid5(run.pk, "topped up")


def failed_in_a_row(run: Run) -> int:
    """Return how many runs, this one last, failed for want of credits one for the other."""
    times, before = 1, run.retry_of
    while before is not None and before.error_code == costs.NO_CREDITS and times <= MOST_FOLLOWERS:
        times, before = times + 1, before.retry_of
    return times
