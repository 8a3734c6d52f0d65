"""What the database refuses, tried by many threads at once."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier, Event, Thread
from typing import TypeVar

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from lamina_integration import RemoteRun
from lamina_integration.sandbox import Sandbox
from portal.catalogue.models import PinnedApp
from portal.runs import outcomes, reconcile, submit, track
from portal.runs.models import Attempt, Run
from portal.runs.states import Status, Teller
from portal.runs.submit import claim
from portal.workspaces.models import Membership
from tests.factories import run_of

T = TypeVar("T")
THREADS = 8

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[int], T]) -> list[T]:
    """Return what each of the threads got that began together."""
    barrier = Barrier(THREADS)

    def begin(number: int) -> T:
        try:
            barrier.wait(10)
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(begin, range(THREADS)))


def test_of_many_workers_one_claims_the_run_and_opens_an_attempt(run: Run) -> None:
    attempts = [attempt for attempt in at_once(lambda _: claim(run.pk)) if attempt]
    assert len(attempts) == 1
    assert Attempt.objects.filter(run=run, closed_at=None).count() == 1
    assert run.history.filter(to=Status.SUBMITTING).count() == 1


def test_lease_is_renewed_while_lamina_takes_its_time_to_answer(
    run: Run, lamina: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that takes three leases is not believed to be lost, and a sweep looks all the while."""
    monkeypatch.setattr("portal.runs.submit.LEASE_SECONDS", 0.5)
    monkeypatch.setattr("portal.runs.leases.RENEW_EVERY_SECONDS", 0.1)
    lamina.set(slow_starts=1.5, webhooks=False, manual=True)
    over = Event()
    began = time.monotonic()
    looks: list[float] = []

    def sweep() -> None:
        try:
            while not over.wait(0.1):
                reconcile.release_lost_attempts()
                if Run.objects.get(pk=run.pk).status == Status.SUBMITTING:
                    looks.append(time.monotonic() - began)
        finally:
            connection.close()

    sweeper = Thread(target=sweep)
    sweeper.start()
    submit.send(run.pk)
    over.set()
    sweeper.join()
    attempt = Attempt.objects.get()
    assert looks[-1] > 1.0, "nobody looked after the first lease"
    assert Status.UNCONFIRMED not in {move.to for move in run.history.all()}
    assert attempt.outcome == "accepted"
    assert (attempt.lease_until - attempt.sent_at).total_seconds() > 1.5


def test_lease_that_is_not_renewed_ends(run: Run) -> None:
    attempt = submit.claim(run.pk)
    submit.mark_sent(attempt)
    Attempt.objects.update(lease_until=timezone.now())
    reconcile.release_lost_attempts()
    run.refresh_from_db()
    assert run.status == Status.UNCONFIRMED


def test_two_open_attempts_of_one_run_cannot_be(run: Run) -> None:
    def open_one(_: int) -> bool:
        try:
            Attempt.objects.create(run=run, lease_until=run.created_at)
        except IntegrityError:
            return False
        return True

    assert sum(at_once(open_one)) == 1


def test_one_run_at_lamina_belongs_to_one_of_ours(poster: PinnedApp, member: Membership) -> None:
    runs = [run_of(member, poster, status=Status.UNCONFIRMED) for _ in range(THREADS)]
    remote = RemoteRun.model_validate({"runId": "far-away", "status": "running", "outputs": []})
    at_once(lambda number: track.adopt(runs[number].pk, remote, told_by=Teller.SWEEP))
    owners = Run.objects.filter(lamina_run_id="far-away")
    assert [run.status for run in owners] == [Status.RUNNING]
    others = Run.objects.exclude(pk=owners.get().pk)
    assert {run.status for run in others} == {Status.UNCONFIRMED}
    assert all("belongs to" in run.history.last().why for run in others), "staff can see what was tried"


def test_every_change_of_state_has_its_line_however_many_move_it(run: Run) -> None:
    steps = [Status.SUBMITTING, Status.WAITING] * 6

    def walk(_: int) -> int:
        made = 0
        for to in steps:
            made += Run.objects.get(pk=run.pk).move(to, told_by=Teller.WORKER)
        return made

    assert sum(at_once(walk)) == run.history.exclude(leaving="").count()
    lines = list(run.history.order_by("pk"))
    assert all(later.leaving == earlier.to for earlier, later in pairwise(lines))
    run.refresh_from_db()
    assert (run.status, run.version) == (lines[-1].to, len(lines) - 1)


def test_lamina_s_run_id_twice_is_refused_by_the_database(poster: PinnedApp, member: Membership) -> None:
    run_of(member, poster, lamina_run_id="same")
    with pytest.raises(IntegrityError), transaction.atomic():
        run_of(member, poster, lamina_run_id="same", reference=f"R-{uuid.uuid4().hex[:9]}")


def test_answer_that_names_another_run_s_closes_its_attempt_all_the_same(
    poster: PinnedApp, member: Membership, run: Run
) -> None:
    owner = run_of(member, poster, status=Status.RUNNING, lamina_run_id="far-away")
    attempt = submit.claim(run.pk)
    submit.mark_sent(attempt)
    remote = RemoteRun.model_validate({"runId": "far-away", "status": "running", "outputs": []})
    assert outcomes.accept(attempt, remote) is None
    attempt.refresh_from_db()
    run.refresh_from_db()
    assert attempt.outcome == "accepted"
    assert run.status == Status.SUBMITTING, "the sweep settles it: it is not known to be anywhere"
    assert f"belongs to {owner}" in run.history.last().why
