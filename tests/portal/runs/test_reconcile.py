"""The sweep: what is stuck is found, what is unknown is looked for, nothing is sent twice."""

from datetime import timedelta

from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.runs import reconcile, submit
from portal.runs.models import Attempt, Run
from portal.runs.states import Status


def age(run: Run, **by: float) -> None:
    """Make a run and its attempts older."""
    past = timedelta(**by)
    for attempt in run.attempts.all():
        attempt.sent_at = attempt.sent_at - past if attempt.sent_at else None
        attempt.lease_until -= past
        attempt.save()
    row = Run.objects.get(pk=run.pk)
    Run.objects.filter(pk=run.pk).update(
        next_at=timezone.now(), sent_at=row.sent_at - past if row.sent_at else None, created_at=row.created_at - past
    )


def test_waiting_run_whose_message_was_lost_is_found(run: Run) -> None:
    assert reconcile.runs_to_send() == []
    age(run, seconds=10)
    assert reconcile.runs_to_send() == [run.pk]
    assert reconcile.runs_to_send() == [], "it is left alone for a moment"


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
