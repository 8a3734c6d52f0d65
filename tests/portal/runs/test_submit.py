"""From a filled form to one run at Lamina, whatever happens on the way."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from lamina_integration import App as LaminaApp
from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.operations.selfcheck import check_addresses
from portal.runs import callbacks, outcomes, tasks, track
from portal.runs import submit as submitting
from portal.runs.callbacks import address_is_refused
from portal.runs.inputs_shown import refusals
from portal.runs.leases import LEASE_SECONDS
from portal.runs.models import Attempt, Run
from portal.runs.preparing import labels_to_send
from portal.runs.states import Status, Teller
from portal.runs.submit import cancel, claim, mark_sent, send, submit
from portal.workspaces.credits import ASKED, ASKED_AGAIN
from portal.workspaces.models import Membership
from tests.factories import detail, media_of


def starts(lamina: Sandbox) -> list[dict]:
    return lamina.ledger()["starts"]


def test_submit_saves_the_run_and_reserves_its_outputs(run: Run, lamina: Sandbox) -> None:
    assert run.status == Status.WAITING
    assert [(output.label, output.kind) for output in run.outputs.all()] == [("Front", "image"), ("Back", "image")]
    assert [move.to for move in run.history.all()] == [Status.WAITING]
    assert starts(lamina) == []


def submit_brief(member: Membership, pin: PinnedApp, token: uuid.UUID, brief: str) -> Run:
    return submit(
        member=member,
        pin=pin,
        schema=pin.app.schema,
        inputs={"brief_text": brief},
        outputs_wanted=[],
        token=token,
    )


def test_submit_makes_one_run_of_one_token(poster: PinnedApp, member: Membership) -> None:
    token = uuid.uuid4()
    runs = {submit_brief(member, poster, token, brief).pk for brief in ("once", "twice")}
    assert len(runs) == 1
    assert Run.objects.get().inputs == {"brief_text": "once"}


@pytest.mark.django_db(transaction=True)
def test_fifty_posts_of_one_form_are_one_run(poster: PinnedApp, member: Membership) -> None:
    token = uuid.uuid4()

    def post(number: int) -> uuid.UUID:
        try:
            return submit_brief(member, poster, token, f"post {number}").pk
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as threads:
        assert len(set(threads.map(post, range(50)))) == 1
    assert Run.objects.count() == 1


def test_send_tells_lamina_once(run: Run, lamina: Sandbox) -> None:
    send(run.pk)
    send(run.pk)
    run.refresh_from_db()
    assert run.status in {Status.QUEUED, Status.RUNNING, Status.COMPLETED}
    assert [start["runId"] for start in starts(lamina)] == [run.lamina_run_id]
    assert starts(lamina)[0]["inputs"] == {"brief_text": "A mug"}


def test_send_gives_each_attempt_its_own_callback_address(run: Run, lamina: Sandbox, settings: object) -> None:
    settings.PORTAL_PUBLIC_URL = "http://127.0.0.1:1"
    lamina.set(webhooks=False)
    send(run.pk)
    attempt = run.attempts.get()
    assert starts(lamina)[0]["webhook"] == f"http://127.0.0.1:1/hooks/lamina/{attempt.token}/"


def test_send_asks_for_no_webhook_where_lamina_cannot_reach_us(run: Run, lamina: Sandbox) -> None:
    send(run.pk)
    assert not starts(lamina)[0].get("webhook")


def test_lost_answer_leaves_the_run_unconfirmed_and_is_never_sent_again(run: Run, lamina: Sandbox) -> None:
    lamina.set(lost_answers=1.0)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    send(run.pk)
    assert len(starts(lamina)) == 1


def come_back(run: Run) -> None:
    """Let the time pass that a run was put off for."""
    Run.objects.filter(pk=run.pk).update(not_before=timezone.now(), next_at=timezone.now())


def test_message_that_comes_early_sends_nothing(run: Run, lamina: Sandbox) -> None:
    lamina.set(rate_limited=1.0, rate_limited_seconds=7)
    send(run.pk)
    lamina.set(rate_limited=0.0)
    send(run.pk)
    assert run.attempts.count() == 1
    assert starts(lamina) == []


def test_lamina_being_down_makes_the_run_wait(run: Run, lamina: Sandbox, settings: object) -> None:
    settings.LAMINA_BASE_URL = "http://127.0.0.1:9"
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING
    assert run.sent_at is None
    settings.LAMINA_BASE_URL = lamina.url
    come_back(run)
    send(run.pk)
    run.refresh_from_db()
    assert run.lamina_run_id
    assert len(starts(lamina)) == 1


def test_rate_limit_makes_the_run_wait_as_long_as_lamina_says(run: Run, lamina: Sandbox) -> None:
    lamina.set(rate_limited=1.0, rate_limited_seconds=7)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING
    assert 5 <= (run.next_at - run.attempts.get().closed_at).total_seconds() <= 8
    assert starts(lamina) == []


def test_inputs_the_newest_schema_refuses_go_back_to_the_person(run: Run, lamina: Sandbox) -> None:
    Run.objects.filter(pk=run.pk).update(inputs={"ratio_text": "3:2"})
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.NEEDS_ATTENTION
    assert {(problem["param"], problem["code"]) for problem in run.problems} == {
        ("brief_text", "missing_no_default"),
        ("ratio_text", "invalid_option"),
    }
    assert starts(lamina) == []


def test_text_that_looks_like_a_file_reference_stays_text(run: Run, lamina: Sandbox) -> None:
    media = media_of(run.workspace)
    Run.objects.filter(pk=run.pk).update(inputs={"brief_text": media.ref})
    send(run.pk)
    assert starts(lamina)[0]["inputs"] == {"brief_text": media.ref}


def test_app_that_is_gone_fails_the_run(run: Run) -> None:
    run.app.lamina_id = "gone"
    run.app.save()
    send(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error_code) == (Status.FAILED, "app_gone")


def test_chosen_outputs_only_are_asked_for(run: Run, lamina: Sandbox) -> None:
    Run.objects.filter(pk=run.pk).update(outputs_wanted=["Back"])
    send(run.pk)
    assert starts(lamina)[0]["outputs"] == ["Back"]


def test_attempt_that_was_given_up_on_does_not_leave_any_more(run: Run, lamina: Sandbox) -> None:
    attempt = claim(run.pk)
    assert attempt is not None
    attempt.close("its worker was lost")
    assert mark_sent(attempt) is False


def test_run_whose_end_was_asked_for_in_the_last_moment_does_not_leave(run: Run) -> None:
    attempt = claim(run.pk)
    assert attempt
    cancel(run)
    assert mark_sent(attempt) is False
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert run.attempts.get().closed_at


def test_request_that_leaves_has_a_whole_lease_and_counts_as_unanswered_until_it_is_not(run: Run) -> None:
    attempt = claim(run.pk)
    assert attempt
    Attempt.objects.update(lease_until=timezone.now())
    assert mark_sent(attempt)
    attempt.refresh_from_db()
    assert attempt.lease_until > timezone.now() + timedelta(seconds=LEASE_SECONDS - 5)
    assert attempt.unanswered, "a run at Lamina that nobody claims may be its"


def test_cancel_of_a_waiting_run_costs_nothing(run: Run, lamina: Sandbox) -> None:
    cancel(run)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert starts(lamina) == []


def test_cancel_reaches_lamina(run: Run, lamina: Sandbox) -> None:
    lamina.set(manual=True)
    send(run.pk)
    run.refresh_from_db()
    cancel(run)
    submitting.cancel_at_lamina(run.pk)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


@pytest.mark.parametrize("status", [Status.WAITING, Status.QUEUED, Status.RUNNING, Status.UNCONFIRMED])
def test_running_it_again_never_ends_the_run_it_came_from(
    run: Run, poster: PinnedApp, member: Membership, status: Status
) -> None:
    Run.objects.filter(pk=run.pk).update(status=status, lamina_run_id="remote")
    submit(
        member=member,
        pin=poster,
        schema=poster.app.schema,
        inputs=run.inputs,
        outputs_wanted=[],
        token=uuid.uuid4(),
        retry_of=Run.objects.get(pk=run.pk),
    )
    run.refresh_from_db()
    assert run.status == status


def test_fault_of_ours_makes_the_run_wait_and_at_last_fail_with_nothing_spent(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.runs.submit.prepare", _broken)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING
    monkeypatch.setattr(submitting, "MOST_TRIES", 2)
    come_back(run)
    send(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error_code) == (Status.FAILED, "ours")
    assert starts(lamina) == []


@pytest.mark.parametrize("outcome", outcomes.EXCUSED)
def test_tries_that_were_nobody_s_failure_do_not_count(run: Run, monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    now = timezone.now()
    Attempt.objects.bulk_create(Attempt(run=run, lease_until=now, closed_at=now, outcome=outcome) for _ in range(3))
    monkeypatch.setattr("portal.runs.submit.prepare", _broken)
    monkeypatch.setattr(submitting, "MOST_TRIES", 2)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING


def _broken(*args: object) -> None:
    raise FileNotFoundError("the photo is gone")


def test_nothing_left_of_what_was_chosen_goes_back_to_the_person(run: Run, lamina: Sandbox) -> None:
    Run.objects.filter(pk=run.pk).update(outputs_wanted=["No longer offered"])
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.NEEDS_ATTENTION
    assert [problem["param"] for problem in run.problems] == ["__outputs"]
    assert starts(lamina) == []


def test_part_of_what_was_chosen_is_not_sent_and_paid_for_without_the_rest(run: Run, lamina: Sandbox) -> None:
    Run.objects.filter(pk=run.pk).update(outputs_wanted=["Front", "Side", "Top"])
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.NEEDS_ATTENTION
    (problem,) = run.problems
    assert (problem["param"], problem["message"]) == ("__outputs", "Not made any more: Side, Top.")
    assert [(each.label, each.given) for each in refusals(run)] == [("What to make", "Side, Top")]
    assert starts(lamina) == []


def test_everything_that_was_seen_is_asked_for_by_name_once_the_app_makes_more(run: Run) -> None:
    app = LaminaApp.from_detail(run.schema.detail)
    assert labels_to_send(["Front", "Back"], app) == []
    more = detail(outputs=[{"label": label, "type": "image"} for label in ("Front", "Back", "Side")])
    assert labels_to_send(["Front", "Back"], LaminaApp.from_detail(more)) == ["Front", "Back"]


def test_places_of_a_run_that_ended_here_are_closed(run: Run) -> None:
    cancel(run)
    assert {output.status for output in run.outputs.all()} == {"cancelled"}


def test_address_that_lamina_refuses_is_our_fault_and_never_the_person_s(
    run: Run, lamina: Sandbox, settings: object, poster: PinnedApp, member: Membership
) -> None:
    settings.PORTAL_PUBLIC_URL = "ftp://portal.test"
    cache.delete(callbacks.REFUSED_KEY)
    send(run.pk)
    run.refresh_from_db()
    assert run.status == Status.WAITING
    assert address_is_refused()
    assert any("PORTAL_PUBLIC_URL" in trouble.what for trouble in check_addresses() if "refuses" in trouble.what)
    cache.delete(callbacks.REFUSED_KEY)
    send(run.pk)
    run.refresh_from_db()
    assert run.lamina_run_id
    assert [start["webhook"] for start in starts(lamina)] == [None]
    assert [attempt.callback for attempt in run.attempts.all()] == ["refused", ""]
    cache.set(callbacks.REFUSED_KEY, "ftp://portal.test")
    other = submit_brief(member, poster, uuid.uuid4(), "another")
    send(other.pk)
    other.refresh_from_db()
    assert other.lamina_run_id, "others go without at once"
    cache.delete(callbacks.REFUSED_KEY)


def test_address_that_is_taken_again_is_no_trouble_any_more(run: Run, lamina: Sandbox, settings: object) -> None:
    settings.PORTAL_PUBLIC_URL = "http://127.0.0.1:1"
    lamina.set(webhooks=False)
    send(run.pk)
    assert run.attempts.get().callback == "asked"
    assert not address_is_refused()


@pytest.mark.django_db(transaction=True)
def test_run_s_way_costs_few_statements(
    poster: PinnedApp, member: Membership, lamina: Sandbox, django_assert_max_num_queries: Any
) -> None:
    """Savepoints, BEGIN and COMMIT are counted; what is asked for once a minute is asked for before."""
    lamina.set(manual=True)
    send(submit_brief(member, poster, uuid.uuid4(), "first").pk)
    with django_assert_max_num_queries(10):
        run = submit_brief(member, poster, uuid.uuid4(), "second")
    with django_assert_max_num_queries(19):  # one of them for each of its two outputs
        tasks.send_run(str(run.pk))
    remote = RemoteRun.model_validate(
        {
            "runId": Run.objects.get(pk=run.pk).lamina_run_id,
            "status": "completed",
            "outputs": [{"id": "a", "label": "Front", "type": "text", "status": "completed", "value": "A mug"}],
        }
    )
    with django_assert_max_num_queries(12):
        track.adopt(run.pk, remote, told_by=Teller.DELIVERY)
    assert Run.objects.get(pk=run.pk).status == Status.COMPLETED


def test_run_that_ends_while_the_balance_will_be_asked_for_anyway_sends_no_message(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(tasks, "nudge", lambda task, *_arguments: sent.append(task))
    cache.clear()
    Run.objects.update(status=Status.FAILED)
    tasks.after_news(run.pk)
    assert sent == [tasks.refresh_balance]
    cache.set_many({ASKED % run.workspace_id: True, ASKED_AGAIN % run.workspace_id: True})
    tasks.after_news(run.pk)
    assert sent == [tasks.refresh_balance]
