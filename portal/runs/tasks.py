"""Thin tasks: each calls one function of this room and decides only when it is tried again.

A task gets ids and gives nothing back. It may run twice, late or never: the functions claim rows,
and the sweep finds what no message came for.
"""

import logging
import uuid
from collections.abc import Callable

from celery.signals import worker_shutting_down
from django.core.cache import cache
from django.db import OperationalError
from django.utils import timezone

from lamina_integration import LaminaError
from portal.celery import app as celery
from portal.runs import copies, inbox, lanes, live, reconcile, refine, rounds, submit, watched
from portal.runs.leases import LEASE_SECONDS, renewed
from portal.runs.models import Run, RunLane
from portal.workspaces import credits
from portal.workspaces.brakes import balances_to_ask
from portal.workspaces.slots import in_slot
from portal.workspaces.tasks import nudge, refresh_balance

logger = logging.getLogger(__name__)

TRACKING_LOCK = "tracking"
AFTER_NEWS = ("status", "workspace_id", "lamina_run_id", "cancel_asked_at", "cancel_next_at", "accepted_at")


def hand_out_again(run_id: str) -> None:
    """Leave a run to the next sweep: no worker has a place for it."""
    lanes.put_off(uuid.UUID(run_id), seconds=1)


@celery.task
@in_slot("interactive", otherwise=hand_out_again)
def send_run(run_id: str) -> None:
    """Send one waiting run that a person waits for to Lamina."""
    run = submit.send(uuid.UUID(run_id))
    after_news(uuid.UUID(run_id), known=run)


@celery.task
@in_slot("batch", otherwise=hand_out_again)
def send_batch_run(run_id: str) -> None:
    """Send one waiting row of a batch to Lamina; a short wait for the request budget is the message's, not ours."""
    wait = lanes.seconds_to_wait(uuid.UUID(run_id))
    if not wait:
        run = submit.send(uuid.UUID(run_id))
        after_news(uuid.UUID(run_id), known=run)
    elif wait <= lanes.SHORT_WAIT_SECONDS:
        nudge(send_batch_run, run_id, countdown=wait)


@celery.task
@in_slot("interactive")
def cancel_run(run_id: str) -> None:
    """Tell Lamina to stop a run; the sweep asks again while it goes on."""
    try:
        submit.cancel_at_lamina(uuid.UUID(run_id))
    except LaminaError as error:
        logger.warning("cancel not delivered run=%s error=%s", run_id, error)
    after_news(uuid.UUID(run_id))


@celery.task
@in_slot("long")
def send_refinement(refinement_id: int, run_id: str) -> None:
    """Ask Lamina for a change that a person wants; takes as long as Lamina works on it."""
    refine.send(refinement_id)
    after_news(uuid.UUID(run_id))


@celery.task
def apply_delivery(delivery_id: int) -> None:
    """Apply one stored delivery."""
    try:
        run_id, run = inbox.apply_delivery(delivery_id)
    except Exception as error:
        # Written down for staff, and tried again by the sweep; the log has the traceback.
        inbox.put_off(delivery_id, error=repr(error))
        raise
    after_news(run_id, known=run)


@celery.task
@in_slot("background")
def refresh_signing_keys() -> None:
    """Fetch the keys that Lamina signs with."""
    inbox.refresh_keys()


@celery.task
@in_slot("media")
def copy_output(output_id: int) -> None:
    """Copy one output into the portal's own storage."""
    copies.copy_output(output_id)


@celery.task
def sweep() -> None:
    """Find rows that should have moved and nudge them."""
    in_turn(
        reconcile.release_lost_attempts,
        hand_out_runs,
        hand_out_deliveries,
        hand_out_cancels,
        refine.release_lost,
        hand_out_refinements,
        hand_out_copies,
        ask_for_keys,
        ask_for_balances,
    )


def in_turn(*steps: Callable[[], None]) -> None:
    """Take every step: what goes wrong with one, such as an odd row, never keeps the others from theirs."""
    for step in steps:
        try:
            step()
        except OperationalError:
            raise  # the database is away, for the others as well
        except Exception as error:
            logger.exception("step left out step=%s error=%r", step.__name__, error)


def hand_out_runs() -> None:
    """Have waiting runs sent whose time has come."""
    for run_id, lane in lanes.runs_to_send():
        nudge(send_batch_run if lane == RunLane.BATCH else send_run, str(run_id))


def hand_out_deliveries() -> None:
    """Have stored deliveries applied that no message came for."""
    for delivery_id in inbox.deliveries_to_apply():
        nudge(apply_delivery, delivery_id)


def hand_out_cancels() -> None:
    """Have Lamina told again of runs that are to end."""
    for run_id in reconcile.runs_to_cancel():
        nudge(cancel_run, str(run_id))


def hand_out_refinements() -> None:
    """Have changes asked for that wait."""
    for refinement_id, run_id in refine.due_to_send():
        nudge(send_refinement, refinement_id, str(run_id))


def hand_out_copies() -> None:
    """Have outputs copied that are not ours yet."""
    for output_id in copies.copies_to_make():
        nudge(copy_output, output_id)


def ask_for_keys() -> None:
    """Have the signing keys fetched if a delivery came that none of ours fits."""
    if inbox.needs_keys() and inbox.may_nudge_for_keys():
        nudge(refresh_signing_keys)


def ask_for_balances() -> None:
    """Have the balance asked for of keys without credits."""
    for workspace_id in balances_to_ask():
        nudge(refresh_balance, workspace_id)


@celery.task
def check_budgets() -> None:
    """Compare the budgets with their ledger, and mend what differs."""
    reconcile.check_budgets()


@celery.task
def track_runs() -> None:
    """Ask Lamina about the runs it is time to ask about; one at a time, however many workers there are."""
    mine = uuid.uuid4().hex
    if not cache.add(TRACKING_LOCK, mine, LEASE_SECONDS):
        return
    try:
        with renewed(lambda: cache.touch(TRACKING_LOCK, LEASE_SECONDS)):
            in_turn(reconcile.settle_unconfirmed, follow_runs, follow_refinements)
    finally:
        if cache.get(TRACKING_LOCK) == mine:
            cache.delete(TRACKING_LOCK)


def follow_runs() -> None:
    """Ask after runs, and start what follows."""
    for run_id in rounds.go_round():
        after_news(run_id)


def follow_refinements() -> None:
    """Ask after changes, and start what follows."""
    for run_id in refine.settle_unconfirmed():
        after_news(run_id)


@celery.task
def watch_runs() -> None:
    """Stream the runs that somebody looks at; one at a time, however many workers there are."""
    if live.watch(after_news):
        nudge(watch_runs)


@worker_shutting_down.connect
def stop_watching(**_others: object) -> None:
    """Let go of the streams, so that the worker has not to wait ten minutes for its last task."""
    watched.dismiss()


def after_news(run_id: uuid.UUID, *, known: Run | None = None) -> None:
    """Start what follows from news of a run: copies of its outputs, a late cancel, the new balance.

    `known` is the run as the news has left it; without it the run is read.
    """
    run = known or Run.objects.filter(pk=run_id).only(*AFTER_NEWS).first()
    if run is None:
        return
    for output in run.outputs.filter(copy_next_at__isnull=False) if run.places is None else run.places:
        if output.copy_next_at and output.copy_next_at <= timezone.now():
            nudge(copy_output, output.pk)
    if run.lamina_run_id and run.cancel_next_at and reconcile.put_off_cancel(run):
        nudge(cancel_run, str(run_id))
    if run.is_final and not credits.will_be_asked(run.workspace_id):
        nudge(refresh_balance, run.workspace_id)
