"""The sweep: what is stuck is found, what is unknown is looked for, nothing is sent twice."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from lamina_integration import Page, RunSummary
from lamina_integration.sandbox import Sandbox
from portal.runs import inbox, outcomes, reconcile, settle, submit
from portal.runs.lanes import runs_to_send
from portal.runs.models import Attempt, Delivery, Run
from portal.runs.states import Status
from portal.workspaces.models import Membership, User


def age(run: Run, **by: float) -> None:
    """Make a run and its attempts older."""
    past = timedelta(**by)
    for attempt in run.attempts.all():
        attempt.sent_at = attempt.sent_at - past if attempt.sent_at else None
        attempt.closed_at = attempt.closed_at - past if attempt.closed_at else None
        attempt.lease_until -= past
        attempt.save()
    row = Run.objects.get(pk=run.pk)
    Run.objects.filter(pk=run.pk).update(
        next_at=timezone.now(), sent_at=row.sent_at - past if row.sent_at else None, created_at=row.created_at - past
    )


def test_waiting_run_whose_message_was_lost_is_found(run: Run) -> None:
    assert runs_to_send() == []
    age(run, seconds=10)
    assert runs_to_send() == [(run.pk, "interactive")]
    assert runs_to_send() == [], "it is left alone for a moment"


def test_worker_lost_before_the_request_left_sends_again(run: Run, lamina: Sandbox) -> None:
    submit.claim(run.pk)
    age(run, minutes=10)
    reconcile.release_lost_attempts()
    submit.send(run.pk)
    run.refresh_from_db()
    assert run.lamina_run_id
    assert len(lamina.ledger()["starts"]) == 1


def test_worker_lost_while_the_request_was_out_is_never_sent_blindly(run: Run, lamina: Sandbox) -> None:
    attempt = submit.claim(run.pk)
    assert attempt is not None
    submit.mark_sent(attempt)
    age(run, minutes=10)
    reconcile.release_lost_attempts()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    submit.send(run.pk)
    assert lamina.ledger()["starts"] == []


def test_working_attempt_is_left_alone(run: Run) -> None:
    submit.claim(run.pk)
    reconcile.release_lost_attempts()
    assert Attempt.objects.get().closed_at is None


def test_lost_answer_is_found_among_lamina_s_runs(run: Run, lamina: Sandbox) -> None:
    lamina.set(lost_answers=1.0)
    submit.send(run.pk)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.lamina_run_id == lamina.ledger()["starts"][0]["runId"]
    assert run.status in {Status.QUEUED, Status.RUNNING, Status.COMPLETED}
    assert len(lamina.ledger()["starts"]) == 1


def test_two_lost_answers_that_could_be_either_are_not_guessed(run: Run, member: object, lamina: Sandbox) -> None:
    twin = submit.submit(
        member=member, pin=run.pin, schema=run.schema, inputs=run.inputs, outputs_wanted=[], token=run.pk
    )
    lamina.set(lost_answers=1.0)
    submit.send(run.pk)
    submit.send(twin.pk)
    reconcile.settle_unconfirmed()
    assert set(Run.objects.values_list("status", flat=True)) == {Status.UNCONFIRMED}


@pytest.fixture
def twin(run: Run, member: Membership) -> Run:
    """A second run with the same inputs, sent at the same moment."""
    return submit.submit(
        member=member, pin=run.pin, schema=run.schema, inputs=run.inputs, outputs_wanted=[], token=run.pk
    )


@pytest.fixture
def taken_from(run: Run, twin: Run, lamina: Sandbox) -> str:
    """Lamina's id of the run whose answer was lost; the twin's request never arrived."""
    lamina.set(lost_answers=1.0, webhooks=False)
    submit.send(run.pk)
    lamina.set(lost_answers=0.0, lost_requests=1.0)
    submit.send(twin.pk)
    lamina.set(lost_requests=0.0)
    run.refresh_from_db()
    (started,) = lamina.ledger()["starts"]
    return str(started["runId"])


def look() -> None:
    """Look for every unconfirmed run now."""
    Run.objects.update(next_at=timezone.now())
    reconcile.settle_unconfirmed()


@pytest.mark.parametrize("what", ["given up", "sent once more", "sent once more and accepted", "cancelled"])
def test_lamina_s_run_is_not_taken_from_one_that_went_on_without_it(
    run: Run, twin: Run, taken_from: str, staff: User, what: str
) -> None:
    if what == "given up":
        settle.give_up(run, person=staff, reason="x")
    elif what == "cancelled":
        run.move(Status.CANCELLED, told_by="staff")
    else:
        settle.send_once_more(run, person=staff, reason="x")
    if what == "sent once more and accepted":
        submit.send(run.pk)
    look()
    twin.refresh_from_db()
    assert (twin.status, twin.lamina_run_id) == (Status.UNCONFIRMED, None)


def test_delivery_for_one_that_was_given_up_frees_the_others(
    run: Run, twin: Run, taken_from: str, staff: User, lamina: Sandbox
) -> None:
    settle.give_up(run, person=staff, reason="x")
    remote = {"data": {"runId": taken_from, "status": "running", "outputs": []}}
    delivery = Delivery.objects.create(
        attempt=run.attempts.get(),
        digest="d",
        verdict="accepted",
        lamina_run_id=taken_from,
        signed_at=timezone.now(),
        body=json.dumps(remote),
    )
    look()
    twin.refresh_from_db()
    assert twin.lamina_run_id is None, "the delivery tells whose it is before anybody has applied it"
    inbox.apply_delivery(delivery.pk)
    run.refresh_from_db()
    assert run.lamina_run_id == taken_from
    assert not run.attempts.get().unanswered
    age(twin, minutes=5)
    look()
    twin.refresh_from_db()
    assert twin.status == Status.WAITING, "what is left at Lamina is the other's"


def test_run_that_is_certainly_not_there_waits_for_no_attempt_that_was_answered(
    run: Run, twin: Run, lamina: Sandbox
) -> None:
    lamina.set(webhooks=False)
    submit.send(run.pk)
    assert not run.attempts.get().unanswered
    lamina.set(lost_answers=1.0)
    submit.send(twin.pk)
    look()
    twin.refresh_from_db()
    assert twin.lamina_run_id == lamina.ledger()["starts"][1]["runId"]
    assert not twin.attempts.get().unanswered


def test_run_that_certainly_never_arrived_is_sent_once_more_after_the_grace(run: Run, lamina: Sandbox) -> None:
    lamina.set(lost_requests=1.0)
    submit.send(run.pk)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED, "the grace time is not over"
    age(run, minutes=5)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert (run.status, run.resends) == (Status.WAITING, 1)
    assert "once more" in run.history.last().why
    submit.send(run.pk)
    age(run, minutes=5)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED, "a second time it is left to staff"


def test_silent_lamina_leaves_unconfirmed_runs_as_they_are(run: Run, lamina: Sandbox, settings: object) -> None:
    lamina.set(lost_answers=1.0)
    submit.send(run.pk)
    age(run, minutes=5)
    settings.LAMINA_BASE_URL = "http://127.0.0.1:9"
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED


def test_worker_lost_between_the_answer_and_our_record_leaves_nothing_stranded(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("portal.runs.track.adopt", _killed)
        with pytest.raises(KeyboardInterrupt):
            submit.send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.SUBMITTING
    assert run.attempts.get().closed_at is None, "an attempt is closed together with what came of it"
    Attempt.objects.update(lease_until=timezone.now())
    reconcile.release_lost_attempts()
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.lamina_run_id == lamina.ledger()["starts"][0]["runId"]
    assert len(lamina.ledger()["starts"]) == 1


def _killed(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def test_run_that_is_being_sent_by_nobody_is_found(run: Run) -> None:
    attempt = submit.claim(run.pk)
    assert attempt is not None
    attempt.close("and then nothing")
    reconcile.release_lost_attempts()
    run.refresh_from_db()
    assert run.status == Status.WAITING


@pytest.fixture
def lost(run: Run, lamina: Sandbox) -> Run:
    """A run that was sent five minutes ago and never answered; Lamina does not list it."""
    lamina.set(lost_requests=1.0)
    submit.send(run.pk)
    lamina.set(lost_requests=0.0)
    age(run, minutes=5)
    run.refresh_from_db()
    return run


def listed(monkeypatch: pytest.MonkeyPatch, *items: RunSummary, total: int) -> None:
    """Make Lamina's list of runs say this."""
    page = Page(items=items, total=total, limit=100, offset=0)
    monkeypatch.setattr("portal.runs.reconcile._listed_page", lambda *args: page)


