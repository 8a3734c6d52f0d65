"""Workers that stall or are suspended, and databases that go away: what has gone on meanwhile is left alone."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from lamina_integration import (
    InputProblem,
    LaminaAuthError,
    LaminaInsufficientCredits,
    LaminaNotFound,
    Lane,
    RemoteRun,
    RequestBudget,
)
from lamina_integration.sandbox import Sandbox
from portal.runs import leases, outcomes, persist, reconcile, settle, submit, track
from portal.runs.lanes import runs_to_send
from portal.runs.models import Attempt, Run
from portal.runs.outcomes import leave_unconfirmed
from portal.runs.states import Status
from portal.runs.submit import claim, mark_sent, send
from portal.workspaces.models import User
from tests.portal.runs.test_reconcile import age

REFUSED = {"status_code": 400, "code": "X", "request_id": None}


def starts(lamina: Sandbox) -> int:
    return len(lamina.ledger()["starts"])


def taken_over(run: Run) -> tuple[Attempt, Attempt]:
    """Return the attempt of a worker that stalled, and that of the one which sends the run in its place."""
    stalled = claim(run.pk)
    age(run, seconds=60)
    reconcile.release_lost_attempts()
    second = claim(run.pk)
    assert stalled
    assert second
    assert mark_sent(second)
    return stalled, second


@pytest.mark.parametrize(
    "wake",
    [
        pytest.param(partial(outcomes.give_back, outcome="x", seconds=0, why="x"), id="gives back"),
        pytest.param(partial(outcomes.refuse, problems=(InputProblem("a", "b", "c"),)), id="refused"),
        pytest.param(partial(outcomes.fail, error=LaminaNotFound("x", **REFUSED)), id="fails"),
        pytest.param(outcomes.give_up, id="gives up"),
        pytest.param(partial(leave_unconfirmed, why="x"), id="unanswered"),
        pytest.param(
            partial(outcomes.wait_for_credits, error=LaminaInsufficientCredits("x", **REFUSED)), id="no credits"
        ),
        pytest.param(partial(outcomes.wait_for_key, error=LaminaAuthError("x", **REFUSED)), id="key refused"),
    ],
)
def test_worker_that_stalled_moves_nothing_that_another_one_sends(
    run: Run, lamina: Sandbox, wake: Callable[[Attempt], None]
) -> None:
    stalled, second = taken_over(run)
    wake(stalled)
    run.refresh_from_db()
    assert run.status == Status.SUBMITTING
    leave_unconfirmed(second, why="the answer was lost")
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED, "it would be sent blindly"
    outcomes.accept(second, RemoteRun.model_validate({"runId": "two", "status": "queued", "outputs": []}))
    run.refresh_from_db()
    assert (run.status, run.lamina_run_id) == (Status.QUEUED, "two")


def test_worker_that_was_suspended_until_it_was_given_up_sends_nothing(run: Run, lamina: Sandbox) -> None:
    stalled = claim(run.pk)
    age(run, seconds=60)
    reconcile.release_lost_attempts()
    assert stalled
    assert not mark_sent(stalled)


def test_sweep_that_read_an_attempt_before_it_was_sent_does_not_believe_it_unsent(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = claim(run.pk)
    age(run, seconds=60)
    looks: list[datetime] = []

    class Clock:
        @staticmethod
        def now() -> datetime:
            if len(looks) == 1:  # the sweep has read what is lost, and is about to close it
                assert attempt
                assert mark_sent(attempt)
            looks.append(timezone.now())
            return looks[-1]

    monkeypatch.setattr(reconcile, "timezone", Clock)
    reconcile.release_lost_attempts()
    assert len(looks) > 1
    run.refresh_from_db()
    assert run.status == Status.SUBMITTING


def test_sweep_that_asked_slowly_leaves_alone_what_staff_have_sent_again(
    run: Run, lamina: Sandbox, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamina.set(lost_requests=1.0)
    send(run.pk)
    age(run, minutes=5)
    ask = reconcile.strangers
    second: list[Attempt] = []

    def strangers(*args: Any) -> Any:
        found = ask(*args)
        settle.send_once_more(Run.objects.get(pk=run.pk), person=staff, reason="It never arrived")
        attempt = claim(run.pk)
        assert attempt
        assert mark_sent(attempt)
        second.append(attempt)
        return found

    monkeypatch.setattr(reconcile, "strangers", strangers)
    reconcile.settle_unconfirmed()
    run.refresh_from_db()
    assert run.status == Status.SUBMITTING
    leave_unconfirmed(second[0], why="the answer was lost")
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED, "it would be sent blindly"


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(minutes=3)], ids=["suspended", "clocks differ"])
def test_request_that_leaves_long_after_it_was_written_down_is_not_sent_a_second_time(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """The worker sleeps between its note that the request leaves and the request, while a sweep looks for it."""
    lamina.set(manual=True, webhooks=False)
    acquire = RequestBudget.acquire
    slept: list[datetime] = []

    class Clock:
        @staticmethod
        def now() -> datetime:
            return timezone.now() + ahead

    def sleep(self: RequestBudget, lane: Lane, **patience: Any) -> None:
        acquire(self, lane, **patience)
        if slept or not run.attempts.filter(closed_at=None, sent_at__isnull=False).exists():
            return
        slept.append(timezone.now())
        if not ahead:
            age(run, minutes=5)
        with monkeypatch.context() as patch:
            patch.setattr(reconcile, "timezone", Clock)
            reconcile.release_lost_attempts()
            reconcile.settle_unconfirmed()
        Run.objects.update(next_at=timezone.now(), not_before=None)
        for run_id, _lane in runs_to_send():
            send(run_id)

    monkeypatch.setattr(RequestBudget, "acquire", sleep)
    send(run.pk)
    assert slept
    assert starts(lamina) == 1, "it was paid for twice"


class Broken:
    """A database whose connection of this moment is lost: what uses it fails until it is a new one."""

    def __init__(self) -> None:
        self.failed = 0
        self._lost: Any = None

    def use(self) -> None:
        """Raise OperationalError as long as the connection is the one that was lost."""
        connection.ensure_connection()
        self._lost = self._lost or connection.connection
        if connection.connection is self._lost:
            self.failed += 1
            raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.django_db(transaction=True)
def test_answer_is_written_down_once_the_database_is_back(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamina.set(webhooks=False, manual=True)
    database, adopt = Broken(), track.adopt

    def adopt_if_it_is_there(*args: Any, **more: Any) -> Run | None:
        database.use()
        return adopt(*args, **more)

    monkeypatch.setattr(track, "adopt", adopt_if_it_is_there)
    send(run.pk)
    run.refresh_from_db()
    assert run.lamina_run_id
    assert run.attempts.get().outcome == "accepted"
    assert database.failed == 1


@pytest.mark.django_db(transaction=True)
def test_lease_is_renewed_again_once_the_database_is_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY_SECONDS", 0.05)
    attempt, database = claim(run.pk), Broken()
    assert attempt

    def renew() -> None:
        database.use()
        submit.renew(attempt)

    with leases.renewed(renew):
        deadline = time.monotonic() + 10
        while Attempt.objects.get(pk=attempt.pk).lease_until == attempt.lease_until:
            assert time.monotonic() < deadline, "the thread kept its broken connection"
            time.sleep(0.05)
    assert database.failed == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("number", range(1, 5))
def test_commit_of_which_nobody_knows_whether_it_was_done_costs_no_second_payment(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch, number: int, is_done: bool
) -> None:
    lamina.set(webhooks=False, manual=True)
    commit, seen = BaseDatabaseWrapper._commit, []

    def lose_one(self: BaseDatabaseWrapper) -> None:
        seen.append(1)
        if len(seen) != number:
            commit(self)
            return
        if is_done:
            commit(self)
        raise OperationalError("the connection was lost while it was committed")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", lose_one)
    with suppress(OperationalError):
        send(run.pk)
    for _ in range(6):
        age(run, minutes=3)
        Run.objects.update(not_before=None)
        reconcile.release_lost_attempts()
        reconcile.settle_unconfirmed()
        for run_id, _lane in runs_to_send():
            send(run_id)
    run.refresh_from_db()
    assert len(seen) >= number
    assert (starts(lamina), bool(run.lamina_run_id)) == (1, True)


def test_somebody_else_s_transaction_is_not_waited_in(run: Run) -> None:
    tries = []

    def write() -> None:
        tries.append(1)
        raise OperationalError("away")

    with pytest.raises(OperationalError):
        persist.persistently(write)
    assert len(tries) == 1
