"""Cancel at every moment of a run's life: it reaches Lamina, and the page says no more than is known."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from lamina_integration import InputProblem, RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.runs import outcomes, reconcile, submit, tasks, track
from portal.runs.models import Run
from portal.runs.states import Status, Teller
from portal.workspaces.models import User
from tests.portal.runs.test_reconcile import age

PROBLEM = InputProblem("brief_text", "too_long", "Too long.")


@pytest.fixture
def visitor(as_user: Callable[[User], Client], creator: User) -> Client:
    """The creator's browser."""
    return as_user(creator)


@pytest.fixture
def at_lamina(run: Run, lamina: Sandbox) -> Run:
    """A run that goes on at Lamina until it is told otherwise."""
    lamina.set(manual=True)
    submit.send(run.pk)
    run.refresh_from_db()
    return run


@pytest.fixture
def unconfirmed(run: Run, lamina: Sandbox) -> Run:
    """A run whose answer was lost."""
    lamina.set(manual=True, lost_answers=1.0, webhooks=False)
    submit.send(run.pk)
    lamina.set(lost_answers=0.0)
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED
    return run


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were nudged; none is done."""
    names: list[str] = []
    monkeypatch.setattr("portal.runs.tasks.nudge", lambda task, *args, **how: names.append(task.name.split(".")[-1]))
    return names


def page_of(visitor: Client, run: Run) -> str:
    return visitor.get(run.get_absolute_url()).content.decode()


def press(visitor: Client, run: Run) -> None:
    assert visitor.post(f"{run.get_absolute_url()}cancel/").status_code == 302
    run.refresh_from_db()


def cancels(lamina: Sandbox) -> int:
    counts = lamina.ledger()["requests"]["counts"]
    return sum(each["count"] for each in counts if each["path"].endswith("/cancel"))


def test_poll_tells_what_a_cancel_does_by_now(visitor: Client, run: Run) -> None:
    address = f"{run.get_absolute_url()}progress/"
    asked = visitor.get(address)
    assert "cancelling costs nothing" in asked.content.decode()
    run.move(Status.SUBMITTING, told_by=Teller.WORKER)
    run.move(Status.RUNNING, told_by=Teller.WORKER, lamina_run_id="remote")
    told = visitor.get(address, headers={"If-None-Match": asked["ETag"]}).content.decode()
    assert 'data-cancel-text="Lamina stops as soon as it can.' in told
    assert "cancelling costs nothing" not in told


def test_unconfirmed_run_is_stopped_once_it_is_found(visitor: Client, unconfirmed: Run, lamina: Sandbox) -> None:
    page = page_of(visitor, unconfirmed)
    assert "cancel-open" in page
    assert "We do not know yet whether Lamina has it." in page
    press(visitor, unconfirmed)
    page = page_of(visitor, unconfirmed)
    assert "Cancelled, but we do not know yet whether Lamina has it." in page
    assert "it is not sent again" in page
    assert "asked Lamina to stop" not in page
    assert not reconcile.runs_to_cancel(), "nobody can be asked about it"
    reconcile.settle_unconfirmed()
    assert reconcile.runs_to_cancel() == [unconfirmed.pk], "at once"
    tasks.cancel_run(str(unconfirmed.pk))
    unconfirmed.refresh_from_db()
    assert (unconfirmed.status, cancels(lamina)) == (Status.CANCELLED, 1)


@pytest.mark.parametrize("resends", [0, 1])
def test_unconfirmed_run_that_is_certainly_not_there_ends_instead_of_being_sent_again(
    run: Run, lamina: Sandbox, resends: int
) -> None:
    lamina.set(lost_requests=1.0)
    submit.send(run.pk)
    lamina.set(lost_requests=0.0)
    Run.objects.update(resends=resends)
    run.refresh_from_db()
    submit.cancel(run)
    age(run, minutes=5)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert (run.status, run.history.last().why) == (Status.CANCELLED, "Cancelled. Lamina does not have it.")
    assert lamina.ledger()["starts"] == []


def test_run_that_lamina_had_after_all_is_stopped_there(unconfirmed: Run, lamina: Sandbox) -> None:
    unconfirmed.move(Status.CANCELLED, told_by=Teller.SWEEP, why="It was believed not to be there.")
    remote = RemoteRun.model_validate(
        {"runId": lamina.ledger()["starts"][0]["runId"], "status": "running", "outputs": []}
    )
    track.adopt(unconfirmed.pk, remote, told_by=Teller.DELIVERY)
    assert reconcile.runs_to_cancel() == [unconfirmed.pk]
    tasks.cancel_run(str(unconfirmed.pk))
    unconfirmed.refresh_from_db()
    assert (unconfirmed.status, unconfirmed.cancel_next_at, cancels(lamina)) == (Status.CANCELLED, None, 1)


def test_lamina_that_was_away_for_long_is_asked_for_as_long_as_the_run_goes_on(visitor: Client, at_lamina: Run) -> None:
    submit.cancel(at_lamina)
    now = timezone.now()
    day = now - timedelta(days=1)
    Run.objects.update(cancel_asked_at=day, accepted_at=day, cancel_next_at=now)
    assert reconcile.runs_to_cancel() == [at_lamina.pk]
    at_lamina.refresh_from_db()
    assert timedelta(minutes=9) < at_lamina.cancel_next_at - now < timedelta(minutes=11)
    page = page_of(visitor, at_lamina)
    assert "We are asking Lamina to stop this run" in page
    assert "cancel-open" in page
    press(visitor, at_lamina)
    assert at_lamina.cancel_next_at - timezone.now() < timedelta(seconds=6)
    assert at_lamina.cancel_asked_at == day


def test_cancel_is_offered_once_while_lamina_may_still_answer(visitor: Client, at_lamina: Run) -> None:
    submit.cancel(at_lamina)
    assert "cancel-open" not in page_of(visitor, at_lamina)


def test_run_that_lamina_cannot_stop_is_not_offered_to_be_cancelled(
    visitor: Client, at_lamina: Run, lamina: Sandbox
) -> None:
    lamina.set(cancel_answer="not_cancellable")
    submit.cancel(at_lamina)
    submit.cancel_at_lamina(at_lamina.pk)
    Run.objects.update(cancel_asked_at=timezone.now() - timedelta(hours=1))
    page = page_of(visitor, at_lamina)
    assert "Lamina cannot stop this run any more." in page
    assert "cancel-open" not in page


def test_cancel_while_sending_ends_a_run_whose_inputs_are_refused(run: Run) -> None:
    attempt = submit.claim(run.pk)
    submit.cancel(Run.objects.get(pk=run.pk))
    outcomes.refuse(attempt, (PROBLEM,))
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_cancel_at_the_moment_inputs_are_refused_is_not_forgotten(run: Run) -> None:
    attempt = submit.claim(run.pk)
    seen_while_sending = Run.objects.get(pk=run.pk)
    outcomes.refuse(attempt, (PROBLEM,))
    submit.cancel(seen_while_sending)
    run.refresh_from_db()
    assert run.status == Status.CANCELLED, "the click saw an older state"


def test_cancel_that_crossed_a_refusal_ends_the_run_at_the_next_sweep(run: Run) -> None:
    outcomes.refuse(submit.claim(run.pk), (PROBLEM,))
    Run.objects.update(cancel_asked_at=timezone.now())
    assert reconcile.runs_to_cancel() == []
    run.refresh_from_db()
    assert run.status == Status.CANCELLED


def test_cancel_while_sending_is_told_to_lamina_as_soon_as_it_has_the_run(
    visitor: Client, run: Run, lamina: Sandbox, nudged: list[str]
) -> None:
    lamina.set(manual=True)
    attempt = submit.claim(run.pk)
    started = submit._call(attempt)
    press(visitor, run)
    assert "Cancelled while it was being sent." in page_of(visitor, run)
    outcomes.accept(attempt, started)
    tasks.after_news(run.pk)
    assert nudged == ["cancel_run"]
    tasks.after_news(run.pk)
    assert nudged == ["cancel_run"], "the message has its time"
    tasks.cancel_run(str(run.pk))
    run.refresh_from_db()
    assert (run.status, cancels(lamina)) == (Status.CANCELLED, 1)


def test_run_that_needs_attention_can_be_let_be(visitor: Client, run: Run) -> None:
    outcomes.refuse(submit.claim(run.pk), (PROBLEM,))
    page = page_of(visitor, run)
    assert "cancel-open" in page
    assert "Nothing was sent and nothing was charged." in page
    press(visitor, run)
    assert run.status == Status.CANCELLED
    assert "Nothing was charged." in page_of(visitor, run)


@pytest.mark.parametrize(("end", "words"), [("completed", "it was finished"), ("failed", "it failed")])
def test_cancel_that_came_too_late_is_said_and_stands_in_the_history(
    visitor: Client, at_lamina: Run, end: str, words: str
) -> None:
    press(visitor, at_lamina)
    at_lamina.move(end, told_by=Teller.SWEEP)
    page = page_of(visitor, at_lamina)
    assert f"A cancel was asked for; {words} before Lamina could stop it." in page
    history = page.split('class="history"')[1].split("</ol>")[0]
    accepted, asked, ended = (
        history.index(line) for line in ("Accepted", "Cancel asked for", at_lamina.get_status_display())
    )
    assert accepted < asked < ended


def test_cancel_in_time_is_no_late_one(visitor: Client, at_lamina: Run) -> None:
    press(visitor, at_lamina)
    at_lamina.move(Status.CANCELLED, told_by=Teller.WORKER)
    page = page_of(visitor, at_lamina)
    assert "before Lamina could stop it" not in page
    assert "Cancel asked for" in page


@pytest.mark.parametrize("is_seen", [True, False], ids=["before it", "at that moment"])
def test_press_after_the_end_says_that_nothing_was_left_to_cancel(
    visitor: Client, at_lamina: Run, monkeypatch: pytest.MonkeyPatch, is_seen: bool
) -> None:
    if is_seen:
        at_lamina.move(Status.COMPLETED, told_by=Teller.SWEEP)
    else:
        ask = submit.cancel
        monkeypatch.setattr(
            submit, "cancel", lambda run: (at_lamina.move(Status.COMPLETED, told_by=Teller.SWEEP), ask(run))
        )
    press(visitor, at_lamina)
    page = page_of(visitor, at_lamina)
    assert "There was nothing left to cancel" in page
    assert "There was nothing left to cancel" not in page_of(visitor, at_lamina), "once"


def test_press_that_ends_a_run_says_nothing_of_the_kind(visitor: Client, run: Run) -> None:
    press(visitor, run)
    assert "nothing left to cancel" not in page_of(visitor, run)


def test_cancel_of_a_run_that_is_over_changes_nothing(visitor: Client, at_lamina: Run, lamina: Sandbox) -> None:
    stale = Run.objects.get(pk=at_lamina.pk)
    at_lamina.move(Status.COMPLETED, told_by=Teller.SWEEP)
    before = Run.objects.values().get(pk=at_lamina.pk)
    submit.cancel(stale)
    assert Run.objects.values().get(pk=at_lamina.pk) == before