def test_run_that_is_certainly_not_there_is_sent_again(lost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, total=0)
    reconcile.settle_unconfirmed()
    lost.refresh_from_db()
    assert lost.status == Status.WAITING


@pytest.mark.parametrize("seconds", [None, -1800, 1800])
def test_stranger_that_cannot_be_ruled_out_keeps_a_run_from_being_sent_again(
    lost: Run, monkeypatch: pytest.MonkeyPatch, seconds: int | None
) -> None:
    moment = None if seconds is None else lost.sent_at + timedelta(seconds=seconds)
    listed(monkeypatch, RunSummary(run_id="stranger", status="running", created_at=moment), total=1)
    reconcile.settle_unconfirmed()
    lost.refresh_from_db()
    assert lost.status == Status.UNCONFIRMED


def test_list_that_is_not_complete_proves_nothing(lost: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(monkeypatch, total=1)
    reconcile.settle_unconfirmed()
    lost.refresh_from_db()
    assert lost.status == Status.UNCONFIRMED


def test_cancel_that_was_asked_for_while_it_was_sent_is_not_forgotten(run: Run) -> None:
    attempt = submit.claim(run.pk)
    assert attempt is not None
    submit.cancel(Run.objects.get(pk=run.pk))
    outcomes.give_back(attempt, outcomes.NOT_REACHED, seconds=1, why="Lamina is away")
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_waiting_run_whose_end_was_asked_for_ends(run: Run) -> None:
    Run.objects.update(cancel_asked_at=timezone.now())
    reconcile.runs_to_cancel()
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_lamina_is_asked_to_stop_a_run_less_and_less_often(run: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True)
    submit.send(run.pk)
    run.refresh_from_db()
    submit.cancel(run)
    assert reconcile.runs_to_cancel() == [], "the message that was sent with the click goes first"
    now = timezone.now()
    before = now - timedelta(seconds=60)
    Run.objects.update(accepted_at=before, cancel_asked_at=before, cancel_next_at=now - timedelta(seconds=1))
    assert reconcile.runs_to_cancel() == [run.pk]
    assert reconcile.runs_to_cancel() == []
    run.refresh_from_db()
    assert (run.cancel_next_at - now).total_seconds() > 50


def test_run_that_lamina_does_not_stop_is_not_asked_about_again_and_says_so(run: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True, cancel_answer="not_cancellable")
    submit.send(run.pk)
    run.refresh_from_db()
    submit.cancel(run)
    submit.cancel_at_lamina(run.pk)
    run.refresh_from_db()
    assert (run.status, run.cancel_answer, run.cancel_next_at) == (Status.QUEUED, "not_cancellable", None)
