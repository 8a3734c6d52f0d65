"""News of runs: only forward, whoever brings it, however often."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.runs import track
from portal.runs.models import OutputStatus, Run
from portal.runs.rounds import go_round
from portal.runs.states import Status, Teller
from portal.runs.submit import send, submit
from portal.runs.track import MOST_OUTPUTS, adopt, apply
from portal.runs.words import RunScreen
from portal.workspaces.models import Membership, User


@pytest.fixture
def sent(run: Run, lamina: Sandbox) -> Run:
    """A run that Lamina has accepted and not begun."""
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    return run


def news(run: Run, status: str, *outputs: dict[str, Any], **members: Any) -> RemoteRun:
    """Return what Lamina would say about the run."""
    return RemoteRun.model_validate({"runId": run.lamina_run_id, "status": status, "outputs": list(outputs), **members})


def output(number: int, label: str, status: str = "completed", **members: Any) -> dict[str, Any]:
    values = {"type": "image", "value": f"http://media.test/{number}.png"} if status == "completed" else {}
    return {"id": f"node-{number}", "label": label, "status": status, **values, **members}


def states(run: Run) -> list[tuple[str, str]]:
    return [(row.label, row.status) for row in run.outputs.all()]


def test_outputs_fill_their_reserved_places_one_by_one(sent: Run) -> None:
    apply(sent.pk, news(sent, "running", output(1, "Front"), output(2, "Back", "pending")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "completed"), ("Back", "pending")]
    apply(sent.pk, news(sent, "completed", output(1, "Front"), output(2, "Back")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "completed"), ("Back", "completed")]
    sent.refresh_from_db()
    assert sent.status == Status.COMPLETED


def test_same_news_twice_changes_nothing(sent: Run) -> None:
    said = news(sent, "running", output(1, "Front"))
    apply(sent.pk, said, told_by=Teller.SWEEP)
    before = Run.objects.values().get(pk=sent.pk)
    apply(sent.pk, said, told_by=Teller.DELIVERY)
    assert Run.objects.values().get(pk=sent.pk) == before


def test_old_news_never_undoes_newer(sent: Run) -> None:
    apply(sent.pk, news(sent, "completed", output(1, "Front"), output(2, "Back")), told_by=Teller.DELIVERY)
    apply(sent.pk, news(sent, "running", output(1, "Front", "pending")), told_by=Teller.SWEEP)
    apply(sent.pk, news(sent, "failed", errorMessage="late"), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert (sent.status, sent.error) == (Status.COMPLETED, "")
    assert states(sent) == [("Front", "completed"), ("Back", "completed")]


def test_two_outputs_of_one_label_get_a_place_each(sent: Run) -> None:
    sent.outputs.update(label="AI Designer")
    apply(sent.pk, news(sent, "completed", output(2, "AI Designer"), output(1, "AI Designer")), told_by=Teller.SWEEP)
    assert {row.remote_url for row in sent.outputs.all()} == {"http://media.test/1.png", "http://media.test/2.png"}


def test_output_nobody_announced_gets_a_place_of_its_own(sent: Run) -> None:
    apply(sent.pk, news(sent, "running", output(9, "Surprise")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "pending"), ("Back", "pending"), ("Surprise", "completed")]


def test_failed_run_keeps_what_was_finished_and_says_why(sent: Run) -> None:
    outputs = output(1, "Front"), output(2, "Back", "error", error="Bad picture", type="pending")
    apply(sent.pk, news(sent, "failed", *outputs), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert (sent.status, sent.error, sent.error_code) == (Status.FAILED, "Bad picture", "failed")
    assert states(sent) == [("Front", "completed"), ("Back", "error")]


def test_failure_for_lack_of_credits_is_known_by_its_text(sent: Run) -> None:
    apply(sent.pk, news(sent, "failed", errorMessage="Insufficient Credits to run"), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert sent.error_code == "insufficient_credits"


def test_places_nothing_came_for_are_closed_at_the_end(sent: Run) -> None:
    apply(sent.pk, news(sent, "cancelled", output(1, "Front")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "completed"), ("Back", "cancelled")]


def test_unknown_state_is_not_the_end(sent: Run) -> None:
    apply(sent.pk, news(sent, "pondering", output(1, "Front")), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert sent.status == Status.QUEUED
    assert states(sent)[0] == ("Front", "completed")


def test_unknown_state_is_put_on_record_once_for_staff(
    sent: Run, as_user: Callable[[User], Client], staff: User
) -> None:
    def wondered() -> list[str]:
        return [move.why for move in sent.history.all() if "which we do not know" in move.why]

    for _ in range(3):
        apply(sent.pk, news(sent, "pondering"), told_by=Teller.SWEEP)
    assert len(wondered()) == 1
    assert "'pondering'" in wondered()[0]
    apply(sent.pk, news(sent, "\x00\ud83d"), told_by=Teller.DELIVERY)
    assert len(wondered()) == 2
    page = as_user(staff).get("/staff/").content.decode()
    assert sent.reference in page
    assert "which we do not know" in page
    apply(sent.pk, news(sent, "running"), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert (sent.status, sent.error_code) == (Status.RUNNING, "")
    assert sent.reference not in as_user(staff).get("/staff/").content.decode()
    apply(sent.pk, news(sent, "completed"), told_by=Teller.SWEEP)
    apply(sent.pk, news(sent, "archived"), told_by=Teller.DELIVERY)
    assert len(wondered()) == 2, "what is over is not looked at again"


@pytest.mark.parametrize("value", [None, "", [], {"url": 1}, 7])
def test_finished_output_without_a_value_is_an_error(sent: Run, value: object) -> None:
    apply(sent.pk, news(sent, "completed", output(1, "Front", value=value)), told_by=Teller.SWEEP)
    assert sent.outputs.get(position=0).status == OutputStatus.ERROR


def test_text_output_is_kept_as_text(sent: Run) -> None:
    apply(sent.pk, news(sent, "completed", output(1, "Front", type="text", value="<b>Hi</b>")), told_by=Teller.SWEEP)
    row = sent.outputs.get(position=0)
    assert (row.kind, row.text, row.copy_next_at) == ("text", "<b>Hi</b>", None)


def test_news_before_our_own_record_joins_the_runs(run: Run) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    remote = RemoteRun.model_validate({"runId": "early", "status": "completed", "outputs": [output(1, "Front")]})
    adopt(run.pk, remote, told_by=Teller.DELIVERY)
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.COMPLETED, "early")
    assert [move.to for move in run.history.all()] == ["waiting", "submitting", "queued", "completed"]


def test_second_run_at_lamina_is_put_on_record_and_changes_nothing(sent: Run) -> None:
    adopt(sent.pk, RemoteRun.model_validate({"runId": "other", "status": "completed"}), told_by=Teller.DELIVERY)
    first = sent.lamina_run_id
    sent.refresh_from_db()
    assert (sent.status, sent.lamina_run_id) == (Status.QUEUED, first)
    assert "other" in sent.history.last().why


def test_without_any_webhook_the_sweep_settles_every_run(run: Run, lamina: Sandbox) -> None:
    lamina.set(webhooks=False)
    send(run.pk)
    lamina.finish()
    Run.objects.update(next_at=timezone.now())
    go_round()
    run.refresh_from_db()
    assert run.status == Status.COMPLETED
    assert {row.status for row in run.outputs.all()} == {"completed"}


def test_tracking_survives_lamina_being_down(sent: Run, settings: object) -> None:
    settings.LAMINA_BASE_URL = "http://127.0.0.1:9"
    Run.objects.update(next_at=timezone.now())
    assert go_round() == []
    sent.refresh_from_db()
    assert sent.status == Status.QUEUED


def test_one_run_that_cannot_be_asked_about_never_keeps_the_others_waiting(
    run: Run, member: Membership, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = submit(member=member, pin=run.pin, schema=run.schema, inputs=run.inputs, outputs_wanted=[], token=run.pk)
    for each in (run, twin):
        send(each.pk)
    lamina.finish()
    applied = track.apply

    def poisoned(run_id: object, remote: RemoteRun, **rest: Any) -> None:
        if run_id == run.pk:
            raise ValueError("something odd")
        applied(run_id, remote, **rest)

    monkeypatch.setattr(track, "apply", poisoned)
    Run.objects.update(next_at=timezone.now())
    go_round()
    twin.refresh_from_db()
    run.refresh_from_db()
    assert twin.status == Status.COMPLETED
    assert run.next_at > timezone.now(), "it is put off and asked about again"


def test_run_that_lamina_does_not_know_any_more_says_so_and_is_kept(sent: Run, lamina: Sandbox) -> None:
    lamina.reset()
    Run.objects.update(next_at=timezone.now())
    go_round()
    go_round()
    sent.refresh_from_db()
    assert (sent.status, sent.error_code) == (Status.QUEUED, "missing")


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.FAILED])
def test_run_that_ended_here_and_lives_at_lamina_is_put_on_record_with_what_it_makes(run: Run, status: Status) -> None:
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    run.move(status, told_by=Teller.WORKER)
    remote = RemoteRun.model_validate({"runId": "alive", "status": "completed", "outputs": [output(1, "Front")]})
    adopt(run.pk, remote, told_by=Teller.DELIVERY)
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (status, "alive")
    assert "alive" in run.history.last().why
    assert ("Front", "completed") in states(run)


def test_places_closed_by_an_answer_without_outputs_are_filled_later(sent: Run) -> None:
    apply(sent.pk, news(sent, "completed"), told_by=Teller.DELIVERY)
    assert states(sent) == [("Front", "cancelled"), ("Back", "cancelled")]
    apply(sent.pk, news(sent, "completed", output(1, "Front"), output(2, "Back")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "completed"), ("Back", "completed")]


def test_outputs_beyond_what_is_kept_are_said_and_never_cut_in_silence(sent: Run) -> None:
    many = [output(number, "Front") for number in range(MOST_OUTPUTS + 3)]
    for _ in range(2):
        apply(sent.pk, news(sent, "running", *many), told_by=Teller.SWEEP)
    sent.refresh_from_db()
    assert sent.outputs.filter(status="completed").count() == MOST_OUTPUTS
    assert sent.outputs_left_out == 3
    assert sent.history.filter(why__contains="3 outputs more").count() == 1
    assert "3 outputs more than we keep" in RunScreen(sent, []).advice


def test_news_of_another_run_changes_nothing(sent: Run) -> None:
    other = RemoteRun.model_validate({"runId": "other", "status": "completed", "outputs": [output(1, "Front")]})
    before = Run.objects.values().get(pk=sent.pk)
    apply(sent.pk, other, told_by=Teller.STREAM)
    assert Run.objects.values().get(pk=sent.pk) == before
    assert ("Front", "completed") not in states(sent)


def test_run_that_is_done_before_all_of_it_was_told_is_asked_about_once_more(sent: Run) -> None:
    said = news(sent, "completed", output(1, "Front"), output(2, "Back", "pending"))
    apply(sent.pk, said, told_by=Teller.DELIVERY)
    sent.refresh_from_db()
    assert sent.status == Status.COMPLETED
    assert sent.details_next_at
    apply(sent.pk, news(sent, "completed", output(1, "Front"), output(2, "Back")), told_by=Teller.SWEEP)
    assert states(sent) == [("Front", "completed"), ("Back", "completed")]


def test_other_address_is_taken_only_for_what_is_not_ours_and_not_being_copied(sent: Run) -> None:
    apply(sent.pk, news(sent, "completed", output(1, "Front"), output(2, "Back")), told_by=Teller.SWEEP)
    front, back = sent.outputs.all()
    sent.outputs.filter(pk=front.pk).update(copy_next_at=None, copy_error="Gone")
    signed_anew = [
        output(n, label, value=f"http://media.test/{n}.png?anew") for n, label in ((1, "Front"), (2, "Back"))
    ]
    apply(sent.pk, news(sent, "completed", *signed_anew), told_by=Teller.SWEEP)
    front.refresh_from_db()
    assert (front.remote_url, bool(front.copy_next_at)) == ("http://media.test/1.png?anew", True)
    back.refresh_from_db()
    assert back.remote_url == "http://media.test/2.png"
